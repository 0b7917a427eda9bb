"""What platforms are told of, unasked: one message for every outcome of the gate.

A message follows from an entry of the log, and from nothing else: making it again gives the same
bytes and the same id. It names the account and the action and points to the API; it holds no
address, label, sum or secret.

Always true (tests/unit/domain/test_webhooks.py, tests/property/test_webhook_messages.py): every
entry gives one message or none, its id is that of the entry alone, and everything it says was
opened against the entry's public leaf; the account of an erasure, by whoever reads its mark.

Source: Standard Webhooks 1.0.0 (the form of ids, types and bodies).
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from twinlock.domain.account import ActionState
from twinlock.domain.actions import AnyPayload, type_of
from twinlock.domain.answers import ended_as
from twinlock.domain.canonical import b64url, commit, encode, from_b64url, tagged_hash
from twinlock.domain.disputes import instant
from twinlock.domain.duress import rings
from twinlock.domain.entries import Kept, events_digest
from twinlock.domain.errors import LogDamagedError, MalformedError, TwinlockError
from twinlock.domain.events import (
    AccountOpened,
    ActionAuthorized,
    ActionHeld,
    ActionProposed,
    CandidateOffered,
    ChallengeIssued,
    ClosingEvent,
    ContestOpened,
    DestinationAdded,
    Event,
    HoldPlaced,
    NewcomerRepudiated,
    ProofAccepted,
    ProofRefused,
    SessionEnded,
)
from twinlock.domain.holds import PICKED
from twinlock.domain.ids import tail
from twinlock.domain.log.merkle import leaf_hash
from twinlock.domain.officers.platform import read_leaf
from twinlock.domain.outside_events import AccountReleased, AccountSuspended, ReleaseAgreed
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer

T = TypeVar("T")
PATTERNS_MOST = 16  # There are some twenty types.


class WebhookPatternError(TwinlockError):
    """No message has a type of this pattern: docs/webhooks.md lists the types."""

    code = "webhook_pattern_wrong"
    status = 422


# --- Types ---


class MessageType(StrEnum):
    """What a message tells of; the value is the ``type`` of its body, and never changes."""

    ACTION_ALLOWED = "action.allowed"
    ACTION_AUTHORIZED = "action.authorized"
    ACTION_CHALLENGED = "action.challenged"
    ACTION_DENIED = "action.denied"
    ACTION_DONE = "action.done"
    ACTION_HELD = "action.held"
    ACTION_IN_REVIEW = "action.in_review"
    ACTION_LAPSED = "action.lapsed"
    ACTION_PROOF_REFUSED = "action.proof_refused"
    ACTION_READ_ONLY = "action.read_only"
    ACTION_REFUSED = "action.refused"
    ACTION_REPUDIATED = "action.repudiated"
    ACTION_SPENT = "action.spent"
    ACTION_VETOED = "action.vetoed"
    ACCOUNT_ERASED = "account.erased"
    ACCOUNT_OPENED = "account.opened"
    ACCOUNT_RELEASE_AGREED = "account.release_agreed"
    ACCOUNT_RELEASED = "account.released"
    ACCOUNT_SUSPENDED = "account.suspended"
    ALARM_DURESS = "alarm.duress"
    DESTINATION_IMPORTED = "destination.imported"
    NOTICE_DESKTOP = "notice.desktop"
    NOTICE_SMS = "notice.sms"
    OFFICERS_ACTED = "officers.acted"
    SESSION_ENDED = "session.ended"
    WEBHOOK_TEST = "webhook.test"


TYPES: Mapping[MessageType, str] = MappingProxyType(
    {
        MessageType.ACTION_ALLOWED: "Nothing is missing, and nothing new follows from it.",
        MessageType.ACTION_AUTHORIZED: "An exit was decided yes, and waits for its spend.",
        MessageType.ACTION_CHALLENGED: "A proof is missing, or a stronger one.",
        MessageType.ACTION_DENIED: (
            "What was asked for an action was refused: a question, a spend, a no of somebody who "
            "is not entitled. It stands as it stood."
        ),
        MessageType.ACTION_DONE: "It took effect: at once, or settled when its waits were over.",
        MessageType.ACTION_HELD: "It must wait. With `until` the wait runs; without, it begins "
        "with the proof.",
        MessageType.ACTION_IN_REVIEW: "People must agree to it.",
        MessageType.ACTION_LAPSED: (
            "It is over: nobody finished it in time, or before newer ones took its place."
        ),
        MessageType.ACTION_PROOF_REFUSED: "A proof was wrong. The action is not over.",
        MessageType.ACTION_READ_ONLY: "A sign-in below the floor: a session that may look, freeze "
        "and veto.",
        MessageType.ACTION_REFUSED: "It is over: nothing lifts what stands against it.",
        MessageType.ACTION_REPUDIATED: (
            "Somebody older said of what it had bound that it was not theirs: that is undone, and "
            "what was done with it."
        ),
        MessageType.ACTION_SPENT: "The exit was handed to the signer, once and for all.",
        MessageType.ACTION_VETOED: "It is over: somebody entitled said no.",
        MessageType.ACCOUNT_ERASED: "An account was erased; nothing of it is left but this id.",
        MessageType.ACCOUNT_OPENED: "An account was opened.",
        MessageType.ACCOUNT_RELEASE_AGREED: "An officer agreed that an account's suspension ends; "
        "it takes a second one (officers.md).",
        MessageType.ACCOUNT_RELEASED: "Officers ended an account's suspension.",
        MessageType.ACCOUNT_SUSPENDED: "An officer stopped every exit of an account, until `until` "
        "at the latest (officers.md).",
        MessageType.ALARM_DURESS: "An authenticator for duress was used (duress.md): somebody may "
        "be forced right now. For the security desk alone: an endpoint of it is told of nothing "
        "else, and `*` does not name it.",
        MessageType.DESTINATION_IMPORTED: "A destination was taken over from an older system, "
        "unproved.",
        MessageType.NOTICE_DESKTOP: "A notice to the customer's own program on a computer, to be "
        "carried there (notices.md). `*` does not name it.",
        MessageType.NOTICE_SMS: "A notice to the customer's telephone, to be sent by SMS "
        "(notices.md). `*` does not name it.",
        MessageType.OFFICERS_ACTED: "An officer halted everything, agreed to a resume or to other "
        "officers, or spoke of a policy version (officers.md); `act` holds what was said. It names "
        "no account.",
        MessageType.SESSION_ENDED: "A session of the account was ended.",
        MessageType.WEBHOOK_TEST: "Sent by `twinlock webhook test`, to one endpoint, once; it "
        "tells of nothing.",
    }
)

_BY_ANSWER: Mapping[Answer, MessageType] = MappingProxyType(
    {
        Answer.ALLOW: MessageType.ACTION_ALLOWED,
        Answer.READ_ONLY: MessageType.ACTION_READ_ONLY,
        Answer.CHALLENGE: MessageType.ACTION_CHALLENGED,
        Answer.HOLD: MessageType.ACTION_HELD,
        Answer.REVIEW: MessageType.ACTION_IN_REVIEW,
        Answer.DENY: MessageType.ACTION_DENIED,
    }
)
# Of decisions about no action.
_OF_ACCOUNTS: Mapping[type, MessageType] = MappingProxyType(
    {
        AccountOpened: MessageType.ACCOUNT_OPENED,
        AccountReleased: MessageType.ACCOUNT_RELEASED,
        AccountSuspended: MessageType.ACCOUNT_SUSPENDED,
        ReleaseAgreed: MessageType.ACCOUNT_RELEASE_AGREED,
        DestinationAdded: MessageType.DESTINATION_IMPORTED,
        SessionEnded: MessageType.SESSION_ENDED,
    }
)
ALL = "*"
_PATTERN = re.compile(r"[a-z_]+(?:\.[a-z_]+)*(?:\.\*)?|\*")


def check_patterns(patterns: Iterable[str]) -> tuple[str, ...]:
    """Return ``patterns``, sorted and without doubles.

    A pattern is a type, a type's first words and ``.*``, or ``*`` for all.

    Raises:
        WebhookPatternError: one has another form, or fits no type; there are none, or too many.
    """
    asked = tuple(sorted(set(patterns)))
    if not 1 <= len(asked) <= PATTERNS_MOST:
        raise WebhookPatternError(f"give 1 to {PATTERNS_MOST} patterns")
    for pattern in asked:
        if not _PATTERN.fullmatch(pattern) or not any(_fits(pattern, one) for one in MessageType):
            types = ", ".join(sorted(MessageType))
            raise WebhookPatternError(f"no message has a type of such a pattern: there are {types}")
    if is_desks(asked) and asked != (MessageType.ALARM_DURESS,):
        raise WebhookPatternError(f"an endpoint for {MessageType.ALARM_DURESS} gets nothing else")
    return asked


def is_desks(patterns: Iterable[str]) -> bool:
    """Say whether an endpoint is the security desk's: it gets alarms, and no outcomes."""
    return carries(patterns, MessageType.ALARM_DURESS)


