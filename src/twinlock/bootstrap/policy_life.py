"""The use cases of policy versions, on the anchored log, with the prover."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

from twinlock.adapters.sql.officers import SqlPlatformActs
from twinlock.adapters.sql.policies import SqlPolicyTexts
from twinlock.adapters.system import SystemClock, SystemEntropy, own_clock
from twinlock.bootstrap import growth as prover
from twinlock.bootstrap.anchoring import anchored, follow_unless_busy
from twinlock.bootstrap.rulebook import book_of_text, checked_policy, rule_book
from twinlock.bootstrap.ruling import keep_ruling, ruling_of
from twinlock.bootstrap.world import World
from twinlock.domain.officers.growth import Growth
from twinlock.domain.officers.keys import OfficersWrongError
from twinlock.ports import Clock
from twinlock.services.policy_life import PolicyLife


@asynccontextmanager
async def open_policy_life(
    world: World, *, clock: Clock | None = None, growth: Growth | None = None
) -> AsyncIterator[PolicyLife]:
    """Open the use cases of policy versions, on a log that is the anchored one.

    What was said is anchored before it is told. ``growth`` is the prover's unless told. The clock
    is held against what this installation believes of it. Prevents: a wait that ends because
    somebody set the clock for the moment of one command.
    """
    entropy, settings = SystemEntropy(), world.settings
    own = own_clock(settings.data_dir / "clock-anchor.json")
    async with (
        own if clock is None else nullcontext(clock) as trusted,
        anchored(world, trusted) as (kept, anchoring, keys),
    ):
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

    It is that of ``path``, or the one that decides now; each process can read it back.

    Raises:
        OfficersWrongError: there are officers already.
        PolicyRefusedError: it cannot be decided by, or not as it is kept.
        PolicyDiffersError: a service decides by another one than TWINLOCK_PROFILE names.
    """
    async with anchored(world, SystemClock()) as (kept, anchoring, _):
        await anchoring.check()
        if (await kept.standing()).acts:
            raise OfficersWrongError("there are officers already: two of them make others")
        if path is not None:
            policy = checked_policy(path).policy
            book_of_text(policy.text)
            await SqlPolicyTexts(kept.database).keep(policy.text)
            return policy.name.digest
        ruling = await ruling_of(kept, given=None, profile=world.settings.profile)
        book_of_text(ruling.book.policy.text)
        await keep_ruling(ruling, kept)
        return ruling.book.policy.name.digest
