"""What addresses, look-alikes and sightings cost: in process, and with a million destinations.

usage: python -m bench.destinations [--places N] [--accounts N]

Reading an address and comparing it with what the account knows are timed in process. At how many
accounts a place was wanted is counted and noted on a real PostgreSQL: with an empty table, and with
so many places of so many accounts, one of which all of them want.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial

import asyncpg
from msgspec.structs import replace

from bench.audit import place
from bench.place import APP_PASSWORD
from twinlock.adapters.sql import queries
from twinlock.adapters.sql.migrate import migrate
from twinlock.domain.account import Account, Chain, OpenAction
from twinlock.domain.actions import DestinationAdd
from twinlock.domain.addresses import AddressForm
from twinlock.domain.bounds import (
    DESTINATIONS_MOST,
    PAID_MOST,
    SIGHTINGS_COUNTED,
    SIGHTINGS_KEPT,
    SIGHTINGS_PERIOD,
)
from twinlock.domain.ids import ActionId, MemberId, account_id
from twinlock.domain.likeness import looks_alike, tag_of
from twinlock.proofs.addresses.normal import normal_address

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
TIMES = 300
SCHEMA = {"search_path": "twinlock"}
ADDRESSES = {
    AddressForm.BITCOIN: "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
    AddressForm.EVM: "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    AddressForm.TRON: "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t",
    AddressForm.XRPL: "X7AcgcsBL6XDcUb289X4mJ8djcdyKaLFuhLRuNXPrDeJd9A",
    AddressForm.TON: "UQCD39VS5jcptHL8vMjEXrzGaRcCVYto7HUn4bpAOg8xqEBI",
}
FILL = """
INSERT INTO sighting (place, by, seen_at)
SELECT decode(md5('p' || n), 'hex'), decode(substr(md5('a' || (n % $2)), 1, 16), 'hex'), $3
  FROM generate_series(1, $1) AS n
"""


def in_process() -> None:
    """Print the CPU microseconds of reading an address, and of comparing it."""
    for form, address in ADDRESSES.items():
        micro = _micro(partial(normal_address, form, address, ""))
        print(f"an address of {form.value}: {micro:.1f} µs")
    account = Account(
        account_id=account_id(bytes(16)),
        member_id=MemberId("mem_bench"),
        opened_at=NOW,
        chain=Chain(label_key="k" * 43),
    )
    asked = DestinationAdd(
        account=account.account_id,
        network="ethereum",
        address="0x" + "7" * 40,
        memo="",
        label="",
        budget_cents=0,
    )
    action = OpenAction(
        action_id=ActionId("act_bench"),
        member_id=account.member_id,
        payload=asked,
        digest="",
        proposed_at=NOW,
        lapses_at=NOW,
        veto_key="",
    )
    for known, paid in ((0, 0), (1, 0), (DESTINATIONS_MOST, PAID_MOST)):
        tags = [tag_of(account, f"0x{n:040x}") for n in range(known + paid)]
        full = replace(account, looks="".join(tags[:known]), paid=dict.fromkeys(tags[known:], 1))
        micro = _micro(partial(looks_alike, full, action))
        print(f"compared with {known + paid} known addresses: {micro:.1f} µs")


def _micro(work: Callable[[], object]) -> float:
    rounds = []
    for _ in range(7):
        began = time.process_time()
        for _ in range(TIMES):
            work()
        rounds.append((time.process_time() - began) / TIMES * 1e6)
    return statistics.median(rounds)


async def in_database(*, places: int, accounts: int) -> None:
    """Print the milliseconds of counting and of noting, before and after the table is filled."""
    with place() as where:
        await migrate(where.owner_dsn, app_password=APP_PASSWORD)
        db = await asyncpg.connect(where.variables["TWINLOCK_DATABASE_URL"], server_settings=SCHEMA)
        owner = await asyncpg.connect(where.owner_dsn, server_settings=SCHEMA)
        try:
            empty = await _timed(db)
            await owner.execute(FILL, places, accounts, NOW)
            for number in range(SIGHTINGS_KEPT):
                row = (b"p" * 16, number.to_bytes(8, "big"), NOW, NOW - SIGHTINGS_PERIOD)
                await db.execute(queries.NOTE_SIGHTING, *row, SIGHTINGS_KEPT)
            await owner.execute("VACUUM ANALYZE sighting")
            full = await _timed(db)
            size = await owner.fetchval("SELECT pg_total_relation_size('sighting')")
        finally:
            await db.close()
            await owner.close()
    for name, before in empty.items():
        after = full[name]
        print(f"{name}: {before:.2f} ms empty, {after:.2f} ms full, {after / before:.2f} times")
    print(f"{places} places of {accounts} accounts: {size / 2**20:.0f} MB")


async def _timed(db: asyncpg.Connection) -> dict[str, float]:
    since, number = NOW - SIGHTINGS_PERIOD, iter(range(10**9, 2 * 10**9))

    def count(where: bytes) -> Callable[[], Awaitable[object]]:
        return lambda: db.fetchval(
            queries.COUNT_SIGHTINGS, where, bytes(8), since, SIGHTINGS_COUNTED
        )

    async def note() -> None:
        where = next(number).to_bytes(16, "big")
        await db.execute(queries.NOTE_SIGHTING, where, bytes(8), NOW, since, SIGHTINGS_KEPT)

    asked = {
        "a place that nobody wanted": count(b"n" * 16),
        "a place that everybody wants": count(b"p" * 16),
        "a place noted": note,
    }
    return {name: await _milli(work) for name, work in asked.items()}


async def _milli(work: Callable[[], Awaitable[object]]) -> float:
    taken = []
    for _ in range(TIMES):
        began = time.perf_counter()
        await work()
        taken.append((time.perf_counter() - began) * 1e3)
    return statistics.median(taken)


def main() -> None:
    """Measure."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--places", type=int, default=1_000_000)
    arguments.add_argument("--accounts", type=int, default=100_000)
    given = arguments.parse_args()
    in_process()
    asyncio.run(in_database(places=given.places, accounts=given.accounts))


if __name__ == "__main__":
    main()
