import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest
from support.stores import BEGINNING, ENTROPY, new_customer, opening

from twinlock.domain.errors import ClockUntrustedError, InvariantError, UnavailableError
from twinlock.range.memory_store import MemoryStore
from twinlock.range.weather import (
    Dependency,
    FixedPrices,
    SteerableClock,
    StoreInWeather,
    Weather,
)

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def test_time_goes_forwards_only() -> None:
    clock = SteerableClock(NOON, Weather())

    clock.set_forward(NOON + timedelta(hours=1))
    clock.set_forward(NOON)

    assert clock.now(database_at=None) == NOON + timedelta(hours=1)
    assert clock.seconds() == (NOON + timedelta(hours=1)).timestamp()


def test_time_is_utc() -> None:
    clock = SteerableClock(NOON, Weather())

    with pytest.raises(InvariantError):
        clock.set_forward(NOON.astimezone(timezone(timedelta(hours=1))))


def test_a_clock_that_is_down_tells_no_time() -> None:
    weather = Weather()
    clock = SteerableClock(NOON, weather)
    weather.down.add(Dependency.CLOCK)

    with pytest.raises(ClockUntrustedError):
        clock.now(database_at=None)

    weather.clear()
    assert clock.now(database_at=None) == NOON


def test_prices_are_fresh_until_they_are_taken_away() -> None:
    weather = Weather()
    prices = FixedPrices(SteerableClock(NOON, weather), weather)

    listed = prices.prices()
    weather.down.add(Dependency.PRICES)

    assert listed is not None
    assert (listed.as_of, listed.cents["USDT"]) == (NOON, 100)
    assert prices.prices() is None


async def test_a_store_in_good_weather_is_the_store() -> None:
    weather = Weather()
    clock = SteerableClock(BEGINNING, weather)
    store = StoreInWeather(MemoryStore(clock=clock, entropy=ENTROPY), weather)
    customer = new_customer()

    committed = await store.run(opening(customer, now=BEGINNING))

    assert committed.indexes == (0,)
    assert (await store.account(customer.account_id)).account_id == customer.account_id
    found = await store.destination(customer.account_id, customer.destination_id)
    assert found is not None
    assert await store.entry(customer.account_id, 0) is not None
    assert (await store.head()).size == 1
    assert len(await store.leaves(start=0, count=9)) == 1
    assert set(await store.tiles(((0, 0),))) == {(0, 0)}
    assert await store.closed_action(committed.repeated) is None  # type: ignore[arg-type] # no id


async def test_a_store_that_is_down_decides_nothing() -> None:
    weather = Weather(down={Dependency.DATABASE})
    inner = MemoryStore(clock=SteerableClock(BEGINNING, weather), entropy=ENTROPY)
    store = StoreInWeather(inner, weather)

    with pytest.raises(UnavailableError):
        await store.run(opening(new_customer(), now=BEGINNING))
    assert (await inner.head()).size == 0


async def test_a_slow_store_answers_late_and_answers() -> None:
    weather = Weather(slow={Dependency.DATABASE})
    inner = MemoryStore(clock=SteerableClock(BEGINNING, weather), entropy=ENTROPY)
    store = StoreInWeather(inner, weather)
    loop = asyncio.get_running_loop()
    began = loop.time()

    await store.head()

    assert loop.time() - began > 0.04
