"""How one answer differs from another, case by case."""

from datetime import timedelta

import pytest
from support.cast import DAY, NOON

from twinlock.domain.assurance import Factor, Level
from twinlock.domain.policy.weighing import Change, Proofs, changes, longer_by, weigh
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import (
    NOTHING,
    AnyOf,
    Approvals,
    Never,
    Prove,
    Requirement,
    WaitUntil,
    all_of,
    any_of,
)

FLOOR = Level.PHISHING_RESISTANT
PROOF = Prove(code=Reason.PROOF_NEEDED, level=FLOOR)
TWO = Prove(code=Reason.SECOND_ROOT_NEEDED, level=FLOOR, roots=2)
PASSKEY = Prove(code=Reason.PROOF_NEEDED, level=Level.POSSESSION, factors=(Factor.PASSKEY,))
WAIT = WaitUntil(code=Reason.LOOSENING_WAITS, until=NOON + DAY)
LATER = WaitUntil(code=Reason.LOOSENING_WAITS, until=NOON + 2 * DAY)
OTHER = WaitUntil(code=Reason.PLATFORM_WAITS, until=NOON + DAY)
NO = Never(code=Reason.PLATFORM_RULE)
NOT_TODAY = Never(code=Reason.PLATFORM_RULE, until=NOON + DAY)
NOT_TOMORROW = Never(code=Reason.PLATFORM_RULE, until=NOON + 2 * DAY)
AGREE = Approvals(code=Reason.PLATFORM_RULE, count=2)


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (NOTHING, NOTHING, ()),
        (WAIT, WAIT, ()),
        (NOTHING, NO, (Change.REFUSED,)),
        (WAIT, NO, (Change.REFUSED,)),
        (NO, NO, ()),
        (NO, Never(code=Reason.NOT_PERMITTED), (Change.TOLD_OTHERWISE,)),
        (NO, NOT_TODAY, (Change.SHORTER,)),
        (NOT_TODAY, NO, (Change.LONGER,)),
        (NOT_TODAY, NOT_TOMORROW, (Change.LONGER,)),
        (NOT_TODAY, all_of(NOT_TODAY, NO), (Change.LONGER,)),
        (NOT_TODAY, AnyOf(options=(NOT_TODAY, NOT_TOMORROW)), (Change.LONGER,)),
        (NOT_TODAY, all_of(NOT_TODAY, WAIT), (Change.TOLD_OTHERWISE,)),
        (NO, NOTHING, (Change.ALLOWED,)),
        (PROOF, NOTHING, (Change.ALLOWED,)),
        (NO, WAIT, (Change.NOT_REFUSED,)),
        (NOTHING, WAIT, (Change.HELD,)),
        (PROOF, all_of(PROOF, WAIT), (Change.HELD,)),
        (all_of(PROOF, WAIT), PROOF, (Change.NOT_HELD,)),
        (WAIT, LATER, (Change.LONGER,)),
        (LATER, WAIT, (Change.SHORTER,)),
        (WAIT, OTHER, (Change.TOLD_OTHERWISE,)),
        (NOTHING, PROOF, (Change.MORE_PROOF,)),
        (PROOF, TWO, (Change.MORE_PROOF,)),
        (TWO, PROOF, (Change.LESS_PROOF,)),
        (PROOF, PASSKEY, (Change.OTHER_PROOF,)),
        (PROOF, all_of(PASSKEY, WAIT), (Change.HELD, Change.OTHER_PROOF)),
        (all_of(TWO, WAIT), all_of(PROOF, LATER), (Change.LONGER, Change.LESS_PROOF)),
        (any_of(TWO, WAIT), WAIT, (Change.FEWER_WAYS,)),
        (WAIT, any_of(TWO, WAIT), (Change.MORE_WAYS,)),
        (any_of(TWO, WAIT), any_of(TWO, LATER), (Change.LONGER,)),
        (PROOF, any_of(TWO, PASSKEY), (Change.LESS_PROOF,)),
        (PROOF, any_of(TWO, all_of(PROOF, WAIT)), (Change.HELD,)),
        (WAIT, all_of(WAIT, AGREE), (Change.FEWER_WAYS,)),
    ],
)
def test_a_change_is_told(
    first: Requirement, second: Requirement, told: tuple[Change, ...]
) -> None:
    assert changes(weigh(first), weigh(second)) == told


def test_another_persons_agreement_is_a_proof_of_its_own() -> None:
    """It reaches no level, so nothing else would tell it from nothing."""
    agree = Prove(code=Reason.MEMBERS_NEEDED, level=Level.NONE, factors=(Factor.MEMBER,))

    assert changes(weigh(PROOF), weigh(all_of(PROOF, agree))) == (Change.MORE_PROOF,)
    assert weigh(agree).proofs.factors == {"member", "members_needed"}


def test_what_somebody_shows_beyond_covers_it() -> None:
    high, low = Proofs(level=FLOOR, roots=2), Proofs(level=Level.KNOWLEDGE, roots=1)

    assert high.covers(low)
    assert not low.covers(high)


@pytest.mark.parametrize(
    ("first", "second", "by"),
    [
        (NOTHING, NOTHING, None),
        (WAIT, LATER, DAY),
        (LATER, WAIT, -DAY),
        (NOTHING, WAIT, DAY),
        (WAIT, NOTHING, -DAY),
        (NO, WAIT, None),
        (WAIT, NO, None),
    ],
)
def test_how_much_longer_it_waits(
    first: Requirement, second: Requirement, by: timedelta | None
) -> None:
    assert longer_by(weigh(first), weigh(second), now=NOON) == by
