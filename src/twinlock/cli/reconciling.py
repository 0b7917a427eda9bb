"""``twinlock reconcile``: whether all that a platform executed was authorized, and once.

It reads a file of executed exits and the database, and writes the report, and which exits it saw.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from io import BufferedReader
from pathlib import Path
from typing import Annotated, TextIO

import msgspec
import typer

from twinlock.bootstrap.reconciling import open_reconciling, state_of
from twinlock.bootstrap.world import settings_from_environment
from twinlock.cli.console import plain, result
from twinlock.cli.import_files import (
    FORM_UNTOLD,
    Line,
    Lines,
    form_of,
    open_file,
    open_report,
    write_cells,
)
from twinlock.cli.progress import progress
from twinlock.cli.reconcile_rows import ExecutedFileError, Reader
from twinlock.domain.errors import FileUnsafeError
from twinlock.domain.exits import EXITS
from twinlock.domain.reconciling.comparing import Finding
from twinlock.domain.reconciling.rows import Executed, RowBrokenError, instant
from twinlock.services.importing.reading import Format
from twinlock.services.reconciling import Reconciling

FOUND = 1  # The exit code where anything at all was found, broken rows among it.
ROWS = 512  # Looked up in one question.
SHOWN_MOST = 20  # Findings that are told on the terminal; the report has them all.
HEADER = (
    "line",
    "kind",
    "reference",
    "action",
    "field",
    "executed",
    "authorized",
    "detail",
)


class _Tally:
    """What was found so far, and where it is written."""

    def __init__(self, report: TextIO | None) -> None:
        self.findings: Counter[str] = Counter()
        self.broken: Counter[str] = Counter()
        self.shown: list[dict[str, object]] = []
        self._report = report
        if report is not None:
            write_cells(report, HEADER)

    def note(self, findings: Sequence[Finding]) -> None:
        """Count findings, and write them down: a line for each difference."""
        for one in findings:
            self.findings[one.kind.value] += 1
            self._show(msgspec.to_builtins(one))
            known = (str(one.line or ""), one.kind.value, one.reference, one.action)
            told = [(each.field, each.executed, each.authorized) for each in one.differences]
            for three in told or [("", "", "")]:
                self._write((*known, *three, one.detail))

    def broke(self, line: int, error: RowBrokenError) -> None:
        """Count a row that cannot be read."""
        self.broken[error.fault.value] += 1
        code, says = error.fault.value, str(error)
        self._show({"kind": code, "line": line, "field": error.column, "detail": says})
        self._write((str(line), code, "", "", error.column, "", "", says))

    def _show(self, told: dict[str, object]) -> None:
        if len(self.shown) < SHOWN_MOST:
            self.shown.append(told)

    def _write(self, cells: Sequence[str]) -> None:
        if self._report is not None:
            write_cells(self._report, cells)

    @property
    def total(self) -> int:
        """How many things were found."""
        return self.findings.total() + self.broken.total()


def reconcile_command(  # noqa: PLR0913 - each is one thing that people choose
    file: Annotated[
        Path, typer.Argument(help="Executed exits: CSV or JSON lines (docs/reconcile.md).")
    ],
    *,
    form: Annotated[
        Format | None, typer.Option("--format", help="Else what the file's name ends in.")
    ] = None,
    since: Annotated[
        str, typer.Option(help="Spends from then on must be in the file; else from its first row.")
    ] = "",
    until: Annotated[
        str, typer.Option(help="And before this instant (RFC 3339); else until its last row.")
    ] = "",
    types: Annotated[
        list[str] | None,
        typer.Option("--type", help="Only these exits must be in the file; else all of them."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="Write all findings to this CSV file.")
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(help="What earlier files told of; else reconciled.sqlite3 beside the data."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find executed exits without a spend, twice, or otherwise than authorized; exit 1 if any."""
    chosen = form or form_of(file)
    if chosen is None:
        raise ExecutedFileError(FORM_UNTOLD)
    reader = Reader(chosen)
    wanted = tuple(types or ())
    times = tuple(_time(name, text) for name, text in (("--since", since), ("--until", until)))
    with ExitStack() as stack:
        data = stack.enter_context(open_file(file))
        kept = state or state_of(settings_from_environment())
        if report is not None and report.resolve() == kept.resolve():  # Also where none is yet.
            raise FileUnsafeError(f"{plain(str(report))} is named for something else, too")
        beside = (data, *([stack.enter_context(open_file(kept))] if kept.exists() else ()))
        tally = _Tally(
            None if report is None else stack.enter_context(open_report(report, beside=beside))
        )
        told = asyncio.run(_run(data, reader, tally, times=times, types=wanted, state=state))
    _tell(tally, told, as_json=as_json)
    if tally.total:
        raise typer.Exit(FOUND)


