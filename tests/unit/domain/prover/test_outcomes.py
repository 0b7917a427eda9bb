"""What each set of capabilities comes to: what is left out is outdone by something told."""

from collections.abc import Mapping

import pytest
from support.studies import sheets_of

from twinlock.domain.bounds import SMALL_SUM_CENTS
from twinlock.domain.money import KNOWN_CENTS_MOST
from twinlock.domain.prover.capabilities import Assumptions, Capability, Mean
from twinlock.domain.prover.derived import Derived, cents_of, goal
from twinlock.domain.prover.enrolment import Enrolment
from twinlock.domain.prover.growth import Sheet
from twinlock.domain.prover.outcomes import (
    Held,
    Outcome,
    Whose,
    joined,
    outcomes,
    undominated,
    whose,
)
from twinlock.domain.prover.system import solved, system_of

HOUR, DAY = 60, 24 * 60
WHOLE, SMALL = KNOWN_CENTS_MOST, SMALL_SUM_CENTS
EXITS = {"withdrawal.crypto": ("withdrawal.crypto",), "card.pay": ("card.pay", "gift.send")}
VARIANTS = 12  # Of each state: what an older system left there.


def leaves(exit_: str, cents: int, *body: Mean, delay: int = 0) -> Derived:
    return Derived(head=goal(exit_, cents), body=frozenset(body), delay=delay, action=exit_)


def sheet(*rules: Derived) -> Sheet:
    """Return one state, and what is solved of it."""
    state = Enrolment(authenticators=(), channels=())
    system = system_of([(state, rules)], exits=EXITS, sums=(WHOLE, SMALL), assumed=Assumptions())
    return system, solved(system)


def by_set(found: tuple[Held, ...]) -> Mapping[frozenset[Capability], Held]:
    """Return what is held by each set: one for each of those that are told as one."""
    sets: dict[frozenset[Capability], Held] = {}
    for one in found:
        ways: list[tuple[Capability, ...]] = [(each,) for each in one.one_of] or [()]
        sets |= {frozenset((*one.all_of, *also)): one for also in ways}
    return sets


CRYPTO, CARD = EXITS
MADE = sheet(
    leaves(CRYPTO, WHOLE, Mean.ROAMING_KEY, delay=3 * DAY),
    leaves(CARD, WHOLE, Mean.ROAMING_KEY, delay=5 * DAY),
    leaves(CRYPTO, SMALL, Mean.ROAMING_KEY, delay=3 * DAY),
    leaves(CARD, SMALL, Mean.ROAMING_KEY, delay=DAY),
    leaves(CARD, WHOLE, Mean.ROAMING_KEY, Mean.COOKIE, delay=4 * DAY),
    leaves(CRYPTO, WHOLE, Mean.ROAMING_KEY, Mean.PASSWORD, delay=HOUR),
    leaves(CARD, WHOLE, Mean.TOTP, Mean.COOKIE),
)


def test_of_one_set_each_sum_is_told_from_its_soonest_minute_whatever_the_exit() -> None:
    key = by_set(outcomes([MADE]))[frozenset({Capability.HW_KEY})]

    told = [(one.cents, one.minutes, one.states) for one in key.outcomes]
    assert told == [(WHOLE, 3 * DAY, VARIANTS), (SMALL, DAY, VARIANTS)]
    assert [one.minutes for one in key.worst] == [DAY, 3 * DAY]
    assert key.outcomes[1].path[-1].action == CARD
    assert key.outcomes[0].example.startswith("password | no channel")


def test_a_larger_set_is_told_where_it_is_sooner_and_nowhere_else() -> None:
    found = by_set(outcomes([MADE]))

    faster = found[frozenset({Capability.HW_KEY, Capability.PASSWORD})]
    assert [(one.cents, one.minutes) for one in faster.outcomes] == [(WHOLE, HOUR)]
    assert faster.worst == faster.outcomes
    assert frozenset({Capability.HW_KEY, Capability.SESSION_COOKIE}) not in found


def test_sets_that_differ_in_one_capability_only_are_told_as_one() -> None:
    both = frozenset({Capability.SESSION_COOKIE, Capability.TOTP_SEED})
    cookie = by_set(outcomes([MADE]))[both]

    assert cookie.all_of == (Capability.SESSION_COOKIE,)
    assert cookie.one_of == (Capability.TOTP_RELAY, Capability.TOTP_SEED)
    assert (cookie.size, cookie.whose) == (2, Whose.THIEVES)


def test_the_states_of_all_sheets_are_counted_together() -> None:
    once, twice = by_set(outcomes([MADE])), by_set(outcomes([MADE, MADE]))

    key = frozenset({Capability.HW_KEY})
    assert twice[key].outcomes[0].states == 2 * once[key].outcomes[0].states


def test_thieves_come_first_then_fewer_capabilities_then_sooner_ones() -> None:
    found = outcomes([MADE])

    order = [(list(Whose).index(one.whose), one.size, one.worst[0].minutes) for one in found]
    assert order == sorted(order)
    assert {one.whose for one in found} == {Whose.THIEVES, Whose.OPERATORS, Whose.OWNER}


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ((), Whose.THIEVES),
        ((Capability.PASSWORD, Capability.HW_KEY), Whose.THIEVES),
        ((Capability.PASSWORD, Capability.NOTICE_PROVIDER), Whose.INSIDERS),
        ((Capability.LOG_KEY, Capability.NOTICE_PROVIDER), Whose.OPERATORS),
        ((Capability.INATTENTIVE, Capability.APP_DEPLOY), Whose.OWNER),
    ],
)
def test_a_set_is_of_the_last_group_that_it_holds_one_of(
    held: tuple[Capability, ...], expected: Whose
) -> None:
    assert whose(held) is expected


def alike(*held: Capability) -> Held:
    outcome = Outcome(cents=WHOLE, minutes=0, states=1, example="a state", path=())
    return Held(whose=Whose.THIEVES, all_of=held, outcomes=(outcome,))


def test_sets_that_share_nothing_stay_as_they_are() -> None:
    some = [
        alike(Capability.PASSWORD, Capability.HW_KEY),
        alike(Capability.TOTP_SEED, Capability.SMS_RECEIVE),
    ]

    assert list(joined(some)) == some


def test_what_is_shared_by_most_is_told_as_one_first() -> None:
    some = [
        alike(Capability.PASSWORD, Capability.TOTP_SEED),
        alike(Capability.PASSWORD, Capability.SMS_RECEIVE),
        alike(Capability.PASSWORD, Capability.HW_KEY),
        alike(Capability.HW_KEY, Capability.SMS_RECEIVE),
    ]

    first, rest = joined(some)
    assert first.all_of == (Capability.PASSWORD,)
    assert first.one_of == (Capability.SMS_RECEIVE, Capability.TOTP_SEED, Capability.HW_KEY)
    assert rest == some[3]


def test_nothing_at_all_is_a_set_as_well() -> None:
    assert list(joined([alike()])) == [alike()]
    assert alike().size == 0


def test_nothing_is_left_out_that_is_not_outdone() -> None:
    """Every attack, in each of its states: something told needs no more and is no later."""
    for system, found in sheets_of("typical-2026"):
        told = list(undominated(found))
        for name, some in found.items():
            for one in some:
                outdone = 0
                for cents, other, states in told:
                    needs_less = not other.capabilities & ~one.capabilities
                    if needs_less and other.minutes <= one.minutes and cents >= cents_of(name):
                        outdone |= states
                assert not one.states & ~outdone, (system.held(one), name)
