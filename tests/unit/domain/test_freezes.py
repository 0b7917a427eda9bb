"""Freezes: set again, and what remembers those below the floor."""

from datetime import datetime

from support.cast import DAY, HOUR, INSTANT, LONG_AGO, NOON

from twinlock.domain.bounds import WEAK_FREEZE_EVERY, WEAK_FREEZE_LENGTH
from twinlock.domain.freezes import Freeze, longer, with_weak


def test_a_freeze_is_lengthened_and_never_shortened() -> None:
    short = longer(Freeze(), until=NOON + DAY, at=NOON, weak_root="phone")
    long = longer(short, until=NOON + 3 * DAY, at=NOON + HOUR, weak_root="")
    again = longer(long, until=NOON + 2 * DAY, at=NOON + 2 * HOUR, weak_root="knowledge")

    assert short == Freeze(until=NOON + DAY, set_at=NOON, weak={"phone": NOON})
    assert (long.until, long.set_at) == (NOON + 3 * DAY, NOON + HOUR)
    assert (again.until, again.set_at) == (long.until, long.set_at)
    assert again.weak == {"phone": NOON, "knowledge": NOON + 2 * HOUR}


def test_below_the_floor_the_age_of_what_set_it_lasts_as_long_as_the_freeze() -> None:
    """Prevents: a leaked old password whose freeze counts as old when another begins."""
    first = longer(
        Freeze(),
        until=NOON + WEAK_FREEZE_LENGTH,
        at=NOON,
        weak_root="phone",
        bound_at=LONG_AGO,
    )
    end = NOON + WEAK_FREEZE_LENGTH

    def again(at: datetime) -> Freeze:
        until = at + WEAK_FREEZE_LENGTH
        return longer(first, until=until, at=at, weak_root="desktop", bound_at=NOON - DAY)

    assert first.age(now=end - INSTANT) == LONG_AGO
    assert first.age(now=end) is None
    assert again(end - INSTANT).age(now=end) == LONG_AGO
    assert again(end).age(now=end) == NOON - DAY


def test_a_stop_below_the_floor_is_remembered_until_the_next_may_be_made() -> None:
    later = NOON + WEAK_FREEZE_EVERY
    weak = {"phone": NOON, "knowledge": NOON + INSTANT}

    assert with_weak(weak, "desktop:aut", at=later) == {
        "knowledge": NOON + INSTANT,
        "desktop:aut": later,
    }
