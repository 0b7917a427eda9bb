"""A real bundle as it would be from a log of a million entries that two witnesses cosigned.

The entries of the bundle stand where a busy log would hold them; all others are one filler, so that
every hash of the tree is arithmetic. Whatever depends on the place is made anew, under keys of this
module's own, and the result is verified like any other: what is weighed is a bundle that holds.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from bench.report import LargeLogCost
from twinlock.domain.authorization import SPEND_TYPE
from twinlock.domain.bundle import Bundle, Included
from twinlock.domain.canonical import b64url, encode
from twinlock.domain.log.checkpoint import Checkpoint
from twinlock.domain.log.merkle import (
    consistency_proof,
    frontier_at,
    inclusion_proof,
    leaf_hash,
    node_hash,
)
from twinlock.domain.log.note import KeyType, SignedNote
from twinlock.domain.trust import Trust
from twinlock.proofs import jws
from twinlock.proofs.authorizations import detached
from twinlock.proofs.bundles import verify_bundle
from twinlock.proofs.notes import cosign, sign_checkpoint, verifier_key

ENTRIES = 1_000_000
BOUND_AT = ENTRIES // 3  # Some months before.
DECIDED_AT = ENTRIES - 1_000  # Some seconds before.
SEEN_BEFORE = ENTRIES - 50_000  # What a signer saw last.
VERIFICATIONS = 200
MILLI = 1e3
LOG_KEY, AUTHORIZATION_KEY, *WITNESSES = (
    Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32) for seed in range(1, 5)
)
NAMES = ("witness.example/first", "witness.example/second")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def measure_at_a_million(bundle: Bundle, *, trust: Trust) -> LargeLogCost:
    """Return what ``bundle``, which ``trust`` verifies, weighs and takes in a log of ENTRIES."""
    moved = _moved(bundle, trust)
    own = _trust(bundle, trust)
    grown = replace(moved, consistent_from=SEEN_BEFORE, consistency=_growth(moved))
    known = Checkpoint(
        origin=bundle.origin,
        size=SEEN_BEFORE,
        root=frontier_at(SEEN_BEFORE, _hashes(_leaves(moved))).root(),
    )
    data, seconds = encode(grown), []
    for _ in range(VERIFICATIONS):
        began = time.perf_counter()
        verify_bundle(data, trust=own, known=known)
        seconds.append(time.perf_counter() - began)
    return LargeLogCost(
        log_size=ENTRIES,
        witnesses=len(WITNESSES),
        bytes=len(encode(moved)),
        bytes_with_growth=len(data),
        verify_ms=MILLI * median(seconds),
    )


def _moved(bundle: Bundle, trust: Trust) -> Bundle:
    """Return ``bundle`` with its entries at their places, and everything signed under our keys."""
    claims = verify_bundle(bundle, trust=trust).authorization
    if claims is None:
        raise RuntimeError("what is weighed is a spend")
    kid = next(iter(trust.authorization_keys))
    signed = encode(replace(claims, index=DECIDED_AT))
    token = jws.sign(signed, kid=kid, typ=SPEND_TYPE, key=AUTHORIZATION_KEY)
    decision = replace(bundle.decision, index=DECIDED_AT)
    proofs = tuple(
        replace(proof, binding=replace(proof.binding, index=BOUND_AT + number))
        for number, proof in enumerate(bundle.proofs)
    )
    moved = replace(bundle, authorization=detached(token), decision=decision, proofs=proofs)
    hash_at = _hashes(_leaves(moved))

    def proved(one: Included) -> Included:
        return replace(one, path=b64url(b"".join(inclusion_proof(one.index, ENTRIES, hash_at))))

    note = sign_checkpoint(
        Checkpoint(origin=bundle.origin, size=ENTRIES, root=frontier_at(ENTRIES, hash_at).root()),
        key=LOG_KEY,
    )
    lines = tuple(
        cosign(note.text, name=name, key=key, at=NOW)
        for name, key in zip(NAMES, WITNESSES, strict=True)
    )
    cosigned = SignedNote(text=note.text, signatures=(*note.signatures, *lines))
    return replace(
        moved,
        decision=proved(decision),
        proofs=tuple(replace(proof, binding=proved(proof.binding)) for proof in proofs),
        checkpoint=cosigned.encode().decode("utf-8"),
    )


def _growth(bundle: Bundle) -> str:
    hash_at = _hashes(_leaves(bundle))
    return b64url(b"".join(consistency_proof(SEEN_BEFORE, ENTRIES, hash_at)))


def _leaves(bundle: Bundle) -> dict[int, bytes]:
    placed = (bundle.decision, *(proof.binding for proof in bundle.proofs))
    return {one.index: one.leaf.encode("utf-8") for one in placed}


def _hashes(leaves: dict[int, bytes]) -> Callable[[int, int], bytes]:
    """Return the hash of each full subtree (level, number) over ``leaves`` and the filler."""
    filler = [leaf_hash(b"filler")]

    def hash_at(level: int, number: int) -> bytes:
        while len(filler) <= level:
            filler.append(node_hash(filler[-1], filler[-1]))
        first, end = number << level, (number + 1) << level
        if not any(first <= index < end for index in leaves):
            return filler[level]
        if level == 0:
            return leaf_hash(leaves[number])
        return node_hash(hash_at(level - 1, 2 * number), hash_at(level - 1, 2 * number + 1))

    return hash_at


def _trust(bundle: Bundle, trust: Trust) -> Trust:
    witnesses = "".join(
        f"witness w{number} {verifier_key(name, key, KeyType.ED25519_COSIGNATURE)}\n"
        for number, (name, key) in enumerate(zip(NAMES, WITNESSES, strict=True), 1)
    )
    log = f"log {verifier_key(bundle.origin, LOG_KEY)} https://log.example/\n"
    kid = next(iter(trust.authorization_keys))
    public = b64url(AUTHORIZATION_KEY.public_key().public_bytes_raw())
    return replace(
        trust,
        log=f"{log}{witnesses}group both all w1 w2\nquorum both\n",
        authorization_keys={kid: public},
    )
