"""Several processes on one cell: under load, killed, stopped, and their database killed.

The number of kills is KILLS; ``STORE_KILLS=1000`` in the environment makes a long run of it.
"""

import asyncio
import itertools
import os
import random
import signal
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support.postgres import TestDatabase, both_versions
from support.store_audit import Audited, audit
from support.store_process import Config, StoreProcess, Told, store_process
from support.stores import (
    Customer,
    idempotency,
    new_action,
    open_store,
    opened,
    touching,
    withdrawal,
)

from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.system import SystemClock
from twinlock.domain.ids import AccountId, ActionId
from twinlock.ports import (
    Committed,
)

KILLS = int(os.environ.get("STORE_KILLS", "50"))
ROUNDS = 5  # Each on a database of its own, so that two test processes share them.
DATABASE_KILLS = 2  # Of each round: one backend, one postmaster.
SLOWEST_SECONDS = 1.5  # What a caller may wait for beside a stopped process; 0.35 measured.
CLOCK = SystemClock()


async def customers(database: TestDatabase, keyring: Keyring, count: int) -> tuple[Customer, ...]:
    async with open_store(database.app_dsn, keyring, CLOCK) as store:
        return tuple([await opened(store, CLOCK) for _ in range(count)])


def check_answers(told: list[Told], log: Audited) -> None:
    """Every answer that was given is in the log, where it said; nothing happened twice."""
    for one in told:
        action = ActionId(one.action_id)
        found = {"proposed": log.proposed, "spent": log.spent}.get(one.what)
        if found is not None:
            assert len(found[action]) == 1, one
            assert one.index in (-1, found[action][0]), one
    assert all(len(indexes) == 1 for indexes in log.proposed.values())
    assert all(len(indexes) == 1 for indexes in log.spent.values())


@both_versions
@pytest.mark.parametrize("shared", [True, False], ids=["the same accounts", "accounts of its own"])
async def test_processes_on_one_log_neither_deadlock_nor_lose_anything(
    database: TestDatabase, keyring: Keyring, keyring_dir: Path, shared: bool
) -> None:
    # Looked for this soon, a deadlock is found before the lock's own time is over.
    await database.execute(f"ALTER DATABASE {database.name} SET deadlock_timeout = '10ms'")
    everybody = await customers(database, keyring, 8)
    halves = (everybody, everybody) if shared else (everybody[:4], everybody[4:])
    configs = [
        Config(mode="hammer", dsn=database.app_dsn, keyring_dir=str(keyring_dir), customers=half)
        for half in halves
    ]
    async with store_process(configs[0]) as one, store_process(configs[1]) as other:
        await asyncio.gather(one.until("spent", 100), other.until("spent", 100))
        told = [*await one.end(), *await other.end()]

    log = await audit(database, keyring)

    check_answers(told, log)
    counted = {what: sum(one.what == what for one in told) for what in ("proposed", "spent")}
    assert log.size == 8 + counted["proposed"] + counted["spent"]
    assert not any(one.what == "failed" for one in told)
    assert await deadlocks(database) == 0


async def deadlocks(database: TestDatabase) -> object:
    return await database.value(
        "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    )


# --- Killed ---


@dataclass
class Load:
    """Processes that withdraw and spend, replaced as they are killed, and all that they told."""

    config: Config
    stack: AsyncExitStack
    random: random.Random
    running: list[StoreProcess] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)

    async def start(self) -> None:
        """Start one more process."""
        starting = store_process(self.config)
        self.running.append(await self.stack.enter_async_context(starting))

    async def under_way(self) -> StoreProcess:
        """Return a process once it has done a random amount of work from here on."""
        chosen = self.random.choice(self.running)
        await chosen.until("spent", chosen.count("spent") + self.random.randint(1, 12))
        return chosen

    async def kill_one(self) -> None:
        """Kill a process in the middle of its work; another takes its place."""
        chosen = await self.under_way()
        self.running.remove(chosen)
        self.told += await chosen.kill()
        await self.start()

    async def end(self) -> list[Told]:
        """Let all that run finish what they have begun; return everything that was told."""
        for process in self.running:
            await process.until("ready")
            self.told += await process.end()
        return self.told


