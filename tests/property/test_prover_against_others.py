"""A thousand made-up policies, cyclic as they come: every prover finds the same attacks.

Each block of seeds is a test of its own, so that they spread over processors. The seeds are the
same each time; ``support.other_provers`` shares no code with the solver.
"""

import pytest
from support.made_rules import made_rules
from support.other_provers import (
    minute_by_z3,
    sets_by_clingo,
    sets_by_trying,
    sets_by_z3,
    times_by_trying,
)
from support.reference_policies import CAPABILITIES, HARDENED, WEAK, Table, policy

from twinlock.domain.prover.closure import Attack, Rule, attacks, minimal_sets

POLICIES = 1_000
BLOCK = 125
BLOCKS = [range(at, at + BLOCK) for at in range(0, POLICIES, BLOCK)]
TIMED = 300  # Of the policies, those whose minutes are sought by other ways, too.
TIMED_BLOCKS = [range(at, at + 75) for at in range(0, TIMED, 75)]
ALL = 8  # Capabilities of a made-up policy; the next atom is its goal.


def solved(rules: tuple[Rule, ...]) -> tuple[Attack, ...]:
    return attacks(rules, [ALL], range(ALL))[ALL]


def chosen(attack: Attack) -> list[int]:
    return [
        bit for bit in range(attack.capabilities.bit_length()) if attack.capabilities >> bit & 1
    ]


@pytest.mark.parametrize("seeds", BLOCKS, ids=str)
def test_the_minimal_sets_are_those_of_trying_all_of_clingo_and_of_z3(seeds: range) -> None:
    every = []
    for seed in seeds:
        rules = made_rules(seed)
        sets = set(minimal_sets(solved(rules)))
        every.append(len(sets))

        assert sets == sets_by_trying(rules, ALL, capabilities=ALL), seed
        assert sets == sets_by_clingo(rules, ALL, capabilities=ALL), seed
        assert sets == sets_by_z3(rules, ALL, capabilities=ALL), seed

    assert max(every) > 5  # There was something to find.


@pytest.mark.parametrize("seeds", TIMED_BLOCKS, ids=str)
def test_sets_and_minutes_are_those_of_trying_every_way(seeds: range) -> None:
    for seed in seeds:
        rules = made_rules(seed)
        found = solved(rules)
        times = {one.capabilities: one.minutes for one in found}

        assert len(times) == len(found)
        assert times == times_by_trying(rules, ALL, capabilities=ALL), seed


@pytest.mark.parametrize("seeds", TIMED_BLOCKS, ids=str)
def test_no_set_reaches_its_goal_sooner_than_z3_says_nor_later(seeds: range) -> None:
    for seed in seeds:
        rules = made_rules(seed)
        for one in solved(rules):
            assert one.minutes == minute_by_z3(rules, ALL, chosen(one)), seed


@pytest.mark.parametrize("text", [WEAK, HARDENED], ids=["weak", "hardened"])
@pytest.mark.parametrize("mailbox_by_phone", [True, False])
def test_the_reference_policies_fall_alike_by_every_prover(
    text: str, *, mailbox_by_phone: bool
) -> None:
    table, capabilities = Table(), len(CAPABILITIES)
    table.add(policy(text, mailbox_by_phone=mailbox_by_phone))
    rules, theft = list(table.rules), table.atom("theft")
    found = attacks(rules, [theft], range(capabilities))[theft]
    sets = set(minimal_sets(found))

    assert sets == sets_by_clingo(rules, theft, capabilities=capabilities)
    assert sets == sets_by_z3(rules, theft, capabilities=capabilities)
    assert sets == sets_by_trying(rules, theft, capabilities=capabilities, most=5)
    for one in found:
        assert one.minutes == minute_by_z3(rules, theft, chosen(one))
