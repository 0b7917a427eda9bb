"""The tree over all leaves, hashed again from the bottom, and held against every stored row.

A level is the hashes of its tiles in order. Stored tiles are compared whole; the level above is
made from what was computed, never from what is stored.

Always true (tests/unit/domain/audit/test_audit_tree.py): one changed byte of any tile, head, anchor
or checkpoint is found, whatever else was changed to fit it.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from twinlock.domain.audit.findings import Fault, Findings
from twinlock.domain.errors import invariant
from twinlock.domain.log.merkle import HASH_BYTES, frontier_at
from twinlock.domain.log.tiles import TILE_BYTES, TILE_HEIGHT, TILE_WIDTH, tile_root


class Hashes(Protocol):
    """Hashes in order, 32 bytes each; an all-zero one is missing."""

    def __getitem__(self, at: slice) -> bytes:
        """Return a slice, counted in bytes."""
        ...

    def __len__(self) -> int:
        """Return how many bytes there are."""
        ...


def check_tiles(
    level: int, first: int, hashes: bytes, stored: Mapping[int, bytes], findings: Findings
) -> bytes:
    """Hold the tiles of ``level`` from number ``first`` on against ``hashes``.

    ``stored`` are the rows by their numbers. Returns the roots of the full tiles.
    """
    roots = []
    for at in range(0, len(hashes), TILE_BYTES):
        number, row = first + at // TILE_BYTES, hashes[at : at + TILE_BYTES]
        _check_tile(level, number, row, stored.get(number), findings)
        if len(row) == TILE_BYTES:
            roots.append(tile_root(row))
    return b"".join(roots)


def _check_tile(
    level: int, number: int, row: bytes, stored: bytes | None, findings: Findings
) -> None:
    if stored == row:
        return
    where = f"tile {level}/{number}"
    if stored is None:
        findings.add(Fault.TILE_MISSING, where, "it is gone")
    elif len(stored) != len(row):
        says = f"it holds {len(stored) // HASH_BYTES} hashes and not {len(row) // HASH_BYTES}"
        findings.add(Fault.TILE_WRONG, where, says)
    else:
        wrong = next(
            at
            for at in range(0, len(row), HASH_BYTES)
            if row[at:][:HASH_BYTES] != stored[at:][:HASH_BYTES]
        )
        says = f"hash {wrong // HASH_BYTES} is not that of what lies below it"
        findings.add(Fault.TILE_WRONG, where, says)


class Tree:
    """A tree by its levels of tiles: level 0 the leaves' hashes, each next one the roots."""

    def __init__(self, levels: Sequence[Hashes]) -> None:
        self._levels = levels
        self.size = len(levels[0]) // HASH_BYTES

    def root(self, size: int) -> bytes:
        """Return the root over the first ``size`` leaves."""
        invariant(0 <= size <= self.size, "only what was hashed has a root")
        return frontier_at(size, self._hash_at).root()

    def _hash_at(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree, from the tiles right below it."""
        tiles, height = divmod(level, TILE_HEIGHT)
        start = (index << height) * HASH_BYTES
        return tile_root(self._levels[tiles][start : start + (HASH_BYTES << height)])


def tiles_at(size: int, level: int) -> int:
    """Return how many tiles of ``level`` a log of ``size`` leaves has."""
    return -(-(size >> TILE_HEIGHT * level) // TILE_WIDTH)
