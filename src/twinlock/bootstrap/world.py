"""Bringing an installation up: settings, keys, the database, and that they belong together."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from twinlock.adapters import embedded as embedded_servers
from twinlock.adapters.keyring import ring as keyrings
from twinlock.adapters.keyring.ring import Keyring, Role
from twinlock.adapters.keyring.token import open_token
from twinlock.adapters.postgres import SERVER_USER, EmbeddedPostgres
from twinlock.adapters.settings import Settings
from twinlock.adapters.settings import load as load_settings
from twinlock.adapters.sql.installation import claim
from twinlock.adapters.sql.migrate import migrate
from twinlock.adapters.system import SystemClock, SystemEntropy
from twinlock.ports import Entropy


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What every process of an installation shares: settings, keys, and where the database is.

    ``server`` is the embedded database, where there is one.
    """

    settings: Settings
    keyring: Keyring
    dsn: str = field(repr=False)  # It holds a password.
    owner_dsn: str = field(default="", repr=False)  # So may this; empty where it is not known.
    server: EmbeddedPostgres | None = None


embedded = embedded_servers.embedded

stop_database = embedded_servers.stop


def settings_from_environment(environ: Mapping[str, str] | None = None) -> Settings:
    """Return what the environment says. Raises SettingsUnknownError, SettingsWrongError."""
    return load_settings(os.environ if environ is None else environ)


def system_entropy() -> Entropy:
    """Return the kernel's random bytes."""
    return SystemEntropy()


def system_now() -> datetime:
    """Return this machine's time (UTC)."""
    return SystemClock().now()


async def migrate_owner(owner_url: str) -> int:
    """Bring the database of ``owner_url`` up to date; return the last step's number."""
    return await migrate(owner_url, app_password=None)


async def prepare(settings: Settings, *, server_user: str = SERVER_USER) -> World:
    """Bring the world of an installation up: keys, database, tables, and that they belong together.

    ``server_user`` runs the embedded database where we are root.

    Raises:
        KeyringMissingError, KeyringWrongError: before anything is stored.
        DatabaseNotStartedError, MigrationError, InstallationError: as they say.
    """
    keyring = keyrings.load(settings.keyring_dir, open_token(settings.token))
    own = settings.database_url is None
    server = embedded(settings, server_user=server_user) if own else None
    dsn, owner = settings.database_url or "", settings.owner_url or ""
    if server is not None:
        dsn, owner = await embedded_servers.bring_up(settings, server)
    await claim(
        dsn,
        fingerprint=keyring.fingerprint(),
        log_origin=settings.log_origin,
        seal_keys={key.key_id for key in keyring.keys(Role.SEAL)},
    )
    return World(settings=settings, keyring=keyring, dsn=dsn, owner_dsn=owner, server=server)
