"""What each set of capabilities comes to: how much leaves, from when on, and in how many states.

The minimal attacks stand by exits, sums and locks. Whoever looks asks by what a thief holds: of one
set the sums that it takes, each from its soonest minute. An attack is left out of a state where the
same capabilities, or fewer, take as much there no later: by another exit, or of a higher sum.

Always true (tests/unit/domain/prover/test_outcomes.py): in each state, for each sum, some set that
is told needs no more capabilities than any attack there, and is no later.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

import msgspec

from twinlock.domain.prover.capabilities import TABLE, Capability, Kind
from twinlock.domain.prover.closure import Attack
from twinlock.domain.prover.derived import cents_of
from twinlock.domain.prover.growth import Sheet
from twinlock.domain.prover.words import Done, path_of


class Whose(StrEnum):
    """Whose capabilities a set is made of: the last of these that it holds one of."""

    THIEVES = "thieves"
    INSIDERS = "insiders"
    OPERATORS = "operators"
    OWNER = "owner"


_WHOSE = {
    Kind.THIEF: Whose.THIEVES,
    Kind.INSIDER: Whose.INSIDERS,
    Kind.OPERATOR: Whose.OPERATORS,
    Kind.OWNER: Whose.OWNER,
}
_ORDER = list(Whose)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """``cents`` leave from ``minutes`` on, in so many states; ``path`` is how in ``example``."""

    cents: int
    minutes: int
    states: int
    example: str
    path: tuple[Done, ...]


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """All that is held: each of ``all_of`` and, where ``one_of`` names some, any one of those.

    ``outcomes``: the highest sum first, and of one sum the soonest.
    """

    whose: Whose
    all_of: tuple[Capability, ...]
    one_of: tuple[Capability, ...] = ()
    outcomes: tuple[Outcome, ...]

    @property
    def size(self) -> int:
        """Return how many capabilities it takes."""
        return len(self.all_of) + bool(self.one_of)

    @property
    def worst(self) -> tuple[Outcome, ...]:
        """Return the soonest outcome and, where that is another one, the soonest of the most."""
        soonest = min(self.outcomes, key=lambda one: (one.minutes, -one.cents))
        most = self.outcomes[0]
        return (soonest,) if most.cents == soonest.cents else (soonest, most)


def whose(capabilities: Iterable[Capability]) -> Whose:
    """Return whose capabilities these are; a planted address alone is a thief's."""
    found = (_WHOSE[TABLE[one].kind] for one in capabilities)
    return max(found, key=_ORDER.index, default=Whose.THIEVES)


def undominated(found: Mapping[str, tuple[Attack, ...]]) -> Iterator[tuple[int, Attack, int]]:
    """Give for one sheet each sum with its attack, and the states in which nothing outdoes it."""
    every = [(cents_of(name), one) for name, some in found.items() for one in some]
    every.sort(key=lambda pair: (pair[1].capabilities.bit_count(), pair[1].minutes, -pair[0]))
    kept: dict[int, list[tuple[int, int, int]]] = {}
    for cents, one in every:
        left = one.states
        for held, better in kept.items():
            if left and not held & ~one.capabilities:
                for more, minutes, states in better:
                    if minutes <= one.minutes and more >= cents:
                        left &= ~states
        if left:
            kept.setdefault(one.capabilities, []).append((cents, one.minutes, left))
            yield cents, one, left


def outcomes(sheets: Iterable[Sheet]) -> tuple[Held, ...]:
    """Return what each set comes to: the fewest capabilities first, then the soonest."""
    found: dict[tuple[Capability, ...], dict[tuple[int, int], Outcome]] = {}
    for system, attacks in sheets:
        for cents, one, states in undominated(attacks):
            rows = found.setdefault(system.held(one), {})
            known = rows.get((cents, one.minutes))
            rows[cents, one.minutes] = Outcome(
                cents=cents,
                minutes=one.minutes,
                states=states.bit_count() + (known.states if known else 0),
                example=known.example if known else system.states[_first(states)].name,
                path=known.path if known else path_of(system, one),
            )
    every = [
        Held(
            whose=whose(held),
            all_of=held,
            outcomes=tuple(sorted(rows.values(), key=lambda one: (-one.cents, one.minutes))),
        )
        for held, rows in found.items()
    ]
    return tuple(sorted(joined(every), key=_place))


def joined(every: Sequence[Held]) -> Iterator[Held]:
    """Give ``every`` set, where sets that differ in one capability only are told as one."""
    alike: dict[object, list[Held]] = {}
    for one in every:
        alike.setdefault((one.whose, one.size, one.outcomes), []).append(one)
    for some in alike.values():
        yield from _joined(some)


def _joined(some: list[Held]) -> Iterator[Held]:
    """Give sets of one size and outcome: those that share all but one first, and most of them."""
    left = {frozenset(one.all_of): one for one in some}
    while left:
        shared: dict[frozenset[Capability], list[frozenset[Capability]]] = {}
        for held in left:
            for one in _in_order(held):
                shared.setdefault(held - {one}, []).append(held)
        base, of_base = max(shared.items(), key=lambda pair: len(pair[1]), default=(None, []))
        if base is None or len(of_base) == 1:
            yield from left.values()
            return
        first = left[of_base[0]]
        others = frozenset().union(*of_base) - base
        yield msgspec.structs.replace(first, all_of=_in_order(base), one_of=_in_order(others))
        left = {held: one for held, one in left.items() if held not in of_base}


def _in_order(some: Iterable[Capability]) -> tuple[Capability, ...]:
    """Return capabilities in the table's order."""
    here = frozenset(some)
    return tuple(one for one in TABLE if one in here)


def _place(one: Held) -> tuple[int, int, int, int]:
    soonest = one.worst[0]
    return (_ORDER.index(one.whose), one.size, soonest.minutes, -soonest.cents)


def _first(states: int) -> int:
    return (states & -states).bit_length() - 1
