"""What endpoints are told, in which order, and what a failing one costs: itself alone."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import structlog
from support.hooks import Hooks, authorized, hooks_on, until
from support.postgres import TestDatabase, both_versions
from support.receivers import Receiver, raw, receiving, status
from support.stores import (
    Customer,
    SteerableClock,
    new_action,
    opened,
    spend,
    touching,
    withdrawal,
)

from twinlock.adapters.sql.store import SqlStore
from twinlock.domain.errors import ClockUntrustedError
from twinlock.domain.webhooks.endpoints import PAUSE_MOST, RETRIES_MOST, RETRY_AFTER, Disabled
from twinlock.services.webhooks import delivery as webhook_delivery

LATER = timedelta(seconds=7)  # Past the first retry with all of its jitter.


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@pytest.fixture
async def hooks(store: SqlStore, clock: SteerableClock) -> Hooks:
    return hooks_on(store, clock)


@pytest.fixture
async def alice(store: SqlStore, clock: SteerableClock) -> Customer:
    return await opened(store, clock)


# --- While nothing fails ---


@both_versions
async def test_what_is_decided_is_told_once_in_the_order_of_the_log(
    hooks: Hooks, receiver: Receiver, alice: Customer
) -> None:
    shown = await hooks.add(receiver)
    indexes = await authorized(hooks.store, alice, 3)

    await hooks.deliver()
    await hooks.deliver()

    assert receiver.indexes == indexes
    assert {one.value["type"] for one in receiver.got} == {"action.authorized"}
    assert all(one.verified_by(shown.secret) for one in receiver.got)


async def test_an_endpoint_begins_at_the_end_of_the_log(
    hooks: Hooks, receiver: Receiver, alice: Customer
) -> None:
    await authorized(hooks.store, alice, 2)
    await hooks.add(receiver)

    await hooks.deliver()
    assert receiver.got == []

    indexes = await authorized(hooks.store, alice, 1)
    await hooks.deliver()
    assert receiver.indexes == indexes


async def test_more_than_one_read_of_the_log_is_told_in_order(
    hooks: Hooks, receiver: Receiver, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_delivery, "READ_MOST", 3)
    await hooks.add(receiver)
    indexes = await authorized(hooks.store, alice, 4) + await authorized(hooks.store, alice, 4)

    await hooks.deliver()

    assert receiver.indexes == indexes
    assert {one.connection for one in receiver.got} == {1}


async def test_an_endpoint_is_told_of_what_it_asked_for_alone(
    hooks: Hooks, receiver: Receiver, alice: Customer
) -> None:
    shown = await hooks.add(receiver, "action.spent", "account.*")
    action = new_action(alice)
    await hooks.store.run(withdrawal(alice, action))
    await hooks.store.run(touching(alice))
    await hooks.store.run(spend(alice, action))
    await opened(hooks.store, hooks.clock)

    await hooks.deliver()

    assert [one.value["type"] for one in receiver.got] == ["action.spent", "account.opened"]
    assert (await hooks.listed(shown.webhook_id)).behind == 0


async def test_a_turn_that_takes_long_goes_on_in_the_next(
    hooks: Hooks, receiver: Receiver, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = itertools.count(step=10)  # Every look at the clock is a turn later.
    monkeypatch.setattr(hooks.delivery, "_seconds", lambda: float(next(seconds)))
    shown = await hooks.add(receiver)
    await authorized(hooks.store, alice, 2)

    assert await hooks.look() == 1

    assert receiver.got == []
    assert (await hooks.listed(shown.webhook_id)).behind == 2


async def test_no_attempt_is_begun_once_the_turn_is_over(
    hooks: Hooks, receiver: Receiver, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hooks.add(receiver)
    indexes = await authorized(hooks.store, alice, 4)
    receiver.answers.extend([status(500), status(500)])
    await hooks.deliver()
    hooks.clock.advance(LATER)
    more = await authorized(hooks.store, alice, 2)

    def each_takes_the_whole_turn() -> float:
        return len(receiver.got) * webhook_delivery.TURN_SECONDS

    monkeypatch.setattr(hooks.delivery, "_seconds", each_takes_the_whole_turn)
    sent = []
    while await hooks.look():
        sent.append(len(receiver.got))

    assert sent == [6, 8]  # Of each turn one that is tried again, and one that is new.
    assert sorted(receiver.indexes[4::2]) == indexes[:2]
    assert receiver.indexes[5::2] == more


async def test_how_far_a_turn_came_is_kept_while_it_lasts(
    hooks: Hooks, receiver: Receiver, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_delivery, "SAVE_SECONDS", 0.0)
    shown = await hooks.add(receiver)
    indexes = await authorized(hooks.store, alice, 3)
    seen: list[int] = []

    async def look(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await hooks.listed(shown.webhook_id)).position)
        await status(200)(reader, writer)

    receiver.otherwise = look
    await hooks.deliver()

    assert seen == indexes


# --- What fails is tried again ---


async def test_what_failed_is_tried_again_under_its_id_and_holds_nothing_up(
    hooks: Hooks, receiver: Receiver, alice: Customer
) -> None:
    shown = await hooks.add(receiver)
    first, second = await authorized(hooks.store, alice, 2)
    receiver.answers.append(status(500))

    await hooks.deliver()
    assert receiver.indexes == [first, second]
    assert (await hooks.listed(shown.webhook_id)).retries == 1

    hooks.clock.advance(LATER)
    await hooks.deliver()

    assert receiver.indexes == [first, second, first]
    again = receiver.got[2]
    assert again.message_id == receiver.got[0].message_id
    assert again.body == receiver.got[0].body
    assert again.headers["webhook-timestamp"] > receiver.got[0].headers["webhook-timestamp"]
    assert again.verified_by(shown.secret)
    assert (await hooks.listed(shown.webhook_id)).retries == 0


async def test_nothing_is_tried_again_before_its_time(
    hooks: Hooks, receiver: Receiver, alice: Customer
) -> None:
    await hooks.add(receiver)
    await authorized(hooks.store, alice, 1)
    receiver.answers.append(raw(b"", end="reset"))

    await hooks.deliver()
    hooks.clock.advance(timedelta(seconds=4))
    await hooks.deliver()

    assert len(receiver.got) == 1


async def test_a_message_is_tried_ten_times_by_the_schedule_then_kept_dead(
    hooks: Hooks, receiver: Receiver, alice: Customer
) -> None:
    shown = await hooks.add(receiver, "action.authorized")
    await authorized(hooks.store, alice, 1)
    receiver.otherwise = status(500)

    await hooks.deliver()
    for wait in RETRY_AFTER:
        hooks.clock.advance(wait * 1.21)
        await hooks.deliver()
    assert len(receiver.got) == 1 + len(RETRY_AFTER)
    kept = await hooks.listed(shown.webhook_id)
    assert (kept.retries, kept.dead) == (0, 1)

    hooks.clock.advance(timedelta(hours=30))
    await hooks.deliver()
    assert len(receiver.got) == 1 + len(RETRY_AFTER)

    receiver.otherwise = status(200)
    assert await hooks.use.revive(shown.webhook_id) == 1
    await hooks.deliver()
    assert len(set(receiver.ids)) == 1
    assert (await hooks.listed(shown.webhook_id)).dead == 0
    assert hooks.metrics()["twinlock_webhook_dead_total"] == 1


async def test_an_endpoint_that_is_down_keeps_what_follows_in_the_log(
    hooks: Hooks, receiver: Receiver, alice: Customer
) -> None:
    shown = await hooks.add(receiver)
    indexes = await authorized(hooks.store, alice, 6)
    receiver.otherwise = status(503)

    await hooks.deliver()
    assert receiver.indexes == indexes[:3]
    kept = await hooks.listed(shown.webhook_id)
    assert (kept.retries, kept.behind) == (3, 3)
    assert kept.failing_since is not None

    receiver.otherwise = status(200)
    hooks.clock.advance(LATER)
    await hooks.deliver()

    # Due again, by their jitter; the first of them that is taken ends the pause.
    assert sorted(receiver.indexes[3:6]) == indexes[:3]
    assert receiver.indexes[6:] == indexes[3:]
    kept = await hooks.listed(shown.webhook_id)
    assert (kept.retries, kept.behind, kept.failing_since) == (0, 0, None)


async def test_an_endpoint_that_stays_down_is_tried_ever_more_rarely_and_not_too_rarely(
    hooks: Hooks, receiver: Receiver, alice: Customer
) -> None:
    shown = await hooks.add(receiver)
    await authorized(hooks.store, alice, 20)
    receiver.otherwise = status(503)
    await hooks.deliver()

    positions = []
    for _ in range(10):
        hooks.clock.advance(PAUSE_MOST * 1.21)
        await hooks.deliver()
        positions.append((await hooks.listed(shown.webhook_id)).behind)

    assert positions == list(range(16, 6, -1))  # One message more for each pause.


async def test_messages_to_be_tried_again_are_bounded_and_the_rest_waits_in_the_log(
    hooks: Hooks, receiver: Receiver, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_delivery, "RETRIES_MOST", 2)
    shown = await hooks.add(receiver)
    indexes = await authorized(hooks.store, alice, 5)
    receiver.answers.extend([status(500), status(200), status(500), status(200), status(500)])

    await hooks.look()
    assert receiver.indexes == indexes
    kept = await hooks.listed(shown.webhook_id)
    assert (kept.retries, kept.behind) == (2, 1)

    hooks.clock.advance(LATER)
    await hooks.deliver()
    assert sorted(receiver.indexes[5:]) == [indexes[0], indexes[2], indexes[4]]


async def test_an_endpoint_that_is_gone_is_disabled_and_goes_on_where_it_stood(
    hooks: Hooks, receiver: Receiver, alice: Customer
) -> None:
    shown = await hooks.add(receiver)
    indexes = await authorized(hooks.store, alice, 2)
    receiver.answers.append(status(410))

    with structlog.testing.capture_logs() as logs:
        await hooks.deliver()
    hooks.clock.advance(timedelta(days=1))
    await hooks.deliver()

    assert receiver.indexes == indexes[:1]
    assert (await hooks.listed(shown.webhook_id)).disabled is Disabled.GONE
    assert [one["webhook"] for one in logs if one["event"] == "webhook_disabled"] == [
        shown.webhook_id
    ]

    await hooks.use.enable(shown.webhook_id)
    await hooks.deliver()
    assert receiver.indexes == [indexes[0], *indexes]


async def test_a_gone_on_a_second_attempt_loses_nothing_either(
    hooks: Hooks, receiver: Receiver, alice: Customer
) -> None:
    shown = await hooks.add(receiver)
    (index,) = await authorized(hooks.store, alice, 1)
    receiver.answers.extend([status(500), status(410)])
    await hooks.deliver()
    hooks.clock.advance(LATER)
    await hooks.deliver()
    assert (await hooks.listed(shown.webhook_id)).disabled is Disabled.GONE

    await hooks.use.enable(shown.webhook_id)
    await hooks.deliver()

    assert receiver.indexes == [index] * 3
    assert (await hooks.listed(shown.webhook_id)).retries == 0


async def test_an_endpoint_that_failed_for_days_is_disabled(
    hooks: Hooks, receiver: Receiver, alice: Customer
) -> None:
    shown = await hooks.add(receiver)
    await authorized(hooks.store, alice, 1)
    receiver.otherwise = status(500)
    await hooks.deliver()

    hooks.clock.advance(timedelta(days=5, minutes=1))
    await hooks.deliver()

    assert (await hooks.listed(shown.webhook_id)).disabled is Disabled.FAILING


# --- What an operator does meanwhile ---


async def test_a_rotated_secret_signs_beside_the_older_one_until_that_is_over(
    hooks: Hooks, receiver: Receiver, alice: Customer
) -> None:
    old = await hooks.add(receiver)
    new = await hooks.use.rotate(old.webhook_id, overlap=timedelta(hours=1))
    await authorized(hooks.store, alice, 1)
    await hooks.deliver()
    hooks.clock.advance(timedelta(hours=1))
    await authorized(hooks.store, alice, 1)
    await hooks.deliver()

    both, *_, one = receiver.got
    assert both.verified_by(old.secret)
    assert both.verified_by(new.secret)
    assert not one.verified_by(old.secret)
    assert one.verified_by(new.secret)


async def test_an_endpoint_that_is_removed_while_it_is_sent_to_gets_no_more(
    hooks: Hooks,
    receiver: Receiver,
    alice: Customer,
    database: TestDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webhook_delivery, "SAVE_SECONDS", 0.0)
    shown = await hooks.add(receiver)
    await authorized(hooks.store, alice, 3)

    async def remove(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hooks.use.remove(shown.webhook_id)
        await status(500)(reader, writer)

    receiver.answers.append(remove)
    await hooks.deliver()

    assert len(receiver.got) == 1
    assert await database.value("SELECT count(*) FROM webhook_retry") == 0


async def test_a_replay_begins_anew_whatever_is_being_sent(
    hooks: Hooks, receiver: Receiver, alice: Customer
) -> None:
    shown = await hooks.add(receiver)
    indexes = await authorized(hooks.store, alice, 3)
    await hooks.deliver()
    more = await authorized(hooks.store, alice, 1)

    async def replay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hooks.use.replay(shown.webhook_id, start=indexes[1])
        await status(200)(reader, writer)

    receiver.answers.append(replay)
    await hooks.deliver()

    assert receiver.indexes == [*indexes, *more, *indexes[1:], *more]
    assert len(set(receiver.ids)) == 4


# --- Clocks ---


@pytest.mark.parametrize("step", [timedelta(days=-30), timedelta(days=30)])
async def test_a_step_of_the_clock_loses_and_doubles_nothing(
    hooks: Hooks, receiver: Receiver, alice: Customer, step: timedelta
) -> None:
    await hooks.add(receiver)
    indexes = await authorized(hooks.store, alice, 1)
    await hooks.deliver()

    hooks.clock.advance(step)
    await hooks.deliver()

    assert receiver.indexes == indexes


async def test_what_was_put_off_before_a_clock_was_set_back_is_not_waited_for(
    hooks: Hooks, receiver: Receiver, alice: Customer, database: TestDatabase
) -> None:
    await hooks.add(receiver)
    indexes = await authorized(hooks.store, alice, 5)
    receiver.answers.extend([status(500)] * 3)
    hooks.clock.advance(timedelta(days=30))
    await hooks.deliver()
    assert receiver.indexes == indexes[:3]

    hooks.clock.advance(timedelta(days=-30))
    await database.execute("UPDATE webhook SET claimed_until = now() + interval '1 hour'")
    await hooks.deliver()

    assert sorted(receiver.indexes[3:]) == indexes


async def test_while_the_clock_is_not_believed_nothing_is_sent_and_nothing_lost(
    hooks: Hooks, receiver: Receiver, alice: Customer
) -> None:
    shown = await hooks.add(receiver)
    indexes = await authorized(hooks.store, alice, 1)
    (claimed,) = await hooks.shelf.claim(now=hooks.clock.now(), apart=(), most=1)
    hooks.clock.fault = ClockUntrustedError("the wall clock jumped")

    with pytest.raises(ClockUntrustedError):
        await hooks.delivery.turn(claimed)

    hooks.clock.fault = None
    assert receiver.got == []
    assert (await hooks.listed(shown.webhook_id)).failing_since is None
    await hooks.deliver()
    assert receiver.indexes == indexes


# --- Beside each other ---


async def test_a_slow_endpoint_delays_no_other_one(
    hooks: Hooks, receiver: Receiver, alice: Customer
) -> None:
    async with receiving() as slow:
        slow.otherwise = raw(b"", end="stay")
        await hooks.add(slow)
        await hooks.add(receiver)
        pumps = hooks.pumps()
        try:
            for count in (1, 2, 3):
                await authorized(hooks.store, alice, 1)
                await pumps.look()
                await receiver.wait_for(count, seconds=2)
                await until(lambda: pumps.busy == 1)
            assert len(slow.got) == 1
        finally:
            await pumps.close()


async def test_ending_a_process_gives_back_what_it_was_at(
    hooks: Hooks, receiver: Receiver, alice: Customer
) -> None:
    await hooks.add(receiver)
    indexes = await authorized(hooks.store, alice, 2)
    receiver.answers.extend([status(200), raw(b"", end="stay")])
    pumps = hooks.pumps()
    await pumps.look()
    await receiver.wait_for(2)

    await pumps.close()
    await hooks.deliver()

    assert receiver.indexes == [*indexes, indexes[1]]


async def test_a_turn_that_breaks_is_logged_by_its_code_and_ends(
    hooks: Hooks, receiver: Receiver, alice: Customer
) -> None:
    await hooks.add(receiver)
    await authorized(hooks.store, alice, 1)
    hooks.store.distrust("somebody put it back")
    pumps = hooks.pumps()

    with structlog.testing.capture_logs() as logs:
        await pumps.look()
        await until(lambda: pumps.busy == 0)

    assert [(one["event"], one["code"]) for one in logs] == [("webhook_waits", "log_damaged")]
    assert receiver.got == []


async def test_a_damaged_entry_holds_nothing_up_and_is_told_once_it_is_mended(
    hooks: Hooks, receiver: Receiver, alice: Customer, database: TestDatabase
) -> None:
    """Prevents: one changed row, by which a desk hears of nobody who is forced later."""
    shown = await hooks.add(receiver)
    indexes = await authorized(hooks.store, alice, 4)
    box = await database.value("SELECT box FROM event WHERE leaf_index = $1", indexes[1])
    await database.execute("UPDATE event SET box = 'x' WHERE leaf_index = $1", indexes[1])

    with structlog.testing.capture_logs() as logs:
        await hooks.deliver()

    assert receiver.indexes == [indexes[0], *indexes[2:]]
    told = [(one["event"], one["index"]) for one in logs if one["log_level"] == "error"]
    assert told == [("webhook_entry_damaged", indexes[1])]
    kept = await hooks.listed(shown.webhook_id)
    assert (kept.retries, kept.dead, kept.failing_since) == (1, 0, None)

    hooks.clock.advance(RETRY_AFTER[0] * 1.21)
    await hooks.deliver()
    assert hooks.metrics()['twinlock_webhook_attempts_total{result="damaged"}'] == 2

    await database.execute("UPDATE event SET box = $2 WHERE leaf_index = $1", indexes[1], box)
    hooks.clock.advance(RETRY_AFTER[1] * 1.21)
    await hooks.deliver()
    assert receiver.indexes == [indexes[0], *indexes[2:], indexes[1]]
    assert (await hooks.listed(shown.webhook_id)).retries == 0


async def test_an_entry_that_stays_damaged_is_dead_in_the_end(
    hooks: Hooks, receiver: Receiver, alice: Customer, database: TestDatabase
) -> None:
    shown = await hooks.add(receiver)
    (index,) = await authorized(hooks.store, alice, 1)
    await database.execute("UPDATE event SET box = 'x' WHERE leaf_index = $1", index)

    await hooks.deliver()
    for wait in RETRY_AFTER:
        hooks.clock.advance(wait * 1.21)
        await hooks.deliver()

    kept = await hooks.listed(shown.webhook_id)
    assert (receiver.got, kept.retries, kept.dead) == ([], 0, 1)


async def test_more_damaged_entries_than_are_kept_stay_in_the_log(
    hooks: Hooks, receiver: Receiver, alice: Customer, database: TestDatabase
) -> None:
    shown = await hooks.add(receiver)
    indexes = await authorized(hooks.store, alice, 2)
    await database.execute("UPDATE event SET box = 'x' WHERE leaf_index = $1", indexes[0])
    await database.execute(
        "INSERT INTO webhook_retry SELECT $1, n, 1, $3, 'status' FROM generate_series(1, $2) n",
        shown.webhook_id,
        RETRIES_MOST,
        hooks.clock.now() + timedelta(days=1),
    )

    assert await hooks.look()

    assert receiver.got == []
    assert await database.value("SELECT position FROM webhook") == indexes[0]


@pytest.mark.requirement("O-33")
async def test_what_is_logged_and_counted_names_no_url_and_no_secret(
    hooks: Hooks, receiver: Receiver, alice: Customer
) -> None:
    shown = await hooks.add(receiver, path="/geheim?token=geheim")
    await authorized(hooks.store, alice, 2)
    receiver.answers.append(status(500))

    with structlog.testing.capture_logs() as logs:
        await hooks.deliver()

    assert [one["event"] for one in logs] == ["webhook_failed", "webhook_delivered"]
    assert logs[0]["fault"] == "status"
    told = repr(logs) + repr(hooks.metrics()) + repr(await hooks.shelf.listed())
    assert "geheim" not in told
    assert shown.secret not in told
    metrics = hooks.metrics()
    assert metrics['twinlock_webhook_attempts_total{result="status"}'] == 1
    assert metrics['twinlock_webhook_attempts_total{result="delivered"}'] == 1
