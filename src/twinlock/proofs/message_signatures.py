"""The Ed25519 half of message signatures: what ``domain.message_signatures`` leaves out.

Always true (tests/vectors/test_message_signature_vectors.py): a public key that is taken in is no
point of a small order, and in its one form, so that no signature fits every message.

Source: RFC 9421, 3.3.6; RFC 8032, 5.1.3 and 5.1.7.
"""

from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from twinlock.domain.canonical import from_b64url
from twinlock.domain.errors import MalformedError, TwinlockError
from twinlock.domain.message_signatures import (
    RequestMessage,
    SignatureFault,
    SignatureRefusedError,
    Unverified,
    read_request,
)

PUBLIC_KEY_BYTES = 32
PEM_CHARACTERS_MOST = 1_024  # An Ed25519 public key has 113.
_PRIME = 2**255 - 19
_SIGN = 1 << 255
# The y of the points of order 1, 2, 4 and 8. Whoever signs with such a key signs for everybody.
_SMALL_ORDER = frozenset(
    {
        0,
        1,
        _PRIME - 1,
        2707385501144840649318225287225658788936804267575313519463743609750303402022,
        _PRIME - 2707385501144840649318225287225658788936804267575313519463743609750303402022,
    }
)


class SigningKeyWrongError(TwinlockError):
    """Not an Ed25519 public key: 32 bytes in base64url, or a PEM file's PUBLIC KEY."""

    code = "signing_key_wrong"
    status = 422


def read_public_key(text: str) -> bytes:
    """Return the 32 bytes of an Ed25519 public key, from base64url or PEM.

    Raises:
        SigningKeyWrongError: it is none, or one for which anybody can sign.
    """
    try:
        data = _from_pem(text) if text.lstrip().startswith("-----") else from_b64url(text)
    except (MalformedError, ValueError) as error:
        raise SigningKeyWrongError("not a public key") from error
    if len(data) != PUBLIC_KEY_BYTES:
        raise SigningKeyWrongError(f"an Ed25519 public key has {PUBLIC_KEY_BYTES} bytes")
    y = int.from_bytes(data, "little") & (_SIGN - 1)
    if y >= _PRIME or y in _SMALL_ORDER:
        raise SigningKeyWrongError("a key for which anybody can sign, or not in its one form")
    return data


def _from_pem(text: str) -> bytes:
    if len(text) > PEM_CHARACTERS_MOST:
        raise SigningKeyWrongError("too long for a public key")
    key = load_pem_public_key(text.encode("ascii"))
    if not isinstance(key, Ed25519PublicKey):
        raise SigningKeyWrongError("a public key of another kind than Ed25519")
    return key.public_bytes_raw()


def verify_request(
    message: RequestMessage, *, public_key: bytes, keyid: str, now: datetime
) -> Unverified:
    """Return the signature of ``message`` once it verifies under ``public_key``.

    Whether its nonce is new is asked afterwards: only who holds the key can use one up.

    Raises:
        SignatureRefusedError: as its faults say.
    """
    signed = read_request(message, keyid=keyid, now=now)
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signed.signature, signed.base)
    except InvalidSignature as error:
        raise SignatureRefusedError(
            "the signature is not over what was received", fault=SignatureFault.WRONG
        ) from error
    return signed
