"""Timed rules at their edges: waits, freezes, gates, several goals, many states."""

import pytest

from twinlock.domain.errors import InvariantError
from twinlock.domain.prover.closure import (
    Attack,
    Rule,
    Step,
    attacks,
    by_state,
    grown,
    in_state,
    minimal_sets,
)

A, B, C, GOAL, OTHER, MID, ELSE = range(7)


def told(found: tuple[Attack, ...]) -> list[tuple[int, int]]:
    return [(one.capabilities, one.minutes) for one in found]


def sooner(rules: list[Rule], capabilities: tuple[int, ...] = (A, B)) -> list[tuple[int, int]]:
    return told(attacks(rules, [GOAL], capabilities)[GOAL])


@pytest.mark.parametrize(
    ("rules", "minute"),
    [
        ([Rule(head=GOAL, body=(A,))], 0),
        ([Rule(head=GOAL, body=(A,), delay=5)], 5),
        ([Rule(head=GOAL, body=(A,), delay=5, freeze=9)], 5),
        # A freeze begins when its rule takes effect, and stops what is gated only.
        ([Rule(head=MID, body=(A,), delay=5, freeze=9), Rule(head=GOAL, body=(MID,))], 5),
        (
            [
                Rule(head=MID, body=(A,), delay=5, freeze=9),
                Rule(head=GOAL, body=(MID,), gated=True),
            ],
            14,
        ),
        # A gated wait runs during a freeze: the later of both ends counts.
        (
            [
                Rule(head=MID, body=(A,), freeze=9),
                Rule(head=GOAL, body=(MID,), delay=4, gated=True),
            ],
            9,
        ),
        (
            [
                Rule(head=MID, body=(A,), freeze=9),
                Rule(head=GOAL, body=(MID,), delay=12, gated=True),
            ],
            12,
        ),
        # A freeze that is over stops nothing, and of two the later ends.
        (
            [
                Rule(head=MID, body=(A,), freeze=9),
                Rule(head=ELSE, body=(A,), delay=20, freeze=3),
                Rule(head=GOAL, body=(MID, ELSE), gated=True),
            ],
            23,
        ),
        # What needs nothing waits, too, and starts its freeze.
        ([Rule(head=MID, delay=3, freeze=7), Rule(head=GOAL, body=(MID, A), gated=True)], 10),
    ],
)
def test_a_goal_is_reached_when_waits_and_freezes_let_it(rules: list[Rule], minute: int) -> None:
    assert sooner(rules) == [(1, minute)]


def test_a_slower_way_without_a_freeze_may_end_sooner() -> None:
    """Both labels of the middle are kept, since neither dominates."""
    frozen = Rule(head=MID, body=(A,), freeze=100)
    slow = Rule(head=MID, body=(A,), delay=50)

    assert sooner([frozen, slow, Rule(head=GOAL, body=(MID,), gated=True)]) == [(1, 50)]
    assert sooner([frozen, slow, Rule(head=GOAL, body=(MID,))]) == [(1, 0)]


def test_an_atom_may_be_had_in_two_ways_within_one_path() -> None:
    """By either way alone it takes 100 or 110: the freeze of the one is not held to the other.

    So a minute may be told too soon, never too late, and no set is missed.
    """
    rules = [
        Rule(head=MID, body=(A,), freeze=100),
        Rule(head=MID, body=(A,), delay=50),
        Rule(head=OTHER, body=(MID,), gated=True),
        Rule(head=ELSE, body=(MID,), delay=60),
        Rule(head=GOAL, body=(OTHER, ELSE)),
    ]

    assert sooner(rules) == [(1, 60)]
    assert [sooner(rules[at : at + 1] + rules[2:]) for at in (0, 1)] == [[(1, 100)], [(1, 110)]]


def test_more_capabilities_may_be_faster_and_both_attacks_are_told() -> None:
    rules = [Rule(head=GOAL, body=(A,), delay=9), Rule(head=GOAL, body=(A, B), delay=2)]
    found = attacks(rules, [GOAL], [A, B])[GOAL]

    assert told(found) == [(0b01, 9), (0b11, 2)]
    assert minimal_sets(found) == (0b01,)


