"""Examples in words."""

import pytest

from twinlock.domain.assurance import Level
from twinlock.domain.policy.examples import Answered, Told, answer_in_words, facts_in_words
from twinlock.domain.policy.weighing import Proofs
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({}, "nothing shown yet"),
        ({"narrow": False, "proved": True}, "proved, not narrow"),
        ({"value_cents": 100_001, "risk": 85}, "value_cents US$1,000.01, risk 85"),
        ({"held_seconds": 86_400}, "held_seconds 86,400"),
        ({"factors": ("passkey", "totp"), "scopes": ()}, "factors passkey and totp, scopes none"),
        ({"destination": "new"}, "destination new"),
    ],
)
def test_facts_are_told_on_one_line(facts: dict[str, Told], told: str) -> None:
    assert facts_in_words(facts) == told


@pytest.mark.parametrize(
    ("answered", "told"),
    [
        (Answered(answer=Answer.ALLOW, wait_seconds=0, proofs=Proofs(), reasons=()), "allow"),
        (
            Answered(
                answer=Answer.HOLD,
                wait_seconds=86_400,
                proofs=Proofs(level=Level.PHISHING_RESISTANT, roots=1),
                reasons=(Reason.LOOSENING_WAITS, Reason.PROOF_NEEDED),
            ),
            "hold, prove (phishing resistant), wait 24 hours (loosening_waits, proof_needed)",
        ),
        (
            Answered(
                answer=Answer.CHALLENGE,
                wait_seconds=3_600,
                proofs=Proofs(
                    level=Level.POSSESSION, roots=2, factors=frozenset({"totp", "passkey"})
                ),
                reasons=(),
            ),
            "challenge, prove (possession, 2 roots), show passkey and totp, or wait 1 hour",
        ),
        (
            Answered(
                answer=Answer.DENY,
                wait_seconds=60,
                proofs=Proofs(level=Level.POSSESSION, roots=2),
                reasons=(Reason.NARROW_LIMIT,),
            ),
            "deny (narrow_limit)",
        ),
        (
            Answered(
                answer=Answer.DENY,
                wait_seconds=0,
                lapse_seconds=43_200,
                proofs=Proofs(),
                reasons=(Reason.NARROW_LIMIT,),
            ),
            "deny, for 12 hours (narrow_limit)",
        ),
    ],
)
def test_an_answer_is_told_on_one_line(answered: Answered, told: str) -> None:
    assert answer_in_words(answered) == told
