"""A rule that is said to be milder than the laws: while it matches, the laws ask for as much."""

from functools import cache

from hypothesis import given
from hypothesis import strategies as st
from support.facts import facts
from support.policies import any_policy

from twinlock.domain.laws import (
    a_budget_is_small,
    loosening_waits,
    the_floor_never_sinks,
    two_roots,
)
from twinlock.domain.policy.annotations import Ask, Wait
from twinlock.domain.policy.minima import Minimum, matched, minimum
from twinlock.domain.policy.statute import Statute
from twinlock.domain.policy.vocabulary import context_of
from twinlock.domain.requirements import NOTHING, all_of, silence_until, waits_until

SEEDS = 24


@cache
def milder() -> tuple[tuple[Statute, Minimum], ...]:
    """Return the rules of many policies that are said to be milder than the laws."""
    rules = (rule for seed in range(SEEDS) for rule in any_policy(seed, "default").statutes.rules)
    found = ((rule, minimum(rule)) for rule in rules)
    return tuple((rule, least) for rule, least in found if least is not None and least.below)


def test_there_are_milder_waits_budgets_and_listings() -> None:
    """Prevents: a property that holds of no rule at all."""
    kinds = {type(rule.demand).__name__ for rule, _ in milder()}

    assert kinds == {"Ask", "Refuse", "Wait"}
    assert len({rule.rule_id for rule, _ in milder()}) > 10


@given(st.data())
def test_where_a_milder_rule_matches_the_laws_ask_for_as_much(data: st.DataObject) -> None:
    rule, least = data.draw(st.sampled_from(milder()))
    found = data.draw(facts(action=data.draw(st.sampled_from(matched(rule)))))
    if not rule.when.run(context_of(found)):
        return
    match rule.demand:
        case Wait(length=length):
            laws = all_of(two_roots(found), loosening_waits(found))
            ends = [end for end in (waits_until(laws), silence_until(laws)) if end is not None]
            enough = least.two_roots and len(found.shown_roots) > 1
            assert enough or max(ends) > (found.proved_at or found.now) + length
        case Ask():
            assert found.proved_at is None
            assert the_floor_never_sinks(found) != NOTHING
        case _:
            assert a_budget_is_small(found) != NOTHING