def test_a_bit_is_the_place_of_its_capability() -> None:
    assert sooner([Rule(head=GOAL, body=(A,))], (C, B, A)) == [(0b100, 0)]


def test_a_goal_may_need_nothing_or_be_a_capability_or_be_out_of_reach() -> None:
    assert sooner([Rule(head=GOAL, delay=7)]) == [(0, 7)]
    assert attacks([], [A], [A])[A] == (Attack(capabilities=1, minutes=0, states=1, path=()),)
    assert attacks([], [GOAL], [A]) == {GOAL: ()}
    assert sooner([Rule(head=GOAL, body=(MID,)), Rule(head=MID, body=(GOAL,))]) == []


def test_a_cycle_proves_nothing_and_hides_nothing() -> None:
    rules = [
        Rule(head=MID, body=(ELSE,)),
        Rule(head=ELSE, body=(MID,)),
        Rule(head=ELSE, body=(A,), delay=3),
        Rule(head=GOAL, body=(MID,)),
    ]

    assert sooner(rules) == [(1, 3)]


def test_a_path_tells_rules_by_minute_after_what_they_need() -> None:
    rules = [
        Rule(head=GOAL, body=(MID, ELSE), gated=True),
        Rule(head=ELSE, body=(B,), delay=2),
        Rule(head=MID, body=(A,), delay=4, freeze=6),
        Rule(head=OTHER, body=(A,)),
    ]
    (found,) = attacks(rules, [GOAL], [A, B])[GOAL]

    assert found.path == (Step(1, 2), Step(2, 4), Step(0, 10))


def test_a_rule_that_serves_a_path_twice_is_told_once() -> None:
    rules = [
        Rule(head=MID, body=(A,)),
        Rule(head=OTHER, body=(MID,)),
        Rule(head=ELSE, body=(MID,)),
        Rule(head=GOAL, body=(OTHER, ELSE)),
    ]
    (found,) = attacks(rules, [GOAL], [A])[GOAL]

    assert sorted(step.rule for step in found.path) == [0, 1, 2, 3]


def test_a_limit_leaves_out_larger_sets() -> None:
    rules = [Rule(head=GOAL, body=(A, B)), Rule(head=GOAL, body=(C,), delay=1)]

    assert told(attacks(rules, [GOAL], [A, B, C])[GOAL]) == [(0b100, 1), (0b011, 0)]
    assert told(attacks(rules, [GOAL], [A, B, C], 1)[GOAL]) == [(0b100, 1)]
    assert told(attacks(rules, [GOAL], [A, B, C], 0)[GOAL]) == []


def test_several_goals_have_each_their_own_attacks() -> None:
    """Also where one of them falls at once to what the other takes."""
    rules = [
        Rule(head=GOAL, body=(A,)),
        Rule(head=OTHER, body=(A, B)),
        Rule(head=OTHER, body=(GOAL,), delay=8),
    ]
    found = attacks(rules, [GOAL, OTHER, ELSE, GOAL], [A, B])

    assert {goal: told(ways) for goal, ways in found.items()} == {
        GOAL: [(0b01, 0)],
        OTHER: [(0b01, 8), (0b11, 0)],
        ELSE: [],
    }


def test_at_a_goal_only_its_minute_counts_and_no_freeze() -> None:
    """On the way to the other goal, the slower label of the first one is of use."""
    rules = [
        Rule(head=GOAL, body=(A,), freeze=100),
        Rule(head=GOAL, body=(A,), delay=50),
        Rule(head=OTHER, body=(GOAL,), gated=True),
    ]
    found = attacks(rules, [GOAL, OTHER], [A])

    assert {goal: told(ways) for goal, ways in found.items()} == {
        GOAL: [(1, 0)],
        OTHER: [(1, 50)],
    }


