"""Group commit: requests that wait together share one transaction; a lone one goes alone, at once.

Always true (tests/integration/test_store_batches.py, test_store_callers.py):

* requests are decided in the order in which they came, one batch after the other; while one is
  written and committed, the next is decided (``order``);
* every caller is answered, also when the process ends.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

from twinlock.adapters.sql.order import Place, Turn
from twinlock.adapters.sql.waiting import Waiting, refuse
from twinlock.adapters.sql.writer import Writer
from twinlock.domain.errors import UnavailableError
from twinlock.ports import Committed, Work

WRITERS = 2  # While one writes the other decides; a third would only make batches smaller.
BATCH_MOST = 64  # Requests a transaction; more only makes each wait longer for its commit.
LINGER_SECONDS = 0.002  # A tenth of a full batch; whoever is on the way arrives within it.
QUEUE_MOST = 2_000  # Requests that wait; beyond it the caller is told to come back.
QUEUE_SECONDS = 5.0  # Nobody's turn comes later; a platform has long asked again by then.
CLOSE_SECONDS = 8.0  # For what still waits when the process ends: less than a supervisor grants.

MakesWriter: TypeAlias = Callable[[Callable[[], None]], Writer]


class GroupCommit:
    """The queue of one process, and the writers that empty it batch by batch."""

    def __init__(self, make: MakesWriter, *, batch_most: int = BATCH_MOST) -> None:
        """Start the writers; what ``make`` is given, a writer calls whenever it has decided."""
        self._batch_most = batch_most
        self._queue: deque[Waiting] = deque()
        self._arrived = asyncio.Event()
        self._wanted = 1  # So many must wait before the writer is woken.
        self._closing = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._last: Place | None = None
        lock = asyncio.Lock()
        for _ in range(WRITERS):
            turn = Turn(lock)
            writes = self._write_forever(make(turn.give), turn)
            self._tasks.add(asyncio.create_task(writes))
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
            await asyncio.wait(self._tasks, timeout=CLOSE_SECONDS)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)

    # --- The writers ---

    async def _write_forever(self, writer: Writer, turn: Turn) -> None:
        group: list[Waiting] = []
        try:
            while True:
                await turn.take()
                group = await self._gather(len(group))
                if group:
                    await self._commit(group, writer)
                elif self._closing and not self._queue:
                    return
                turn.give()
        finally:
            self._closing = True
            turn.give()
            refuse((*group, *self._queue), UnavailableError("this process is about to end"))
            writer.end()

    async def _commit(self, group: list[Waiting], writer: Writer) -> None:
        self.batches += 1
        self.batched += len(group)
        place = Place(self._last, accounts=(one.work.account_id for one in group))
        self._last = place
        try:
            await writer.commit(group, place)
        finally:
            place.end()

    async def _gather(self, last: int) -> list[Waiting]:
        """Wait for the next group, where the last one had so many; empty: there is no more."""
        while not await self._company(1):
            if self._closing:
                return []
        await asyncio.sleep(0)  # Whoever arrives in this turn of the loop belongs to it.
        await self._company(last, within=LINGER_SECONDS)
        group = [self._queue.popleft() for _ in range(min(len(self._queue), self._batch_most))]
        late = asyncio.get_running_loop().time() - QUEUE_SECONDS
        refuse((one for one in group if one.since < late), UnavailableError("too long a wait"))
        return [one for one in group if not one.answer.done()]  # Nor for those who went away.

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
