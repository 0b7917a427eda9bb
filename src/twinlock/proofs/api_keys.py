"""API keys' signatures: Ed25519 over one proposed action.

Always true (tests/unit/proofs/test_api_keys.py): a signature holds for one action and its one
payload, which names the account; a key under which anybody can sign is refused.

Source: RFC 8032, 5.1 (Ed25519); docs/api.md, "API keys".
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from twinlock.domain.account import Account, OpenAction
from twinlock.domain.api_keys import key_named, message, normal_ip
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.canonical import encode, from_b64url
from twinlock.domain.commands import Right
from twinlock.domain.errors import MalformedError
from twinlock.proofs.cose import PublicKey, ed25519, verify

KEY_BYTES = 32
SIGNATURE_BYTES = 64


class KeySignature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an API key answers with: both in base64url, of 32 and 64 bytes."""

    public_key: Annotated[str, Meta(min_length=43, max_length=43)]
    signature: Annotated[str, Meta(min_length=86, max_length=86)]


def read_signature(response: dict[str, Any] | None) -> KeySignature:
    """Return the signature in an answer.

    Raises:
        ProofRefusedError: malformed.
    """
    try:
        return msgspec.convert(response, KeySignature)
    except msgspec.ValidationError as error:
        raise ProofRefusedError(ProofFault.MALFORMED) from error


def read_public_key(text: str) -> PublicKey:
    """Return the Ed25519 key in ``text``, base64url of 32 bytes.

    Raises:
        ProofRefusedError: malformed, key_invalid.
    """
    return ed25519(_bytes(text, size=KEY_BYTES))


def check_answer(
    account: Account, action: OpenAction, response: dict[str, Any] | None, *, ip: str
) -> Right:
    """Return the answer that an API key of ``account`` signed for ``action``.

    ``ip`` is where it was used from, by the platform's word; "" where it told none.

    Raises:
        MalformedError: ``ip`` is no address.
        ProofRefusedError: malformed, authenticator_gone, key_invalid, bad_signature.
    """
    signed = read_signature(response)
    found = key_named(account, signed.public_key)
    if found is None:
        raise ProofRefusedError(ProofFault.AUTHENTICATOR_GONE)
    check_signature(signed, message(action.action_id, digest=action.digest))
    shown = {"action": action.action_id, **msgspec.to_builtins(signed)}
    return Right(
        factor=Factor.API_KEY,
        source=found.key.api_key_id,
        against=signed.public_key,
        evidence=encode(shown),
        ip=normal_ip(ip) if ip else "",
    )


def check_signature(signed: KeySignature, expected: bytes) -> KeySignature:
    """Return ``signed`` when its key signed the message ``expected``.

    Raises:
        ProofRefusedError: malformed, key_invalid, bad_signature.
    """
    key = read_public_key(signed.public_key)
    verify(key, _bytes(signed.signature, size=SIGNATURE_BYTES), expected)
    return signed


def _bytes(text: str, *, size: int) -> bytes:
    try:
        return from_b64url(text, size=size)
    except MalformedError as error:
        raise ProofRefusedError(ProofFault.MALFORMED) from error
