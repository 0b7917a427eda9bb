from datetime import datetime, timedelta, timezone

import pytest
from msgspec.structs import replace
from support.cast import HOUR, INSTANT, NOON

from twinlock.domain.bounds import HOLDS_MOST
from twinlock.domain.errors import InvariantError
from twinlock.domain.holds import Hold, held_until, place


def a_hold(*, placed_at: datetime = NOON, hours: int = 24) -> Hold:
    ends_at = placed_at + hours * HOUR
    return Hold(because="password.change", placed_at=placed_at, ends_at=ends_at)


@pytest.mark.parametrize(
    ("now", "held"),
    [
        pytest.param(NOON - INSTANT, False, id="just before it starts"),
        pytest.param(NOON, True, id="the instant it starts"),
        pytest.param(NOON + 24 * HOUR - INSTANT, True, id="just before it ends"),
        pytest.param(NOON + 24 * HOUR, False, id="the instant it ends"),
    ],
)
def test_a_hold_is_in_force_from_its_start_to_just_before_its_end(
    now: datetime, held: bool
) -> None:
    assert a_hold().in_force(now) is held
    assert (held_until([a_hold()], now=now) is not None) is held


def test_without_holds_money_may_leave() -> None:
    assert held_until([], now=NOON) is None


@pytest.mark.parametrize("hours", [0, -1])
def test_a_hold_that_lasts_no_time_is_refused(hours: int) -> None:
    with pytest.raises(InvariantError, match="positive length"):
        a_hold(hours=hours)


@pytest.mark.parametrize("field", ["placed_at", "ends_at"])
def test_a_hold_keeps_time_in_utc_only(field: str) -> None:
    elsewhere = getattr(a_hold(), field).astimezone(timezone(timedelta(hours=1)))

    with pytest.raises(InvariantError, match=f"{field} is UTC"):
        replace(a_hold(), **{field: elsewhere})


def test_of_too_many_holds_those_that_end_first_go() -> None:
    holds: tuple[Hold, ...] = ()
    for hours in range(1, HOLDS_MOST + 3):
        holds = place(holds, a_hold(hours=hours))

    assert [hold.ends_at for hold in holds] == [
        NOON + hours * HOUR for hours in range(3, HOLDS_MOST + 3)
    ]


def test_a_lapsed_hold_goes_when_another_is_placed() -> None:
    old, new = a_hold(hours=1), a_hold(placed_at=NOON + HOUR)

    assert place((old,), new) == (new,)
