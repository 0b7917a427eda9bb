"""What an officer is told of a rule's annotations: which rule, which annotation, and what of it."""

import pytest
from support.policies import approvals_built

from twinlock.domain.assurance import BESIDE, PROOFS
from twinlock.domain.policy.annotations import (
    Agree,
    PolicyFault,
    PolicyRefusedError,
    read_demand,
    read_permit,
    refuse,
)
from twinlock.domain.reasons import Reason

CHALLENGE = {"outcome": "challenge", "reason": "proof_needed"}
HOLD = {"outcome": "hold", "reason": "platform_waits"}
REVIEW = {"outcome": "review", "reason": "platform_rule"}
DENY = {"outcome": "deny", "reason": "platform_rule"}
REASONS = '@reason is one of those under "Which reason fits" in docs/policy.md'
NAMEABLE = "password, email_code, sms_code, totp, passkey, recovery_code, session, api_key"


def told(said: dict[str, str], *, rule: str = "a.rule") -> str:
    """Return what is told of a forbid that says what it may not."""
    with pytest.raises(PolicyRefusedError) as refused:
        read_demand(rule, said)
    assert refused.value.rule == rule
    return str(refused.value)


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({}, "@outcome is one of challenge, hold, review, deny"),
        ({**DENY, "outcome": ""}, "@outcome is one of challenge, hold, review, deny"),
        ({"outcome": "deny"}, REASONS),
        ({**DENY, "reason": ""}, REASONS),
        ({**DENY, "shoe": "1"}, "@shoe does not belong here"),
        ({**DENY, "source": "<b>"}, "@source names where the rule comes from, in plain letters"),
        (CHALLENGE, "@outcome says @proof, @roots or @factors"),
        ({**CHALLENGE, "roots": "3"}, "@roots is a whole number from 1 to 2"),
        ({**CHALLENGE, "proof": "any"}, "@proof is one of floor"),
        ({**CHALLENGE, "factors": "topt"}, f"@factors is a list of {NAMEABLE}"),
        (
            {**CHALLENGE, "factors": "sms_code"},
            "@factors names what every account can bind: passkey, password, totp",
        ),
        (HOLD, "@hold_seconds says for how long"),
        (
            {**HOLD, "hold_seconds": "60", "or_roots": "1"},
            "@or_roots is a whole number from 2 to 2",
        ),
        ({**DENY, "ends": "day", "retained_seconds": "60"}, "@ends ends in one way"),
    ],
)
def test_what_is_wrong_with_an_annotation_is_told(said: dict[str, str], says: str) -> None:
    assert told(said) == f"annotation: a.rule: {says}"


def test_an_id_of_another_form_is_told() -> None:
    says = "@id has lower-case letters, digits, dots and lines below"

    assert told(DENY, rule="A.Rule") == f"annotation: A.Rule: {says}"


def test_a_review_is_told_to_be_what_nobody_can_give() -> None:
    assert told({**REVIEW, "quorum": "2"}) == "not_built: a.rule: nobody can give a review yet"


def test_once_somebody_can_give_one_a_review_says_how_many_agree() -> None:
    with approvals_built():
        assert told(REVIEW) == "annotation: a.rule: @quorum says how many agree"
        assert read_demand("a.rule", {**REVIEW, "quorum": "5"}) == Agree(
            reason=Reason.PLATFORM_RULE, count=5
        )


def test_a_permit_may_offer_every_proof() -> None:
    permit = read_permit("a.permit", {"offers": ", ".join(sorted(PROOFS))})

    assert permit.offers == PROOFS | BESIDE


def test_a_refusal_of_no_rule_names_none() -> None:
    with pytest.raises(PolicyRefusedError) as refused:
        refuse(PolicyFault.TOO_LARGE, "it is long")

    assert str(refused.value) == "too_large: it is long"
    assert (refused.value.rule, refused.value.line) == ("", 0)
    assert str(PolicyRefusedError(PolicyFault.SCOPE, "no", line=7)) == "scope: line 7: no"
    alone = PolicyRefusedError(PolicyFault.SCOPE, "no")
    assert (str(alone), alone.rule, alone.line) == ("scope: no", "", 0)
