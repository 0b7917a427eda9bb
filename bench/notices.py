"""How soon a notice leaves: from its commit to a mail server, at a steady rate.

usage: python -m bench.notices [--rate 500] [--seconds 20] [--accounts 500]

One process of the service decides and sends; the mail server is a process of its own on loopback
that takes everything. What is asked of the gate is the report of a changed SIM: a decision, an
entry, and a notice to the account's one channel. A notice's time is from the answer of its decision
to the end of its message at the server, on the one clock that both processes share.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import sys
import time
from collections import defaultdict
from contextlib import suppress
from datetime import timedelta

import uvloop

from bench.place import SERVER_USER, make_directory
from twinlock.adapters.sql.store import SqlStore
from twinlock.api.serving import Api
from twinlock.bootstrap.collecting import spare_collections
from twinlock.bootstrap.keys import make_keyring
from twinlock.bootstrap.rulebook import rule_book
from twinlock.bootstrap.serving import open_api
from twinlock.bootstrap.world import embedded, prepare, settings_from_environment
from twinlock.cli.console import log_to_stderr
from twinlock.domain.channels import ChannelKind
from twinlock.domain.ids import AccountId
from twinlock.ports import Idempotency
from twinlock.services.accounts import NewAccount, NewChannel

ACTOR = "bench"
WAITING = """
SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM delivery WHERE state = 'waiting')
"""
DRAIN_LOOKS = 60  # A second each.
WANTED_SECONDS = 1.0
BEFORE = timedelta(seconds=1)  # A report of just now may lie ahead of its batch's own time.


# --- The mail server, in a process of its own ---


async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, told: list[str]) -> None:
    """Speak SMTP with one client, and tell when each message ended and to whom it went."""
    writer.write(b"220 bench\r\n")
    to = ""
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                writer.write(b"354 go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                told.append(json.dumps([to, time.monotonic()]))
            elif verb == b"RCPT":
                to = line.decode().partition("<")[2].partition(">")[0]
            writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 OK\r\n")
            if verb == b"QUIT":
                return


async def serve_mail() -> None:
    """Take mail until the input ends, then print what was taken."""
    told: list[str] = []
    server = await asyncio.start_server(
        lambda reader, writer: take(reader, writer, told), "127.0.0.1", 0, limit=2**20
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print("\n".join(told), flush=True)


# --- The service ---


async def accounts(api: Api, count: int) -> list[tuple[AccountId, str]]:
    """Open accounts, each with an address of its own."""
    opened = []
    for number in range(count):
        address = f"customer{number}@example.com"
        channel = NewChannel(kind=ChannelKind.EMAIL, address=address)
        key = Idempotency(key=f"bench-open-{number:08}", digest=bytes(32))
        done = await api.use.accounts.open(
            NewAccount(channels=(channel,)), actor=ACTOR, idempotency=key
        )
        opened.append((AccountId(done.account_id), address))
    return opened


async def act(
    api: Api, customers: list[tuple[AccountId, str]], *, rate: int, seconds: int
) -> dict[str, list[float]]:
    """Report at ``rate``; return when each report was answered, by address, in order."""
    answered: dict[str, list[float]] = defaultdict(list)
    running: set[asyncio.Task[None]] = set()

    async def report(number: int, named: AccountId, address: str) -> None:
        key = Idempotency(key=f"bench-sim-{number:08}", digest=number.to_bytes(32, "big"))
        at = api.clock.now(database_at=None) - BEFORE
        await api.use.accounts.report_sim_change(named, at, actor=ACTOR, idempotency=key)
        answered[address].append(time.monotonic())

    began = time.monotonic()
    for number in range(rate * seconds):
        wait = began + number / rate - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(report(number, *customers[number % len(customers)]))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    return answered


async def measure(rate: int, seconds: int, count: int) -> None:
    """Run it, and print how long notices took."""
    sink = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.notices",
        "--sink",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**26,
    )
    if sink.stdout is None:
        raise RuntimeError("the mail server has no output")
    port = int(await sink.stdout.readline())
    directory = make_directory()
    try:
        variables = {
            "TWINLOCK_DATA_DIR": f"{directory}/data",
            "TWINLOCK_KEYRING_DIR": f"{directory}/keys/ring",
            "TWINLOCK_SMTP_SERVER": f"127.0.0.1:{port}",
            "TWINLOCK_SMTP_TLS": "plain-loopback",
            "TWINLOCK_SMTP_CONNECTIONS": "8",
            "TWINLOCK_MAIL_FROM": "no-reply@example.com",
        }
        settings = settings_from_environment(variables)
        log_to_stderr("error")
        make_keyring(settings)
        try:
            world = await prepare(settings, server_user=SERVER_USER)
            async with open_api(world, book=rule_book()) as api:
                customers = await accounts(api, count)
                spare_collections()
                cpu = time.process_time()
                answered = await act(api, customers, rate=rate, seconds=seconds)
                cpu = time.process_time() - cpu
                for _ in range(DRAIN_LOOKS):
                    await asyncio.sleep(1.0)
                    if isinstance(api.store, SqlStore) and not await _waiting(api.store):
                        break
        finally:
            await asyncio.to_thread(embedded(settings, server_user=SERVER_USER).stop)
    finally:
        shutil.rmtree(directory)
    out, _ = await sink.communicate(b"")
    _report(answered, out.decode().splitlines(), rate=rate, cpu=cpu / seconds)


async def _waiting(store: SqlStore) -> int:
    """Return how many notices and messages are still on their way."""
    found: int = await store.database.read(lambda db: db.fetchval(WAITING))
    return found


def _report(answered: dict[str, list[float]], lines: list[str], *, rate: int, cpu: float) -> None:
    arrived: dict[str, list[float]] = defaultdict(list)
    for address, at in map(json.loads, lines):
        arrived[address].append(at)
    took = [
        there - began
        for address, times in answered.items()
        for began, there in zip(
            sorted(times), sorted(arrived[address])[-len(times) :], strict=False
        )
    ]
    took.sort()
    sent = sum(len(times) for times in answered.values())
    print(
        f"{sent} notices at {rate} actions a second on {os.cpu_count()} cores: "
        f"{len(took)} arrived; half within {statistics.median(took):.3f} s, "
        f"99 of 100 within {took[int(len(took) * 0.99)]:.3f} s, all within {took[-1]:.3f} s; "
        f"the process took {cpu:.2f} cores"
    )
    if len(took) < sent or took[int(len(took) * 0.99)] > WANTED_SECONDS:
        sys.exit(1)


def main() -> None:
    """Measure, or be the mail server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--accounts", type=int, default=500)
    parser.add_argument("--sink", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.sink:
        asyncio.run(serve_mail())
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # As ``serve`` has it.
            runner.run(measure(given.rate, given.seconds, given.accounts))


if __name__ == "__main__":
    main()
