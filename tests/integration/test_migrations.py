"""Migrations go forward only, once, and the tables are those that are written down."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from support.postgres import APP_PASSWORD, TestDatabase, TestServer, both_versions
from support.schema import describe

from twinlock.adapters.sql import connections, queries
from twinlock.adapters.sql import installation as installing
from twinlock.adapters.sql import migrate as migrating
from twinlock.adapters.sql.installation import InstallationError, claim
from twinlock.adapters.sql.migrate import (
    APP_ROLE,
    Migration,
    MigrationBusyError,
    MigrationError,
    check_schema,
    migrate,
    migrations,
)
from twinlock.domain.errors import SettingsWrongError, UnavailableError

WRITTEN_DOWN = Path(__file__).with_name("schema.txt")
LAST = max(step.number for step in migrations())


@pytest.fixture
async def empty(server: TestServer) -> AsyncIterator[TestDatabase]:
    """A database that nobody has migrated."""
    async with server.database(template="template1") as fresh:
        yield fresh


def a_step(number: int, sql: str) -> Migration:
    return Migration(number=number, sql=sql, digest=sql.encode().ljust(32, b"."))


async def test_the_tables_are_those_that_are_written_down(database: TestDatabase) -> None:
    """After a new step write them down anew: see support/schema.py."""
    async with database.owner() as owner:
        assert await describe(owner) == WRITTEN_DOWN.read_text("utf-8")


@both_versions
async def test_migrating_again_changes_nothing(empty: TestDatabase) -> None:
    first = await migrate(empty.owner_dsn, app_password=None)
    applied = await empty.fetch("SELECT * FROM migration")

    assert await migrate(empty.owner_dsn, app_password=APP_PASSWORD) == first == LAST
    assert await empty.fetch("SELECT * FROM migration") == applied


def test_steps_are_numbered_without_gaps() -> None:
    assert [step.number for step in migrations()] == list(range(1, LAST + 1))


@both_versions
async def test_several_processes_that_migrate_at_once_migrate_once(empty: TestDatabase) -> None:
    done = await asyncio.gather(
        *(migrate(empty.owner_dsn, app_password=APP_PASSWORD) for _ in range(4))
    )

    assert done == [LAST] * 4
    assert await empty.value("SELECT count(*) FROM migration") == LAST
    async with empty.app() as app:
        assert await app.fetchval("SELECT size FROM head") == 0


async def test_a_step_that_was_edited_after_it_was_applied_is_refused(
    database: TestDatabase,
) -> None:
    await database.execute("UPDATE migration SET digest = sha256(digest) WHERE number = 1")

    with pytest.raises(MigrationError, match="step 1 was changed"):
        await migrate(database.owner_dsn, app_password=None)


async def test_a_database_that_is_newer_than_us_is_refused(database: TestDatabase) -> None:
    await database.execute("INSERT INTO migration VALUES (9999, 'digest')")

    with pytest.raises(MigrationError, match="step 9999"):
        await migrate(database.owner_dsn, app_password=None)


async def test_a_step_that_comes_before_one_that_was_applied_is_refused(
    database: TestDatabase,
) -> None:
    known = migrations()
    late = a_step(0, "CREATE TABLE late ()")

    with pytest.raises(MigrationError, match="step 0 was changed"):
        await migrate(database.owner_dsn, app_password=None, steps=(late, *known))


async def test_new_steps_are_applied_in_order(database: TestDatabase) -> None:
    second = a_step(LAST + 1, "CREATE TABLE more (a int)")
    third = a_step(LAST + 2, "ALTER TABLE more ADD b int")

    done = await migrate(
        database.owner_dsn, app_password=None, steps=(*migrations(), second, third)
    )

    assert done == LAST + 2
    assert await database.value("SELECT count(b) FROM twinlock.more") == 0


async def test_when_one_step_fails_none_is_applied(database: TestDatabase) -> None:
    good, bad = a_step(LAST + 1, "CREATE TABLE more ()"), a_step(LAST + 2, "CREATE TABLE head ()")

    with pytest.raises(asyncpg.DuplicateTableError):
        await migrate(database.owner_dsn, app_password=None, steps=(*migrations(), good, bad))

    assert await database.value("SELECT max(number) FROM migration") == LAST
    assert await database.value("SELECT to_regclass('twinlock.more')") is None


async def test_an_owner_that_cannot_be_reached_is_told(server: TestServer) -> None:
    with pytest.raises(UnavailableError):
        await migrate(server.dsn("no_such_database"), app_password=None)


async def test_a_starter_that_was_stopped_in_the_middle_holds_nobody_up_for_long(
    empty: TestDatabase,
) -> None:
    """Prevents: one stopped process after which no other ever starts."""
    starter = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        STOPS_ITSELF,
        empty.owner_dsn,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert starter.stdout is not None
        await starter.stdout.readline()
        async with asyncio.timeout(9):
            assert await migrate(empty.owner_dsn, app_password=APP_PASSWORD) == LAST
    finally:
        starter.kill()
        await starter.wait()


STOPS_ITSELF = """
import asyncio, os, signal, sys
from twinlock.adapters.sql import migrate

