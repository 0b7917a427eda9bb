"""Who is told by signals: receivers that the operator named, and the streams that they made.

A receiver is the operator's own word, kept in a file beside the keyring. A stream is the
receiver's: which events, how they reach it, and about whom.

Always true (tests/unit/domain/test_transmitting_streams.py): a stream delivers what its receiver
asked for, and no kind that the operator did not allow it; messages go to an origin that the
operator named, and to no other; a subject is an account by its id, never a person by an address.

Source: OpenID SSF 1.0, 7 and 8; RFC 8935; RFC 8936; RFC 9493, 3.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

import msgspec

from twinlock.domain.bounds import TOLD_EVENTS_MOST
from twinlock.domain.discreet import Discreet
from twinlock.domain.errors import MalformedError, TwinlockError
from twinlock.domain.ids import AccountId, parse_account_id
from twinlock.domain.signals import KINDS
from twinlock.domain.transmitting.told import EMITTED, URIS
from twinlock.domain.webhooks.endpoints import Health
from twinlock.domain.webhooks.targets import Reach, WebhookUrlRefusedError, origin_of, parse_url

StreamId = NewType("StreamId", str)
ReceiverId = NewType("ReceiverId", str)
ALL = "*"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_AUDIENCE = re.compile(r"[!-~]{1,256}")
_STREAM_ID = re.compile(r"ssf_[a-z2-7]{26}")
_HEADER = re.compile(r"[ -~]{1,2048}")
TEXT_MOST = 256  # Characters of a description or a reason.


class ReceiverRefusedError(TwinlockError):
    """A receiver of signals that cannot be: the detail says why."""

    code = "signal_receiver_refused"
    status = 422


class ReceiverUnknownError(TwinlockError):
    """There is no such receiver of signals: `twinlock signals send list` tells them."""

    code = "signal_receiver_not_found"
    status = 404


class ReceiverTokenRefusedError(TwinlockError):
    """The bearer token is no receiver's: its operator and ours agree on one."""

    code = "signal_receiver_token_refused"
    status = 401


class ReceiversUnreadableError(TwinlockError):
    """The operator's list of receivers cannot be read, so nobody is one: the log says why."""

    code = "signal_receivers_unreadable"
    status = 503


class ToldStreamRefusedError(TwinlockError):
    """A stream of signals that its receiver cannot have: the detail says why."""

    code = "told_stream_refused"
    status = 400


class ToldStreamUnknownError(TwinlockError):
    """This receiver has no such stream of signals."""

    code = "told_stream_not_found"
    status = 404


class ToldStreamChangedError(TwinlockError):
    """Somebody else changed this stream of signals meanwhile: look at it, and ask again."""

    code = "told_stream_changed"
    status = 409


class ToldStreamsFullError(TwinlockError):
    """This receiver has as many streams of signals as it may: delete one, or change one."""

    code = "told_streams_full"
    status = 409


class VerifiedTooOftenError(TwinlockError):
    """A stream is verified once a minute at most, and not while as much waits as may."""

    code = "verified_too_often"
    status = 429
    retry_after = 60


class SignalKeyMissingError(TwinlockError):
    """No RSA key signs by RS256 yet: `twinlock keys rotate signals-rsa` makes one."""

    code = "signal_key_missing"
    status = 503


class TokenAlgorithm(StrEnum):
    """How tokens to a receiver are signed; the value is what tokens and keys say (RFC 7518, 3.1).

    RFC 8037 calls Ed25519 so, and receivers know it; RFC 9864's ``Ed25519`` few of them do yet.
    """

    EDDSA = "EdDSA"
    RS256 = "RS256"  # CAEP's interoperability profile 1.0 has receivers that take nothing else.


