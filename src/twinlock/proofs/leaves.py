"""Reads one entry of the log as a bundle shows it: its place, its leaf, what opens it, its payload.

Always true (tests/vectors/test_bundle_forgeries.py): what comes back stood at its index under the
checkpoint, has the one layout and the label of its own key, and every opened value is the one that
was committed to.

Source: RFC 9162, 2.1.3.2; docs/log-format.md, "What a leaf says".
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from twinlock.domain.actions import AnyPayload, payload_bytes
from twinlock.domain.authorization import SPEND_ENTRY
from twinlock.domain.bundle import Included
from twinlock.domain.canonical import b64url, commit, decode, from_b64url
from twinlock.domain.entries import (
    ERASED_FIELD,
    FIELDS,
    LABEL_KEY_FIELD,
    SALT_BYTES,
    SPEND_FIELD,
    Opening,
    entry_label,
)
from twinlock.domain.errors import MalformedError, ProofError, TwinlockError
from twinlock.domain.log.checkpoint import Checkpoint
from twinlock.domain.log.merkle import HASH_BYTES, leaf_hash, split_hashes, verify_inclusion
from twinlock.domain.policy.version import PolicyName
from twinlock.domain.requirements import Answer
from twinlock.proofs.bundle_faults import BundleFault, refuse

T = TypeVar("T")
LEAF_VERSION = 1
ENTRY_KEY_BYTES = 32
LAST_MILLISECOND = 253_402_300_799_999  # The end of the year 9999.


class Leaf(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The public leaf. ``at`` is milliseconds since 1970, by the operator's clock.

    ``c`` holds the commitments by field; they and ``lbl``, ``pol``, ``prev`` are 32 bytes each in
    base64url.
    """

    at: Annotated[int, Meta(ge=0, le=LAST_MILLISECOND)]
    c: Annotated[dict[str, str], Meta(max_length=16)]
    dec: Answer
    lbl: str
    pol: str
    prev: str
    t: Annotated[str, Meta(min_length=1, max_length=64)]
    v: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownDecision:
    """What the entry of a decision says, as far as it has been shown.

    ``opened`` holds the canonical bytes of each opened field; ``spend`` is the id and the fee of a
    spend, None where the entry is none.
    """

    origin: str
    index: int
    leaf: Leaf
    opened: Mapping[str, bytes]
    policy: PolicyName
    account: str
    action_id: str
    payload: AnyPayload
    spend: tuple[str, str] | None


def check_inclusion(included: Included, head: Checkpoint) -> bytes:
    """Return the leaf's bytes, having checked that they stand at their index under ``head``.

    Raises:
        BundleRefusedError: inclusion_malformed, not_included.
    """
    leaf = utf8(included.leaf, BundleFault.INCLUSION_MALFORMED)
    path = read_hashes(included.path, BundleFault.INCLUSION_MALFORMED)
    try:
        verify_inclusion(
            leaf_hash(leaf), index=included.index, size=head.size, proof=path, root=head.root
        )
    except ProofError:
        refuse(BundleFault.NOT_INCLUDED)
    return leaf


def read_hashes(text: str, fault: BundleFault) -> tuple[bytes, ...]:
    """Return the 32-byte hashes that stand one behind the other in base64url ``text``.

    Raises:
        BundleRefusedError: with ``fault``.
    """
    try:
        data = from_b64url(text)
    except MalformedError:
        refuse(fault)
    if len(data) % HASH_BYTES:
        refuse(fault)
    return split_hashes(data)


def read_leaf(data: bytes) -> Leaf:
    """Return the leaf in ``data``. The entry of a spend, and no other, commits to the spend.

    Raises:
        BundleRefusedError: leaf_malformed, leaf_version_unknown.
    """
    leaf = read_canonical(data, Leaf, BundleFault.LEAF_MALFORMED)
    try:
        for digest in (leaf.lbl, leaf.pol, leaf.prev, *leaf.c.values()):
            from_b64url(digest, size=HASH_BYTES)
    except MalformedError:
        refuse(BundleFault.LEAF_MALFORMED)
    if leaf.v != LEAF_VERSION:
        refuse(BundleFault.LEAF_VERSION_UNKNOWN)
    if (leaf.t == SPEND_ENTRY) != (SPEND_FIELD in leaf.c):
        refuse(BundleFault.LEAF_MALFORMED)
    return leaf


