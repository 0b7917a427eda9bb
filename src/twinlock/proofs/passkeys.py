"""Passkeys: new ones, checked as WebAuthn tells a relying party to; their use is re-exported.

Always true (tests/unit/proofs/test_passkeys.py, tests/vectors/test_webauthn_*.py): the key that is
bound was made for our site and this challenge, by a person whom the authenticator verified; it is
one of the three kinds that ``cose`` knows. Who made the authenticator is proved by nobody: no
attestation is asked for, and one that comes must hold but earns no trust.

Source: WebAuthn Level 3, 7.1, in its order; py_webauthn judges attestation statements.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from msgspec import Meta, Struct, field
from webauthn import verify_registration_response
from webauthn.helpers import encode_cbor, parse_cbor
from webauthn.helpers.structs import AuthenticatorAttestationResponse, RegistrationCredential

from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.canonical import b64url
from twinlock.proofs import cose
from twinlock.proofs.assertions import (
    Assertion,
    CheckedAssertion,
    KnownPasskey,
    check_assertion,
    check_on_sites,
    read_assertion,
    verify_assertion,
)
from twinlock.proofs.ceremonies import (
    MAX_AUTHENTICATOR_DATA,
    MAX_CLIENT_DATA,
    MAX_CREDENTIAL_ID,
    AuthenticatorData,
    ClientDataType,
    CredentialJson,
    Flag,
    OlderSite,
    RelyingParty,
    base64_of,
    check_authenticator_data,
    check_client_data,
    read_authenticator_data,
    read_bytes,
    read_credential_id,
    read_json,
    refuse,
    refuse_size,
)

__all__ = [
    "Assertion",
    "Attachment",
    "BoundPasskey",
    "CheckedAssertion",
    "KnownPasskey",
    "OlderSite",
    "RelyingParty",
    "check_assertion",
    "check_on_sites",
    "read_assertion",
    "verify_assertion",
    "verify_registration",
]

MAX_ATTESTATION = 16384  # Bytes. A chain of certificates stands in it.
MAX_TRANSPORTS = 16  # Six are defined.
TRANSPORTS = frozenset({"usb", "nfc", "ble", "smart-card", "hybrid", "internal"})


class Attachment(StrEnum):
    """Where the browser says the authenticator sat. Unsigned: a hint for people, never a root."""

    PLATFORM = "platform"
    CROSS_PLATFORM = "cross-platform"


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundPasskey(KnownPasskey):
    """A new credential. ``aaguid``, ``transports`` and ``attachment`` are claims, proved by nobody.

    ``aaguid`` is a UUID in text; ``transports`` is sorted and holds known ones only.
    """

    backed_up: bool
    aaguid: str
    transports: tuple[str, ...]
    attachment: Attachment | None


class _Response(Struct, rename="camel"):
    client_data: Annotated[str, base64_of(MAX_CLIENT_DATA)] = field(name="clientDataJSON")
    attestation_object: Annotated[str, base64_of(MAX_ATTESTATION)]
    transports: Annotated[list[str], Meta(max_length=MAX_TRANSPORTS)] = []


class _Created(CredentialJson, rename="camel", kw_only=True):
    response: _Response
    authenticator_attachment: str | None = None


def verify_registration(
    credential: Mapping[str, object], *, challenge: bytes, rp: RelyingParty
) -> BoundPasskey:
    """Return the new passkey in ``credential``, the JSON object of ``PublicKeyCredential.toJSON``.

    Raises:
        ProofRefusedError: with the first fault found.
    """
    created = read_json(credential, _Created)
    credential_id = read_credential_id(created)
    client_data = check_client_data(
        read_bytes(created.response.client_data),
        kind=ClientDataType.CREATE,
        challenge=challenge,
        rp=rp,
    )
    attestation = read_bytes(created.response.attestation_object)
    statement = _attestation_object(attestation)
    data = check_authenticator_data(read_authenticator_data(statement["authData"]), rp)
    aaguid, attested_id, key = _attested_credential(data)
    if attested_id != credential_id:
        refuse(ProofFault.WRONG_CREDENTIAL)
    cose.load(key)
    if statement["fmt"] != "none":
        _check_attestation(credential_id, client_data, attestation, challenge, rp)
    elif statement["attStmt"] != {}:
        refuse(ProofFault.ATTESTATION_REFUSED)
    return BoundPasskey(
        credential_id=credential_id,
        public_key=key,
        backup_eligible=data.has(Flag.BACKUP_ELIGIBLE),
        backed_up=data.has(Flag.BACKED_UP),
        sign_count=data.sign_count,
        aaguid=str(uuid.UUID(bytes=aaguid)),
        transports=tuple(sorted(TRANSPORTS.intersection(created.response.transports))),
        attachment=_attachment(created.authenticator_attachment),
    )


def _attachment(value: str | None) -> Attachment | None:
    return Attachment(value) if value in list(Attachment) else None


def _attestation_object(data: bytes) -> dict[str, Any]:
    """Return the map of ``fmt``, ``attStmt`` and ``authData``; nothing else, before or behind it.

    Encoding it again must give the same bytes: the decoder ignores what follows a first value, and
    takes long forms that WebAuthn (2.4) forbids.
    """
    try:
        value = parse_cbor(data)
        exact = encode_cbor(value) == data
    except Exception as error:  # A parser of hostile bytes: refused.
        raise ProofRefusedError(ProofFault.MALFORMED) from error
    if not exact or not isinstance(value, dict) or set(value) != {"fmt", "attStmt", "authData"}:
        refuse(ProofFault.MALFORMED)
    if type(value["fmt"]) is not str or type(value["authData"]) is not bytes:
        refuse(ProofFault.MALFORMED)
    refuse_size(value["authData"], MAX_AUTHENTICATOR_DATA)
    return value


def _attested_credential(data: AuthenticatorData) -> tuple[bytes, bytes, bytes]:
    """Return AAGUID (16 bytes), credential id and COSE key (WebAuthn Level 3, 6.5.1)."""
    if not data.has(Flag.ATTESTED):
        refuse(ProofFault.MALFORMED)
    size = int.from_bytes(data.rest[16:18], "big")
    id_end = 18 + size
    if not 0 < size <= MAX_CREDENTIAL_ID or len(data.rest) < id_end:
        refuse(ProofFault.MALFORMED)
    key, extensions = cose.split(data.rest[id_end:])
    if data.has(Flag.EXTENDED) is not bool(extensions):
        refuse(ProofFault.MALFORMED)
    return data.rest[:16], data.rest[18:id_end], key


def _check_attestation(
    credential_id: bytes,
    client_data: bytes,
    attestation: bytes,
    challenge: bytes,
    rp: RelyingParty,
) -> None:
    """Have py_webauthn read the whole registration again, and judge the attestation statement.

    No roots are passed. Formats whose roots the library carries (Apple, Android) are judged by its
    own roots and clock; that can refuse, and adds no trust here.
    """
    registration = RegistrationCredential(
        id=b64url(credential_id),
        raw_id=credential_id,
        response=AuthenticatorAttestationResponse(
            client_data_json=client_data, attestation_object=attestation
        ),
    )
    try:
        verify_registration_response(
            credential=registration,
            expected_challenge=challenge,
            expected_rp_id=rp.rp_id,
            expected_origin=rp.origin,
            require_user_verification=True,
        )
    except Exception as error:  # A parser of hostile bytes: refused.
        raise ProofRefusedError(ProofFault.ATTESTATION_REFUSED) from error
