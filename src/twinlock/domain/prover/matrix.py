"""Pairs of capabilities: how soon two that fall together take more than a small sum a day.

Always true (tests/unit/domain/prover/test_matrix.py): a pair takes what each of it takes alone, and
no later; what is said of a pair is what the attacks that need nothing else say.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import reduce
from operator import or_

import msgspec

from twinlock.domain.bounds import PROVED_WITHIN, SMALL_SUM_CENTS
from twinlock.domain.prover.capabilities import Assumptions, Capability, counted
from twinlock.domain.prover.closure import Attack
from twinlock.domain.prover.derived import cents_of
from twinlock.domain.prover.growth import Sheet
from twinlock.domain.prover.model import MINUTE
from twinlock.domain.prover.outcomes import Held
from twinlock.domain.prover.proof import Proof

PAIR = 2


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """What one or two capabilities come to: more than a small sum from ``minutes`` on, or never.

    ``states``: in how many states they do it in the time that the theorem speaks of; where they do
    so in none, in how many they ever do. What falls to no capability at all is none of them.
    """

    minutes: int | None = None
    states: int = 0


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    """Every capability with every other one; with itself it stands alone.

    ``rows[i][j]`` is the cell of the i-th and the j-th, and that of the j-th and the i-th.
    ``to_none``: how many states fall to nobody's compromise at all.
    """

    capabilities: tuple[Capability, ...]
    rows: tuple[tuple[Cell, ...], ...]
    within_minutes: int
    to_none: int

    def pairs(self) -> Iterator[tuple[Capability, Capability, Cell]]:
        """Give each cell once, those of one capability alone among them."""
        for row, one in enumerate(self.capabilities):
            for column in range(row + 1):
                yield one, self.capabilities[column], self.rows[row][column]

    def counted_pairs(self, *, alone: bool) -> tuple[tuple[Capability, Capability, Cell], ...]:
        """Return the cells of thefts: of one of them alone, or of two."""
        return tuple(
            (one, other, cell)
            for one, other, cell in self.pairs()
            if counted(one) and counted(other) and (one is other) is alone
        )

    def within(self, cell: Cell) -> bool:
        """Say whether a cell's money leaves in the time that the theorem speaks of."""
        return cell.minutes is not None and cell.minutes < self.within_minutes


class Study(msgspec.Struct, frozen=True, kw_only=True):
    """All that is looked at of one policy: what is proved, each set of capabilities, and pairs."""

    proof: Proof
    assumed: Assumptions
    held: tuple[Held, ...]
    matrix: Matrix


def matrix_of(sheets: Sequence[Sheet], *, within: timedelta = PROVED_WITHIN) -> Matrix:
    """Return the matrix of ``sheets``, which hold every state once."""
    capabilities = sheets[0][0].capabilities  # The same in each sheet: the table's.
    end = within // MINUTE
    none = [_to_none(attacks, end) for _, attacks in sheets]
    large = [_by_set(attacks, ~fallen) for (_, attacks), fallen in zip(sheets, none, strict=True)]
    cells: dict[int, Cell] = {}
    for row in range(len(capabilities)):
        for column in range(row + 1):
            pair = 1 << row | 1 << column
            cells[pair] = _cell([list(_of(sheet, pair)) for sheet in large], end)
    numbers = range(len(capabilities))
    return Matrix(
        capabilities=capabilities,
        rows=tuple(tuple(cells[1 << row | 1 << column] for column in numbers) for row in numbers),
        within_minutes=end,
        to_none=sum(fallen.bit_count() for fallen in none),
    )


# When, and in which states: by the set that it takes, as a mask.
_BySet = Mapping[int, Sequence[tuple[int, int]]]


def _large(found: Mapping[str, tuple[Attack, ...]]) -> Iterator[Attack]:
    """Give the attacks on more than a small sum."""
    for name, some in found.items():
        if cents_of(name) > SMALL_SUM_CENTS:
            yield from some


def _to_none(found: Mapping[str, tuple[Attack, ...]], end: int) -> int:
    """Return the mask of the states that fall to no capability at all before ``end``."""
    nothing = ((one.minutes, one.states) for one in _large(found) if not one.capabilities)
    return _states(nothing, end)


def _by_set(found: Mapping[str, tuple[Attack, ...]], where: int) -> _BySet:
    """Return the attacks of one capability or two in the states of ``where``, by their set."""
    by_set: dict[int, list[tuple[int, int]]] = {}
    for one in _large(found):
        if one.capabilities and one.capabilities.bit_count() <= PAIR and one.states & where:
            by_set.setdefault(one.capabilities, []).append((one.minutes, one.states & where))
    return by_set


def _of(sheet: _BySet, pair: int) -> Iterator[tuple[int, int]]:
    """Give the attacks that need nothing but ``pair``."""
    for held, some in sheet.items():
        if not held & ~pair:
            yield from some


def _cell(found: Sequence[Sequence[tuple[int, int]]], end: int) -> Cell:
    times = [minutes for some in found for minutes, _ in some]
    if not times:
        return Cell()
    until = end if min(times) < end else max(times) + 1
    return Cell(minutes=min(times), states=sum(_states(some, until).bit_count() for some in found))


def _states(some: Iterable[tuple[int, int]], end: int) -> int:
    """Return the mask of the states in which some attack takes effect before ``end``."""
    return reduce(or_, (states for minutes, states in some if minutes < end), 0)
