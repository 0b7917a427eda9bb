"""One timed rule as it was derived, the atoms that speak of money, and which rules are needless.

Always true (tests/unit/domain/prover/test_derived.py): of two rules that lead to the same, the one
that takes no less, no sooner and with no shorter hold is left out.
"""

from collections.abc import Iterable
from itertools import chain

import msgspec


class Derived(msgspec.Struct, frozen=True, kw_only=True):
    """One timed rule, with the action that it is of."""

    head: str
    body: frozenset[str]
    delay: int = 0
    freeze: int = 0
    gated: bool = False
    action: str = ""


def goal(action: str, cents: int) -> str:
    """Return the atom that says that so much has left by this exit."""
    return f"left:{action}:{cents}"


def is_goal(name: str) -> bool:
    """Say whether an atom is a goal."""
    return name.startswith("left:")


def cents_of(name: str) -> int:
    """Return how much has left by a goal, in US cents."""
    return int(name.rpartition(":")[2])


def undominated(found: Iterable[Derived]) -> tuple[Derived, ...]:
    """Return ``found`` without rules that another one makes needless."""
    by_head: dict[str, list[Derived]] = {}
    for one in sorted(dict.fromkeys(found), key=_weight):
        kept = by_head.setdefault(one.head, [])
        if not any(_at_least(better, one) for better in kept):
            kept.append(one)
    return tuple(chain.from_iterable(by_head.values()))


def _weight(one: Derived) -> tuple[int, int, int, bool]:
    return len(one.body), one.delay, one.freeze, one.gated


def _at_least(better: Derived, one: Derived) -> bool:
    return (
        better.body <= one.body
        and better.delay <= one.delay
        and better.freeze <= one.freeze
        and better.gated <= one.gated
    )
