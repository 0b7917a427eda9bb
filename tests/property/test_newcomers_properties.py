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
from twinlock.domain.bounds import (
    AUTHENTICATORS_MOST,
    CHANNELS_MOST,
    DOUBTS_MOST,
    REPLACED_MOST,
)
from twinlock.domain.channels import Channel
from twinlock.domain.events import AuthenticatorSuspended
from twinlock.domain.ids import ChannelId
from twinlock.domain.newcomers import bound, doubted, is_older, resting_on, undo, with_doubts
from twinlock.domain.replay import apply_all
from twinlock.domain.spans import Spans, joined, meet, spans_of

entries = st.lists(st.integers(1, 10**6), max_size=8)
levels = st.sampled_from(Level)


@given(entries, entries, entries, st.integers(1, 4))
def test_no_entry_is_lost_and_none_is_added_from_outside(
    first: list[int], then: list[int], apart: list[int], most: int
) -> None:
    before = joined(spans_of(first), most=most)
    after = joined(before, spans_of(then), most=most, apart=apart)
    every = {*first, *then}

    assert len(after) <= most
    assert after == tuple(sorted(after))
    assert all(meet(after, spans_of((entry,))) for entry in every)
    assert {end for span in after for end in span} <= every
    if len(every) <= most:
        assert after == spans_of(every)


@given(st.sets(st.integers(1, 40), max_size=5), st.lists(st.sets(st.integers(1, 40))))
def test_two_spans_with_something_apart_between_them_stay_two(
    apart: set[int], added: list[set[int]]
) -> None:
    """Law 3: one more span than what is apart is always enough."""
    spans: Spans = ()
    for entries in added:
        spans = joined(spans, spans_of(entries - apart), most=len(apart) + 1, apart=apart)

    assert not meet(spans, spans_of(apart))


@given(st.lists(st.sets(st.integers(1, 60), max_size=3), max_size=40))
def test_what_is_bound_is_doubted_only_when_it_was_repudiated(added: list[set[int]]) -> None:
    account = the_fullest()
    kept = {one.entry for one in bound(account)}
    for entries in added:
        doubts = with_doubts(account, entries)
        account = replace(account, doubts=doubts)
        kept -= entries

    assert len(account.doubts) <= DOUBTS_MOST
    for one in bound(account):
        assert doubted(account, one.entry) is (one.entry not in kept)


def the_fullest() -> Account:
    """Return an account with as much bound as may be, at every third entry."""
    numbers = iter(range(1, 61, 3))
    keys = [
        replace(a_passkey(f"aut_{number}"), entry=next(numbers))
        for number in range(AUTHENTICATORS_MOST)
    ]
    channels: list[Channel] = []
    for number in range(CHANNELS_MOST):
        place: Channel | None = None
        for link in range(1 + REPLACED_MOST):
            named = ChannelId(f"chn_{number}_{link}")
            place = replace(EMAIL, channel_id=named, entry=next(numbers), replaced=place)
        assert place is not None
        channels.append(place)
    account = an_account(*keys, channels=channels)
    assert len(bound(account)) == DOUBTS_MOST - 1
    return account


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
    gone = resting_on(account, target.entry)
    events = undo(account, target.entry, since=target.bound_at, level=level, now=NOON)
    after = apply_all(State(account=account), events).account
    every = (*account.authenticators, *account.channels)

    assert gone == {one.entry for one in every if stands_on(account, one.entry, target.entry)}
    kept = {one.entry: one for one in after.authenticators}
    for one in account.authenticators:
        if one.entry not in gone:
            assert kept[one.entry] == one
        else:
            assert one.entry not in kept or kept[one.entry].suspended(NOON)
    assert all(doubted(after, entry) for entry in gone)


@given(built(), levels, st.data())
def test_somebody_can_still_sign_in_or_only_for_a_while_nobody(
    drawn: tuple[Account, list[int]], level: Level, data: st.DataObject
) -> None:
    """Law 10. A password goes nowhere: nobody has the one before it."""
    account, _ = drawn
    target = data.draw(st.sampled_from(account.authenticators))
    events = undo(account, target.entry, since=target.bound_at, level=level, now=NOON)
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
