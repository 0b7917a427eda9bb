"""Work that goes on beside the requests, for as long as a process serves.

Always true (tests/unit/adapters/test_beside.py): a failure is tried again after the pause, and
never ends what it is beside. It is logged when it begins, when what it says changes, and when it
is over; not each second in between.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import structlog

from twinlock.domain.errors import TwinlockError

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def beside(
    name: str, work: Callable[[], Awaitable[None]], *, pause: float
) -> AsyncIterator[None]:
    """Do ``work`` again and again, with ``pause`` seconds in between, until the block ends."""
    trouble = Trouble(name)

    async def go_on() -> None:
        while True:
            await trouble.attempt(work)
            await asyncio.sleep(pause)

    task = asyncio.create_task(go_on())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class Trouble:
    """What goes wrong with one piece of work, as the log is told it under ``name``."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._told: dict[str, str] | None = None

    async def attempt(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do ``work`` once; tell the log what failed, unless it was the last thing told."""
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - the outermost edge of work nobody waits for
            found = _words(error)
            if found != self._told:
                _log.warning(self._name, **found)
            self._told = found
        else:
            if self._told is not None:
                _log.warning(self._name, over=True)
            self._told = None


def _words(error: Exception) -> dict[str, str]:
    """Return what may be told of ``error``: our errors carry no secrets, the system's name a file.

    Prevents: a row's values in the log, since a database's error quotes them.
    """
    told = {"reason": type(error).__name__, "code": getattr(error, "code", "")}
    if isinstance(error, TwinlockError | OSError):
        told["text"] = str(error)
    return told


async def attempt(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Do ``work`` once; a failure is logged as ``name``."""
    await Trouble(name).attempt(work)
