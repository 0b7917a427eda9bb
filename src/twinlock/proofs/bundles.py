"""Verifies an evidence bundle offline, in numbered steps, believing its trust file only.

Always true (tests/unit/proofs/test_bundles.py, tests/vectors/test_bundle_forgeries.py):

* each step builds only on what the steps before it established, never on a claim of the bundle;
* the first step that fails ends it with ``BundleRefusedError``, its number and a fault; nothing
  else is ever raised, whatever the bundle holds;
* what comes back was shown. What no bundle can show stands in docs/verify.md: that a code was typed
  by the customer, that the operator's clock was right, that nothing happened afterwards.

Source: docs/verify.md, which explains each step; docs/log-format.md.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeAlias, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from twinlock.domain.actions import AnyPayload, payload_digest, type_of
from twinlock.domain.assurance import Factor
from twinlock.domain.authorization import SPEND_ENTRY, Authorization
from twinlock.domain.bundle import Bundle, ShownProof, read_bundle
from twinlock.domain.canonical import from_b64url
from twinlock.domain.catalogue import ActionType
from twinlock.domain.entries import REASONS_FIELD, SPEND_FIELD
from twinlock.domain.errors import (
    BundleRefusedError,
    MalformedError,
    ProofError,
    QuorumError,
    UntrustedNoteError,
)
from twinlock.domain.exits import AnyExit, Exit, asset_in, most_fee
from twinlock.domain.ids import account_of
from twinlock.domain.log.checkpoint import Checkpoint
from twinlock.domain.log.merkle import verify_consistency
from twinlock.domain.log.note import parse_note
from twinlock.domain.money import AmountError, Asset, UnknownAssetError, minor_units
from twinlock.domain.policy.version import PolicyName, policy_digest
from twinlock.domain.requirements import Answer
from twinlock.domain.trust import Trust
from twinlock.proofs.authorizations import verify_authorization
from twinlock.proofs.bundle_faults import BundleFault, refuse
from twinlock.proofs.ceremonies import RelyingParty
from twinlock.proofs.consents import (
    BoundKey,
    Evidence,
    VerifiedAssertion,
    bound_key,
    check_consent,
    committed,
    read_evidence,
)
from twinlock.proofs.device_consents import (
    BoundSession,
    DeviceEvidence,
    VerifiedDeviceSignature,
    bound_session,
    check_device,
    read_device_evidence,
)
from twinlock.proofs.leaves import (
    Leaf,
    ShownDecision,
    check_inclusion,
    check_label,
    open_fields,
    read_canonical,
    read_hashes,
    read_leaf,
    read_payload,
    utf8,
)
from twinlock.proofs.notes import WitnessedCheckpoint, verify_checkpoint

T = TypeVar("T")
AnyEvidence: TypeAlias = Evidence | DeviceEvidence
Bound: TypeAlias = BoundKey | BoundSession
BUNDLE_VERSION = 1
VETO = "action.veto"  # An entry of this type carries the payload of what was vetoed.
_KINDS = frozenset({*ActionType, VETO, SPEND_ENTRY})  # Types of entries that we say by name.
_OTHER_LOG = "the checkpoint known already is of another log"
_NOT_FETCHED_FOR_IT = (
    "the bundle does not show how the log grew from the checkpoint known already: fetch it again"
)
_DECISION_FIELDS = ("action", "facts", "payload", "proofs")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Step(NamedTuple):
    """One step that was passed: its number, its name, and what it showed in one sentence."""

    number: int
    name: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedBundle:
    """What a bundle showed.

    ``at`` is the operator's claim; ``fresh_at`` is the latest instant at or after which a whole
    quorum of witnesses cosigned, None where the trust file asks for none. ``reasons`` are the
    codes of what was missing, as far as they are shown. ``authorization`` is None where none is
    shown. ``spent`` says that the entry itself is a spend, ``spend_id`` and ``fee_minor`` which
    one, even where it was refused; they are empty of any other entry. ``assertions`` are the
    customer's consent; ``device_signatures`` say which device asked, and are none. ``recorded``
    are the factors of which nothing is shown: the operator's record only.
    """

    head: Checkpoint
    fresh_at: datetime | None
    index: int
    type: str
    answer: Answer
    reasons: tuple[str, ...]
    at: datetime
    account: str
    action_id: str
    payload: AnyPayload
    payload_digest: str
    policy: PolicyName
    authorization: Authorization | None
    spent: bool
    spend_id: str
    fee_minor: str
    assertions: tuple[VerifiedAssertion, ...]
    device_signatures: tuple[VerifiedDeviceSignature, ...]
    recorded: tuple[str, ...]
    steps: tuple[Step, ...]


class _Policy(msgspec.Struct, frozen=True, kw_only=True):
    """As much of a policy as a bundle is held against; its digest covers the rest."""

    version: int
    assets: tuple[Asset, ...]


class _Signatures(NamedTuple):
    assertions: tuple[VerifiedAssertion, ...]
    devices: tuple[VerifiedDeviceSignature, ...]


class _Steps:
    """Takes steps in order; a refusal leaves with the number and the name of its step."""

    def __init__(self) -> None:
        self.passed: tuple[Step, ...] = ()

    def take(self, name: str, check: Callable[[], tuple[T, str]]) -> T:
        number = len(self.passed) + 1
        try:
            value, says = check()
        except BundleRefusedError as refused:
            raise BundleRefusedError(
                refused.says, fault=refused.fault, step=number, name=name, passed=self.passed
            ) from refused
        self.passed += (Step(number, name, says),)
        return value


def verify_bundle(
    bundle: Bundle | bytes, *, trust: Trust, known: Checkpoint | None = None
) -> VerifiedBundle:
    """Return what ``bundle`` shows to whoever trusts ``trust``.

    ``known`` is the newest head of this log that the verifier has seen; the bundle's checkpoint
    must then extend it.

    Raises:
        BundleRefusedError: with the first step that failed, and why.
    """
    steps = _Steps()
    read = steps.take("form", lambda: _form(bundle))
    witnessed = steps.take("checkpoint", lambda: _checkpoint(read, trust))
    head = witnessed.checkpoint
    steps.take("growth", lambda: _growth(read, head, known))
    data = steps.take("inclusion", lambda: _inclusion(read, head))
    leaf = steps.take("leaf", lambda: _leaf(data, read))
    opened = steps.take("openings", lambda: _openings(read, leaf))
    policy = steps.take("policy", lambda: _policy(read, leaf, trust))
    decision = steps.take("payload", lambda: _payload(read, leaf, opened, policy))
    signed = steps.take("authorization", lambda: _authorization(read, decision, trust))
    evidence, recorded = steps.take("proofs", lambda: _proofs(read, decision))
    keys = steps.take("bindings", lambda: _bindings(read, decision, head))
    signatures = steps.take("assertions", lambda: _assertions(evidence, keys, decision, trust))
    spend_id, fee_minor = decision.spend or ("", "")
    return VerifiedBundle(
        head=head,
        fresh_at=witnessed.fresh_at,
        index=decision.index,
        type=leaf.t,
        answer=leaf.dec,
        reasons=_reasons(opened),
        at=_instant(leaf),
        account=decision.account,
        action_id=decision.action_id,
        payload=decision.payload,
        payload_digest=payload_digest(opened["payload"]),
        policy=decision.policy,
        authorization=signed,
        spent=decision.spend is not None and leaf.dec is Answer.ALLOW,
        spend_id=spend_id,
        fee_minor=fee_minor,
        assertions=signatures.assertions,
        device_signatures=signatures.devices,
        recorded=recorded,
        steps=steps.passed,
    )


# --- The log: steps 1 to 6 ---


def _form(bundle: Bundle | bytes) -> tuple[Bundle, str]:
    """Step 1. The file is a bundle of a version that is known here, with no key twice."""
    try:
        read = read_bundle(bundle) if isinstance(bundle, bytes) else bundle
    except MalformedError as error:
        # What stands behind a colon may be the bundle's own.
        refuse(BundleFault.MALFORMED, says=f"this is not a bundle: {str(error).partition(':')[0]}")
    if read.v != BUNDLE_VERSION:
        refuse(BundleFault.VERSION_UNKNOWN)
    return read, f"a bundle of version {BUNDLE_VERSION}"


def _checkpoint(bundle: Bundle, trust: Trust) -> tuple[WitnessedCheckpoint, str]:
    """Step 2. The trusted log signed this head, and a quorum of trusted witnesses cosigned it."""
    policy = trust.log_policy
    if all(log.key.name != bundle.origin for log in policy.logs):
        refuse(BundleFault.LOG_UNKNOWN)
    note = utf8(bundle.checkpoint, BundleFault.CHECKPOINT_MALFORMED)
    try:
        witnessed = verify_checkpoint(parse_note(note), policy, origin=bundle.origin)
    except MalformedError:
        refuse(BundleFault.CHECKPOINT_MALFORMED)
    except QuorumError:
        refuse(BundleFault.QUORUM_MISSING)
    except UntrustedNoteError:
        refuse(BundleFault.CHECKPOINT_UNTRUSTED)
    size = witnessed.checkpoint.size
    names = ", ".join(sorted(witnessed.cosigned_at)) or "none"
    return witnessed, f"{bundle.origin} signed a head of {size} entries; cosigned by: {names}"


def _growth(bundle: Bundle, head: Checkpoint, known: Checkpoint | None) -> tuple[None, str]:
    """Step 3. Where an older head is known, this one extends it and changed nothing."""
    if known is None:
        return None, "not checked: no older checkpoint was given"
    if head.origin != known.origin:
        refuse(BundleFault.CONSISTENCY_MISSING, says=_OTHER_LOG)
    if head.size < known.size:
        refuse(BundleFault.CHECKPOINT_STALE)
    if head.size > known.size != bundle.consistent_from:
        refuse(
            BundleFault.CONSISTENCY_MISSING,
            says=f"{_NOT_FETCHED_FOR_IT} with ?consistent_from={known.size}",
        )
    text = bundle.consistency if head.size > known.size else ""
    try:
        verify_consistency(
            old_size=known.size,
            old_root=known.root,
            new_size=head.size,
            new_root=head.root,
            proof=read_hashes(text, BundleFault.CONSISTENCY_BROKEN),
        )
    except ProofError:
        refuse(BundleFault.CONSISTENCY_BROKEN)
    return None, f"it extends the head of {known.size} entries that was known"


def _inclusion(bundle: Bundle, head: Checkpoint) -> tuple[bytes, str]:
    """Step 4. The entry of the decision stands in the log under this head."""
    index = bundle.decision.index
    return check_inclusion(bundle.decision, head), f"the decision is entry {index} of this log"


def _leaf(data: bytes, bundle: Bundle) -> tuple[Leaf, str]:
    """Step 5. The entry is one canonical leaf of a known layout, under the label of its key."""
    leaf = read_leaf(data)
    check_label(bundle.decision.key, leaf)
    kind = leaf.t if leaf.t in _KINDS else "something else"
    at = f"{_instant(leaf):%Y-%m-%d %H:%M:%S} UTC by its own clock"
    return leaf, f"{kind} was answered {leaf.dec}, at {at}"


def _openings(bundle: Bundle, leaf: Leaf) -> tuple[dict[str, bytes], str]:
    """Step 6. Every opened field is what the entry committed to; no other field is opened."""
    own = (SPEND_FIELD,) if leaf.t == SPEND_ENTRY else ()
    opened = open_fields(bundle.decision.openings, leaf, needed=(*_DECISION_FIELDS, *own))
    why = ", ".join(_reasons(opened))
    says = f"{len(opened)} of {len(leaf.c)} commitments opened: {', '.join(sorted(opened))}"
    return opened, f"{says}; what was missing: {why}" if why else says


def _reasons(opened: dict[str, bytes]) -> tuple[str, ...]:
    shown = opened.get(REASONS_FIELD, b"[]")
    return read_canonical(shown, tuple[str, ...], BundleFault.OPENING_MALFORMED)


def _instant(leaf: Leaf) -> datetime:
    return _EPOCH + timedelta(milliseconds=leaf.at)


# --- What was decided: steps 7 to 9 ---


def _policy(bundle: Bundle, leaf: Leaf, trust: Trust) -> tuple[_Policy, str]:
    """Step 7. The policy that is shown is the one that decided, and one that may."""
    data = utf8(bundle.policy, BundleFault.POLICY_MALFORMED)
    if policy_digest(data) != leaf.pol:
        refuse(BundleFault.POLICY_OTHER)
    policy = read_canonical(data, _Policy, BundleFault.POLICY_MALFORMED)
    if trust.policies and leaf.pol not in trust.policies:
        refuse(BundleFault.POLICY_NOT_PINNED)
    pinned = "the trust file names it" if trust.policies else "the trust file names none"
    return policy, f"policy version {policy.version} decided; {pinned}"


def _payload(
    bundle: Bundle, leaf: Leaf, opened: dict[str, bytes], policy: _Policy
) -> tuple[ShownDecision, str]:
    """Step 8. The committed payload is a known action of its account, in its one form."""
    action_id = read_canonical(opened["action"], str, BundleFault.OPENING_MALFORMED)
    payload = read_payload(opened["payload"])
    if leaf.t not in (type_of(payload), VETO, SPEND_ENTRY):
        refuse(BundleFault.PAYLOAD_OTHER_TYPE)
    if _owner(action_id) != payload.account:
        refuse(BundleFault.ACTION_OTHER_ACCOUNT)
    if isinstance(payload, Exit) and not _named(payload, policy.assets):
        refuse(BundleFault.PAYLOAD_OTHER_ASSET)
    spend = _spend(payload, opened[SPEND_FIELD]) if leaf.t == SPEND_ENTRY else None
    decision = ShownDecision(
        origin=bundle.origin,
        index=bundle.decision.index,
        leaf=leaf,
        opened=opened,
        policy=PolicyName(version=policy.version, digest=leaf.pol),
        account=payload.account,
        action_id=action_id,
        payload=payload,
        spend=spend,
    )
    return decision, f"{type_of(payload)}, payload digest {payload_digest(opened['payload'])}"


def _owner(action_id: str) -> str:
    try:
        return account_of(action_id)
    except MalformedError:
        refuse(BundleFault.ACTION_OTHER_ACCOUNT)


def _spend(payload: AnyPayload, opened: bytes) -> tuple[str, str]:
    """Return the id and the fee that the entry of a spend commits to; only an exit is spent."""
    spend_id, fee = read_canonical(opened, tuple[str, str], BundleFault.OPENING_MALFORMED)
    if not isinstance(payload, Exit):
        refuse(BundleFault.PAYLOAD_OTHER_TYPE)
    try:
        paid = minor_units(fee)
    except AmountError:
        refuse(BundleFault.OPENING_MALFORMED)
    if not spend_id:
        refuse(BundleFault.OPENING_MALFORMED)
    if paid > most_fee(payload):
        refuse(BundleFault.FEE_TOO_HIGH)
    return spend_id, fee


def _named(payload: AnyExit, assets: Iterable[Asset]) -> bool:
    """Prevents: another token, paid out under the name of one that the policy names."""
    try:
        asset_in(payload, assets)
    except UnknownAssetError:
        return False
    return True


def _authorization(
    bundle: Bundle, decision: ShownDecision, trust: Trust
) -> tuple[Authorization | None, str]:
    """Step 9. What was signed for the platform says exactly what the entry says."""
    what = "this entry is no spend" if decision.spend is None else "this entry is a spend"
    if not bundle.authorization:
        return None, f"none shown; {what}"
    keys = {
        kid: Ed25519PublicKey.from_public_bytes(from_b64url(key))
        for kid, key in trust.authorization_keys.items()
    }
    claims = verify_authorization(bundle.authorization, decision, keys=keys)
    return claims, f"signed under a trusted key over what the entry says; {what}"


# --- Who consented: steps 10 to 12 ---


def _proofs(
    bundle: Bundle, decision: ShownDecision
) -> tuple[tuple[list[AnyEvidence], tuple[str, ...]], str]:
    """Step 10. Each proof that is shown is one that the decision rested on, and shown once."""
    recorded = committed(bundle.proofs, decision)
    evidence = [_read_evidence(proof) for proof in bundle.proofs]
    by_record = ", ".join(recorded) or "none"
    return (evidence, recorded), f"{len(evidence)} with evidence; by record only: {by_record}"


def _read_evidence(proof: ShownProof) -> AnyEvidence:
    data = utf8(proof.evidence, BundleFault.EVIDENCE_MALFORMED)
    return read_device_evidence(data) if _by_device(proof) else read_evidence(data)


def _by_device(proof: ShownProof) -> bool:
    return proof.factor == Factor.SESSION


def _bindings(bundle: Bundle, decision: ShownDecision, head: Checkpoint) -> tuple[list[Bound], str]:
    """Step 11. Each proof's key was bound to this account by an earlier entry of the same log."""
    keys: list[Bound] = [
        bound_session(proof, decision, head=head)
        if _by_device(proof)
        else bound_key(proof, decision, head=head)
        for proof in bundle.proofs
    ]
    labels = {key.index: key.label for key in keys} | {decision.index: decision.leaf.lbl}
    if len(set(labels.values())) != len(labels):
        refuse(BundleFault.LABEL_TWICE)
    places = ", ".join(f"entry {key.index}" for key in keys) or "none to check"
    return keys, f"keys bound to this account: {places}"


def _assertions(
    evidence: list[AnyEvidence], keys: list[Bound], decision: ShownDecision, trust: Trust
) -> tuple[_Signatures, str]:
    """Step 12. With that key, on the one site, a verified person consented to exactly this."""
    rp = RelyingParty(rp_id=trust.rp_id, origin=trust.origin)
    pairs = list(zip(evidence, keys, strict=True))
    found = _Signatures(
        assertions=tuple(
            check_consent(one, key, decision, rp=rp)
            for one, key in pairs
            if isinstance(one, Evidence) and isinstance(key, BoundKey)
        ),
        devices=tuple(
            check_device(one, key, decision)
            for one, key in pairs
            if isinstance(one, DeviceEvidence) and isinstance(key, BoundSession)
        ),
    )
    devices = "".join(f"; by device key {one.thumbprint}" for one in found.devices)
    count = len(found.assertions) or "none"
    return found, f"the customer's own signature over this payload: {count}{devices}"
