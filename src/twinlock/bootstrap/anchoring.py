"""The store held against the anchor of its log."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from twinlock.adapters.anchor import AnchorThread
from twinlock.adapters.beside import beside
from twinlock.adapters.keys_at_work import LOOK_SECONDS, KeysAtWork
from twinlock.adapters.sql.group_commit import BATCH_MOST
from twinlock.adapters.sql.store import SqlStore
from twinlock.adapters.system import SystemClock, SystemEntropy
from twinlock.bootstrap.world import World
from twinlock.domain.errors import FileBusyError
from twinlock.ports import Clock
from twinlock.ports.log import Head
from twinlock.services.anchoring import Anchoring

ANCHOR_SECONDS = 1.0  # Between two looks at the log's head; two fsyncs a second at most.


@asynccontextmanager
async def anchored(
    world: World, clock: Clock, *, batch_most: int = BATCH_MOST
) -> AsyncIterator[tuple[SqlStore, Anchoring, KeysAtWork]]:
    """Open the store with its anchor, which is not held against it yet, and the keys it uses.

    They are followed for as long as the block lasts: nothing is made by keys that nobody looked at.
    """
    settings, keys = world.settings, KeysAtWork.of(world.keyring, world.settings)
    with AnchorThread.of(settings.data_dir / "log-anchor.json") as anchors:
        async with (
            SqlStore.connect(
                world.dsn,
                sealer=keys.sealer,
                entropy=SystemEntropy(),
                clock=clock,
                batch_most=batch_most,
            ) as kept,
            beside("keyring_waits", keys.look, pause=LOOK_SECONDS),
        ):
            signer = keys.signer(log_origin=settings.log_origin)
            yield kept, Anchoring(kept, signer=signer, anchors=anchors), keys


async def follow_unless_busy(anchoring: Anchoring) -> None:
    """Move the anchor after a command, unless a process that serves is just at it: it moves it.

    Prevents: a halt, or any command, that is done and told as a failure.
    """
    with suppress(FileBusyError):
        await anchoring.follow()


async def adopt_log(world: World) -> Head:
    """Take the log as it stands for the anchored one (see ``Anchoring.adopt``)."""
    async with anchored(world, SystemClock()) as (_, anchoring, _):
        return await anchoring.adopt()
