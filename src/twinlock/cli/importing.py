"""``twinlock import``: customers of an older system, from a file of CSV or JSON Lines."""

import asyncio
import sys
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import IO, Annotated, Any, TextIO

import typer
import uvloop
from msgspec.structs import replace
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from twinlock.bootstrap.collecting import spare_collections
from twinlock.bootstrap.importing import BATCH_MOST, open_importing
from twinlock.bootstrap.world import prepare, settings_from_environment
from twinlock.cli.console import result, say
from twinlock.cli.files import read_file
from twinlock.cli.import_files import (
    FORM_UNTOLD,
    Line,
    Lines,
    form_of,
    hashed,
    is_open_to_others,
    open_file,
    open_report,
    unchanged,
    write_cells,
)
from twinlock.domain.canonical import b64url, encode
from twinlock.domain.importing.faults import SENTENCES
from twinlock.services.importing.admitting import Outcome
from twinlock.services.importing.reading import Format, ImportFileError, Layout, read_renames

ROWS = BATCH_MOST  # Taken together: one transaction, of lines that have 33 MB at the very worst.
AT_ONCE = 3  # Groups under way: one is checked while the one before it is written.
# From this size of a file on, a process of its own checks rows: 1,500 of them, in the second or so
# that it takes to start one.
HELPED_BYTES = 250_000
MAP_BYTES_MOST = 65_536
_NO_LINE = Line(0, b"", 0)
SHOWN_MOST = 20  # Rows that are told on the terminal; the report has them all.
REFUSED = 1  # The exit code where rows were refused.


class _Tally:
    """What became of the rows so far, and where it is written."""

    def __init__(self, errors: TextIO | None, accounts: TextIO | None) -> None:
        self.taken = self.before = self.refused = 0
        self.faults: Counter[str] = Counter()
        self.shown: list[dict[str, object]] = []
        self._errors, self._accounts = errors, accounts
        if errors is not None:
            write_cells(errors, ("line", "column", "code", "sentence"))

    def note(self, outcome: Outcome) -> None:
        """Count one row, and write it down."""
        if outcome.fault is None:
            self.taken += not outcome.done_before
            self.before += outcome.done_before
            if self._accounts is not None:
                known = {"account_id": outcome.account_id, "reference": outcome.reference}
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
    chosen = form or form_of(file)
    if chosen is None:
        raise ImportFileError(FORM_UNTOLD)
    names = {} if renames is None else read_renames(read_file(renames, MAP_BYTES_MOST))
    with ExitStack() as stack:
        data = stack.enter_context(open_file(file))
        if is_open_to_others(data):
            say("other people may read this file, which holds seeds and hashes: chmod 600")
        told = _report(stack, errors, data)
        tally = _Tally(told, _report(stack, accounts, data, *([told] if told else [])))
        run = _run(data, Layout(form=chosen, renames=names), tally, dry=dry_run, resumed=resume)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            digest = runner.run(run)
    _tell(tally, digest, dry=dry_run, as_json=as_json)
    if tally.refused:
        raise typer.Exit(REFUSED)


def _report(stack: ExitStack, path: Path | None, *beside: IO[Any]) -> TextIO | None:
    return None if path is None else stack.enter_context(open_report(path, beside=beside))


async def _run(
    file: BufferedReader, layout: Layout, tally: _Tally, *, dry: bool, resumed: bool
) -> bytes:
    """Take all rows of ``file``; return its digest."""
    known, size = hashed(file), _size(file)
    rest = iter(Lines(unchanged(file, known)))
    if layout.form is Format.CSV:
        layout = replace(layout, header=next(rest, _NO_LINE).data)
    layout.reader()  # Before anything is opened: is this a header?
    settings = settings_from_environment()
    opened = open_importing(
        await prepare(settings),
        source=b64url(known.digest),
        layout=layout,
        helped=size >= HELPED_BYTES,
    )
    async with opened as importing:
        spare_collections()
        take = partial(importing.take, dry=dry, resumed=resumed)
        with _progress(size) as advance:
            async for read, outcomes in _in_order(take, _groups(rest)):
                for outcome in outcomes:
                    tally.note(outcome)
                advance(read)
    return known.digest


def _size(file: BufferedReader) -> int:
    at = file.seek(0, 2)
    file.seek(0)
    return at


def _groups(lines: Iterator[Line]) -> Iterator[list[Line]]:
    while group := list(islice(lines, ROWS)):
        yield group


async def _in_order(
    take: Callable[[list[tuple[int, bytes]]], Coroutine[Any, Any, list[Outcome]]],
    groups: Iterator[list[Line]],
) -> AsyncIterator[tuple[int, list[Outcome]]]:
    """Take ``groups``, some at once; give what became of each, and how far the file is read."""
    under_way: deque[tuple[int, asyncio.Task[list[Outcome]]]] = deque()

    async def first() -> tuple[int, list[Outcome]]:
        read, task = under_way.popleft()
        return read, await task

    try:
        for group in groups:
            rows = [(line.number, line.data) for line in group]
            under_way.append((group[-1].read, asyncio.create_task(take(rows))))
            if len(under_way) == AT_ONCE:
                yield await first()
        while under_way:
            yield await first()
    finally:
        for _, task in under_way:
            task.cancel()
        await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)


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
