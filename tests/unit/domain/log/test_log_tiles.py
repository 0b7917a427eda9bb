from collections.abc import Callable

import pytest

from twinlock.domain.errors import InvariantError, MalformedError, ProofError
from twinlock.domain.log.merkle import Frontier, frontier_at, inclusion_proof, leaf_hash
from twinlock.domain.log.tiles import (
    EntryBundle,
    Tile,
    decode_entries,
    edge_of,
    encode_entries,
    grow,
    hashes_in,
    parse_path,
    tiles_needed,
    tiles_of,
    width_at,
)

LEAVES = [leaf_hash(number.to_bytes(4, "big")) for number in range(65_537)]


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(level=0, index=0), "tile/0/000"),
        (Tile(level=0, index=0, width=1), "tile/0/000.p/1"),
        (Tile(level=63, index=999, width=255), "tile/63/999.p/255"),
        (Tile(level=1, index=1000), "tile/1/x001/000"),
        (Tile(level=0, index=10**18 - 1), "tile/0/x999/x999/x999/x999/x999/999"),
        (EntryBundle(index=0), "tile/entries/000"),
        (EntryBundle(index=12_345, width=7), "tile/entries/x012/345.p/7"),
    ],
)
def test_a_path_says_which_tile(tile: Tile | EntryBundle, path: str) -> None:
    assert tile.path == path
    assert parse_path(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("", id="nothing"),
        pytest.param("/tile/0/000", id="leading slash"),
        pytest.param("tile/0/000/", id="trailing slash"),
        pytest.param("tile/0/000\n", id="trailing newline"),
        pytest.param("tile/8/0/000.p/256", id="tile height in the path"),
        pytest.param("tile/64/000", id="level above 63"),
        pytest.param("tile/00/000", id="level with a leading zero"),
        pytest.param("tile/-1/000", id="negative level"),
        pytest.param("tile/data/000", id="data instead of entries"),
        pytest.param("tile/0/00", id="index of two digits"),
        pytest.param("tile/0/0000", id="index of four digits"),
        pytest.param("tile/0/x000/007", id="index with a leading group of zeros"),
        pytest.param("tile/0/001/007", id="leading group without x"),
        pytest.param("tile/0/x001/x007", id="last group with x"),
        pytest.param("tile/0/x001" + "/x000" * 5 + "/000", id="index of 19 digits"),
        pytest.param("tile/0/٠٠٧", id="digits beyond ASCII"),
        pytest.param("tile/0/000.p/0", id="width zero"),
        pytest.param("tile/0/000.p/256", id="full width written as partial"),
        pytest.param("tile/0/000.p/257", id="width above a tile"),
        pytest.param("tile/0/000.p/01", id="width with a leading zero"),
        pytest.param("tile/0/000.p/", id="width missing"),
        pytest.param("tile/0/../../checkpoint", id="path traversal"),
    ],
)
def test_a_path_spelt_otherwise_is_refused(path: str) -> None:
    with pytest.raises(MalformedError):
        parse_path(path)


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda: Tile(level=64, index=0), id="level 64"),
        pytest.param(lambda: Tile(level=0, index=-1), id="negative tile index"),
        pytest.param(lambda: Tile(level=0, index=10**18), id="tile index of 19 digits"),
        pytest.param(lambda: Tile(level=0, index=0, width=0), id="tile of width zero"),
        pytest.param(lambda: Tile(level=0, index=0, width=257), id="tile of width 257"),
        pytest.param(lambda: EntryBundle(index=-1), id="negative bundle index"),
        pytest.param(lambda: EntryBundle(index=10**18), id="bundle index of 19 digits"),
        pytest.param(lambda: EntryBundle(index=0, width=257), id="bundle of width 257"),
        pytest.param(lambda: EntryBundle(index=0, width=0), id="bundle of width zero"),
    ],
)
def test_a_tile_cannot_be_named_wrong(build: Callable[[], object]) -> None:
    with pytest.raises(InvariantError):
        build()


@pytest.mark.parametrize(
    ("size", "level", "index", "width"),
    [
        pytest.param(0, 0, 0, 0, id="empty log"),
        pytest.param(1, 0, 0, 1, id="first leaf"),
        pytest.param(255, 0, 0, 255, id="one short of full"),
        pytest.param(256, 0, 0, 256, id="just full"),
        pytest.param(256, 0, 1, 0, id="next tile still empty"),
        pytest.param(257, 0, 0, 256, id="full for ever"),
        pytest.param(257, 0, 1, 1, id="next tile begun"),
        pytest.param(255, 1, 0, 0, id="no parent before a full tile"),
        pytest.param(256, 1, 0, 1, id="parent of the first full tile"),
    ],
)
def test_a_size_implies_the_width_of_each_tile(
    size: int, level: int, index: int, width: int
) -> None:
    assert width_at(size, level=level, index=index) == width


