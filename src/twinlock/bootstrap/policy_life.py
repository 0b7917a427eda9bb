"""The use cases of policy versions, on the anchored log, with the prover."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from twinlock.adapters.sql.officers import SqlPlatformActs
from twinlock.adapters.sql.policies import SqlPolicyTexts
from twinlock.adapters.system import SystemClock, SystemEntropy
from twinlock.bootstrap import growth as prover
from twinlock.bootstrap.anchoring import anchored, follow_unless_busy
from twinlock.bootstrap.rulebook import book_of_text, checked_policy, rule_book
from twinlock.bootstrap.ruling import keep_ruling, ruling_of
from twinlock.bootstrap.world import World
from twinlock.domain.officers.growth import Growth
from twinlock.ports import Clock
from twinlock.services.policy_life import PolicyLife


@asynccontextmanager
async def open_policy_life(
    world: World, *, clock: Clock | None = None, growth: Growth | None = None
) -> AsyncIterator[PolicyLife]:
    """Open the use cases of policy versions, on a log that is the anchored one.

    What was said is anchored before it is told. ``growth`` is the prover's unless told.
    """
    trusted, entropy, settings = clock or SystemClock(), SystemEntropy(), world.settings
    async with anchored(world, trusted) as (kept, anchoring, keys):
        await anchoring.check()
        texts, origin = SqlPolicyTexts(kept.database), settings.log_origin

        async def served() -> bytes:
            digest = await texts.served()
            text = None if digest is None else await texts.read(digest)
            return rule_book(settings.profile).policy.text if text is None else text

        yield PolicyLife(
            SqlPlatformActs(kept.database, sealer=keys.sealer, clock=trusted, log_origin=origin),
            texts=texts,
            check=book_of_text,
            growth=growth or prover.growth,
            served=served,
            clock=trusted,
            entropy=entropy,
            log_origin=origin,
        )
        await follow_unless_busy(anchoring)


def text_of_file(path: Path) -> bytes:
    """Return the text of the policy in a file, checked. Raises PolicyRefusedError."""
    return checked_policy(path).policy.text


async def found(world: World, *, path: Path | None) -> str:
    """Keep the policy that the first officers name, and return its digest.

    It is that of ``path``, or the one that decides now.

    Raises:
        PolicyRefusedError: it cannot be decided by.
        PolicyDiffersError: a service decides by another one than TWINLOCK_PROFILE names.
    """
    async with anchored(world, SystemClock()) as (kept, anchoring, _):
        await anchoring.check()
        if path is not None:
            policy = checked_policy(path).policy
            await SqlPolicyTexts(kept.database).keep(policy.text)
            return policy.name.digest
        ruling = await ruling_of(kept, given=None, profile=world.settings.profile)
        await keep_ruling(ruling, kept)
        return ruling.book.policy.name.digest
