"""A proof: what is told of a policy follows from its rules, in the same order every time."""

from datetime import timedelta

from msgspec import json
from msgspec.structs import replace
from support.proved import ASSUMED, deriver, proved, rules, sheet_by

from twinlock.domain.bounds import OWNER_REACTS, PROVED_WITHIN
from twinlock.domain.exits import EXITS
from twinlock.domain.prover.capabilities import Capability, counted
from twinlock.domain.prover.growth import Sheet
from twinlock.domain.prover.model import MINUTE
from twinlock.domain.prover.proof import Proof, proof_of
from twinlock.domain.prover.system import System, solved

COUNTED = {one.value for one in Capability if counted(one)}


def proof(profile: str, *sheets: Sheet, k: int = 2) -> Proof:
    policy = rules(profile).policy
    return proof_of(sheets or (proved(profile),), policy=policy, k=k, assumed=ASSUMED)


def test_default_is_proved_and_typical_rules_are_not() -> None:
    assert proof("default").proved
    assert not proof("typical-2026").proved
    assert not proof("default", k=9).proved


def test_a_proof_names_its_policy_and_what_is_taken_for_granted() -> None:
    told = proof("strict")

    assert told.profile == "strict"
    assert told.policy == rules("strict").policy.name.digest
    assert told.within_minutes == PROVED_WITHIN // MINUTE
    assert told.reacts_minutes == OWNER_REACTS // MINUTE
    assert sorted(one for some in told.exits.values() for one in some) == sorted(EXITS)
    assert told.states == len(told.verdicts)


def test_every_minimal_attack_is_told_once_with_its_path() -> None:
    system, found = proved("typical-2026")
    told = proof("typical-2026").attacks
    keys = [(one.exits, one.cents, one.capabilities, one.minutes) for one in told]
    sets = {
        (action, int(cents), tuple(c.value for c in system.held(one)), one.minutes)
        for name, some in found.items()
        for _, action, cents in [name.split(":")]
        for one in some
    }

    assert len(set(keys)) == len(keys) == len(sets)
    for one in told:
        assert one.states > 0
        assert one.path[-1].minute == one.minutes
        assert one.counted == (set(one.capabilities) <= COUNTED)
        assert one.example in {state.name for state in system.states}


def test_the_largest_sums_come_first_then_the_smallest_sets_then_the_soonest() -> None:
    told = proof("default").attacks
    order = [(-one.cents, len(one.capabilities), one.minutes) for one in told]

    assert order == sorted(order)


def test_the_same_is_told_every_time() -> None:
    made = deriver("strict")
    again = proof("strict", sheet_by(made))

    assert json.encode(again) == json.encode(proof("strict"))


def halves(system: System) -> tuple[System, System]:
    """Return a system in two: rules in the even states alone, and in the odd ones."""
    even = sum(1 << at for at in range(0, len(system.states), 2))
    first, second = (
        replace(system, masks=tuple(mask & which for mask in system.masks))
        for which in (even, ~even)
    )
    return first, second


def test_what_two_sheets_prove_is_told_as_one() -> None:
    whole = proof("strict")
    sheets = [(one, solved(one)) for one in halves(proved("strict")[0])]
    told = proof("strict", *sheets)
    counts = {
        (one.exits, one.cents, one.capabilities, one.minutes): one.states for one in whole.attacks
    }

    assert told.states == 2 * whole.states
    assert {
        (one.exits, one.cents, one.capabilities, one.minutes): one.states for one in told.attacks
    } == counts


def test_a_shorter_time_proves_more() -> None:
    policy = rules("typical-2026").policy
    some = proof_of(
        (proved("typical-2026"),), policy=policy, k=2, assumed=ASSUMED, within=timedelta(0)
    )

    assert some.proved
    assert some.within_minutes == 0
