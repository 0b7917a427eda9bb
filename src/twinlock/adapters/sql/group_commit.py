"""Group commit: requests that wait together share one transaction; a lone one goes alone, at once.

Always true (tests/integration/test_store_batches.py, test_store_failures.py):

* requests are decided in the order in which they came, one batch after the other;
* a request that fails alone fails nobody else;
* nothing is decided twice: a batch is tried again only when its commit was never asked for. A
  connection that is lost while it commits leaves its callers with ``UnavailableError``; they repeat
  with the same idempotency key and learn what was decided;
* every caller is answered, also when the database hangs and when the process ends.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from enum import Enum, auto
from typing import NamedTuple

import asyncpg

from twinlock.adapters.boxes import Sealer
from twinlock.adapters.sql.batch import Batch, ConflictError, Waiting, own_copy, unexpected
from twinlock.adapters.sql.connections import DOWN, Database, unavailable
from twinlock.adapters.sql.watch import Watch
from twinlock.domain.bookkeeping import StateRolledBackError
from twinlock.domain.errors import (
    ClockUntrustedError,
    LogDamagedError,
    TwinlockError,
    UnavailableError,
)
from twinlock.ports import Clock, Committed, Entropy, Work

BATCH_MOST = 64  # Requests a transaction; more only makes each wait longer for its commit.
LINGER_SECONDS = 0.002  # A tenth of a full batch; whoever is on the way arrives within it.
QUEUE_MOST = 2_000  # Requests that wait; beyond it the caller is told to come back.
QUEUE_SECONDS = 5.0  # Nobody's turn comes later; a platform has long asked again by then.
BATCH_SECONDS = 3.0  # A healthy batch takes 30 ms, one beside a stopped process 350 ms.
CLOSE_SECONDS = 8.0  # For what still waits when the process ends: less than a supervisor grants.

# Constraints that only an old document, or an old log, put back can break (law 9).
_TAMPERED: dict[str | None, tuple[type[TwinlockError], str]] = {
    "leaf_label": (StateRolledBackError, "an entry of this number exists already"),
    "event_pkey": (StateRolledBackError, "an entry of this number exists already"),
    "leaf_pkey": (LogDamagedError, "the log has a leaf beyond its head"),
}


class _Again(Enum):
    """What may be tried after a batch failed."""

    NOTHING = auto()  # It would fail again, or may have been committed.
    AROUND = auto()  # Somebody holds a lock, and does not go on.
    ALONE = auto()  # One of them failed it for all, or all of them took too long together.


class _Failure(NamedTuple):
    error: TwinlockError
    again: _Again


class GroupCommit:
    """The queue of one process, and the task that empties it batch by batch."""

    def __init__(
        self, database: Database, *, sealer: Sealer, watch: Watch, entropy: Entropy, clock: Clock
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._watch = watch
        self._entropy = entropy
        self._clock = clock
        self._queue: deque[Waiting] = deque()
        self._arrived = asyncio.Event()
        self._wanted = 1  # So many must wait before the writer is woken.
        self._closing = False
        self._group: list[Waiting] = []
        self._connection: asyncpg.Connection | None = None
        self._writer = asyncio.create_task(self._write_forever())
        self.batches = 0
        self.batched = 0

    async def run(self, work: Work) -> Committed:
        """Decide and commit ``work``, together with whatever else waits (see ``ports.Store``)."""
        if self._closing:
            raise UnavailableError("this process is about to end")
        if len(self._queue) >= QUEUE_MOST:
            raise UnavailableError("too many requests wait")
        loop = asyncio.get_running_loop()
        waiting = Waiting(work=work, answer=loop.create_future(), since=loop.time())
        self._queue.append(waiting)
        if len(self._queue) >= self._wanted:
            self._arrived.set()
        return await waiting.answer

    async def close(self) -> None:
        """Take nothing more, decide what waits, and refuse what is not decided in time."""
        self._closing = True
        self._arrived.set()
        try:
            await asyncio.wait({self._writer}, timeout=CLOSE_SECONDS)
        finally:
            self._writer.cancel()
            await asyncio.wait({self._writer})

    # --- The writer ---

    async def _write_forever(self) -> None:
        try:
            while await self._gather():
                await self._commit(self._group)
        finally:
            self._closing = True
            refuse((*self._group, *self._queue), UnavailableError("this process is about to end"))
            if self._connection is not None:
                self._connection.terminate()

    async def _gather(self) -> bool:
        """Wait for the next group; say whether there is one."""
        while not await self._company(1):
            if self._closing:
                return False
        await asyncio.sleep(0)  # Whoever arrives in this turn of the loop belongs to it.
        await self._company(len(self._group), within=LINGER_SECONDS)
        self._group = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_MOST))]
        return True

    async def _company(self, wanted: int, *, within: float | None = None) -> bool:
        """Wait until so many are here, ``within`` seconds at most; say whether anybody is.

        Who shared the last batch is on the way to the next, and worth a moment: at 8 connections a
        quarter more requests a second, at 32 a tenth (measured). A lone request waits for nobody.
        The writer is woken once and not by each who arrives.
        """
        if len(self._queue) < wanted and not self._closing:
            self._wanted = wanted
            self._arrived.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await self._arrived.wait()
            self._wanted = 1
        return bool(self._queue)

    async def _commit(self, group: list[Waiting]) -> None:
        late = asyncio.get_running_loop().time() - QUEUE_SECONDS
        refuse((one for one in group if one.since < late), UnavailableError("too long a wait"))
        group = [one for one in group if not one.answer.done()]  # Nor for those who went away.
        if not group:
            return
        self.batches += 1
        self.batched += len(group)
        failure = await self._try(group)
        if failure is not None and failure.again is _Again.AROUND:
            failure = await self._try(group, skip_locked=True)
        if failure is None:
            return
        once_more = len(group) > 1 or isinstance(failure.error, ConflictError | UnavailableError)
        if once_more and failure.again is _Again.ALONE:
            await self._one_by_one(group)
        else:
            refuse(group, failure.error)

    async def _one_by_one(self, group: list[Waiting]) -> None:
        """Try each request alone: it sees what others wrote first, and fails for itself only."""
        for place, waiting in enumerate(group):
            failure = await self._try([waiting])
            if failure is None:
                continue
            if failure.again is not _Again.ALONE:
                refuse(group[place:], failure.error)
                return
            refuse([waiting], failure.error)

    async def _try(self, group: list[Waiting], *, skip_locked: bool = False) -> _Failure | None:
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
    if isinstance(error, ClockUntrustedError | LogDamagedError):
        return _Failure(error, _Again.NOTHING)
    if isinstance(error, TwinlockError):
        return _Failure(error, _Again.ALONE)
    if isinstance(error, asyncpg.LockNotAvailableError):
        return _Failure(unavailable(error), _Again.AROUND)
    if isinstance(error, DOWN):
        # Also where the server ended a batch that idled too long in a process short of time.
        return _Failure(unavailable(error), _Again.ALONE)
    return _Failure(unexpected(error), _Again.ALONE)


def refuse(waiting: Iterable[Waiting], error: TwinlockError) -> None:
    """Give ``error`` to each who waits."""
    for one in waiting:
        one.fail(own_copy(error))
