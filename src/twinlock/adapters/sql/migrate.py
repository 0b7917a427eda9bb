"""Forward-only migrations, and the two database roles.

The owner makes and changes tables; the application's role may insert leaves and events and can
neither change nor delete one. A migration that was applied is never edited: its digest is kept and
compared.

Always true (tests/integration/test_migrations.py): a process that is stopped or cut off while it
migrates holds the others up for seconds, and one that migrates for longer is told of with a code.
"""

import hashlib
import re
from importlib import resources
from typing import NamedTuple

import asyncpg

from twinlock.adapters.sql.connections import (
    CONNECT_SECONDS,
    DOWN,
    REFUSED,
    leave,
    unreachable,
)
from twinlock.domain.errors import TwinlockError

APP_ROLE = "twinlock_app"
SCHEMA = "twinlock"
_FILE = re.compile(r"(?P<number>[0-9]{4})_[a-z0-9_]+\.sql")
_LOCK = 0x7417_10C4  # An advisory lock of our own: processes that start together migrate once.
STEP_SECONDS = 60.0  # What one step may take; all of them take 0.1 s on an empty database.
SETTINGS = {
    "application_name": "twinlock migrate",
    # ms. Between two statements pass microseconds; whoever was stopped there is cut off, and the
    # lock is of the transaction, so that it is free then. Those who wait have more patience.
    "idle_in_transaction_session_timeout": "3000",
    "lock_timeout": "10000",
}

# Another database of the same cluster may make the role at the same moment.
_MAKE_ROLE = f"""
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{APP_ROLE}') THEN
        CREATE ROLE {APP_ROLE} LOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END $$
"""
_PREPARE = f"""
CREATE SCHEMA IF NOT EXISTS {SCHEMA};
CREATE TABLE IF NOT EXISTS {SCHEMA}.migration (
    number integer PRIMARY KEY,
    digest bytea NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
GRANT USAGE ON SCHEMA {SCHEMA} TO {APP_ROLE};
GRANT SELECT ON {SCHEMA}.migration TO {APP_ROLE};
SET LOCAL search_path TO {SCHEMA};
"""
_READ_APPLIED = f"SELECT number, digest FROM {SCHEMA}.migration"  # noqa: S608 - our own constant


class MigrationError(TwinlockError):
    """The tables of the database are not those that this version of Twinlock makes."""

    code = "schema_wrong"
    status = 503


class MigrationBusyError(TwinlockError):
    """Another process has been migrating the database, or using its tables, for ten seconds.

    Let it end, or end it, and start again: every step is applied once, wholly or not at all.
    """

    code = "migration_busy"
    status = 503


class Migration(NamedTuple):
    """One step: its number, its SQL, and the SHA-256 of its text."""

    number: int
    sql: str
    digest: bytes


def migrations() -> tuple[Migration, ...]:
    """Return every migration of this version, in order."""
    files = resources.files("twinlock.adapters.sql").joinpath("migrations").iterdir()
    named = ((_FILE.fullmatch(file.name), file.read_bytes()) for file in files if file.is_file())
    return tuple(
        sorted(
            Migration(int(name["number"]), text.decode("utf-8"), hashlib.sha256(text).digest())
            for name, text in named
            if name is not None
        )
    )


async def migrate(
    dsn: str, *, app_password: str | None, steps: tuple[Migration, ...] | None = None
) -> int:
    """Bring the database at ``dsn`` (its owner) up to date; return the last number applied.

    ``app_password`` sets the password of the application's role; None leaves it as it is. All of
    ``steps`` (those of this version unless told) that are missing are applied, or none.

    Raises:
        MigrationError: a step was edited after it was applied, the database is newer than us, or
            ``dsn`` is not its owner's.
        MigrationBusyError: somebody else held what the steps need, throughout ten seconds.
        UnavailableError: the database does not answer.
    """
    steps = migrations() if steps is None else steps
    try:
        connection = await asyncpg.connect(
            dsn, timeout=CONNECT_SECONDS, command_timeout=STEP_SECONDS, server_settings=SETTINGS
        )
    except (*DOWN, *REFUSED) as error:
        raise unreachable(error) from error
    try:
        await _apply(connection, steps, app_password)
    except asyncpg.LockNotAvailableError as error:
        raise MigrationBusyError(
            "another process migrates this database, or uses its tables: let it end, or end it"
        ) from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise MigrationError("the URL to migrate by is not that of the tables' owner") from error
    except DOWN as error:
        raise unreachable(error) from error
    finally:
        await leave(connection)
    return max(one.number for one in steps)


async def _apply(
    connection: asyncpg.Connection, steps: tuple[Migration, ...], app_password: str | None
) -> None:
    """Apply the steps that are missing, alone and in one transaction."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute(_MAKE_ROLE)
        if app_password is not None:
            await _set_password(connection, app_password)
        await connection.execute(_PREPARE)
        for step in await _missing(connection, steps):
            await connection.execute(step.sql)
            await connection.execute(
                "INSERT INTO migration (number, digest) VALUES ($1, $2)", step.number, step.digest
            )


async def _set_password(connection: asyncpg.Connection, password: str) -> None:
    quoted = await connection.fetchval("SELECT quote_literal($1::text)", password)
    await connection.execute(f"ALTER ROLE {APP_ROLE} PASSWORD {quoted}")


async def _missing(
    connection: asyncpg.Connection, steps: tuple[Migration, ...]
) -> tuple[Migration, ...]:
    """Return the steps to apply; what was applied is exactly the first of ``steps``, unedited."""
    applied = {row["number"]: row["digest"] for row in await connection.fetch(_READ_APPLIED)}
    unknown = set(applied) - {one.number for one in steps}
    if unknown:
        raise MigrationError(f"the database has step {max(unknown)}, which this version has not")
    for step in steps[: len(applied)]:
        if applied.get(step.number) != step.digest:
            raise MigrationError(f"step {step.number} was changed after it was applied")
    return steps[len(applied) :]


async def check_schema(connection: asyncpg.Connection) -> None:
    """Refuse a database that is not at exactly the last step of this version.

    Raises:
        MigrationError: it was never migrated, or is older or newer than this version, or another.
    """
    try:
        missing = await _missing(connection, migrations())
    except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError) as error:
        raise MigrationError("the database holds no Twinlock: run its migrations") from error
    if missing:
        raise MigrationError(f"the database lacks step {missing[0].number}: run its migrations")
