"""The challenge that an authenticator signs: a hash over a nonce and the exact payload.

Always true (tests/unit/proofs/test_intents.py): two different payloads, or the same payload asked
twice with two nonces, never have one challenge. So a signature is consent to this payload, now,
and to nothing else.

Source: docs/log-format.md, "Consent"; ASVS 5.0.0, V6.7.2 (at least 64 bits, unique).
"""

from twinlock.domain.canonical import tagged_hash
from twinlock.domain.errors import invariant

NONCE_BYTES = 16  # At least. 128 bits: nobody guesses one, and no two are ever drawn alike.


def challenge(nonce: bytes, payload: bytes) -> bytes:
    """Return the 32 bytes to be signed for ``payload``, its canonical bytes, asked with ``nonce``.

    The nonce is random, at least 16 bytes, and never used twice.
    """
    invariant(len(nonce) >= NONCE_BYTES, "a nonce has at least 16 bytes")
    return tagged_hash("intent/v1", nonce, payload)
