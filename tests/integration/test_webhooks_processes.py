"""Several processes, kills, and whatever anybody does: every outcome is told at least once."""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.hooks import authorized, hooks_on
from support.postgres import TestDatabase, TestServer
from support.receivers import Answer, Receiver, raw, receiving, status
from support.stores import (
    Customer,
    SteerableClock,
    freezing,
    new_action,
    new_customer,
    open_store,
    opened,
    opening,
    spend,
    touching,
    withdrawal,
)
from support.webhook_process import Config, webhook_process

from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.sql.store import SqlStore
from twinlock.adapters.system import SystemClock
from twinlock.domain.account import ActionUnknownError
from twinlock.domain.events import ChallengeIssued
from twinlock.domain.ids import ActionId
from twinlock.domain.webhooks.endpoints import WebhookId
from twinlock.domain.webhooks.outcomes import message_id
from twinlock.ports import (
    Committed,
)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@pytest.fixture
def clock() -> SteerableClock:
    """The time that processes have, too."""
    return SteerableClock(SystemClock().now())


@pytest.fixture
def config(database: TestDatabase, keyring_dir: Path) -> Config:
    return Config(dsn=database.app_dsn, keyring_dir=str(keyring_dir))


async def test_processes_share_the_work_and_send_nothing_twice(
    store: SqlStore, clock: SteerableClock, config: Config, receiver: Receiver
) -> None:
    hooks = hooks_on(store, clock)
    alice = await opened(store, clock)
    async with receiving() as second, AsyncExitStack() as processes:
        await hooks.add(receiver)
        await hooks.add(second)
        for _ in range(2):
            await processes.enter_async_context(webhook_process(config))
        indexes = []
        for _ in range(6):
            indexes += await authorized(store, alice, 5)
            await receiver.wait_for(len(indexes))
            await second.wait_for(len(indexes))

        assert receiver.indexes == indexes
        assert second.indexes == indexes


async def test_a_process_that_is_killed_in_the_middle_loses_nothing(
    store: SqlStore,
    clock: SteerableClock,
    config: Config,
    receiver: Receiver,
    database: TestDatabase,
) -> None:
    hooks = hooks_on(store, clock)
    alice = await opened(store, clock)
    await hooks.add(receiver)
    indexes = await authorized(store, alice, 12)
    receiver.answers.extend([status(200)] * 4 + [raw(b"", end="stay")])  # The fifth hangs.

    async with webhook_process(config) as process:
        await receiver.wait_for(5)
        await process.send(signal.SIGKILL)
    claimed = await database.value("SELECT claimed_until > clock_timestamp() FROM webhook")
    assert claimed  # Nobody else is let in before the claim is over.
    assert await hooks.look() == 0

    await database.execute("UPDATE webhook SET claimed_until = claimed_until - interval '1 minute'")
    await hooks.deliver()

    assert set(receiver.indexes) == set(indexes)
    assert receiver.indexes[5:] == indexes[receiver.indexes[5] - indexes[0] :]


async def test_a_process_that_is_stopped_and_goes_on_later_changes_nothing(
    store: SqlStore,
    clock: SteerableClock,
    config: Config,
    receiver: Receiver,
    database: TestDatabase,
) -> None:
    hooks = hooks_on(store, clock)
    alice = await opened(store, clock)
    shown = await hooks.add(receiver)
    indexes = await authorized(store, alice, 3)
    answer = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer.wait()
        await status(500)(reader, writer)

    receiver.answers.append(wait)
    async with webhook_process(config) as process:
        await receiver.wait_for(1)
        await process.send(signal.SIGSTOP)
        await database.execute(
            "UPDATE webhook SET claimed_until = claimed_until - interval '1 minute'"
        )
        await hooks.deliver()
        answer.set()
        await process.send(signal.SIGCONT)
        more = await authorized(store, alice, 1)
        async with asyncio.timeout(20):
            while receiver.indexes[-1] != more[0]:
                await receiver.wait_for(len(receiver.got) + 1)

    assert set(receiver.indexes) == {*indexes, *more}
    listed = await hooks.listed(shown.webhook_id)
    assert (listed.retries, listed.failing_since) == (0, None)


# --- Whatever anybody does ---

ANSWERS: dict[str, Answer] = {
    "ok": status(200),
    "broken": status(500),
    "redirects": status(302, "location: http://10.0.0.1/"),
    "cut off": raw(b"", end="reset"),
    "half": raw(b"HTTP/1.1 200 O"),
}
DEEDS = ("withdraw", "spend", "freeze", "touch", "open", "deliver", "later", "replay")


