"""What the application's role may not do, whoever speaks through it."""

import asyncpg
import pytest
from support.postgres import TestDatabase, both_versions
from support.stores import SteerableClock, opened

from twinlock.adapters.sql.store import SqlStore

TABLES = (
    "subject_key",
    "stream",
    "event",
    "leaf",
    "tile",
    "head",
    "outbox",
    "idempotency",
    "platform_key",
    "platform_key_revoked",
    "message_nonce",
    "policy",
    "installation",
    "migration",
    "webhook",
    "webhook_retry",
    "told_stream",
    "told_subject",
    "told_token",
    "contact",
    "signal_count",
    "erased",
    "erased_entry",
    "order_count",
    "api_key_mark",
    "delivery",
    "inbox",
    "sighting",
    "sign_in_count",
)
FORBIDDEN = [
    "UPDATE leaf SET entry = 'x'",
    "UPDATE leaf SET label = sha256(label)",
    "DELETE FROM leaf",
    "SELECT 1 FROM leaf FOR UPDATE",
    "UPDATE event SET box = 'x'",
    "UPDATE event SET leaf_index = 0",
    "DELETE FROM event",
    "INSERT INTO leaf SELECT * FROM leaf ON CONFLICT (cell, leaf_index) DO UPDATE SET entry = 'x'",
    "MERGE INTO leaf l USING leaf o ON l.leaf_index = o.leaf_index WHEN MATCHED THEN DELETE",
    "DELETE FROM stream",
    "UPDATE stream SET subject = 'x'",
    "UPDATE stream SET kind = 'action'",
    "UPDATE stream SET id = 'x'",
    "UPDATE subject_key SET wrapped = 'x'",
    "DELETE FROM subject_key",
    "DELETE FROM tile",
    "UPDATE tile SET number = 7",
    "DELETE FROM head",
    "INSERT INTO head VALUES (2, 0, '', now())",
    "UPDATE head SET cell = 2",
    "UPDATE idempotency SET action_id = 'x'",
    "UPDATE outbox SET box = 'x'",
    "DELETE FROM policy",
    "UPDATE policy SET body = 'x'",
    "UPDATE policy SET digest = 'x'",
    "UPDATE order_count SET name = 'x'",
    "UPDATE api_key_mark SET subject = 'x'",
    "DELETE FROM api_key_mark",
    "UPDATE order_count SET day = 0",
    "UPDATE delivery SET subject = 'x'",
    "UPDATE delivery SET box = 'x'",
    "UPDATE delivery SET carrier = 'x'",
    "UPDATE inbox SET box = 'x'",
    "UPDATE inbox SET subject = 'x'",
    "UPDATE sighting SET place = 'x'",
    "UPDATE sighting SET by = 'x'",
    "UPDATE sign_in_count SET node = 'x'",
    "UPDATE sign_in_count SET week = now()",
    "DELETE FROM platform_key",
    "UPDATE platform_key SET mac = 'x'",
    "UPDATE platform_key SET scopes = '{}'",
    "UPDATE platform_key SET expires_at = now()",
    "UPDATE platform_key SET signed_by = NULL",
    "UPDATE contact SET subject = 'x'",
    "UPDATE contact SET name = 'x'",
    "UPDATE signal_count SET day = now()",
    "UPDATE message_nonce SET until = 'infinity'",
    "UPDATE platform_key_revoked SET revoked_at = 'infinity'",
    "DELETE FROM platform_key_revoked",
    "UPDATE idempotency SET mac = 'x'",
    "UPDATE installation SET fingerprint = 'x'",
    "DELETE FROM installation",
    "UPDATE webhook SET id = 'x'",
    "UPDATE webhook_retry SET webhook_id = 'x'",
    "UPDATE webhook_retry SET leaf_index = 7",
    "UPDATE told_stream SET receiver = 'x'",
    "UPDATE told_subject SET subject = 'acc_a'",
    "UPDATE told_subject SET box = 'x'",
    "UPDATE told_token SET subject = 'acc_a'",
    "UPDATE told_token SET box = 'x'",
    "INSERT INTO erased VALUES ('acc_a', 0, 1, 'x', 'x')",
    "INSERT INTO erased_entry VALUES (0, 'x')",
    "UPDATE erased SET subject = 'acc_a'",
    "UPDATE erased SET entries = 9",
    "DELETE FROM erased",
    "UPDATE erased_entry SET mac = 'x'",
    "DELETE FROM erased_entry",
    "UPDATE leaf SET facts = '{}'",
    "INSERT INTO migration VALUES (9, 'x')",
    "UPDATE migration SET digest = 'x'",
    "CREATE TABLE twinlock.mine ()",
    "CREATE TABLE public.mine ()",
    "CREATE FUNCTION twinlock.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE INDEX ON leaf (entry)",
    "CREATE TRIGGER t BEFORE INSERT ON leaf EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE RULE r AS ON INSERT TO leaf DO INSTEAD NOTHING",
    "CREATE ROLE another",
    "ALTER ROLE twinlock_app SUPERUSER",
    "SET ROLE postgres",
    "SET session_replication_role = replica",
    "COPY leaf TO PROGRAM 'cat'",
    "COPY leaf FROM '/etc/passwd'",
]


async def went_through(database: TestDatabase, statements: list[str]) -> list[str]:
    """Return those of ``statements`` that the application was not refused."""
    through = []
    async with database.app() as app:
        for sql in statements:
            try:
                await app.execute(sql)
            except asyncpg.InsufficientPrivilegeError:
                continue
            through.append(sql)
    return through


@pytest.mark.requirement("O-34", "O-31")
@both_versions
async def test_the_application_may_neither_change_nor_move_nor_remove(
    store: SqlStore, clock: SteerableClock, database: TestDatabase
) -> None:
    await opened(store, clock)

    assert await went_through(database, FORBIDDEN) == []


@pytest.mark.parametrize("sql", ["TRUNCATE {}", "DROP TABLE {}", "ALTER TABLE {} ADD more int"])
async def test_the_application_may_not_clear_or_alter_a_table(
    database: TestDatabase, sql: str
) -> None:
    assert await went_through(database, [sql.format(table) for table in TABLES]) == []


async def test_the_tables_named_here_are_all_there_are(database: TestDatabase) -> None:
    found = await database.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'twinlock'")

    assert {row["tablename"] for row in found} == set(TABLES)


@pytest.mark.requirement("O-31")
async def test_the_application_is_no_more_than_it_seems(database: TestDatabase) -> None:
    (role,) = await database.fetch("SELECT * FROM pg_roles WHERE rolname = 'twinlock_app'")

    rights = ("rolsuper", "rolcreaterole", "rolcreatedb", "rolreplication", "rolbypassrls")
    assert not any(role[right] for right in rights)
    assert (
        await database.value(
            "SELECT count(*) FROM pg_auth_members m JOIN pg_roles r"
            " ON r.oid = m.member WHERE r.rolname = 'twinlock_app'"
        )
        == 0
    )
