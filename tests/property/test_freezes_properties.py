from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st
from support.cast import HOUR, NOON

from twinlock.domain.freezes import Freeze, longer

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