@pytest.mark.parametrize(
    ("since", "size", "paths"),
    [
        pytest.param(0, 0, [], id="nothing in an empty log"),
        pytest.param(3, 3, [], id="nothing without growth"),
        pytest.param(2, 3, ["tile/0/000.p/3"], id="a partial tile grows"),
        pytest.param(255, 256, ["tile/0/000", "tile/1/000.p/1"], id="a tile fills"),
        pytest.param(256, 257, ["tile/0/001.p/1"], id="a tile begins"),
        pytest.param(
            255, 257, ["tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1"], id="both at once"
        ),
    ],
)
def test_growth_publishes_only_what_changed(since: int, size: int, paths: list[str]) -> None:
    assert [tile.path for tile in tiles_of(size, since=since)] == paths


def test_the_edge_of_a_log_is_its_partial_tiles() -> None:
    assert edge_of(0) == ()
    assert edge_of(256 + 3) == (
        Tile(level=0, index=1, width=3),
        Tile(level=1, index=0, width=1),
    )
    assert edge_of(65_536 + 3) == (
        Tile(level=0, index=256, width=3),
        Tile(level=2, index=0, width=1),
    )


def test_a_log_grows_tile_by_tile_to_the_third_level() -> None:
    rows = grow(0, {}, LEAVES)

    assert {key: len(row) // 32 for key, row in rows.items() if key[0] > 0} == {
        (1, 0): 256,
        (2, 0): 1,
    }
    assert rows[0, 256] == LEAVES[65_536]
    frontier = Frontier().append(LEAVES)
    assert frontier_at(65_537, hashes_in(rows)) == frontier
    assert rows[2, 0] == frontier.edge[0]


def test_only_rows_that_change_are_written() -> None:
    before = grow(0, {}, LEAVES[:300])

    after = grow(300, before, LEAVES[300:310])

    assert list(after) == [(0, 1)]
    assert after[0, 1].startswith(before[0, 1])


@pytest.mark.parametrize(
    "edge",
    [
        pytest.param({}, id="missing"),
        pytest.param({(0, 0): bytes(31)}, id="cut short"),
        pytest.param({(0, 0): bytes(64)}, id="longer than the size says"),
    ],
)
def test_a_stored_edge_that_does_not_fit_the_size_stops_growth(
    edge: dict[tuple[int, int], bytes],
) -> None:
    with pytest.raises(InvariantError, match="edge tile"):
        grow(1, edge, LEAVES[1:2])


def test_an_entry_cannot_enter_a_tile_as_a_hash() -> None:
    with pytest.raises(InvariantError, match="32 bytes"):
        grow(0, {}, [b"entry"])


def test_a_proof_reads_only_the_rows_it_says_it_needs() -> None:
    rows = grow(0, {}, LEAVES[:1000])

    needed = tiles_needed(lambda hash_at: inclusion_proof(700, 1000, hash_at))

    assert needed == {(0, 2), (0, 3), (1, 0)}
    few = {key: rows[key] for key in needed}
    assert inclusion_proof(700, 1000, hashes_in(few)) == inclusion_proof(700, 1000, hashes_in(rows))


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param({}, id="missing"),
        pytest.param({(0, 0): bytes(95)}, id="one byte short"),
    ],
)
def test_a_row_that_does_not_reach_the_subtree_is_refused(
    rows: dict[tuple[int, int], bytes],
) -> None:
    with pytest.raises(ProofError, match="tile 0/0 is missing or too short"):
        hashes_in(rows)(0, 2)


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param([b""], id="one empty entry"),
        pytest.param([b"x" * 65_535], id="the longest entry"),
        pytest.param([b"a"] * 256, id="a full bundle"),
    ],
)
def test_a_bundle_gives_back_its_entries(entries: list[bytes]) -> None:
    assert decode_entries(encode_entries(entries), width=len(entries)) == tuple(entries)


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param([], id="none"),
        pytest.param([b"a"] * 257, id="257"),
        pytest.param([b"x" * 65_536], id="one too long"),
    ],
)
def test_a_bundle_of_other_entries_is_never_written(entries: list[bytes]) -> None:
    with pytest.raises(InvariantError):
        encode_entries(entries)


@pytest.mark.parametrize(
    ("data", "width"),
    [
        pytest.param(b"", 1, id="empty"),
        pytest.param(b"\x00", 1, id="ends within a length"),
        pytest.param(b"\x00\x02a", 1, id="ends within an entry"),
        pytest.param(b"\x00\x01a", 2, id="an entry missing"),
        pytest.param(b"\x00\x01a\x00\x01b", 1, id="an entry too many"),
        pytest.param(b"\x00\x01a\x00", 1, id="trailing byte"),
    ],
)
def test_a_malformed_bundle_is_refused(data: bytes, width: int) -> None:
    with pytest.raises(MalformedError):
        decode_entries(data, width=width)
