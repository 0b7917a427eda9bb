"""The log's formats, byte for byte: values that other implementations agreed on.

The three-leaf log was accepted by three verifiers written elsewhere (see
tests/integration/test_foreign_verifiers.py); the eight-leaf roots are those of the Certificate
Transparency project's own tests of RFC 6962.
"""

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from twinlock.domain.canonical import b64url, commit, encode, from_b64url, tagged_hash, tagged_mac
from twinlock.domain.log.checkpoint import Checkpoint
from twinlock.domain.log.merkle import EMPTY_ROOT, Frontier, inclusion_proof, leaf_hash
from twinlock.domain.log.note import KeyType, SignedNote, parse_note, parse_vkey
from twinlock.domain.log.proof import TlogProof, parse_tlog_proof
from twinlock.domain.log.tiles import Tile, encode_entries, grow, hashes_in, parse_path, tiles_of
from twinlock.domain.log.trust import parse_trust_policy
from twinlock.proofs.notes import (
    cosign,
    sign_checkpoint,
    verifier_key,
    verify_inclusion_in_checkpoint,
)

VECTORS = Path(__file__).parent / "log"
ORIGIN = "log.example/twinlock"
WITNESS = "witness.example/w1"
LOG_KEY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
WITNESS_KEY = Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)
COSIGNED_AT = datetime.fromtimestamp(1767225600, UTC)
ENTRIES = [b"", b"a", b"twinlock"]
LOG_VKEY = f"{ORIGIN}+a2cb7d8f+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"
WITNESS_VKEY = f"{WITNESS}+df1c0a35+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU"
ROOTS = [
    "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=",
    "aI3GJEsEEZnnq0mQ32NAzj3BTKpc1aDhExrdqhIJ4aY=",
    "p5l4/6FkUt59zwiKH8NH84VNZvgSzj35b4qYol2PlWU=",
]
CERTIFICATE_TRANSPARENCY = [
    ("", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
    ("00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
    ("10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
    ("2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
    ("3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
    ("40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
    ("5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
    (
        "606162636465666768696a6b6c6d6e6f",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ),
]


def vector(name: str) -> bytes:
    return (VECTORS / name).read_bytes()


def three_leaves() -> SignedNote:
    root = base64.b64decode(ROOTS[3])
    signed = sign_checkpoint(Checkpoint(origin=ORIGIN, size=3, root=root), key=LOG_KEY)
    cosignature = cosign(signed.text, name=WITNESS, key=WITNESS_KEY, at=COSIGNED_AT)
    return SignedNote(text=signed.text, signatures=(*signed.signatures, cosignature))


@pytest.mark.parametrize("size", range(4))
def test_the_root_of_each_size_is_the_known_one(size: int) -> None:
    root = Frontier().append(map(leaf_hash, ENTRIES[:size])).root()

    assert base64.b64encode(root).decode() == ROOTS[size]


def test_the_empty_root_is_the_hash_of_nothing() -> None:
    assert base64.b64encode(EMPTY_ROOT).decode() == ROOTS[0]


@pytest.mark.parametrize("size", range(1, 9))
def test_the_roots_are_those_of_certificate_transparency(size: int) -> None:
    leaves = [leaf_hash(bytes.fromhex(entry)) for entry, _ in CERTIFICATE_TRANSPARENCY[:size]]

    root = Frontier().append(leaves).root()

    assert root.hex() == CERTIFICATE_TRANSPARENCY[size - 1][1]


@pytest.mark.parametrize(
    ("name", "key", "key_type", "vkey"),
    [
        pytest.param(ORIGIN, LOG_KEY, KeyType.ED25519, LOG_VKEY, id="the log"),
        pytest.param(
            WITNESS, WITNESS_KEY, KeyType.ED25519_COSIGNATURE, WITNESS_VKEY, id="the witness"
        ),
    ],
)
def test_a_key_has_the_known_vkey(
    name: str, key: Ed25519PrivateKey, key_type: KeyType, vkey: str
) -> None:
    assert str(verifier_key(name, key, key_type)) == vkey
    assert parse_vkey(vkey) == verifier_key(name, key, key_type)


def test_the_same_key_has_another_id_as_cosigner() -> None:
    key = verifier_key(ORIGIN, LOG_KEY, KeyType.ED25519_COSIGNATURE)

    assert key.key_id.hex() == "d40ccbb4"


def test_the_signed_and_cosigned_checkpoint_has_the_known_bytes() -> None:
    assert three_leaves().encode() == vector("three-leaves.checkpoint")
    assert parse_note(vector("three-leaves.checkpoint")) == three_leaves()


def test_the_entry_bundle_has_the_known_bytes() -> None:
    assert encode_entries(ENTRIES).hex(" ") == "00 00 00 01 61 00 08 74 77 69 6e 6c 6f 63 6b"


def test_the_proof_file_has_the_known_bytes() -> None:
    hash_at = hashes_in(grow(0, {}, map(leaf_hash, ENTRIES)))
    proof = TlogProof(index=1, hashes=inclusion_proof(1, 3, hash_at), checkpoint=three_leaves())

    assert proof.encode() == vector("three-leaves.tlog-proof")
    assert parse_tlog_proof(vector("three-leaves.tlog-proof")) == proof


def test_the_proof_file_verifies_under_the_policy_file() -> None:
    policy = parse_trust_policy(vector("three-leaves.trust-policy"))

    included = verify_inclusion_in_checkpoint(
        b"a", vector("three-leaves.tlog-proof"), policy, origin=ORIGIN
    )

    assert (included.index, included.witnessed.checkpoint.size) == (1, 3)
    assert included.witnessed.cosigned_at == {"w1": COSIGNED_AT}
    assert included.witnessed.fresh_at == COSIGNED_AT


@pytest.mark.parametrize(
    ("index", "path"), [(7, "007"), (1234067, "x001/x234/067"), (4021007, "x004/x021/007")]
)
def test_a_tile_index_is_spelt_in_groups_of_three(index: int, path: str) -> None:
    assert Tile(level=0, index=index).path == f"tile/0/{path}"
    assert parse_path(f"tile/0/{path}") == Tile(level=0, index=index)


@pytest.mark.parametrize(
    ("size", "full", "partial"),
    [
        pytest.param(256, {0: 1}, {1: 1}, id="one full tile and its parent"),
        pytest.param(70_000, {0: 273, 1: 1}, {0: 112, 1: 17, 2: 1}, id="tlog-tiles' example"),
        pytest.param(100_000, {0: 390, 1: 1}, {0: 160, 1: 134, 2: 1}, id="a hundred thousand"),
    ],
)
def test_a_size_implies_the_known_tiles(
    size: int, full: dict[int, int], partial: dict[int, int]
) -> None:
    tiles = list(tiles_of(size))

    levels = [tile.level for tile in tiles if tile.width == 256]
    assert {level: levels.count(level) for level in levels} == full
    assert {tile.level: tile.width for tile in tiles if tile.width < 256} == partial


def test_the_tagged_hash_of_an_empty_policy_is_the_known_one() -> None:
    digest = tagged_hash("policy/v1", encode({}))

    assert b64url(digest) == "ChtJB9gINfKpGQ4Rk66mYs-8EgsGfsOihCeKLzPAfHg"


def test_the_commitment_to_an_actor_is_the_known_one() -> None:
    commitment = commit(b"\x08" * 32, "actor", encode("s-17"))

    assert b64url(commitment) == "u5LUmxDVVjg5PkWt1o90VnlVJrATv-DIshNMKdeoFMY"


def test_the_first_label_of_a_subject_is_the_known_one() -> None:
    entry_key = tagged_mac(b"\x07" * 32, "entry/v1", (0).to_bytes(8, "big"))
    label = tagged_mac(entry_key, "label/v1")

    assert label == from_b64url("fRfBTCKyUWvkXNXWYx5x3mTqsCobJbXamVviu2b7IoA", size=32)
