"""Why an evidence bundle was refused: a closed list of stable codes, one sentence each.

Always true: a refused bundle names exactly one fault, the first that the steps met; the sentence
holds nothing of the bundle itself, so it can be shown and logged anywhere.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NoReturn

from twinlock.domain.errors import BundleRefusedError


class BundleFault(StrEnum):
    """The first thing found wrong with a bundle; the value never changes."""

    MALFORMED = "bundle_malformed"
    VERSION_UNKNOWN = "bundle_version_unknown"
    LOG_UNKNOWN = "log_unknown"
    CHECKPOINT_MALFORMED = "checkpoint_malformed"
    CHECKPOINT_UNTRUSTED = "checkpoint_untrusted"
    QUORUM_MISSING = "quorum_missing"
    CHECKPOINT_STALE = "checkpoint_stale"
    CONSISTENCY_MISSING = "consistency_missing"
    CONSISTENCY_BROKEN = "consistency_broken"
    INCLUSION_MALFORMED = "inclusion_malformed"
    NOT_INCLUDED = "not_included"
    LEAF_MALFORMED = "leaf_malformed"
    LEAF_VERSION_UNKNOWN = "leaf_version_unknown"
    LABEL_OTHER = "label_other"
    LABEL_TWICE = "label_twice"
    OPENING_MISSING = "opening_missing"
    OPENING_NOT_COMMITTED = "opening_not_committed"
    OPENING_MALFORMED = "opening_malformed"
    OPENING_WRONG = "opening_wrong"
    POLICY_MALFORMED = "policy_malformed"
    POLICY_OTHER = "policy_other"
    POLICY_NOT_PINNED = "policy_not_pinned"
    PAYLOAD_MALFORMED = "payload_malformed"
    PAYLOAD_OTHER_TYPE = "payload_other_type"
    PAYLOAD_OTHER_ASSET = "payload_other_asset"
    ACTION_OTHER_ACCOUNT = "action_other_account"
    FEE_TOO_HIGH = "spend_fee_too_high"
    AUTHORIZATION_KEY_UNKNOWN = "authorization_key_unknown"
    AUTHORIZATION_OTHER_KIND = "authorization_other_kind"
    AUTHORIZATION_SIGNATURE_BAD = "authorization_signature_bad"
    AUTHORIZATION_MALFORMED = "authorization_malformed"
    AUTHORIZATION_NOT_ALLOWED = "authorization_not_allowed"
    PROOFS_MALFORMED = "proofs_malformed"
    PROOF_KIND_UNKNOWN = "proof_kind_unknown"
    PROOF_NOT_COMMITTED = "proof_not_committed"
    PROOF_TWICE = "proof_twice"
    EVIDENCE_MALFORMED = "evidence_malformed"
    BINDING_OTHER_TYPE = "binding_other_type"
    BINDING_NOT_ALLOWED = "binding_not_allowed"
    BINDING_LATER = "binding_later"
    BINDING_OTHER_ACCOUNT = "binding_other_account"
    BINDING_NOT_A_PASSKEY = "binding_not_a_passkey"
    BINDING_NOT_A_SESSION = "binding_not_a_session"
    ASSERTION_REFUSED = "assertion_refused"
    DEVICE_KEY_OTHER = "device_key_other"
    DEVICE_SIGNATURE_REFUSED = "device_signature_refused"


_F = BundleFault
SENTENCES: Mapping[BundleFault, str] = MappingProxyType(
    {
        _F.MALFORMED: "this is not a bundle: too large, doubled keys, or another form",
        _F.VERSION_UNKNOWN: "the bundle has a version that is not known here",
        _F.LOG_UNKNOWN: "the trust file does not name this log",
        _F.CHECKPOINT_MALFORMED: "the checkpoint is not a signed note of a log's head",
        _F.CHECKPOINT_UNTRUSTED: "no key that is trusted for this log signed this checkpoint",
        _F.QUORUM_MISSING: "too few of the trusted witnesses cosigned the checkpoint",
        _F.CHECKPOINT_STALE: "the checkpoint is older than the one known already",
        _F.CONSISTENCY_MISSING: "nothing leads from the checkpoint known already to this one",
        _F.CONSISTENCY_BROKEN: "the log is not the one known already: something was rewritten",
        _F.INCLUSION_MALFORMED: "the entry or its path is not of its one form",
        _F.NOT_INCLUDED: "the entry does not stand at its index under the checkpoint",
        _F.LEAF_MALFORMED: "the entry is not a canonical leaf",
        _F.LEAF_VERSION_UNKNOWN: "the entry has a layout that is not known here",
        _F.LABEL_OTHER: "the entry's label is not the one of the key that is shown",
        _F.LABEL_TWICE: "two entries have one label: a history was forked",
        _F.OPENING_MISSING: "a field that has to be shown is not opened",
        _F.OPENING_NOT_COMMITTED: "a field is opened that the entry does not commit to",
        _F.OPENING_MALFORMED: "an opening is not a salt of 32 bytes and a canonical value",
        _F.OPENING_WRONG: "an opening does not open its commitment",
        _F.POLICY_MALFORMED: "the policy is not canonical, or has no version or assets",
        _F.POLICY_OTHER: "the policy is not the one whose digest stands in the entry",
        _F.POLICY_NOT_PINNED: "the trust file does not name this policy",
        _F.PAYLOAD_MALFORMED: "what was committed is not the payload of a known action",
        _F.PAYLOAD_OTHER_TYPE: "the payload is of another type than the entry says",
        _F.PAYLOAD_OTHER_ASSET: "contract or decimals are not those of the policy",
        _F.ACTION_OTHER_ACCOUNT: "the action does not belong to the account",
        _F.FEE_TOO_HIGH: "the spend's fee is above what the payload allows",
        _F.AUTHORIZATION_KEY_UNKNOWN: "the authorization names a key that is not trusted",
        _F.AUTHORIZATION_OTHER_KIND: "the authorization is of another kind than the entry",
        _F.AUTHORIZATION_SIGNATURE_BAD: "the signature does not verify over what the entry says",
        _F.AUTHORIZATION_MALFORMED: "the authorization is not a header and a signature",
        _F.AUTHORIZATION_NOT_ALLOWED: "the entry says no yes to its payload",
        _F.PROOFS_MALFORMED: "the list of proofs is not of its form",
        _F.PROOF_KIND_UNKNOWN: "a proof is of a kind that cannot be checked offline",
        _F.PROOF_NOT_COMMITTED: "a proof is not among those that the decision rested on",
        _F.PROOF_TWICE: "one proof is shown twice",
        _F.EVIDENCE_MALFORMED: "a proof's evidence is not of its one form",
        _F.BINDING_OTHER_TYPE: "the entry that should have bound the key is of another type",
        _F.BINDING_NOT_ALLOWED: "the entry that should have bound the key did not say yes",
        _F.BINDING_LATER: "the key was bound after the decision",
        _F.BINDING_OTHER_ACCOUNT: "the key was bound to another account",
        _F.BINDING_NOT_A_PASSKEY: "what was bound is not a passkey's key",
        _F.BINDING_NOT_A_SESSION: "what was begun is not a session",
        _F.ASSERTION_REFUSED: "the passkey's assertion does not hold",
        _F.DEVICE_KEY_OTHER: "the device's key is not the one that the session was begun with",
        _F.DEVICE_SIGNATURE_REFUSED: "the device did not sign this payload in this session",
    }
)


def refuse(fault: BundleFault, detail: str = "", *, says: str = "") -> NoReturn:
    """Refuse the bundle; ``detail`` is a word of ours, never something that the bundle says.

    ``says`` stands for the fault's own sentence where more is known of the case at hand.

    Raises:
        BundleRefusedError: always; the caller says in which step.
    """
    sentence = says or SENTENCES[fault]
    raise BundleRefusedError(f"{sentence} ({detail})" if detail else sentence, fault=fault)
