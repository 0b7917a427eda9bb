"""One turn of sending to one endpoint: what is due again, then what the log has new.

The log is the queue: an endpoint follows it by a position, and only what failed is kept apart. An
endpoint that fails in a row is *down*: after each pause one message more is tried, until one is
taken, and meanwhile the rest waits in the log, in order, so that nothing piles up anywhere. A
damaged entry is kept apart like a message that was not taken. Prevents: one changed row, by which
nobody hears of anything that is decided later, of somebody who is forced above all.

Always true (tests/integration/test_webhooks_delivery.py): while nothing fails, messages go out in
the order of the log, one at a time; what was taken or is kept to be tried again, and nothing else,
is passed by; how far it came is kept under the claim only.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from twinlock.domain.errors import LogDamagedError, SealBrokenError
from twinlock.domain.webhooks.endpoints import (
    RETRIES_MOST,
    ClaimedWebhook,
    Fault,
    Health,
    Progress,
    Retry,
    after_failure,
    in_force,
    next_try,
)
from twinlock.domain.webhooks.outcomes import (
    LogEntry,
    Message,
    alarm_of,
    is_desks,
    message_of,
    wants,
)
from twinlock.ports import (
    Clock,
    Entropy,
)
from twinlock.ports.webhooks import (
    WebhookPost,
    WebhookReport,
    WebhookSession,
    WebhookShelf,
)
from twinlock.proofs.webhooks import headers

TURN_SECONDS = 3.0  # No attempt is begun later; another process may be at the endpoint's next turn.
# What is new has so long at least, however long what is tried again took.
NEW_SECONDS = 0.5
SAVE_SECONDS = 0.5  # Between two notes of how far it came: so much is sent twice after a kill.
READ_MOST = 64  # Entries at once: 100 KB in memory, and a quarter of a tile.
_DAMAGED = (LogDamagedError, SealBrokenError)


class _LostError(Exception):
    """The claim is not ours any more: another process is at it, or the endpoint was changed."""


@dataclass(slots=True)
class _Turn:
    """Where a turn stands, and what was not saved yet."""

    claimed: ClaimedWebhook
    session: WebhookSession
    position: int
    health: Health
    waiting: int  # messages to be tried again
    until: float
    saved_at: float
    tried: dict[int, Retry] = field(default_factory=dict)
    settled: list[int] = field(default_factory=list)


class WebhookDelivery:
    """Sends what an endpoint is to be told. ``seconds`` is a clock that nobody sets."""

    def __init__(
        self,
        shelf: WebhookShelf,
        *,
        post: WebhookPost,
        report: WebhookReport,
        entropy: Entropy,
        clock: Clock,
        seconds: Callable[[], float],
    ) -> None:
        self._shelf = shelf
        self._post = post
        self._report = report
        self._entropy = entropy
        self._clock = clock
        self._seconds = seconds

    async def turn(self, claimed: ClaimedWebhook) -> None:
        """Send to a claimed endpoint for a while, keep how far that came, and give it back.

        Raises:
            ClockUntrustedError, UnavailableError: nothing more can be sent or kept just now.
            LogDamagedError: the log as a whole is not to be trusted.
        """
        now = self._seconds()
        async with self._post.session(claimed.kept.endpoint.url) as session:
            turn = _Turn(
                claimed=claimed,
                session=session,
                position=claimed.kept.position,
                health=claimed.kept.health,
                waiting=claimed.kept.retries,
                until=now + TURN_SECONDS,
                saved_at=now,
            )
            try:
                await self._again(turn)
                turn.until = max(turn.until, self._seconds() + NEW_SECONDS)
                await self._follow(turn)
            except _LostError:
                return
            finally:
                await self._shelf.save(claimed, _progress(turn), done=True)

    # --- What is due again ---

    async def _again(self, turn: _Turn) -> None:
        now = self._clock.now(database_at=None)
        for retry in await self._shelf.due(turn.claimed, now=now, most=READ_MOST):
            if self._over(turn):
                return
            message, fault = await self._message_at(turn, retry.index)
            if message is not None:
                fault = await self._attempt(turn, message, again=True)
            if fault is None:
                turn.settled.append(retry.index)
                turn.waiting -= 1
            elif turn.health.disabled is None:
                attempts = retry.attempts + 1
                self._put_off(turn, retry.index, fault, attempts=attempts, message=message)
            await self._save(turn)

    async def _message_at(self, turn: _Turn, index: int) -> tuple[Message | None, Fault | None]:
        """Return what is to be told of entry ``index``, or that it is damaged, or neither."""
        try:
            entries = await self._shelf.entries(start=index, count=1)
            return (_wanted(turn, entries[0]) if entries else None), None
        except _DAMAGED:
            return None, await self._damaged(turn, index)

    async def _damaged(self, turn: _Turn, index: int) -> Fault:
        """Tell of a damaged entry. Raises LogDamagedError: nothing of this log is to be told."""
        await self._shelf.size()
        self._report.damaged(turn.claimed.kept.endpoint.webhook_id, index)
        return Fault.DAMAGED

    def _put_off(
        self, turn: _Turn, index: int, fault: Fault, *, attempts: int, message: Message | None
    ) -> None:
        retry = next_try(
            index,
            attempts=attempts,
            fault=fault,
            random=self._entropy.draw(2),
            now=self._clock.now(database_at=None),
        )
        turn.tried[index] = retry
        if retry.due_at is None:
            turn.waiting -= 1
            self._report.dead(turn.claimed.kept.endpoint.webhook_id, index, message)

    # --- What is new ---

    async def _follow(self, turn: _Turn) -> None:
        count = READ_MOST
        while not self._over(turn) and not self._rests(turn):
            try:
                entries = await self._shelf.entries(start=turn.position, count=count)
            except _DAMAGED:
                damaged, count = count == 1, READ_MOST if count == 1 else 1  # One alone shows it.
                if damaged and not await self._pass_damaged(turn, turn.position):
                    return
                continue
            if not entries:
                return
            for entry in entries:
                if not await self._pass_on(turn, entry):
                    return

    async def _pass_on(self, turn: _Turn, entry: LogEntry) -> bool:
        """Say whether ``entry`` is passed by, and the next one may follow."""
        try:
            message = _wanted(turn, entry)
        except LogDamagedError:
            return await self._pass_damaged(turn, entry.index)
        if message is not None:
            if self._over(turn):
                return False
            fault = await self._attempt(turn, message, again=False)
            if fault is not None and not self._keep(turn, entry.index, fault, message):
                return False
        return await self._passed(turn, entry.index)

    async def _pass_damaged(self, turn: _Turn, index: int) -> bool:
        fault = await self._damaged(turn, index)
        return self._keep(turn, index, fault, None) and await self._passed(turn, index)

    def _keep(self, turn: _Turn, index: int, fault: Fault, message: Message | None) -> bool:
        """Keep an entry to be tried again, if there is room, and say whether there was."""
        if turn.health.disabled is not None or turn.waiting >= RETRIES_MOST:
            return False
        turn.waiting += 1
        self._put_off(turn, index, fault, attempts=1, message=message)
        return True

    async def _passed(self, turn: _Turn, index: int) -> bool:
        turn.position = index + 1
        await self._save(turn)
        return not self._rests(turn)

    # --- Both ---

    async def _attempt(self, turn: _Turn, message: Message, *, again: bool) -> Fault | None:
        endpoint = turn.claimed.kept.endpoint
        now = self._clock.now(database_at=None)
        signed = headers(message, in_force(endpoint, now=now), timestamp=int(now.timestamp()))
        fault, status = await turn.session.send(message, signed)
        self._report.tried(endpoint.webhook_id, message, fault=fault, status=status)
        if fault is None:
            turn.health = Health()
            return None
        turn.health = after_failure(
            turn.health,
            fault,
            again=again,
            random=self._entropy.draw(2),
            now=self._clock.now(database_at=None),
        )
        if turn.health.disabled is not None:
            self._report.disabled(endpoint.webhook_id, turn.health.disabled.value)
        return fault

    def _rests(self, turn: _Turn) -> bool:
        """Say whether nothing new is sent just now: the endpoint is down or disabled."""
        paused = turn.health.paused(now=self._clock.now(database_at=None))
        return paused or turn.health.disabled is not None

    def _over(self, turn: _Turn) -> bool:
        return self._seconds() >= turn.until or turn.health.disabled is not None

    async def _save(self, turn: _Turn) -> None:
        """Keep now and then how far the turn came. Raises _LostError."""
        if self._seconds() - turn.saved_at < SAVE_SECONDS:
            return
        if not await self._shelf.save(turn.claimed, _progress(turn), done=False):
            raise _LostError
        turn.saved_at = self._seconds()
        turn.tried.clear()
        turn.settled.clear()


def _wanted(turn: _Turn, entry: LogEntry) -> Message | None:
    """Return the message of ``entry``, if the endpoint is to be told of it."""
    patterns = turn.claimed.kept.endpoint.patterns
    if is_desks(patterns):
        return alarm_of(entry)
    message = message_of(entry)
    if message is None or not wants(patterns, message.kind):
        return None
    return message


def _progress(turn: _Turn) -> Progress:
    return Progress(
        position=turn.position,
        health=turn.health,
        tried=tuple(turn.tried.values()),
        settled=tuple(turn.settled),
    )
