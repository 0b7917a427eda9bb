"""Measures how many order intents one process examines a second, and beside it a floor.

Batches of 1,000 orders of 500 accounts, each by an API key with declared pairs and a band: all of
them pass, and are counted. The floor is a route that reads, checks and answers the same batch, and
examines nothing. Both are asked in turns, over two connections; only what was measured in turn
means anything.

usage: python -m bench.intents [--rounds N] [--batches N] [--json]
"""

import argparse
import asyncio
import dataclasses
import http.client
import statistics
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import asyncpg
import msgspec
import psutil  # type: ignore[import-untyped] # it ships no types
from msgspec.structs import replace

from bench.customers import ENTROPY, Customer, make_customer, put
from bench.place import MICRO, cpu_seconds, database_cpu
from bench.stage import Stage, now, open_stage, running
from twinlock.adapters.boxes import Sealer
from twinlock.adapters.keyring.signing import KeyringIndex
from twinlock.domain.account import ApiKey
from twinlock.domain.api_keys import day_number
from twinlock.domain.canonical import b64url
from twinlock.domain.ids import ApiKeyId, tail
from twinlock.domain.order_intents.model import INTENTS_MOST

ACCOUNTS, CONNECTIONS = 500, 2
HOME, PAIR = "203.0.113.7", "BTC/USDT"
EXAMINE, FLOOR = "/v1/intents", "/echo"


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One turn: intents a second, and CPU for each, in microseconds."""

    per_second: float
    app_us: float
    database_us: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Medians of the turns, and how much of the floor's rate is reached."""

    examined: Turn
    floor: Turn
    ratio: float


async def customers(stage: Stage) -> list[Customer]:
    """Put accounts, each with a key that trades, into the database."""
    blind = KeyringIndex(stage.keyring)
    made = [make_customer(blind, now=now()) for _ in range(ACCOUNTS)]
    keyed = [
        dataclasses.replace(one, account=replace(one.account, api_keys=(a_key(),))) for one in made
    ]
    connection = await asyncpg.connect(stage.ours.owner_dsn)
    try:
        await put(connection, keyed, sealer=Sealer(stage.keyring), into=stage.ours.tables)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()
    return keyed


def a_key() -> ApiKey:
    """Return a key that was made two days ago, and was used today already."""
    return ApiKey(
        api_key_id=ApiKeyId(f"key_{tail(ENTROPY.draw(16))}"),
        public_key=b64url(ENTROPY.draw(32)),
        scopes=("read", "trade"),
        ip_list=(f"{HOME}/32",),
        destinations=(),
        daily_cents=0,
        created_at=now() - timedelta(days=2),
        pairs=(PAIR,),
        price_band_bp=100,
        used_on=day_number(now()),
    )


def batch(accounts: Iterable[Customer], *, shift: int) -> bytes:
    """Return a batch of INTENTS_MOST orders, which begins with another account each time."""
    known = tuple(accounts)
    orders = [
        {
            "account_id": one.account.account_id,
            "api_key_id": one.account.api_keys[0].api_key_id,
            "ip": HOME,
            "pair": PAIR,
            "side": "buy",
            "notional_cents": 10_000,
            "price": "60100.5",
            "mid": "60000.25",
        }
        for number in range(INTENTS_MOST)
        for one in (known[(number + shift) % len(known)],)
    ]
    return msgspec.json.encode({"intents": orders})


def turn(stage: Stage, process: psutil.Process, path: str, bodies: list[bytes]) -> Turn:
    """Have ``bodies`` answered at ``path``, and measure it. Raises RuntimeError: not all passed."""
    read_database = database_cpu(stage.postmaster)
    app, database, began = cpu_seconds(process), read_database(), time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        shares = [bodies[start::CONNECTIONS] for start in range(CONNECTIONS)]
        list(pool.map(lambda share: send(stage, path, share), shares))
    seconds, intents = time.perf_counter() - began, len(bodies) * INTENTS_MOST
    return Turn(
        per_second=intents / seconds,
        app_us=MICRO * (cpu_seconds(process) - app) / intents,
        database_us=MICRO * (read_database() - database) / intents,
    )


def send(stage: Stage, path: str, bodies: list[bytes]) -> None:
    """Send batches, one after the other, over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", stage.ours.port, timeout=60)
    headers = {
        "Authorization": f"Bearer {stage.platform_key}",
        "Content-Type": "application/json",
    }
    for body in bodies:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        told = answer.read()
        if answer.status != http.HTTPStatus.OK or told.count(b'"pass"') != INTENTS_MOST:
            raise RuntimeError(f"{path}: {answer.status} {told[:500]!r}")
    connection.close()


def median(turns: list[Turn]) -> Turn:
    """Return the medians of some turns."""
    return Turn(
        per_second=statistics.median(one.per_second for one in turns),
        app_us=statistics.median(one.app_us for one in turns),
        database_us=statistics.median(one.database_us for one in turns),
    )


async def measure(*, rounds: int, batches: int) -> Report:
    """Measure both in turns."""
    async with open_stage() as stage:
        accounts = await customers(stage)
        bodies = [batch(accounts, shift=7 * number) for number in range(batches)]
        turns: dict[str, list[Turn]] = {EXAMINE: [], FLOOR: []}
        with running(stage.ours) as process:
            for path in turns:
                await asyncio.to_thread(turn, stage, process, path, bodies[:4])
            for _ in range(rounds):
                for path, found in turns.items():
                    found.append(await asyncio.to_thread(turn, stage, process, path, bodies))
        examined, floor = median(turns[EXAMINE]), median(turns[FLOOR])
        ratio = examined.per_second / floor.per_second
        return Report(examined=examined, floor=floor, ratio=ratio)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = asyncio.run(measure(rounds=asked.rounds, batches=asked.batches))
    if asked.json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
        return
    for name, one in (("examined", found.examined), ("read and echoed", found.floor)):
        sys.stdout.write(
            f"{name}: {one.per_second:,.0f} intents/s, CPU {one.app_us:.0f} us in the process, "
            f"{one.database_us:.0f} us in the database\n"
        )
    sys.stdout.write(f"of the floor: {found.ratio:.2f}\n")


if __name__ == "__main__":
    main()
