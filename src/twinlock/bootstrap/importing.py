"""What ``twinlock import`` is made of: the use case of moving in, on the anchored log."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from twinlock.adapters.beside import beside
from twinlock.adapters.sql.arrivals import SqlArrivals
from twinlock.adapters.sql.policies import SqlPolicyTexts
from twinlock.adapters.system import SystemEntropy, own_clock
from twinlock.bootstrap.anchoring import ANCHOR_SECONDS, anchored, follow_unless_busy
from twinlock.bootstrap.checking_rows import Begin, checking_beside, checking_here
from twinlock.bootstrap.rulebook import BookPolicies, RuleBook
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
    book: RuleBook,
    source: str,
    layout: Layout,
    helped: bool = False,
    clock: Clock | None = None,
) -> AsyncIterator[Importing]:
    """Open the use case of moving in, for one file: its digest, and how its lines are read.

    ``helped`` has rows checked by a process of their own.

    Raises:
        PolicyDiffersError: a service decides by another policy than ``book`` holds.
        TwinlockError: as ``anchored``, or ``Anchoring.check``.
    """
    settings = world.settings
    own = own_clock(settings.data_dir / "clock-anchor.json")
    begin = Begin(
        draft=book.policy.draft,
        sites=frozenset({settings.rp_id, *(one for one, _ in settings.legacy_origins)}),
        log_origin=settings.log_origin,
        source=source,
        layout=layout,
    )
    async with (
        own if clock is None else nullcontext(clock) as trusted,
        anchored(world, trusted, batch_most=BATCH_MOST) as (kept, anchoring, keys),
        beside("anchor_waits", anchoring.follow, pause=ANCHOR_SECONDS),
        checking_beside(begin) if helped else nullcontext(checking_here(begin)) as check,
    ):
        await anchoring.check()
        texts = SqlPolicyTexts(kept.database)
        await texts.check_served(book.policy.name.digest)
        await texts.keep(book.policy.text)  # Before it decides anything.
        signer = keys.signer(log_origin=settings.log_origin)
        prices = keys.price_file(settings.price_file)
        yield Importing(
            kept,
            SqlArrivals(kept),
            check=check,
            entropy=SystemEntropy(),
            clock=trusted,
            policies=BookPolicies(lambda: book, prices=prices, signer=signer),
            blind=keys.index,
            source=source,
        )
        await follow_unless_busy(anchoring)
