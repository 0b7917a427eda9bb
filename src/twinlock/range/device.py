"""A person's other devices, in software: the key of a browser session, and a TOTP app.

Both answer as honest ones do. They keep their secrets in memory and are for demos, stories and
tests only.
"""

from datetime import datetime
from typing import cast

import pyotp
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from twinlock.domain.canonical import b64url
from twinlock.domain.errors import invariant
from twinlock.domain.ids import SessionId
from twinlock.proofs.device_keys import NUMBER_BYTES, session_proof_message
from twinlock.range.keys import p256_key


class SoftwareDevice:
    """A browser that keeps one session key, as ``crypto.subtle`` would. 32 bytes make the key."""

    def __init__(self, entropy: bytes) -> None:
        self._key = p256_key(entropy, use="session")

    def jwk(self) -> dict[str, object]:
        """Return the public key as ``exportKey("jwk")`` does."""
        numbers = self._key.public_key().public_numbers()
        return {
            "crv": "P-256",
            "ext": True,
            "key_ops": ["verify"],
            "kty": "EC",
            "x": b64url(numbers.x.to_bytes(NUMBER_BYTES, "big")),
            "y": b64url(numbers.y.to_bytes(NUMBER_BYTES, "big")),
        }

    def sign(self, message: bytes) -> str:
        """Return r ‖ s in base64url, the same each time (RFC 6979)."""
        der = self._key.sign(message, ec.ECDSA(SHA256(), deterministic_signing=True))
        r, s = decode_dss_signature(der)
        return b64url(r.to_bytes(NUMBER_BYTES, "big") + s.to_bytes(NUMBER_BYTES, "big"))

    def prove(self, session_id: SessionId, *, nonce: bytes, payload_digest: bytes) -> str:
        """Return the session proof for one request."""
        return self.sign(
            session_proof_message(session_id, nonce=nonce, payload_digest=payload_digest)
        )


class TotpApp:
    """An authenticator app that scanned ``uri``; it is pyotp's, so not our own arithmetic."""

    def __init__(self, uri: str) -> None:
        otp = pyotp.parse_uri(uri)
        invariant(isinstance(otp, pyotp.TOTP), "the URI is of kind totp")
        self._otp = cast("pyotp.TOTP", otp)

    def code(self, now: datetime) -> str:
        """Return the six digits shown at ``now`` (UTC)."""
        return self._otp.at(now)