async def kill_backend(database: TestDatabase, order: random.Random) -> None:
    """Kill one of the server's processes; the server then ends all and recovers by itself."""
    found = await database.fetch(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'twinlock'"
        " AND datname = current_database()"
    )
    os.kill(order.choice(found)["pid"], signal.SIGKILL)


async def kill_postmaster(database: TestDatabase) -> None:
    """Kill the server, and start it again as whoever runs it would."""
    os.kill(database.server.postmaster, signal.SIGKILL)
    await asyncio.to_thread(database.server.start)


@pytest.mark.requirement("O-32")
@pytest.mark.timeout(60 + 10 * KILLS)
@pytest.mark.parametrize("seed", range(ROUNDS))
async def test_what_is_killed_under_load_loses_nothing_and_does_nothing_twice(
    database: TestDatabase, keyring: Keyring, keyring_dir: Path, seed: int
) -> None:
    order = random.Random(seed)  # noqa: S311 - where to hit is no secret
    config = Config(
        mode="hammer",
        dsn=database.app_dsn,
        keyring_dir=str(keyring_dir),
        customers=await customers(database, keyring, 8),
        seed=seed,
    )
    blows = ["process"] * (KILLS // ROUNDS - DATABASE_KILLS) + ["backend", "postmaster"]
    order.shuffle(blows)
    async with AsyncExitStack() as stack:
        load = Load(config=config, stack=stack, random=order)
        await load.start()
        await load.start()
        for blow in blows:
            if blow == "process":
                await load.kill_one()
                continue
            await load.under_way()
            if blow == "backend":
                await kill_backend(database, order)
            else:
                await kill_postmaster(database)
        told = await load.end()

    check_answers(told, await audit(database, keyring))
    await check_repeats(database, keyring, config.customers, told)


async def check_repeats(
    database: TestDatabase, keyring: Keyring, everybody: tuple[Customer, ...], told: list[Told]
) -> None:
    """Repeat what was never answered: it is the action that was decided, or decided now."""
    answered = {one.key for one in told if one.what == "proposed"}
    unanswered = [one for one in told if one.what == "asked" and one.key not in answered]
    by_account = {one.account_id: one for one in everybody}
    before = await audit(database, keyring)
    repeated: list[tuple[Told, Committed]] = []
    async with open_store(database.app_dsn, keyring, CLOCK) as store:
        for one in unanswered:
            customer = by_account[AccountId(one.account_id)]
            work = withdrawal(customer, new_action(customer), key=idempotency(one.key))
            repeated.append((one, await store.run(work)))
    for one, committed in repeated:
        was_decided = ActionId(one.action_id) in before.proposed
        assert (committed.repeated == one.action_id) == was_decided
        assert (committed.decided is None) == was_decided
    after = await audit(database, keyring)
    anew = sum(committed.decided is not None for _, committed in repeated)
    assert after.size - before.size == anew


# --- Stopped ---


@both_versions
@pytest.mark.parametrize("mode", ["stop_in_decide", "stop_with_head"])
async def test_a_process_that_stops_inside_a_transaction_holds_nobody_up_for_long(
    database: TestDatabase, keyring: Keyring, keyring_dir: Path, mode: str
) -> None:
    everybody = await customers(database, keyring, 2)
    config = Config(
        mode=mode, dsn=database.app_dsn, keyring_dir=str(keyring_dir), customers=everybody
    )
    loop = asyncio.get_running_loop()
    slowest, last = 0.0, -1
    async with (
        open_store(database.app_dsn, keyring, CLOCK) as store,
        store_process(config) as stopped,
    ):
        await stopped.until("holding")
        for customer in itertools.islice(itertools.cycle(everybody), 20):
            asked_at = loop.time()
            last = (await store.run(touching(customer))).indexes[-1]
            slowest = max(slowest, loop.time() - asked_at)
        stopped.send(signal.SIGCONT)
        told = await stopped.ended()

    assert slowest < SLOWEST_SECONDS
    # What the stopped one had begun was thrown away; it did it again when it went on.
    assert [one.index for one in told if one.what == "allowed"] == (
        [last + 1] if mode == "stop_in_decide" else []
    )
    await audit(database, keyring)
