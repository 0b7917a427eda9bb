"""Rows of a file of executed exits, line by line: whatever a row holds, the next one is read.

One line is one row, in CSV too. Columns that are named nowhere here are passed over: ledgers have
many of their own.

Always true (tests/unit/cli/test_reconcile_rows.py): any bytes whatever are a row or a fault; no
text in a cell is a row, whatever it holds.

Source: RFC 4180; RFC 8259; docs/reconcile.md.
"""

import csv
import json
from collections.abc import Mapping
from typing import Any

from twinlock.cli.import_files import Line
from twinlock.domain.errors import TwinlockError
from twinlock.domain.reconciling.rows import (
    MAY,
    NEEDED,
    Executed,
    RowBrokenError,
    RowFault,
    executed,
)
from twinlock.services.importing.reading import LINE_BYTES_MOST, Format, ends_inside

_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"


class ExecutedFileError(TwinlockError):
    """A file of executed exits that says not what it is, or whose header lacks a column."""

    code = "executed_file_refused"
    status = 422


class Reader:
    """Reads the lines of one file."""

    def __init__(self, form: Format) -> None:
        self._form = form
        self._header: list[str] | None = None
        self._inside = False  # Whether the lines so far left a quoted cell of CSV open.

    @property
    def wants_header(self) -> bool:
        """Whether the next line names the columns."""
        return self._form is Format.CSV and self._header is None

    def header(self, line: bytes) -> None:
        """Take the names of the columns. Raises ExecutedFileError."""
        try:
            names = [cell.strip() for cell in _cells(_text(line))]
        except RowBrokenError as error:
            raise ExecutedFileError("the first line is no header of CSV in UTF-8") from error
        missing = [name for name in NEEDED if name not in names]
        if missing:
            raise ExecutedFileError(f"the first line names no column {missing[0]}")
        if any(names.count(name) > 1 for name in (*NEEDED, *MAY)):
            raise ExecutedFileError("two columns have the same name")
        self._header = names

    def row(self, line: Line) -> Executed:
        """Return the exit that a line, the next one, tells of.

        Prevents: a customer whose own text beside a payment has a second line, which tells of an
        exit that nobody executed.

        Raises:
            RowBrokenError: the first fault found.
        """
        if self._form is Format.CSV:
            began_inside, self._inside = self._inside, ends_inside(line.data, inside=self._inside)
            if began_inside:
                raise RowBrokenError(RowFault.CSV_BROKEN)
        text = _text(line.data)
        said = _object(text) if self._form is Format.JSONL else self._record(text)
        return executed(line.number, said)

    def _record(self, text: str) -> Mapping[str, str]:
        cells, names = _cells(text), self._header or []
        if len(cells) != len(names):
            raise RowBrokenError(RowFault.CSV_BROKEN)
        return dict(zip(names, cells, strict=True))


def _text(line: bytes) -> str:
    if len(line.removesuffix(b"\n")) > LINE_BYTES_MOST:  # Also of a last line, which has no end.
        raise RowBrokenError(RowFault.ROW_TOO_LARGE)
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RowBrokenError(RowFault.NOT_UTF8) from error
    return text.removeprefix(_BOM).removesuffix("\n").removesuffix("\r")


def _cells(text: str) -> list[str]:
    try:
        [cells] = csv.reader([text], strict=True)
    except (csv.Error, ValueError) as error:
        raise RowBrokenError(RowFault.CSV_BROKEN) from error
    return cells


def _object(text: str) -> Mapping[str, str]:
    try:
        found = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise RowBrokenError(RowFault.JSON_BROKEN) from error
    if not isinstance(found, dict):
        raise RowBrokenError(RowFault.JSON_BROKEN)
    told = {name: found[name] for name in (*NEEDED, *MAY) if name in found}
    for name, value in told.items():
        if not isinstance(value, str):
            raise RowBrokenError(RowFault.JSON_BROKEN, name)
    for name in NEEDED:
        if name not in told:
            raise RowBrokenError(RowFault.VALUE_MISSING, name)
    return told


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Prevents: two readers of one line who each believe another of two equal names."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found
