"""Rules without their times: what follows in one state and in many, and what is of use."""

import pytest

from twinlock.domain.errors import InvariantError
from twinlock.domain.prover.rules import (
    Gathered,
    Rule,
    closed,
    closed_by_state,
    gathered,
    relevant,
)

A, B, C, GOAL, OTHER, MID, ELSE = range(7)


def test_what_follows_without_time() -> None:
    rules = [
        Rule(head=MID, body=(A, B, A)),
        Rule(head=GOAL, body=(MID,), delay=9),
        Rule(head=OTHER, body=(GOAL,)),
        Rule(head=GOAL, body=(OTHER, MID)),
        Rule(head=C),
        Rule(head=ELSE, body=(GOAL, 99)),
    ]

    assert closed(rules, [A, B]) == {A, B, C, MID, GOAL, OTHER}
    assert closed(rules, [A]) == {A, C}
    assert closed([], []) == frozenset()


def test_what_follows_in_each_state() -> None:
    rules = [
        Rule(head=MID, body=(A,)),
        Rule(head=GOAL, body=(MID, B)),
        Rule(head=B),
        Rule(head=MID, body=(GOAL,)),
    ]
    follows = closed_by_state(rules, [0b011, 0b110, 0b010, 0b111], {A: 0b111, ELSE: 0})

    assert follows == {A: 0b111, B: 0b010, MID: 0b011, GOAL: 0b010, ELSE: 0}


def test_only_rules_that_can_fire_and_lead_to_a_goal_are_relevant() -> None:
    rules = [
        Rule(head=MID, body=(A,)),
        Rule(head=GOAL, body=(MID,)),
        Rule(head=GOAL, body=(99,)),
        Rule(head=OTHER, body=(MID,)),
    ]

    assert relevant(rules, [GOAL, 98], [A, B]) == ([0, 1], {A, MID, GOAL})


@pytest.mark.parametrize(("delay", "freeze"), [(-1, 0), (0, -1)])
def test_a_rule_does_not_go_back_in_time(delay: int, freeze: int) -> None:
    with pytest.raises(InvariantError):
        Rule(head=GOAL, body=(A,), delay=delay, freeze=freeze)


def test_states_with_the_same_rules_are_one_kind() -> None:
    first, second = Rule(head=MID, body=(A,)), Rule(head=GOAL, body=(MID,))
    table = gathered([[first], [second, first], [], [first, second, first], [first]])

    assert table == Gathered(rules=(first, second), where=(0b011, 0b010), kinds=(0, 1, 2, 1, 0))
    assert gathered([]) == Gathered(rules=(), where=(), kinds=())