class Receiver(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who may make streams, as the operator named them.

    ``token_digest`` is the SHA-256 of their bearer token, base64url. ``events`` are kinds that they
    may be told, or ``*``. ``push_to`` are origins that messages may be pushed to.
    """

    receiver_id: ReceiverId
    name: str
    audience: str
    token_digest: str
    events: tuple[str, ...] = (ALL,)
    push_to: tuple[str, ...] = ()
    algorithm: TokenAlgorithm = TokenAlgorithm.EDDSA

    def allowed(self) -> frozenset[str]:
        """Return the types (URIs) of events that this receiver may be told of."""
        kinds = EMITTED if ALL in self.events else {one for one in EMITTED if one in self.events}
        return frozenset(URIS[kind] for kind in kinds)


def check_receiver(receiver: Receiver, *, reach: Reach) -> Receiver:
    """Return ``receiver``. Raises ReceiverRefusedError, WebhookUrlRefusedError."""
    if not _NAME.fullmatch(receiver.name):
        raise ReceiverRefusedError("a receiver's name: 1 to 32 of a to z, 0 to 9 and -")
    if not _AUDIENCE.fullmatch(receiver.audience):
        raise ReceiverRefusedError("an audience: 1 to 256 printable signs without spaces")
    unknown = set(receiver.events) - {ALL, *map(str, EMITTED)}
    if unknown or not receiver.events:
        known = ", ".join(sorted(EMITTED))
        raise ReceiverRefusedError(f"events that are told are: {known}")
    for origin in receiver.push_to:
        parse_url(origin, reach=reach)
        if origin_of(origin) != origin:
            raise ReceiverRefusedError("an origin is https://host[:port], without a path")
    return receiver


class Method(StrEnum):
    """How tokens reach a receiver (SSF, 6.1); the value is the standard's."""

    PUSH = "urn:ietf:rfc:8935"
    POLL = "urn:ietf:rfc:8936"


class StreamStatus(StrEnum):
    """What a stream does (SSF, 8.1.2): deliver, keep what it would deliver, or nothing."""

    ENABLED = "enabled"
    PAUSED = "paused"
    DISABLED = "disabled"


class ToldStream(Discreet, frozen=True, kw_only=True, omit_defaults=True):
    """A stream as its receiver made it. ``requested`` are types of events.

    ``authorization`` is the header that goes with a push; it and the URL may hold secrets.
    """

    HIDDEN = frozenset({"endpoint_url", "authorization"})

    stream_id: StreamId
    receiver_id: ReceiverId
    audience: str
    requested: tuple[str, ...]
    added_at: datetime
    method: Method = Method.POLL
    endpoint_url: str = ""
    authorization: str = ""
    description: str = ""

    def delivers(self, receiver: Receiver) -> frozenset[str]:
        """Return the types of events that are delivered (SSF, 8.1.1: ``events_delivered``)."""
        return receiver.allowed() & frozenset(self.requested)


class KeptStream(msgspec.Struct, frozen=True, kw_only=True):
    """A stream as it is kept: ``position`` is that of the next entry, ``waiting`` are tokens."""

    stream: ToldStream
    version: int
    status: StreamStatus
    position: int
    health: Health
    reason: str = ""
    waiting: int = 0
    dead: int = 0
    subjects: int = 0


class ClaimedStream(msgspec.Struct, frozen=True, kw_only=True):
    """A stream that this process alone works at, as long as its claim lasts."""

    kept: KeptStream
    claim: datetime


class Form(StrEnum):
    """How a receiver names accounts to us, and we to it (RFC 9493, 3.2)."""

    OPAQUE = "opaque"
    ISS_SUB = "iss_sub"


class Followed(msgspec.Struct, frozen=True, kw_only=True):
    """An account that a receiver added, and how it named it.

    ``since`` is the size of the log by then: nothing older is told.
    """

    account: AccountId
    form: Form
    since: int = 0


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A token that waits to be taken: its name and its claims, signed when it is sent."""

    jti: str
    claims: dict[str, Any]


class Queued(msgspec.Struct, frozen=True, kw_only=True):
    """A token that is to wait; ``subject`` is the account, or the stream, whose end is its end."""

    subject: str
    waiting: Waiting


class Attempted(msgspec.Struct, frozen=True, kw_only=True):
    """A token that was not taken: when it is tried again; None, never: it is dead, and kept."""

    jti: str
    attempts: int
    due_at: datetime | None
    fault: str


def parse_stream_id(text: str) -> StreamId:
    """Return ``text`` as a stream's id. Raises ToldStreamUnknownError."""
    if not _STREAM_ID.fullmatch(text):
        raise ToldStreamUnknownError("no stream has such an id")
    return StreamId(text)


def check_requested(events: Iterable[str]) -> tuple[str, ...]:
    """Return types of events, sorted and without doubles; types that nobody knows are dropped.

    Raises:
        ToldStreamRefusedError: too many.
    """
    asked = tuple(events)
    if len(asked) > TOLD_EVENTS_MOST:
        raise ToldStreamRefusedError(f"events_requested: {TOLD_EVENTS_MOST} at most")
    return tuple(sorted(set(asked) & set(KINDS)))


def check_push(url: str, authorization: str, *, receiver: Receiver, reach: Reach) -> None:
    """Return when tokens may be pushed there.

    Prevents: a receiver that has us send into a network that is open to our operator's webhooks.

    Raises:
        ToldStreamRefusedError: another origin than the operator named, a URL or header of no form.
    """
    try:
        parse_url(url, reach=reach)
    except WebhookUrlRefusedError as error:
        raise ToldStreamRefusedError(f"endpoint_url: {error}") from error
    if origin_of(url) not in receiver.push_to:
        raise ToldStreamRefusedError("endpoint_url: its origin is not agreed on with our operator")
    if authorization and not _HEADER.fullmatch(authorization):
        raise ToldStreamRefusedError("authorization_header: 1 to 2,048 printable characters")


def reaches(stream: ToldStream, receiver: Receiver) -> bool:
    """Say whether a stream leads nowhere but where the operator still has it lead."""
    return stream.method is Method.POLL or origin_of(stream.endpoint_url) in receiver.push_to


def check_text(text: str, name: str) -> str:
    """Return a text that a receiver gave. Raises ToldStreamRefusedError."""
    if len(text) > TEXT_MOST or not text.isprintable():
        raise ToldStreamRefusedError(f"{name}: {TEXT_MOST} printable characters at most")
    return text


def named_subject(subject: Mapping[str, Any], *, issuer: str) -> Followed | None:
    """Return the account that a subject identifier names, or None: an address never does.

    Prevents: a receiver that asks whose customer somebody is, or follows whoever it has heard of.

    Raises:
        ToldStreamRefusedError: it is no subject identifier (RFC 9493, 3).
    """
    match subject.get("format"):
        case "complex":
            user = subject.get("user")
            if not isinstance(user, dict) or user.get("format") == "complex":
                raise ToldStreamRefusedError("subject: a complex one names a user")
            return named_subject(user, issuer=issuer)
        case "opaque":
            return _subject(subject.get("id"), Form.OPAQUE)
        case "iss_sub":
            ours = subject.get("iss") == issuer
            return _subject(subject.get("sub"), Form.ISS_SUB) if ours else None
        case str():
            return None
        case _:
            raise ToldStreamRefusedError("subject: no format")


def _subject(value: object, form: Form) -> Followed | None:
    if not isinstance(value, str):
        return None
    try:
        return Followed(account=parse_account_id(value), form=form)
    except MalformedError:
        return None


def identifier(subject: Followed, *, issuer: str, session: str = "") -> dict[str, Any]:
    """Return the identifier by which a receiver named the account, and of a session beside it."""
    names: dict[str, str] = {"id": subject.account}
    if subject.form is Form.ISS_SUB:
        names = {"iss": issuer, "sub": subject.account}
    user: dict[str, Any] = {"format": subject.form.value, **names}
    if not session:
        return user
    named = {"format": Form.OPAQUE.value, "id": session}
    return {"format": "complex", "session": named, "user": user}
