"""An erasure beside everything else: exits at the same moment, kills, and roles that may not."""

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from msgspec.structs import replace
from support.due import due_customer, eraser, erasing, proved, proved_customer
from support.erasing import everything_in
from support.postgres import TestDatabase, both_versions
from support.stores import (
    ENTROPY,
    FixedPolicies,
    SteerableClock,
    commanded,
    during,
    new_action,
    new_customer,
    open_store,
    opened,
    opening,
    outcomes,
    touching,
    withdrawal,
)

from twinlock.adapters.boxes import Sealer
from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.keyring.signing import KeyringSigner
from twinlock.adapters.sql.erasing import MARKS_AT_ONCE, SqlEraser
from twinlock.adapters.sql.store import SqlStore
from twinlock.adapters.system import SystemClock
from twinlock.bootstrap.anchoring import adopt_log
from twinlock.bootstrap.world import World
from twinlock.domain.account import Account, ActionUnknownError, State
from twinlock.domain.actions import LimitRaise
from twinlock.domain.bookkeeping import StateRolledBackError
from twinlock.domain.commands import SetLegalHold
from twinlock.domain.decisions import Decided
from twinlock.domain.erasure import AccountErasedError
from twinlock.domain.errors import (
    AccountUnknownError,
    ClockUntrustedError,
    InvariantError,
    LogDamagedError,
    SettingsWrongError,
    UnavailableError,
)
from twinlock.domain.gate import NotErasableError
from twinlock.domain.limits import Limits
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons
from twinlock.ports import Committed, Work
from twinlock.services.erasing import Erasing, Outcome

SOURCES = Path(__file__).resolve().parents[2] / "src"
TABLES = ("subject_key", "stream", "event", "leaf", "erased", "erased_entry", "outbox", "head")


async def rows(database: TestDatabase) -> dict[str, list[asyncpg.Record]]:
    return {
        table: await database.fetch(f"SELECT * FROM {table} ORDER BY 1, 2")  # noqa: S608 - of ours
        for table in TABLES
    }


# --- Exits at the same moment ---


@both_versions
async def test_of_an_erasure_and_a_withdrawal_exactly_one_wins(
    store: SqlStore, clock: SteerableClock, database: TestDatabase, keyring: Keyring
) -> None:
    erases = eraser(database.owner_dsn, keyring, clock)
    won: Counter[str] = Counter()
    for delay in range(12):
        customer, action = await due_customer(store, clock)
        exit_ = new_action(customer)

        async def withdraw(delay: int = delay) -> Committed:
            for _ in range(delay):  # Each lets the erasure take a few steps.
                await database.value("SELECT 1")
            return await store.run(withdrawal(customer, exit_))  # noqa: B023 - of this round

        gone, left = await outcomes(erases.erase(erasing(customer, action)), withdraw())
        assert isinstance(gone, Committed)
        if gone.indexes:
            assert isinstance(left, AccountErasedError)
        else:
            assert isinstance(left, Committed)
            assert left.answer.answer is Answer.ALLOW
            assert reasons(gone.answer.requirement) == (Reason.EXIT_OPEN,)
        won["erased" if gone.indexes else "left"] += 1

    assert won["erased"] + won["left"] == 12
    assert won["erased"], "the erasure wins when it comes first"


async def test_a_withdrawal_that_came_first_is_seen_by_the_erasure_that_waited_for_it(
    store: SqlStore, clock: SteerableClock, database: TestDatabase, keyring: Keyring
) -> None:
    customer, action = await due_customer(store, clock)
    await store.run(withdrawal(customer, new_action(customer)))
    refused = await eraser(database.owner_dsn, keyring, clock).erase(erasing(customer, action))

    assert refused.indexes == ()
    assert refused.answer.answer is Answer.HOLD
    assert (await store.account(customer.account_id)).action(action).action_id == action