class Play:
    """Customers who do things at random, and what must be told of them."""

    def __init__(self, store: SqlStore, clock: SteerableClock, customers: list[Customer]) -> None:
        self.store = store
        self.clock = clock
        self.customers = customers
        self.open: list[tuple[Customer, ActionId]] = []
        self.expected: set[str] = set()

    async def do(self, deed: str, customer: Customer) -> None:
        """Do one thing; note what must be told of it."""
        match deed:
            case "withdraw":
                action = new_action(customer)
                await self._expect(await self.store.run(withdrawal(customer, action)))
                self.open.append((customer, action))
            case "spend" if self.open:
                whose, action = self.open.pop()
                try:
                    work = spend(whose, action)
                    await self._expect(await self.store.run(work))
                except ActionUnknownError:
                    return
            case "freeze":
                work = freezing(customer, new_action(customer))
                await self._expect(await self.store.run(work))
            case "open":
                new = new_customer()
                work = opening(new, now=self.clock.now())
                await self._expect(await self.store.run(work))
            case _:
                await self._expect(await self.store.run(touching(customer)))

    async def _expect(self, committed: Committed) -> None:
        assert committed.decided is not None
        for index, decision in zip(committed.indexes, committed.decided.decisions, strict=True):
            asked = any(isinstance(event, ChallengeIssued) for event in decision.events)
            opened_one = decision.kind == "account.open"
            if (decision.action_id and not asked) or opened_one:
                (leaf,) = await self.store.leaves(start=index, count=1)
                self.expected.add(message_id(leaf))


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32), deeds=st.lists(st.sampled_from(DEEDS), min_size=5, max_size=25))
def test_of_a_random_run_every_outcome_is_told_and_nothing_else(
    server: TestServer, keyring: Keyring, seed: int, deeds: list[str]
) -> None:
    async def run() -> None:
        async with server.database() as database:
            clock = SteerableClock()
            async with open_store(database.app_dsn, keyring, clock) as store:
                await _random_run(store, clock, random.Random(seed), deeds)  # noqa: S311 - a play

    asyncio.run(run())


async def _random_run(
    store: SqlStore, clock: SteerableClock, chance: random.Random, deeds: list[str]
) -> None:
    hooks, taken = hooks_on(store, clock), Counter[str]()
    customers = [await opened(store, clock) for _ in range(2)]
    async with receiving() as receiver:
        shown = await hooks.add(receiver)
        play = Play(store, clock, customers)
        start = (await hooks.listed(shown.webhook_id)).position
        receiver.otherwise = _at_random(receiver, chance, taken)
        for deed in deeds:
            match deed:
                case "deliver":
                    await hooks.look()
                case "later":
                    clock.advance(chance.choice((hours(0.1), hours(1), hours(30))))
                case "replay":
                    last = (await store.head()).size - 1
                    if start <= last:  # Else nothing was told yet.
                        index = chance.randint(start, min(start + 9, last))
                        await hooks.use.replay(shown.webhook_id, start=index)
                case _:
                    await play.do(deed, chance.choice(customers))
        receiver.otherwise = _counted(receiver, taken, ANSWERS["ok"])
        await hooks.use.enable(shown.webhook_id)  # Days may have passed in failures.
        await _drain(hooks.deliver, hooks.use.revive, clock, shown.webhook_id)
        listed = await hooks.listed(shown.webhook_id)

    assert set(taken) == play.expected
    assert (listed.behind, listed.retries, listed.dead) == (0, 0, 0)


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


async def _drain(
    deliver: Callable[[], Awaitable[None]],
    revive: Callable[[WebhookId], Awaitable[int]],
    clock: SteerableClock,
    webhook_id: WebhookId,
) -> None:
    for _ in range(3):
        clock.advance(hours(30))
        await deliver()
        await revive(webhook_id)
    await deliver()


def _at_random(receiver: Receiver, chance: random.Random, taken: Counter[str]) -> Answer:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = chance.choice(sorted(ANSWERS))
        if name == "ok":
            taken[receiver.got[-1].message_id] += 1
        await ANSWERS[name](reader, writer)

    return answer


def _counted(receiver: Receiver, taken: Counter[str], then: Answer) -> Answer:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken[receiver.got[-1].message_id] += 1
        await then(reader, writer)

    return answer
