"""The outbox: every message is handed on at least once, and none keeps another one waiting."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from support.postgres import TestDatabase, both_versions
from support.stores import (
    Customer,
    SteerableClock,
    new_action,
    open_store,
    opened,
    withdrawal,
)

from twinlock.adapters.keyring import Keyring
from twinlock.adapters.sql import connections, outbox
from twinlock.adapters.sql.outbox import Outbox
from twinlock.adapters.sql.store import SqlStore
from twinlock.domain.errors import TwinlockError, UnavailableError
from twinlock.domain.notices import NoticeKind
from twinlock.ports import Outgoing


class Post:
    """Where messages are handed on to; it refuses those that a test says."""

    def __init__(self) -> None:
        self.got: list[Outgoing] = []
        self.refuses: dict[int, BaseException] = {}

    async def send(self, outgoing: Outgoing) -> None:
        self.got.append(outgoing)
        fault = self.refuses.get(outgoing.outbox_id)
        if fault is not None:
            raise fault

    @property
    def ids(self) -> list[int]:
        return [one.outbox_id for one in self.got]


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
async def alice(store: SqlStore, clock: SteerableClock, database: TestDatabase) -> Customer:
    """A customer with three messages on their way."""
    customer = await opened(store, clock)
    await database.execute("DELETE FROM outbox")
    for _ in range(3):
        await store.run(withdrawal(customer, new_action(customer)))
    return customer


async def waiting(database: TestDatabase) -> list[int]:
    return [row["id"] for row in await database.fetch("SELECT id FROM outbox ORDER BY id")]


@both_versions
async def test_messages_are_handed_on_in_order_and_once(
    store: SqlStore, alice: Customer, database: TestDatabase, post: Post
) -> None:
    letters = await waiting(database)
    relay = Outbox(store)

    sent = await relay.deliver(post.send, most=10)
    again = await relay.deliver(post.send, most=10)

    assert (sent, again) == (3, 0)
    assert post.ids == letters
    assert {one.account_id for one in post.got} == {alice.account_id}
    assert {one.notice.kind for one in post.got} == {NoticeKind.LEFT}
    assert await waiting(database) == []


async def test_no_more_are_handed_on_than_asked_for(
    store: SqlStore, alice: Customer, database: TestDatabase, post: Post
) -> None:
    letters = await waiting(database)
    relay = Outbox(store)

    assert await relay.deliver(post.send, most=0) == 0
    assert await relay.deliver(post.send, most=2) == 2
    assert await waiting(database) == letters[2:]
    assert await relay.deliver(post.send, most=2) == 1


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE outbox SET box = 'x' WHERE id = $1",
        "UPDATE outbox SET serial = 'another' WHERE id = $1",
        "UPDATE outbox SET box = (SELECT box FROM outbox WHERE id = $1 + 1) WHERE id = $1",
    ],
    ids=["another box", "another serial", "another message's box"],
)
async def test_a_message_that_does_not_open_is_left_and_counted_and_keeps_nobody_waiting(
    store: SqlStore, alice: Customer, database: TestDatabase, post: Post, edit: str
) -> None:
    broken, second, third = await waiting(database)
    await database.execute(edit, broken)
    relay = Outbox(store)

    sent = [await relay.deliver(post.send, most=1) for _ in range(4)]

    assert sent == [0, 1, 1, 0]
    assert post.ids == [second, third]
    assert relay.unopened == 1
    assert await waiting(database) == [broken]
    await relay.deliver(post.send, most=1)
    assert relay.unopened == 2


@pytest.mark.parametrize("fault", [TwinlockError("refused"), OSError("no disk"), TimeoutError()])
async def test_a_message_that_is_refused_is_left_and_tried_again_after_the_others(
    store: SqlStore, alice: Customer, database: TestDatabase, post: Post, fault: Exception
) -> None:
    first, second, third = await waiting(database)
    post.refuses[first] = fault
    relay = Outbox(store)

    assert await relay.deliver(post.send, most=2) == 1
    assert await relay.deliver(post.send, most=2) == 1
    post.refuses.clear()
    assert await relay.deliver(post.send, most=2) == 1

    assert post.ids == [first, second, third, first]
    assert relay.refused == 1
    assert await waiting(database) == []


async def test_a_message_that_takes_for_ever_is_given_up_and_left(
    store: SqlStore,
    alice: Customer,
    database: TestDatabase,
    post: Post,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox, "SEND_SECONDS", 0.05)
    first = (await waiting(database))[0]

    async def send(outgoing: Outgoing) -> None:
        if outgoing.outbox_id == first:
            await asyncio.Event().wait()
        await post.send(outgoing)

    relay = Outbox(store)

    assert await relay.deliver(send, most=10) == 2
    assert relay.refused == 1
    assert await waiting(database) == [first]


async def test_a_relay_that_breaks_leaves_its_messages_to_the_next(
    store: SqlStore, alice: Customer, database: TestDatabase, post: Post
) -> None:
    letters = await waiting(database)
    post.refuses[letters[1]] = ZeroDivisionError()

    with pytest.raises(ZeroDivisionError):
        await Outbox(store).deliver(post.send, most=10)

    assert await waiting(database) == letters
    post.refuses.clear()
    assert await Outbox(store).deliver(post.send, most=10) == 3
    assert post.ids == [*letters[:2], *letters]


async def test_a_relay_whose_connection_is_lost_leaves_its_messages_to_the_next(
    store: SqlStore, alice: Customer, database: TestDatabase, post: Post
) -> None:
    letters = await waiting(database)
    relay = Outbox(store)

    async def send(outgoing: Outgoing) -> None:
        await post.send(outgoing)
        await database.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name = 'twinlock' AND state = 'idle in transaction'"
        )

    with pytest.raises(UnavailableError):
        await relay.deliver(send, most=10)

    assert await waiting(database) == letters
    assert await relay.deliver(post.send, most=10) == 3


@pytest.fixture
async def other(
    database: TestDatabase, keyring: Keyring, clock: SteerableClock
) -> AsyncIterator[SqlStore]:
    """A second process, as far as the database can tell."""
    async with open_store(database.app_dsn, keyring, clock) as second:
        yield second


@both_versions
async def test_two_relays_at_once_hand_on_no_message_twice(
    store: SqlStore, other: SqlStore, alice: Customer, database: TestDatabase, post: Post
) -> None:
    letters = await waiting(database)
    in_hand, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(outgoing: Outgoing) -> None:
        in_hand.set()
        await go_on.wait()
        await post.send(outgoing)

    slow = asyncio.create_task(Outbox(store).deliver(slowly, most=2))
    await in_hand.wait()
    assert await Outbox(other).deliver(post.send, most=10) == 1
    go_on.set()

    assert await slow == 2
    assert post.ids == [letters[2], *letters[:2]]


@pytest.fixture
async def impatient(
    database: TestDatabase,
    keyring: Keyring,
    clock: SteerableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[SqlStore]:
    """A store whose transactions may idle for 50 ms only."""
    monkeypatch.setitem(connections.SETTINGS, "idle_in_transaction_session_timeout", "50")
    async with open_store(database.app_dsn, keyring, clock) as opened_last:
        yield opened_last


async def test_a_relay_may_take_longer_over_a_message_than_a_batch_may_idle(
    store: SqlStore, alice: Customer, impatient: SqlStore, database: TestDatabase, post: Post
) -> None:
    async def send(outgoing: Outgoing) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + 0.1
        while loop.time() < until:
            await database.value("SELECT 1")
        await post.send(outgoing)

    assert await Outbox(impatient).deliver(send, most=10) == 3