class Stops(tuple):
    def __iter__(self):
        print("in the middle", flush=True)
        os.kill(os.getpid(), signal.SIGSTOP)
        return super().__iter__()

steps = Stops(migrate.migrations())
asyncio.run(migrate.migrate(sys.argv[1], app_password=None, steps=steps))
"""


async def test_somebody_who_holds_the_lock_for_longer_is_told_of(
    empty: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(migrating.SETTINGS, "lock_timeout", "100")
    async with empty.owner() as busy, busy.transaction():
        await busy.execute("SELECT pg_advisory_xact_lock($1)", migrating._LOCK)  # noqa: SLF001 - what a starter holds

        with pytest.raises(MigrationBusyError, match="let it end"):
            await migrate(empty.owner_dsn, app_password=None)

    assert await migrate(empty.owner_dsn, app_password=None) == LAST


async def test_a_step_that_takes_too_long_is_given_up_whole(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "STEP_SECONDS", 0.5)
    slow = a_step(LAST + 1, "CREATE TABLE more (); SELECT pg_sleep(60)")

    with pytest.raises(UnavailableError):
        await migrate(database.owner_dsn, app_password=None, steps=(*migrations(), slow))

    assert await database.value("SELECT to_regclass('twinlock.more')") is None


async def test_only_the_owner_migrates(database: TestDatabase) -> None:
    with pytest.raises(MigrationError, match="owner"):
        await migrate(database.app_dsn, app_password=None)


async def test_a_server_that_hangs_in_the_middle_of_a_step_is_left(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "STEP_SECONDS", 2.0)
    monkeypatch.setattr(connections, "CLOSE_SECONDS", 0.1)
    slow = a_step(LAST + 1, "SELECT pg_sleep(60)")
    running = asyncio.create_task(
        migrate(database.owner_dsn, app_password=None, steps=(*migrations(), slow))
    )
    backend = None
    while backend is None:
        backend = await database.value(
            "SELECT pid FROM pg_stat_activity"
            " WHERE application_name = 'twinlock migrate' AND wait_event = 'PgSleep'"
        )
    os.kill(int(str(backend)), signal.SIGSTOP)
    try:
        async with asyncio.timeout(15):
            with pytest.raises(UnavailableError):
                await running
    finally:
        os.kill(int(str(backend)), signal.SIGCONT)


async def test_a_password_may_hold_a_quote(empty: TestDatabase) -> None:
    password = 'it\'s "one" \\ $$'  # noqa: S105 - of a test
    await migrate(empty.owner_dsn, app_password=password)
    try:
        dsn = empty.server.dsn(empty.name, role=APP_ROLE, password=password)
        connection = await asyncpg.connect(dsn)
        await connection.close()
    finally:
        await migrate(empty.owner_dsn, app_password=APP_PASSWORD)


@both_versions
async def test_every_statement_fits_the_tables(database: TestDatabase) -> None:
    statements = {name: text for name, text in vars(queries).items() if name.isupper()}

    async with database.app() as app:
        for text in statements.values():
            await app.prepare(text)

    assert len(statements) > 10


# --- Serving on them ---


async def test_a_database_is_served_at_exactly_our_step(database: TestDatabase) -> None:
    async with database.app() as app:
        await check_schema(app)

    await database.execute("DELETE FROM migration WHERE number = $1", LAST)
    async with database.app() as app:
        with pytest.raises(MigrationError, match=f"lacks step {LAST}"):
            await check_schema(app)


async def test_a_database_without_our_tables_is_not_served(empty: TestDatabase) -> None:
    with pytest.raises(MigrationError, match="run its migrations"):
        await claim(empty.app_dsn, fingerprint="f", log_origin="o", seal_keys=())


async def test_a_database_belongs_to_the_first_keyring_and_log_that_claim_it(
    database: TestDatabase,
) -> None:
    await claim(database.app_dsn, fingerprint="ours", log_origin="log", seal_keys=())
    await claim(database.app_dsn, fingerprint="ours", log_origin="log", seal_keys=())

    for fingerprint, log_origin in (("another's", "log"), ("ours", "another log")):
        with pytest.raises(InstallationError):
            await claim(
                database.app_dsn, fingerprint=fingerprint, log_origin=log_origin, seal_keys=()
            )


@pytest.mark.parametrize("kept", ["leaf", "event"])
async def test_nobody_serves_as_a_role_that_may_rewrite_the_log(
    database: TestDatabase, kept: str
) -> None:
    """Prevents: the owner's URL in the application's variable, and no word of it."""
    ours: dict[str, Any] = {"fingerprint": "ours", "log_origin": "log", "seal_keys": ()}
    with pytest.raises(SettingsWrongError, match="of the application"):
        await claim(database.owner_dsn, **ours)
    await claim(database.app_dsn, **ours)
    await database.execute(f"GRANT DELETE ON {kept} TO {APP_ROLE}")

    with pytest.raises(SettingsWrongError, match="may change or delete"):
        await claim(database.app_dsn, **ours)


async def test_a_database_that_cannot_be_reached_is_not_claimed(server: TestServer) -> None:
    with pytest.raises(UnavailableError):
        await claim(server.dsn("no_such_database"), fingerprint="f", log_origin="o", seal_keys=())


async def test_a_claim_that_is_held_up_is_told(database: TestDatabase) -> None:
    async with database.owner() as operator, operator.transaction():
        await operator.execute("LOCK TABLE installation")

        with pytest.raises(UnavailableError):
            await claim(database.app_dsn, fingerprint="f", log_origin="o", seal_keys=())


async def test_a_server_that_hangs_over_a_claim_is_left(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents: a service that neither starts nor says why."""
    monkeypatch.setattr(installing, "READ_SECONDS", 0.5)
    monkeypatch.setattr(connections, "CLOSE_SECONDS", 0.1)
    backend = None
    async with database.owner() as operator, operator.transaction():
        await operator.execute("LOCK TABLE installation")
        claiming = asyncio.create_task(
            claim(database.app_dsn, fingerprint="f", log_origin="o", seal_keys=())
        )
        while backend is None:
            assert not claiming.done()
            backend = await operator.fetchval("SELECT pid FROM pg_locks WHERE NOT granted")
        os.kill(int(backend), signal.SIGSTOP)
        try:
            async with asyncio.timeout(15):
                with pytest.raises(UnavailableError):
                    await claiming
        finally:
            os.kill(int(backend), signal.SIGCONT)
