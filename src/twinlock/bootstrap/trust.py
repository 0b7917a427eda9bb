"""The trust file of an installation: what its evidence is verified by."""

from twinlock.adapters.keyring import signing
from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.settings import Settings
from twinlock.adapters.sql.connections import Database
from twinlock.adapters.sql.policies import SqlPolicyTexts
from twinlock.adapters.witnesses import log_policy
from twinlock.bootstrap.rulebook import RuleBook
from twinlock.bootstrap.world import World
from twinlock.domain.trust import Trust


async def known_policies(world: World) -> tuple[str, ...]:
    """Return the digests of all policy versions that decided in an installation, or may have."""
    async with Database.open(world.dsn) as database:
        return await SqlPolicyTexts(database).digests()


def trust_of(
    settings: Settings,
    keyring: Keyring,
    *,
    book: RuleBook,
    earlier: tuple[str, ...] = (),
    with_retired: bool = False,
) -> Trust:
    """Return the trust file of an installation.

    It pins the policy version of ``book`` and ``earlier`` ones, by their digests.
    """
    return signing.trust(
        keyring,
        log_policy=log_policy(settings, keyring, with_retired=with_retired),
        rp_id=settings.rp_id,
        origin=settings.origin,
        policies=tuple(dict.fromkeys((book.policy.name.digest, *earlier))),
        with_retired=with_retired,
    )
