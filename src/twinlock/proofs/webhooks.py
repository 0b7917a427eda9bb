"""Signatures of messages to platforms, by Standard Webhooks.

Each secret in force signs twice, symmetrically (``v1``) and asymmetrically (``v1a``): a receiver
takes the first one that fits, so a secret can change without a message lost.

Source: Standard Webhooks 1.0.0, "Signature scheme".
"""

import binascii
import hmac
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from twinlock.domain.canonical import b64url, from_b64url
from twinlock.domain.errors import TwinlockError, invariant
from twinlock.domain.webhooks.endpoints import Secret
from twinlock.domain.webhooks.outcomes import Message

SECRET_BYTES = 32  # The standard asks for 24 to 64.
NEW_SECRET_BYTES = 2 * SECRET_BYTES
TOLERANCE = timedelta(minutes=5)  # Of a message to us: what the standard's own libraries take.
SIGNATURES_MOST = 8  # Read in one header: secrets of a rotation, of both kinds.


def new_secret(random: bytes) -> Secret:
    """Return a new secret from 64 random bytes."""
    invariant(len(random) == NEW_SECRET_BYTES, "a secret takes 64 random bytes")
    return Secret(key=b64url(random[:SECRET_BYTES]), seed=b64url(random[SECRET_BYTES:]))


def shown_secret(secret: Secret) -> str:
    """Return the symmetric secret as receivers take it."""
    return f"whsec_{_base64(from_b64url(secret.key, size=SECRET_BYTES))}"


def shown_public(secret: Secret) -> str:
    """Return the public key as receivers take it."""
    return f"whpk_{_base64(_signer(secret).public_key().public_bytes_raw())}"


def headers(message: Message, secrets: Iterable[Secret], *, timestamp: int) -> dict[str, str]:
    """Return the three headers of ``message``; ``timestamp`` is in POSIX seconds."""
    signed = f"{message.message_id}.{timestamp}.".encode("ascii") + message.body
    return {
        "webhook-id": message.message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(one for secret in secrets for one in _sign(secret, signed)),
    }


class WebhookSignatureError(TwinlockError):
    """The message is not signed by its endpoint, or not just now."""

    code = "webhook_signature_refused"
    status = 401


class SignedHeaders(NamedTuple):
    """The three headers of a signed message, as they came."""

    message_id: str
    timestamp: str
    signature: str


def check(signed: SignedHeaders, body: bytes, secrets: Iterable[Secret], *, now: datetime) -> None:
    """Check that ``body`` was signed with one of ``secrets``, at about ``now``.

    Raises:
        WebhookSignatureError: it was not.
    """
    seconds = re.fullmatch(r"[0-9]{1,12}", signed.timestamp)
    id_ok = re.fullmatch(r"[!-~]{1,128}", signed.message_id)
    if seconds is None or id_ok is None:
        raise WebhookSignatureError("no signature of Standard Webhooks")
    if abs(int(signed.timestamp) - now.timestamp()) > TOLERANCE.total_seconds():
        raise WebhookSignatureError("signed too long ago, or ahead of time")
    data = f"{signed.message_id}.{signed.timestamp}.".encode("ascii") + body
    given = signed.signature.encode("latin-1", "replace").split(b" ")[:SIGNATURES_MOST]
    for secret in secrets:
        right, _ = _sign(secret, data)
        if any(hmac.compare_digest(right.encode("ascii"), one) for one in given):
            return
    raise WebhookSignatureError("not signed with a secret of this webhook")


def _sign(secret: Secret, signed: bytes) -> tuple[str, str]:
    mac = hmac.digest(from_b64url(secret.key, size=SECRET_BYTES), signed, "sha256")
    return f"v1,{_base64(mac)}", f"v1a,{_base64(_signer(secret).sign(signed))}"


def _signer(secret: Secret) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(from_b64url(secret.seed, size=SECRET_BYTES))


def _base64(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode("ascii")
