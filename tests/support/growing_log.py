"""A log in memory that a test grows, forks and submits to witnesses."""

from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from twinlock.domain.log.checkpoint import Checkpoint
from twinlock.domain.log.merkle import Frontier, consistency_proof, leaf_hash
from twinlock.domain.log.note import SignedNote
from twinlock.domain.log.submission import Submission
from twinlock.domain.log.tiles import grow, hashes_in
from twinlock.proofs.notes import sign_checkpoint, verifier_key

ORIGIN = "log.example/twinlock"


class GrowingLog:
    """A log whose entries are numbers; ``fork`` is one that differs from entry ``at`` on."""

    def __init__(self, *, seed: int = 1, origin: str = ORIGIN) -> None:
        self.origin = origin
        self.secret = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.key = verifier_key(origin, self.secret)
        self.entries: list[bytes] = []

    def grow(self, count: int = 1, *, word: bytes = b"entry") -> "GrowingLog":
        self.entries += [word + b" %d" % (len(self.entries) + one) for one in range(count)]
        return self

    def fork(self, *, at: int) -> "GrowingLog":
        other = GrowingLog(origin=self.origin)
        other.secret, other.key = self.secret, self.key
        other.entries = self.entries[:at]
        return other.grow(len(self.entries) - at, word=b"forged")

    def leaves(self, size: int) -> Iterable[bytes]:
        return map(leaf_hash, self.entries[:size])

    def head(self, size: int | None = None) -> Checkpoint:
        size = len(self.entries) if size is None else size
        root = Frontier().append(self.leaves(size)).root()
        return Checkpoint(origin=self.origin, size=size, root=root)

    def note(self, size: int | None = None) -> SignedNote:
        return sign_checkpoint(self.head(size), key=self.secret)

    def growth(self, old: int, size: int | None = None) -> tuple[bytes, ...]:
        size = len(self.entries) if size is None else size
        hash_at = hashes_in(grow(0, {}, self.leaves(size)))
        return consistency_proof(old, size, hash_at)

    def submission(self, old: int, size: int | None = None) -> Submission:
        proof = self.growth(old, size)
        return Submission(old_size=old, proof=proof, note=self.note(size))
