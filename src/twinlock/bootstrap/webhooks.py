"""The operator's use cases of webhooks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from twinlock.adapters.system import SystemClock
from twinlock.adapters.webhooks import pumps as webhook_pumps
from twinlock.bootstrap.anchoring import anchored
from twinlock.bootstrap.world import World
from twinlock.services.webhooks.endpoints import Webhooks


@asynccontextmanager
async def open_webhooks(world: World) -> AsyncIterator[Webhooks]:
    """Open the operator's use cases of webhooks, on a log that is the anchored one."""
    clock = SystemClock()
    async with anchored(world, clock) as (kept, anchoring, _):
        await anchoring.check()
        yield webhook_pumps.use_cases(kept, world.settings, clock=clock)
