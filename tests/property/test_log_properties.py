"""Promises of the log's arithmetic, held against definitions written as in the standards."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from twinlock.domain.errors import MalformedError, ProofError, QuorumError
from twinlock.domain.log.checkpoint import Checkpoint, parse_checkpoint
from twinlock.domain.log.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    frontier_at,
    inclusion_proof,
    verify_consistency,
    verify_inclusion,
)
from twinlock.domain.log.note import (
    KeyType,
    SignatureLine,
    SignedNote,
    VerifierKey,
    parse_note,
    parse_vkey,
)
from twinlock.domain.log.proof import TlogProof, parse_tlog_proof
from twinlock.domain.log.text import to_base64
from twinlock.domain.log.tiles import (
    EntryBundle,
    Tile,
    decode_entries,
    encode_entries,
    grow,
    hashes_in,
    parse_path,
    tiles_needed,
    tiles_of,
    width_at,
)
from twinlock.domain.log.trust import parse_trust_policy

LEAVES = [hashlib.sha256(b"%d" % number).digest() for number in range(1100)]
ROWS = grow(0, {}, LEAVES)
HASH_AT = hashes_in(ROWS)

# Where trees change shape: powers of two, tile borders, and their neighbours.
EDGES = [0, 1, 2, 3, 7, 8, 9, 255, 256, 257, 511, 512, 513, 768, 1023, 1024, 1025]
sizes = st.sampled_from(EDGES) | st.integers(0, len(LEAVES))
hashes = st.binary(min_size=32, max_size=32)
names = st.text(st.characters(categories=["L", "N", "P"], exclude_characters="+"), min_size=1)
short_names = names.filter(lambda name: len(name.encode()) <= 255)


def root_by_definition(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962, 2.1."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    left, right = root_by_definition(leaves[:split]), root_by_definition(leaves[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


def path_by_definition(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """RFC 6962, 2.1.1."""
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*path_by_definition(index, leaves[:split]), root_by_definition(leaves[split:])]
    path = path_by_definition(index - split, leaves[split:])
    return [*path, root_by_definition(leaves[:split])]


def growth_by_definition(old: int, leaves: Sequence[bytes], *, known: bool = True) -> list[bytes]:
    """RFC 6962, 2.1.2: SUBPROOF."""
    if old == len(leaves):
        return [] if known else [root_by_definition(leaves)]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if old <= split:
        proof = growth_by_definition(old, leaves[:split], known=known)
        return [*proof, root_by_definition(leaves[split:])]
    proof = growth_by_definition(old - split, leaves[split:], known=False)
    return [*proof, root_by_definition(leaves[:split])]


@st.composite
def groups(draw: st.DrawFn) -> list[list[bytes]]:
    """The first leaves of the log, appended in groups."""
    size = draw(sizes)
    cuts = sorted(draw(st.lists(st.integers(0, size), max_size=6)))
    return [LEAVES[a:b] for a, b in zip([0, *cuts], [*cuts, size], strict=True)]


@given(groups())
def test_appending_in_any_groups_gives_the_root_of_the_definition(
    grouped: list[list[bytes]],
) -> None:
    frontier = Frontier()
    for group in grouped:
        frontier = frontier.append(group)

    assert frontier.root() == root_by_definition(LEAVES[: frontier.size])


@given(sizes)
def test_a_frontier_survives_its_bytes_and_is_found_again_in_the_tiles(size: int) -> None:
    frontier = Frontier().append(LEAVES[:size])

    assert Frontier.from_bytes(size, frontier.to_bytes()) == frontier
    assert frontier_at(size, HASH_AT) == frontier


@given(groups())
def test_growing_in_any_groups_gives_the_same_rows(grouped: list[list[bytes]]) -> None:
    rows: dict[tuple[int, int], bytes] = {}
    size = 0
    for group in grouped:
        for key, row in grow(size, rows, group).items():
            assert row.startswith(rows.get(key, b""))
            rows[key] = row
        size += len(group)

    assert rows == grow(0, {}, LEAVES[:size])


@given(sizes)
def test_every_tile_of_a_size_is_a_prefix_of_the_row_kept_now(size: int) -> None:
    then = grow(0, {}, LEAVES[:size])

    assert {(tile.level, tile.index): tile.width * 32 for tile in tiles_of(size)} == {
        key: len(row) for key, row in then.items()
    }
    for key, row in then.items():
        assert ROWS[key].startswith(row)


@given(sizes, sizes)
def test_growth_publishes_exactly_the_tiles_that_became_wider(one: int, other: int) -> None:
    since, size = sorted((one, other))
    before, after = set(tiles_of(since)), set(tiles_of(size))

    assert set(tiles_of(size, since=since)) == after - before
    for tile in after - before:
        assert tile.width > width_at(since, level=tile.level, index=tile.index)


@given(sizes, st.data())
def test_an_inclusion_proof_is_that_of_the_definition_and_verifies(
    size: int, data: st.DataObject
) -> None:
    assume(size)
    index = data.draw(st.integers(0, size - 1))
    root = root_by_definition(LEAVES[:size])

    proof = inclusion_proof(index, size, HASH_AT)

    assert list(proof) == path_by_definition(index, LEAVES[:size])
    checked = verify_inclusion(LEAVES[index], index=index, size=size, proof=proof, root=root)
    assert checked == root


@given(sizes, sizes)
def test_a_consistency_proof_is_that_of_the_definition_and_verifies(one: int, other: int) -> None:
    old, new = sorted((one, other))
    old_root, new_root = root_by_definition(LEAVES[:old]), root_by_definition(LEAVES[:new])

    proof = consistency_proof(old, new, HASH_AT)

    assert list(proof) == (growth_by_definition(old, LEAVES[:new]) if old else [])
    checked = verify_consistency(
        old_size=old, old_root=old_root, new_size=new, new_root=new_root, proof=proof
    )
    assert checked == new_root


@given(sizes, st.data())
def test_a_proof_reads_no_row_beyond_those_it_says_it_needs(size: int, data: st.DataObject) -> None:
    assume(size)
    index = data.draw(st.integers(0, size - 1))

    needed = tiles_needed(lambda hash_at: inclusion_proof(index, size, hash_at))

    few = hashes_in({key: ROWS[key] for key in needed})
    assert inclusion_proof(index, size, few) == inclusion_proof(index, size, HASH_AT)


@st.composite
def tampered(draw: st.DrawFn, proof: Sequence[bytes]) -> list[bytes]:
    """A proof with one hash dropped, doubled, swapped, added or changed."""
    given_proof = list(proof)
    at = draw(st.integers(0, len(given_proof)))
    pair, other = given_proof[at : at + 2], draw(hashes)
    changes = [pair[1:], pair[:1] + pair, pair[::-1], [other, *pair], [other, *pair[1:]]]
    given_proof[at : at + 2] = draw(st.sampled_from(changes))
    assume(given_proof != list(proof))
    return given_proof


@given(sizes, st.data())
def test_no_other_proof_shows_inclusion(size: int, data: st.DataObject) -> None:
    assume(size)
    index = data.draw(st.integers(0, size - 1))
    root = Frontier().append(LEAVES[:size]).root()
    proof = data.draw(tampered(inclusion_proof(index, size, HASH_AT)))

    with pytest.raises(ProofError):
        verify_inclusion(LEAVES[index], index=index, size=size, proof=proof, root=root)


@given(sizes, st.data())
def test_no_proof_shows_inclusion_elsewhere(size: int, data: st.DataObject) -> None:
    assume(size)
    index = data.draw(st.integers(0, size - 1))
    root = Frontier().append(LEAVES[:size]).root()
    proof = inclusion_proof(index, size, HASH_AT)
    elsewhere = (
        data.draw(st.integers(0, size - 1).filter(lambda other: other != index))
        if (size > 1)
        else 1
    )

    with pytest.raises(ProofError):
        verify_inclusion(LEAVES[index], index=elsewhere, size=size, proof=proof, root=root)


@pytest.mark.requirement("O-34")
@given(sizes, sizes, st.data())
def test_no_other_proof_shows_growth(one: int, other: int, data: st.DataObject) -> None:
    old, new = sorted((one, other))
    roots = [Frontier().append(LEAVES[:size]).root() for size in (old, new)]
    proof = data.draw(tampered(consistency_proof(old, new, HASH_AT)))

    with pytest.raises(ProofError):
        verify_consistency(
            old_size=old, old_root=roots[0], new_size=new, new_root=roots[1], proof=proof
        )


@given(sizes, sizes, hashes)
def test_no_proof_shows_growth_from_or_to_another_root(one: int, other: int, root: bytes) -> None:
    old, new = sorted((one, other))
    assume(0 < old < new)
    proof = consistency_proof(old, new, HASH_AT)
    roots = [Frontier().append(LEAVES[:size]).root() for size in (old, new)]

    for pair in ((root, roots[1]), (roots[0], root)):
        with pytest.raises(ProofError):
            verify_consistency(
                old_size=old, old_root=pair[0], new_size=new, new_root=pair[1], proof=proof
            )


@given(st.integers(0, 63), st.integers(0, 10**18 - 1), st.integers(1, 256))
def test_a_tile_path_gives_back_its_tile(level: int, index: int, width: int) -> None:
    tile = Tile(level=level, index=index, width=width)
    bundle = EntryBundle(index=index, width=width)

    assert parse_path(tile.path) == tile
    assert parse_path(bundle.path) == bundle


@given(
    st.sampled_from(["0", "00", "7", "07", "63", "64", "entries", "data"]),
    st.lists(st.sampled_from(["000", "x000", "x001", "007", "x7", "7", ""]), max_size=7),
    st.sampled_from(["", ".p/0", ".p/1", ".p/01", ".p/255", ".p/256", ".p/", "/"]),
)
def test_a_path_has_one_spelling(level: str, index: list[str], ending: str) -> None:
    path = f"tile/{level}/{'/'.join(index)}{ending}"
    try:
        tile = parse_path(path)
    except MalformedError:
        return
    assert tile.path == path


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=256))
def test_an_entry_bundle_gives_back_its_entries(entries: list[bytes]) -> None:
    assert decode_entries(encode_entries(entries), width=len(entries)) == tuple(entries)


@given(st.binary(max_size=40), st.integers(1, 20))
def test_bytes_are_an_entry_bundle_in_one_way_or_refused(data: bytes, width: int) -> None:
    try:
        entries = decode_entries(data, width=width)
    except MalformedError:
        return
    assert encode_entries(entries) == data


lines = st.builds(
    SignatureLine,
    name=short_names,
    key_id=st.binary(min_size=4, max_size=4),
    signature=st.binary(min_size=1, max_size=80),
)
texts = st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs"]) | st.just("\n")).map(
    lambda text: f"{text}\n".encode()
)
notes = st.builds(
    SignedNote,
    text=texts,
    signatures=st.lists(lines, min_size=1, max_size=4).map(tuple),
)
proofs = st.builds(
    TlogProof,
    index=st.integers(0, 10**18 - 1),
    hashes=st.lists(hashes, max_size=5).map(tuple),
    checkpoint=notes,
    extra=st.none() | st.binary(min_size=1, max_size=20),
)


@given(notes)
def test_a_note_is_written_again_byte_for_byte(note: SignedNote) -> None:
    assert parse_note(note.encode()) == note


@given(proofs)
def test_a_proof_file_is_written_again_byte_for_byte(proof: TlogProof) -> None:
    assert parse_tlog_proof(proof.encode()) == proof


@given(short_names, st.integers(0, 10**18 - 1), hashes)
def test_a_checkpoint_is_written_again_byte_for_byte(name: str, size: int, root: bytes) -> None:
    checkpoint = Checkpoint(origin=name, size=size, root=root)

    assert parse_checkpoint(checkpoint.to_text()) == checkpoint


@given(short_names, st.sampled_from(KeyType), hashes)
def test_a_vkey_gives_back_its_key(name: str, key_type: KeyType, public_key: bytes) -> None:
    try:
        key = VerifierKey(name=name, key_type=key_type, public_key=public_key)
    except MalformedError:
        return
    assert parse_vkey(str(key)) == key


SOUND_NOTE = SignedNote(
    text=Checkpoint(origin="log.example/a", size=3, root=LEAVES[0]).to_text(),
    signatures=(SignatureLine(name="log.example/a", key_id=b"1234", signature=b"s" * 64),),
)
SOUND_PROOF = TlogProof(index=1, hashes=(LEAVES[1],), checkpoint=SOUND_NOTE, extra=b"extra")


@settings(max_examples=300)
@given(
    st.sampled_from([SOUND_NOTE.encode(), SOUND_PROOF.encode(), SOUND_NOTE.text]),
    st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=2)), min_size=1, max_size=3),
)
def test_mutilated_bytes_are_read_in_one_way_or_refused(
    data: bytes, changes: list[tuple[int, bytes]]
) -> None:
    for at, patch in changes:
        data = data[:at] + patch + data[at + 1 :]
    parsers: list[Callable[[bytes], SignedNote | TlogProof]] = [parse_note, parse_tlog_proof]
    for parse in parsers:
        try:
            assert parse(data).encode() == data
        except MalformedError:
            continue
    try:
        checkpoint = parse_checkpoint(data)
    except MalformedError:
        return
    assert data.startswith(checkpoint.to_text())


def a_policy_of(threshold_of_x: int, threshold_of_all: int) -> bytes:
    keys = [
        VerifierKey(
            name=f"w{number}.example",
            key_type=KeyType.ED25519_COSIGNATURE,
            public_key=bytes([number]) * 32,
        )
        for number in range(10, 15)
    ]
    witnesses = "".join(f"witness w{number} {key}\n" for number, key in enumerate(keys))
    return (
        f"{witnesses}group x {threshold_of_x} w0 w1 w2\n"
        f"group all-of-them {threshold_of_all} x w3 w4\nquorum all-of-them\n"
    ).encode()


@given(
    st.integers(1, 3),
    st.integers(1, 3),
    st.dictionaries(st.sampled_from(["w0", "w1", "w2", "w3", "w4"]), st.integers(0, 5)),
    st.sampled_from(["w0", "w1", "w2", "w3", "w4"]),
    st.integers(0, 5),
)
def test_one_more_cosignature_never_breaks_a_quorum_or_makes_it_older(
    of_x: int, of_all: int, seconds: dict[str, int], one_more: str, at: int
) -> None:
    assume(one_more not in seconds)
    policy = parse_trust_policy(a_policy_of(of_x, of_all))
    times = {name: datetime.fromtimestamp(second, UTC) for name, second in seconds.items()}
    x = sum(name in times for name in ("w0", "w1", "w2")) >= of_x
    expected = x + ("w3" in times) + ("w4" in times) >= of_all

    try:
        before = policy.quorum_fresh_at(times)
    except QuorumError:
        assert not expected
        return
    assert expected
    after = policy.quorum_fresh_at({**times, one_more: datetime.fromtimestamp(at, UTC)})
    assert before is not None
    assert after is not None
    assert after >= before


@given(notes, st.integers(0, 3))
def test_base64_has_one_spelling(note: SignedNote, padding: int) -> None:
    line = note.signatures[0]
    spelt = to_base64(line.key_id + line.signature)
    other = spelt.rstrip("=") + "=" * padding
    assume(other != spelt)
    data = replace(note, signatures=(line,)).encode()

    with pytest.raises(MalformedError):
        parse_note(data.replace(f" {spelt}\n".encode(), f" {other}\n".encode()))
