"""Callers of the store: those who go away, are too many, wait too long, or wait for a lock."""

import asyncio

import pytest
from support.postgres import TestDatabase, both_versions
from support.stores import (
    SteerableClock,
    during,
    new_action,
    new_customer,
    open_store,
    opened,
    outcomes,
    several,
    spend,
    touching,
)

from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.sql import group_commit
from twinlock.adapters.sql.store import SqlStore
from twinlock.domain.errors import (
    AccountUnknownError,
    UnavailableError,
)
from twinlock.ports import (
    Committed,
)

# --- Callers who go away, and callers who are too many ---


async def test_a_caller_who_goes_away_before_the_batch_decides_nothing(
    store: SqlStore, clock: SteerableClock
) -> None:
    alice = await opened(store, clock)
    size = (await store.head()).size

    gone = asyncio.create_task(store.run(touching(alice)))
    stays = asyncio.create_task(store.run(touching(alice)))
    await asyncio.sleep(0)
    gone.cancel()

    assert (await stays).indexes == (size,)
    assert gone.cancelled()
    assert (await store.head()).size == size + 1


async def test_when_everybody_went_away_nothing_is_asked_of_the_database(
    store: SqlStore, clock: SteerableClock
) -> None:
    alice = await opened(store, clock)
    batches = store.batches

    gone = asyncio.create_task(store.run(touching(alice)))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    await store.run(touching(alice))

    assert store.batches - batches == 1


async def test_a_caller_who_goes_away_too_late_hears_nothing_and_harms_nobody(
    store: SqlStore, clock: SteerableClock
) -> None:
    alice, bob = await several(store, clock, 2)

    def leave() -> None:
        for task in (fine, failing):
            task.cancel()

    fine = asyncio.create_task(store.run(during(alice, leave)))
    failing = asyncio.create_task(store.run(spend(alice, new_action(alice))))
    answered = await store.run(touching(bob))

    assert answered.indexes
    await asyncio.wait({fine, failing})
    assert fine.cancelled()
    assert failing.cancelled()


async def test_when_too_many_wait_the_next_one_is_told_to_come_back(
    store: SqlStore, clock: SteerableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await opened(store, clock)
    monkeypatch.setattr(group_commit, "QUEUE_MOST", 3)

    told = await outcomes(*(store.run(touching(alice)) for _ in range(5)))

    assert [type(one) for one in told] == [Committed] * 3 + [UnavailableError] * 2


async def test_a_request_that_waited_too_long_is_refused_undecided(
    store: SqlStore, clock: SteerableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await opened(store, clock)
    monkeypatch.setattr(group_commit, "QUEUE_SECONDS", -1.0)

    with pytest.raises(UnavailableError, match="too long"):
        await store.run(touching(alice))

    assert (await store.head()).size == 1


# --- Closing ---


@both_versions
async def test_what_waits_when_the_store_closes_is_decided(
    database: TestDatabase, keyring: Keyring, clock: SteerableClock
) -> None:
    async with open_store(database.app_dsn, keyring, clock) as store:
        alice = await opened(store, clock)
        waiting = [asyncio.create_task(store.run(touching(alice))) for _ in range(100)]
        await asyncio.sleep(0)

    answers = await asyncio.gather(*waiting)

    assert sorted(one.indexes[0] for one in answers) == list(range(1, 101))


async def test_a_closed_store_takes_nothing_more(
    database: TestDatabase, keyring: Keyring, clock: SteerableClock
) -> None:
    async with open_store(database.app_dsn, keyring, clock) as store:
        alice = await opened(store, clock)

    with pytest.raises(UnavailableError, match="about to end"):
        await store.run(touching(alice))


async def test_what_cannot_be_decided_in_time_at_closing_is_refused(
    database: TestDatabase,
    keyring: Keyring,
    clock: SteerableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(group_commit, "CLOSE_SECONDS", 0.05)
    async with (
        database.app() as other,
        open_store(database.app_dsn, keyring, clock) as store,
    ):
        alice = await opened(store, clock)
        blocking = other.transaction()
        await blocking.start()
        await other.fetch("SELECT 1 FROM head FOR UPDATE")
        waiting = [asyncio.create_task(store.run(touching(alice))) for _ in range(100)]
        await asyncio.sleep(0)
        await store._deciding.close()  # noqa: SLF001 - closing twice is allowed, and done on leaving
        await blocking.rollback()

    told = await outcomes(*waiting)

    assert {type(one) for one in told} == {UnavailableError}
    assert await database.value("SELECT count(*) FROM leaf") == 1


# --- Locks that somebody does not let go ---


@both_versions
async def test_accounts_are_locked_in_the_order_of_their_ids(
    store: SqlStore, clock: SteerableClock, database: TestDatabase
) -> None:
    """So two processes never wait for each other: who waits holds nothing that comes later."""
    everybody = sorted(await several(store, clock, 8), key=lambda one: one.account_id)
    later = [one.account_id for one in everybody[1:]]
    async with database.owner() as other, other.transaction():
        lock = "SELECT 1 FROM stream WHERE id = ANY($1::text[]) FOR UPDATE NOWAIT"
        await other.fetch(lock, [everybody[0].account_id])
        waiting = asyncio.gather(*(store.run(touching(one)) for one in reversed(everybody)))
        await database.somebody_waits_for_a_lock()

        assert len(await other.fetch(lock, later)) == 7

    assert len(await waiting) == 8


@both_versions
async def test_an_account_that_somebody_holds_for_ever_holds_up_nobody_else(
    store: SqlStore, clock: SteerableClock, database: TestDatabase
) -> None:
    """The role of an operator who forgot a transaction: his session has no time limit."""
    alice, bob = await several(store, clock, 2)
    async with database.owner() as operator, operator.transaction():
        await operator.fetch("SELECT 1 FROM stream WHERE id = $1 FOR UPDATE", alice.account_id)

        held, fine, stranger = await outcomes(
            store.run(touching(alice)),
            store.run(touching(bob)),
            store.run(touching(new_customer())),
        )

    assert isinstance(held, UnavailableError)
    assert isinstance(fine, Committed)
    assert isinstance(stranger, AccountUnknownError)
    assert (await store.run(touching(alice))).indexes


async def test_a_head_that_somebody_holds_for_ever_is_told_to_all(
    store: SqlStore, clock: SteerableClock, database: TestDatabase
) -> None:
    alice, bob = await several(store, clock, 2)
    async with database.owner() as operator, operator.transaction():
        await operator.fetch("SELECT 1 FROM head FOR UPDATE")

        told = await outcomes(store.run(touching(alice)), store.run(touching(bob)))

    assert [type(one) for one in told] == [UnavailableError] * 2
    assert told[0] is not told[1]
    assert (await store.run(touching(alice))).indexes == (2,)
