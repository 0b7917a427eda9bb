"""The table of how often sign-ins looked so: added up, the commonest first, and forgotten."""

import asyncio

import pytest
from support.postgres import TestDatabase

from twinlock.adapters.sql import connections, sign_in_counts
from twinlock.adapters.sql.connections import Database
from twinlock.adapters.sql.sign_in_counts import WEEKS_KEPT, SqlSignInCounts
from twinlock.adapters.sql.store import SqlStore
from twinlock.ports.sign_ins import Counted

ROOT = Counted(b"r" * 8, b"", 3)
ONE = Counted(b"1" * 8, ROOT.node, 2)
OTHER = Counted(b"2" * 8, ROOT.node, 1)


@pytest.fixture
def counts(store: SqlStore) -> SqlSignInCounts:
    return SqlSignInCounts(store)


async def test_what_is_added_is_added_up(counts: SqlSignInCounts) -> None:
    await counts.add([])
    assert await counts.read(most=10) == []

    await counts.add([ROOT, ONE, OTHER])
    await counts.add([ROOT, ONE])

    assert await counts.read(most=10) == [
        ROOT._replace(times=6),
        ONE._replace(times=4),
        OTHER,
    ]
    assert await counts.read(most=1) == [ROOT._replace(times=6)]


async def test_processes_that_add_at_once_lose_nothing(counts: SqlSignInCounts) -> None:
    many = [Counted(bytes([n]) * 8, b"", 1) for n in range(200)]
    await asyncio.gather(*(counts.add(many[::step]) for step in (1, -1, 1, -1)))

    assert {one.times for one in await counts.read(most=500)} == {4}


async def test_what_is_old_is_forgotten_and_what_was_seen_once_and_not_lately(
    counts: SqlSignInCounts, database: TestDatabase
) -> None:
    await counts.add([ROOT, ONE, OTHER])
    await database.execute("UPDATE sign_in_count SET week = week - 7")
    await counts.add([ROOT])
    assert ROOT._replace(times=6) in await counts.read(most=10)

    await counts.forget()
    assert await counts.read(most=10) == [ROOT._replace(times=6), ONE]

    await database.execute("UPDATE sign_in_count SET week = week - 7 * $1::int", WEEKS_KEPT)
    assert await counts.read(most=10) == []
    await counts.forget()
    async with database.owner() as owner:
        assert await owner.fetchval("SELECT count(*) FROM sign_in_count") == 0


async def test_a_table_of_millions_is_read_and_forgotten_all_the_same(
    counts: SqlSignInCounts, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents: counts that are never renewed, after which every customer's exits are held."""
    monkeypatch.setattr(sign_in_counts, "FORGET", "SELECT pg_sleep(0.7) WHERE $1::int > 0")
    monkeypatch.setattr(
        sign_in_counts,
        "READ",
        "SELECT node, parent, times FROM sign_in_count, pg_sleep(0.7) WHERE $2::int > 0 LIMIT $1",
    )
    monkeypatch.setattr(connections, "READ_SECONDS", 0.5)
    monkeypatch.setitem(connections.SETTINGS, "statement_timeout", "500")
    await counts.add([ROOT])
    async with Database.open(database.app_dsn) as impatient:
        monkeypatch.setattr(counts, "_database", impatient)

        assert await counts.read(most=10) == [ROOT]
        await counts.forget()
