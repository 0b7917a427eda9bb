"""What a receiver may ask: make and change its streams, name accounts, fetch and take tokens.

Always true (tests/integration/test_told_streams.py): whoever shows one receiver's token sees and
changes that receiver's streams alone; of an account that is not known here it is told nothing,
in the same words as of one that is.

Source: OpenID SSF 1.0, 7 and 8; RFC 8936, 2.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec.structs import replace

from twinlock.domain.bounds import (
    TOLD_ACKS_MOST,
    TOLD_AT_ONCE_MOST,
    TOLD_RS256_AT_ONCE_MOST,
    TOLD_STREAMS_MOST,
    TOLD_VERIFIED_EVERY,
)
from twinlock.domain.ids import tail
from twinlock.domain.signal_streams import VERIFICATION
from twinlock.domain.transmitting.streams import (
    KeptStream,
    Method,
    Receiver,
    StreamId,
    StreamStatus,
    TokenAlgorithm,
    ToldStream,
    ToldStreamChangedError,
    ToldStreamRefusedError,
    ToldStreamsFullError,
    ToldStreamUnknownError,
    VerifiedTooOftenError,
    Waiting,
    check_push,
    check_requested,
    check_text,
    named_subject,
    parse_stream_id,
)
from twinlock.domain.webhooks.endpoints import Disabled
from twinlock.domain.webhooks.targets import Reach
from twinlock.ports import Clock, Entropy
from twinlock.ports.transmitting import Receivers, StreamShelf, TokenKey, TokenSigner
from twinlock.proofs.set_signing import sign_set

_JTI = re.compile(r"set_[a-z2-7]{26}")  # As each token of ours is named.
_AT_ONCE = {
    TokenAlgorithm.EDDSA: TOLD_AT_ONCE_MOST,
    TokenAlgorithm.RS256: TOLD_RS256_AT_ONCE_MOST,
}
_STATES_MOST = 1_024  # Characters of a verification's state.
NOT_PUSHED: Mapping[Disabled, str] = MappingProxyType(
    {
        Disabled.GONE: "a push was answered with 410: enable it again",
        Disabled.FAILING: "pushes failed for days: enable it again",
    }
)


class StreamDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """How a receiver wants to be reached (SSF, 6.1); who says nothing of it polls (8.1.1.1).

    Prevents: a new address to push to, sent without its method, that ends the pushing.
    """

    method: Method
    endpoint_url: str = ""
    authorization_header: str = ""


class WantedStream(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A stream as a receiver asks for it (SSF, 8.1.1.1). Members without a name here are ignored.

    ``stream_id`` names the stream to change. The last five are ours to say: a change may repeat
    them, as they stand before it (8.1.1.3).
    """

    stream_id: str = ""
    events_requested: tuple[str, ...] | None = None
    delivery: StreamDelivery | None = None
    description: str | None = None
    iss: str | None = None
    aud: str | tuple[str, ...] | None = None
    events_supported: tuple[str, ...] | None = None
    events_delivered: tuple[str, ...] | None = None
    min_verification_interval: int | None = None


class DeliveryView(msgspec.Struct, frozen=True, kw_only=True):
    """How tokens reach a receiver (SSF, 6.1). The header is never told back."""

    method: Method
    endpoint_url: str


class StreamView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A stream as its receiver is told it (SSF, 8.1.1)."""

    stream_id: StreamId
    iss: str
    aud: str
    events_supported: tuple[str, ...]
    events_requested: tuple[str, ...]
    events_delivered: tuple[str, ...]
    delivery: DeliveryView
    min_verification_interval: int
    description: str = ""


class StatusView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a stream does (SSF, 8.1.2)."""

    stream_id: str
    status: StreamStatus
    reason: str = ""


