"""Tiles: the tree cut into rows of at most 256 hashes, as stored and as served.

Always true (tests/property/test_log_properties.py):

* a tile only ever grows at its end, so one stored row serves every width that was ever signed;
* growing in any groups gives the same rows, and proofs read from them are those of the whole tree;
* a path has one spelling.

Source: C2SP tlog-tiles v0.1.0, tile height 8. Hash ``i`` of tile ``(level, index)`` is the root of
the complete subtree ``(8·level, 256·index + i)``.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from twinlock.domain.errors import MalformedError, ProofError, invariant
from twinlock.domain.log.merkle import HASH_BYTES, HashAt

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
TILE_BYTES = TILE_WIDTH * HASH_BYTES
MAX_LEVEL = 63
MAX_ENTRY_BYTES = 0xFFFF  # A u16 says its length; larger evidence enters the log by its hash.

_LENGTH_BYTES = 2
_MAX_INDEX_GROUPS = 6  # Eighteen digits, as in a checkpoint's size.
_PATH = re.compile(
    r"tile/(?P<level>entries|[0-9]{1,2})/"
    rf"(?P<index>(?:x[0-9]{{3}}/){{0,{_MAX_INDEX_GROUPS - 1}}}[0-9]{{3}})"
    r"(?:\.p/(?P<width>[0-9]{1,3}))?"
)

TileKey: TypeAlias = tuple[int, int]
"""The ``(level, index)`` of a stored row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """The first ``width`` hashes of one tile; 256 is the full one."""

    level: int
    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        invariant(0 <= self.level <= MAX_LEVEL, "tile levels go from 0 to 63")
        invariant(0 <= self.index < 1000**_MAX_INDEX_GROUPS, "a tile index has 1 to 18 digits")
        invariant(1 <= self.width <= TILE_WIDTH, "a tile has 1 to 256 hashes")

    @property
    def path(self) -> str:
        """Where it is served, below the log's prefix and without a leading slash."""
        return _path(str(self.level), self.index, self.width)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryBundle:
    """The first ``width`` entries whose hashes stand in the level-0 tile ``index``."""

    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        invariant(0 <= self.index < 1000**_MAX_INDEX_GROUPS, "a tile index has 1 to 18 digits")
        invariant(1 <= self.width <= TILE_WIDTH, "a bundle has 1 to 256 entries")

    @property
    def path(self) -> str:
        """Where it is served, below the log's prefix and without a leading slash."""
        return _path("entries", self.index, self.width)


def _path(level: str, index: int, width: int) -> str:
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03d}")
    partial = "" if width == TILE_WIDTH else f".p/{width}"
    return f"tile/{level}/{'/'.join(groups)}{partial}"


def parse_path(path: str) -> Tile | EntryBundle:
    """Return what ``path`` names, as ``Tile.path`` and ``EntryBundle.path`` write it.

    Raises:
        MalformedError: it names neither, or is spelt otherwise.
    """
    found = _PATH.fullmatch(path)
    if found is None:
        raise MalformedError("not the path of a tile")
    level = None if found["level"] == "entries" else int(found["level"])
    index = int(found["index"].replace("/", "").replace("x", ""))
    width = TILE_WIDTH if found["width"] is None else int(found["width"])
    if not 1 <= width <= TILE_WIDTH or (level is not None and level > MAX_LEVEL):
        raise MalformedError("no such tile")
    tile = (
        EntryBundle(index=index, width=width)
        if level is None
        else Tile(level=level, index=index, width=width)
    )
    if tile.path != path:
        raise MalformedError("the path of a tile is not in its one canonical form")
    return tile


def width_at(size: int, *, level: int, index: int) -> int:
    """Return how many hashes tile ``(level, index)`` has in a log of ``size`` leaves: 0 to 256.

    Serve no wider prefix of a row than the signed size implies: what lies beyond is not yet public.
    """
    return max(0, min(TILE_WIDTH, (size >> TILE_HEIGHT * level) - index * TILE_WIDTH))


