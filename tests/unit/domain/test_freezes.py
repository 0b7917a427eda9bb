"""Freezes: set again, and what remembers those below the floor."""

from support.cast import DAY, HOUR, NOON

from twinlock.domain.freezes import Freeze, longer


def test_a_freeze_is_lengthened_and_never_shortened() -> None:
    short = longer(Freeze(), until=NOON + DAY, at=NOON, weak_root="phone")
    long = longer(short, until=NOON + 3 * DAY, at=NOON + HOUR, weak_root="")
    again = longer(long, until=NOON + 2 * DAY, at=NOON + 2 * HOUR, weak_root="knowledge")

    assert short == Freeze(until=NOON + DAY, set_at=NOON, weak={"phone": NOON})
    assert (long.until, long.set_at) == (NOON + 3 * DAY, NOON + HOUR)
    assert (again.until, again.set_at) == (long.until, long.set_at)
    assert again.weak == {"phone": NOON, "knowledge": NOON + 2 * HOUR}
