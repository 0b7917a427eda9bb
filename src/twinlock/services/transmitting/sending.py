"""One turn at one stream: what the log has new is kept for it, then what is due is pushed.

The log is where signals come from, so that none is told of what was not committed, and none is left
out: a token is kept in the transaction that moves the stream's position. What waits is bounded; the
rest stays in the log, in order.

Always true (tests/integration/test_told_sending.py): a stream is told of accounts that its receiver
added, and of no event that is not delivered on it; a token keeps its name however often it is sent;
nothing is pushed on a stream that is paused, disabled, or whose receiver the operator removed, nor
to an origin that the operator took from it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from twinlock.domain.bounds import TOLD_WAITING_MOST
from twinlock.domain.canonical import tagged_hash
from twinlock.domain.errors import present
from twinlock.domain.ids import AccountId, tail
from twinlock.domain.signal_streams import UPDATED
from twinlock.domain.transmitting.streams import (
    Attempted,
    ClaimedStream,
    Followed,
    Method,
    Queued,
    Receiver,
    ReceiverUnknownError,
    StreamStatus,
    Waiting,
    identifier,
    reaches,
)
from twinlock.domain.transmitting.told import URIS, ToldEvent, name_of, told_of
from twinlock.domain.webhooks.endpoints import Disabled, Fault, Health, after_failure, next_try
from twinlock.domain.webhooks.outcomes import LogEntry
from twinlock.ports import Clock, Entropy
from twinlock.ports.transmitting import (
    Receivers,
    StreamShelf,
    TokenSigner,
    TokenSigning,
    TransmitReport,
)
from twinlock.ports.webhooks import WebhookPost, WebhookSession
from twinlock.proofs.set_signing import sign_set
from twinlock.services.transmitting.managing import NOT_PUSHED, claims_of

TURN_SECONDS = 3.0  # No attempt is begun later; another process may be at the stream's next turn.
READ_MOST = 64  # Entries at once: 100 KB in memory.
PUSH_MOST = 32  # Tokens between two notes of how it went: so many are sent twice after a kill.
REFUSED = 400  # RFC 8935, 2.4: the receiver will not take this token, however often it comes.
TYPE = "application/secevent+jwt"


class _Push(msgspec.Struct, frozen=True, kw_only=True):
    body: bytes


@dataclass(slots=True)
class _Turn:
    claimed: ClaimedStream
    receiver: Receiver
    signer: TokenSigning
    health: Health
    position: int
    until: float
    sent: list[str] = field(default_factory=list)
    tried: list[Attempted] = field(default_factory=list)


class SignalSending:
    """Keeps and pushes what streams are to be told. ``seconds`` is a clock that nobody sets."""

    def __init__(  # noqa: PLR0913 - each is one thing that sending needs
        self,
        shelf: StreamShelf,
        *,
        receivers: Receivers,
        signer: TokenSigner,
        issuer: str,
        post: WebhookPost,
        report: TransmitReport,
        entropy: Entropy,
        clock: Clock,
        seconds: Callable[[], float],
    ) -> None:
        self._shelf = shelf
        self._receivers = receivers
        self._signer = signer
        self._issuer = issuer
        self._post = post
        self._report = report
        self._entropy = entropy
        self._clock = clock
        self._seconds = seconds

    async def turn(self, claimed: ClaimedStream) -> None:
        """Follow the log for a claimed stream, push what is due, and give it back.

        Raises:
            ClockUntrustedError, UnavailableError: nothing more can be kept or sent just now.
            LogDamagedError, SealBrokenError: the log is not what was written.
            SignalKeyMissingError: nothing signs for this receiver. Its claim keeps it quiet.
        """
        kept = claimed.kept
        try:
            receiver = self._receivers.find(kept.stream.receiver_id)
        except ReceiverUnknownError:
            return  # Its claim keeps it quiet for a while: nobody is told, and nothing is lost.
        if not reaches(kept.stream, receiver):
            return  # The same.
        until = self._seconds() + TURN_SECONDS
        signer = self._signer.by(receiver.algorithm)
        turn = _Turn(
            claimed=claimed,
            receiver=receiver,
            signer=signer,
            health=kept.health,
            position=kept.position,
            until=until,
        )
        try:
            ours = await self._follow(turn)
            if ours and kept.stream.method is Method.PUSH and kept.status is StreamStatus.ENABLED:
                await self._push(turn)
        finally:
            await self._note(turn, done=True)

    # --- What is new ---

    async def _follow(self, turn: _Turn) -> bool:
        """Keep what the log has new; say whether the claim is still ours."""
        waiting = turn.claimed.kept.waiting
        while waiting < TOLD_WAITING_MOST and self._seconds() < turn.until:
            entries = await self._shelf.entries(start=turn.position, count=READ_MOST)
            if not entries:
                return True
            drafts = await self._drafts(turn, entries)
            position, waiting = entries[-1].index + 1, waiting + len(drafts)
            gone = [one.account_id for one in entries if one.kept is None and one.account_id]
            if not await self._shelf.queue(
                turn.claimed,
                drafts,
                position=position,
                gone=gone,
                now=self._clock.now(database_at=None),
            ):
                return False
            turn.position = position
        return True

    async def _drafts(self, turn: _Turn, entries: tuple[LogEntry, ...]) -> list[Queued]:
        told = {entry.index: told_of(entry) for entry in entries}
        about = [one for one in entries if told[one.index]]
        accounts = {AccountId(one.account_id) for one in about}
        stream = turn.claimed.kept.stream
        known: Mapping[AccountId, Followed] = {}
        if accounts:
            known = await self._shelf.subjects(stream.stream_id, accounts)
        delivered = stream.delivers(turn.receiver)
        return [
            self._draft(turn, entry, subject, one, number)
            for entry in about
            for number, one in enumerate(told[entry.index])
            if (subject := known.get(AccountId(entry.account_id))) is not None
            and entry.index >= subject.since
            and URIS[one.kind] in delivered
        ]

    def _draft(
        self, turn: _Turn, entry: LogEntry, subject: Followed, told: ToldEvent, number: int
    ) -> Queued:
        stream = turn.claimed.kept.stream
        waiting = claims_of(
            stream,
            issuer=self._issuer,
            jti=name_of(stream.stream_id, entry.leaf, number),
            iat=int(self._clock.now(database_at=None).timestamp()),
            event=URIS[told.kind],
            claims=told.claims,
            subject=identifier(subject, issuer=self._issuer, session=told.session),
        )
        erased = entry.kept is None  # Its key is gone; the token is the stream's.
        return Queued(subject=stream.stream_id if erased else subject.account, waiting=waiting)

    # --- What is due ---

    async def _push(self, turn: _Turn) -> None:
        stream = turn.claimed.kept.stream
        async with self._post.session(stream.endpoint_url) as session:
            while not self._over(turn):
                now = self._clock.now(database_at=None)
                due = await self._shelf.due(turn.claimed, now=now, most=PUSH_MOST)
                for token, attempts in due:
                    if self._over(turn):
                        return
                    await self._attempt(turn, session, token, attempts=attempts)
                if not due or not await self._note(turn, done=False):
                    return

    async def _attempt(
        self, turn: _Turn, session: WebhookSession, token: Waiting, *, attempts: int
    ) -> None:
        stream = turn.claimed.kept.stream
        headers = {"content-type": TYPE, "accept": "application/json"}
        if stream.authorization:
            headers["authorization"] = stream.authorization
        body = sign_set(token.claims, signer=turn.signer).encode("ascii")
        fault, status = await session.send(_Push(body=body), headers)
        self._report.tried(stream.stream_id, token.jti, fault=fault, status=status)
        if fault is None:
            turn.health = Health()
            turn.sent.append(token.jti)
            return
        self._failed(turn, token, fault, status=status, attempts=attempts)

    def _failed(
        self, turn: _Turn, token: Waiting, fault: Fault, *, status: int, attempts: int
    ) -> None:
        now, again = self._clock.now(database_at=None), attempts > 0
        if status == REFUSED:  # It answers, and has said why: no other token waits for this one.
            tried = Attempted(jti=token.jti, attempts=attempts + 1, due_at=None, fault="refused")
        else:
            random = self._entropy.draw(2)
            turn.health = after_failure(turn.health, fault, again=again, random=random, now=now)
            retry = next_try(0, attempts=attempts + 1, fault=fault, random=random, now=now)
            tried = Attempted(
                jti=token.jti, attempts=retry.attempts, due_at=retry.due_at, fault=fault.value
            )
        turn.tried.append(tried)
        if tried.due_at is None:
            self._report.dead(turn.claimed.kept.stream.stream_id, token.jti)

    def _over(self, turn: _Turn) -> bool:
        health = turn.health
        rests = health.disabled is not None or health.paused(now=self._clock.now(database_at=None))
        return rests or self._seconds() >= turn.until

    async def _note(self, turn: _Turn, *, done: bool) -> bool:
        """Keep how pushing went; say whether the claim is still ours."""
        stopped = turn.health.disabled
        if stopped is not None and turn.claimed.kept.health.disabled is None:
            await self._tell_stopped(turn, stopped)
        ours = await self._shelf.settle(
            turn.claimed, health=turn.health, sent=turn.sent, tried=turn.tried, done=done
        )
        turn.sent, turn.tried = [], []
        return ours

    async def _tell_stopped(self, turn: _Turn, stopped: Disabled) -> None:
        """Keep, before nothing more is pushed, the token that says so (SSF, 8.1.2 and 8.1.5).

        It comes to its receiver behind what waits by then, once that enables the stream or polls.
        Kept twice in one turn, it has one name.
        """
        stream = turn.claimed.kept.stream
        since = present(turn.health.failing_since, "what was stopped has failed since")
        parts = (stream.stream_id, stopped.value, since.isoformat())
        named = tagged_hash("signal-stopped/v1", *(one.encode("ascii") for one in parts))
        now = self._clock.now(database_at=None)
        token = claims_of(
            stream,
            issuer=self._issuer,
            jti=f"set_{tail(named[:16])}",
            iat=int(now.timestamp()),
            event=UPDATED,
            claims={"status": StreamStatus.PAUSED.value, "reason": NOT_PUSHED[stopped]},
            subject={"format": "opaque", "id": stream.stream_id},
        )
        kept = Queued(subject=stream.stream_id, waiting=token)
        await self._shelf.queue(turn.claimed, (kept,), position=turn.position, gone=(), now=now)
