"""Notices in the database: dealt out once, claimed by one process, in order, and never lost."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from support.postgres import TestDatabase, both_versions
from support.stores import (
    ENTROPY,
    Customer,
    SteerableClock,
    new_action,
    open_store,
    opened,
    withdrawal,
)

from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.sql import deliveries
from twinlock.adapters.sql.deliveries import SqlDeliveries
from twinlock.adapters.sql.outbox import Outbox
from twinlock.adapters.sql.store import SqlStore
from twinlock.domain.channels import ChannelKind
from twinlock.domain.deliveries import RETRY_LONGEST, Fault
from twinlock.domain.notices import NoticeKind
from twinlock.domain.parcels import CarrierName, Slip, slips
from twinlock.ports import Outgoing
from twinlock.services.notices.sending import CLAIM

MAIL = CarrierName.MAIL


@pytest.fixture
async def alice(store: SqlStore, clock: SteerableClock, database: TestDatabase) -> Customer:
    """A customer with three notices on their way to one channel."""
    customer = await opened(store, clock)
    await database.execute("DELETE FROM outbox")
    for _ in range(3):
        await store.run(withdrawal(customer, new_action(customer)))
    return customer


@pytest.fixture
def shelf(store: SqlStore) -> SqlDeliveries:
    return SqlDeliveries(store, entropy=ENTROPY)


@pytest.fixture
async def other(
    database: TestDatabase, keyring: Keyring, clock: SteerableClock
) -> AsyncIterator[SqlDeliveries]:
    """A second process, as far as the database can tell."""
    async with open_store(database.app_dsn, keyring, clock) as second:
        yield SqlDeliveries(second, entropy=ENTROPY)


async def deal(store: SqlStore, *, owes: bool = False) -> int:
    carriers = dict.fromkeys(ChannelKind, MAIL)

    async def send(outgoing: Outgoing) -> tuple[Slip, ...]:
        made = slips(outgoing.account, outgoing.notice, serial=outgoing.serial, carriers=carriers)
        return tuple(_owing(one, owes=owes) for one in made)

    return await Outbox(store).deliver(send, most=10)


async def deal_by_sms(store: SqlStore, database: TestDatabase, *, owes: bool = False) -> None:
    """Deal notices out to a carrier that tells later what became of them."""
    await deal(store, owes=owes)
    await database.execute("UPDATE delivery SET carrier = 'sms'")


def _owing(slip: Slip, *, owes: bool) -> Slip:
    from msgspec.structs import replace  # noqa: PLC0415 - its only use

    return replace(slip, owes=owes)


async def rows(database: TestDatabase) -> dict[str, int]:
    found = await database.fetch("SELECT state, count(*) AS n FROM delivery GROUP BY state")
    return {row["state"]: row["n"] for row in found}


@both_versions
@pytest.mark.usefixtures("alice")
async def test_what_is_noted_of_a_message_alone_may_reach_the_disk_later(
    store: SqlStore, shelf: SqlDeliveries, clock: SteerableClock
) -> None:
    """Prevents: a connection that goes on so, and loses what must be on the disk."""
    assert await deal(store) == 3
    (claimed, *_) = await shelf.claim(MAIL, now=clock.now(), most=1)
    await shelf.handed(claimed, keep=False, now=clock.now())

    shown = await store.database.read(lambda db: db.fetchval("SHOW synchronous_commit"))
    assert shown == "on"


@both_versions
async def test_a_notice_is_dealt_out_to_its_channels_and_can_be_looked_up(
    store: SqlStore, alice: Customer, shelf: SqlDeliveries, database: TestDatabase
) -> None:
    assert await deal(store) == 3
    assert await deal(store) == 0
    kept = await shelf.inbox(alice.account_id)

    assert await database.value("SELECT count(*) FROM outbox") == 0
    assert await rows(database) == {"waiting": 3}
    assert [notice.kind for _, notice in kept] == [NoticeKind.LEFT] * 3
    assert len({serial for serial, _ in kept}) == 3


async def test_only_the_newest_notices_can_be_looked_up(
    store: SqlStore,
    alice: Customer,
    shelf: SqlDeliveries,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from twinlock.adapters.sql import outbox  # noqa: PLC0415 - its only use

    monkeypatch.setattr(outbox, "INBOX_MOST", 2)
    await deal(store)
    newest = await shelf.inbox(alice.account_id)
    await store.run(withdrawal(alice, new_action(alice)))
    await deal(store)
    after = await shelf.inbox(alice.account_id)

    assert (len(newest), len(after)) == (2, 2)
    assert after[1] == newest[0]


async def test_nobody_s_notices_are_none(shelf: SqlDeliveries, alice: Customer) -> None:
    assert await shelf.inbox(alice.account_id) == ()


async def test_a_message_is_claimed_by_one_and_in_the_order_of_its_channel(
    store: SqlStore,
    alice: Customer,
    shelf: SqlDeliveries,
    other: SqlDeliveries,
    clock: SteerableClock,
    database: TestDatabase,
) -> None:
    """Prevents: two processes that deliver one notice, and one that overtakes another."""
    await deal(store)
    first = await shelf.claim(MAIL, now=clock.now(), most=1)
    blocked = await other.claim(MAIL, now=clock.now(), most=10)
    await shelf.handed(first[0], keep=False, now=clock.now())
    rest = await other.claim(MAIL, now=clock.now(), most=10)
    ids = [one.delivery_id for one in (*first, *rest)]

    assert (len(first), blocked, len(rest)) == (1, (), 2)
    assert ids == sorted(ids)
    assert {one.account.account_id for one in rest if one.account} == {alice.account_id}
    assert await shelf.claim(CarrierName.SMS, now=clock.now(), most=10) == ()


async def test_a_look_says_for_which_carriers_something_is_due_and_takes_nothing(
    store: SqlStore,
    shelf: SqlDeliveries,
    other: SqlDeliveries,
    alice: Customer,
    clock: SteerableClock,
) -> None:
    """Prevents: a message that is due, and whose carrier is not woken."""

    async def due(at: datetime) -> frozenset[CarrierName]:
        return await other.due(CarrierName, now=at)

    assert await due(clock.now()) == frozenset()
    await deal(store)
    assert await due(clock.now()) == {MAIL}
    assert await other.due([CarrierName.SMS], now=clock.now()) == frozenset()
    claimed = await shelf.claim(MAIL, now=clock.now(), most=10)
    assert {one.account.account_id for one in claimed if one.account} == {alice.account_id}
    assert await due(clock.now()) == frozenset()
    later = clock.now() + timedelta(minutes=5)
    await shelf.put_off(claimed[0], Fault.PUT_OFF, due_at=later)
    await shelf.dead(claimed[1], Fault.REFUSED, now=clock.now())
    await shelf.handed(claimed[2], keep=True, now=clock.now())
    assert await due(clock.now()) == frozenset()
    assert await due(later) == {MAIL}


@both_versions
@pytest.mark.usefixtures("alice")
async def test_what_one_carrier_put_off_is_not_read_to_see_what_is_due(
    store: SqlStore, clock: SteerableClock, database: TestDatabase
) -> None:
    """Prevents: a million that a mail server put off, after which no carrier is woken in time."""
    await deal(store)
    await database.execute(
        "INSERT INTO delivery (subject, name, lane, carrier, rank, owes, box, due_at)"
        " SELECT subject, name || n, lane || n, carrier, rank, owes, box, $1"
        " FROM delivery, generate_series(1, 2000) n",
        clock.now() + timedelta(minutes=30),
    )
    await database.execute("ANALYZE delivery")
    times = clock.now(), clock.now() + RETRY_LONGEST, CLAIM
    asked: list[tuple[str, list[object]]] = [
        (deliveries._DUE, [["mail", "sms", "none"]]),  # noqa: SLF001 - what each look asks
        (deliveries._CLAIM, ["mail", 10]),  # noqa: SLF001 - what each claim asks
    ]
    for sql, more in asked:
        plan = await database.fetch(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *times, *more)
        passed_over = re.findall(r'"Rows Removed by Filter": ([0-9]+)', plan[0][0])
        assert sum(map(int, passed_over)) < 10, sql


async def test_what_is_to_be_tried_again_goes_in_turn_with_what_is_new(
    store: SqlStore, shelf: SqlDeliveries, clock: SteerableClock, database: TestDatabase
) -> None:
    """The first of all goes first, however it came to be due, and codes before all others."""
    customer = await opened(store, clock)
    for _ in range(6):
        await store.run(withdrawal(customer, new_action(customer)))
    await deal(store)
    first, second, third, *_ = await shelf.claim(MAIL, now=clock.now(), most=10)
    at = clock.now() + timedelta(minutes=5)
    for tried, minutes in ((third, 1), (first, 3), (second, 4)):
        await shelf.put_off(tried, Fault.PUT_OFF, due_at=clock.now() + timedelta(minutes=minutes))
    await database.execute("UPDATE delivery SET claimed_until = NULL")
    await database.execute("UPDATE delivery SET rank = 0 WHERE id = $1", second.delivery_id)
    claimed = await shelf.claim(MAIL, now=at, most=3)

    assert [one.name for one in claimed] == [second.name, first.name, third.name]


async def test_what_is_not_taken_waits_and_is_tried_again_with_its_attempts(
    store: SqlStore,
    alice: Customer,
    shelf: SqlDeliveries,
    clock: SteerableClock,
) -> None:
    await deal(store)
    claimed = await shelf.claim(MAIL, now=clock.now(), most=10)
    due = clock.now() + timedelta(minutes=5)
    await shelf.put_off(claimed[0], Fault.PUT_OFF, due_at=due)
    await shelf.give_back(claimed[1:])
    await shelf.give_back(())
    again = await shelf.claim(MAIL, now=clock.now(), most=10)
    await shelf.give_back(again)
    later = await shelf.claim(MAIL, now=due, most=10)

    assert [one.name for one in again] == [one.name for one in claimed[1:]]
    assert [(one.name, one.attempts) for one in later] == [
        (one.name, int(one is claimed[0])) for one in claimed
    ]


async def test_a_process_that_is_late_changes_nothing(
    store: SqlStore,
    alice: Customer,
    shelf: SqlDeliveries,
    other: SqlDeliveries,
    clock: SteerableClock,
    database: TestDatabase,
) -> None:
    await deal(store)
    late = await shelf.claim(MAIL, now=clock.now(), most=10)
    await database.execute("UPDATE delivery SET claimed_until = clock_timestamp() - interval '1s'")
    mine = await other.claim(MAIL, now=clock.now(), most=10)
    now = clock.now()
    await shelf.handed(late[0], keep=False, now=now)
    await shelf.dead(late[1], Fault.REFUSED, now=now)
    await shelf.put_off(late[2], Fault.PUT_OFF, due_at=now + timedelta(days=1))
    await shelf.give_back(late)

    assert len(mine) == 3
    assert await rows(database) == {"waiting": 3}
    assert await shelf.claim(MAIL, now=now, most=10) == ()


@pytest.mark.usefixtures("alice")
async def test_what_a_late_process_notes_at_that_moment_is_not_claimed(
    store: SqlStore, shelf: SqlDeliveries, clock: SteerableClock, database: TestDatabase
) -> None:
    """Its claim is over, and the message was taken all the same: nobody is sent it twice."""
    await deal(store)
    async with database.app() as late, late.transaction():
        await late.execute("UPDATE delivery SET state = 'handed', claimed_until = NULL")
        claims = asyncio.create_task(shelf.claim(MAIL, now=clock.now(), most=10))
        await database.somebody_waits_for_a_lock()

    assert await claims == ()
    assert await rows(database) == {"handed": 3}


@pytest.mark.parametrize(
    "ahead",
    [
        "claimed_until = clock_timestamp() + interval '1 year'",
        "due_at = clock_timestamp() + interval '1 year'",
    ],
)
async def test_what_was_written_before_a_clock_was_set_back_keeps_no_message_waiting(
    store: SqlStore,
    alice: Customer,
    shelf: SqlDeliveries,
    clock: SteerableClock,
    database: TestDatabase,
    ahead: str,
) -> None:
    """Prevents: a veto notice that is never sent, and a channel that hears nothing for a year."""
    await deal(store, owes=True)
    await database.execute(
        f"UPDATE delivery SET {ahead} WHERE id = (SELECT min(id) FROM delivery)"  # noqa: S608 - our own text
    )
    claimed = await shelf.claim(MAIL, now=clock.now(), most=10)
    assert len(claimed) == 3
    for one in claimed:
        await shelf.dead(one, Fault.REFUSED, now=clock.now())
    await database.execute("UPDATE delivery SET claimed_until = clock_timestamp() + '1 year'")
    assert len(await shelf.owed(most=10)) == 3
    assert await shelf.owed(most=10) == ()


async def test_dead_messages_are_shown_and_can_be_tried_again(
    store: SqlStore,
    alice: Customer,
    shelf: SqlDeliveries,
    clock: SteerableClock,
) -> None:
    await deal(store)
    claimed = await shelf.claim(MAIL, now=clock.now(), most=2)
    for one in claimed:
        await shelf.dead(one, Fault.REFUSED, now=clock.now())
    await shelf.give_back(await shelf.claim(MAIL, now=clock.now(), most=10))
    listed = await shelf.listed(most=10)
    ((carrier, waiting, dead, oldest),) = await shelf.counted()
    revived = await shelf.revive(now=clock.now())

    assert {(one.account_id, one.fault, one.channel, one.attempts) for one in listed} == {
        (alice.account_id, "refused", "desktop", 1)
    }
    assert (carrier, waiting, dead) == ("mail", 1, 2)
    assert oldest >= 0
    assert revived == 2
    assert await shelf.listed(most=10) == ()
    assert len(await shelf.claim(MAIL, now=clock.now(), most=10)) == 3


@pytest.mark.parametrize("kept", [False, True], ids=["mail", "its carrier tells later"])
async def test_what_an_account_is_to_hear_is_kept_until_it_has(
    store: SqlStore,
    alice: Customer,
    shelf: SqlDeliveries,
    clock: SteerableClock,
    database: TestDatabase,
    *,
    kept: bool,
) -> None:
    await deal(store, owes=True)
    if kept:
        await database.execute("UPDATE delivery SET carrier = 'sms'")
    carrier = CarrierName.SMS if kept else MAIL
    claimed = await shelf.claim(carrier, now=clock.now(), most=2)
    await shelf.handed(claimed[0], keep=kept, now=clock.now())
    await shelf.dead(claimed[1], Fault.REFUSED, now=clock.now())
    owed = await shelf.owed(most=10)

    assert [one.handed for one in owed] == [True, False]
    assert await shelf.owed(most=10) == ()
    for one in owed:
        await shelf.paid(one)
    assert await rows(database) == ({"handed": 1} if kept else {}) | {"dead": 1, "waiting": 1}
    assert await shelf.owed(most=10) == ()


async def test_what_is_tried_again_and_arrives_is_heard_as_well(
    store: SqlStore, alice: Customer, shelf: SqlDeliveries, clock: SteerableClock
) -> None:
    """Prevents: a wait that stays longer though word of it came, for an operator repaired it."""
    await deal(store, owes=True)
    (claimed,) = await shelf.claim(MAIL, now=clock.now(), most=1)
    await shelf.dead(claimed, Fault.REFUSED, now=clock.now())
    (failed,) = await shelf.owed(most=10)
    await shelf.paid(failed)
    await shelf.revive(now=clock.now())
    assert await shelf.owed(most=10) == ()
    (again,) = await shelf.claim(MAIL, now=clock.now(), most=1)
    await shelf.handed(again, keep=False, now=clock.now())
    (handed,) = await shelf.owed(most=10)
    await shelf.paid(handed)

    assert again.name == claimed.name
    assert (failed.handed, handed.handed) == (False, True)
    assert await shelf.owed(most=10) == ()


async def test_what_fails_while_it_is_noted_as_handed_on_is_heard_last(
    store: SqlStore, alice: Customer, shelf: SqlDeliveries, clock: SteerableClock
) -> None:
    """Prevents: a failure that a provider tells in a hurry, and that is written over."""
    await deal(store, owes=True)
    (claimed,) = await shelf.claim(MAIL, now=clock.now(), most=1)
    await shelf.handed(claimed, keep=True, now=clock.now())
    (noted,) = await shelf.owed(most=10)
    await shelf.bounced(claimed.name)
    await shelf.paid(noted)
    (left,) = await shelf.owed(most=10)
    await shelf.paid(left)

    assert (noted.handed, left.handed) == (True, False)
    assert await shelf.owed(most=10) == ()
    assert [one.name for one in await shelf.listed(most=9)] == [claimed.name]


async def test_what_nobody_takes_for_long_is_heard_once_and_is_still_sent(
    store: SqlStore,
    alice: Customer,
    shelf: SqlDeliveries,
    clock: SteerableClock,
    database: TestDatabase,
) -> None:
    """Prevents: a mail server that is down for a day, and changes of which nobody hears in time."""
    await deal(store, owes=True)
    assert await shelf.owed(most=10) == ()
    await database.execute("UPDATE delivery SET at = at - $1::interval", deliveries.LATE)
    late = await shelf.owed(most=10)
    for one in late:
        await shelf.paid(one)
    await database.execute("UPDATE delivery SET claimed_until = NULL")

    assert [(one.handed, one.awaited) for one in late] == [(False, True)] * 3
    assert await shelf.owed(most=10) == ()
    claimed = await shelf.claim(MAIL, now=clock.now(), most=2)
    await shelf.handed(claimed[0], keep=False, now=clock.now())
    await shelf.dead(claimed[1], Fault.REFUSED, now=clock.now())
    assert [(one.handed, one.awaited) for one in await shelf.owed(most=10)] == [
        (True, False),
        (False, False),
    ]


async def test_that_a_delay_was_heard_frees_nobody_else_s_message(
    store: SqlStore,
    alice: Customer,
    shelf: SqlDeliveries,
    clock: SteerableClock,
    database: TestDatabase,
) -> None:
    """Prevents: a message that is sent twice, since a slow look-up gave it back."""
    await deal(store, owes=True)
    await database.execute("UPDATE delivery SET at = at - $1::interval", deliveries.LATE)
    late = await shelf.owed(most=10)
    await database.execute("UPDATE delivery SET claimed_until = NULL")
    claimed = await shelf.claim(MAIL, now=clock.now(), most=10)
    for one in late:
        await shelf.paid(one)
    await shelf.handed(claimed[0], keep=False, now=clock.now())

    assert await rows(database) == {"handed": 1, "waiting": 2}


async def test_whether_a_carrier_is_to_say_what_became_of_a_message_is_kept(
    store: SqlStore, alice: Customer, shelf: SqlDeliveries, clock: SteerableClock
) -> None:
    await deal(store, owes=True)
    first, second, third = await shelf.claim(MAIL, now=clock.now(), most=10)
    await shelf.handed(first, keep=True, now=clock.now(), awaited=True)
    await shelf.handed(second, keep=True, now=clock.now())
    await shelf.handed(third, keep=True, now=clock.now(), awaited=True)
    await shelf.bounced(third.name)

    assert [(one.handed, one.awaited) for one in await shelf.owed(most=10)] == [
        (True, True),
        (True, False),
        (False, False),
    ]


@pytest.mark.parametrize("heard", [False, True])
async def test_what_an_account_is_yet_to_hear_is_not_forgotten(
    store: SqlStore,
    alice: Customer,
    shelf: SqlDeliveries,
    clock: SteerableClock,
    database: TestDatabase,
    *,
    heard: bool,
) -> None:
    await deal_by_sms(store, database, owes=True)
    (claimed,) = await shelf.claim(CarrierName.SMS, now=clock.now(), most=1)
    await shelf.handed(claimed, keep=True, now=clock.now())
    if heard:
        (owed,) = await shelf.owed(most=10)
        await shelf.paid(owed)
    forgotten = await shelf.forget(now=clock.now() + deliveries.KEPT + timedelta(1), most=10)

    assert forgotten == int(heard)


async def test_what_a_carrier_says_later_ends_or_bounces_a_message(
    store: SqlStore,
    alice: Customer,
    shelf: SqlDeliveries,
    clock: SteerableClock,
    database: TestDatabase,
) -> None:
    await deal_by_sms(store, database)
    claimed = await shelf.claim(CarrierName.SMS, now=clock.now(), most=10)
    for one in claimed:
        await shelf.handed(one, keep=True, now=clock.now())
    named = await shelf.named(claimed[0].name)
    await shelf.arrived(claimed[0].name)
    await shelf.bounced(claimed[1].name)

    assert named is not None
    assert named.parcel == claimed[0].parcel
    assert await shelf.named(claimed[0].name) is None
    assert await rows(database) == {"dead": 1, "handed": 1}
    assert await shelf.named(claimed[1].name) is None  # It was heard.
    assert await shelf.forget(now=clock.now(), most=10) == 0
    assert await shelf.forget(now=clock.now() + deliveries.KEPT + timedelta(1), most=10) == 1


async def test_a_carrier_that_speaks_before_its_answer_was_noted_is_heard(
    store: SqlStore,
    alice: Customer,
    shelf: SqlDeliveries,
    clock: SteerableClock,
    database: TestDatabase,
) -> None:
    """Prevents: a failure that is told at once, and taken for a message of nobody's."""
    await deal_by_sms(store, database)
    claimed = await shelf.claim(CarrierName.SMS, now=clock.now(), most=10)
    named = await shelf.named(claimed[0].name)
    await shelf.arrived(claimed[0].name)
    await shelf.bounced(claimed[1].name)
    for one in claimed:
        await shelf.handed(one, keep=True, now=clock.now())

    assert named is not None
    assert await rows(database) == {"dead": 1, "handed": 1}
    assert [(one.name, one.fault) for one in await shelf.listed(most=9)] == [
        (claimed[1].name, "refused")
    ]


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE delivery SET box = 'x'",
        "UPDATE delivery SET name = 'ntc_' || id",
    ],
    ids=["another box", "another name"],
)
async def test_a_message_that_does_not_open_is_left_and_counted(
    store: SqlStore,
    alice: Customer,
    shelf: SqlDeliveries,
    clock: SteerableClock,
    database: TestDatabase,
    edit: str,
) -> None:
    """Prevents: somebody with the database who writes to customers, or moves a link elsewhere."""
    await deal(store, owes=True)
    await _as_owner(database, edit)

    assert await shelf.claim(MAIL, now=clock.now(), most=10) == ()
    assert shelf.unopened == 3
    await _as_owner(database, "UPDATE delivery SET state = 'handed', claimed_until = NULL")
    assert await shelf.owed(most=10) == ()
    assert shelf.unopened == 6


async def _as_owner(database: TestDatabase, statement: str) -> None:
    async with database.owner() as owner:
        await owner.execute(f"SET search_path TO twinlock; {statement}")


async def test_what_is_over_is_forgotten_whatever_there_is_of_it_and_the_dead_later(
    store: SqlStore,
    alice: Customer,
    shelf: SqlDeliveries,
    clock: SteerableClock,
    database: TestDatabase,
) -> None:
    """Prevents: more text messages in an hour than are forgotten in one, so that all stay."""
    await deal_by_sms(store, database)
    handed, other, dead = await shelf.claim(CarrierName.SMS, now=clock.now(), most=3)
    for one in (handed, other):
        await shelf.handed(one, keep=True, now=clock.now())
    await shelf.dead(dead, Fault.REFUSED, now=clock.now())
    later = clock.now() + timedelta(1)

    assert await shelf.forget(now=later + deliveries.KEPT, most=1) == 2
    assert await rows(database) == {"dead": 1}
    almost = clock.now() + deliveries.DEAD_KEPT - timedelta(hours=1)
    assert await shelf.forget(now=almost, most=1) == 0
    assert await shelf.forget(now=later + deliveries.DEAD_KEPT, most=1) == 1
