"""What holds of the attacks of any rules: derivable, minimal, monotone; many states as each."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.other_provers import follows

from twinlock.domain.prover.closure import (
    Attack,
    Rule,
    attacks,
    by_state,
    closed,
    closed_by_state,
    grown,
    in_state,
    minimal_sets,
)

ALL, FACTS = 5, 5  # Atoms 0 to 4 are capabilities, 5 to 9 follow; 5 is the goal.
GOAL = ALL
HOUR = 60
minutes = st.sampled_from([0, 0, 1, HOUR, 24 * HOUR, 72 * HOUR])
some_rule = st.builds(
    Rule,
    head=st.integers(ALL, ALL + FACTS - 1),
    body=st.lists(st.integers(0, ALL + FACTS - 1), max_size=4).map(tuple),
    delay=minutes,
    freeze=minutes,
    gated=st.booleans(),
)
some_rules = st.lists(some_rule, max_size=14)


def solved(rules: Sequence[Rule], most: int | None = None) -> tuple[Attack, ...]:
    return attacks(rules, [GOAL], range(ALL), most)[GOAL]


def chosen(attack: Attack) -> list[int]:
    return [bit for bit in range(ALL) if attack.capabilities >> bit & 1]


@given(some_rules)
def test_a_path_derives_the_goal_from_its_capabilities_at_its_minute(rules: list[Rule]) -> None:
    for one in solved(rules):
        replay(rules, one)


def replay(rules: Sequence[Rule], one: Attack) -> None:
    """Follow a path step by step: each minute is one that its rule allows by what holds before."""
    holds: dict[int, list[tuple[int, int]]] = {atom: [(0, 0)] for atom in chosen(one)}
    for at, minute in one.path:
        rule = rules[at]
        frozen = _frozen(rule, minute, [holds[atom] for atom in rule.body])
        holds.setdefault(rule.head, []).append((minute, max(frozen, minute + rule.freeze)))

    assert [step.minute for step in one.path] == sorted(step.minute for step in one.path)
    assert one.minutes in [minute for minute, _ in holds[GOAL]]
    assert one.path[-1].minute == one.minutes


def _frozen(rule: Rule, minute: int, parts: list[list[tuple[int, int]]]) -> int:
    """Return until when it is frozen by the ways to the body that let the rule be as soon."""
    ways = {(0, 0)}
    for part in parts:
        ways = {(max(a, b), max(f, g)) for a, f in ways for b, g in part}
    gates = [(max(a + rule.delay, f if rule.gated else 0), f) for a, f in ways]

    assert minute in [at for at, _ in gates]

    return min(frozen for at, frozen in gates if at == minute)


@given(some_rules)
def test_a_path_needs_each_of_its_capabilities_and_nothing_else(rules: list[Rule]) -> None:
    for one in solved(rules):
        used = [rules[at] for at, _ in one.path]
        needed = {atom for rule in used for atom in rule.body if atom < ALL}

        assert follows(used, chosen(one), GOAL)
        assert needed == set(chosen(one))


@given(some_rules)
def test_no_attack_dominates_another_and_no_smaller_set_suffices(rules: list[Rule]) -> None:
    found = solved(rules)
    for one in found:
        assert len(grown([other for other in found if other is not one], [one])) == 1
    for least in minimal_sets(found):
        for bit in range(ALL):
            fewer = [other for other in range(ALL) if least >> other & 1 and other != bit]
            assert least >> bit & 1 == 0 or GOAL not in closed(rules, fewer)


@given(some_rules, some_rule, st.data())
def test_one_more_rule_or_alternative_never_removes_an_attack(
    rules: list[Rule], more: Rule, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(rules)))

    assert grown(solved([*rules[:at], more, *rules[at:]]), solved(rules)) == ()


@given(some_rules, st.integers(0, ALL - 1))
def test_one_more_capability_never_removes_an_attack(rules: list[Rule], without: int) -> None:
    others = [one for one in range(ALL) if one != without]
    fewer = attacks(rules, [GOAL], [*others])[GOAL]
    more = attacks(rules, [GOAL], [*others, without])[GOAL]

    assert grown(more, fewer) == ()


@given(some_rules, st.data())
def test_a_longer_delay_never_speeds_an_attack_nor_adds_one(
    rules: list[Rule], data: st.DataObject
) -> None:
    longer = [
        replace(
            rule, delay=rule.delay + data.draw(minutes), freeze=rule.freeze + data.draw(minutes)
        )
        for rule in rules
    ]

    assert grown(solved(rules), solved(longer)) == ()
    assert set(minimal_sets(solved(longer))) == set(minimal_sets(solved(rules)))


@given(some_rules, st.integers(0, ALL))
def test_a_limit_leaves_out_larger_sets_and_nothing_else(rules: list[Rule], most: int) -> None:
    within = [one for one in solved(rules) if one.capabilities.bit_count() <= most]

    assert _told(solved(rules, most)) == _told(within)


@given(st.lists(some_rules, min_size=1, max_size=4))
def test_many_states_at_once_are_as_each_alone(states: list[list[Rule]]) -> None:
    every, masks = _together(states)
    goals = [GOAL, GOAL + 1]
    found = attacks(every, goals, range(ALL), states=masks)
    follow = closed_by_state(every, masks, {0: (1 << len(states)) - 1, 1: 1})
    for number, rules in enumerate(states):
        alone = attacks(rules, goals, range(ALL))
        for goal in goals:
            assert _told(in_state(found[goal], number)) == _told(alone[goal])
        given_here = [0] if number else [0, 1]
        mine = {atom for atom, where in follow.items() if where >> number & 1}
        assert mine == closed(rules, given_here)


@given(st.lists(some_rules, min_size=2, max_size=4))
def test_a_path_stands_in_each_of_its_states(states: list[list[Rule]]) -> None:
    every, masks = _together(states)
    found = attacks(every, [GOAL], range(ALL), states=masks)[GOAL]
    for one in found:
        assert one.states
        assert all(one.states & ~masks[at] == 0 for at, _ in one.path)
        replay(every, one)
    shown = by_state(found, len(states))
    for number in range(len(states)):
        assert tuple(shown[number]) == in_state(found, number)
        assert len({(one.capabilities, one.minutes) for one in shown[number]}) == len(shown[number])


def _together(states: list[list[Rule]]) -> tuple[list[Rule], list[int]]:
    every = list(dict.fromkeys(rule for rules in states for rule in rules))
    masks = [
        sum(1 << number for number, rules in enumerate(states) if rule in rules) for rule in every
    ]
    return every, masks


def _told(found: Sequence[Attack]) -> list[tuple[int, int]]:
    return sorted((one.capabilities, one.minutes) for one in found)
