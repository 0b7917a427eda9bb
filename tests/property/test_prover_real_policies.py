"""The policies that are shipped, and the weaker ones: clingo and z3 find the same sets."""

import pytest
from support.other_provers import sets_by_clingo, sets_by_z3
from support.proved import NAMES, STATES, proved

from twinlock.domain.prover.closure import in_state, minimal_sets
from twinlock.domain.prover.derived import goal
from twinlock.domain.prover.system import variants

WHOLE = range(0, len(STATES), 3)  # Every third state, with all that an older system left there.


@pytest.mark.parametrize("number", WHOLE)
@pytest.mark.parametrize("profile", NAMES)
def test_the_minimal_sets_of_real_rules_are_those_of_clingo_and_of_z3(
    profile: str, number: int
) -> None:
    system, found = proved(profile)
    many = len(variants(STATES[number]))
    state = (number + 1) * many - 1
    here = [
        rule for rule, mask in zip(system.rules, system.masks, strict=True) if mask >> state & 1
    ]
    for action in system.exits:
        for cents in (system.sums[0], system.sums[-1]):
            aim = goal(action, cents)
            sets = set(minimal_sets(in_state(found.get(aim, ()), state)))
            wanted, held = system.atom(aim), len(system.capabilities)

            assert sets == sets_by_clingo(here, wanted, capabilities=held), aim
            assert sets == sets_by_z3(here, wanted, capabilities=held), aim
