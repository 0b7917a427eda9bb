"""One connection that writes: it commits a group of requests, and tries again what may be tried.

Always true (tests/integration/test_store_failures.py):

* a request that fails alone fails nobody else;
* nothing is decided twice: a batch is tried again only when its commit was never asked for. A
  connection that is lost while it commits leaves its callers with ``UnavailableError``; they repeat
  with the same idempotency key and learn what was decided;
* every caller is answered, also when the database hangs.
"""

import asyncio
from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple

import asyncpg

from twinlock.adapters.boxes import Sealer
from twinlock.adapters.sql.batch import Batch, ConflictError
from twinlock.adapters.sql.connections import DOWN, Database, unavailable
from twinlock.adapters.sql.order import OvertakenError, Place
from twinlock.adapters.sql.waiting import Waiting, refuse, unexpected
from twinlock.adapters.sql.watch import Watch
from twinlock.domain.bookkeeping import StateRolledBackError
from twinlock.domain.errors import (
    ClockUntrustedError,
    KeysStaleError,
    LogDamagedError,
    TokenUnavailableError,
    TwinlockError,
    UnavailableError,
)
from twinlock.ports import (
    Clock,
    Entropy,
)

BATCH_SECONDS = 3.0  # A healthy batch takes 30 ms, one beside a stopped process 350 ms.

# Constraints that only an old document, or an old log, put back can break (law 9).
_TAMPERED: dict[str | None, tuple[type[TwinlockError], str]] = {
    "leaf_label": (StateRolledBackError, "an entry of this number exists already"),
    "event_pkey": (StateRolledBackError, "an entry of this number exists already"),
    "leaf_pkey": (LogDamagedError, "the log has a leaf beyond its head"),
}


# What keeps every request from being decided, alone or not.
_FOR_ALL = (ClockUntrustedError, KeysStaleError, LogDamagedError, TokenUnavailableError)


class _Again(Enum):
    """What may be tried after a batch failed."""

    NOTHING = auto()  # It would fail again, or may have been committed.
    BEHIND = auto()  # The group before it has to be over first.
    AROUND = auto()  # Somebody holds a lock, and does not go on.
    ALONE = auto()  # One of them failed it for all, or all of them took too long together.


class _Failure(NamedTuple):
    error: TwinlockError
    again: _Again


class Writer:
    """A connection of its own, and the batches that it commits, one after the other.

    ``decided`` is called whenever one is decided, and only writing is left.
    """

    def __init__(
        self,
        database: Database,
        *,
        sealer: Sealer,
        watch: Watch,
        entropy: Entropy,
        clock: Clock,
        decided: Callable[[], None],
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._watch = watch
        self._entropy = entropy
        self._clock = clock
        self._decided = decided
        self._connection: asyncpg.Connection | None = None

    def end(self) -> None:
        """Let go of the connection, whatever it is doing."""
        if self._connection is not None:
            self._connection.terminate()

    async def commit(self, group: list[Waiting], place: Place) -> None:
        """Decide, commit and answer each of ``group``, in its place."""
        await place.apart()
        failure = await self._try(group, place)
        place.try_ended(committed=failure is None)
        if failure is not None and failure.again is _Again.BEHIND:
            await place.behind()
            failure = await self._try(group, place)
        if failure is not None and failure.again is _Again.AROUND:
            failure = await self._try(group, place, skip_locked=True)
        if failure is None:
            return
        once_more = len(group) > 1 or isinstance(failure.error, ConflictError | UnavailableError)
        if once_more and failure.again is _Again.ALONE:
            await self._one_by_one(group, place)
        else:
            refuse(group, failure.error)

    async def _one_by_one(self, group: list[Waiting], place: Place) -> None:
        """Try each request alone: it sees what others wrote first, and fails for itself only."""
        for number, waiting in enumerate(group):
            failure = await self._try([waiting], place)
            if failure is None:
                continue
            if failure.again is not _Again.ALONE:
                refuse(group[number:], failure.error)
                return
            refuse([waiting], failure.error)

    async def _try(
        self, group: list[Waiting], place: Place, *, skip_locked: bool = False
    ) -> _Failure | None:
        """Run one batch; return what failed it as a whole, if anything did."""
        try:
            connection = await self._connected()
        except UnavailableError as error:
            return _Failure(error, _Again.NOTHING)
        batch = Batch(
            connection,
            sealer=self._sealer,
            entropy=self._entropy,
            clock=self._clock,
            watch=self._watch,
            follow=place.follow,
            decided=self._decided,
        )
        loop = asyncio.get_running_loop()
        given_up_at = loop.time() + BATCH_SECONDS
        watchdog = loop.call_at(given_up_at, connection.terminate)
        try:
            await batch.run(group, skip_locked=skip_locked)
        except Exception as error:  # noqa: BLE001 - the writer's outermost edge: it must go on
            if isinstance(error, DOWN) and not isinstance(error, asyncpg.LockNotAvailableError):
                connection.terminate()
            over = batch.commit_asked or loop.time() >= given_up_at
            return _Failure(unavailable(error), _Again.NOTHING) if over else _failure(error)
        finally:
            watchdog.cancel()
        if batch.edge is not None:
            self._watch.wrote(batch.edge)
        return None

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._database.writer()
        return self._connection


def _failure(error: Exception) -> _Failure:
    """Return what to tell of ``error``, and what may be tried after it: nothing was committed."""
    if isinstance(error, asyncpg.UniqueViolationError):
        kind, message = _TAMPERED.get(
            error.constraint_name, (ConflictError, "somebody else wrote the same row first")
        )
        error = kind(message)
    if isinstance(error, OvertakenError):
        return _Failure(unavailable(error), _Again.BEHIND)
    if isinstance(error, _FOR_ALL):
        return _Failure(error, _Again.NOTHING)
    if isinstance(error, TwinlockError):
        return _Failure(error, _Again.ALONE)
    if isinstance(error, asyncpg.LockNotAvailableError):
        return _Failure(unavailable(error), _Again.AROUND)
    if isinstance(error, DOWN):
        # Also where the server ended a batch that idled too long in a process short of time.
        return _Failure(unavailable(error), _Again.ALONE)
    return _Failure(unexpected(error), _Again.ALONE)