def wants(patterns: Iterable[str], kind: MessageType) -> bool:
    """Say whether one of ``patterns`` fits a message of type ``kind``."""
    return any(_fits(pattern, kind) for pattern in patterns)


def carries(patterns: Iterable[str], kind: MessageType) -> bool:
    """Say whether an endpoint was asked by name to carry messages of type ``kind`` to customers.

    Prevents: a receiver of outcomes that is sent addresses and links, since it asked for all.
    """
    return wants([pattern for pattern in patterns if pattern != ALL], kind)


def _fits(pattern: str, kind: str) -> bool:
    if pattern == ALL:
        return True
    if pattern.endswith(".*"):
        return kind.startswith(pattern[:-1])
    return pattern == kind


# --- Messages ---


class LogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry by its place in the log.

    ``kept`` is None where its person has been erased; ``account_id`` then names the account in the
    entry that erased it, and nobody in all others.
    """

    index: int
    account_id: str
    leaf: bytes
    kept: Kept | None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message: its id and body are the same each time it is made. ``at`` is the decision's."""

    message_id: str
    kind: MessageType
    body: bytes
    index: int
    at: datetime


class _Leaf(msgspec.Struct, frozen=True, kw_only=True):
    """Of a public leaf, what a message repeats and what opens it."""

    at: int
    c: dict[str, str]
    dec: Answer
    pol: str


