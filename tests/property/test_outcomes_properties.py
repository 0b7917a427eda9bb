"""What a condition can be, as ``outcomes`` says, against every value at which it may change."""

from collections.abc import Iterator
from itertools import product

import pytest
from support.policies import DEFAULT, STRICT

from twinlock.domain.policy.statute import Statute, outcomes
from twinlock.domain.policy.terms import Between, Choice, Context, Shape, Span, Value
from twinlock.domain.policy.varying import box_of

COMBINATIONS_MOST = 30_000
RULES = [
    pytest.param(rule, action, id=f"{policy.name}-{rule.rule_id}-{action}")
    for policy in (DEFAULT, STRICT)
    for rule in policy.statutes.rules
    for action in sorted(rule.actions)
]


@pytest.mark.parametrize(("rule", "action"), RULES)
def test_a_rule_can_be_what_it_is_for_some_facts_and_nothing_else(
    rule: Statute, action: str
) -> None:
    found = {bool(rule.when.run(facts)) for facts in _corners(rule, action)}

    assert outcomes(rule, box_of(action)) == found


def _corners(rule: Statute, action: str) -> Iterator[Context]:
    box, names = box_of(action), sorted(rule.when.facts)
    values = [tuple(_values(box[name], rule.when.steps)) for name in names]
    count = 1
    for some in values:
        count *= len(some)
    assert count <= COMBINATIONS_MOST
    for some in product(*values):
        yield dict(zip(names, some, strict=True))


def _values(shape: Shape, steps: frozenset[int]) -> Iterator[Value]:
    match shape:
        case Span(least=least, most=most):
            near = {step + by for step in steps for by in (-1, 0, 1)}
            yield from sorted({least, most} | {one for one in near if least <= one <= most})
        case Choice(of=of):
            yield from sorted(of, key=str)
        case Between(least=least, most=most):
            for kept in product((False, True), repeat=len(most - least)):
                extra = zip(sorted(most - least), kept, strict=True)
                yield least | {word for word, is_in in extra if is_in}
