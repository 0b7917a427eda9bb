"""No lowering lets more leave than before, and no tightening spares anybody a wait."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.cast import ALICE, DAY, NOON
from support.facts import facts

from twinlock.domain.actions import LimitLower
from twinlock.domain.bounds import SENT_TO_MOST
from twinlock.domain.limits import Limits, SentTo, lowered, lowers
from twinlock.domain.locks import Lock, tightens
from twinlock.domain.own_laws import a_contact_agrees, a_lock_delays, own_limits_hold
from twinlock.domain.policy.facts import Facts
from twinlock.domain.requirements import NOTHING, all_of

sums = st.none() | st.integers(0, 3)
limits = st.builds(
    Limits,
    day_cents=sums,
    destination_cents=sums,
    agreement_cents=sums,
    announced_cents=st.integers(0, 3),
)
lowers_to = st.builds(
    LimitLower,
    account=st.just(ALICE),
    day_cents=sums,
    destination_cents=sums,
    agreement_cents=sums,
)
KINDS: tuple[dict[str, bool], ...] = ({}, {"two_keys": True}, {"both_keys": True})
locks = st.builds(
    lambda days, kind: Lock(days=days, **kind), st.integers(0, 31), st.sampled_from(KINDS)
)


@given(limits, lowers_to, facts(), st.integers(0, 4))
def test_no_lowering_lets_more_leave(
    old: Limits, asked: LimitLower, found: Facts, cents: int
) -> None:
    if not lowers(old, asked):
        return
    new = lowered(old, asked)

    def missing(one: Limits) -> bool:
        after = replace(
            found,
            value_cents=cents,
            own_day_cents=one.day_cents,
            own_destination_cents=one.destination_cents,
            agreement_cents=one.agreement_cents,
        )
        return all_of(own_limits_hold(after), a_contact_agrees(after)) != NOTHING

    assert missing(new) or not missing(old)
    assert new.announced_cents <= old.announced_cents


@given(locks, locks, facts())
def test_no_tightening_spares_a_wait(old: Lock, new: Lock, found: Facts) -> None:
    if not tightens(new, old):
        return
    waits = a_lock_delays(replace(found, lock=new)) != NOTHING

    assert waits or a_lock_delays(replace(found, lock=old)) == NOTHING


@given(locks, locks)
def test_of_two_locks_at_most_one_is_tighter(one: Lock, other: Lock) -> None:
    assert not (tightens(one, other) and tightens(other, one))


@given(st.lists(st.tuples(st.integers(0, SENT_TO_MOST + 3), st.integers(0, 9), st.booleans())))
def test_no_place_counts_for_less_than_what_went_there(
    sends: list[tuple[int, int, bool]],
) -> None:
    counted, real, at = SentTo(), dict[str, int](), NOON
    for number, cents, next_day in sends:
        if next_day:
            at, real = at + DAY, {}
        place = str(number)
        counted = counted.plus(place, cents, at=at)
        real[place] = real.get(place, 0) + cents
        assert len(counted.cents) <= SENT_TO_MOST + 1
        for one, sum_there in real.items():
            assert counted.on(one, at=at) >= sum_there
            if len(real) <= SENT_TO_MOST:
                assert counted.on(one, at=at) == sum_there
        assert counted.on(place, at=at + DAY) == 0
