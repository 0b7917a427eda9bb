"""``twinlock import``: customers of an older system, from a file of CSV or JSON Lines."""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedReader
from pathlib import Path
from typing import IO, Annotated, Any, TextIO

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from twinlock.bootstrap.importing import open_importing
from twinlock.bootstrap.rulebook import rule_book
from twinlock.bootstrap.world import prepare, settings_from_environment
from twinlock.cli.console import result, say
from twinlock.cli.files import read_file
from twinlock.cli.import_files import (
    ImportFileChangedError,
    Line,
    Lines,
    digest_of,
    is_open_to_others,
    open_file,
    open_report,
    write_cells,
)
from twinlock.domain.canonical import b64url, encode
from twinlock.domain.importing.faults import SENTENCES, RowRefusedError
from twinlock.domain.importing.rows import Row
from twinlock.services.importing.admitting import Importing, Outcome
from twinlock.services.importing.reading import Format, ImportFileError, Reader, read_renames

ROWS = 512  # Taken together: eight transactions, and a few megabytes at the very worst.
MAP_BYTES_MOST = 65_536
SHOWN_MOST = 20  # Rows that are told on the terminal; the report has them all.
REFUSED = 1  # The exit code where rows were refused.
FIRST_LINE = 1


class _Tally:
    """What became of the rows so far, and where it is written."""

    def __init__(self, errors: TextIO | None, accounts: TextIO | None) -> None:
        self.taken = self.before = self.refused = 0
        self.faults: Counter[str] = Counter()
        self.shown: list[dict[str, object]] = []
        self._errors, self._accounts = errors, accounts
        if errors is not None:
            write_cells(errors, ("line", "column", "code", "sentence"))

    def note(self, outcome: Outcome, reference: str = "") -> None:
        """Count one row, and write it down."""
        if outcome.fault is None:
            self.taken += not outcome.done_before
            self.before += outcome.done_before
            if self._accounts is not None:
                known = {"account_id": outcome.account_id, "reference": reference}
                self._accounts.write(encode(known).decode("utf-8") + "\n")
            return
        self.refused += 1
        self.faults[outcome.fault.value] += 1
        sentence = SENTENCES[outcome.fault]
        if len(self.shown) < SHOWN_MOST:
            told = {"line": outcome.line, "column": outcome.column, "code": outcome.fault.value}
            self.shown.append({**told, "sentence": sentence})
        if self._errors is not None:
            cells = (str(outcome.line), outcome.column, outcome.fault.value, sentence)
            write_cells(self._errors, cells)


def import_command(  # noqa: PLR0913 - each is one thing that people choose
    file: Annotated[Path, typer.Argument(help="The file; see docs/import.md for its columns.")],
    *,
    form: Annotated[
        Format | None, typer.Option("--format", help="Else what the file's name ends in.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, and write nothing.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a file that was stopped or mended.")
    ] = False,
    renames: Annotated[
        Path | None, typer.Option("--map", help="JSON: the file's own names, and ours for them.")
    ] = None,
    errors: Annotated[
        Path | None, typer.Option("--errors", help="Write the refused rows to this CSV file.")
    ] = None,
    accounts: Annotated[
        Path | None, typer.Option("--accounts", help="Write references and account ids there.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Import accounts of an older system: each once, those that are sound, the others told."""
    chosen = form or _form_of(file)
    names = read_renames(read_file(renames, MAP_BYTES_MOST)) if renames is not None else {}
    with ExitStack() as stack:
        data = stack.enter_context(open_file(file))
        if is_open_to_others(data):
            say("other people may read this file, which holds seeds and hashes: chmod 600")
        told = _report(stack, errors, data)
        tally = _Tally(told, _report(stack, accounts, data, *([told] if told else [])))
        digest = asyncio.run(
            _run(data, Reader(chosen, renames=names), tally, dry=dry_run, resumed=resume)
        )
    _tell(tally, digest, dry=dry_run, as_json=as_json)
    if tally.refused:
        raise typer.Exit(REFUSED)


def _form_of(file: Path) -> Format:
    ends = {".csv": Format.CSV, ".jsonl": Format.JSONL, ".ndjson": Format.JSONL}
    found = ends.get(file.suffix.lower())
    if found is None:
        raise ImportFileError("name the file's form: --format csv or --format jsonl")
    return found


def _report(stack: ExitStack, path: Path | None, *beside: IO[Any]) -> TextIO | None:
    return None if path is None else stack.enter_context(open_report(path, beside=beside))


async def _run(
    file: BufferedReader, reader: Reader, tally: _Tally, *, dry: bool, resumed: bool
) -> bytes:
    """Take all rows of ``file``; return its digest."""
    digest = digest_of(file)
    settings = settings_from_environment()
    book = rule_book(settings.profile)
    async with open_importing(await prepare(settings), book=book) as opens:
        importing = opens(b64url(digest))
        lines = Lines(file)
        size = _size(file)
        with _progress(size) as advance:
            for group in _groups(lines, reader, tally):
                await _take(importing, group, tally, dry=dry, resumed=resumed)
                advance(group[-1][0].read)
        if lines.digest != digest:
            raise ImportFileChangedError("the file was changed while it was read")
    return digest


def _size(file: BufferedReader) -> int:
    at = file.seek(0, 2)
    file.seek(0)
    return at


_Group = list[tuple[Line, Row]]


def _groups(lines: Lines, reader: Reader, tally: _Tally) -> Iterator[_Group]:
    """Give the rows that can be read, some at a time; note those that cannot."""
    group: _Group = []
    for line in lines:
        if reader.wants_header:
            reader.header(line.data)
            continue
        try:
            group.append((line, reader.row(line.data, first=line.number == FIRST_LINE)))
        except RowRefusedError as refused:
            tally.note(Outcome(line=line.number, fault=refused.fault, column=refused.column))
        if len(group) >= ROWS:
            yield group
            group = []
    if group:
        yield group


async def _take(
    importing: Importing, group: _Group, tally: _Tally, *, dry: bool, resumed: bool
) -> None:
    references = {line.number: row.reference for line, row in group}
    rows = [(line.number, row) for line, row in group]
    for outcome in await importing.take(rows, dry=dry, resumed=resumed):
        tally.note(outcome, references[outcome.line])


@contextmanager
def _progress(size: int) -> Iterator[Callable[[int], None]]:
    console = Console(file=sys.stderr)
    columns = (
        TextColumn("importing"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("importing", total=size)
        yield lambda done: bar.update(task, completed=done)


def _tell(tally: _Tally, digest: bytes, *, dry: bool, as_json: bool) -> None:
    told: dict[str, object] = {
        "sha256": digest.hex(),
        "dry_run": dry,
        "imported": tally.taken,
        "imported_before": tally.before,
        "refused": tally.refused,
        "faults": dict(sorted(tally.faults.items())),
        "rows": tally.shown,
    }
    verb = "would be imported" if dry else "imported"
    lines = [
        f"{tally.taken} {verb}, {tally.before} imported before, {tally.refused} refused",
        f"sha256 of the file: {digest.hex()}",
    ]
    for row in tally.shown:
        where = f", {row['column']}" if row["column"] else ""
        lines.append(f"line {row['line']}{where}: {row['sentence']} [{row['code']}]")
    if tally.refused > len(tally.shown):
        lines.append(f"and {tally.refused - len(tally.shown)} more: see --errors")
    result(told, as_json=as_json, text="\n".join(lines))
