"""Idempotency keys: one decision, however often, by however many and from wherever it is asked."""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.postgres import TestDatabase, both_versions
from support.store_process import Asked, Config, Told, store_process
from support.stores import (
    Customer,
    SteerableClock,
    idempotency,
    new_action,
    new_customer,
    open_store,
    opened,
    opening,
    spend,
    withdrawal,
)

from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.sql import store as sql_store
from twinlock.adapters.sql.store import KEY_LIFETIME, SqlStore
from twinlock.adapters.system import SystemClock
from twinlock.domain.account import ActionUnknownError
from twinlock.domain.errors import IdempotencyConflictError, InvariantError, SealBrokenError
from twinlock.ports import (
    Committed,
)


@both_versions
async def test_a_repeated_key_stands_for_the_action_that_it_began(
    store: SqlStore, clock: SteerableClock
) -> None:
    alice = await opened(store, clock)
    first, second = new_action(alice), new_action(alice)

    decided = await store.run(withdrawal(alice, first, key=idempotency("key")))
    repeated = await store.run(withdrawal(alice, second, key=idempotency("key")))

    assert decided.answer.action_id == first
    assert (repeated.decided, repeated.repeated) == (None, first)
    with pytest.raises(InvariantError):
        _ = repeated.answer
    assert (await store.head()).size == 2


@both_versions
async def test_a_key_that_was_used_for_something_else_is_refused(
    store: SqlStore, clock: SteerableClock
) -> None:
    alice = await opened(store, clock)
    await store.run(withdrawal(alice, new_action(alice), key=idempotency("key", "ten")))

    with pytest.raises(IdempotencyConflictError):
        await store.run(withdrawal(alice, new_action(alice), key=idempotency("key", "eleven")))

    assert (await store.head()).size == 2


async def test_a_key_may_be_repeated_after_its_action_is_over(
    store: SqlStore, clock: SteerableClock
) -> None:
    alice = await opened(store, clock)
    action = new_action(alice)
    await store.run(withdrawal(alice, action, key=idempotency("key")))
    await store.run(spend(alice, action))

    repeated = await store.run(withdrawal(alice, new_action(alice), key=idempotency("key")))

    assert repeated.repeated == action


@both_versions
async def test_within_one_batch_the_first_use_decides(
    store: SqlStore, clock: SteerableClock
) -> None:
    alice = await opened(store, clock)
    first = new_action(alice)

    answers = await asyncio.gather(
        store.run(withdrawal(alice, first, key=idempotency("key"))),
        store.run(withdrawal(alice, new_action(alice), key=idempotency("key"))),
        store.run(withdrawal(alice, new_action(alice), key=idempotency("key", "other"))),
        return_exceptions=True,
    )

    assert isinstance(answers[0], Committed)
    assert isinstance(answers[1], Committed)
    assert answers[0].answer.action_id == answers[1].repeated == first
    assert isinstance(answers[2], IdempotencyConflictError)
    assert (await store.head()).size == 2


async def test_a_use_that_fails_leaves_the_key_free(store: SqlStore, clock: SteerableClock) -> None:
    alice = await opened(store, clock)
    failing = replace(spend(alice, new_action(alice)), idempotency=idempotency("key"))
    action = new_action(alice)

    failed, decided = await asyncio.gather(
        store.run(failing),
        store.run(withdrawal(alice, action, key=idempotency("key"))),
        return_exceptions=True,
    )

    assert isinstance(failed, ActionUnknownError)
    assert isinstance(decided, Committed)
    assert decided.answer.action_id == action


@both_versions
async def test_each_account_has_keys_of_its_own(store: SqlStore, clock: SteerableClock) -> None:
    alice, bob = await opened(store, clock), await opened(store, clock)

    answers = await asyncio.gather(
        *(
            store.run(withdrawal(one, new_action(one), key=idempotency("key", one.account_id)))
            for one in (alice, bob)
        )
    )

    assert all(one.decided is not None for one in answers)


@both_versions
async def test_accounts_are_opened_once_under_the_key_of_whoever_opens_them(
    store: SqlStore, clock: SteerableClock
) -> None:
    alice, again, elsewhere = new_customer(), new_customer(), new_customer()
    key = idempotency("customer 7")

    first = await store.run(opening(alice, now=clock.at, key=key, actor="platform:one"))
    second = await store.run(opening(again, now=clock.at, key=key, actor="platform:one"))
    third = await store.run(opening(elsewhere, now=clock.at, key=key, actor="platform:two"))

    assert first.decided is not None
    assert second.repeated == alice.account_id
    assert third.decided is not None


async def test_keys_are_forgotten_when_nobody_repeats_them_any_more(
    store: SqlStore, clock: SteerableClock, database: TestDatabase
) -> None:
    alice = await opened(store, clock)
    await store.run(withdrawal(alice, new_action(alice), key=idempotency("old")))
    used_at = clock.at
    clock.advance(timedelta(minutes=1))
    await store.run(withdrawal(alice, new_action(alice), key=idempotency("young")))

    await store.forget_keys(now=used_at + KEY_LIFETIME + timedelta(seconds=1))

    keys = await database.fetch("SELECT key FROM idempotency")
    assert [row["key"] for row in keys] == ["young"]


