"""Demands put together: what is told of them, and in which order."""

from support.cast import DAY, NOON

from twinlock.domain.assurance import Level
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import (
    NOTHING,
    Never,
    Prove,
    WaitUntil,
    all_of,
    any_of,
    waits_until,
    weightiest_first,
)


def test_what_decides_is_told_first_whatever_it_is_called() -> None:
    asked = all_of(
        Prove(code=Reason.AGREEMENT_NEEDED, level=Level.KNOWLEDGE),
        WaitUntil(code=Reason.LOCKED, until=NOON),
        any_of(
            Prove(code=Reason.PROOF_NEEDED, level=Level.KNOWLEDGE),
            WaitUntil(code=Reason.PROOF_NEEDED, until=NOON),
        ),
        Never(code=Reason.OWN_LIMIT),
    )

    assert weightiest_first(asked) == (
        Reason.OWN_LIMIT,
        Reason.LOCKED,
        Reason.PROOF_NEEDED,
        Reason.AGREEMENT_NEEDED,
    )
    assert weightiest_first(NOTHING) == ()


def test_of_two_waits_the_shorter_is_enough_and_beside_a_proof_none_must_pass() -> None:
    short, long = (WaitUntil(code=Reason.LOCKED, until=NOON + days * DAY) for days in (1, 2))

    assert waits_until(any_of(long, short)) == NOON + DAY
    assert waits_until(all_of(long, short)) == NOON + 2 * DAY
    assert waits_until(any_of(long, Prove(code=Reason.PROOF_NEEDED, level=Level.NONE))) is None
