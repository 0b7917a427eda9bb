"""An authorized exit is spent exactly once, however many ask, and from however many processes."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from support.postgres import TestDatabase, both_versions
from support.store_audit import audit
from support.store_process import Asked, Config, Told, store_process
from support.stores import (
    PLATFORM,
    Customer,
    freezing,
    new_action,
    open_store,
    opened,
    spending,
    withdrawal,
)

from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.keyring.signing import KeyringIndex
from twinlock.adapters.system import SystemClock
from twinlock.domain.ids import ActionId
from twinlock.domain.requirements import Answer
from twinlock.services.spending import AlreadySpentError, Spending

CLOCK = SystemClock()


async def authorized(database: TestDatabase, keyring: Keyring) -> tuple[Customer, ActionId]:
    async with open_store(database.app_dsn, keyring, CLOCK) as store:
        alice = await opened(store, CLOCK, blind=KeyringIndex(keyring))
        action = new_action(alice)
        answered = await store.run(withdrawal(alice, action))
        assert answered.answer.answer is Answer.ALLOW
        return alice, action


async def spend_at_once(
    database: TestDatabase, keyring_dir: Path, customer: Customer, action: ActionId, ids: list[str]
) -> list[Told]:
    """Spend under each of ``ids`` at once, every other one from each of two processes."""
    asked = [
        Asked(what="spend", customer=customer, action_id=action, spend_id=spend_id)
        for spend_id in ids
    ]
    configs = [
        Config(mode="race", dsn=database.app_dsn, keyring_dir=str(keyring_dir), asked=tuple(half))
        for half in (asked[::2], asked[1::2])
    ]
    async with store_process(configs[0]) as one, store_process(configs[1]) as other:
        await one.until("ready")
        await other.until("ready")
        one.go()
        other.go()
        told = [*await one.ended(), *await other.ended()]
    return [one for one in told if one.what not in ("ready", "done")]


@pytest.mark.requirement("O-22")
@both_versions
async def test_a_hundred_spends_under_one_id_are_one_spend_and_one_signed_text(
    database: TestDatabase, keyring: Keyring, keyring_dir: Path
) -> None:
    alice, action = await authorized(database, keyring)

    told = await spend_at_once(database, keyring_dir, alice, action, ["spend-00001"] * 100)

    assert Counter(one.what for one in told) == {"allowed": 100}
    assert len({(one.code, one.index) for one in told}) == 1
    log = await audit(database, keyring)
    assert log.spent == {action: [told[0].index]}
    assert log.size == 3


@pytest.mark.requirement("O-22")
@both_versions
async def test_of_a_hundred_spends_under_different_ids_one_is_the_spend(
    database: TestDatabase, keyring: Keyring, keyring_dir: Path
) -> None:
    alice, action = await authorized(database, keyring)
    spend_ids = [f"spend-{number:05}" for number in range(100)]

    told = await spend_at_once(database, keyring_dir, alice, action, spend_ids)

    assert Counter(one.what for one in told) == {"allowed": 1, "failed": 99}
    assert {one.code for one in told if one.what == "failed"} == {"already_spent"}
    assert len((await audit(database, keyring)).spent[action]) == 1


async def test_spends_that_share_a_batch_all_learn_what_became_of_it(
    database: TestDatabase, keyring: Keyring
) -> None:
    """Prevents: a 404 for the second of two spends, told before the first is committed."""
    _, action = await authorized(database, keyring)
    async with open_store(database.app_dsn, keyring, CLOCK) as store:
        spends = spending(store, keyring, CLOCK)
        same, other = Spending(spend_id="spend-00001"), Spending(spend_id="spend-00002")

        told = await asyncio.gather(
            *(spends.spend(action, one, actor=PLATFORM) for one in (same, same, other)),
            return_exceptions=True,
        )

    assert told[0] == told[1]
    assert isinstance(told[2], AlreadySpentError)


@both_versions
async def test_a_freeze_between_the_yes_and_the_spend_stops_it(
    database: TestDatabase, keyring: Keyring, keyring_dir: Path
) -> None:
    alice, action = await authorized(database, keyring)
    async with open_store(database.app_dsn, keyring, CLOCK) as store:
        await store.run(freezing(alice, new_action(alice)))

    told = await spend_at_once(database, keyring_dir, alice, action, ["spend-00001"] * 10)

    assert Counter(one.what for one in told) == {"stopped": 10}
    assert (await audit(database, keyring)).spent == {}


@pytest.mark.requirement("O-22", "O-28")
async def test_a_freeze_that_waits_before_a_spend_stops_it(
    database: TestDatabase, keyring: Keyring
) -> None:
    alice, action = await authorized(database, keyring)
    async with open_store(database.app_dsn, keyring, CLOCK) as store:
        spends = spending(store, keyring, CLOCK)
        _, stopped = await asyncio.gather(
            store.run(freezing(alice, new_action(alice))),
            spends.spend(action, Spending(spend_id="spend-00001"), actor=PLATFORM),
        )

    assert (stopped.answer, stopped.authorization) == (Answer.DENY, "")
    assert (await audit(database, keyring)).spent == {}