async def test_old_keys_are_forgotten_a_bounded_number_at_a_time(
    store: SqlStore,
    clock: SteerableClock,
    database: TestDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sql_store, "FORGET_MOST", 2)
    alice = await opened(store, clock)
    for number in range(5):
        await store.run(withdrawal(alice, new_action(alice), key=idempotency(f"old {number}")))

    await store.forget_keys(now=clock.at + KEY_LIFETIME + timedelta(seconds=1))

    assert await database.value("SELECT count(*) FROM idempotency") == 0


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param("action_id = '{other}'", id="repointed"),
        pytest.param("digest = sha256(digest)", id="for another request"),
        pytest.param("mac = ''", id="without a MAC"),
        pytest.param("scope = '{bob}'", id="given to another account"),
    ],
)
async def test_a_key_that_somebody_edited_stands_for_nothing(
    store: SqlStore, clock: SteerableClock, database: TestDatabase, edit: str
) -> None:
    alice, bob = await opened(store, clock), await opened(store, clock)
    first, other = new_action(alice), new_action(bob)
    await store.run(withdrawal(alice, first, key=idempotency("key")))
    await database.execute(
        f"UPDATE idempotency SET {edit.format(other=other, bob=bob.account_id)}"  # noqa: S608 - ours
    )
    asks = bob if "scope" in edit else alice

    with pytest.raises(SealBrokenError):
        await store.run(withdrawal(asks, new_action(asks), key=idempotency("key")))
    assert (await store.head()).size == 3


async def test_what_a_key_that_somebody_edited_stands_for_is_not_told(
    store: SqlStore, clock: SteerableClock, database: TestDatabase
) -> None:
    """Prevents: a no that is answered as given, and that the log knows nothing of."""
    alice = await opened(store, clock)
    asked = idempotency("key")
    await store.run(withdrawal(alice, new_action(alice), key=asked))
    assert await store.stands_for(alice.account_id, asked) is not None
    await database.execute("UPDATE idempotency SET key = 'another'")

    with pytest.raises(SealBrokenError):
        await store.stands_for(alice.account_id, replace(asked, key="another"))


# --- A hundred at once, from two processes ---


def split(told: list[list[Told]], what: str) -> list[Told]:
    return [one for each in told for one in each if one.what == what]


async def both(database: TestDatabase, keyring_dir: str, asked: list[Asked]) -> list[list[Told]]:
    """Run ``asked``, every other one in each of two processes, all at once."""
    configs = [
        Config(mode="race", dsn=database.app_dsn, keyring_dir=keyring_dir, asked=tuple(half))
        for half in (asked[::2], asked[1::2])
    ]
    async with store_process(configs[0]) as one, store_process(configs[1]) as other:
        await one.until("ready")
        await other.until("ready")
        one.go()
        other.go()
        return [await one.ended(), await other.ended()]


async def opened_now(database: TestDatabase, keyring: Keyring) -> Customer:
    async with open_store(database.app_dsn, keyring, SystemClock()) as store:
        return await opened(store, SystemClock())


@pytest.mark.requirement("O-22")
@both_versions
async def test_a_hundred_duplicates_at_once_from_two_processes_are_one_decision(
    database: TestDatabase, keyring: Keyring, keyring_dir: object
) -> None:
    alice = await opened_now(database, keyring)
    asked = [
        Asked(what="withdraw", customer=alice, action_id=new_action(alice), key="key")
        for _ in range(100)
    ]

    told = await both(database, str(keyring_dir), asked)

    (decided,) = split(told, "allowed")
    repeated = split(told, "repeated")
    assert len(repeated) == 99
    assert {one.action_id for one in repeated} == {decided.action_id}
    assert await database.value("SELECT count(*) FROM leaf") == 2


@both_versions
async def test_a_hundred_openings_at_once_from_two_processes_are_one_account(
    database: TestDatabase, keyring: Keyring, keyring_dir: object
) -> None:
    asked = [Asked(what="open", customer=new_customer(), key="customer 7") for _ in range(100)]

    told = await both(database, str(keyring_dir), asked)

    (decided,) = split(told, "allowed")
    assert {one.action_id for one in split(told, "repeated")} == {decided.action_id}
    assert len(split(told, "repeated")) == 99
    assert await database.value("SELECT count(*) FROM subject_key") == 1


async def test_of_a_hundred_bodies_under_one_key_one_is_decided_and_the_others_conflict(
    database: TestDatabase, keyring: Keyring, keyring_dir: object
) -> None:
    alice = await opened_now(database, keyring)
    asked = [
        Asked(
            what="withdraw",
            customer=alice,
            action_id=new_action(alice),
            key="key",
            body=f"body {number}",
        )
        for number in range(100)
    ]

    told = await both(database, str(keyring_dir), asked)

    assert len(split(told, "allowed")) == 1
    assert {one.code for one in split(told, "failed")} == {"idempotency_conflict"}
