"""``twinlock policy backtest`` and ``facts``: past decisions, decided again by another policy.

Both read the database, or a file, and write nothing in it.
"""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from twinlock.bootstrap.backtest import backtesting, named_policy, open_snapshots
from twinlock.bootstrap.world import settings_from_environment
from twinlock.cli.console import result, say
from twinlock.cli.fact_files import FactFile
from twinlock.cli.files import open_file
from twinlock.domain.errors import TwinlockError
from twinlock.domain.policy.backtesting import (
    NO_FACTS,
    Backtest,
    NotReplayedError,
    Outcome,
    read_leaf,
)
from twinlock.domain.policy.fact_lines import write_entry, write_policy
from twinlock.domain.policy.minima import in_hours
from twinlock.domain.policy.spread import Spread
from twinlock.domain.policy.version import Policy
from twinlock.domain.policy.weighing import Change
from twinlock.domain.reconciling.rows import RowBrokenError, instant
from twinlock.ports.backtest import SnapshotSource

NOT_WHOLE = 1  # The exit code where something could not be replayed, or was answered otherwise.
_IN_WORDS = {
    Change.REFUSED: "would have been refused",
    Change.ALLOWED: "would have been allowed",
    Change.NOT_REFUSED: "would not have been refused",
    Change.HELD: "would have waited, and did not",
    Change.LONGER: "would have waited longer",
    Change.SHORTER: "would have waited less long",
    Change.NOT_HELD: "would not have waited, and did",
    Change.MORE_PROOF: "would have been asked for more proof",
    Change.LESS_PROOF: "would have been asked for less proof",
    Change.OTHER_PROOF: "would have been asked for another proof",
    Change.FEWER_WAYS: "would have had fewer ways on",
    Change.MORE_WAYS: "would have had more ways on",
    Change.TOLD_OTHERWISE: "would have been told other reasons",
}


class TimeWrongError(TwinlockError):
    """What was named as a time is none, or ends before it begins."""

    code = "time_wrong"
    status = 400


Since = Annotated[str, typer.Option(help="Decisions from this instant on (RFC 3339).")]
Until = Annotated[str, typer.Option(help="Decisions before this instant (RFC 3339).")]


def backtest(
    file: Annotated[
        Path,
        typer.Argument(help="A .cedar file, the name of a profile, or the digest of a version."),
    ],
    *,
    since: Since = "",
    until: Until = "",
    facts: Annotated[
        Path | None,
        typer.Option(help="Replay this file of facts (twinlock policy facts), no database."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Decide again what was decided, by FILE; exit 1 if not all could be, or was decided otherwise.

    Facts are as they were stored: what a customer would have done instead is not told.
    """
    period = _period(since, until)
    proposed = named_policy(file)
    if facts is None:
        found = asyncio.run(_of_database(proposed, period))
    else:
        with open_file(facts) as data:
            found = asyncio.run(_of_source(FactFile(data), proposed, period))
    told = {"policy": proposed.name.digest, **_counts(found)}
    result(told, as_json=as_json, text="\n".join(_lines(found)))
    if not found.whole:
        raise typer.Exit(NOT_WHOLE)


_Period = tuple[datetime | None, datetime | None]


def _period(since: str, until: str) -> _Period:
    first, end = _time("--since", since), _time("--until", until)
    if first is not None and end is not None and end < first:
        raise TimeWrongError("the time ends before it begins: see --since and --until")
    return first, end


def _time(name: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        return instant(text)
    except RowBrokenError as error:
        raise TimeWrongError(f"{name}: {error}") from error


async def _of_database(proposed: Policy, period: _Period) -> Backtest:
    async with open_snapshots(settings_from_environment()) as source:
        return await _of_source(source, proposed, period)


async def _of_source(source: SnapshotSource, proposed: Policy, period: _Period) -> Backtest:
    since, until = period
    with _progress("replaying") as advance:
        return await backtesting(source).run(proposed, since=since, until=until, advance=advance)


# --- Exporting ---


def facts(*, since: Since = "", until: Until = "") -> None:
    """Print past decisions with their facts, a line of JSON each, for a backtest elsewhere.

    They name nobody, and tell amounts, times and habits: keep them as you keep the database.
    """
    written = asyncio.run(_export(_period(since, until)))
    say(f"{written} decisions")


async def _export(period: _Period) -> int:
    since, until = period
    out, written, told = sys.stdout.buffer, 0, set[str]()
    async with open_snapshots(settings_from_environment()) as source:
        with _progress("exporting") as advance:
            async for page in source.snapshots(since, until, advance=advance):
                for one in page:
                    digest = "" if one.facts == NO_FACTS else _digest(one.leaf)
                    if digest and digest not in told:
                        told.add(digest)
                        text = await source.policy(digest)
                        out.write(b"" if text is None else write_policy(digest, text))
                    if one.leaf:  # What is gone is missed by whoever reads the file.
                        out.write(write_entry(one))
                        written += 1
    out.flush()
    return written


def _digest(leaf: bytes) -> str:
    try:
        return read_leaf(leaf).pol
    except NotReplayedError:
        return ""


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    console = Console(file=sys.stderr)
    percent = TextColumn("{task.percentage:>3.0f} %")
    columns = (TextColumn(what), BarColumn(), percent, TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


# --- Telling ---


def _counts(found: Backtest) -> dict[str, object]:
    return {name: getattr(found, name) for name in Backtest.__struct_fields__}


def _lines(found: Backtest) -> Iterator[str]:
    yield (
        f"{found.decisions} decisions: {found.replayed} replayed, {found.without_facts} looked at "
        f"no facts or were of accounts that are erased"
    )
    yield f"{found.changed} would have been answered otherwise"
    for action, count in found.by_action.items():
        outcomes = [one for one in found.outcomes if one.action == action]
        if outcomes:
            yield f"{action}: {count} decisions"
            yield from (f"  {_outcome(one)}" for one in outcomes)
    if found.asked:
        yield f"{found.asked} were questions, put though nothing was missing"
    if found.refused_beside:
        yield (
            f"{found.refused_beside} were refused by neither laws nor rules: a fee too high, or a "
            "no of the second engine"
        )
    for pair, counted in found.differ.items():
        yield (
            f"NOT AS IT WAS: {counted.count} answered otherwise by the same policy (then, now: "
            f"{pair}); {_leaves(counted.leaves)}"
        )
    for one in found.not_replayed:
        names = ", ".join(f"{name} {count}" for name, count in one.names.items())
        yield f"NOT REPLAYED: {one.count} [{one.code.value}] {names}; {_leaves(one.leaves)}"


def _outcome(one: Outcome) -> str:
    wait = "" if one.wait is None else f" ({_wait(one.wait)})"
    return f"{one.count} {_IN_WORDS[one.change]}{wait}; {_leaves(one.leaves)}"


def _wait(spread: Spread) -> str:
    median, p95, most = (
        in_hours(timedelta(seconds=seconds))
        for seconds in (spread.median_seconds, spread.p95_seconds, spread.most_seconds)
    )
    return f"median {median}, 95 of 100 at most {p95}, most {most}"


def _leaves(some: tuple[int, ...]) -> str:
    return f"as in leaf {', '.join(map(str, some))}"
