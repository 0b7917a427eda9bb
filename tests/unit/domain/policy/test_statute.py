"""How far the facts of one rule are cut to say what its condition can be."""

import pytest
from support.policies import policy_of, with_rules

from twinlock.domain.policy.annotations import Ask, PolicyRefusedError
from twinlock.domain.policy.statute import BOXES_MOST, Statute, outcomes
from twinlock.domain.policy.terms import EITHER, Kind, Span, Term
from twinlock.domain.reasons import Reason

FLAGS = {"narrow", "has_channel", "enrolling", "proved", "value_unknown"}
SUMS = {"day_cents", "value_cents"}


def reading(steps: int) -> Statute:
    """Return a rule of five flags, and two sums that change at so many numbers."""
    when = Term(
        kind=Kind.FLAG,
        run=lambda _: True,
        over=lambda _: EITHER,
        facts=frozenset(FLAGS | SUMS),
        steps=frozenset(range(10, 10 * steps + 10, 10)),
    )
    ask = Ask(reason=Reason.PROOF_NEEDED, roots=1, factors=())
    return Statute(rule_id="long", actions=frozenset({"freeze.set"}), demand=ask, when=when)


def test_a_rule_of_as_many_parts_as_are_looked_through_is_answered() -> None:
    assert BOXES_MOST == 2**5 * 25**2
    assert outcomes(reading(12), {}) == {True, False}


def test_a_rule_of_more_parts_is_refused_by_its_name() -> None:
    with pytest.raises(PolicyRefusedError) as refused:
        outcomes(reading(13), {})

    assert refused.value.rule == "long"


def test_no_part_is_empty() -> None:
    rule = (
        '@id("x") @outcome("deny") @reason("platform_rule")'
        ' forbid (principal, action in Action::"exits", resource)'
        " when { context.value_cents == 5 || context.value_cents > 5 };"
    )
    [statute] = [one for one in policy_of(with_rules(rule)).statutes.rules if one.rule_id == "x"]

    assert outcomes(statute, {"value_cents": Span(5, 9)}) == {True}
    assert outcomes(statute, {"value_cents": Span(4, 9)}) == {True, False}
    assert outcomes(statute, {"value_cents": Span(0, 4)}) == {False}
