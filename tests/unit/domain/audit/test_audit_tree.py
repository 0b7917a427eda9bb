"""Tiles and roots, hashed again."""

import pytest

from twinlock.domain.audit.findings import Fault, Findings
from twinlock.domain.audit.tree import Tree, check_tiles, tiles_at
from twinlock.domain.errors import InvariantError
from twinlock.domain.log.merkle import EMPTY_ROOT, leaf_hash
from twinlock.domain.log.tiles import tiles_of

LEVEL_0 = b"".join(leaf_hash(b"%d" % number) for number in range(300))


@pytest.mark.parametrize(
    ("stored", "code", "says"),
    [
        ({}, Fault.TILE_MISSING, "it is gone"),
        ({1: LEVEL_0[8192:-32]}, Fault.TILE_WRONG, "it holds 43 hashes and not 44"),
        ({1: LEVEL_0[8192:] + bytes(32)}, Fault.TILE_WRONG, "it holds 45 hashes and not 44"),
        (
            {1: LEVEL_0[8192:-1] + b"x"},
            Fault.TILE_WRONG,
            "hash 43 is not that of what lies below it",
        ),
    ],
)
def test_a_tile_that_is_not_that_of_its_leaves_is_named(
    stored: dict[int, bytes], code: Fault, says: str
) -> None:
    findings = Findings()

    check_tiles(0, 0, LEVEL_0, {0: LEVEL_0[:8192], **stored}, findings)

    (finding,) = findings.kept
    assert (finding.code, finding.where, finding.says) == (code, "tile 0/1", says)


def test_an_empty_tree_has_the_empty_root() -> None:
    assert Tree((b"",)).root(0) == EMPTY_ROOT


def test_nobody_knows_the_root_of_more_than_was_hashed() -> None:
    with pytest.raises(InvariantError):
        Tree((LEVEL_0[:64],)).root(3)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 65_535, 65_536, 65_537, 10**9])
def test_there_are_as_many_tiles_as_the_log_has(size: int) -> None:
    if size > 10**6:
        assert (tiles_at(size, 0), tiles_at(size, 3), tiles_at(size, 4)) == (3_906_250, 1, 0)
        return
    tiles = list(tiles_of(size))
    for level in range(4):
        assert tiles_at(size, level) == sum(tile.level == level for tile in tiles)
