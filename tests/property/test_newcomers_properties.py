"""What one "this was not me" undoes: all that stands on it, nothing else, and that once."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.cast import DAY, NOON
from support.worlds import APP, EMAIL, PASSWORD, SYNCED, a_passkey, an_account

from twinlock.domain.account import Account, State
from twinlock.domain.assurance import Level
from twinlock.domain.authenticators.model import Authenticator, Password
from twinlock.domain.bounds import DOUBTS_MOST
from twinlock.domain.events import AuthenticatorSuspended
from twinlock.domain.newcomers import doubted, is_older, resting_on, undo, with_doubts
from twinlock.domain.replay import apply_all

entries = st.lists(st.integers(1, 10**6), max_size=8)
levels = st.sampled_from(Level)


@given(entries, entries)
def test_what_was_doubted_once_is_doubted_for_ever(first: list[int], then: list[int]) -> None:
    before = with_doubts((), first)
    after = with_doubts(before, then)

    assert len(after) <= DOUBTS_MOST
    assert all(doubted(after, (entry,)) for entry in (*first, *then))
    assert after == tuple(sorted(after))


@given(entries, st.integers(1, 10**6))
def test_what_lies_outside_all_doubts_is_not_doubted(some: list[int], other: int) -> None:
    doubts = with_doubts((), some)

    if not some or not min(some) <= other <= max(some):
        assert not doubted(doubts, (other,))


@st.composite
def built(draw: st.DrawFn) -> tuple[Account, list[int]]:
    """Draw an account in which each thing was proved by some of those before it."""
    made: list[Authenticator] = [
        replace(PASSWORD, entry=1),
        replace(APP, entry=2),
        replace(SYNCED, entry=3),
    ]
    channel = replace(EMAIL, entry=draw(st.integers(4, 9)), by=(draw(st.integers(1, 3)),))
    for entry in range(10, 10 + draw(st.integers(1, 4))):
        by = draw(st.lists(st.integers(1, entry - 1), max_size=2, unique=True))
        at = NOON - DAY + timedelta(hours=2 * (entry - 9))
        new = a_passkey(f"aut_{entry}", bound_at=at)
        made.append(replace(new, entry=entry, by=tuple(sorted(by))))
    return an_account(*made, channels=(channel,)), [one.entry for one in made]


def stands_on(account: Account, entry: int, root: int) -> bool:
    """Say whether what ``entry`` bound was proved by ``root``, by way of others too."""
    every = {one.entry: one.by for one in (*account.authenticators, *account.channels)}
    return entry == root or any(
        by < entry and stands_on(account, by, root) for by in every.get(entry, ())
    )


@given(built(), levels, st.data())
def test_all_that_stands_on_it_is_undone_and_nothing_else(
    drawn: tuple[Account, list[int]], level: Level, data: st.DataObject
) -> None:
    account, _ = drawn
    target = data.draw(st.sampled_from(account.authenticators))
    gone = resting_on(account, target)
    after = apply_all(State(account=account), undo(account, target, level=level, now=NOON)).account
    every = (*account.authenticators, *account.channels)

    assert gone == {one.entry for one in every if stands_on(account, one.entry, target.entry)}
    kept = {one.entry: one for one in after.authenticators}
    for one in account.authenticators:
        if one.entry not in gone:
            assert kept[one.entry] == one
        else:
            assert one.entry not in kept or kept[one.entry].suspended(NOON)
    assert all(doubted(after.doubts, (entry,)) for entry in gone)


@given(built(), levels, st.data())
def test_somebody_can_still_sign_in_or_only_for_a_while_nobody(
    drawn: tuple[Account, list[int]], level: Level, data: st.DataObject
) -> None:
    """Law 10. A password goes nowhere: nobody has the one before it."""
    account, _ = drawn
    target = data.draw(st.sampled_from(account.authenticators))
    events = undo(account, target, level=level, now=NOON)
    after = apply_all(State(account=account), events).account

    assert any(isinstance(one, Password) for one in after.authenticators)
    weak = [one for one in events if isinstance(one, AuthenticatorSuspended) and not one.for_good]
    assert all(one.until > NOON for one in weak)
    assert after.floor >= max(
        (Level.KNOWLEDGE, *(Level.POSSESSION for one in after.authenticators if one == APP)),
    )


@given(st.timedeltas(timedelta(0), 60 * DAY), st.timedeltas(timedelta(0), 60 * DAY))
def test_of_two_ages_at_most_one_is_the_older(one: timedelta, other: timedelta) -> None:
    first, second = NOON - one, NOON - other

    assert not (is_older(first, second) and is_older(second, first))