async def test_a_withdrawal_that_waited_for_the_erasure_is_told_of_it(
    store: SqlStore, clock: SteerableClock, database: TestDatabase, keyring: Keyring
) -> None:
    customer, action = await due_customer(store, clock)
    async with database.owner() as head:
        held = head.transaction()
        await held.start()
        await head.fetch("SELECT 1 FROM head FOR UPDATE")  # The erasure stops before its last step.
        erases = asyncio.create_task(
            eraser(database.owner_dsn, keyring, clock).erase(erasing(customer, action))
        )
        await database.somebody_waits_for_a_lock()
        late = asyncio.create_task(store.run(withdrawal(customer, new_action(customer))))
        await database.somebody_waits_for_a_lock(sessions=2)
        await held.rollback()

    assert (await erases).indexes
    with pytest.raises(AccountErasedError):
        await late


@pytest.mark.parametrize("first", ["the hold", "the erasure"])
async def test_of_an_erasure_and_a_legal_hold_the_second_knows_of_the_first(
    first: str, store: SqlStore, clock: SteerableClock, database: TestDatabase, keyring: Keyring
) -> None:
    customer, action = await due_customer(store, clock)
    hold = SetLegalHold(reference="7 Ks 12/26")
    holding = commanded(customer, lambda _: hold, with_destination=False)
    asked: list[Callable[[], Coroutine[None, None, Committed]]] = [
        lambda: store.run(holding),
        lambda: eraser(database.owner_dsn, keyring, clock).erase(erasing(customer, action)),
    ]
    async with database.owner() as owner:
        held = owner.transaction()
        await held.start()
        await owner.fetch("SELECT 1 FROM head FOR UPDATE")  # The first stops before its last step.
        tasks = []
        for sessions, ask in enumerate(asked if first == "the hold" else asked[::-1], start=1):
            tasks.append(asyncio.create_task(ask()))
            await database.somebody_waits_for_a_lock(sessions=sessions)
        await held.rollback()
        earlier, later = await outcomes(*tasks)

    assert isinstance(earlier, Committed)
    assert earlier.indexes
    if first == "the hold":
        assert isinstance(later, Committed)
        assert (later.indexes, reasons(later.answer.requirement)) == ((), (Reason.LEGAL_HOLD,))
        assert (await store.account(customer.account_id)).legal_holds
    else:
        assert isinstance(later, AccountErasedError)
        assert await database.value("SELECT count(*) FROM stream") == 0


async def test_two_erasers_erase_once(
    store: SqlStore, clock: SteerableClock, database: TestDatabase, keyring: Keyring
) -> None:
    customer, action = await due_customer(store, clock)
    work = erasing(customer, action)
    both = [eraser(database.owner_dsn, keyring, clock).erase(work) for _ in range(2)]
    first, second = sorted(await outcomes(*both), key=lambda one: isinstance(one, Exception))

    assert isinstance(first, Committed)
    assert isinstance(second, AccountErasedError)
    assert await database.value("SELECT count(*) FROM erased") == 1


async def test_a_batch_that_waits_for_the_account_decides_for_its_neighbours_all_the_same(
    store: SqlStore, clock: SteerableClock, database: TestDatabase, keyring: Keyring
) -> None:
    customer, action = await due_customer(store, clock)
    neighbour = await opened(store, clock)
    await eraser(database.owner_dsn, keyring, clock).erase(erasing(customer, action))
    gone, served = await outcomes(store.run(touching(customer)), store.run(touching(neighbour)))

    assert isinstance(gone, AccountErasedError)
    assert isinstance(served, Committed)


async def test_an_entry_that_another_process_wrote_later_moves_the_time_of_the_erasure(
    store: SqlStore, clock: SteerableClock, database: TestDatabase, keyring: Keyring
) -> None:
    customer, action = await due_customer(store, clock)
    neighbour = await opened(store, clock)
    ahead = SteerableClock(clock.at + timedelta(seconds=3))
    async with open_store(database.app_dsn, keyring, ahead) as other:

        async def meanwhile() -> None:
            await other.run(touching(neighbour))

        erases = Interrupted(database, keyring, clock, meanwhile)
        committed = await erases.erase(erasing(customer, action))

    leaves = await database.fetch("SELECT entry FROM leaf ORDER BY leaf_index")
    times = [json.loads(row["entry"])["at"] for row in leaves]
    assert committed.at >= ahead.at
    assert times == sorted(times)


