from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cast import NOON

from twinlock.domain.bounds import FAILURE_WAIT_MOST, FAILURES_MOST
from twinlock.domain.throttle import Throttle, after_failure, closed_until

pauses = st.lists(
    st.integers(0, 60 * 60 * 24 * 400).map(lambda seconds: timedelta(seconds=seconds)),
    max_size=200,
)


@pytest.mark.requirement("N-B10")
@given(pauses)
def test_no_pauses_and_no_number_of_guesses_give_a_101st(between: list[timedelta]) -> None:
    throttle, now, guesses = Throttle(), NOON, 0
    for pause in between + [timedelta(days=2)] * 150:
        now += pause
        if closed_until(throttle, now=now) is None:
            guesses += 1
            throttle = after_failure(throttle, now=now)

    assert guesses == FAILURES_MOST


@pytest.mark.requirement("P-04")
@given(st.integers(0, FAILURES_MOST - 2))
def test_the_wait_grows_with_each_failure_to_a_bound(failures: int) -> None:
    throttle = Throttle(failures=failures)
    once = after_failure(throttle, now=NOON)
    twice = after_failure(once, now=NOON)

    assert (once.until or NOON) <= (twice.until or NOON) <= NOON + FAILURE_WAIT_MOST
