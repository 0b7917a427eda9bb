"""Passkeys' public keys: three kinds of COSE key, each in the one form WebAuthn lets it have.

Always true (tests/unit/proofs/test_cose.py): a key that is accepted is re-encoded to the same
bytes, so two different strings of bytes are never one key; a key under which signatures can be
made without the private key is refused.

No CBOR is decoded here. The spec fixes every byte but the numbers themselves: only the required
parameters, in CTAP2's canonical form. So the bytes are compared with what they must be, and
whatever a decoder would have tolerated (other orders, long forms, doubled keys) is refused.

Source: WebAuthn Level 3, 5.8.5 and 6.5.1; RFC 9053, 7; RFC 8230, 4; CTAP 2.1, 8.
"""

from typing import TypeAlias, assert_never

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError

PublicKey: TypeAlias = EllipticCurvePublicKey | Ed25519PublicKey | RSAPublicKey

ALGORITHMS = (-7, -8, -257)  # ES256, EdDSA, RS256: what to offer a new passkey, in this order.

# The map {1: 2 (EC2), 3: -7 (ES256), -1: 1 (P-256), -2: x, -3: y}; x and y are 32 bytes each.
_ES256_X, _ES256_Y, _ES256_SIZE = bytes.fromhex("a5010203262001215820"), b"\x22\x58\x20", 77
# The map {1: 1 (OKP), 3: -8 (EdDSA), -1: 6 (Ed25519), -2: x}; x is 32 bytes.
_EDDSA_X, _EDDSA_SIZE = bytes.fromhex("a4010103272006215820"), 42
# The map {1: 3 (RSA), 3: -257 (RS256), -1: n, -2: 65537}; n has two bytes of length.
_RS256_N, _RS256_E = bytes.fromhex("a401030339010020" + "59"), bytes.fromhex("2143" + "010001")
_RSA_EXPONENT = 65537
_RSA_BITS = range(2048, 4096 + 1)  # SP 800-131A: at least; above, verifying costs us too much.

# The points of Ed25519 whose order divides 8, and their second spellings, without the sign bit.
# Prevents: binding such a "key", under which one signature verifies for many or all messages.
_SMALL_ORDER = frozenset(
    bytes.fromhex(point)
    for point in (
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    )
)


def split(data: bytes) -> tuple[bytes, bytes]:
    """Return the COSE key that ``data`` begins with, and what follows it.

    Raises:
        ProofRefusedError: algorithm_not_allowed.
    """
    if data.startswith(_ES256_X):
        size = _ES256_SIZE
    elif data.startswith(_EDDSA_X):
        size = _EDDSA_SIZE
    elif data.startswith(_RS256_N):
        numbers = len(_RS256_N) + 2
        size = numbers + int.from_bytes(data[len(_RS256_N) : numbers], "big") + len(_RS256_E)
    else:
        raise ProofRefusedError(ProofFault.ALGORITHM_NOT_ALLOWED)
    return data[:size], data[size:]


def load(key: bytes) -> PublicKey:
    """Return the public key in the COSE bytes ``key``.

    Raises:
        ProofRefusedError: algorithm_not_allowed, key_invalid.
    """
    if key.startswith(_ES256_X):
        return _load_es256(key)
    if key.startswith(_EDDSA_X):
        return _load_eddsa(key)
    if key.startswith(_RS256_N):
        return _load_rs256(key)
    raise ProofRefusedError(ProofFault.ALGORITHM_NOT_ALLOWED)


def verify(key: PublicKey, signature: bytes, data: bytes) -> bytes:
    """Return ``data`` when ``key`` signed it: DER for ES256, 64 bytes for EdDSA, PKCS #1 for RS256.

    Raises:
        ProofRefusedError: bad_signature.
    """
    try:
        match key:
            case EllipticCurvePublicKey():
                key.verify(signature, data, ec.ECDSA(SHA256()))
            case Ed25519PublicKey():
                key.verify(signature, data)
            case RSAPublicKey():
                key.verify(signature, data, padding.PKCS1v15(), SHA256())
            case _:
                assert_never(key)
    except InvalidSignature as error:
        raise ProofRefusedError(ProofFault.BAD_SIGNATURE) from error
    return data


def _load_es256(key: bytes) -> EllipticCurvePublicKey:
    x_end = len(_ES256_X) + 32
    y_start = x_end + len(_ES256_Y)
    if len(key) != _ES256_SIZE or key[x_end:y_start] != _ES256_Y:
        raise ProofRefusedError(ProofFault.ALGORITHM_NOT_ALLOWED)
    uncompressed = b"\x04" + key[len(_ES256_X) : x_end] + key[y_start:]
    try:
        return EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), uncompressed)
    except ValueError as error:  # Off the curve, or a number not below the field's prime.
        raise ProofRefusedError(ProofFault.KEY_INVALID) from error


def _load_eddsa(key: bytes) -> Ed25519PublicKey:
    if len(key) != _EDDSA_SIZE:
        raise ProofRefusedError(ProofFault.ALGORITHM_NOT_ALLOWED)
    return ed25519(key[len(_EDDSA_X) :])


def ed25519(point: bytes) -> Ed25519PublicKey:
    """Return the Ed25519 key in its 32 bytes, outside COSE.

    Raises:
        ProofRefusedError: key_invalid.
    """
    if point[:31] + bytes([point[31] & 0x7F]) in _SMALL_ORDER:
        raise ProofRefusedError(ProofFault.KEY_INVALID)
    return Ed25519PublicKey.from_public_bytes(point)


def _load_rs256(key: bytes) -> RSAPublicKey:
    if split(key) != (key, b"") or not key.endswith(_RS256_E):
        raise ProofRefusedError(ProofFault.ALGORITHM_NOT_ALLOWED)
    digits = key[len(_RS256_N) + 2 : -len(_RS256_E)]
    modulus = int.from_bytes(digits, "big")
    shortest = len(digits) * 8 - modulus.bit_length() < 8  # noqa: PLR2004 - bits of a byte
    if modulus.bit_length() not in _RSA_BITS or not shortest or modulus % 2 == 0:
        raise ProofRefusedError(ProofFault.KEY_INVALID)
    return rsa.RSAPublicNumbers(_RSA_EXPONENT, modulus).public_key()