async def test_where_that_later_time_changes_the_answer_nothing_is_erased(
    store: SqlStore, clock: SteerableClock, database: TestDatabase, keyring: Keyring
) -> None:
    customer, action = await due_customer(store, clock)
    neighbour = await opened(store, clock)
    await store.run(touching(neighbour))
    ahead = SteerableClock(clock.at + timedelta(seconds=3))
    work, at = erasing(customer, action), clock.at + timedelta(seconds=2)

    def decide(state: State, now: datetime) -> Decided:  # It lapses in between.
        later = touching(customer).decide(state, now)
        return work.decide(state, now) if now < at else later

    before = await rows(database)
    async with open_store(database.app_dsn, keyring, ahead) as other:

        async def meanwhile() -> None:
            await other.run(touching(neighbour))

        erases = Interrupted(database, keyring, clock, meanwhile)
        with pytest.raises(UnavailableError):
            await erases.erase(replace(work, decide=decide))

    after = await rows(database)
    assert after["erased"] == []
    assert after["subject_key"] == before["subject_key"]
    assert (await store.account(customer.account_id)).actions


async def test_a_clock_that_lies_behind_the_log_erases_nothing(
    store: SqlStore, clock: SteerableClock, database: TestDatabase, keyring: Keyring
) -> None:
    customer, action = await due_customer(store, clock)
    behind = SteerableClock(clock.at - timedelta(seconds=6))

    with pytest.raises(ClockUntrustedError):
        await eraser(database.owner_dsn, keyring, behind).erase(erasing(customer, action))
    assert await database.value("SELECT count(*) FROM erased") == 0


async def test_a_database_that_is_not_there_is_told_of(
    clock: SteerableClock, keyring: Keyring
) -> None:
    nowhere = eraser("postgresql://postgres@127.0.0.1:1/nobody", keyring, clock)

    with pytest.raises(UnavailableError):
        _ = [one async for one in nowhere.each()]


async def test_an_erasure_that_another_one_carried_out_is_not_told_twice(
    store: SqlStore, clock: SteerableClock, database: TestDatabase, keyring: Keyring
) -> None:
    customer, action = await proved_customer(store, clock)
    clock.advance(timedelta(days=30))
    first = eraser(database.owner_dsn, keyring, clock)

    class Late(SqlEraser):
        async def erase(self, work: Work) -> Committed:
            assert (await first.erase(work)).indexes
            return await super().erase(work)

    late = Late(database.owner_dsn, sealer=Sealer(keyring), entropy=ENTROPY, clock=clock)
    policies = FixedPolicies(clock, KeyringSigner(keyring, log_origin="tests.example/log"))

    assert await Erasing(late, store=store, policies=policies, clock=clock).run() == ()
    with pytest.raises(AccountErasedError):
        await store.account(customer.account_id)
    assert action


