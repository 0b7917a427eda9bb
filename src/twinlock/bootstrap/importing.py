"""What ``twinlock import`` is made of: the use case of moving in, on the anchored log."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from twinlock.adapters.beside import beside
from twinlock.adapters.sql.arrivals import SqlArrivals
from twinlock.adapters.system import SystemEntropy, own_clock
from twinlock.bootstrap.anchoring import ANCHOR_SECONDS, anchored, follow_unless_busy
from twinlock.bootstrap.checking_rows import Begin, checking_beside, checking_here
from twinlock.bootstrap.rulebook import BookPolicies, RuleBook
from twinlock.bootstrap.ruling import keep_ruling, ruling_of
from twinlock.bootstrap.world import World
from twinlock.ports import Clock
from twinlock.services.importing.admitting import Importing
from twinlock.services.importing.reading import Layout

# Accounts a transaction: nobody waits for one of them, and a sixth more a second fit than of 64.
BATCH_MOST = 512


@asynccontextmanager
async def open_importing(
    world: World,
    *,
    source: str,
    layout: Layout,
    book: RuleBook | None = None,
    helped: bool = False,
    clock: Clock | None = None,
) -> AsyncIterator[Importing]:
    """Open the use case of moving in, for one file: its digest, and how its lines are read.

    ``helped`` has rows checked by a process of their own.

    Raises:
        PolicyDiffersError: before there are officers: a service decides by another policy.
        TwinlockError: as ``anchored``, ``Anchoring.check`` or ``ruling_of``.
    """
    settings = world.settings
    own = own_clock(settings.data_dir / "clock-anchor.json")
    async with (
        own if clock is None else nullcontext(clock) as trusted,
        anchored(world, trusted, batch_most=BATCH_MOST) as (kept, anchoring, keys),
        beside("anchor_waits", anchoring.follow, pause=ANCHOR_SECONDS),
    ):
        await anchoring.check()
        ruling = await ruling_of(kept, given=book, profile=settings.profile)
        await keep_ruling(ruling, kept)
        begin = Begin(
            draft=ruling.book.policy.draft,
            sites=frozenset({settings.rp_id, *(one for one, _ in settings.legacy_origins)}),
            log_origin=settings.log_origin,
            source=source,
            layout=layout,
        )
        signer = keys.signer(log_origin=settings.log_origin)
        prices = keys.price_file(settings.price_file)
        async with checking_beside(begin) if helped else nullcontext(checking_here(begin)) as check:
            yield Importing(
                kept,
                SqlArrivals(kept),
                check=check,
                entropy=SystemEntropy(),
                clock=trusted,
                policies=BookPolicies(
                    ruling.in_force, renew=ruling.follow, prices=prices, signer=signer
                ),
                blind=keys.index,
                source=source,
            )
        await follow_unless_busy(anchoring)
