"""The right edge of the log's tree: read from its rows, and believed only when they agree.

The head row holds the tree's size and frontier; the last tiles hold the same hashes once more.
Growing a tree from rows that contradict each other would bury an edited row for ever.

What this does not see, and the audit does: an old leaf or a full tile rewritten, as nothing that
lies left of the edge is read again (docs/log-format.md).
"""

from collections.abc import Mapping
from typing import NamedTuple

import asyncpg

from twinlock.adapters.sql import queries
from twinlock.domain.errors import LogDamagedError
from twinlock.domain.log.merkle import HASH_BYTES, Frontier, frontier_at
from twinlock.domain.log.tiles import Tile, TileKey, edge_of, grow, hashes_in


class Edge(NamedTuple):
    """The right edge of a tree: its frontier, and the rows of its partial tiles."""

    frontier: Frontier
    tiles: Mapping[TileKey, bytes]


class Grown(NamedTuple):
    """A tree after a batch: its edge, and the rows to write."""

    edge: Edge
    rows: Mapping[TileKey, bytes]


def frontier_of(head: asyncpg.Record | None) -> Frontier:
    """Return the frontier that the head row holds.

    Raises:
        LogDamagedError: there is no such row, or it cannot be one that we wrote.
    """
    if head is None:
        raise LogDamagedError("the head of the log is gone")
    size, edge = head["size"], head["edge"]
    if len(edge) != HASH_BYTES * size.bit_count():
        raise LogDamagedError("the head of the log does not fit its size")
    return Frontier.from_bytes(size, edge)


async def read_edge(
    connection: asyncpg.Connection, frontier: Frontier, *, known: Edge | None
) -> Edge:
    """Return the edge of the tree that ``frontier`` ends.

    ``known`` is an edge that this process wrote before. A frontier commits to its whole tree, so
    that the edge of an equal one is the same, whoever has written since.

    Raises:
        LogDamagedError: the rows of the last tiles are not those of this frontier.
    """
    if known is not None and known.frontier == frontier:
        return known
    wanted = edge_of(frontier.size)
    rows = await connection.fetch(
        queries.READ_TILES, [tile.level for tile in wanted], [tile.index for tile in wanted]
    )
    tiles = {(row["level"], row["number"]): bytes(row["hashes"]) for row in rows}
    return checked_edge(frontier, tiles, wanted)


def checked_edge(
    frontier: Frontier, tiles: Mapping[TileKey, bytes], wanted: tuple[Tile, ...]
) -> Edge:
    """Return the edge when the rows ``tiles``, ``wanted`` by its size, hash to ``frontier``.

    Raises:
        LogDamagedError: they do not, or have grown wider than its size says.
    """
    widths = {(tile.level, tile.index): tile.width * HASH_BYTES for tile in wanted}
    if {place: len(row) for place, row in tiles.items()} != widths:
        raise LogDamagedError("the last tiles of the log do not fit its head")
    if frontier_at(frontier.size, hashes_in(tiles)) != frontier:
        raise LogDamagedError("the last tiles of the log are not those of its head")
    return Edge(frontier=frontier, tiles=tiles)


def grown(edge: Edge, leaf_hashes: list[bytes]) -> Grown:
    """Return the tree after these leaves."""
    rows = grow(edge.frontier.size, edge.tiles, leaf_hashes)
    frontier = edge.frontier.append(leaf_hashes)
    places = ((tile.level, tile.index) for tile in edge_of(frontier.size))
    tiles = {place: rows.get(place) or edge.tiles[place] for place in places}
    return Grown(edge=Edge(frontier=frontier, tiles=tiles), rows=rows)