def tiles_of(size: int, *, since: int = 0) -> Iterator[Tile]:
    """Yield the tiles of a log of ``size`` leaves that one of ``since`` leaves did not have yet."""
    level = 0
    while count := size >> TILE_HEIGHT * level:
        first = (since >> TILE_HEIGHT * level) // TILE_WIDTH
        for index in range(first, -(-count // TILE_WIDTH)):
            width = width_at(size, level=level, index=index)
            if width > width_at(since, level=level, index=index):
                yield Tile(level=level, index=index, width=width)
        level += 1


def edge_of(size: int) -> tuple[Tile, ...]:
    """Return the partial tiles of a log of ``size`` leaves, lowest first: what ``grow`` reads."""
    tiles: list[Tile] = []
    level = 0
    while count := size >> TILE_HEIGHT * level:
        index, width = divmod(count, TILE_WIDTH)
        if width:
            tiles.append(Tile(level=level, index=index, width=width))
        level += 1
    return tuple(tiles)


def grow(
    size: int, edge_tiles: Mapping[TileKey, bytes], leaf_hashes: Iterable[bytes]
) -> dict[TileKey, bytes]:
    """Return the whole rows that change when these leaves follow the first ``size``.

    ``edge_tiles`` holds the rows of ``edge_of(size)``, each exactly that wide. A row that was there
    before begins with its old bytes.
    """
    rows: dict[TileKey, bytes] = {}
    level, hashes = 0, list(leaf_hashes)
    invariant(all(len(leaf) == HASH_BYTES for leaf in hashes), "a leaf hash has 32 bytes")
    while hashes:
        index, width = divmod(size >> TILE_HEIGHT * level, TILE_WIDTH)
        old = edge_tiles.get((level, index), b"")
        invariant(len(old) == width * HASH_BYTES, "a stored edge tile fits the log's size")
        joined, hashes = old + b"".join(hashes), []
        for at in range(0, len(joined), TILE_BYTES):
            row = joined[at : at + TILE_BYTES]
            rows[level, index] = row
            index += 1
            if len(row) == TILE_BYTES:
                hashes.append(tile_root(row))
        level += 1
    return rows


def hashes_in(rows: Mapping[TileKey, bytes]) -> HashAt:
    """Return the accessor to all complete subtrees whose tiles are among ``rows``.

    Levels between those of tiles are computed from the tile below. The accessor raises
    ``ProofError`` for a subtree that the rows do not reach.
    """

    def hash_at(level: int, index: int) -> bytes:
        key, start, count = _place(level, index)
        row = rows.get(key, b"")
        hashes = row[start * HASH_BYTES : (start + count) * HASH_BYTES]
        if len(hashes) != count * HASH_BYTES:
            raise ProofError(f"tile {key[0]}/{key[1]} is missing or too short")
        return tile_root(hashes)

    return hash_at


def tiles_needed(walk: Callable[[HashAt], object]) -> frozenset[TileKey]:
    """Return the rows that ``walk`` reads, so that a store can fetch them all at once.

    ``walk`` is a proof still to be made: ``lambda hash_at: inclusion_proof(5, 100, hash_at)``.
    """
    needed: set[TileKey] = set()

    def record(level: int, index: int) -> bytes:
        needed.add(_place(level, index)[0])
        return bytes(HASH_BYTES)

    walk(record)
    return frozenset(needed)


def encode_entries(entries: Sequence[bytes]) -> bytes:
    """Return an entry bundle: (u16 big-endian length ‖ entry) for each of 1 to 256 entries."""
    invariant(1 <= len(entries) <= TILE_WIDTH, "a bundle has 1 to 256 entries")
    invariant(all(len(entry) <= MAX_ENTRY_BYTES for entry in entries), "an entry is too long")
    return b"".join(len(entry).to_bytes(_LENGTH_BYTES, "big") + entry for entry in entries)


def decode_entries(data: bytes, *, width: int) -> tuple[bytes, ...]:
    """Return the ``width`` entries of an entry bundle.

    Raises:
        MalformedError: it ends within an entry, or holds more or fewer of them.
    """
    entries: list[bytes] = []
    at = 0
    for _ in range(width):
        start = at + _LENGTH_BYTES
        at = start + int.from_bytes(data[start - _LENGTH_BYTES : start], "big")
        entries.append(data[start:at])
    if at != len(data):  # Also where an entry was cut short, since ``at`` is then beyond the end.
        raise MalformedError(f"an entry bundle does not hold {width} entries")
    return tuple(entries)


def _place(level: int, index: int) -> tuple[TileKey, int, int]:
    """Return the row that holds subtree ``(level, index)``, its first hash there, and how many."""
    tile_level, height = divmod(level, TILE_HEIGHT)
    tile_index, start = divmod(index << height, TILE_WIDTH)
    return (tile_level, tile_index), start, 1 << height


def tile_root(row: bytes) -> bytes:
    """Return the root over a row of 2^n hashes."""
    sha256 = hashlib.sha256  # A row's neighbours are already joined as node_hash would join them.
    while len(row) > HASH_BYTES:
        pairs = range(0, len(row), 2 * HASH_BYTES)
        row = b"".join([sha256(b"\x01" + row[at : at + 2 * HASH_BYTES]).digest() for at in pairs])
    return row
