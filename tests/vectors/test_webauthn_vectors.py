"""WebAuthn Level 3, 16 (Test Vectors): those with keys that we accept, and what our rules say.

The vectors check themselves: a wrong copy does not verify. Most of them leave user verification
out, or say crossOrigin, to exercise verifiers with other rules; those must verify by cryptography
and be refused by ours.
"""

import hashlib
import json
from pathlib import Path
from typing import TypeAlias

import pytest
from webauthn import verify_authentication_response, verify_registration_response

from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.canonical import b64url
from twinlock.proofs import cose
from twinlock.proofs.passkeys import (
    KnownPasskey,
    RelyingParty,
    verify_assertion,
    verify_registration,
)

Part: TypeAlias = dict[str, bytes]

RP = RelyingParty(rp_id="example.org", origin="https://example.org")
SOURCE = json.loads((Path(__file__).parent / "webauthn" / "level3.json").read_text("utf-8"))
VECTORS: dict[str, dict[str, Part]] = {
    vector["name"]: {
        part: {field: bytes.fromhex(text) for field, text in vector[part].items()}
        for part in ("registration", "authentication")
    }
    for vector in SOURCE["vectors"]
}

NO_UV = ProofFault.USER_NOT_VERIFIED
FRAMED = ProofFault.CROSS_ORIGIN
# What we say of the registration and of the authentication, and the flags that make us say so.
VERDICTS: dict[str, tuple[ProofFault | None, ProofFault | None]] = {
    "none.ES256": (NO_UV, NO_UV),  # UP BE BS, UP BE BS
    "packed-self.ES256": (None, NO_UV),  # UP UV BE BS, UP BE
    "none.ES256.crossOrigin": (FRAMED, FRAMED),  # crossOrigin true in both
    "none.ES256.topOrigin": (FRAMED, FRAMED),  # crossOrigin true and topOrigin in both
    "none.ES256.long-credential-id": (NO_UV, None),  # UP BE; UP UV BE: 1023 bytes are allowed
    "packed.ES256": (None, None),  # UP UV BE, UP UV BE
    "packed.RS256": (None, NO_UV),  # UP UV BE BS, UP BE BS
    "packed.EdDSA": (NO_UV, NO_UV),  # UP, UP
}


def authenticator_data(registration: Part) -> bytes:
    """The authenticator data stands last in each of these attestation objects."""
    attestation = registration["attestationObject"]
    return attestation[attestation.index(hashlib.sha256(b"example.org").digest()) :]


def attested(registration: Part) -> tuple[bytes, bytes, bool]:
    """Credential id, COSE key and backup eligibility (6.1 and 6.5.1), read by offset."""
    data = authenticator_data(registration)
    id_end = 55 + int.from_bytes(data[53:55], "big")
    return data[55:id_end], data[id_end:], bool(data[32] & 0x08)


def credential(registration: Part, response: Part) -> dict[str, object]:
    credential_id, _, _ = attested(registration)
    return {
        "id": b64url(credential_id),
        "rawId": b64url(credential_id),
        "type": "public-key",
        "response": {
            field: b64url(data) for field, data in response.items() if field != "challenge"
        },
        "clientExtensionResults": {},
    }


def test_every_vector_on_file_has_a_verdict() -> None:
    assert set(VECTORS) == set(VERDICTS)


@pytest.mark.parametrize("name", VECTORS)
def test_the_signature_verifies_under_the_attested_key(name: str) -> None:
    _, key, _ = attested(VECTORS[name]["registration"])
    answer = VECTORS[name]["authentication"]
    signed = answer["authenticatorData"] + hashlib.sha256(answer["clientDataJSON"]).digest()

    assert cose.split(key) == (key, b"")
    assert cose.verify(cose.load(key), answer["signature"], signed) == signed


@pytest.mark.parametrize("name", VECTORS)
def test_a_verifier_without_our_rules_accepts_it(name: str) -> None:
    registration, answer = VECTORS[name]["registration"], VECTORS[name]["authentication"]
    _, key, _ = attested(registration)

    registered = verify_registration_response(
        credential=credential(registration, registration),
        expected_challenge=registration["challenge"],
        expected_rp_id=RP.rp_id,
        expected_origin=RP.origin,
    )
    asserted = verify_authentication_response(
        credential=credential(registration, answer),
        expected_challenge=answer["challenge"],
        expected_rp_id=RP.rp_id,
        expected_origin=RP.origin,
        credential_public_key=key,
        credential_current_sign_count=0,
    )

    assert registered.credential_public_key == key
    assert asserted.new_sign_count == 0


@pytest.mark.requirement("W-02")
@pytest.mark.parametrize("name", VECTORS)
def test_our_rules_on_the_registration(name: str) -> None:
    registration = VECTORS[name]["registration"]
    credential_id, key, eligible = attested(registration)
    fault, _ = VERDICTS[name]

    if fault is None:
        passkey = verify_registration(
            credential(registration, registration), challenge=registration["challenge"], rp=RP
        )
        assert (passkey.credential_id, passkey.public_key) == (credential_id, key)
        assert passkey.backup_eligible is eligible
    else:
        with pytest.raises(ProofRefusedError) as refused:
            verify_registration(
                credential(registration, registration), challenge=registration["challenge"], rp=RP
            )
        assert refused.value.fault is fault


@pytest.mark.requirement("W-02")
@pytest.mark.parametrize("name", VECTORS)
def test_our_rules_on_the_authentication(name: str) -> None:
    registration, answer = VECTORS[name]["registration"], VECTORS[name]["authentication"]
    credential_id, key, eligible = attested(registration)
    passkey = KnownPasskey(
        credential_id=credential_id, public_key=key, backup_eligible=eligible, sign_count=0
    )
    _, fault = VERDICTS[name]

    if fault is None:
        checked = verify_assertion(
            credential(registration, answer), challenge=answer["challenge"], rp=RP, passkey=passkey
        )
        assert checked.backed_up is bool(answer["authenticatorData"][32] & 0x10)
    else:
        with pytest.raises(ProofRefusedError) as refused:
            verify_assertion(
                credential(registration, answer),
                challenge=answer["challenge"],
                rp=RP,
                passkey=passkey,
            )
        assert refused.value.fault is fault


@pytest.mark.parametrize("name", ["packed-self.ES256", "packed.ES256", "packed.RS256"])
@pytest.mark.parametrize("place", [b"\x63sig", b"\x68authData"], ids=["statement", "data"])
def test_an_attestation_that_does_not_hold_is_refused(name: str, place: bytes) -> None:
    """The last bit of the statement's signature is turned, or of the credential's AAGUID."""
    registration = dict(VECTORS[name]["registration"])
    attestation = bytearray(registration["attestationObject"])
    if place == b"\x63sig":
        start = attestation.index(place) + len(place)
        attestation[start + 1 + attestation[start + 1]] ^= 1  # 58 length, then the signature
    else:
        attestation[attestation.index(hashlib.sha256(b"example.org").digest()) + 52] ^= 1
    registration["attestationObject"] = bytes(attestation)

    with pytest.raises(ProofRefusedError) as refused:
        verify_registration(
            credential(registration, registration), challenge=registration["challenge"], rp=RP
        )
    assert refused.value.fault is ProofFault.ATTESTATION_REFUSED
