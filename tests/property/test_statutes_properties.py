"""What the loader promises of every policy it takes, whatever the facts are."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.facts import facts, fulfil
from support.policies import policies

from twinlock.domain.actions import BUILT
from twinlock.domain.catalogue import CLASS_OF, ActionClass
from twinlock.domain.policy.annotations import Refuse
from twinlock.domain.policy.facts import Facts
from twinlock.domain.policy.statutes import required
from twinlock.domain.policy.version import Policy
from twinlock.domain.policy.vocabulary import context_of
from twinlock.domain.reasons import EXPLANATIONS, Reason
from twinlock.domain.requirements import NOTHING, Never, reasons

TIGHTENING = sorted(kind for kind in BUILT if CLASS_OF[kind] is ActionClass.TIGHTENING)


@given(facts(), policies(), st.data())
def test_a_rule_is_lifted_by_what_it_asks_for(
    found: Facts, policy: Policy, data: st.DataObject
) -> None:
    """Beside what else may be missing: each rule by itself, done exactly, matches no more."""
    for rule in policy.statutes.matching(found.action, context_of(found)):
        asked = required(rule.demand, found)
        after = fulfil(asked, found, lambda count: data.draw(st.integers(0, count - 1)))
        if after is None:
            assert isinstance(rule.demand, Refuse)
            continue
        again = fulfil(required(rule.demand, after), after, lambda _: 0)
        assert again is not None
        assert not rule.when.run(context_of(again)) or not rule.when.run(context_of(after))


@given(facts(), policies())
def test_a_refusal_that_ends_with_the_day_ends_then(found: Facts, policy: Policy) -> None:
    for rule in policy.statutes.matching(found.action, context_of(found)):
        match required(rule.demand, found):
            case Never(until=until) if until is not None:
                tomorrow = replace(found, now=until, day_cents=0, destination_day_cents=0)
                assert until > found.now
                assert not rule.when.run(context_of(tomorrow))
            case _:
                pass


@given(facts(), st.sampled_from(TIGHTENING), policies())
def test_no_statute_slows_what_tightens(found: Facts, action: str, policy: Policy) -> None:
    asked = replace(found, action=action, action_class=ActionClass.TIGHTENING)

    assert policy.statutes.law(asked) == NOTHING


@given(facts(), policies())
def test_statutes_never_fail_on_facts_that_an_account_can_have(
    found: Facts, policy: Policy
) -> None:
    said = reasons(policy.statutes.law(found))

    assert Reason.ENGINE_ERROR not in said
    assert set(said) <= set(EXPLANATIONS)
