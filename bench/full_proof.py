"""How long a full proof takes to verify: a C2SP tlog-proof of one entry in a log of a million.

usage: python -m bench.full_proof [--rounds N]

From its bytes: it is parsed, the log's signature and two witnesses' cosignatures are verified, and
the path of twenty hashes. Its floor, timed in turn with it, are three bare Ed25519 verifications.
Beside it stands the same without witnesses, with one signature to verify.
"""

import argparse
import statistics
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.large_log import ENTRIES, LOG_KEY, NAMES, NOW, WITNESSES
from twinlock.domain.log.checkpoint import Checkpoint
from twinlock.domain.log.merkle import frontier_at, inclusion_proof, leaf_hash, node_hash
from twinlock.domain.log.note import KeyType, SignedNote
from twinlock.domain.log.proof import TlogProof
from twinlock.domain.log.trust import parse_trust_policy
from twinlock.proofs.notes import (
    cosign,
    sign_checkpoint,
    verifier_key,
    verify_inclusion_in_checkpoint,
)

TIMES = 200  # Of each in one round.
ORIGIN = "log.example/full-proof"
ENTRY = b"an entry"
INDEX = ENTRIES // 3


def full_proof(*, witnesses: int) -> bytes:
    """Return the proof that ENTRY stands at INDEX in a log of ENTRIES whose others are alike."""
    filler = [leaf_hash(b"filler")]
    for _ in range(ENTRIES.bit_length()):
        filler.append(node_hash(filler[-1], filler[-1]))

    def hash_at(level: int, number: int) -> bytes:
        if not number << level <= INDEX < (number + 1) << level:
            return filler[level]
        if level == 0:
            return leaf_hash(ENTRY)
        return node_hash(hash_at(level - 1, 2 * number), hash_at(level - 1, 2 * number + 1))

    root = frontier_at(ENTRIES, hash_at).root()
    note = sign_checkpoint(Checkpoint(origin=ORIGIN, size=ENTRIES, root=root), key=LOG_KEY)
    lines = tuple(
        cosign(note.text, name=name, key=key, at=NOW)
        for name, key in zip(NAMES[:witnesses], WITNESSES[:witnesses], strict=True)
    )
    return TlogProof(
        index=INDEX,
        hashes=tuple(inclusion_proof(INDEX, ENTRIES, hash_at)),
        checkpoint=SignedNote(text=note.text, signatures=(*note.signatures, *lines)),
    ).encode()


def works() -> dict[str, Callable[[], object]]:
    """Return what is timed, by name: the floor first."""
    key, message = Ed25519PrivateKey.generate(), b"x" * 128
    public, signature = key.public_key(), key.sign(message)

    def floor() -> None:
        for _ in range(1 + len(WITNESSES)):
            public.verify(signature, message)

    return {
        "three bare verifications": floor,
        "the full proof": verifying(witnesses=len(WITNESSES)),
        "without witnesses": verifying(witnesses=0),
    }


def verifying(*, witnesses: int) -> Callable[[], object]:
    """Return what verifies a proof that so many witnesses cosigned, of which all are needed."""
    lines = "".join(
        f"witness w{number} {verifier_key(name, key, KeyType.ED25519_COSIGNATURE)}\n"
        for number, (name, key) in enumerate(zip(NAMES, WITNESSES, strict=True), 1)
    )
    quorum = "group both all w1 w2\nquorum both\n" if witnesses else "quorum none\n"
    log = f"log {verifier_key(ORIGIN, LOG_KEY)} https://log.example/\n"
    policy = parse_trust_policy(f"{log}{lines}{quorum}".encode())
    proof = full_proof(witnesses=witnesses)
    return lambda: verify_inclusion_in_checkpoint(ENTRY, proof, policy, origin=ORIGIN)


def main() -> None:
    """Time both in turn, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=21)
    rounds = parser.parse_args().rounds
    timed = works()
    taken: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(rounds):
        for name, work in timed.items():
            begun = time.perf_counter()
            for _ in range(TIMES):
                work()
            taken[name].append((time.perf_counter() - begun) / TIMES * 1e6)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    floor = next(iter(medians.values()))
    for name, median in medians.items():
        print(f"{name:<26}{median:8.1f} µs{median / floor:8.2f} of the floor")


if __name__ == "__main__":
    main()
