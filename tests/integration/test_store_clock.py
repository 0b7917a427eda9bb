"""The clock of the store: what it cannot trust it does not decide by."""

from datetime import UTC, datetime, timedelta

import pytest
from support.postgres import TestDatabase
from support.stores import (
    SteerableClock,
    open_store,
    opened,
    outcomes,
    several,
    touching,
)

from twinlock.adapters.keyring import Keyring
from twinlock.adapters.sql.batch import CLOCK_BEHIND
from twinlock.adapters.sql.store import SqlStore
from twinlock.adapters.system import SystemClock
from twinlock.domain.errors import ClockUntrustedError, TwinlockError


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
