"""Growth: which attacks another policy adds, and which it ends, judged by all of them.

A change is judged by the whole antichain: the smallest number of thefts alone misses bugs that only
add a further way (docs/proof.md). An attack is new where no attack of before, in the same state and
on the same goal, needs no other capability and is no later.

Always true (tests/unit/domain/prover/test_prover_growth.py): nothing grows between a policy
and itself; what grows one way vanishes the other way.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from twinlock.domain.prover.closure import Attack
from twinlock.domain.prover.derived import goal
from twinlock.domain.prover.system import System
from twinlock.domain.prover.words import Done, path_of

Sheet = tuple[System, Mapping[str, tuple[Attack, ...]]]


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """One attack that is new: what it takes, how soon, by which exits, and in how many states.

    ``cents`` is the most that it takes. ``example`` names one of the states; ``path`` is how it
    goes there.
    """

    exits: tuple[str, ...]
    cents: int
    capabilities: tuple[str, ...]
    minutes: int
    states: int
    example: str
    path: tuple[Done, ...]


def growth(before: Sequence[Sheet], after: Sequence[Sheet]) -> tuple[Growth, ...]:
    """Return what ``after`` adds to ``before``: sheets of the same states and the same sums.

    Of the same set at the same minute the highest sum is told, and the exits together.
    """
    most: dict[tuple[object, ...], Growth] = {}
    for old, new in zip(before, after, strict=True):
        for one in _added(old, new):
            key = (one.exits, one.capabilities, one.minutes)
            known = most.get(key)
            if known is None or known.cents < one.cents:
                most[key] = one
    every: dict[tuple[object, ...], Growth] = {}
    for one in most.values():
        alike = (one.cents, one.capabilities, one.minutes)
        first = every.get(alike, replace(one, exits=()))
        every[alike] = replace(first, exits=tuple(sorted({*first.exits, *one.exits})))
    return tuple(
        sorted(
            every.values(),
            key=lambda one: (len(one.capabilities), one.minutes, -one.cents, one.capabilities),
        )
    )


def _added(before: Sheet, after: Sheet) -> Iterator[Growth]:
    system, found = after
    stands_for = {one: kind for kind, some in before[0].exits.items() for one in some}
    for kind, exits in system.exits.items():
        for cents in system.sums:
            new = found.get(goal(kind, cents), ())
            for one in exits:
                old = before[1].get(goal(stands_for[one], cents), ())
                yield from _new_of(system, new, old, action=one, cents=cents)


def _new_of(
    system: System, new: Iterable[Attack], old: Iterable[Attack], *, action: str, cents: int
) -> Iterator[Growth]:
    known = tuple(old)
    for one in new:
        left = one.states
        for least in known:
            if least.minutes <= one.minutes and not least.capabilities & ~one.capabilities:
                left &= ~least.states
        if left:
            first = (left & -left).bit_length() - 1
            yield Growth(
                exits=(action,),
                cents=cents,
                capabilities=tuple(each.value for each in system.held(one)),
                minutes=one.minutes,
                states=left.bit_count(),
                example=system.states[first].name,
                path=path_of(system, one),
            )