@pytest.mark.parametrize("faster", [False, True])
async def test_what_was_due_before_an_erasure_that_is_refused_is_written_once(
    store: SqlStore,
    clock: SteerableClock,
    database: TestDatabase,
    keyring: Keyring,
    *,
    faster: bool,
) -> None:
    """By the run itself, or by somebody who comes between its two looks."""
    low = Limits(day_cents=1_000_00)
    customer, _ = await proved_customer(
        store, clock, change=lambda account: replace(account, limits=low)
    )
    named, more = customer.account_id, 2_000_00
    high = LimitRaise(account=named, day_cents=more, destination_cents=None)
    await proved(store, customer, high)
    hold = SetLegalHold(reference="7 Ks 12/26")
    await store.run(commanded(customer, lambda _: hold, with_destination=False))
    clock.advance(timedelta(days=30))

    class Overtaken(SqlEraser):
        async def erase(self, work: Work) -> Committed:
            committed = await super().erase(work)
            if faster:
                await store.run(touching(customer))
            return committed

    overtaken = Overtaken(database.owner_dsn, sealer=Sealer(keyring), entropy=ENTROPY, clock=clock)
    policies = FixedPolicies(clock, KeyringSigner(keyring, log_origin="tests.example/log"))
    erases = Erasing(overtaken, store=store, policies=policies, clock=clock)

    for _ in range(2):
        (outcome,) = await erases.run()
        assert (outcome.index, outcome.fault) == (None, "")
        assert outcome.reasons == (Reason.LEGAL_HOLD,)
        assert (await store.account(customer.account_id)).limits.day_cents == more


class Interrupted(SqlEraser):
    """Erases, and lets something happen after all is destroyed and before the head is locked."""

    def __init__(
        self,
        database: TestDatabase,
        keyring: Keyring,
        clock: SteerableClock,
        meanwhile: Callable[[], Awaitable[None]],
    ) -> None:
        sealer = Sealer(keyring)
        super().__init__(database.owner_dsn, sealer=sealer, entropy=ENTROPY, clock=clock)
        self._meanwhile = meanwhile

    async def _destroy(self, connection: asyncpg.Connection, account: Account) -> None:
        await super()._destroy(connection, account)
        await self._meanwhile()


# --- Kills ---


@both_versions
async def test_an_erasure_that_is_killed_in_the_middle_has_erased_nothing(
    database: TestDatabase, world: World
) -> None:
    real = SystemClock()
    await adopt_log(world)
    past = SteerableClock(real.now() - timedelta(days=31))
    async with open_store(database.app_dsn, world.keyring, past) as store:
        customer, _ = await proved_customer(store, past)
    async with open_store(database.app_dsn, world.keyring, real) as store:
        before = await rows(database)
        async with database.owner() as head:
            held = head.transaction()
            await held.start()
            await head.fetch("SELECT 1 FROM head FOR UPDATE")
            process = await erase_due_process(database, world)
            async with asyncio.timeout(60):
                await database.somebody_waits_for_a_lock()
            process.send_signal(signal.SIGKILL)  # All of it is destroyed, and not committed.
            await process.wait()
            await held.rollback()
        await nobody_is_in_a_transaction(database)

        assert await rows(database) == before
        assert (await store.run(touching(customer))).indexes
        process = await erase_due_process(database, world)
        out, _ = await process.communicate()
        assert b"erased" in out
        with pytest.raises(AccountErasedError):
            await store.account(customer.account_id)


async def nobody_is_in_a_transaction(database: TestDatabase) -> None:
    """Wait until the server has noticed that its client is gone."""

    open_ = """
        SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
           AND (state LIKE 'idle in transaction%' OR wait_event_type = 'Lock')
    """
    async with database.owner() as owner, asyncio.timeout(10):
        while await owner.fetchval(open_):
            await owner.execute("SELECT pg_stat_clear_snapshot()")


