"""Lines of CSV or JSON to rows: bounded, strict, and told where they are wrong, never in what.

One line is one row, in CSV too: no value here has a line of its own, so an open quote breaks its
row, and each that follows until a quote closes it: what stands there was written into a cell.

Always true (tests/property/test_importing_properties.py): any bytes whatever are a row or a fault;
no text in a cell is a row, whatever it holds.

Source: RFC 4180; RFC 8259; docs/import.md.
"""

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from twinlock.domain.canonical import encode
from twinlock.domain.errors import TwinlockError
from twinlock.domain.importing.faults import RowFault, RowRefusedError
from twinlock.domain.importing.rows import Row

LINE_BYTES_MOST = 65_536  # A row with everything at its longest has 60 KB.
CELLS_MOST = 512  # Of one row; more than any account has room for.
_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"
_LISTS = {"transports", "scopes", "ip_list"}  # In a cell parted by spaces.
_THINGS = {
    "totp": "totp",
    "passkey": "passkeys",
    "destination": "destinations",
    "api_key": "api_keys",
}
_CHANNELS = {"email": "emails", "phone": "phones"}
_PLAIN = ("reference", "password_hash", "destinations_required")
_NUMBERED = re.compile(r"(totp|passkey|destination|api_key)_([1-9][0-9]?[0-9]?)_([a-z_]{1,32})")
_CHANNEL = re.compile(r"(email|phone)(?:_([1-9]))?")
_AT = re.compile(r" - at `\$\.?([^`]*)`$")
_NO_BREAKS = str.maketrans("\r\n\0", "   ")
_MISSING = re.compile(r"Object missing required field `([a-z_]+)`")


class Format(StrEnum):
    """How a file is written."""

    CSV = "csv"
    JSONL = "jsonl"


class ImportFileError(TwinlockError):
    """A file of an older system cannot be read at all: nothing of it was taken."""

    code = "import_file_refused"
    status = 422


class Column:
    """Where a cell of CSV goes: a field, a channel's place, or a field of the n-th thing."""

    __slots__ = ("field", "name", "number", "part")

    def __init__(self, name: str, *, place: int) -> None:
        """Read a column's name; ``place`` counts from 1.

        Raises:
            ImportFileError: no column is called so. The name is not repeated: where a file has no
                header it is somebody's.
        """
        self.name, self.number, self.part = name, 0, ""
        channel, thing = _CHANNEL.fullmatch(name), _NUMBERED.fullmatch(name)
        if name in _PLAIN or name in _THINGS.values():
            self.field = name
        elif channel is not None:
            self.field, self.number = _CHANNELS[channel[1]], int(channel[2] or 1)
        elif thing is not None:
            self.field, self.number, self.part = _THINGS[thing[1]], int(thing[2]), thing[3]
        else:
            raise ImportFileError(f"the name of column {place} is not in docs/import.md: map it")


class Reader:
    """Reads the lines of one file. ``renames`` are its own names, and what each is called here.

    A name that is mapped to "" is left out.
    """

    def __init__(self, form: Format, *, renames: Mapping[str, str]) -> None:
        self._form = form
        self._renames = renames
        self._columns: tuple[Column | None, ...] | None = None
        self._inside = False  # Whether the lines so far left a quoted cell of CSV open.

    @property
    def wants_header(self) -> bool:
        """Whether the next line names the columns."""
        return self._form is Format.CSV and self._columns is None

    def header(self, line: bytes) -> None:
        """Take the names of the columns.

        Raises:
            ImportFileError: no line of CSV; a name that is unknown or stands twice; no reference.
        """
        try:
            cells = _cells(_text(line).removeprefix(_BOM))
        except RowRefusedError as error:
            raise ImportFileError("the first line is no header of CSV in UTF-8") from error
        names = [_name_of(cell.strip(), self._renames) for cell in cells]
        columns = tuple(
            None if name is None else Column(name, place=place)
            for place, name in enumerate(names, start=1)
        )
        told = [(one.field, one.number, one.part) for one in columns if one is not None]
        whole = {one.field for one in columns if one is not None and _is_json(one)}
        parts = {one.field for one in columns if one is not None and one.part}
        if len(set(told)) < len(told) or whole & parts:
            raise ImportFileError("two columns say the same thing")
        if ("reference", 0, "") not in told:
            raise ImportFileError("no column is called reference: map it")
        self._columns = columns

    def row(self, line: bytes, *, first: bool = False) -> Row:
        """Return the row in ``line``, the next one of a file, which may be its ``first``.

        Prevents: a customer of the older system whose nickname has a second line, which is a row
        of its own here, and moves its writer in as somebody else.

        Raises:
            RowRefusedError: with the first fault found.
        """
        if self._form is Format.CSV:
            began_inside, self._inside = self._inside, ends_inside(line, inside=self._inside)
            if began_inside:
                raise RowRefusedError(RowFault.CSV_BROKEN)
        text = _text(line)
        text = text.removeprefix(_BOM) if first else text
        if self._form is Format.JSONL:
            return _row(_renamed(_json(text, ""), self._renames), strict=True)
        return _row(_gathered(self._columns or (), _cells(text)), strict=False)


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """How the lines of a file are read; ``header`` is its first line where columns are named."""

    form: Format
    renames: dict[str, str]
    header: bytes = b""

    def reader(self) -> Reader:
        """Return what reads its lines. Raises ImportFileError, as ``Reader.header`` does."""
        reader = Reader(self.form, renames=self.renames)
        if reader.wants_header and self.header:
            reader.header(self.header)
        return reader


