"""How two policies differ: every example is one, and where there is none nothing differs."""

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st
from support.facts import facts
from support.policies import DEFAULT, LAX, STRICT, any_policy

from twinlock.domain.actions import BUILT
from twinlock.domain.laws import LAWS
from twinlock.domain.policy.diffing import Difference, difference
from twinlock.domain.policy.version import Policy
from twinlock.domain.policy.weighing import Change, changes, weigh
from twinlock.domain.requirements import all_of

SEEDS = 2
MOST = 2_000  # Cells for each action: enough for an answer, and seconds less.


@cache
def pairs() -> tuple[tuple[Policy, Policy, Difference], ...]:
    """Return some pairs of policies, and how they differ."""
    some = [(DEFAULT, STRICT), (DEFAULT, LAX), (STRICT, DEFAULT)]
    some += [(DEFAULT, any_policy(seed, "default")) for seed in range(SEEDS)]
    return tuple((one, other, difference(one, other, laws=LAWS, most=MOST)) for one, other in some)


def unnamed(found: Difference) -> list[str]:
    """Return the actions about which nothing differs."""
    return sorted(BUILT - {action for one in found.actions for action in one.actions})


def test_examples_are_answered_as_they_say() -> None:
    kinds = set[Change]()
    for _, _, found in pairs():
        for action in found.actions:
            for one in action.examples:
                kinds |= set(one.changes)
                assert one.first.answer is not one.second.answer or one.changes
                assert sum(action.counts.values()) >= len(action.examples)

    assert {Change.REFUSED, Change.ALLOWED, Change.HELD, Change.LONGER, Change.SHORTER} <= kinds
    assert {Change.MORE_PROOF, Change.LESS_PROOF} <= kinds


@given(st.data())
@settings(max_examples=200)
def test_no_facts_tell_two_policies_apart_about_an_action_that_is_not_named(
    data: st.DataObject,
) -> None:
    first, second, found = data.draw(st.sampled_from([one for one in pairs() if unnamed(one[2])]))
    action = data.draw(st.sampled_from(unnamed(found)))
    drawn = data.draw(facts(action=action))
    weights = [
        weigh(all_of(*(law(drawn) for law in LAWS), policy.statutes.law(drawn)))
        for policy in (first, second)
    ]

    assert set(changes(*weights)) <= {Change.TOLD_OTHERWISE}
