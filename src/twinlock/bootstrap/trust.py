"""The trust file of an installation: what its evidence is verified by."""

from twinlock.adapters.keyring import signing
from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.keys_at_work import KeysAtWork
from twinlock.adapters.settings import Settings
from twinlock.adapters.sql import queries
from twinlock.adapters.sql.connections import Database
from twinlock.adapters.sql.officers import SqlPlatformActs
from twinlock.adapters.sql.policies import SqlPolicyTexts
from twinlock.adapters.system import SystemClock
from twinlock.adapters.witnesses import log_policy
from twinlock.bootstrap.rulebook import RuleBook
from twinlock.bootstrap.ruling import officers_rule
from twinlock.bootstrap.world import World, address_of
from twinlock.domain.errors import TwinlockError
from twinlock.domain.officers.standing import read_standing
from twinlock.domain.officers.statements import Activate, Propose
from twinlock.domain.policy.version import Policy
from twinlock.domain.trust import Trust


async def known_policies(world: World, *, book: RuleBook | None = None) -> tuple[str, ...]:
    """Return the digests of all policy versions that decided in an installation, or may have.

    What officers proposed and never activated is none of them.

    Raises:
        PolicyDiffersError: officers activated none, and a service decides by another policy than
            ``book`` holds.
    """
    ruled = await officers_rule(world)
    async with Database.open(world.dsn) as database:
        texts = SqlPolicyTexts(database)
        if book is not None and not ruled:
            await texts.check_served(book.policy.name.digest)
        came, proposed, from_the_first_leaf = await _named(world, database)
        if from_the_first_leaf:
            return tuple(sorted(came))
        kept = await texts.digests()
        return tuple(one for one in kept if one in came or one not in proposed)


async def _named(world: World, database: Database) -> tuple[set[str], set[str], bool]:
    """Return which digests officers brought into force, and which they proposed.

    And whether they did from the first leaf on: then nothing else ever decided, whatever is kept.
    Prevents: evidence by a version that was only proposed, or that somebody put into the table,
    which a verifier believes.
    """
    sealer = KeysAtWork.of(world.keyring, world.settings).sealer
    origin = world.settings.log_origin
    acts = SqlPlatformActs(database, sealer=sealer, clock=SystemClock(), log_origin=origin)
    proposed, came = set[str](), set[str]()
    chain = (await acts.read()).acts
    for one in chain:
        act = None if one.leaf.signed is None else one.leaf.signed.said.act
        if isinstance(act, Propose):
            proposed.add(act.digest)
        came.add(act.digest if isinstance(act, Activate) else one.leaf.policy)
    first = chain[0] if chain else None
    from_the_first_leaf = first is not None and first.index == 0 and bool(first.leaf.policy)
    return came - {""}, proposed, from_the_first_leaf


async def tell_served(world: World, policy: Policy) -> None:
    """Have the database say that this process decides by ``policy``, for operators' commands."""
    async with Database.open(world.dsn) as database:
        await SqlPolicyTexts(database).serve(policy.text)


async def served_policy(settings: Settings) -> str | None:
    """Return the digest of the policy that decides, where a database says so; start none.

    It is what officers activated; where they did not, what the service that started last tells.
    """
    try:
        async with Database.open(address_of(settings)) as database:
            row = await database.read(lambda db: db.fetchrow(queries.READ_HEAD))
            in_force = read_standing(row["platform"]).policy
            return in_force or await SqlPolicyTexts(database).served()
    except TwinlockError:
        return None


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
