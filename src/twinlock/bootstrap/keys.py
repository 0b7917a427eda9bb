"""The keyring as an operator changes it: making, rotating, wrapping anew."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from twinlock.adapters.boxes import Sealer
from twinlock.adapters.keyring import ring as keyrings
from twinlock.adapters.keyring.register import KeyDirectory
from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.keyring.token import open_token
from twinlock.adapters.settings import Settings
from twinlock.adapters.sql.clocks import check_agrees
from twinlock.adapters.sql.key_uses import SqlKeyUses
from twinlock.adapters.sql.log_keys import SqlLogKeys
from twinlock.adapters.sql.rewrap import Rewrap, Rewrapped
from twinlock.adapters.system import SystemClock, SystemEntropy
from twinlock.bootstrap.anchoring import anchored
from twinlock.bootstrap.world import World
from twinlock.domain.errors import SettingsWrongError
from twinlock.ports import Clock
from twinlock.services.rotation import Rotation


def make_keyring(settings: Settings) -> Keyring:
    """Make a new keyring, in the token if one is set. Raises KeyringWrongError where one exists."""
    now, token = SystemClock().now(), open_token(settings.token)
    return keyrings.create_all(settings.keyring_dir, entropy=SystemEntropy(), now=now, token=token)


@asynccontextmanager
async def key_rotation(world: World, *, clock: Clock | None = None) -> AsyncIterator[Rotation]:
    """Open the use cases of the keyring, over the store that its keys are used in."""
    settings, clock = world.settings, clock or SystemClock()
    async with anchored(world, clock) as (kept, anchoring, keys):
        await check_agrees(clock, kept.database)  # By it a key is announced, used and destroyed.
        await anchoring.check()
        prices = keys.price_file(settings.price_file)
        yield Rotation(
            KeyDirectory(settings, entropy=SystemEntropy()),
            uses=SqlKeyUses(kept, keyring=world.keyring, prices=prices, clock=clock),
            log=SqlLogKeys(kept.database, sealer=keys.sealer, clock=clock),
            clock=clock,
        )


async def rewrap_keys(world: World, told: Callable[[int], None]) -> Rewrapped:
    """Put all that stands under an older seal key under the current one, as the tables' owner.

    No key changes meanwhile. Prevents: customers' keys under one that was retired, by a run that
    was stopped in between; they would open no more.

    Raises:
        FileBusyError: another command changes the keyring, or wraps as well.
        SettingsWrongError: the owner of the tables is not known.
    """
    if not world.owner_dsn:
        raise SettingsWrongError("TWINLOCK_OWNER_URL is not set: name the owner of the tables")
    directory, token = world.settings.keyring_dir, open_token(world.settings.token)
    with keyrings.changing(directory):
        sealer, entropy = Sealer(keyrings.load(directory, token)), SystemEntropy()
        return await Rewrap(world.owner_dsn, sealer=sealer, entropy=entropy, told=told).run()
