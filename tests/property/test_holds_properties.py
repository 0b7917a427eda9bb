from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st
from support.cast import HOUR, NOON

from twinlock.domain.bounds import HOLDS_MOST
from twinlock.domain.holds import Hold, held_until, place

# A short day, so that overlaps and equal ends are common and not lucky.
instants = st.integers(0, 8).map(lambda hours: NOON + hours * HOUR)
holds = st.builds(
    lambda placed_at, hours: Hold(
        because="password.change", placed_at=placed_at, ends_at=placed_at + hours * HOUR
    ),
    instants,
    st.integers(1, 8),
)


@given(st.lists(holds), holds, instants)
def test_one_more_hold_never_lets_money_leave_sooner(
    before: list[Hold], more: Hold, now: datetime
) -> None:
    already = held_until(before, now=now)
    after = held_until([*before, more], now=now)

    assert already is None or (after is not None and after >= already)


@given(st.lists(holds), holds, instants)
def test_a_lapsed_hold_changes_nothing(others: list[Hold], lapsed: Hold, now: datetime) -> None:
    now = max(now, lapsed.ends_at)

    assert held_until([*others, lapsed], now=now) == held_until(others, now=now)


@given(st.lists(holds, max_size=3 * HOLDS_MOST), instants)
def test_no_list_of_holds_loses_the_one_that_ends_last(placed: list[Hold], later: datetime) -> None:
    in_order = sorted(placed, key=lambda hold: hold.placed_at)
    kept: tuple[Hold, ...] = ()
    for hold in in_order:
        kept = place(kept, hold)
    now = max([later, *(hold.placed_at for hold in in_order)])

    assert len(kept) <= HOLDS_MOST
    assert held_until(kept, now=now) == held_until(in_order, now=now)
