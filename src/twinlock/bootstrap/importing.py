"""What ``twinlock import`` is made of: the use case of moving in, on the anchored log."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext

from twinlock.adapters.beside import beside
from twinlock.adapters.keys_at_work import LOOK_SECONDS
from twinlock.adapters.sql.arrivals import SqlArrivals
from twinlock.adapters.sql.policies import SqlPolicyTexts
from twinlock.adapters.system import SystemEntropy, own_clock
from twinlock.bootstrap.anchoring import anchored
from twinlock.bootstrap.rulebook import BookPolicies, RuleBook
from twinlock.bootstrap.serving import ANCHOR_SECONDS
from twinlock.bootstrap.world import World
from twinlock.ports import Clock
from twinlock.services.importing.admitting import Importing

Opens = Callable[[str], Importing]


@asynccontextmanager
async def open_importing(
    world: World, *, book: RuleBook, clock: Clock | None = None
) -> AsyncIterator[Opens]:
    """Open the use case of moving in: given a file's digest, it takes that file's rows.

    Raises:
        PolicyDiffersError: a service decides by another policy than ``book`` holds.
        TwinlockError: as ``anchored``, or ``Anchoring.check``.
    """
    settings = world.settings
    own = own_clock(settings.data_dir / "clock-anchor.json")
    async with (
        own if clock is None else nullcontext(clock) as trusted,
        anchored(world, trusted) as (kept, anchoring, keys),
        beside("keyring_waits", keys.look, pause=LOOK_SECONDS),
        beside("anchor_waits", anchoring.follow, pause=ANCHOR_SECONDS),
    ):
        await anchoring.check()
        texts = SqlPolicyTexts(kept.database)
        await texts.check_served(book.policy.name.digest)
        await texts.keep(book.policy.text)  # Before it decides anything.
        signer = keys.signer(log_origin=settings.log_origin)
        prices = keys.price_file(settings.price_file)
        policies = BookPolicies(lambda: book, prices=prices, signer=signer)

        def importing(source: str) -> Importing:
            return Importing(
                kept,
                SqlArrivals(kept),
                entropy=SystemEntropy(),
                clock=trusted,
                policies=policies,
                blind=keys.index,
                log_origin=settings.log_origin,
                sites=frozenset({settings.rp_id, *(one for one, _ in settings.legacy_origins)}),
                source=source,
            )

        yield importing
        await anchoring.follow()
