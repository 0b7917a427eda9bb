"""Which accounts have API keys of which integrator, by names that the database cannot guess.

Always true (tests/integration/test_integrators.py): an account is marked in the transaction in
which its key is made or begins to wait, and its marks go with it.
"""

from collections.abc import Iterable

import asyncpg

from twinlock.adapters.sql.connections import Database
from twinlock.domain.decisions import Decided
from twinlock.domain.events import AccountOpened, ActionDone, ActionHeld
from twinlock.domain.ids import AccountId
from twinlock.ports import Work

_MARK = """
INSERT INTO api_key_mark (subject, name) SELECT * FROM unnest($1::text[], $2::bytea[])
ON CONFLICT DO NOTHING
"""
_READ_MARKED = """
SELECT subject FROM api_key_mark
 WHERE name = ANY($1::bytea[]) AND subject COLLATE "C" > $2
 GROUP BY subject ORDER BY subject COLLATE "C" LIMIT $3
"""
_COUNT_MARKED = "SELECT count(DISTINCT subject) FROM api_key_mark WHERE name = ANY($1::bytea[])"
_BRINGS = (AccountOpened, ActionDone, ActionHeld)
COUNT_MARKS = "SELECT count(*) FROM api_key_mark WHERE substr(name, 1, 8) = $1"


async def keep_marks(
    connection: asyncpg.Connection, decided: Iterable[tuple[Work, Decided]]
) -> None:
    """Mark the accounts of works that bring a key about: at once, after a wait, or moving in."""
    rows = [
        (work.account_id, mark)
        for work, one in decided
        for mark in work.marks
        if any(isinstance(event, _BRINGS) for event in one.answer.events)
    ]
    if rows:
        await connection.execute(_MARK, *map(list, zip(*rows, strict=True)))


class SqlMarkedAccounts:
    """Marked accounts over the store's connections. Implements ``keys.MarkedAccounts``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(self, marks: tuple[bytes, ...]) -> int:
        """Return how many there are."""
        count: int = await self._database.read(lambda db: db.fetchval(_COUNT_MARKED, list(marks)))
        return count

    async def marked(
        self, marks: tuple[bytes, ...], *, after: str, most: int
    ) -> tuple[AccountId, ...]:
        """Return up to ``most`` of them, in order, from the one behind ``after``."""
        rows = await self._database.read(
            lambda db: db.fetch(_READ_MARKED, list(marks), after, most)
        )
        return tuple(AccountId(row["subject"]) for row in rows)