class _Timed(msgspec.Struct, frozen=True, kw_only=True):
    """Of any leaf, when it was written: of nobody's, too."""

    at: int


class _Data(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a message says, in the API's own words. Instants are UTC."""

    account_id: str
    answer: Answer
    index: int
    policy_digest: str
    action_id: str = ""
    type: str = ""
    state: str = ""
    until: datetime | None = None
    reasons: tuple[Reason, ...] = ()


class _Body(msgspec.Struct, frozen=True, kw_only=True):
    type: MessageType
    timestamp: datetime
    data: _Data | dict[str, Any]


_LEAF = msgspec.json.Decoder(_Leaf)
_TIMED = msgspec.json.Decoder(_Timed)
_PAYLOAD = msgspec.json.Decoder(AnyPayload | None)
_REASONS = msgspec.json.Decoder(tuple[Reason, ...])
_TEXT = msgspec.json.Decoder(str)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def message_of(entry: LogEntry) -> Message | None:
    """Return the message of an entry, or None for one that tells of no outcome.

    No outcome are questions (a code or a challenge that was sent), what was offered to be bound,
    and commands that changed nothing about an account.

    Raises:
        LogDamagedError: what is kept of the entry is not what its leaf commits to.
    """
    if entry.kept is None:
        return _erased(entry) if entry.account_id else _acted(entry)
    data = _data(entry, entry.kept)
    kind = _kind(data.action_id, data.answer, entry.kept.events)
    return None if kind is None else _message(entry, kind, message_id(entry.leaf), data)


def alarm_of(entry: LogEntry) -> Message | None:
    """Return the alarm of an entry, or None where it tells of nobody who was forced.

    It follows from the entry as every message does: nothing more is written when somebody is
    forced. Prevents: telling it by the clock, or by a row that is there. Its end is that of the
    hold that began. Prevents: a desk that takes another wait, or none, for it.

    Raises:
        LogDamagedError: what is kept of the entry is not what its leaf commits to.
    """
    kept = entry.kept
    if kept is None or not any(_is_forced(event) for event in kept.events):
        return None
    data = replace(_data(entry, kept), until=_picked_until(kept.events))
    opened = _decoded(_TEXT, _opened(_leaf(entry.leaf), kept, "events"))
    if opened != events_digest(kept.events):
        raise LogDamagedError("an entry is not of its events")
    named = f"msg_{tail(tagged_hash('alarm/v1', entry.leaf)[:16])}"
    return _message(entry, MessageType.ALARM_DURESS, named, data)


def _data(entry: LogEntry, kept: Kept) -> _Data:
    """Return what is told of ``entry``, each opened against its leaf. Raises LogDamagedError.

    An entry about no action commits to other words in the place of a payload: to an officer's.
    """
    leaf = _leaf(entry.leaf)
    opened = {name: _opened(leaf, kept, name) for name in ("account", "action", "payload")}
    if _decoded(_TEXT, opened["account"]) != entry.account_id:
        raise LogDamagedError("an entry is not that of its account")
    action_id = _decoded(_TEXT, opened["action"])
    payload = _decoded(_PAYLOAD, opened["payload"]) if action_id else None
    return _Data(
        account_id=entry.account_id,
        action_id=action_id,
        type="" if payload is None else type_of(payload),
        answer=leaf.dec,
        state=_state(kept.events),
        until=_until(kept.events),
        reasons=_decoded(_REASONS, _opened(leaf, kept, "reasons")),
        index=entry.index,
        policy_digest=leaf.pol,
    )


def _message(
    entry: LogEntry, kind: MessageType, named: str, data: _Data | dict[str, Any]
) -> Message:
    at = leaf_time(entry.leaf)
    body = encode(_Body(type=kind, timestamp=at, data=data))
    return Message(message_id=named, kind=kind, body=body, index=entry.index, at=at)


def _is_forced(event: Event) -> bool:
    return isinstance(event, ProofAccepted) and rings(event.seal)


def _picked_until(events: tuple[Event, ...]) -> datetime | None:
    holds = (event.hold for event in events if isinstance(event, HoldPlaced))
    return next((one.ends_at for one in holds if one.because == PICKED), None)


def _erased(entry: LogEntry) -> Message:
    """Return the message of an erasure; what would open its leaf is destroyed."""
    leaf = _leaf(entry.leaf)
    data = _Data(
        account_id=entry.account_id, answer=leaf.dec, index=entry.index, policy_digest=leaf.pol
    )
    return _message(entry, MessageType.ACCOUNT_ERASED, message_id(entry.leaf), data)


def _acted(entry: LogEntry) -> Message | None:
    """Return the message of an officer's act, or None where the leaf is nobody's any more.

    Prevents: two who make themselves the only officers, or end a halt, before anybody looks.
    """
    leaf = read_leaf(entry.leaf)
    if leaf is None:
        return None
    said = None if leaf.signed is None else leaf.signed.said
    data = {
        "act": None if said is None else said.act,
        "index": entry.index,
        "number": leaf.n,
        "officer": "" if said is None else said.officer,
        "officers": leaf.officers,
    }
    return _message(entry, MessageType.OFFICERS_ACTED, message_id(entry.leaf), data)


def message_id(leaf: bytes) -> str:
    """Return the id of an entry's message: a name of its leaf's hash."""
    return f"msg_{tail(leaf_hash(leaf)[:16])}"


def leaf_time(leaf: bytes) -> datetime:
    """Return when this public leaf was written, whoever's it is. Raises LogDamagedError."""
    return _EPOCH + timedelta(milliseconds=_read(_TIMED, leaf).at)


def trial_message(webhook_id: str, *, random: bytes, at: datetime) -> Message:
    """Return a message that tells of nothing; ``random`` are 16 bytes."""
    kind = MessageType.WEBHOOK_TEST
    body = _Body(type=kind, timestamp=at, data={"webhook_id": webhook_id})
    return Message(message_id=f"msg_{tail(random)}", kind=kind, body=encode(body), index=-1, at=at)


def _leaf(data: bytes) -> _Leaf:
    return _read(_LEAF, data)


def _read(decoder: "msgspec.json.Decoder[T]", leaf: bytes) -> T:
    try:
        return decoder.decode(leaf)
    except msgspec.MsgspecError as error:
        raise LogDamagedError("a leaf is not of the form of one") from error


def _opened(leaf: _Leaf, kept: Kept, field: str) -> bytes:
    """Return the value of ``field`` when the leaf commits to it. Raises LogDamagedError."""
    opening = kept.openings.get(field)
    if opening is not None:
        value = opening.value.encode("utf-8")
        try:
            if leaf.c.get(field) == b64url(
                commit(from_b64url(opening.salt, size=32), field, value)
            ):
                return value
        except MalformedError as error:
            raise LogDamagedError("what opens a leaf is not of the form of it") from error
    raise LogDamagedError("a leaf is not that of its entry")


def _decoded(decoder: "msgspec.json.Decoder[Any]", value: bytes) -> Any:  # noqa: ANN401 - by decoder
    try:
        return decoder.decode(value)
    except msgspec.MsgspecError as error:
        raise LogDamagedError("a leaf commits to what no entry says") from error


def _kind(action_id: str, said: Answer, events: tuple[Event, ...]) -> MessageType | None:
    if not action_id:
        of_account = (_OF_ACCOUNTS.get(type(event)) for event in events)
        return next((kind for kind in of_account if kind is not None), None)
    if any(isinstance(event, ChallengeIssued | CandidateOffered) for event in events):
        return None
    state = _state(events)
    if state not in ("", ActionState.OPEN):
        return MessageType(f"action.{state}")
    if any(isinstance(event, ProofRefused) for event in events):
        return MessageType.ACTION_PROOF_REFUSED
    if any(isinstance(event, NewcomerRepudiated) for event in events):
        return MessageType.ACTION_REPUDIATED
    return _BY_ANSWER[said]


def _state(events: tuple[Event, ...]) -> str:
    """Return where the action stands after ``events``, or nothing where they do not tell."""
    for event in reversed(events):
        if isinstance(event, ClosingEvent):
            return ended_as(event)
        if isinstance(event, ActionAuthorized):
            return ActionState.AUTHORIZED.value
        if isinstance(event, ActionHeld | ActionProposed | ContestOpened):
            return ActionState.OPEN.value
    return ""


def _until(events: tuple[Event, ...]) -> datetime | None:
    """Return when the wait that was told is over: the one that must pass, or that stands alone."""
    for event in events:
        if isinstance(event, ContestOpened):
            return instant(event.contest.ends_at)
        if isinstance(event, AccountSuspended):
            return event.suspension.end
    waits = [event for event in events if isinstance(event, ActionHeld)]
    must = [event.until for event in waits if not event.choice]
    return next(iter(must or [event.until for event in waits]), None)
