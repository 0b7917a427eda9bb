"""Which facts are tried where two engines would first differ."""

from collections import defaultdict

import pytest
from support.policies import DEFAULT, STRICT, policy_of, with_rules

from twinlock.adapters.policies import CHECKED_AT_LOAD, CHECKED_AT_MOST
from twinlock.domain.policy.boundaries import boundary_requests
from twinlock.domain.policy.terms import Span, Value
from twinlock.domain.policy.version import Policy
from twinlock.domain.policy.vocabulary import whole_box

MIDDLE = 1_767_225_600_000  # 2026-01-01, where instants are tried.
MANY = 4_000  # So many that each value is drawn.
RULES = """
@id("sum") @outcome("deny") @reason("platform_rule")
forbid (principal, action == Action::"withdrawal.crypto", resource)
when { context.value_cents > 100 || context.now.durationSince(context.opened_at) < duration("1s") };
"""


def tried() -> dict[str, set[Value]]:
    """Return every value of each fact that is tried for a withdrawal."""
    found: dict[str, set[Value]] = defaultdict(set)
    for action, context in boundary_requests(policy_of(with_rules(RULES)).statutes, count=MANY):
        if action == "withdrawal.crypto":
            for name, value in context.items():
                found[name].add(value)
    return found


def most(name: str) -> int:
    shape = whole_box()[name]
    assert isinstance(shape, Span)
    return shape.most


SELDOM = """
@id("seldom") @outcome("deny") @reason("platform_rule")
forbid (principal, action == Action::"freeze.lift", resource)
when { context.held_seconds == 77 && context.narrow && context.signalled && context.risk >= 60 };
"""


@pytest.mark.parametrize("policy", [DEFAULT, STRICT, policy_of(with_rules(SELDOM))])
def test_every_rule_is_tried_where_it_matches_and_where_it_does_not(policy: Policy) -> None:
    """Prevents: what two engines read differently, found by nobody before it is decided by."""
    found: dict[str, set[bool]] = defaultdict(set)
    requests = boundary_requests(policy.statutes, count=CHECKED_AT_LOAD, most=CHECKED_AT_MOST)
    every = list(requests)
    for action, context in every:
        for rule in policy.statutes.of(action):
            found[rule.rule_id].add(bool(rule.when.run(context)))

    assert found == {rule.rule_id: {True, False} for rule in policy.statutes.rules}
    assert every[:CHECKED_AT_LOAD] == list(
        boundary_requests(policy.statutes, count=CHECKED_AT_LOAD)
    )
    assert len(every) < 4 * CHECKED_AT_LOAD


def test_numbers_are_tried_at_their_ends_and_on_both_sides_of_each_step() -> None:
    near = {99, 100, 101, 999, 1_000, 1_001}

    assert tried()["value_cents"] == {0, *near, most("value_cents")}
    assert tried()["held_seconds"] == {0, *near, most("held_seconds")}
    assert tried()["roots_shown"] == {0, 99, 100, 101, 999, 1_000}


def test_instants_are_tried_around_one_in_the_middle() -> None:
    near = {MIDDLE + one for one in (0, 99, 100, 101, 999, 1_000, 1_001)}

    assert tried()["now"] == {0, *near, most("now")}


def test_flags_and_words_are_tried_one_by_one() -> None:
    assert tried()["narrow"] == {True, False}
    assert tried()["session"] == {"full", "none", "read_only", "unsigned"}


def test_sets_are_tried_empty_whole_and_with_one_word_in_or_out() -> None:
    words = {"read", "trade", "withdraw"}
    alone = {frozenset({word}) for word in words}
    without = {frozenset(words - {word}) for word in words}

    assert tried()["scopes"] == {frozenset(), frozenset(words), *alone, *without}


def test_each_action_that_is_permitted_is_asked_about_in_turn() -> None:
    statutes = policy_of(with_rules(RULES)).statutes
    asked = [action for action, _ in boundary_requests(statutes, count=2 * len(statutes.permits))]

    assert asked == 2 * sorted(statutes.permits)


def test_facts_differ_from_request_to_request_and_from_each_other() -> None:
    statutes = policy_of(with_rules(RULES)).statutes
    of_one = [
        context
        for action, context in boundary_requests(statutes, count=40 * len(statutes.permits))
        if action == "freeze.set"
    ]

    assert len({str(sorted(context.items(), key=str)) for context in of_one}) > 35
    assert {(one["narrow"], one["has_channel"]) for one in of_one} == {
        (a, b) for a in (True, False) for b in (True, False)
    }
