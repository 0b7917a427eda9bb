from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from support.cast import DAY, HOUR, NOON

from twinlock.domain.bounds import WEAK_FREEZE_LENGTH
from twinlock.domain.freezes import Freeze, for_ever, longer

hours = st.integers(0, 8).map(lambda number: NOON + number * HOUR)
roots = st.sampled_from(["", "phone", "knowledge"])


@given(st.lists(st.tuples(hours, hours, roots), min_size=1))
def test_a_freeze_that_is_set_again_never_ends_sooner(
    every: list[tuple[datetime, datetime, str]],
) -> None:
    freeze = Freeze()
    ends: list[datetime] = []
    for until, at, weak_root in every:
        freeze = longer(freeze, until=until, at=at, weak_root=weak_root)
        ends.append(freeze.until or NOON)

    assert ends == sorted(ends)
    assert ends[-1] == max(until for until, _, _ in every)


@given(hours, hours, hours, hours)
def test_a_freeze_below_the_floor_that_adds_nothing_ends_no_lift_that_waits(
    until: datetime, at: datetime, sooner: datetime, later: datetime
) -> None:
    freeze = longer(Freeze(), until=until, at=at, weak_root="")
    again = longer(freeze, until=min(until, sooner), at=later, weak_root="phone")

    assert (again.until, again.set_at) == (until, at)


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30), roots), min_size=1, max_size=5),
    st.integers(0, 120),
)
def test_a_freeze_is_as_old_as_what_set_what_still_runs_of_it(
    every: list[tuple[int, int, str]], hours_later: int
) -> None:
    """And one that was set with less than the floor has an age no longer than it runs."""
    freeze, runs, at = Freeze(), [], NOON
    for hours_on, days, weak_root in every:
        at += timedelta(hours=hours_on)
        bound_at = NOON - days * DAY
        until = at + WEAK_FREEZE_LENGTH if weak_root else for_ever(at)
        freeze = longer(freeze, until=until, at=at, weak_root=weak_root, bound_at=bound_at)
        runs.append((until, bound_at))
    now = at + hours_later * HOUR
    ages = [bound_at for until, bound_at in runs if now < until]
    age = freeze.age(now=now)

    assert (age is None) is (not ages)
    assert all(age is not None and age <= one for one in ages)
    assert age is None or age in {bound_at for _, bound_at in runs}