def ends_inside(line: bytes, *, inside: bool) -> bool:
    """Say whether a quoted cell of CSV is open at the end of a line; ``inside``: at its beginning.

    A cell may hold line breaks (RFC 4180, 2.6), and then what other people wrote has lines of its
    own. Bytes of any encoding whose quotes are ASCII's will do.
    """
    if b'"' not in line:
        return inside
    text = line.decode("latin-1").translate(_NO_BREAKS)
    rows = csv.reader([f'"{text}' if inside else text, '"'])
    next(rows)
    return rows.line_num > 1  # It took the next line, too, to end this row.


def _text(line: bytes) -> str:
    if len(line.removesuffix(b"\n")) > LINE_BYTES_MOST:  # Also of a last line, which has no end.
        raise RowRefusedError(RowFault.ROW_TOO_LARGE)
    try:
        return line.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise RowRefusedError(RowFault.NOT_UTF8) from error


def _cells(text: str) -> list[str]:
    if "\0" in text or "\r" in text:
        raise RowRefusedError(RowFault.TEXT_UNREADABLE)
    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error as error:
        raise RowRefusedError(RowFault.CSV_BROKEN) from error
    cells = rows[0] if rows else []
    if len(cells) > CELLS_MOST:
        raise RowRefusedError(RowFault.ROW_TOO_LARGE)
    return cells


def _json(text: str, column: str) -> Any:  # noqa: ANN401 - any JSON at all
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise RowRefusedError(RowFault.JSON_BROKEN, column) from error
    if "\\u" in text:
        _check_characters(found, column)
    return found


def _check_characters(found: Any, column: str) -> None:  # noqa: ANN401 - any JSON at all
    """Prevents: half a character, which is read here and can be written nowhere."""
    try:
        encode(found)
    except UnicodeEncodeError as error:
        raise RowRefusedError(RowFault.TEXT_UNREADABLE, column) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Prevents: two readers of one line who each believe another of two equal names."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no_number(_: str) -> None:
    raise ValueError("JSON has no such number")


def _name_of(name: str, renames: Mapping[str, str]) -> str | None:
    """Return what a file's own name is called here, or None for one that is mapped to nothing.

    Prevents: a column without a name that holds the apps of everybody, passed over in silence.
    """
    return renames.get(name, name) or (None if name in renames else name)


def _renamed(value: Any, renames: Mapping[str, str]) -> Any:  # noqa: ANN401 - any JSON at all
    if not isinstance(value, dict) or not renames:
        return value
    pairs = [(_name_of(name, renames), one) for name, one in value.items()]
    try:
        return _once([(name, one) for name, one in pairs if name is not None])
    except ValueError as error:
        raise RowRefusedError(RowFault.JSON_BROKEN) from error


def _is_json(column: Column) -> bool:
    return not column.part and not column.number and column.field in _THINGS.values()


def _gathered(columns: Sequence[Column | None], cells: Sequence[str]) -> dict[str, Any]:
    """Return what the cells say, as JSON would say it; an empty cell says nothing."""
    if len(cells) != len(columns):
        raise RowRefusedError(RowFault.CSV_BROKEN)
    found: dict[str, Any] = {}
    numbered: dict[str, dict[int, Any]] = {}
    for column, cell in zip(columns, cells, strict=True):
        if column is None or not cell:
            continue
        if column.part:
            thing = numbered.setdefault(column.field, {}).setdefault(column.number, {})
            thing[column.part] = cell.split() if column.part in _LISTS else cell
        elif column.number:
            numbered.setdefault(column.field, {})[column.number] = cell
        else:
            found[column.field] = _json(cell, column.name) if _is_json(column) else cell
    return found | {name: _in_order(every) for name, every in numbered.items()}


def _in_order(every: Mapping[int, Any]) -> list[Any]:
    return [every[number] for number in sorted(every)]


def _row(value: Any, *, strict: bool) -> Row:  # noqa: ANN401 - any JSON at all
    try:
        return msgspec.convert(value, Row, strict=strict)
    except msgspec.ValidationError as error:
        raise _told(str(error)) from None  # What it quotes may be a secret.


def _told(text: str) -> RowRefusedError:
    """Return what is told of what msgspec found: where it is, and nothing of what stood there."""
    at = _AT.search(text)
    column = at[1] if at is not None and "[...]" not in at[1] else ""
    missing = _MISSING.match(text)
    if missing is not None:
        name = ".".join(one for one in (column, missing[1]) if one)
        return RowRefusedError(RowFault.VALUE_MISSING, name)
    unknown = text.startswith("Object contains unknown field")
    return RowRefusedError(RowFault.COLUMN_UNKNOWN if unknown else RowFault.VALUE_WRONG, column)


def read_renames(text: bytes) -> dict[str, str]:
    """Return the map in a file of JSON: from the file's own names to ours, or to "" or null.

    Raises:
        ImportFileError: it is no object of texts.
    """
    try:
        found = msgspec.json.decode(text, type=dict[str, str | None])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ImportFileError("the map is no JSON object of names") from error
    return {name: one or "" for name, one in found.items()}


def column_names() -> Iterable[str]:
    """Give every name that a column of CSV may have; N counts from 1."""
    yield from _PLAIN
    yield from (f"{name}_N" for name in _CHANNELS)
    for name, field in _THINGS.items():
        yield field
        yield f"{name}_N_*"