def test_states_share_what_they_have_in_common_and_nothing_else() -> None:
    rules = [
        Rule(head=MID, body=(A,)),
        Rule(head=GOAL, body=(MID,), delay=5),
        Rule(head=GOAL, body=(MID, B)),
        Rule(head=OTHER, body=(MID, B)),
    ]
    found = attacks(rules, [GOAL, OTHER], [A, B], states=[0b111, 0b011, 0b110, 0b100])
    ways = found[GOAL]

    assert told(in_state(ways, 0)) == [(0b01, 5)]
    assert told(in_state(ways, 1)) == [(0b01, 5), (0b11, 0)]
    assert told(in_state(ways, 2)) == [(0b11, 0)]
    assert [one.states for one in ways] == [0b011, 0b110]
    assert [one.states for one in found[OTHER]] == [0b100]


def test_the_same_attack_by_other_rules_is_told_with_the_states_of_each_path() -> None:
    rules = [
        Rule(head=MID, body=(A,)),
        Rule(head=MID, body=(A, A)),
        Rule(head=MID, body=(A, A, A)),
        Rule(head=ELSE, body=(MID,)),
        Rule(head=GOAL, body=(ELSE,), delay=3),
    ]
    masks = [0b00011, 0b00110, 0b01000, 0b01111, 0b11111]
    found = attacks(rules, [GOAL], [A], states=masks)[GOAL]

    assert sorted((one.states, [step.rule for step in one.path]) for one in found) == [
        (0b00001, [0, 3, 4]),
        (0b00110, [1, 3, 4]),
        (0b01000, [2, 3, 4]),
    ]
    assert set(told(found)) == {(1, 3)}
    assert by_state(found, 5) == [[*in_state(found, state)] for state in range(5)]


def test_without_paths_states_with_the_same_attack_are_told_together() -> None:
    rules = [Rule(head=GOAL, body=(A,)), Rule(head=GOAL, body=(A, A))]
    found = attacks(rules, [GOAL], [A], states=[0b01, 0b10], paths=False)[GOAL]

    assert found == (Attack(capabilities=1, minutes=0, states=0b11, path=()),)


def test_a_goal_that_only_the_rules_of_two_states_together_reach_is_reached_in_none() -> None:
    rules = [
        Rule(head=MID, body=(A,)),
        Rule(head=GOAL, body=(MID,)),
        Rule(head=OTHER, body=(A,)),
    ]
    found = attacks(rules, [GOAL, OTHER], [A], states=[0b01, 0b10, 0b11])

    assert found[GOAL] == ()
    assert [one.states for one in found[OTHER]] == [0b11]


def test_more_than_64_capabilities_are_told_apart() -> None:
    many = range(100)
    rules = [Rule(head=200, body=(at, at + 1)) for at in range(99)]
    found = attacks(rules, [200], many)[200]

    assert minimal_sets(found) == tuple(0b11 << at for at in range(99))


def test_a_long_chain_is_followed_to_its_end() -> None:
    rules = [Rule(head=at + 1, body=(at,), delay=1) for at in range(3_000)]
    (found,) = attacks(rules, [3_000], [0])[3_000]

    assert found.minutes == len(found.path) == 3_000


def test_growth_is_a_new_set_or_an_old_one_made_faster() -> None:
    def made(*pairs: tuple[int, int]) -> list[Attack]:
        return [Attack(capabilities=s, minutes=t, states=1, path=()) for s, t in pairs]

    old = made((0b011, 10))

    assert grown(old, made((0b011, 10), (0b111, 10), (0b011, 20))) == ()
    assert told(grown(old, made((0b011, 9)))) == [(0b011, 9)]
    assert told(grown(old, made((0b001, 99), (0b100, 99)))) == [(0b001, 99), (0b100, 99)]
    assert told(grown([], old)) == [(0b011, 10)]


def test_a_capability_counts_once() -> None:
    with pytest.raises(InvariantError):
        attacks([], [GOAL], [A, A])