class Polled(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An answer to a poll (RFC 8936, 2.3): tokens by their names, and whether there are more."""

    sets: dict[str, str]
    more_available: bool = False


class TokenRefusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a receiver refuses a token (RFC 8936, 2.2)."""

    err: str = ""
    description: str = ""


class Poll(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A poll (RFC 8936, 2.2): what was taken and refused, and how many more are wanted.

    It is answered at once, whatever ``return_immediately`` says.
    """

    max_events: int = TOLD_AT_ONCE_MOST
    return_immediately: bool = True
    ack: tuple[str, ...] = ()
    set_errs: dict[str, TokenRefusal] = {}


class Transmitting:
    """The use cases of receivers. ``issuer`` is how we name ourselves in tokens."""

    def __init__(  # noqa: PLR0913 - each is one thing that streams need
        self,
        shelf: StreamShelf,
        *,
        receivers: Receivers,
        signer: TokenSigner,
        issuer: str,
        reach: Reach,
        entropy: Entropy,
        clock: Clock,
    ) -> None:
        self._shelf = shelf
        self._receivers = receivers
        self._signer = signer
        self.issuer = issuer
        self._reach = reach
        self._entropy = entropy
        self._clock = clock

    def receiver(self, token: str) -> Receiver:
        """Return whose bearer token this is. Raises ReceiverTokenRefusedError."""
        return self._receivers.showing(token)

    def public_keys(self) -> tuple[TokenKey, ...]:
        """Return the keys by which tokens verify."""
        return self._signer.public_keys()

    # --- Streams ---

    async def create(self, receiver: Receiver, wanted: WantedStream) -> StreamView:
        """Make a stream; it is told of what is decided from now on, about nobody yet.

        Raises:
            ToldStreamRefusedError, ToldStreamsFullError: as they say.
        """
        stream = ToldStream(
            stream_id=StreamId(f"ssf_{tail(self._entropy.draw(16))}"),
            receiver_id=receiver.receiver_id,
            audience=receiver.audience,
            requested=(),
            added_at=self._clock.now(database_at=None),
        )
        made = self._with(stream, receiver, wanted)
        if not await self._shelf.add(made, most=TOLD_STREAMS_MOST):
            raise ToldStreamsFullError(f"a receiver has {TOLD_STREAMS_MOST} streams at most")
        return self._view(made, receiver)

    async def read(self, receiver: Receiver, stream_id: str) -> StreamView:
        """Return one of the receiver's streams. Raises ToldStreamUnknownError."""
        return self._view((await self._own(receiver, stream_id)).stream, receiver)

    async def listed(self, receiver: Receiver) -> list[StreamView]:
        """Return the receiver's streams, the oldest first."""
        kept = await self._shelf.listed(receiver.receiver_id)
        return [self._view(one.stream, receiver) for one in kept]

    async def update(
        self, receiver: Receiver, wanted: WantedStream, *, whole: bool = False
    ) -> StreamView:
        """Change what ``wanted`` names of a stream; the ``whole`` of it: what it does not name too.

        Prevents: of two who change it at once, one who is told that it is gone, and makes another.

        Raises:
            ToldStreamRefusedError, ToldStreamUnknownError, ToldStreamChangedError: as they say.
        """
        kept = await self._own(receiver, wanted.stream_id)
        before = kept.stream
        _check_ours(wanted, self._view(before, receiver))
        if whole:
            before = ToldStream(
                stream_id=before.stream_id,
                receiver_id=before.receiver_id,
                audience=receiver.audience,
                requested=(),
                added_at=before.added_at,
            )
        changed = self._with(before, receiver, wanted)
        try:
            await self._shelf.replace(changed, version=kept.version)
        except ToldStreamUnknownError as error:
            await self._own(receiver, wanted.stream_id)
            raise ToldStreamChangedError("this stream was changed just now") from error
        return self._view(changed, receiver)

    async def delete(self, receiver: Receiver, stream_id: str) -> None:
        """Forget a stream, its subjects, and what waits. Raises ToldStreamUnknownError."""
        await self._shelf.remove((await self._own(receiver, stream_id)).stream.stream_id)

    def _with(self, stream: ToldStream, receiver: Receiver, wanted: WantedStream) -> ToldStream:
        made = stream
        if wanted.events_requested is not None:
            made = replace(made, requested=check_requested(wanted.events_requested))
        if wanted.description is not None:
            made = replace(made, description=check_text(wanted.description, "description"))
        delivery = wanted.delivery
        if delivery is None:
            return made
        if delivery.method is Method.POLL:  # Its URL is ours to say (SSF, 6.1.2).
            return replace(made, method=Method.POLL, endpoint_url="", authorization="")
        url, header = delivery.endpoint_url, delivery.authorization_header
        check_push(url, header, receiver=receiver, reach=self._reach)
        return replace(made, method=Method.PUSH, endpoint_url=url, authorization=header)

    async def _own(self, receiver: Receiver, stream_id: str) -> KeptStream:
        """Return one of the receiver's streams: another's is not told from none."""
        kept = await self._shelf.read(parse_stream_id(stream_id))
        if kept.stream.receiver_id != receiver.receiver_id:
            raise ToldStreamUnknownError("no such stream")
        return kept

    def _view(self, stream: ToldStream, receiver: Receiver) -> StreamView:
        url = stream.endpoint_url or f"{self.issuer}/v1/ssf/poll/{stream.stream_id}"
        return StreamView(
            stream_id=stream.stream_id,
            iss=self.issuer,
            aud=stream.audience,
            events_supported=tuple(sorted(receiver.allowed())),  # "For this Receiver" (8.1.1).
            events_requested=stream.requested,
            events_delivered=tuple(sorted(stream.delivers(receiver))),
            delivery=DeliveryView(method=stream.method, endpoint_url=url),
            min_verification_interval=int(TOLD_VERIFIED_EVERY.total_seconds()),
            description=stream.description,
        )

    # --- Status ---

    async def status(self, receiver: Receiver, stream_id: str) -> StatusView:
        """Return what a stream does: one of which nothing is pushed any more is paused, by us.

        Raises:
            ToldStreamUnknownError: this receiver has no such stream.
        """
        kept = await self._own(receiver, stream_id)
        status, reason = kept.status, kept.reason
        if status is StreamStatus.ENABLED and kept.health.disabled is not None:
            status, reason = StreamStatus.PAUSED, NOT_PUSHED[kept.health.disabled]
        return StatusView(stream_id=kept.stream.stream_id, status=status, reason=reason)

    async def set_status(self, receiver: Receiver, wanted: StatusView) -> StatusView:
        """Have a stream deliver, keep, or do nothing.

        Raises:
            ToldStreamUnknownError, ToldStreamRefusedError: as they say.
        """
        kept = await self._own(receiver, wanted.stream_id)
        reason = check_text(wanted.reason, "reason")
        await self._shelf.set_status(kept.stream.stream_id, wanted.status, reason=reason)
        return replace(wanted, stream_id=kept.stream.stream_id)

    # --- Subjects ---

    async def add_subject(
        self, receiver: Receiver, stream_id: str, subject: dict[str, Any]
    ) -> None:
        """Tell a stream of an account from now on. Whether there is one, nobody learns.

        Raises:
            ToldStreamUnknownError, ToldStreamRefusedError: as they say.
        """
        kept = await self._own(receiver, stream_id)
        named = named_subject(subject, issuer=self.issuer)
        if named is not None:
            now = self._clock.now(database_at=None)
            await self._shelf.add_subject(kept.stream.stream_id, named, now=now)

    async def remove_subject(
        self, receiver: Receiver, stream_id: str, subject: dict[str, Any]
    ) -> None:
        """Tell a stream of an account no more.

        Raises:
            ToldStreamUnknownError, ToldStreamRefusedError: as they say.
        """
        kept = await self._own(receiver, stream_id)
        named = named_subject(subject, issuer=self.issuer)
        if named is not None:
            await self._shelf.remove_subject(kept.stream.stream_id, named.account)

    # --- Tokens ---

    async def verify(self, receiver: Receiver, stream_id: str, *, state: str) -> None:
        """Send a token that says nothing but ``state`` (SSF, 8.1.4).

        Raises:
            ToldStreamUnknownError, ToldStreamRefusedError, VerifiedTooOftenError: as they say.
        """
        if len(state) > _STATES_MOST:
            raise ToldStreamRefusedError(f"state: {_STATES_MOST} characters at most")
        kept = await self._own(receiver, stream_id)
        named, now = kept.stream.stream_id, self._clock.now(database_at=None)
        token = claims_of(
            kept.stream,
            issuer=self.issuer,
            jti=f"set_{tail(self._entropy.draw(16))}",
            iat=int(now.timestamp()),
            event=VERIFICATION,
            claims={"state": state} if state else {},
            subject={"format": "opaque", "id": named},
        )
        before = now - TOLD_VERIFIED_EVERY
        if not await self._shelf.verify(named, token, now=now, before=before):
            raise VerifiedTooOftenError("once a minute at most, and not while too much waits")

    async def poll(self, receiver: Receiver, stream_id: str, poll: Poll) -> Polled:
        """Forget what was taken or refused, and return what waits (RFC 8936, 2.4).

        Raises:
            ToldStreamUnknownError, ToldStreamRefusedError, SignalKeyMissingError: as they say.
        """
        if poll.max_events < 0:
            raise ToldStreamRefusedError("maxEvents: 0 or more")
        if len(poll.ack) + len(poll.set_errs) > TOLD_ACKS_MOST:
            raise ToldStreamRefusedError(f"a poll names {TOLD_ACKS_MOST} tokens at most")
        kept = await self._own(receiver, stream_id)
        if kept.stream.method is not Method.POLL:
            raise ToldStreamRefusedError("this stream is pushed")
        signer = self._signer.by(receiver.algorithm)
        at_once = _AT_ONCE[receiver.algorithm]
        most = min(poll.max_events, at_once) if kept.status is StreamStatus.ENABLED else 0
        found, more = await self._shelf.take(
            kept.stream.stream_id,
            taken=tuple(jti for jti in poll.ack if _JTI.fullmatch(jti)),
            refused={
                jti: "".join(filter(str.isprintable, one.err[:64]))
                for jti, one in poll.set_errs.items()
                if _JTI.fullmatch(jti)
            },
            most=most,
        )
        sets = {one.jti: sign_set(one.claims, signer=signer) for one in found}
        return Polled(sets=sets, more_available=more)


def _check_ours(wanted: WantedStream, stands: StreamView) -> None:
    """Return where what a receiver repeats of ours is so (SSF, 8.1.1.3). Lists have no order.

    Prevents: a receiver that is told 200, and believes that its audience is another one now.

    Raises:
        ToldStreamRefusedError: something of ours is said to be otherwise.
    """
    pairs = {
        "iss": (wanted.iss, stands.iss),
        "aud": (wanted.aud, (stands.aud,) if isinstance(wanted.aud, tuple) else stands.aud),
        "events_supported": (wanted.events_supported, stands.events_supported),
        "events_delivered": (wanted.events_delivered, stands.events_delivered),
        "min_verification_interval": (
            wanted.min_verification_interval,
            stands.min_verification_interval,
        ),
    }
    for name, (said, is_so) in pairs.items():
        if said is not None and _unordered(said) != _unordered(is_so):
            raise ToldStreamRefusedError(f"{name}: it is ours to say, and another")


def _unordered(value: object) -> object:
    return frozenset(value) if isinstance(value, tuple) else value


def claims_of(  # noqa: PLR0913 - each is a claim of RFC 8417, 2.2
    stream: ToldStream,
    *,
    issuer: str,
    jti: str,
    iat: int,
    event: str,
    claims: dict[str, Any],
    subject: dict[str, Any],
) -> Waiting:
    """Return a token to be signed (RFC 8417, 2.2; SSF, 4.1); ``iat`` in POSIX seconds."""
    told = {
        "aud": stream.audience,
        "events": {event: claims},
        "iat": iat,
        "iss": issuer,
        "jti": jti,
        "sub_id": subject,
    }
    return Waiting(jti=jti, claims=told)
