"""RFC 9470: what a response asks for, and that it asks for nothing where no proof helps."""

import pytest
from support.cast import NOON

from twinlock.domain.assurance import Level
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import NOTHING, Never, Prove, Requirement, WaitUntil
from twinlock.domain.step_up import challenge


@pytest.mark.parametrize(
    "missing",
    [
        NOTHING,
        WaitUntil(code=Reason.LOCKED, until=NOON),
        Never(code=Reason.OWN_LIMIT),
    ],
)
def test_nothing_is_asked_for_where_no_proof_helps(missing: Requirement) -> None:
    assert challenge(missing) == ""


def test_the_level_that_is_missing_is_asked_for() -> None:
    asked = challenge(Prove(code=Reason.PROOF_NEEDED, level=Level.PHISHING_RESISTANT))

    assert asked.startswith('Bearer error="insufficient_user_authentication"')
    assert "acr_values=" in asked
