"""A decision's place in the log: the public leaf, what opens it, and the account's chain.

Always true (tests/property/test_entries_properties.py):

* a leaf holds no personal data: type, time, decision, policy digest, blinded label and chain, and
  one salted commitment a field;
* every commitment opens with the salt and value kept beside the events, and with nothing else;
* the entry of a spend, and no other, commits to the spend's id and fee, an account's first entry to
  its label key, and the last entry of one that is erased to whose it is and how many there were;
* the label of entry *n* of an account is a function of its key and *n*, so that two entries with
  one number collide (law 9).

Source: docs/log-format.md.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType

import msgspec
from msgspec.structs import replace

from twinlock.domain.account import Chain, OpenAction, State
from twinlock.domain.authorization import SPEND_ENTRY
from twinlock.domain.canonical import (
    b64url,
    commit,
    encode,
    from_b64url,
    tagged_hash,
    tagged_mac,
)
from twinlock.domain.decisions import Decision
from twinlock.domain.discreet import Discreet
from twinlock.domain.errors import invariant
from twinlock.domain.events import (
    AccountOpened,
    ActionDone,
    ActionLapsed,
    ActionRefused,
    ActionSpent,
    ActionVetoed,
    ClosingEvent,
    Event,
)
from twinlock.domain.log.merkle import leaf_hash
from twinlock.domain.policy.version import PolicyName
from twinlock.domain.replay import apply_all
from twinlock.domain.requirements import reasons

SALT_BYTES = 32
REASONS_FIELD = "reasons"
FIELDS = ("account", "action", "actor", "events", "facts", "payload", "proofs", REASONS_FIELD)
SPEND_FIELD = "spend"  # Of a spend's entry alone.
LABEL_KEY_FIELD = "label_key"  # Of an account's first entry alone.
ERASED_ENTRY = "account.erased"  # The type of the last entry of an account.
ERASED_FIELD = "erased"  # Of that entry alone.
SALTS_BYTES = SALT_BYTES * (len(FIELDS) + 1)  # An entry has one field of its own at most.


class Opening(Discreet, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What opens one commitment: the salt (32 bytes, base64url) and the canonical value as text."""

    HIDDEN = frozenset({"salt", "value"})

    salt: str
    value: str


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry: ``leaf`` is public, ``label`` (32 bytes) unique; the rest is sealed or ours."""

    number: int
    leaf: bytes
    label: bytes
    events: tuple[Event, ...]
    openings: Mapping[str, Opening]
    evidence: bytes
    facts: bytes


class Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is kept, sealed, of an entry: its events, what opens its leaf, and the proof shown."""

    events: tuple[Event, ...]
    openings: dict[str, Opening]
    evidence: str = ""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Whose entry it is, who asked, and which policy version decided."""

    account_id: str
    actor: str
    policy: PolicyName


def entry_key(label_key: bytes, number: int) -> bytes:
    """Return the key of entry ``number``; a bundle discloses it, and never the label key."""
    return tagged_mac(label_key, "entry/v1", number.to_bytes(8, "big"))


def entry_label(key: bytes) -> bytes:
    """Return the public label (32 bytes) of the entry whose key is ``key``."""
    return tagged_mac(key, "label/v1")


def leaf_time(at: datetime) -> int:
    """Return an instant as a leaf tells it: milliseconds since 1970, rounded down."""
    return int(at.timestamp() * 1000)


def record(
    decision: Decision, chain: Chain, *, origin: Origin, at: datetime, salts: bytes
) -> tuple[Entry, Chain]:
    """Return the entry of ``decision`` as number ``chain.entries``, and the chain after it.

    ``salts`` are SALTS_BYTES random bytes; ``at`` is the time of the decision.
    """
    key = entry_key(from_b64url(chain.label_key, size=32), chain.entries)
    facts = decision.facts_bytes
    values = _values(decision, chain.entries, origin=origin, facts=facts)
    openings, commitments = {}, {}
    for place, (field, value) in enumerate(values.items()):
        salt = salts[place * SALT_BYTES : (place + 1) * SALT_BYTES]
        openings[field] = Opening(b64url(salt), value.decode("utf-8"))
        commitments[field] = b64url(commit(salt, field, value))
    label = entry_label(key)
    previous = from_b64url(chain.last_leaf)
    leaf = encode(
        {
            "at": leaf_time(at),
            "c": commitments,
            "dec": decision.answer,
            "lbl": b64url(label),
            "pol": origin.policy.digest,
            "prev": b64url(tagged_mac(key, "prev/v1", previous)),
            "t": decision.kind,
            "v": 1,
        }
    )
    entry = Entry(
        number=chain.entries,
        leaf=leaf,
        label=label,
        events=decision.events,
        openings=openings,
        evidence=decision.evidence,
        facts=facts,
    )
    after = replace(chain, entries=chain.entries + 1, last_leaf=b64url(leaf_hash(leaf)))
    return entry, after


def _values(decision: Decision, number: int, *, origin: Origin, facts: bytes) -> dict[str, bytes]:
    """Return the canonical bytes of every committed field: FIELDS in order, then its own."""
    values = {
        "account": encode(origin.account_id),
        "action": encode(decision.action_id),
        "actor": encode(origin.actor),
        "events": encode(events_digest(decision.events)),
        "facts": encode(facts_digest(facts)),
        "payload": decision.payload or b"null",
        "proofs": encode(decision.proofs),
        REASONS_FIELD: encode(reasons(decision.requirement)),
    }
    own = _OWN.get(decision.kind)
    if own is not None:
        field, value = own(decision)
        values[field] = value
    if decision.kind == ERASED_ENTRY:
        values[ERASED_FIELD] = erased_value(origin.account_id, number + 1)
    return values


def erased_value(account_id: str, entries: int) -> bytes:
    """Return what the last of ``entries`` entries says of the account that it erases."""
    return encode((account_id, entries))


def _spend(decision: Decision) -> tuple[str, bytes]:
    spent = [event for event in decision.events if isinstance(event, ActionSpent)]
    invariant(len(spent) == 1, "the entry of a spend is one")
    return SPEND_FIELD, encode((spent[0].spend_id, spent[0].fee_minor))


def _label_key(decision: Decision) -> tuple[str, bytes]:
    opened = [event for event in decision.events if isinstance(event, AccountOpened)]
    invariant(len(opened) == 1, "the entry of an opening is one")
    return LABEL_KEY_FIELD, encode(opened[0].account.chain.label_key)


_OWN: Mapping[str, Callable[[Decision], tuple[str, bytes]]] = MappingProxyType(
    {SPEND_ENTRY: _spend, "account.open": _label_key}
)


def facts_digest(facts: bytes) -> str:
    """Return the digest of a decision's facts in canonical bytes, base64url of 32 bytes."""
    return b64url(tagged_hash("facts/v1", facts))


def events_digest(events: tuple[Event, ...]) -> str:
    """Return the digest of a decision's events, base64url of 32 bytes."""
    return b64url(tagged_hash("events/v1", *(encode(event) for event in events)))


# --- Closed actions ---


class ClosedAction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An action that is over, and how it ended. A stream of its own, written once."""

    action: OpenAction
    ended: ClosingEvent
    entry: int
    policy: PolicyName


_CLOSING = (ActionSpent, ActionDone, ActionRefused, ActionVetoed, ActionLapsed)


def closed(
    before: State, decision: Decision, *, number: int, policy: PolicyName
) -> ClosedAction | None:
    """Return the action that ``decision`` closed as entry ``number``, or None."""
    ends = [event for event in decision.events if isinstance(event, _CLOSING)]
    if not ends:
        return None
    earlier = decision.events[: decision.events.index(ends[0])]
    action = apply_all(before, earlier).account.action(ends[0].action_id)
    return ClosedAction(action=action, ended=ends[0], entry=number, policy=policy)