async def erase_due_process(database: TestDatabase, world: World) -> asyncio.subprocess.Process:
    """Start ``twinlock erase-due`` on an installation."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "twinlock",
        "erase-due",
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(SOURCES),
            "TWINLOCK_DATABASE_URL": database.app_dsn,
            "TWINLOCK_OWNER_URL": database.owner_dsn,
            "TWINLOCK_DATA_DIR": str(world.settings.data_dir),
            "TWINLOCK_KEYRING_DIR": str(world.settings.keyring_dir),
        },
        stdout=asyncio.subprocess.PIPE,
    )


async def test_a_server_that_ends_in_the_middle_has_erased_nothing(
    store: SqlStore, clock: SteerableClock, database: TestDatabase, keyring: Keyring
) -> None:
    customer, action = await due_customer(store, clock)
    before = await rows(database)
    async with database.owner() as head:
        held = head.transaction()
        await held.start()
        await head.fetch("SELECT 1 FROM head FOR UPDATE")
        erases = asyncio.create_task(
            eraser(database.owner_dsn, keyring, clock).erase(erasing(customer, action))
        )
        await database.somebody_waits_for_a_lock()
        await head.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        with pytest.raises(UnavailableError):
            await erases
        await held.rollback()

    assert await rows(database) == before


# --- Roles, and what is nobody's ---


@both_versions
async def test_the_application_s_role_cannot_erase(
    store: SqlStore, clock: SteerableClock, database: TestDatabase, keyring: Keyring
) -> None:
    customer, action = await due_customer(store, clock)
    before = await rows(database)
    with pytest.raises(SettingsWrongError):
        await eraser(database.app_dsn, keyring, clock).erase(erasing(customer, action))

    assert await rows(database) == before


async def test_the_application_cannot_even_say_that_an_account_is_erased(
    store: SqlStore, clock: SteerableClock, database: TestDatabase
) -> None:
    customer, action = await due_customer(store, clock)
    before = await rows(database)
    with pytest.raises(InvariantError):
        await store.run(erasing(customer, action))

    assert await rows(database) == before


async def test_what_is_no_erasure_is_not_carried_out_as_one(
    store: SqlStore, clock: SteerableClock, database: TestDatabase, keyring: Keyring
) -> None:
    customer, action = await due_customer(store, clock)
    exit_ = new_action(customer)
    await store.run(withdrawal(customer, exit_))
    erases = eraser(database.owner_dsn, keyring, clock)

    with pytest.raises(NotErasableError):
        await erases.erase(erasing(customer, exit_))
    with pytest.raises(ActionUnknownError):
        await erases.erase(erasing(customer, new_action(customer)))
    with pytest.raises(AccountUnknownError):
        await erases.erase(erasing(new_customer(), action))


async def test_a_box_that_is_not_ours_stops_no_other_erasure(
    store: SqlStore, clock: SteerableClock, database: TestDatabase, keyring: Keyring
) -> None:
    broken = await opened(store, clock)
    damaged, action = await proved_customer(store, clock)
    customer, _ = await proved_customer(store, clock)
    forged, made_up = await due_customer(store, clock)
    bold, of_nothing = await due_customer(store, clock, entry=99)
    clock.advance(timedelta(days=30))
    await database.execute("UPDATE stream SET box = 'x' WHERE id = $1", broken.account_id)
    await database.execute("DELETE FROM event WHERE subject = $1", damaged.account_id)
    outcomes_ = await all_due(database, keyring, clock, store)

    told = {one.account_id: (one.action_id, one.fault, one.index is None) for one in outcomes_}
    erased = told.pop(customer.account_id)
    assert erased[1:] == ("", False)
    assert told == {
        broken.account_id: ("", "seal_broken", True),
        damaged.account_id: (action, "log_damaged", True),
        forged.account_id: (made_up, "log_damaged", True),
        bold.account_id: (of_nothing, "log_damaged", True),
    }
    assert await database.fetch("SELECT subject FROM erased") == [(customer.account_id,)]


async def test_an_account_that_somebody_holds_keeps_no_other_from_being_erased(
    store: SqlStore, clock: SteerableClock, database: TestDatabase, keyring: Keyring
) -> None:
    """Prevents: somebody who keeps an account busy, and so all that would be erased after it."""
    busy, action = await proved_customer(store, clock)
    customer, _ = await proved_customer(store, clock)
    clock.advance(timedelta(days=30))
    async with database.owner() as owner:
        held = owner.transaction()
        await held.start()
        await owner.fetch("SELECT 1 FROM stream WHERE id = $1 FOR UPDATE", busy.account_id)
        told = {one.account_id: one for one in await all_due(database, keyring, clock, store)}
        await held.rollback()

    assert (told[busy.account_id].action_id, told[busy.account_id].fault) == (action, "unavailable")
    assert told[customer.account_id].index is not None
    (later,) = await all_due(database, keyring, clock, store)
    assert (later.account_id, later.fault) == (busy.account_id, "")


async def test_a_long_life_is_erased_page_by_page(
    store: SqlStore, clock: SteerableClock, database: TestDatabase, keyring: Keyring
) -> None:
    customer, action = await due_customer(store, clock)
    for _ in range(5):
        await outcomes(*(store.run(touching(customer)) for _ in range(MARKS_AT_ONCE // 4)))
    count = (await store.account(customer.account_id)).chain.entries
    assert count > MARKS_AT_ONCE
    erased = await eraser(database.owner_dsn, keyring, clock).erase(erasing(customer, action))

    assert erased.indexes == (count,)
    assert await database.value("SELECT count(*) FROM erased_entry") == count + 1
    assert await database.value("SELECT entries FROM erased") == count + 1


async def all_due(
    database: TestDatabase, keyring: Keyring, clock: SteerableClock, store: SqlStore
) -> tuple[Outcome, ...]:
    erases = eraser(database.owner_dsn, keyring, clock)
    policies = FixedPolicies(clock, KeyringSigner(keyring, log_origin="tests.example/log"))
    return await Erasing(erases, store=store, policies=policies, clock=clock).run()


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM event WHERE subject = $1 AND number = 0",
        "INSERT INTO event SELECT subject, 9, 9, box FROM event WHERE subject = $1 AND number = 0",
    ],
)
async def test_an_account_with_an_entry_too_few_or_too_many_is_looked_into_and_not_erased(
    sql: str, store: SqlStore, clock: SteerableClock, database: TestDatabase, keyring: Keyring
) -> None:
    customer, action = await due_customer(store, clock)
    await store.run(touching(customer))
    await database.execute(sql, customer.account_id)
    before = await rows(database)

    with pytest.raises(LogDamagedError):
        await eraser(database.owner_dsn, keyring, clock).erase(erasing(customer, action))
    assert await rows(database) == before


async def test_an_id_is_never_given_out_again(
    store: SqlStore, clock: SteerableClock, database: TestDatabase, keyring: Keyring
) -> None:
    customer, action = await due_customer(store, clock)
    await eraser(database.owner_dsn, keyring, clock).erase(erasing(customer, action))

    with pytest.raises(AccountErasedError):
        await store.run(opening(customer, now=clock.at))


async def test_an_account_that_is_put_back_decides_nothing(
    store: SqlStore, clock: SteerableClock, database: TestDatabase, keyring: Keyring
) -> None:
    """Its next entry's label stands in the log: that of the entry which erased it."""
    customer, action = await due_customer(store, clock)
    kept = await rows(database)
    await eraser(database.owner_dsn, keyring, clock).erase(erasing(customer, action))
    async with database.owner() as owner:
        for table in ("subject_key", "stream", "event"):
            await owner.copy_records_to_table(table, records=kept[table], schema_name="twinlock")

    with pytest.raises(StateRolledBackError):
        await store.run(touching(customer))


async def test_whatever_happened_meanwhile_the_log_is_whole(
    store: SqlStore, clock: SteerableClock, database: TestDatabase, keyring: Keyring
) -> None:
    customer, action = await due_customer(store, clock)
    neighbour = await opened(store, clock)
    await store.run(touching(customer))
    before = await store.head()
    committed = await eraser(database.owner_dsn, keyring, clock).erase(erasing(customer, action))
    after = await store.head()

    assert after.size == before.size + len(committed.indexes)
    assert len(await store.leaves(start=0, count=after.size)) == after.size
    assert (await store.run(during(neighbour, lambda: None))).indexes == (after.size,)
    assert customer.address.encode() not in await everything_in(database)
    assert await database.value("SELECT count(*) FROM erased_entry") == 3
