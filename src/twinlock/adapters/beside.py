"""Work that goes on beside the requests, for as long as a process serves.

Always true: a failure is logged and tried again after the pause, and never ends what it is beside.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import structlog

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def beside(
    name: str, work: Callable[[], Awaitable[None]], *, pause: float
) -> AsyncIterator[None]:
    """Do ``work`` again and again, with ``pause`` seconds in between, until the block ends."""

    async def go_on() -> None:
        while True:
            await attempt(name, work)
            await asyncio.sleep(pause)

    task = asyncio.create_task(go_on())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def attempt(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Do ``work`` once; a failure is logged as ``name``."""
    try:
        await work()
    except Exception as error:  # noqa: BLE001 - the outermost edge of work that nobody waits for
        _log.warning(name, reason=type(error).__name__, code=getattr(error, "code", ""))
