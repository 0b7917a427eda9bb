"""A witness of known key and clock cosigns the known checkpoint with the known bytes.

The values were accepted by three verifiers written elsewhere
(tests/integration/test_foreign_verifiers.py).
"""

from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from twinlock.domain.log.merkle import consistency_proof, leaf_hash
from twinlock.domain.log.note import SignedNote, parse_note, parse_vkey
from twinlock.domain.log.submission import Submission, origin_name
from twinlock.domain.log.tiles import grow, hashes_in
from twinlock.witness.ledger import Identity, Ledger, make_witness
from twinlock.witness.serving import Witness

VECTORS = Path(__file__).parent / "log"
LOG = "log.example/twinlock+a2cb7d8f+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"
WITNESS = "witness.example/w1+df1c0a35+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU"
LINE = (
    "— witness.example/w1 3xwKNQAAAABpVbkAdiwa8HKHAJLiQLc5SjLdtx+o4U2601HwhRhaMM8ybpLM9Vq8DtBccXH7"
    "FE97GTFfcZYmltWUlbt68cNqp7SzDw==\n"
)
ENTRIES = [b"", b"a", b"twinlock"]
COSIGNED_AT = datetime.fromtimestamp(1767225600, UTC)


def test_a_witness_adds_the_known_line_to_the_known_checkpoint(tmp_path: Path) -> None:
    make_witness(tmp_path / "w", name="unused")
    secret = Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)
    ledger = Ledger(tmp_path / "w", Identity(name="witness.example/w1", secret=secret))
    ledger.add_log((parse_vkey(LOG),), beginning=None)
    witness = Witness(ledger, now=lambda: COSIGNED_AT)
    cosigned = (VECTORS / "three-leaves.checkpoint").read_bytes()
    note = parse_note(cosigned)
    by_the_log = SignedNote(text=note.text, signatures=note.signatures[:1])

    answer = witness.add_checkpoint(Submission(old_size=0, proof=(), note=by_the_log).encode())

    assert str(ledger.identity.key) == WITNESS
    assert (answer.status, answer.body) == (200, LINE.encode())
    assert witness.monitored(origin_name("log.example/twinlock")).body == cosigned


def test_the_known_submission_has_the_known_bytes() -> None:
    hash_at = hashes_in(grow(0, {}, map(leaf_hash, ENTRIES)))
    note = parse_note((VECTORS / "three-leaves.checkpoint").read_bytes())
    sent = Submission(old_size=2, proof=consistency_proof(2, 3, hash_at), note=note).encode()

    assert sent.startswith(b"old 2\njRL43FNaBDHM0AEU5q3lpQgMgqHTYz1rV88Konwctkg=\n\nlog.example")
