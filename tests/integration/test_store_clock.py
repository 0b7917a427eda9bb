"""The clock of the store: what it cannot trust it does not decide by."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from support.postgres import TestDatabase, in_a_loop_of_its_own
from support.service import Customer
from support.store_audit import audit
from support.stores import (
    SteerableClock,
    new_customer,
    open_store,
    opened,
    opening,
    outcomes,
    several,
    touching,
)

from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.sql.clocks import CLOCK_BEHIND
from twinlock.adapters.sql.store import SqlStore
from twinlock.adapters.system import SystemClock
from twinlock.bootstrap.keys import key_rotation
from twinlock.bootstrap.rulebook import rule_book
from twinlock.bootstrap.serving import open_api
from twinlock.bootstrap.world import World
from twinlock.domain.account import ActionUnknownError, State
from twinlock.domain.decisions import Decided
from twinlock.domain.errors import ClockUntrustedError, TwinlockError
from twinlock.domain.keys import Role


@pytest.mark.requirement("O-35", "O-11")
async def test_while_the_clock_is_not_trusted_nothing_is_decided(
    store: SqlStore, clock: SteerableClock
) -> None:
    alice, bob = await several(store, clock, 2)
    clock.fault = ClockUntrustedError("it jumped")

    told = await outcomes(*(store.run(touching(one)) for one in (alice, bob, alice)))

    assert [type(one) for one in told] == [ClockUntrustedError] * 3
    assert (await store.head()).size == 2
    clock.fault = None
    assert (await store.run(touching(alice))).indexes == (2,)


@pytest.mark.parametrize(
    ("behind", "told"),
    [
        pytest.param(CLOCK_BEHIND, None, id="as far as is forgiven"),
        pytest.param(CLOCK_BEHIND + timedelta(milliseconds=1), ClockUntrustedError, id="further"),
    ],
)
async def test_the_log_never_runs_backwards(
    store: SqlStore, clock: SteerableClock, behind: timedelta, told: type[TwinlockError] | None
) -> None:
    alice = await opened(store, clock)
    last = (await store.run(touching(alice))).at
    clock.at = last - behind - timedelta(milliseconds=1)  # It ticks when it is read.

    if told is not None:
        with pytest.raises(told):
            await store.run(touching(alice))
        return
    assert (await store.run(touching(alice))).at == last


@pytest.mark.parametrize("ahead", [timedelta(seconds=3), CLOCK_BEHIND + timedelta(seconds=1)])
async def test_what_another_process_wrote_later_meanwhile_is_decided_before_us(
    store: SqlStore,
    clock: SteerableClock,
    database: TestDatabase,
    keyring: Keyring,
    ahead: timedelta,
) -> None:
    """Between our looking at the time and our locking the head."""
    alice, bob = await several(store, clock, 2)
    carol, later = new_customer(), SteerableClock(clock.at + ahead)
    decided_at: list[datetime] = []

    async def another_process() -> None:
        async with open_store(database.app_dsn, keyring, later) as other:
            await other.run(touching(bob))

    def happens() -> None:
        if not decided_at:
            in_a_loop_of_its_own(another_process())

    def decided(state: State, now: datetime) -> Decided:
        happens()
        decided_at.append(now)
        return touching(alice).decide(state, now)

    asked = (replace(touching(alice), decide=decided), opening(carol, now=clock.at))
    told = await outcomes(*(store.run(work) for work in asked))

    if ahead > CLOCK_BEHIND:
        assert [type(one) for one in told] == [ClockUntrustedError] * 2
        assert (await store.head()).size == 3
        return
    rows = await database.fetch("SELECT entry FROM leaf ORDER BY leaf_index")
    times = [json.loads(row["entry"])["at"] for row in rows]
    assert times == sorted(times)
    assert len(times) == 5
    assert decided_at[-1] > decided_at[0] + timedelta(seconds=2)
    await audit(database, keyring)
    assert (await store.run(touching(carol))).indexes == (5,)


async def test_a_decision_that_fails_at_the_later_time_is_answered_so(
    store: SqlStore, clock: SteerableClock, database: TestDatabase, keyring: Keyring
) -> None:
    alice, bob = await several(store, clock, 2)
    later = SteerableClock(clock.at + timedelta(seconds=3))
    tried: list[datetime] = []

    async def another_process() -> None:
        async with open_store(database.app_dsn, keyring, later) as other:
            await other.run(touching(bob))

    def decided(state: State, now: datetime) -> Decided:
        tried.append(now)
        if len(tried) > 1:
            raise ActionUnknownError("it lapsed meanwhile")
        in_a_loop_of_its_own(another_process())
        return touching(alice).decide(state, now)

    with pytest.raises(ActionUnknownError):
        await store.run(replace(touching(alice), decide=decided))
    assert (await store.head()).size == 3
    assert (await store.run(touching(alice))).indexes == (3,)


class Hands:
    """The hands of a system clock, which a test moves: nanoseconds."""

    def __init__(self) -> None:
        self.wall = int(datetime.now(UTC).timestamp()) * 10**9
        self.boottime = 10**12

    def clock(self) -> SystemClock:
        return SystemClock(wall=lambda: self.wall, boottime=lambda: self.boottime)


@pytest.mark.parametrize("seconds", [-3600, -3, 3, 3600])
async def test_a_clock_that_jumps_ends_no_wait_and_decides_nothing(
    database: TestDatabase, keyring: Keyring, seconds: int
) -> None:
    hands = Hands()
    async with open_store(database.app_dsn, keyring, hands.clock()) as store:
        alice = await opened(store, SystemClock())
        hands.wall += seconds * 10**9

        with pytest.raises(ClockUntrustedError):
            await store.run(touching(alice))

        hands.wall -= seconds * 10**9
        assert (await store.run(touching(alice))).indexes == (1,)


async def test_a_clock_far_from_the_databases_decides_nothing(
    database: TestDatabase, keyring: Keyring
) -> None:
    hands = Hands()
    hands.wall += 3600 * 10**9
    async with open_store(database.app_dsn, keyring, hands.clock()) as store:
        with pytest.raises(ClockUntrustedError):
            await opened(store, SystemClock())

    assert await database.value("SELECT count(*) FROM leaf") == 0


def off_by(apart: timedelta) -> SystemClock:
    return SystemClock(wall=lambda: time.time_ns() + int(apart.total_seconds()) * 10**9)


@pytest.mark.parametrize("apart", [timedelta(days=40), timedelta(days=-40)])
async def test_a_process_whose_clock_is_not_the_databases_does_not_start(
    alice: Customer, world: World, database: TestDatabase, apart: timedelta
) -> None:
    """Prevents: one machine that woke up in another month, and drops what others are to send."""
    kept = await database.value("SELECT count(*) FROM idempotency")

    with pytest.raises(ClockUntrustedError, match="disagree"):
        async with open_api(world, book=rule_book(), clock=off_by(apart)):
            pass

    assert alice.session_id
    assert await database.value("SELECT count(*) FROM idempotency") == kept


async def test_no_key_is_changed_by_a_clock_that_is_not_the_databases(world: World) -> None:
    """Prevents: a key that is destroyed before its time, with what another process sealed by it."""
    with pytest.raises(ClockUntrustedError, match="disagree"):
        async with key_rotation(world, clock=off_by(timedelta(hours=1))) as rotation:
            await rotation.announce(Role.SEAL)

    async with key_rotation(world) as rotation:
        assert len([one for one in rotation.listed() if one.key.role is Role.SEAL]) == 1
