"""What the two passkey ceremonies share: the site, the question, the person, the JSON around them.

Always true (tests/vectors/test_webauthn_malformed.py): what passes here was made on our one origin,
at its top level, for exactly this challenge, by a person whom the authenticator verified; hostile
bytes raise ``ProofRefusedError`` and nothing else.

Only ``clientDataJSON``, ``authenticatorData`` and the signature are believed. The rest of the JSON
is unsigned: a hint at most, and members that we do not know are passed over, as browsers add some.

Source: WebAuthn Level 3, 7.1 and 7.2, where they agree; requirements W-01 and W-02.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Annotated, Literal, NoReturn, TypeVar

import msgspec
from msgspec import Meta, Struct

from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.canonical import b64url, from_b64url
from twinlock.domain.errors import MalformedError, invariant

# Bytes. No authenticator comes near, except to the credential id, which the standard bounds.
MAX_CLIENT_DATA = 4096
MAX_AUTHENTICATOR_DATA = 2048
MAX_CREDENTIAL_ID = 1023  # WebAuthn Level 3, 4, "Credential ID"

CHALLENGE_BYTES = 32
_HEADER_BYTES = 37  # RP id hash 32 ‖ flags 1 ‖ sign count 4 (WebAuthn Level 3, 6.1)
_ORIGIN = re.compile(r"(?:https://(?P<host>[a-z0-9.-]+)|http://localhost)(?::[0-9]{1,5})?")
_T = TypeVar("_T")


class ClientDataType(StrEnum):
    """What the browser was asked to do, as it says in the client data."""

    CREATE = "webauthn.create"
    GET = "webauthn.get"


class Flag(IntEnum):
    """The bits of the flags; the two that are missing are reserved (WebAuthn Level 3, 6.1)."""

    USER_PRESENT = 0x01
    USER_VERIFIED = 0x04
    BACKUP_ELIGIBLE = 0x08
    BACKED_UP = 0x10
    ATTESTED = 0x40
    EXTENDED = 0x80


@dataclass(frozen=True, slots=True, kw_only=True)
class RelyingParty:
    """Where people prove: one host, one exact origin (``https://host`` or ``https://host:port``).

    The host is the RP id itself. Prevents: a sibling host that script of the platform runs on.
    """

    rp_id: str
    origin: str

    def __post_init__(self) -> None:
        found = _ORIGIN.fullmatch(self.origin)
        host = (found["host"] or "localhost") if found else None
        invariant(host == self.rp_id, "an origin is https:// and the RP id, or http://localhost")


class OlderSite(RelyingParty):
    """One origin of an older system, whose host may lie below its RP id.

    What is shown there lets its owner look and bind a successor, and consents to nothing.
    """

    def __post_init__(self) -> None:
        host = self.origin.removeprefix("https://").partition(":")[0]
        below = self.origin.startswith("https://") and f".{host}".endswith(f".{self.rp_id}")
        invariant(below, "an older site is https:// and a host below its RP id")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticatorData:
    """What the authenticator signed of itself (WebAuthn Level 3, 6.1). ``rest`` is unread."""

    rp_id_hash: bytes
    flags: int
    sign_count: int
    rest: bytes

    def has(self, flag: Flag) -> bool:
        """Say whether ``flag`` is set."""
        return bool(self.flags & flag)


def base64_of(size: int) -> Meta:
    """Return the limit on unpadded base64url of ``size`` bytes, so that no more is ever decoded."""
    return Meta(max_length=-(-size * 4 // 3))


class CredentialJson(Struct, rename="camel"):
    """What ``PublicKeyCredential.toJSON`` gives in both ceremonies."""

    id: Annotated[str, base64_of(MAX_CREDENTIAL_ID)]
    raw_id: Annotated[str, base64_of(MAX_CREDENTIAL_ID)]
    type: Literal["public-key"]


def refuse(fault: ProofFault) -> NoReturn:
    """Refuse the answer.

    Raises:
        ProofRefusedError: with ``fault``, always.
    """
    raise ProofRefusedError(fault)


def refuse_size(data: bytes, limit: int) -> None:
    """Refuse ``data`` of more than ``limit`` bytes.

    Raises:
        ProofRefusedError: malformed.
    """
    if len(data) > limit:
        refuse(ProofFault.MALFORMED)


def read_json(value: Mapping[str, object], form: type[_T]) -> _T:
    """Return ``value``, an object from outside, as a ``form``.

    Raises:
        ProofRefusedError: malformed.
    """
    try:
        return msgspec.convert(value, form)
    except msgspec.ValidationError as error:
        raise ProofRefusedError(ProofFault.MALFORMED) from error


def read_bytes(text: str) -> bytes:
    """Return the bytes of one member of the JSON, unpadded base64url.

    Raises:
        ProofRefusedError: malformed.
    """
    try:
        return from_b64url(text)
    except MalformedError as error:
        raise ProofRefusedError(ProofFault.MALFORMED) from error


def read_credential_id(credential: CredentialJson) -> bytes:
    """Return the credential id, which the JSON says twice.

    Raises:
        ProofRefusedError: malformed.
    """
    if credential.id != credential.raw_id or not credential.id:
        refuse(ProofFault.MALFORMED)
    return read_bytes(credential.raw_id)


def check_client_data(
    data: bytes, *, kind: ClientDataType, challenge: bytes, rp: RelyingParty
) -> bytes:
    """Return ``data`` when the browser wrote it on our site, for the 32-byte ``challenge``.

    Raises:
        ProofRefusedError: malformed, wrong_kind, wrong_challenge, wrong_origin, cross_origin.
    """
    invariant(len(challenge) == CHALLENGE_BYTES, "a challenge has 32 bytes")
    client = _client_data(data)
    if client.get("type") != kind:
        refuse(ProofFault.WRONG_KIND)
    if client.get("challenge") != b64url(challenge):
        refuse(ProofFault.WRONG_CHALLENGE)
    if client.get("origin") != rp.origin:
        refuse(ProofFault.WRONG_ORIGIN)
    # Prevents: a page that shows ours in a frame, and covers what the customer consents to.
    if client.get("crossOrigin", False) is not False or "topOrigin" in client:
        refuse(ProofFault.CROSS_ORIGIN)
    return data


def read_authenticator_data(data: bytes) -> AuthenticatorData:
    """Return the fixed parts of ``data``, and what follows them.

    Raises:
        ProofRefusedError: malformed, when it is shorter than those.
    """
    if len(data) < _HEADER_BYTES:
        refuse(ProofFault.MALFORMED)
    return AuthenticatorData(
        rp_id_hash=data[:32],
        flags=data[32],
        sign_count=int.from_bytes(data[33:_HEADER_BYTES], "big"),
        rest=data[_HEADER_BYTES:],
    )


def check_authenticator_data(data: AuthenticatorData, rp: RelyingParty) -> AuthenticatorData:
    """Return ``data`` when it was made for ``rp``, by a person there, with flags that agree.

    Raises:
        ProofRefusedError: wrong_rp, user_not_present, user_not_verified, backup_flags_changed.
    """
    if data.rp_id_hash != hashlib.sha256(rp.rp_id.encode("ascii")).digest():
        refuse(ProofFault.WRONG_RP)
    if not data.has(Flag.USER_PRESENT):
        refuse(ProofFault.USER_NOT_PRESENT)
    if not data.has(Flag.USER_VERIFIED):
        refuse(ProofFault.USER_NOT_VERIFIED)
    if data.has(Flag.BACKED_UP) and not data.has(Flag.BACKUP_ELIGIBLE):
        refuse(ProofFault.BACKUP_FLAGS_CHANGED)
    return data


def _client_data(data: bytes) -> dict[str, object]:
    try:
        client = json.loads(data.decode("utf-8"), object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError) as error:
        raise ProofRefusedError(ProofFault.MALFORMED) from error
    if not isinstance(client, dict):
        refuse(ProofFault.MALFORMED)
    return client


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Prevents: two readers of one text who each believe another of two equal keys."""
    found = dict(pairs)
    if len(found) != len(pairs):
        refuse(ProofFault.MALFORMED)
    return found
