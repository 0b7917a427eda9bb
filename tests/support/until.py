"""Waiting for what happens beside a test."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
ASK_SECONDS = 0.3  # Between two questions to a server that logs each no.
WITHIN_SECONDS = 20.0  # On a machine that is busy with other tests.


async def until(holds: Callable[[], bool], *, within: float = WITHIN_SECONDS) -> None:
    """Return once ``holds`` does."""
    end = time.monotonic() + within
    while not holds():
        if time.monotonic() > end:
            raise AssertionError("what a test waited for did not happen")
        await asyncio.sleep(0.02)


async def seen(look: Callable[[], Awaitable[object]], *, within: float = WITHIN_SECONDS) -> None:
    """Return once ``look`` sees something; without pauses it would take a processor of its own."""
    end = time.monotonic() + within
    while not await look():
        if time.monotonic() > end:
            raise AssertionError("what a test looked for was not seen")
        await asyncio.sleep(0.01)


async def asked_until(
    ask: Callable[[], Awaitable[T]], holds: Callable[[T], bool], *, within: float = WITHIN_SECONDS
) -> T:
    """Return the first answer to ``ask`` for which ``holds`` does."""
    end = time.monotonic() + within
    while not holds(answer := await ask()):
        if time.monotonic() > end:
            raise AssertionError(f"what a test asked for was not answered: {answer}")
        await asyncio.sleep(ASK_SECONDS)
    return answer
