"""Private keys of devices in software, made from bytes that the caller drew.

The same bytes and use give the same key, so that a story can be played again to the last byte.
"""

import hashlib

from cryptography.hazmat.primitives.asymmetric import ec

from twinlock.domain.errors import invariant

ENTROPY_BYTES = 32
# The number of points on P-256: private keys lie below it (SEC 2, 2.4.2).
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def p256_key(entropy: bytes, *, use: str) -> ec.EllipticCurvePrivateKey:
    """Return the key that 32 random bytes give for ``use``."""
    invariant(len(entropy) == ENTROPY_BYTES, "a key takes 32 random bytes")
    seed = hashlib.sha512(use.encode("ascii") + b"\0" + entropy).digest()
    return ec.derive_private_key(int.from_bytes(seed, "big") % (_ORDER - 1) + 1, ec.SECP256R1())