def check_label(key: str, leaf: Leaf) -> None:
    """Check that the label of ``leaf`` is the one that the entry's ``key`` makes.

    Raises:
        BundleRefusedError: label_other.
    """
    try:
        label = entry_label(from_b64url(key, size=ENTRY_KEY_BYTES))
    except MalformedError:
        refuse(BundleFault.LABEL_OTHER)
    if b64url(label) != leaf.lbl:
        refuse(BundleFault.LABEL_OTHER)


def open_fields(
    openings: Mapping[str, Opening], leaf: Leaf, *, needed: tuple[str, ...]
) -> dict[str, bytes]:
    """Return the canonical bytes of every opened field, each checked against its commitment.

    Raises:
        BundleRefusedError: opening_missing, opening_not_committed, opening_malformed,
            opening_wrong.
    """
    if not set(needed) <= set(openings):
        refuse(BundleFault.OPENING_MISSING)
    return {field: _open(field, opening, leaf) for field, opening in openings.items()}


def _open(field: str, opening: Opening, leaf: Leaf) -> bytes:
    commitment = leaf.c.get(field)
    if commitment is None:
        refuse(BundleFault.OPENING_NOT_COMMITTED)
    try:
        salt = from_b64url(opening.salt, size=SALT_BYTES)
    except MalformedError:
        refuse(BundleFault.OPENING_MALFORMED)
    value = utf8(opening.value, BundleFault.OPENING_MALFORMED)
    if b64url(commit(salt, field, value)) != commitment:
        refuse(BundleFault.OPENING_WRONG, _named(field))
    return value


def _named(field: str) -> str:
    """Return the name of a field, where it is one that we know, and no word of the bundle's."""
    known = field in (*FIELDS, SPEND_FIELD, LABEL_KEY_FIELD, ERASED_FIELD)
    return f"the field {field}" if known else "a field that is not known here"


def read_binding(
    binding: Included, decision: ShownDecision, *, head: Checkpoint, kinds: Collection[str]
) -> tuple[Leaf, AnyPayload]:
    """Return the entry that bound a key to the decision's account, and its payload.

    It is of one of the types ``kinds``, said yes, and stands before the decision.

    Raises:
        BundleRefusedError: the faults of an entry, or one of the ``binding_`` faults.
    """
    leaf = read_leaf(check_inclusion(binding, head))
    check_label(binding.key, leaf)
    opened = open_fields(binding.openings, leaf, needed=("payload",))
    if leaf.t not in kinds:
        refuse(BundleFault.BINDING_OTHER_TYPE)
    if leaf.dec is not Answer.ALLOW:
        refuse(BundleFault.BINDING_NOT_ALLOWED)
    if binding.index >= decision.index:
        refuse(BundleFault.BINDING_LATER)
    payload = read_payload(opened["payload"])
    if payload.account != decision.account:
        refuse(BundleFault.BINDING_OTHER_ACCOUNT)
    return leaf, payload


def read_payload(data: bytes) -> AnyPayload:
    """Return the payload whose one form ``data`` is.

    Raises:
        BundleRefusedError: payload_malformed.
    """
    value = read_canonical(data, dict[str, Any], BundleFault.PAYLOAD_MALFORMED)
    try:
        payload: AnyPayload = msgspec.convert(value, AnyPayload)
    except (msgspec.ValidationError, TwinlockError):  # An amount out of range is one of ours.
        refuse(BundleFault.PAYLOAD_MALFORMED)
    if payload_bytes(payload) != data:
        refuse(BundleFault.PAYLOAD_MALFORMED)
    return payload


def utf8(text: str, fault: BundleFault) -> bytes:
    """Return the UTF-8 of ``text``, or refuse a lone surrogate, which JSON can carry.

    Raises:
        BundleRefusedError: with ``fault``.
    """
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        refuse(fault)


def read_canonical(data: bytes, form: type[T], fault: BundleFault) -> T:
    """Return the canonical JSON ``data`` as a ``form``.

    Raises:
        BundleRefusedError: with ``fault``.
    """
    try:
        return msgspec.convert(decode(data), form)
    except (MalformedError, msgspec.ValidationError):
        refuse(fault)
