"""A WebAuthn authenticator and its browser, in software: real ES256 keys, real signatures.

It answers as an honest device would, and does as it is told: every field of ``Ceremony`` can be set
to a lie, so that tests and attack stories forge each defect by name. It keeps its key in memory and
is for demos, stories and tests only.

Source: WebAuthn Level 3, 5.8.1 (client data), 6.1 (authenticator data), 6.5 (attestation).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from twinlock.domain.canonical import b64url
from twinlock.range.keys import p256_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceremony:
    """One question to the authenticator, and whatever a forger wants to be otherwise.

    ``challenge`` is the raw bytes asked. ``cross_origin`` None leaves that member out;
    ``client_data`` adds members to the client data or overrides them. The backup flags and the sign
    count are the authenticator's own unless they are given here.
    """

    challenge: bytes
    rp_id: str
    origin: str
    cross_origin: bool | None = False
    client_data: Mapping[str, object] = field(default_factory=dict)
    user_present: bool = True
    user_verified: bool = True
    backup_eligible: bool | None = None
    backed_up: bool | None = None
    sign_count: int | None = None
    user_handle: bytes | None = None


class SoftwareAuthenticator:
    """One credential of one device, made from 32 random bytes.

    ``synced`` says that it is backed up and may be copied. A device-bound one counts its
    signatures; a synced one leaves the count at 0, as real ones do.
    """

    def __init__(
        self, entropy: bytes, *, synced: bool = False, transports: tuple[str, ...] = ("internal",)
    ) -> None:
        self._key = p256_key(entropy, use="passkey")
        self._synced = synced
        self._transports = transports
        self._count = 0
        self.credential_id = hashlib.sha256(b"credential" + entropy).digest()

    @property
    def public_key(self) -> bytes:
        """The COSE key: 77 bytes."""
        numbers = self._key.public_key().public_numbers()
        x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        return bytes.fromhex("a5010203262001215820") + x + bytes.fromhex("225820") + y

    def create(self, ceremony: Ceremony) -> dict[str, Any]:
        """Return the JSON object that ``navigator.credentials.create`` ends in."""
        attested = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id
        data = self.authenticator_data(ceremony, attested=attested + self.public_key)
        return self.attest(client_data(ceremony, "webauthn.create"), attestation_object(data))

    def get(self, ceremony: Ceremony) -> dict[str, Any]:
        """Return the JSON object that ``navigator.credentials.get`` ends in."""
        self._count += 0 if self._synced else 1
        answer = self.assert_over(
            client_data(ceremony, "webauthn.get"), self.authenticator_data(ceremony)
        )
        if ceremony.user_handle is not None:
            answer["response"]["userHandle"] = b64url(ceremony.user_handle)
        return answer

    def attest(self, client: bytes, attestation: bytes) -> dict[str, Any]:
        """Return the registration that carries these very bytes, whatever they are."""
        response = {
            "clientDataJSON": b64url(client),
            "attestationObject": b64url(attestation),
            "transports": list(self._transports),
        }
        return self._answer(response)

    def assert_over(self, client: bytes, data: bytes) -> dict[str, Any]:
        """Return the assertion that signs these very bytes, whatever they are."""
        response = {
            "clientDataJSON": b64url(client),
            "authenticatorData": b64url(data),
            "signature": b64url(self.sign(data + hashlib.sha256(client).digest())),
        }
        return self._answer(response)

    def sign(self, data: bytes) -> bytes:
        """Return the DER signature over ``data``, the same one each time (RFC 6979)."""
        return self._key.sign(data, ec.ECDSA(SHA256(), deterministic_signing=True))

    def authenticator_data(self, ceremony: Ceremony, *, attested: bytes = b"") -> bytes:
        """Return RP id hash, flags, sign count and ``attested``, the new credential's data."""
        eligible, backed_up = ceremony.backup_eligible, ceremony.backed_up
        flags = (
            ceremony.user_present << 0
            | ceremony.user_verified << 2
            | (self._synced if eligible is None else eligible) << 3
            | (self._synced if backed_up is None else backed_up) << 4
            | bool(attested) << 6
        )
        count = self._count if ceremony.sign_count is None else ceremony.sign_count
        rp_id_hash = hashlib.sha256(ceremony.rp_id.encode("ascii")).digest()
        return rp_id_hash + bytes([flags]) + count.to_bytes(4, "big") + attested

    def _answer(self, response: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": b64url(self.credential_id),
            "rawId": b64url(self.credential_id),
            "type": "public-key",
            "response": response,
            "authenticatorAttachment": (
                "platform" if "internal" in self._transports else "cross-platform"
            ),
            "clientExtensionResults": {},
        }


def client_data(ceremony: Ceremony, kind: str) -> bytes:
    """Return the client data as browsers write it (WebAuthn Level 3, 5.8.1.1)."""
    members: dict[str, object] = {
        "type": kind,
        "challenge": b64url(ceremony.challenge),
        "origin": ceremony.origin,
    }
    if ceremony.cross_origin is not None:
        members["crossOrigin"] = ceremony.cross_origin
    return msgspec.json.encode(members | dict(ceremony.client_data))


def attestation_object(authenticator_data: bytes) -> bytes:
    """Return the CBOR map of format "none" around ``authenticator_data``."""
    size = len(authenticator_data)
    head = b"\x58" + size.to_bytes(1, "big") if size < 2**8 else b"\x59" + size.to_bytes(2, "big")
    none = b"\x63fmt" + b"\x64none" + b"\x67attStmt" + b"\xa0"
    return b"\xa3" + none + b"\x68authData" + head + authenticator_data
