"""A proof of one policy as it is told and kept: verdicts, and every minimal attack with its path.

Always true (tests/unit/domain/prover/test_proof.py): what is told of a policy follows from its
rules alone, in the same order every time.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

from twinlock.domain.bounds import PROVED_WITHIN
from twinlock.domain.policy.version import Policy
from twinlock.domain.prover.capabilities import TABLE, Assumptions, Kind
from twinlock.domain.prover.closure import Attack
from twinlock.domain.prover.model import MINUTE
from twinlock.domain.prover.system import System
from twinlock.domain.prover.theorem import Verdict, verdicts
from twinlock.domain.prover.words import Done, path_of


class NamedAttack(msgspec.Struct, frozen=True, kw_only=True):
    """One minimal attack: what it takes, how soon, and where.

    ``exits`` are those by which ``cents`` leave, ``states`` in how many states it is minimal, and
    ``example`` the name of one of them. ``counted``: every capability is a thief's or an insider's.
    """

    exits: tuple[str, ...]
    cents: int
    capabilities: tuple[str, ...]
    minutes: int
    states: int
    example: str
    counted: bool
    path: tuple[Done, ...]


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What is proved of one policy. ``proved``: no state falls to fewer than ``k`` thefts.

    ``within_minutes`` is for how long, ``reacts_minutes`` how fast an owner who reads a notice
    acts.
    """

    profile: str
    policy: str
    k: int
    proved: bool
    within_minutes: int
    reacts_minutes: int
    states: int
    rules: int
    exits: Mapping[str, tuple[str, ...]]
    verdicts: tuple[Verdict, ...]
    attacks: tuple[NamedAttack, ...]


Found: TypeAlias = Mapping[str, tuple[Attack, ...]]


def named_attacks(system: System, found: Found) -> Iterable[NamedAttack]:
    """Give the minimal attacks on every goal."""
    for name, some in found.items():
        _, action, cents = name.split(":")
        for one in some:
            held = system.held(one)
            first = (one.states & -one.states).bit_length() - 1
            yield NamedAttack(
                exits=tuple(system.exits[action]),
                cents=int(cents),
                capabilities=tuple(each.value for each in held),
                minutes=one.minutes,
                states=one.states.bit_count(),
                example=system.states[first].name,
                counted=all(TABLE[each].kind in (Kind.THIEF, Kind.INSIDER) for each in held),
                path=path_of(system, one),
            )


def proof_of(
    sheets: Iterable[tuple[System, Found]],
    *,
    policy: Policy,
    k: int,
    assumed: Assumptions,
    within: timedelta = PROVED_WITHIN,
) -> Proof:
    """Return what ``sheets``, which hold every state once, prove of ``policy``."""
    found: dict[tuple[object, ...], NamedAttack] = {}
    judged: list[Verdict] = []
    states = rules = 0
    exits: dict[str, tuple[str, ...]] = {}
    for system, attacks in sheets:
        states += len(system.states)
        rules += len(system.rules)
        exits |= system.exits
        judged += verdicts(system, attacks, k=k, within=within)
        for one in named_attacks(system, attacks):
            key = (one.exits, one.cents, one.capabilities, one.minutes)
            states_before = found[key].states if key in found else 0
            found[key] = replace(found.get(key, one), states=states_before + one.states)
    order = sorted(found.values(), key=lambda one: (-one.cents, len(one.capabilities), one.minutes))
    return Proof(
        profile=policy.profile,
        policy=policy.name.digest,
        k=k,
        proved=all(one.k >= k for one in judged),
        within_minutes=within // MINUTE,
        reacts_minutes=assumed.reacts // MINUTE,
        states=states,
        rules=rules,
        exits=exits,
        verdicts=tuple(judged),
        attacks=tuple(order),
    )
