"""The customer's own consent in a bundle: evidence, the entry that bound its key, the assertion.

Always true (tests/vectors/test_bundle_forgeries.py): an assertion that comes back was one that the
decision rested on, was made over exactly its payload, on the one trusted site, by a verified
person, with a key that an earlier entry of the same log bound to the same account.

Not shown: that the key is bound still, since no small proof of absence exists; and when the
customer consented, since an assertion carries no time.

Source: WebAuthn Level 3, 7.2; docs/verify.md, steps 10 to 12.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from twinlock.domain.actions import AuthenticatorBind, MemberAdd
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofRefusedError
from twinlock.domain.bundle import ShownProof
from twinlock.domain.canonical import b64url, from_b64url
from twinlock.domain.catalogue import ActionType
from twinlock.domain.errors import MalformedError
from twinlock.domain.log.checkpoint import Checkpoint
from twinlock.domain.proving import digest_of
from twinlock.proofs import intents
from twinlock.proofs.assertions import Assertion, KnownPasskey, check_assertion
from twinlock.proofs.bundle_faults import BundleFault, refuse
from twinlock.proofs.ceremonies import RelyingParty
from twinlock.proofs.leaves import (
    ShownDecision,
    read_binding,
    read_canonical,
    utf8,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedAssertion:
    """The customer's own signature over the payload.

    ``challenge`` (32 bytes, base64url) is what was signed. It holds a nonce, so it names this one
    consent, however the signature's bytes are turned. ``binding_index`` is the entry that bound the
    key; ``credential_id`` is base64url.
    """

    credential_id: str
    challenge: str
    backup_eligible: bool
    binding_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A passkey's evidence that the decision committed to, not verified yet."""

    nonce: bytes
    assertion: Assertion


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundKey:
    """A passkey's key, and the entry that bound it: its index and its public label."""

    index: int
    label: str
    passkey: KnownPasskey


class _Evidence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Evidence as it was committed to; every member is base64url."""

    authenticator_data: str
    client_data: str
    credential_id: str
    nonce: str
    signature: str


class _Credential(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a binding says of the key: its id and its COSE bytes, in base64url."""

    backup_eligible: bool
    credential_id: str
    public_key: str


def committed(proofs: Sequence[ShownProof], decision: ShownDecision) -> tuple[str, ...]:
    """Return the factors that the decision rested on and of which ``proofs`` shows no evidence.

    Raises:
        BundleRefusedError: proofs_malformed, proof_kind_unknown, proof_not_committed, proof_twice,
            evidence_malformed.
    """
    listed = read_canonical(
        decision.opened["proofs"], list[tuple[str, str]], BundleFault.PROOFS_MALFORMED
    )
    names = [_name(proof) for proof in proofs]
    for name in names:
        if name not in listed:
            refuse(BundleFault.PROOF_NOT_COMMITTED)
    if len(set(names)) != len(names):
        refuse(BundleFault.PROOF_TWICE)
    left = Counter(listed) - Counter(names)
    return tuple(sorted(factor for factor, _ in left.elements()))


def _name(proof: ShownProof) -> tuple[str, str]:
    if proof.factor not in (Factor.PASSKEY, Factor.SESSION):
        refuse(BundleFault.PROOF_KIND_UNKNOWN)
    return proof.factor, digest_of(utf8(proof.evidence, BundleFault.EVIDENCE_MALFORMED))


def read_evidence(data: bytes) -> Evidence:
    """Return a passkey's evidence.

    Raises:
        BundleRefusedError: evidence_malformed.
    """
    evidence = read_canonical(data, _Evidence, BundleFault.EVIDENCE_MALFORMED)
    try:
        nonce = from_b64url(evidence.nonce)
        assertion = Assertion(
            credential_id=from_b64url(evidence.credential_id),
            client_data=from_b64url(evidence.client_data),
            authenticator_data=from_b64url(evidence.authenticator_data),
            signature=from_b64url(evidence.signature),
        )
    except (MalformedError, ProofRefusedError):
        refuse(BundleFault.EVIDENCE_MALFORMED)
    if len(nonce) < intents.NONCE_BYTES:
        refuse(BundleFault.EVIDENCE_MALFORMED)
    return Evidence(nonce=nonce, assertion=assertion)


def bound_key(proof: ShownProof, decision: ShownDecision, *, head: Checkpoint) -> BoundKey:
    """Return the key that ``proof`` was made with, as an earlier entry bound it to the account.

    Raises:
        BundleRefusedError: the faults of an entry, or one of the ``binding_`` faults.
    """
    leaf, payload = read_binding(
        proof.binding,
        decision,
        head=head,
        kinds=(ActionType.AUTHENTICATOR_BIND, ActionType.MEMBER_ADD),
    )
    if not isinstance(payload, AuthenticatorBind | MemberAdd):
        refuse(BundleFault.BINDING_NOT_A_PASSKEY)
    if isinstance(payload, AuthenticatorBind) and payload.authenticator != Factor.PASSKEY:
        refuse(BundleFault.BINDING_NOT_A_PASSKEY)
    return BoundKey(
        index=proof.binding.index, label=leaf.lbl, passkey=_read_credential(payload.credential)
    )


def _read_credential(text: str) -> KnownPasskey:
    data = text.encode("utf-8")  # It stood in canonical JSON, so it is Unicode text.
    bound = read_canonical(data, _Credential, BundleFault.BINDING_NOT_A_PASSKEY)
    try:
        return KnownPasskey(
            credential_id=from_b64url(bound.credential_id),
            public_key=from_b64url(bound.public_key),
            backup_eligible=bound.backup_eligible,
            sign_count=0,
        )
    except MalformedError:
        refuse(BundleFault.BINDING_NOT_A_PASSKEY)


def check_consent(
    evidence: Evidence, bound: BoundKey, decision: ShownDecision, *, rp: RelyingParty
) -> VerifiedAssertion:
    """Return the assertion in ``evidence`` as one over the decision's payload, by ``bound``.

    Raises:
        BundleRefusedError: assertion_refused.
    """
    challenge = intents.challenge(evidence.nonce, decision.opened["payload"])
    try:
        check_assertion(evidence.assertion, challenge=challenge, rp=rp, passkey=bound.passkey)
    except ProofRefusedError as refused:
        refuse(BundleFault.ASSERTION_REFUSED, refused.fault)
    return VerifiedAssertion(
        credential_id=b64url(bound.passkey.credential_id),
        challenge=b64url(challenge),
        backup_eligible=bound.passkey.backup_eligible,
        binding_index=bound.index,
    )
