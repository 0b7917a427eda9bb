"""One process decides and writes in the order in which it was asked, whatever fails on the way."""

import asyncio
from datetime import datetime

import pytest
from msgspec.structs import replace
from support.postgres import TestDatabase, both_versions
from support.store_audit import audit
from support.stores import (
    SteerableClock,
    freezing,
    idempotency,
    new_action,
    new_customer,
    open_store,
    opened,
    opening,
    several,
    spend,
    touching,
    withdrawal,
)

from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.sql import order
from twinlock.adapters.sql.store import SqlStore
from twinlock.domain.account import State
from twinlock.domain.decisions import Decided
from twinlock.domain.requirements import Answer

SLOW_COMMIT = """
CREATE FUNCTION public.nap() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
'BEGIN PERFORM pg_sleep({seconds}); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER nap AFTER UPDATE ON head DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION public.nap()
"""


@both_versions
async def test_a_spend_does_not_overtake_the_freeze_before_it_when_a_batch_fails(
    store: SqlStore, clock: SteerableClock, database: TestDatabase, keyring: Keyring
) -> None:
    """Two openings under one key share no row that they lock: the second fails at its last step."""
    alice = await opened(store, clock)
    action = new_action(alice)
    await store.run(withdrawal(alice, action))
    first, late, key = new_customer(), new_customer(), idempotency("customer-7")
    async with database.owner() as holder, holder.transaction():
        await holder.execute("LOCK TABLE outbox IN EXCLUSIVE MODE")
        one = asyncio.ensure_future(store.run(opening(first, now=clock.at, key=key)))
        await database.somebody_waits_for_a_lock()
        again = asyncio.ensure_future(store.run(opening(late, now=clock.at, key=key)))
        wanted, decided = freezing(alice, new_action(alice)), asyncio.Event()

        def decide(state: State, now: datetime) -> Decided:
            decided.set()
            return wanted.decide(state, now)

        freeze = asyncio.ensure_future(store.run(replace(wanted, decide=decide)))
        await asyncio.wait_for(decided.wait(), 1)
        spending = asyncio.ensure_future(store.run(spend(alice, action)))

    assert (await one).indexes == (2,)
    assert (await again).repeated == first.account_id
    assert (await freeze).indexes == (3,)
    assert (await spending).answer.answer is Answer.DENY
    await audit(database, keyring)


@pytest.mark.parametrize("seconds", [0.1, 1.2])
@pytest.mark.parametrize("same", [True, False])
async def test_a_commit_that_takes_long_refuses_nobody_behind_it(
    store: SqlStore, clock: SteerableClock, database: TestDatabase, seconds: float, same: bool
) -> None:
    alice, bob = await several(store, clock, 2)
    await database.execute(SLOW_COMMIT.format(seconds=seconds))

    first = asyncio.ensure_future(store.run(touching(alice)))
    await database.somebody_sleeps()
    behind = [store.run(touching(alice if same else bob)) for _ in range(2)]
    told = await asyncio.gather(first, *behind)

    assert [one.indexes for one in told] == [(2,), (3,), (4,)]


async def test_a_group_behind_one_that_commits_for_long_is_decided_again(
    store: SqlStore,
    clock: SteerableClock,
    database: TestDatabase,
    keyring: Keyring,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(order, "PATIENCE_SECONDS", 0.01)
    alice, bob = await several(store, clock, 2)
    await database.execute(SLOW_COMMIT.format(seconds=0.3))

    first = asyncio.ensure_future(store.run(touching(alice)))
    await database.somebody_sleeps()
    told = await asyncio.gather(first, store.run(touching(bob)))

    assert [one.indexes for one in told] == [(2,), (3,)]
    await audit(database, keyring)


async def test_callers_behind_others_who_went_away_are_decided_before_the_end(
    database: TestDatabase, keyring: Keyring, clock: SteerableClock
) -> None:
    async with open_store(database.app_dsn, keyring, clock) as store:
        alice = await opened(store, clock)
        gone = [asyncio.ensure_future(store.run(touching(alice))) for _ in range(64)]
        stays = asyncio.ensure_future(store.run(touching(alice)))
        await asyncio.sleep(0)
        for one in gone:
            one.cancel()

    assert (await stays).indexes == (1,)
