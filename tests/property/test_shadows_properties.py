"""A rule that is said to change nothing: whatever is drawn, as much is asked for without it."""

from functools import cache

from hypothesis import given
from hypothesis import strategies as st
from support.facts import facts
from support.policies import DEFAULT, STRICT, any_policy

from twinlock.domain.actions import BUILT
from twinlock.domain.laws import LAWS
from twinlock.domain.policy.shadows import State, effects
from twinlock.domain.policy.statute import Statute
from twinlock.domain.policy.statutes import Statutes, required
from twinlock.domain.policy.vocabulary import context_of
from twinlock.domain.policy.weighing import Change, changes, weigh
from twinlock.domain.requirements import all_of

SEEDS = 3


@cache
def idle() -> tuple[tuple[Statutes, Statute], ...]:
    """Return the rules of many policies that are said to change nothing."""
    some = (DEFAULT, STRICT, *(any_policy(seed, "default") for seed in range(SEEDS)))
    found = []
    for policy in some:
        states = {one.rule: one.state for one in effects(policy.statutes, laws=LAWS)}
        found += [
            (policy.statutes, rule)
            for rule in policy.statutes.rules
            if states[rule.rule_id] in (State.SHADOWED, State.DEAD)
        ]
    return tuple(found)


def test_there_are_idle_rules_of_many_kinds() -> None:
    """Prevents: a property that holds of no rule at all."""
    assert len({rule.rule_id for _, rule in idle()}) > 10


@given(st.data())
def test_without_an_idle_rule_as_much_is_asked_for(data: st.DataObject) -> None:
    statutes, rule = data.draw(st.sampled_from(idle()))
    found = data.draw(facts(action=data.draw(st.sampled_from(sorted(rule.actions & BUILT)))))
    matching = [
        one for one in statutes.of(found.action) if one.when.run(context_of(found, one.when.facts))
    ]
    others = [required(one.demand, found) for one in matching if one is not rule]
    before = all_of(*(law(found) for law in LAWS), *others)
    own = [required(rule.demand, found)] if rule in matching else []

    told = changes(weigh(before), weigh(all_of(before, *own)))
    assert set(told) <= {Change.TOLD_OTHERWISE}
