"""The theorem: in every state of enrolment fewer than k thefts take nothing, or next to nothing.

*Nothing*, where the account is not narrow. Where one device proves and reads every notice, a small
sum a day may leave (law 5). Both hold for PROVED_WITHIN: whoever has all of an owner's devices in
his hand, unnoticed, for a month is the owner. The owner's own will is not counted, and neither is
what the operator's machines hold; both are shown beside it.

Source: docs/proof.md.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta

import msgspec

from twinlock.domain.bounds import PROVED_WITHIN, SMALL_SUM_CENTS
from twinlock.domain.prover.capabilities import counted
from twinlock.domain.prover.closure import Attack, in_state
from twinlock.domain.prover.derived import cents_of
from twinlock.domain.prover.model import MINUTE
from twinlock.domain.prover.system import System

NEVER = 99  # More than there are capabilities: no set of them does it.


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What is so of one state. ``k``: so many thefts take more than a small sum a day.

    ``k_any``: so many take anything at all. ``small_from`` is the minute from which one fewer than
    asked takes the small sum, ``all_from`` the one from which it takes all; None: never.
    """

    state: str
    k: int
    k_any: int
    small_from: int | None = None
    all_from: int | None = None


def verdicts(
    system: System,
    found: Mapping[str, tuple[Attack, ...]],
    *,
    k: int,
    within: timedelta = PROVED_WITHIN,
) -> tuple[Verdict, ...]:
    """Return the verdict on each state, by all exits together."""
    thieves = sum(1 << bit for bit, one in enumerate(system.capabilities) if counted(one))
    end = within // MINUTE
    of_thieves = {
        name: tuple(one for one in some if not one.capabilities & ~thieves)
        for name, some in found.items()
    }
    large = [name for name in of_thieves if cents_of(name) > SMALL_SUM_CENTS]
    every = []
    for number, state in enumerate(system.states):
        here = {name: in_state(some, number) for name, some in of_thieves.items()}
        most = [one for name in large for one in here[name]]
        any_sum = [one for some in here.values() for one in some]
        every.append(
            Verdict(
                state=state.name,
                k=_least(most, end),
                k_any=_least(any_sum, end),
                small_from=_from(any_sum, k),
                all_from=_from(most, k),
            )
        )
    return tuple(every)


def _least(some: Iterable[Attack], end: int) -> int:
    sizes = (one.capabilities.bit_count() for one in some if one.minutes < end)
    return min(sizes, default=NEVER)


def _from(some: Iterable[Attack], k: int) -> int | None:
    return min((one.minutes for one in some if one.capabilities.bit_count() < k), default=None)
