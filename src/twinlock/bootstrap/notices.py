"""The operator's use cases of notices that nobody carries any more."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from twinlock.adapters.sql.deliveries import SqlDeliveries
from twinlock.adapters.system import SystemClock, SystemEntropy
from twinlock.bootstrap.anchoring import anchored
from twinlock.bootstrap.world import World
from twinlock.ports.notices import DeadLetters


@asynccontextmanager
async def open_dead_letters(world: World) -> AsyncIterator[DeadLetters]:
    """Open the dead messages, on a log that is the anchored one."""
    async with anchored(world, SystemClock()) as (kept, anchoring, _):
        await anchoring.check()
        yield SqlDeliveries(kept, entropy=SystemEntropy())
