"""Floods: noticed with the message that makes one, whatever came before, and told once a day."""

from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from support.cast import NOON

from twinlock.domain.bounds import FLOOD_TOLD_EVERY, FLOOD_WINDOW, NOTICES_PER_HOUR_MOST
from twinlock.domain.floods import Rings, rung, under_flood

gaps = st.lists(st.integers(1, 5_000), min_size=1, max_size=200)  # seconds between messages
MOST = NOTICES_PER_HOUR_MOST


def at_each(between: list[int]) -> list[datetime]:
    at, every = NOON, []
    for gap in between:
        at += timedelta(seconds=gap)
        every.append(at)
    return every


@given(gaps)
def test_an_account_that_is_told_little_is_in_no_flood(between: list[int]) -> None:
    counted, every = Rings(), at_each(between)
    for number, at in enumerate(every):
        counted = rung(counted, at, entry=number)
        hour = [one for one in every[: number + 1] if at - one < FLOOD_WINDOW]
        if counted.flood_at == int(at.timestamp()):
            assert len(hour) >= MOST


@given(gaps, st.integers(MOST * 2, MOST * 3))
def test_a_flood_is_noticed_whatever_came_before(between: list[int], number: int) -> None:
    """Within twice as many messages, wherever the hour that is counted began."""
    counted = Rings()
    every = at_each(between)
    for entry, at in enumerate(every):
        counted = rung(counted, at, entry=entry)
    last = every[-1]
    for one in range(number):
        last += timedelta(milliseconds=one % 2)  # Requests that come together have one time.
        counted = rung(counted, last, entry=len(every) + one)

    assert counted.flooded(last)


@given(st.lists(st.tuples(st.integers(0, 20_000), st.booleans()), min_size=1, max_size=60))
def test_its_owner_hears_of_floods_once_a_day(reports: list[tuple[int, bool]]) -> None:
    counted, at, told = Rings(), NOON, []
    for entry, (gap, reported) in enumerate(reports):
        at += timedelta(seconds=gap)
        before = counted
        counted = under_flood(counted, at) if reported else rung(counted, at, entry=entry)
        assert counted.flood_at >= before.flood_at
        if counted.told_at != before.told_at:
            told.append(at)

    assert all(b - a >= FLOOD_TOLD_EVERY for a, b in pairwise(told))
