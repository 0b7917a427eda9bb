"""The device's own signature in a bundle: who, of which session, said when that this be done.

Always true (tests/vectors/test_bundle_forgeries_of_devices.py): a device signature that comes back
was one that the decision rested on, was made over exactly its payload as a proposal, by the key
that an earlier entry of the same log named when it began a full session of the same account.

Not shown: who began that session, beyond that entry's own proofs; that the session was open still;
the time, which is the device's own word; that the same signature was not shown for another action
with the same payload.

Source: docs/verify.md, steps 10 to 12; docs/log-format.md, "Consent".
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from twinlock.domain.actions import SessionStart, payload_digest
from twinlock.domain.authenticators.faults import ProofRefusedError
from twinlock.domain.bundle import ShownProof
from twinlock.domain.canonical import decode, from_b64url
from twinlock.domain.catalogue import ActionType
from twinlock.domain.errors import MalformedError
from twinlock.domain.ids import SessionId
from twinlock.domain.log.checkpoint import Checkpoint
from twinlock.domain.sessions import PROPOSAL, signing_nonce
from twinlock.proofs.bundle_faults import BundleFault, refuse
from twinlock.proofs.device_keys import (
    DeviceKey,
    parse_jwk,
    session_proof_message,
    verify_device_signature,
)
from twinlock.proofs.leaves import LAST_MILLISECOND, ShownDecision, read_binding, read_canonical

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedDeviceSignature:
    """A session's device signed the payload; the customer's consent is only what a passkey says.

    ``thumbprint`` is RFC 7638; ``session_index`` the entry that began the session; ``signed_at``
    the device's own time.
    """

    thumbprint: str
    session_id: str
    session_index: int
    signed_at: datetime


class DeviceEvidence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A session's evidence that the decision committed to, not verified yet.

    ``jwk`` is the key's one form as text; ``name`` is what the signature was for, the idempotency
    key of the proposal; ``signed_at`` is POSIX milliseconds; ``signature`` r ‖ s in base64url.
    """

    jwk: str
    name: str
    purpose: str
    session: str
    signature: str
    signed_at: Annotated[int, Meta(ge=0, le=LAST_MILLISECOND)]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundSession:
    """A session's device key by its thumbprint, and the entry that began it."""

    index: int
    label: str
    thumbprint: str


def read_device_evidence(data: bytes) -> DeviceEvidence:
    """Return the evidence in ``data``.

    Raises:
        BundleRefusedError: evidence_malformed.
    """
    evidence = read_canonical(data, DeviceEvidence, BundleFault.EVIDENCE_MALFORMED)
    if evidence.purpose != PROPOSAL or not evidence.session.isascii():
        refuse(BundleFault.EVIDENCE_MALFORMED)
    return evidence


def bound_session(proof: ShownProof, decision: ShownDecision, *, head: Checkpoint) -> BoundSession:
    """Return the device key of ``proof``, as an earlier entry began a session of the account.

    Prevents: a session that may only look, whose entry says read_only and no yes.

    Raises:
        BundleRefusedError: the faults of an entry, or one of the ``binding_`` faults.
    """
    leaf, payload = read_binding(
        proof.binding, decision, head=head, kinds=(ActionType.SESSION_START,)
    )
    if not isinstance(payload, SessionStart):
        refuse(BundleFault.BINDING_NOT_A_SESSION)
    return BoundSession(index=proof.binding.index, label=leaf.lbl, thumbprint=payload.device)


def check_device(
    evidence: DeviceEvidence, bound: BoundSession, decision: ShownDecision
) -> VerifiedDeviceSignature:
    """Return the signature in ``evidence`` as one over the decision's payload, by ``bound``.

    Raises:
        BundleRefusedError: device_key_other, device_signature_refused.
    """
    digest = payload_digest(decision.opened["payload"])
    message = session_proof_message(
        SessionId(evidence.session),
        nonce=signing_nonce(evidence.purpose, evidence.name, signed_at=evidence.signed_at),
        payload_digest=from_b64url(digest),
    )
    key = _read_key(evidence.jwk)
    if key.thumbprint() != bound.thumbprint:
        refuse(BundleFault.DEVICE_KEY_OTHER)
    try:
        verify_device_signature(key, evidence.signature, message)
    except ProofRefusedError as refused:
        refuse(BundleFault.DEVICE_SIGNATURE_REFUSED, refused.fault)
    return VerifiedDeviceSignature(
        thumbprint=bound.thumbprint,
        session_id=evidence.session,
        session_index=bound.index,
        signed_at=_EPOCH + timedelta(milliseconds=evidence.signed_at),
    )


def _read_key(text: str) -> DeviceKey:
    try:
        return parse_jwk(decode(text.encode("utf-8")))
    except (MalformedError, ProofRefusedError):
        refuse(BundleFault.DEVICE_KEY_OTHER)