def _time(name: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        return instant(text)
    except RowBrokenError as error:
        raise ExecutedFileError(f"{name}: {error}") from error


async def _run(
    file: BufferedReader,
    reader: Reader,
    tally: _Tally,
    *,
    times: tuple[datetime | None, ...],
    types: tuple[str, ...],
    state: Path | None,
) -> dict[str, object]:
    """Take all rows of ``file``, then look for what is missing; return what is told of the run."""
    lines, size = Lines(file), file.seek(0, 2)
    file.seek(0)
    async with open_reconciling(settings_from_environment(), state=state) as use:
        _check_types(types)
        with progress("reading", size) as advance:
            for group, read in _groups(lines, reader, tally):
                tally.note(await use.take(group))
                advance(read, size)
        since, until = times[0] or use.first_at, times[1] or use.last_at
        if since is None or until is None:
            raise ExecutedFileError("no row can be read: say --since and --until")
        if until < since:
            raise ExecutedFileError("the time ends before it begins: see --since and --until")
        with progress("looking for what is missing", 1) as advance:
            async for one in use.missing(since, until, types=types, advance=advance):
                tally.note([one])
        return _told(use, lines, since, until)


def _check_types(types: Sequence[str]) -> None:
    for name in types:
        if name not in EXITS:
            raise ExecutedFileError(f"--type {plain(name)}: there is no exit of this name")


def _told(use: Reconciling, lines: Lines, since: datetime, until: datetime) -> dict[str, object]:
    counts = {name: use.counts[name] for name in ("rows", "matched", "spends", "pending")}
    period = {"since": since.isoformat(), "until": until.isoformat()}
    return {"sha256": lines.digest.hex(), **counts, **period}


def _groups(lines: Lines, reader: Reader, tally: _Tally) -> Iterator[tuple[list[Executed], int]]:
    """Give the rows that can be read, some at a time, and how many bytes were read so far."""
    group: list[Executed] = []
    line = Line(0, b"", 0)
    for line in lines:
        if reader.wants_header:
            reader.header(line.data)
            continue
        try:
            group.append(reader.row(line))
        except RowBrokenError as broken:
            tally.broke(line.number, broken)
        if len(group) >= ROWS:
            yield group, line.read
            group = []
    yield group, line.read


def _tell(tally: _Tally, told: dict[str, object], *, as_json: bool) -> None:
    told = {
        **told,
        "findings": dict(sorted(tally.findings.items())),
        "broken": dict(sorted(tally.broken.items())),
        "shown": tally.shown,
    }
    broken = tally.broken.total()
    lines = [
        f"{told['rows']} rows, {told['matched']} as they were authorized, {broken} broken",
        f"{told['spends']} spends from {told['since']} until {told['until']}",
        f"{told['pending']} of them are too young to be missed",
    ]
    lines += [_line(one) for one in tally.shown]
    if tally.total > len(tally.shown):
        lines.append(f"and {tally.total - len(tally.shown)} more: see --report")
    lines.append("NOT RECONCILED" if tally.total else "reconciled")
    result(told, as_json=as_json, text="\n".join(plain(line) for line in lines))


def _line(one: dict[str, object]) -> str:
    where = f"line {one['line']}" if one.get("line") else f"{one['action']}"
    named = f", {one['reference']}" if one.get("reference") else ""
    return f"{where}{named}: {one['detail']} [{one['kind']}]"
