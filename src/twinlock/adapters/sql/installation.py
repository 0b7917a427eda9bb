"""A database belongs to one keyring and one log, and to no other."""

from collections.abc import Collection

import asyncpg

from twinlock.adapters.keyring.ring import KEY_ID_BYTES
from twinlock.adapters.sql import queries
from twinlock.adapters.sql.connections import (
    CONNECT_SECONDS,
    DOWN,
    READ_SECONDS,
    REFUSED,
    SETTINGS,
    leave,
    unreachable,
)
from twinlock.adapters.sql.migrate import check_schema
from twinlock.domain.errors import KeyringOutdatedError, SettingsWrongError, TwinlockError


class InstallationError(TwinlockError):
    """The keyring or the log's name is not the one this database was made with."""

    code = "installation_wrong"
    status = 503


async def claim(dsn: str, *, fingerprint: str, log_origin: str, seal_keys: Collection[str]) -> None:
    """Bind the database at ``dsn`` to this keyring and log, or check that it is bound to them.

    ``seal_keys`` are the ids of the seal keys that the keyring holds. Prevents: serving with
    another installation's keys, or with an older copy of our own that a rotation left behind, which
    would seal rows nobody can open; and serving as a role that may rewrite what happened.

    Raises:
        InstallationError: it belongs to others.
        SettingsWrongError: the role of ``dsn`` may change or delete the log's entries.
        KeyringOutdatedError: its log was last sealed under a key that is not among them.
        MigrationError: its tables are not those of this version.
        UnavailableError: it does not answer.
    """
    try:
        connection = await asyncpg.connect(
            dsn, timeout=CONNECT_SECONDS, command_timeout=READ_SECONDS, server_settings=SETTINGS
        )
    except (*DOWN, *REFUSED) as error:
        raise unreachable(error) from error
    try:
        await check_schema(connection)
        await _refuse_owners(connection)
        await connection.execute(queries.CLAIM_INSTALLATION, fingerprint, log_origin)
        row = await connection.fetchrow(queries.READ_INSTALLATION)
        sealed = await connection.fetchval(queries.READ_HEAD_MAC)
    except DOWN as error:
        raise unreachable(error) from error
    finally:
        await leave(connection)
    if row is None or (row["fingerprint"], row["log_origin"]) != (fingerprint, log_origin):
        raise InstallationError("this database belongs to another keyring or log")
    if sealed and sealed[:KEY_ID_BYTES].hex() not in seal_keys:
        raise KeyringOutdatedError(
            f"the log is sealed under seal key {sealed[:KEY_ID_BYTES].hex()}, which this keyring"
            " does not hold: put the latest copy of the keyring here"
        )


async def _refuse_owners(connection: asyncpg.Connection) -> None:
    if await connection.fetchval(queries.MAY_REWRITE):
        raise SettingsWrongError(
            "TWINLOCK_DATABASE_URL is not that of the application: its role may change or delete"
            " entries of the log (docs/postgresql.md)"
        )
