"""Measures what waiting for witnesses adds to a spend, in turns with the same spends without any.

Two processes as ``twinlock serve`` runs them, on one database and one log; one of them hands a
spend out only once both of two witnesses, programs of their own on loopback, have cosigned its
entry. The witnesses flush their heads to the disk on which the database flushes its commits.

usage: python -m bench.witness [--rounds N] [--spends N] [--connections N …] [--json] [--quick]
"""

import argparse
import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import asyncpg
import msgspec
import uvloop

from bench.customers import ACTIONS_EACH, ENTROPY, make_customer, put, requests_of
from bench.load import HOST, Caller, Feed
from bench.stage import STOP_SECONDS, Contender, Stage, get, now, open_stage, running
from twinlock.adapters.boxes import Sealer
from twinlock.adapters.keyring.signing import KeyringIndex, log_keys
from twinlock.adapters.settings import load
from twinlock.bootstrap.rulebook import rule_book

WITNESSES = 2
FIRST_PORT = 21_817  # Below those that the system gives out by itself.
START_SECONDS = 20
GIVE_UP_SECONDS = 300
SETTLE_SECONDS = 0.3
MILLI = 1e3


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """The spends of one turn; seconds each."""

    contender: str
    connections: int
    seconds: tuple[float, ...]


class Added(msgspec.Struct, frozen=True, kw_only=True):
    """What witnesses add at so many connections: quantiles of all spends, in milliseconds."""

    connections: int
    spends: int
    alone_p50_ms: float
    alone_p99_ms: float
    witnessed_p50_ms: float
    witnessed_p99_ms: float
    added_p50_ms: float
    added_p99_ms: float


class Answers(Feed):
    """Requests whose answers are kept; anything but a yes with a signature ends the run."""

    def __init__(self, requests: list[bytes], connections: int) -> None:
        super().__init__(requests, connections)
        self.answers: list[bytes] = []

    def answered(self, answer: bytes, *, seconds: float) -> None:
        """Keep one answer."""
        self.latencies.append(seconds)
        self.answers.append(answer)
        if b'"answer":"allow"' not in answer or b'"authorization":"ey' not in answer:
            self.broken(RuntimeError(answer.decode("utf-8", "replace")[:2_000]))


async def send(port: int, connections: int, requests: list[bytes]) -> Answers:
    """Send ``requests`` over so many connections, each with one in flight."""
    loop = asyncio.get_running_loop()
    feed = Answers(requests, connections)
    callers = [
        (await loop.create_connection(lambda: Caller(feed), HOST, port)) for _ in range(connections)
    ]
    for _, caller in callers:
        caller.send()
    async with asyncio.timeout(GIVE_UP_SECONDS):
        await feed.done
    for transport, _ in callers:
        transport.close()
    return feed


def spend_of(answer: bytes, *, platform_key: str) -> bytes:
    """Return the request that spends what ``answer`` authorized."""
    body = answer.partition(b"\r\n\r\n")[2]
    action_id = msgspec.json.decode(body)["action_id"]
    asked = msgspec.json.encode({"spend_id": f"spend-{ENTROPY.draw(8).hex()}", "fee_minor": "0"})
    head = (
        f"POST /v1/authorizations/{action_id}/spend HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {platform_key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(asked)}\r\n\r\n"
    )
    return head.encode("ascii") + asked


