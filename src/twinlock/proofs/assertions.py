"""Assertions: what a bound passkey signed, checked as WebAuthn tells a relying party to.

Always true (tests/unit/proofs/test_passkeys.py, tests/vectors/test_webauthn_*.py):

* what is accepted was signed by the credential that was asked, for exactly this challenge, on our
  one origin, by a person whom the authenticator verified;
* a credential that could not be backed up never becomes one that can.

A wallet signer may import this module alone: nothing here decodes CBOR or reads a certificate.

Source: WebAuthn Level 3, 7.2, in its order; requirements W-01 and W-02.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from msgspec import Struct, field

from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.proofs import cose
from twinlock.proofs.ceremonies import (
    MAX_AUTHENTICATOR_DATA,
    MAX_CLIENT_DATA,
    MAX_CREDENTIAL_ID,
    ClientDataType,
    CredentialJson,
    Flag,
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

MAX_SIGNATURE = 1024  # Bytes. RSA of 4096 bits has 512.
MAX_USER_HANDLE = 64  # Bytes (WebAuthn Level 3, 5.4.3).


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPasskey:
    """What is on record of a bound passkey, as far as an assertion is compared with it.

    ``public_key`` holds the COSE bytes that were bound; ``backup_eligible`` what was said then, and
    it tells a synced passkey (another root) from one that stays on its device; ``sign_count`` is
    the last one seen, 0 where the authenticator keeps none.
    """

    credential_id: bytes
    public_key: bytes
    backup_eligible: bool
    sign_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertion:
    """The bytes of one answer, as an auditor keeps them; ``user_handle`` is unsigned.

    Raises:
        ProofRefusedError: malformed, when one is larger than any authenticator's.
    """

    credential_id: bytes
    client_data: bytes
    authenticator_data: bytes
    signature: bytes
    user_handle: bytes | None = None

    def __post_init__(self) -> None:
        refuse_size(self.credential_id, MAX_CREDENTIAL_ID)
        refuse_size(self.client_data, MAX_CLIENT_DATA)
        refuse_size(self.authenticator_data, MAX_AUTHENTICATOR_DATA)
        refuse_size(self.signature, MAX_SIGNATURE)
        refuse_size(self.user_handle or b"", MAX_USER_HANDLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedAssertion:
    """An assertion that holds, and what to keep of it.

    ``sign_count_regressed`` is a signal, not a refusal: it says that a copy may exist, and as often
    that an authenticator was restored (``domain.signalling``).
    """

    assertion: Assertion
    backed_up: bool
    sign_count: int
    sign_count_regressed: bool


class _Response(Struct, rename="camel"):
    client_data: Annotated[str, base64_of(MAX_CLIENT_DATA)] = field(name="clientDataJSON")
    authenticator_data: Annotated[str, base64_of(MAX_AUTHENTICATOR_DATA)]
    signature: Annotated[str, base64_of(MAX_SIGNATURE)]
    user_handle: Annotated[str, base64_of(MAX_USER_HANDLE)] | None = None


class _Got(CredentialJson, rename="camel"):
    response: _Response


def verify_assertion(
    credential: Mapping[str, object],
    *,
    challenge: bytes,
    rp: RelyingParty,
    passkey: KnownPasskey,
    user_handle: bytes | None = None,
) -> CheckedAssertion:
    """Return the assertion in ``credential``, the JSON object of ``PublicKeyCredential.toJSON``.

    Where ``user_handle`` is given, an answer that names another user is refused; one that names
    none is not, as authenticators leave it out when the credential was named to them.

    Raises:
        ProofRefusedError: with the first fault found.
    """
    return check_assertion(
        read_assertion(credential),
        challenge=challenge,
        rp=rp,
        passkey=passkey,
        user_handle=user_handle,
    )


def read_assertion(credential: Mapping[str, object]) -> Assertion:
    """Return the bytes that ``PublicKeyCredential.toJSON`` carries, unchecked.

    Raises:
        ProofRefusedError: malformed.
    """
    got = read_json(credential, _Got)
    handle = got.response.user_handle
    return Assertion(
        credential_id=read_credential_id(got),
        client_data=read_bytes(got.response.client_data),
        authenticator_data=read_bytes(got.response.authenticator_data),
        signature=read_bytes(got.response.signature),
        user_handle=None if handle is None else read_bytes(handle),
    )


def check_on_sites(
    assertion: Assertion,
    *,
    challenge: bytes,
    sites: Sequence[RelyingParty],
    passkey: KnownPasskey,
) -> CheckedAssertion:
    """Return ``assertion`` as one that holds on one of ``sites``, the origins of one RP ID.

    Raises:
        ProofRefusedError: wrong_origin, where there is none; else the fault of the last site.
    """
    refused = ProofRefusedError(ProofFault.WRONG_ORIGIN)
    for site in sites:
        try:
            return check_assertion(assertion, challenge=challenge, rp=site, passkey=passkey)
        except ProofRefusedError as error:
            refused = error
            if error.fault is not ProofFault.WRONG_ORIGIN:
                break
    raise refused


def check_assertion(
    assertion: Assertion,
    *,
    challenge: bytes,
    rp: RelyingParty,
    passkey: KnownPasskey,
    user_handle: bytes | None = None,
) -> CheckedAssertion:
    """Return ``assertion`` as one that holds, made by ``passkey`` for the 32-byte ``challenge``.

    Raises:
        ProofRefusedError: with the first fault found.
    """
    if assertion.credential_id != passkey.credential_id:
        refuse(ProofFault.WRONG_CREDENTIAL)
    if user_handle is not None and assertion.user_handle not in (None, user_handle):
        refuse(ProofFault.WRONG_USER)
    client = check_client_data(
        assertion.client_data, kind=ClientDataType.GET, challenge=challenge, rp=rp
    )
    data = check_authenticator_data(read_authenticator_data(assertion.authenticator_data), rp)
    if data.has(Flag.BACKUP_ELIGIBLE) is not passkey.backup_eligible:
        refuse(ProofFault.BACKUP_FLAGS_CHANGED)
    # An assertion attests no credential (6.1). Extension outputs are not asked for and not read.
    if data.has(Flag.ATTESTED) or data.has(Flag.EXTENDED) is not bool(data.rest):
        refuse(ProofFault.MALFORMED)
    signed = assertion.authenticator_data + hashlib.sha256(client).digest()
    cose.verify(cose.load(passkey.public_key), assertion.signature, signed)
    return CheckedAssertion(
        assertion=assertion,
        backed_up=data.has(Flag.BACKED_UP),
        sign_count=data.sign_count,
        sign_count_regressed=0 < passkey.sign_count >= data.sign_count,
    )
