"""Measures ``twinlock policy backtest`` on a log of honest customers (``bench/audit_log.py``).

The log is built anew in a database of its own; then its decisions are replayed in this process, as
the program does it, under three proposals: the policy that decided, one with longer waits, and
``strict``, which has hardly a rule in common with it. Beside each round the floor is measured: the
same rows read from the same database, and decoded as strictly, with nothing decided.

What is told is CPU of this process, so that it is a rate of one core whatever else runs, and what
the database uses beside it. Decisions that looked at no facts count for nothing.

usage: python -m bench.backtest [--entries N] [--rounds N] [--json]
"""

import argparse
import asyncio
import time
from collections.abc import Callable, Coroutine
from functools import partial
from statistics import median
from typing import TypeAlias

import msgspec

from bench.audit import Place, build, place
from bench.place import MICRO, database_cpu, signature_cost
from twinlock.adapters.policies import compile_policy, shipped
from twinlock.adapters.settings import load
from twinlock.bootstrap.backtest import backtesting, open_snapshots
from twinlock.bootstrap.rulebook import rule_book
from twinlock.domain.canonical import encode
from twinlock.domain.policy.backtesting import NO_FACTS, read_facts, read_leaf
from twinlock.domain.policy.version import Policy

Look: TypeAlias = Callable[[], None]
Work: TypeAlias = Callable[[Place, Look], Coroutine[None, None, tuple[int, int]]]
ENTRIES = 30_000
ROUNDS = 5


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One replay: decisions a second of this process's CPU, and CPU of the database for each."""

    per_second: float
    us: float
    database_us: float
    changed: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was measured, each the median of its rounds.

    ``floor`` reads and decodes; ``ratios`` are the CPU of each replay as multiples of the floor's.
    """

    entries: int
    replayed: int
    signature_us: float
    floor: Run
    replays: dict[str, Run]
    ratios: dict[str, float]


def proposals() -> dict[str, Policy]:
    """Return what is proposed, by name: the more differs, the more is to be decided."""
    text = shipped("default").replace('"86400"', '"172800"')
    longer = text.replace("held_seconds >= 86400", "held_seconds >= 172800")
    return {
        "the same policy": rule_book().policy,
        "longer waits": compile_policy(longer, profile="longer")[0],
        "strict": rule_book("strict").policy,
    }


def _quiet(_: int, __: int) -> None:
    """Show no bar."""


async def floor(where: Place, look: Look) -> tuple[int, int]:
    """Read and decode every decision; return how many there are, and 0 changes."""
    count = 0
    async with open_snapshots(load(where.variables)) as source:
        look()
        async for page in source.snapshots(None, None, advance=_quiet):
            for one in page:
                if one.facts != NO_FACTS:
                    read_leaf(one.leaf)
                    read_facts(one.facts)
                    count += 1
        look()
    return count, 0


async def replay(where: Place, look: Look, *, proposed: Policy) -> tuple[int, int]:
    """Replay every decision; return how many were, and how many answers changed."""
    async with open_snapshots(load(where.variables)) as source:
        look()
        found = await backtesting(source).run(proposed, since=None, until=None, advance=_quiet)
        look()
    if not found.whole:
        raise RuntimeError("a log that was just written could not be replayed as it was decided")
    return found.replayed, found.changed


def _timed(work: Work, where: Place) -> tuple[Run, int]:
    """Do ``work`` once; of the database count what it used between two looks."""
    database = database_cpu(where.postmaster)
    looks: list[float] = []
    began = time.process_time()
    count, changed = asyncio.run(work(where, lambda: looks.append(database())))
    took = time.process_time() - began
    run = Run(
        per_second=count / took,
        us=MICRO * took / count,
        database_us=MICRO * (looks[-1] - looks[0]) / count,
        changed=changed,
    )
    return run, count


def _median(runs: list[Run]) -> Run:
    return Run(
        per_second=median(run.per_second for run in runs),
        us=median(run.us for run in runs),
        database_us=median(run.database_us for run in runs),
        changed=runs[0].changed,
    )


def measure(*, entries: int, rounds: int) -> Report:
    """Build a log and replay it."""
    with place() as where:
        asyncio.run(build(where, entries=entries))
        works: dict[str, Work] = {
            name: partial(replay, proposed=proposed) for name, proposed in proposals().items()
        }
        floors: list[Run] = []
        replays: dict[str, list[Run]] = {name: [] for name in works}
        signatures: list[float] = []
        count = 0
        for _ in range(rounds):
            signatures.append(signature_cost())
            for name, work in works.items():
                run, count = _timed(floor, where)
                floors.append(run)
                run, count = _timed(work, where)
                replays[name].append(run)
    least = _median(floors)
    told = {name: _median(runs) for name, runs in replays.items()}
    return Report(
        entries=entries,
        replayed=count,
        signature_us=median(signatures),
        floor=least,
        replays=told,
        ratios={name: run.us / least.us for name, run in told.items()},
    )


def table(found: Report) -> str:
    """Return the report as people read it."""
    lines = [
        f"{found.replayed:,} decisions on facts; a signature takes {found.signature_us:.0f} µs",
        _line("read and decoded", found.floor, 1.0),
        *(_line(name, run, found.ratios[name]) for name, run in found.replays.items()),
    ]
    return "\n".join(lines)


def _line(name: str, run: Run, ratio: float) -> str:
    return (
        f"{name:<18}{run.per_second:9,.0f} a second a core, {run.us:5.1f} µs,"
        f" {ratio:4.1f} times the floor; database {run.database_us:4.1f} µs;"
        f" {run.changed:,} changed"
    )


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=ENTRIES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(entries=options.entries, rounds=options.rounds)
    print(encode(found).decode() if options.json else table(found))


if __name__ == "__main__":
    main()