async def turn(stage: Stage, player: Contender, *, connections: int, spends: int) -> Turn:
    """Propose withdrawals of fresh customers, each authorized at once, and time their spends."""
    stage.list_prices()
    blind = KeyringIndex(stage.keyring)
    count = max(spends // ACTIONS_EACH, connections)
    customers = [make_customer(blind, now=now()) for _ in range(count)]
    connection = await asyncpg.connect(player.owner_dsn)
    try:
        await put(connection, customers, sealer=Sealer(stage.keyring), into=player.tables)
    finally:
        await connection.close()
    policy = rule_book().policy
    asked = requests_of(customers, platform_key=stage.platform_key, policy=policy, now=now())
    proposed = await send(player.port, connections, list(asked))
    requests = [spend_of(one, platform_key=stage.platform_key) for one in proposed.answers]
    await asyncio.sleep(SETTLE_SECONDS)
    spent = await send(player.port, connections, requests)
    return Turn(contender=player.name, connections=connections, seconds=tuple(spent.latencies))


# --- Witnesses ---


@contextmanager
def witness(directory: Path, number: int, stage: Stage) -> Iterator[str]:
    """Run a witness of the stage's log; give its line of a trust policy."""
    where, port = ("--dir", str(directory / f"w{number}")), FIRST_PORT + number
    command = (sys.executable, "-m", "twinlock", "witness")
    settings = load(_settings(stage))
    [log] = log_keys(stage.keyring, log_origin=settings.log_origin)
    name = f"bench.example/w{number}"
    environment = {k: v for k, v in stage.ours.environment.items() if "TWINLOCK" not in k}
    made = subprocess.run(  # noqa: S603 - our own program
        [*command, "init", "--name", name, *where],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    subprocess.run(  # noqa: S603 - our own program
        [*command, "add-log", str(log), *where], env=environment, check=True, capture_output=True
    )
    process = subprocess.Popen(  # noqa: S603 - our own program
        [*command, "serve", "--port", f"{port}", "--log-level", "warning", *where],
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(port)
        yield f"witness w{number} {made.stdout.strip()} http://{HOST}:{port}"
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def _wait(port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            get(port, "/healthz")
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


def _settings(stage: Stage) -> dict[str, str]:
    environment = stage.ours.environment
    return {name: value for name, value in environment.items() if name.startswith("TWINLOCK_")}


# --- The run ---


async def measure(asked: argparse.Namespace, *, tell: Callable[[str], None]) -> list[Added]:
    """Play every round at each number of connections; return what witnesses add."""
    async with open_stage() as stage:
        with ExitStack() as stack:
            lines = [
                stack.enter_context(witness(stage.directory, number, stage))
                for number in range(1, WITNESSES + 1)
            ]
            names = " ".join(f"w{number}" for number in range(1, WITNESSES + 1))
            policy = stage.directory / "witnesses.policy"
            lines += [f"group both all {names}", "quorum both"]
            policy.write_text("".join(f"{line}\n" for line in lines), "utf-8")
            alone = replace(stage.ours, name="alone")
            witnessed = replace(
                stage.ours,
                name="witnessed",
                port=FIRST_PORT,
                environment={
                    **stage.ours.environment,
                    "TWINLOCK_LISTEN": f"{HOST}:{FIRST_PORT}",
                    "TWINLOCK_WITNESS_POLICY": str(policy),
                },
            )
            players = (alone, witnessed)
            for player in players:
                stack.enter_context(running(player))
            return [
                added(await play(stage, players, asked, connections=connections, tell=tell))
                for connections in asked.connections
            ]


async def play(
    stage: Stage,
    players: tuple[Contender, Contender],
    asked: argparse.Namespace,
    *,
    connections: int,
    tell: Callable[[str], None],
) -> list[Turn]:
    """Play the rounds at so many connections; who begins alternates, the first round warms up."""
    turns: list[Turn] = []
    for number in range(asked.rounds + 1):
        for player in players if number % 2 == 0 else players[::-1]:
            one = await turn(stage, player, connections=connections, spends=asked.spends)
            if number:
                turns.append(one)
                tell(f"{one.contender:>9} at {connections:>2}: {_shown(one.seconds)}")
    return turns


def _shown(seconds: tuple[float, ...]) -> str:
    return f"p50 {quantile(seconds, 50):6.1f} ms, p99 {quantile(seconds, 99):6.1f} ms"


def quantile(seconds: tuple[float, ...], percent: int) -> float:
    """Return a quantile in milliseconds."""
    return MILLI * sorted(seconds)[len(seconds) * percent // 100]


def added(turns: list[Turn]) -> Added:
    """Return what witnesses add, over all spends of either side."""
    alone, witnessed = (
        tuple(second for one in turns if one.contender == name for second in one.seconds)
        for name in ("alone", "witnessed")
    )
    quantiles = {
        name: {percent: quantile(seconds, percent) for percent in (50, 99)}
        for name, seconds in (("alone", alone), ("witnessed", witnessed))
    }
    return Added(
        connections=turns[0].connections,
        spends=len(witnessed),
        alone_p50_ms=quantiles["alone"][50],
        alone_p99_ms=quantiles["alone"][99],
        witnessed_p50_ms=quantiles["witnessed"][50],
        witnessed_p99_ms=quantiles["witnessed"][99],
        added_p50_ms=quantiles["witnessed"][50] - quantiles["alone"][50],
        added_p99_ms=quantiles["witnessed"][99] - quantiles["alone"][99],
    )


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(prog="bench.witness", description=__doc__)
    parser.add_argument("--rounds", type=int, default=12, help="turns of each side")
    parser.add_argument("--spends", type=int, default=200, help="spends in a turn")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--quick", action="store_true", help="few spends, to see that it runs")
    return parser.parse_args()


def main() -> None:
    """Measure, and print."""
    asked = arguments()
    if asked.quick:
        asked.rounds, asked.spends, asked.connections = 1, 8, [2]
    found = uvloop.run(measure(asked, tell=lambda line: print(line, file=sys.stderr)))
    if asked.json:
        print(msgspec.json.encode(found).decode())
        return
    for one in found:
        print(
            f"{one.connections} connections, {one.spends} spends a side: alone p50 "
            f"{one.alone_p50_ms:.1f} ms, p99 {one.alone_p99_ms:.1f} ms; witnessed p50 "
            f"{one.witnessed_p50_ms:.1f} ms, p99 {one.witnessed_p99_ms:.1f} ms; added p50 "
            f"{one.added_p50_ms:.1f} ms, p99 {one.added_p99_ms:.1f} ms"
        )


if __name__ == "__main__":
    main()
