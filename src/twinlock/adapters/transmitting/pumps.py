"""The signals that one process sends: who is at which stream, and what is logged and counted.

Always true (tests/integration/test_told_sending.py): streams are worked at beside each other and
beside everything else, each at most once at a time; what is logged names streams and tokens by id,
never a URL or an account.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from prometheus_client import CollectorRegistry, Counter

from twinlock.adapters.beside import attempt, beside
from twinlock.adapters.sql.told_streams import SqlToldStreams
from twinlock.domain.bounds import TOLD_RECEIVERS_MOST, TOLD_STREAMS_MOST
from twinlock.domain.transmitting.streams import ClaimedStream, StreamId
from twinlock.domain.webhooks.endpoints import Fault
from twinlock.ports import Clock
from twinlock.services.transmitting.sending import SignalSending

LOOK_SECONDS = 0.5  # Between two looks for something to do: a signal leaves within a second.
STREAMS_MOST = TOLD_RECEIVERS_MOST * TOLD_STREAMS_MOST

_log = structlog.get_logger(__name__)


class Report:
    """Logs and counts pushes. Implements ``ports.TransmitReport``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._attempts = Counter(
            "twinlock_signals_pushed",
            "Attempts to push a signal, by what came of them.",
            ("result",),
            registry=registry,
        )
        self._dead = Counter(
            "twinlock_signals_dead", "Signals that are not pushed any more.", registry=registry
        )

    def tried(self, stream_id: StreamId, jti: str, *, fault: Fault | None, status: int) -> None:
        """Tell of one attempt: a failed one at a glance, a good one to whoever debugs."""
        result = "delivered" if fault is None else fault.value
        self._attempts.labels(result).inc()
        tell = _log.debug if fault is None else _log.warning
        tell("signal_pushed", stream=stream_id, token=jti, status=status, result=result)

    def dead(self, stream_id: StreamId, jti: str) -> None:
        """Tell of a token that is not sent any more."""
        self._dead.inc()
        _log.error("signal_dead", stream=stream_id, token=jti)


class Pumps:
    """The turns that this process is at, one for each stream at most."""

    def __init__(self, shelf: SqlToldStreams, sending: SignalSending, clock: Clock) -> None:
        self._shelf = shelf
        self._sending = sending
        self._clock = clock
        self._turns: dict[StreamId, asyncio.Task[None]] = {}

    async def look(self) -> None:
        """Begin a turn for each stream that has something to be done; wait for none of them."""
        now = self._clock.now(database_at=None)
        apart = tuple(self._turns)
        for claimed in await self._shelf.claim(now=now, apart=apart, most=STREAMS_MOST):
            named = claimed.kept.stream.stream_id
            self._turns[named] = asyncio.create_task(self._turn(claimed))

    async def _turn(self, claimed: ClaimedStream) -> None:
        try:
            await attempt("signals_to_others_wait", lambda: self._sending.turn(claimed))
        finally:
            self._turns.pop(claimed.kept.stream.stream_id, None)

    async def close(self) -> None:
        """End every turn: what was under way is done again, by whoever comes next."""
        turns = list(self._turns.values())
        for turn in turns:
            turn.cancel()
        await asyncio.gather(*turns, return_exceptions=True)


@asynccontextmanager
async def transmitting(
    shelf: SqlToldStreams, sending: SignalSending, *, clock: Clock
) -> AsyncIterator[Pumps]:
    """Do this process's share of the sending until the block ends."""
    pumps = Pumps(shelf, sending, clock)
    async with beside("signals_to_others_wait", pumps.look, pause=LOOK_SECONDS):
        try:
            yield pumps
        finally:
            await pumps.close()
