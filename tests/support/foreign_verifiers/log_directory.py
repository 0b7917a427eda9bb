"""Writes a log as the static files that an auditor would fetch, made by our own code.

``checkpoint`` and ``tile/…`` as C2SP tlog-tiles has them, and ``claims/`` with what somebody holds
against the log: entries with their ``.tlog-proof``, an older checkpoint, the consistency proof.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from twinlock.domain.log.checkpoint import Checkpoint
from twinlock.domain.log.merkle import (
    Frontier,
    consistency_proof,
    frontier_at,
    inclusion_proof,
    leaf_hash,
)
from twinlock.domain.log.note import KeyType, SignedNote
from twinlock.domain.log.proof import TlogProof
from twinlock.domain.log.text import to_base64
from twinlock.domain.log.tiles import (
    EntryBundle,
    TileKey,
    edge_of,
    encode_entries,
    grow,
    hashes_in,
    tiles_of,
)
from twinlock.proofs.notes import cosign, sign_checkpoint, verifier_key

ORIGIN = "log.example/twinlock"
WITNESS = "witness.example/w1"
LOG_KEY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
WITNESS_KEY = Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)
LOG_VKEY = str(verifier_key(ORIGIN, LOG_KEY))
WITNESS_VKEY = str(verifier_key(WITNESS, WITNESS_KEY, KeyType.ED25519_COSIGNATURE))
COSIGNED_AT = datetime(2026, 1, 1, tzinfo=UTC)
GROUP = 16  # Leaves of one transaction.


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPlan:
    """Which log to write: how many entries, how many when it was seen before, what is claimed."""

    size: int
    old_size: int
    claimed: tuple[int, ...]

    def entry(self, index: int) -> bytes:
        """Return entry ``index``: empty, short, and longer than one hash block."""
        return b"%d" % index * (index % 40)


def signed_head(size: int, root: bytes) -> SignedNote:
    """Return the checkpoint that log and witness sign."""
    note = sign_checkpoint(Checkpoint(origin=ORIGIN, size=size, root=root), key=LOG_KEY)
    line = cosign(note.text, name=WITNESS, key=WITNESS_KEY, at=COSIGNED_AT)
    return SignedNote(text=note.text, signatures=(*note.signatures, line))


def write_log(directory: Path, plan: LogPlan) -> None:
    """Grow the log of ``plan`` group by group and write everything an auditor asks for."""
    entries = [plan.entry(index) for index in range(plan.size)]
    frontier = Frontier()
    rows: dict[TileKey, bytes] = {}
    for start in range(0, plan.size, GROUP):
        leaves = [leaf_hash(entry) for entry in entries[start : start + GROUP]]
        edge = {(tile.level, tile.index): rows[tile.level, tile.index] for tile in edge_of(start)}
        rows.update(grow(start, edge, leaves))
        frontier = frontier.append(leaves)
    _write_tiles(directory, plan.size, rows, entries)
    head = signed_head(plan.size, frontier.root())
    _write(directory / "checkpoint", head.encode())
    _write_claims(directory / "claims", plan, rows, head)


def _write_tiles(
    directory: Path, size: int, rows: dict[TileKey, bytes], entries: list[bytes]
) -> None:
    for tile in tiles_of(size):
        _write(directory / tile.path, rows[tile.level, tile.index][: 32 * tile.width])
        if tile.level == 0:
            first = 256 * tile.index
            bundle = EntryBundle(index=tile.index, width=tile.width)
            data = encode_entries(entries[first : first + tile.width])
            _write(directory / bundle.path, data)


def _write_claims(
    directory: Path, plan: LogPlan, rows: dict[TileKey, bytes], head: SignedNote
) -> None:
    hash_at = hashes_in(rows)
    for index in plan.claimed:
        hashes = inclusion_proof(index, plan.size, hash_at)
        proof = TlogProof(index=index, hashes=hashes, checkpoint=head)
        _write(directory / f"{index}.tlog-proof", proof.encode())
        _write(directory / f"{index}.entry", plan.entry(index))
    old = signed_head(plan.old_size, frontier_at(plan.old_size, hash_at).root())
    _write(directory / "old-checkpoint", old.encode())
    growth = consistency_proof(plan.old_size, plan.size, hash_at)
    _write(directory / "consistency", "".join(f"{to_base64(node)}\n" for node in growth).encode())


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
