"""``twinlock audit``: whether the state is the log, and the log the one that was signed.

It reads the database, the keyring and the anchor, while the service goes on; it writes nothing.
"""

import asyncio
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import Annotated, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from twinlock.bootstrap.auditing import auditor
from twinlock.bootstrap.world import settings_from_environment
from twinlock.cli.console import plain, result, say
from twinlock.cli.crew import ProcessCrew
from twinlock.cli.files import read_file
from twinlock.domain.audit.findings import Finding
from twinlock.domain.log.note import MAX_NOTE_BYTES
from twinlock.services.auditing import Verdict

UNSOUND, CANNOT = 1, 2  # Exit codes.
JOBS_MOST = 64  # Each has a connection; a server takes a hundred.


def audit_command(
    *,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, max=JOBS_MOST, help="Processes; as many as processors unless told."),
    ] = None,
    since: Annotated[
        Path | None, typer.Option(readable=False, help="An older checkpoint that you kept.")
    ] = None,
    only_log: Annotated[
        bool, typer.Option("--only-log", help="Hash the log and its tree, and open no account.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Prove that the state is the log: rehash, open and replay everything; exit 1 if it is not."""
    known = None if since is None else read_file(since, MAX_NOTE_BYTES)
    crew = jobs or min(os.cpu_count() or 1, JOBS_MOST)
    with _Watched() as watched:
        try:
            verdict = asyncio.run(_audit(watched, jobs=crew, since=known, only_log=only_log))
        except (KeyboardInterrupt, asyncio.CancelledError):
            say("interrupted: not all was checked")
            raise typer.Exit(CANNOT) from None
        report = watched.report(verdict, jobs=crew, only_log=only_log)
    if as_json:
        result(report, as_json=True, text="")
    else:
        _print(verdict, report)
    if not verdict.sound:
        raise typer.Exit(UNSOUND)


async def _audit(watched: "_Watched", *, jobs: int, since: bytes | None, only_log: bool) -> Verdict:
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    found = await auditor(settings_from_environment())
    return await found.audit(
        partial(ProcessCrew.of, jobs=jobs),
        progress=watched.progress,
        since=since,
        only_log=only_log,
    )


class _Watched:
    """How far it is, on a terminal; and how long each phase took."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
            transient=True,
        )
        self._tasks: dict[str, int] = {}
        self._began = time.perf_counter()
        self._ended: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def progress(self, phase: str, *, done: int, of: int) -> None:
        """Show that of so many things in this phase so many are done."""
        if phase not in self._tasks:
            self._tasks[phase] = self._bar.add_task(phase, total=of)
        self._bar.update(self._tasks[phase], completed=done)  # type: ignore[arg-type] # an int
        self._ended[phase] = time.perf_counter()

    def report(self, verdict: Verdict, *, jobs: int, only_log: bool) -> dict[str, object]:
        """Return the verdict with what was measured: integers, as canonical JSON has no others."""
        seconds = time.perf_counter() - self._began
        phases, before = {}, self._began
        for phase, ended in self._ended.items():
            phases[phase] = round(1000 * (ended - before))
            before = ended
        return {
            "counts": verdict.counts,
            "faults": verdict.faults,
            "findings": [
                {"code": one.code.value, "says": one.says, "where": one.where}
                for one in verdict.findings
            ],
            "jobs": jobs,
            "milliseconds": round(1000 * seconds),
            "only_log": only_log,
            "per_second": round(verdict.size / seconds),
            "phases": phases,
            "root": verdict.root,
            "size": verdict.size,
            "sound": verdict.sound,
        }


def _print(verdict: Verdict, report: dict[str, object]) -> None:
    for one in verdict.findings:
        typer.echo(_line(one))
    untold = sum(verdict.faults.values()) - len(verdict.findings)
    if untold:
        typer.echo(f"and {untold} more of the same kinds")
    counts = verdict.counts
    what = (
        f"{verdict.size} leaves, {counts['entries']} entries of {counts['accounts']} accounts,"
        f" {counts['documents']} documents, {counts['spends']} spends, {counts['tiles']} tiles"
    )
    typer.echo(f"{'sound' if verdict.sound else 'NOT SOUND'}: {what}")
    typer.echo(f"root {verdict.root}; {report['per_second']} entries a second")


def _line(one: Finding) -> str:
    return plain(f"{one.where}: {one.says} [{one.code.value}]")
