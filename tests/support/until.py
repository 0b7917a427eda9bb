"""Waiting for what happens beside a test."""

import asyncio
import time
from collections.abc import Callable

WITHIN_SECONDS = 20.0  # On a machine that is busy with other tests.


async def until(holds: Callable[[], bool], *, within: float = WITHIN_SECONDS) -> None:
    """Return once ``holds`` does."""
    end = time.monotonic() + within
    while not holds():
        if time.monotonic() > end:
            raise AssertionError("what a test waited for did not happen")
        await asyncio.sleep(0.02)
