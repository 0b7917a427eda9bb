"""Measures ``POST /v1/actions`` against a rival that does the same work, in turns, in one run.

A withdrawal of a cent to an aged destination, signed by the customer's device: decided yes at once
and answered with a signed authorization. Ours is what ``twinlock serve`` runs; the rival is
``bench/rivals/orm.py``. Each is one process; both use one PostgreSQL. Only ratios of what was
measured in turn mean anything: absolute numbers are those of one machine on one day.

usage: python -m bench.hot_path [--rounds N] [--seconds S] [--relay] [--json] [--quick]
"""

import argparse
import asyncio
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import asyncpg
import msgspec
import psutil  # type: ignore[import-untyped] # it ships no types

from bench import report
from bench.customers import ACTIONS_EACH, make_customer, put, requests_of
from bench.evidence import measure_bundle
from bench.load import Load, frame
from bench.place import MICRO, ROOT, cpu_seconds, database_cpu, signature_cost
from bench.report import Report, Round
from bench.stage import (
    Contender,
    Stage,
    get,
    now,
    open_stage,
    running,
)
from twinlock.adapters.boxes import Sealer
from twinlock.adapters.keyring.signing import KeyringIndex
from twinlock.bootstrap.rulebook import rule_book
from twinlock.cli.console import log_to_stderr

MANY, ONE = 32, 1
LEAST_CUSTOMERS = 4  # For each connection, so that hardly ever two requests wait for one account.
SETTLE_SECONDS = 0.5  # Between two turns, so that nobody pays for what another left to do.
LOAD_SECONDS = 600
WARM_UP = 500  # Requests.
MEGA = 1e6


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What ``bench.ours`` counts."""

    batches: int
    batched: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured.

    ``warm_up`` requests of each contender are not counted; from their rate follows how many a turn
    has, which takes about ``seconds``. ``relay`` lets our notices be handed on meanwhile.
    """

    rounds: int
    seconds: float
    warm_up: int
    relay: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """A contender whose process runs."""

    contender: Contender
    process: psutil.Process

    def counted(self) -> Counted | None:
        """Return the counters, which only ours has."""
        if self.contender.name != "ours":
            return None
        return msgspec.json.decode(get(self.contender.port, "/counted"), type=Counted)


async def requests_for(stage: Stage, contender: Contender, customers_count: int) -> bytes:
    """Put fresh customers into a database; return all requests of theirs, as load reads them.

    Each customer withdraws ACTIONS_EACH times in a turn, on either side, so that documents are as
    long here as there.
    """
    stage.list_prices()
    blind = KeyringIndex(stage.keyring)
    customers = [make_customer(blind, now=now()) for _ in range(customers_count)]
    connection = await asyncpg.connect(contender.owner_dsn)
    try:
        sealer = Sealer(stage.keyring)
        await put(connection, customers, sealer=sealer, into=contender.tables)
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()
    policy = rule_book().policy
    return frame(requests_of(customers, platform_key=stage.platform_key, policy=policy, now=now()))


async def turn(stage: Stage, player: Player, *, connections: int, count: int) -> Round:
    """Let one contender answer ``count`` requests or a few more, and measure it.

    Raises:
        RuntimeError: an answer was not a signed yes; the run then means nothing.
    """
    customers = max(count // ACTIONS_EACH, LEAST_CUSTOMERS * connections)
    requests = await requests_for(stage, player.contender, customers)
    await asyncio.sleep(SETTLE_SECONDS)
    signature_us = signature_cost()
    read_database = database_cpu(stage.postmaster)
    counted = player.counted()
    app, database = cpu_seconds(player.process), read_database()
    load = send(player.contender.port, connections, requests)
    app, database = cpu_seconds(player.process) - app, read_database() - database
    if load.refused:
        raise RuntimeError(f"{player.contender.name} refused {load.refused}: {load.first}")
    return Round(
        contender=player.contender.name,
        connections=connections,
        requests=load.requests,
        per_second=load.requests / load.seconds,
        p50_ms=load.p50_ms,
        p99_ms=load.p99_ms,
        app_us=MICRO * app / load.requests,
        database_us=MICRO * database / load.requests,
        generator_us=MICRO * load.cpu_seconds / load.requests,
        signature_us=signature_us,
        batch=mean_batch(counted, player.counted()),
    )


def send(port: int, connections: int, requests: bytes) -> Load:
    """Run the load generator, a process of its own."""
    found = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "bench.load", str(port), str(connections)],
        input=requests,
        stdout=subprocess.PIPE,
        check=True,
        cwd=ROOT,
        timeout=LOAD_SECONDS,
    )
    return msgspec.json.decode(found.stdout, type=Load)


def mean_batch(before: Counted | None, after: Counted | None) -> float | None:
    """Return how many requests a transaction decided, where that is counted."""
    if before is None or after is None:
        return None
    return (after.batched - before.batched) / (after.batches - before.batches)


async def measure(plan: Plan, *, tell: Callable[[str], None]) -> Report:
    """Play every round; return what was measured."""
    async with open_stage() as stage:
        ours = stage.ours
        if plan.relay:
            ours = replace(ours, environment={**ours.environment, "BENCH_RELAY": "1"})
        with running(ours) as our_process:
            await asyncio.sleep(SETTLE_SECONDS)
            idle_mb = our_process.memory_info().rss / MEGA
            with running(stage.rival) as rival_process:
                players = (
                    Player(contender=ours, process=our_process),
                    Player(contender=stage.rival, process=rival_process),
                )
                rounds = [
                    *await play(stage, players, plan, connections=MANY, tell=tell),
                    *await play(stage, players, plan, connections=ONE, tell=tell),
                ]
        bundle = await measure_bundle(stage)
    return Report(rounds=tuple(rounds), idle_mb=idle_mb, bundle=bundle)


async def play(
    stage: Stage,
    players: tuple[Player, ...],
    plan: Plan,
    *,
    connections: int,
    tell: Callable[[str], None],
) -> list[Round]:
    """Play the rounds at so many connections, in turns; who begins alternates."""
    counts: dict[str, int] = {}
    for player in players:
        warm = await turn(stage, player, connections=connections, count=plan.warm_up)
        counts[player.contender.name] = int(warm.per_second * plan.seconds)
    rounds: list[Round] = []
    for number in range(plan.rounds):
        for player in players if number % 2 == 0 else players[::-1]:
            count = counts[player.contender.name]
            rounds.append(await turn(stage, player, connections=connections, count=count))
            tell(report.line(rounds[-1]))
    return rounds


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(prog="bench.hot_path", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="turns of each contender")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of a turn, about")
    parser.add_argument("--relay", action="store_true", help="let our notices be handed on")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--quick", action="store_true", help="few requests, to see that it runs")
    return parser.parse_args()


def main() -> None:
    """Measure, and print."""
    asked = arguments()
    log_to_stderr("warning")  # What is printed is the report alone.
    plan = Plan(rounds=asked.rounds, seconds=asked.seconds, warm_up=WARM_UP, relay=asked.relay)
    if asked.quick:
        plan = Plan(rounds=1, seconds=0, warm_up=0)
    found = asyncio.run(measure(plan, tell=lambda line: print(line, file=sys.stderr)))
    print(msgspec.json.encode(found).decode() if asked.json else report.table(found))


if __name__ == "__main__":
    main()
