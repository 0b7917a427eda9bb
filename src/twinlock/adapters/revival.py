"""The embedded database comes back by itself: whoever serves on it looks after it.

Always true (tests/integration/test_embedded_revival.py): while a process serves, a database that
was killed is started again, what it had committed is there, and requests meanwhile are told that it
does not answer. Several processes may look at once: starting is alone (``EmbeddedPostgres``).
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Protocol

import structlog

from twinlock.adapters.beside import beside
from twinlock.domain.errors import UnavailableError

LOOK_SECONDS = 1.0  # Between two questions whether it answers; each is one round trip.
MOST_PATIENCE_SECONDS = 30.0  # Between two attempts on one that does not come back.
_log = structlog.get_logger(__name__)


class Reviver:
    """Starts a database that does not answer, less and less often while that does not help.

    ``ping`` raises UnavailableError when it does not answer; ``start`` blocks until it runs.
    """

    def __init__(
        self, ping: Callable[[], Awaitable[object]], *, start: Callable[[], object]
    ) -> None:
        self._ping = ping
        self._start = start
        self._patience = 0.0

    async def look(self) -> None:
        """Start the database if it does not answer.

        Raises:
            TwinlockError: what ``start`` raises; the next look tries again.
        """
        try:
            await self._ping()
        except UnavailableError as error:
            await asyncio.sleep(self._patience)
            self._patience = min(max(LOOK_SECONDS, 2 * self._patience), MOST_PATIENCE_SECONDS)
            _log.warning("database_started_again", code=error.code)
            await in_a_thread_of_its_own(self._start)
        else:
            self._patience = 0.0


async def in_a_thread_of_its_own(work: Callable[[], object]) -> None:
    """Run ``work`` beside the loop; a process that ends does not wait for it.

    A start may take minutes (``postgres.LOCK_SECONDS``), and SIGTERM must not: asyncio's own
    threads are waited for.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def tell(error: Exception | None) -> None:
        if ended.done():  # Nobody waits any more.
            return
        if error is None:
            ended.set_result(None)
        else:
            ended.set_exception(error)

    def run() -> None:
        failed: Exception | None = None
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the outermost edge of a thread; told to the loop
            failed = error
        with suppress(RuntimeError):  # The loop is closed: the process ends.
            loop.call_soon_threadsafe(tell, failed)

    threading.Thread(target=run, name="revival", daemon=True).start()
    await ended


class Server(Protocol):
    """A database server that we start ourselves."""

    def ensure_running(self) -> object:
        """Start it, unless it runs; return when it does."""
        ...


@asynccontextmanager
async def looked_after(
    server: Server | None, ping: Callable[[], Awaitable[object]]
) -> AsyncIterator[None]:
    """Start the embedded database again whenever it does not answer; leave another one alone."""
    if server is None:
        yield
        return
    reviver = Reviver(ping, start=server.ensure_running)
    async with beside("database_waits", reviver.look, pause=LOOK_SECONDS):
        yield
