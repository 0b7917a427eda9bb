"""What many accounts begin to send to waits longer, and nobody learns from it who they are."""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.asked import an_action
from support.cast import NOON
from support.postgres import TestDatabase
from support.service import ADDRESS, Customer, Service, SteerableClock
from support.worlds import FREEZE

from twinlock.adapters.keyring.signing import KeyringIndex
from twinlock.adapters.sql.sightings import SqlSightings
from twinlock.adapters.sql.store import SqlStore
from twinlock.bootstrap.world import World
from twinlock.domain import ids
from twinlock.domain.account import Account, Chain, OpenAction
from twinlock.domain.actions import DestinationAdd, DestinationRemove, place_of
from twinlock.domain.bounds import SIGHTINGS_COUNTED, SIGHTINGS_KEPT, SIGHTINGS_PERIOD
from twinlock.domain.ids import MemberId

SHARED = 5  # What default.cedar says.


async def wants(service: Service, name: str, address: str) -> list[str]:
    customer = Customer(service, name)
    await customer.set_up()
    asked = await customer.propose("destination.add", {"network": "ethereum", "address": address})
    told = await customer.with_passkey(asked.action_id)
    return [why.code for why in told.why]


async def test_the_sixth_waits_longer_and_the_first_five_do_not(
    service: Service, database: TestDatabase
) -> None:
    told = [await wants(service, f"customer{n}", ADDRESS) for n in range(SHARED + 1)]

    assert ["destination_shared" in one for one in told] == [False] * SHARED + [True]
    assert "destination_shared" not in await wants(service, "another", ADDRESS[:-1] + "0")
    rows = await database.fetch("SELECT place, by FROM sighting")
    assert len(rows) == SHARED + 2
    assert len({row["by"] for row in rows}) == SHARED + 2
    assert {len(row["place"]) + len(row["by"]) for row in rows} == {24}


async def test_whoever_proves_at_many_accounts_in_one_moment_is_seen(service: Service) -> None:
    """Prevents: a thief with many accounts, at which all is proved before any is counted."""
    customers = [Customer(service, f"customer{n}") for n in range(SHARED + 3)]
    asked = []
    for one in customers:
        await one.set_up()
        where = {"network": "ethereum", "address": ADDRESS}
        asked.append(await one.propose("destination.add", where))
    proofs = (one.with_passkey(its.action_id) for one, its in zip(customers, asked, strict=True))
    told = [[why.code for why in one.why] for one in await asyncio.gather(*proofs)]

    assert sum("destination_shared" in one for one in told) >= len(customers) - SHARED


async def test_one_account_that_asks_again_and_again_counts_once(
    service: Service, database: TestDatabase
) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    for _ in range(3):
        await alice.withdraw(address="0x" + "7" * 40)
    assert await database.value("SELECT count(*) FROM sighting") == 1


async def test_what_nobody_proved_is_not_counted(service: Service, database: TestDatabase) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    await alice.propose("destination.add", {"network": "ethereum", "address": ADDRESS})

    assert await database.value("SELECT count(*) FROM sighting") == 0


def an_account(number: int) -> Account:
    named = ids.account_id(number.to_bytes(16, "big"))
    return Account(
        account_id=named,
        member_id=MemberId("mem_somebody"),
        opened_at=NOON,
        chain=Chain(label_key="k" * 43),
    )


def to_list(account: Account, address: str = ADDRESS) -> OpenAction:
    where = {"network": "ethereum", "address": address, "memo": ""}
    return an_action(DestinationAdd(account=account.account_id, **where, label="", budget_cents=0))


async def test_a_popular_place_takes_so_much_room_and_no_more(
    store: SqlStore, world: World, clock: SteerableClock, database: TestDatabase
) -> None:
    sightings = SqlSightings(store.database, blind=KeyringIndex(world.keyring), clock=clock)
    for number in range(SIGHTINGS_KEPT + 5):
        account = an_account(number)
        await sightings.note(account, to_list(account))
    somebody = an_account(10**6)

    assert await database.value("SELECT count(*) FROM sighting") == SIGHTINGS_KEPT
    assert await sightings.elsewhere(somebody, to_list(somebody)) == SIGHTINGS_COUNTED
    assert await sightings.elsewhere(somebody, to_list(somebody, "0x" + "7" * 40)) == 0


async def test_what_is_listed_or_removed_is_not_counted(
    store: SqlStore, world: World, clock: SteerableClock
) -> None:
    blind = KeyringIndex(world.keyring)
    sightings = SqlSightings(store.database, blind=blind, clock=clock)
    first, second = an_account(1), an_account(2)
    await sightings.note(first, to_list(first))
    action = to_list(second)
    place = place_of(action.payload)
    assert place is not None
    known = replace(second, destinations={blind.names(place)[0]: 1})
    gone = DestinationRemove(
        account=second.account_id, network="ethereum", address=ADDRESS, memo=""
    )

    assert await sightings.elsewhere(second, action) == 1
    assert await sightings.elsewhere(known, action) == 0
    assert await sightings.elsewhere(second, an_action(gone)) == 0
    assert await sightings.elsewhere(second, an_action(FREEZE)) == 0


@pytest.mark.parametrize(
    ("network", "counts"),
    [
        ("venue", 1),
        ("platform", 1),
        ("subaccount", 0),
        ("card", 0),
        ("loan", 0),
        ("market", 0),
        ("product", 0),
    ],
)
async def test_what_everybody_calls_alike_is_not_counted(
    store: SqlStore, world: World, clock: SteerableClock, network: str, counts: int
) -> None:
    """Prevents: five accounts that list every product, so that all others wait for it."""
    sightings = SqlSightings(store.database, blind=KeyringIndex(world.keyring), clock=clock)
    first, second = an_account(1), an_account(2)
    listings = [
        an_action(
            DestinationAdd(account=one.account_id, network=network, address="savings", memo="")
        )
        for one in (first, second)
    ]
    await sightings.note(first, listings[0])

    assert await sightings.elsewhere(second, listings[1]) == counts


async def test_after_a_month_it_is_forgotten(
    store: SqlStore, world: World, clock: SteerableClock, database: TestDatabase
) -> None:
    sightings = SqlSightings(store.database, blind=KeyringIndex(world.keyring), clock=clock)
    first, second = an_account(1), an_account(2)
    await sightings.note(first, to_list(first))
    clock.at += SIGHTINGS_PERIOD - timedelta(seconds=1)
    assert await sightings.elsewhere(second, to_list(second)) == 1
    await sightings.forget()
    assert await database.value("SELECT count(*) FROM sighting") == 1

    clock.at += timedelta(seconds=1)
    assert await sightings.elsewhere(second, to_list(second)) == 0
    await sightings.forget()
    assert await database.value("SELECT count(*) FROM sighting") == 0


async def test_what_is_wanted_again_while_it_is_forgotten_stays(
    store: SqlStore, world: World, clock: SteerableClock, database: TestDatabase
) -> None:
    sightings = SqlSightings(store.database, blind=KeyringIndex(world.keyring), clock=clock)
    first = an_account(1)
    await sightings.note(first, to_list(first))
    clock.at += SIGHTINGS_PERIOD

    async with database.app() as process, process.transaction():
        await process.execute("UPDATE sighting SET seen_at = $1", clock.at)
        forgets = asyncio.create_task(sightings.forget())
        await database.somebody_waits_for_a_lock()
    await forgets

    assert await database.value("SELECT count(*) FROM sighting") == 1
