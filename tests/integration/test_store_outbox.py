"""The outbox: every message is handed on at least once, and none keeps another one waiting."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
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

from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.sql import outbox
from twinlock.adapters.sql.outbox import Outbox
from twinlock.adapters.sql.store import SqlStore
from twinlock.domain.errors import TwinlockError
from twinlock.domain.notices import NoticeKind
from twinlock.ports import (
    Outgoing,
)


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
    assert {one.account.account_id for one in post.got} == {alice.account_id}
    assert {one.notice.kind for one in post.got} == {NoticeKind.LEFT}
    assert await waiting(database) == []


@pytest.mark.usefixtures("alice")
async def test_requests_go_on_between_two_messages(
    store: SqlStore, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents: decisions that fail while a long queue of messages is worked off."""
    monkeypatch.setattr(outbox, "BREATH_SECONDS", 0.0)
    letters = await waiting(database)
    steps: list[str] = []

    async def requests() -> None:
        while len(steps) < 2 * len(letters):
            steps.append("request")
            await asyncio.sleep(0)

    async def send(_: Outgoing) -> None:
        if not steps:
            beside.append(asyncio.create_task(requests()))
        steps.append("message")

    beside: list[asyncio.Task[None]] = []
    assert await Outbox(store).deliver(send, most=10) == 3
    await asyncio.gather(*beside)

    assert steps[:6] == ["message", "request"] * 3


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


@pytest.mark.requirement("O-35")
async def test_a_relay_that_breaks_leaves_its_messages_to_the_next(
    store: SqlStore, alice: Customer, database: TestDatabase, post: Post
) -> None:
    letters = await waiting(database)
    post.refuses[letters[1]] = ZeroDivisionError()

    with pytest.raises(ZeroDivisionError):
        await Outbox(store).deliver(post.send, most=10)

    assert await waiting(database) == letters[1:]
    post.refuses.clear()
    assert await Outbox(store).deliver(post.send, most=10) == 2
    assert post.ids == [*letters[:2], *letters[1:]]


async def test_what_was_sent_and_not_deleted_is_sent_again_when_its_claim_lapses(
    store: SqlStore, alice: Customer, database: TestDatabase, post: Post
) -> None:
    letters = await waiting(database)
    relay = Outbox(store)

    async def send(outgoing: Outgoing) -> None:
        await post.send(outgoing)
        if outgoing.outbox_id == letters[-1]:
            await database.execute("REVOKE DELETE ON outbox FROM twinlock_app")

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await relay.deliver(send, most=10)
    await database.execute("GRANT DELETE ON outbox TO twinlock_app")

    assert await relay.deliver(post.send, most=10) == 0
    await lapse(database)
    assert await relay.deliver(post.send, most=10) == 3
    assert post.ids == [*letters, *letters]


async def lapse(database: TestDatabase) -> None:
    """Let the time of every claim pass."""
    await database.execute("UPDATE outbox SET claimed_until = clock_timestamp() - interval '1 ms'")


async def test_while_a_message_is_handed_on_no_transaction_is_open(
    store: SqlStore, alice: Customer, database: TestDatabase, post: Post
) -> None:
    async def send(outgoing: Outgoing) -> None:
        assert not await database.value(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'twinlock' AND state <> 'idle'"
        )
        await post.send(outgoing)

    assert await Outbox(store).deliver(send, most=10) == 3


async def test_a_turn_ends_and_gives_the_rest_back(
    store: SqlStore, other: SqlStore, alice: Customer, database: TestDatabase, post: Post
) -> None:
    """A claim must not lapse while its messages are still being sent."""
    letters = await waiting(database)
    loop = asyncio.get_running_loop()
    over = loop.time() + outbox.TURN_SECONDS + 0.2

    async def slowly(outgoing: Outgoing) -> None:
        while outgoing.outbox_id == letters[1] and loop.time() < over:
            await database.value("SELECT 1")
        await post.send(outgoing)

    relay = Outbox(store)
    assert await relay.deliver(slowly, most=10) == 2
    assert await waiting(database) == letters[2:]
    assert await Outbox(other).deliver(post.send, most=10) == 1
    assert post.ids == letters


async def test_a_claim_that_took_too_long_sends_nothing(
    store: SqlStore,
    alice: Customer,
    database: TestDatabase,
    post: Post,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    relay = Outbox(store)
    monkeypatch.setattr(outbox, "TURN_SECONDS", -1.0)
    assert await relay.deliver(post.send, most=10) == 0
    monkeypatch.undo()

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


async def test_a_relay_that_is_late_takes_nothing_back_from_the_next(
    store: SqlStore, other: SqlStore, alice: Customer, database: TestDatabase, post: Post
) -> None:
    """As one that was stopped and goes on: what it did not send is the other's by now."""
    letters = await waiting(database)
    next_sends, go_on = asyncio.Event(), asyncio.Event()

    async def waits(outgoing: Outgoing) -> None:
        next_sends.set()
        await go_on.wait()
        await post.send(outgoing)

    async def late(outgoing: Outgoing) -> None:
        await lapse(database)
        following = asyncio.create_task(Outbox(other).deliver(waits, most=10))
        await next_sends.wait()
        tasks.append(following)
        raise TwinlockError("it was not sent")

    tasks: list[asyncio.Task[int]] = []
    assert await Outbox(store).deliver(late, most=1) == 0
    assert await Outbox(store).deliver(post.send, most=10) == 0
    go_on.set()

    assert await tasks[0] == 3
    assert post.ids == letters


async def test_a_claim_from_before_a_clock_was_set_back_is_over(
    store: SqlStore, alice: Customer, database: TestDatabase, post: Post
) -> None:
    """Prevents: a relay that is killed while the database's clock is wrong, and a lost notice."""
    letters = await waiting(database)
    await database.execute("UPDATE outbox SET claimed_until = clock_timestamp() + '1 year'")

    assert await Outbox(store).deliver(post.send, most=10) == 3
    assert post.ids == letters


STOPPED = """
import asyncio, os, signal, sys
from pathlib import Path
from support.stores import open_store
from twinlock.adapters.keyring.ring import load
from twinlock.adapters.sql.outbox import Outbox
from twinlock.adapters.system import SystemClock

async def main():
    async with open_store(sys.argv[1], load(Path(sys.argv[2])), SystemClock()) as store:
        async def send(outgoing):
            print("in hand", flush=True)
            os.kill(os.getpid(), signal.SIGSTOP)
        await Outbox(store).deliver(send, most=100)

asyncio.run(main())
"""


async def test_a_relay_that_was_stopped_keeps_its_messages_for_seconds_only(
    store: SqlStore, alice: Customer, database: TestDatabase, keyring_dir: Path, post: Post
) -> None:
    """Prevents: a code or a veto notice that waits for a process which will not go on."""
    letters = await waiting(database)
    stopped = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        STOPPED,
        database.app_dsn,
        str(keyring_dir),
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert stopped.stdout is not None
        await stopped.stdout.readline()
        relay, loop = Outbox(store), asyncio.get_running_loop()
        began = loop.time()
        while loop.time() < began + 10 and len(post.got) < len(letters):
            await relay.deliver(post.send, most=100)
            await database.value("SELECT pg_sleep(0.05)")
        assert loop.time() - began < outbox.CLAIM.total_seconds() + 1
    finally:
        stopped.kill()
        await stopped.wait()

    assert post.ids == letters
    assert await waiting(database) == []
