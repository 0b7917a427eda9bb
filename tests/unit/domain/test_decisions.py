"""When a yes takes both engines."""

from hypothesis import given
from msgspec.structs import replace
from support.facts import facts
from support.worlds import rules_of

from twinlock.domain.catalogue import ActionClass
from twinlock.domain.decisions import Rules, authorize_facts, judge_facts
from twinlock.domain.policy.facts import Facts
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import NOTHING, Never, Requirement, all_of

DIFFERS = Never(code=Reason.ACTION_UNKNOWN)
HELD = Never(code=Reason.ACCOUNT_FROZEN)
WITH_EFFECT = (ActionClass.EXIT, ActionClass.LOOSENING)


def other_engine_refuses(_: Facts) -> Requirement:
    return DIFFERS


RULES = replace(rules_of(), laws=(), statutes=(), confirm=other_engine_refuses)
HOLDING: Rules = replace(RULES, statutes=(lambda _: HELD,))


@given(facts())
def test_value_leaves_and_protection_loosens_only_where_both_engines_say_yes(one: Facts) -> None:
    """Prevents: one wrong engine that opens the account by itself."""
    asked = one.action_class in WITH_EFFECT

    assert authorize_facts(one, rules=RULES) == (DIFFERS if asked else NOTHING)


@given(facts())
def test_a_no_of_one_engine_is_enough(one: Facts) -> None:
    assert authorize_facts(one, rules=HOLDING) == HELD


@given(facts())
def test_every_law_and_every_statute_is_asked(one: Facts) -> None:
    rules = replace(RULES, laws=(lambda _: DIFFERS, lambda _: NOTHING), statutes=(lambda _: HELD,))

    assert judge_facts(one, rules=rules) == all_of(DIFFERS, HELD)
