"""Device keys: the P-256 key that a session is bound to, and that does not leave its browser.

Always true (tests/unit/proofs/test_device_keys.py): one key has one form and one thumbprint; a
session proof holds for one session, one nonce and one payload; a private key is never taken in.

Source: Web Cryptography API, 23 (ECDSA: signatures r ‖ s); RFC 7517; RFC 7518, 6.2; RFC 7638.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from msgspec import Meta, Struct

from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.canonical import b64url, encode, from_b64url, tagged_hash
from twinlock.domain.errors import MalformedError, invariant
from twinlock.domain.ids import SessionId

NUMBER_BYTES = 32  # Of x, y, r and s on P-256.
NONCE_BYTES = 16  # At least.
_DIGEST_BYTES = 32
_Number = Annotated[str, Meta(min_length=43, max_length=43)]


class _Jwk(Struct, frozen=True, forbid_unknown_fields=True):
    """What ``crypto.subtle.exportKey("jwk", publicKey)`` gives. Unknown members, as ``d``, refuse.

    Prevents: a page that sends its private key along, and our keeping it.
    """

    crv: Literal["P-256"]
    kty: Literal["EC"]
    x: _Number
    y: _Number
    ext: bool = True
    key_ops: Annotated[list[Literal["verify"]], Meta(max_length=1)] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceKey:
    """A public key: a point on P-256, its coordinates 32 bytes each, big-endian."""

    x: bytes
    y: bytes

    def canonical(self) -> bytes:
        """Return the JWK's one form in bytes, which RFC 7638 hashes: crv, kty, x and y."""
        return encode({"crv": "P-256", "kty": "EC", "x": b64url(self.x), "y": b64url(self.y)})

    def thumbprint(self) -> str:
        """Return the RFC 7638 thumbprint: SHA-256 of ``canonical``, base64url."""
        return thumbprint_of(self.canonical())


def thumbprint_of(canonical: bytes) -> str:
    """Return the RFC 7638 thumbprint of the key whose ``canonical`` form this is."""
    return b64url(hashlib.sha256(canonical).digest())


def read_jwk(jwk: Mapping[str, object]) -> DeviceKey:
    """Return the key in ``jwk``, the object that a browser exports.

    Raises:
        ProofRefusedError: malformed (private or unknown members among them), key_invalid.
    """
    key = parse_jwk(jwk)
    _point(key)
    return key


def parse_jwk(jwk: Mapping[str, object]) -> DeviceKey:
    """Return the numbers in ``jwk``, for a signature whose check finds out if they are a point.

    Raises:
        ProofRefusedError: malformed (private or unknown members among them).
    """
    try:
        form = msgspec.convert(jwk, _Jwk)
        x = from_b64url(form.x, size=NUMBER_BYTES)
        y = from_b64url(form.y, size=NUMBER_BYTES)
    except (msgspec.ValidationError, MalformedError) as error:
        raise ProofRefusedError(ProofFault.MALFORMED) from error
    return DeviceKey(x=x, y=y)


def session_proof_message(session_id: SessionId, *, nonce: bytes, payload_digest: bytes) -> bytes:
    """Return the 32 bytes that a device signs to act in ``session_id``.

    The nonce is ours, random, at least 16 bytes and used once; the digest is that of the canonical
    payload, 32 bytes.
    """
    invariant(len(nonce) >= NONCE_BYTES, "a nonce has at least 16 bytes")
    invariant(len(payload_digest) == _DIGEST_BYTES, "a payload digest has 32 bytes")
    return tagged_hash("session-proof/v1", session_id.encode("ascii"), nonce, payload_digest)


def verify_device_signature(key: DeviceKey, signature: str, message: bytes) -> bytes:
    """Return ``message`` when ``key`` signed it; ``signature`` is r ‖ s, 64 bytes in base64url.

    Raises:
        ProofRefusedError: malformed, key_invalid, bad_signature.
    """
    try:
        raw = from_b64url(signature, size=2 * NUMBER_BYTES)
    except MalformedError as error:
        raise ProofRefusedError(ProofFault.MALFORMED) from error
    r = int.from_bytes(raw[:NUMBER_BYTES], "big")
    s = int.from_bytes(raw[NUMBER_BYTES:], "big")
    try:
        _point(key).verify(encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))
    except InvalidSignature as error:
        raise ProofRefusedError(ProofFault.BAD_SIGNATURE) from error
    return message


@lru_cache(maxsize=1024)  # A device signs often while it is used; some 200 bytes a key.
def _point(key: DeviceKey) -> ec.EllipticCurvePublicKey:
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + key.x + key.y)
    except ValueError as error:  # Off the curve, or a number not below the field's prime.
        raise ProofRefusedError(ProofFault.KEY_INVALID) from error
