"""Signed statements of ours: compact JWS with Ed25519, in exactly one form.

Always true (tests/unit/proofs/test_jws.py): a token that verifies is, byte for byte, what ``sign``
writes for its claims, key and type; so no header can be added, dropped or reordered, no other
algorithm chosen, and one kind of statement never passes for another.

The claims come back as the bytes that were signed, for ``canonical.decode``: hash those, never a
second encoding.

Source: RFC 7515, 7.1; RFC 8725, 3 (explicit types, one algorithm); RFC 9864 (``Ed25519``).
"""

import re
from collections.abc import Mapping
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from twinlock.domain.canonical import b64url, encode, from_b64url
from twinlock.domain.errors import JwsRefusedError, MalformedError, invariant

MAX_TOKEN = 16384  # Characters. An authorization has about 2,000.
_SIGNATURE_BYTES = 64
_KID = re.compile(r"[A-Za-z0-9._:/+-]{1,128}")


class Ed25519Signer(Protocol):
    """Whatever signs by Ed25519: a private key, or what holds one."""

    def sign(self, data: bytes, /) -> bytes:
        """Return the signature: 64 bytes."""
        ...


def sign(claims: bytes, *, kid: str, typ: str, key: Ed25519Signer) -> str:
    """Return the token over ``claims``, canonical JSON; the same one each time."""
    invariant(_KID.fullmatch(kid) is not None, "a key id is 1 to 128 plain characters")
    signed = _signed(_header(kid, typ), b64url(claims))
    token = f"{signed}.{b64url(key.sign(signed.encode('ascii')))}"
    invariant(len(token) <= MAX_TOKEN, "a token is within its limit")
    return token


def verify(token: str, *, keys: Mapping[str, Ed25519PublicKey], typ: str) -> bytes:
    """Return the claims of ``token`` as they were signed, by a key in ``keys``, as a ``typ``.

    No header is parsed: it must be the one that ``sign`` writes for a trusted key and this type.

    Raises:
        JwsRefusedError: too large, not three parts, an unknown key, another type, other headers or
            another order of them, base64url in another form, a signature that does not verify.
    """
    if len(token) > MAX_TOKEN:
        raise JwsRefusedError("the token is too large")
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 - RFC 7515, 7.1
        raise JwsRefusedError("a token has three parts")
    header, payload, signature = parts
    key = next((key for kid, key in keys.items() if header == _header(kid, typ)), None)
    if key is None:
        raise JwsRefusedError("the header names no key that is trusted for this type")
    try:
        claims = from_b64url(payload)
        key.verify(
            from_b64url(signature, size=_SIGNATURE_BYTES), _signed(header, payload).encode("ascii")
        )
    except MalformedError as error:
        raise JwsRefusedError("the token is malformed") from error
    except InvalidSignature as error:
        raise JwsRefusedError("the signature does not verify") from error
    return claims


def _header(kid: str, typ: str) -> str:
    return b64url(encode({"alg": "Ed25519", "kid": kid, "typ": typ}))


def _signed(header: str, payload: str) -> str:
    return f"{header}.{payload}"
