"""How often sign-ins looked so, in a table: a row for each node and week, for all processes."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import asyncpg

from twinlock.adapters.sql import queries
from twinlock.adapters.sql.store import SqlStore
from twinlock.ports.sign_ins import Counted

T = TypeVar("T")
WEEKS_KEPT = 13  # A quarter of a year: habits and browsers change.
# Of what reads all of the table: a million and a half rows took two; no request waits for it.
WHOLE_SECONDS = 60.0

# Rows are written in the order of their names, so that two processes never wait for each other.
ADD = """
INSERT INTO sign_in_count AS kept (week, node, parent, times)
SELECT date_trunc('week', now())::date, node, parent, times
FROM unnest($1::bytea[], $2::bytea[], $3::bigint[]) AS new (node, parent, times)
ORDER BY node
ON CONFLICT (week, node) DO UPDATE SET times = kept.times + EXCLUDED.times
"""

# Nodes of any week, the commonest first; of equals always the same ones.
READ = """
SELECT node, parent, sum(times)::bigint AS times
FROM sign_in_count
WHERE week > now() - make_interval(weeks => $2)
GROUP BY node, parent
ORDER BY times DESC, node
LIMIT $1
"""

# What is older, and what was seen once in a week that is over.
FORGET = """
DELETE FROM sign_in_count
WHERE week <= now() - make_interval(weeks => $1)
   OR (times = 1 AND week < date_trunc('week', now())::date)
"""


class SqlSignInCounts:
    """Implements ``ports.SignInCounts``."""

    def __init__(self, store: SqlStore) -> None:
        self._database = store.database

    async def add(self, counted: Sequence[Counted]) -> None:
        """Count each node that many times more."""
        if not counted:
            return
        columns = [list(column) for column in zip(*counted, strict=True)]
        await self._database.read(lambda db: db.execute(ADD, *columns))

    async def read(self, *, most: int) -> Sequence[Counted]:
        """Return the nodes seen most often, ``most`` of them at most."""
        rows = await self._through_all(
            lambda db: db.fetch(READ, most, WEEKS_KEPT, timeout=WHOLE_SECONDS)
        )
        return [Counted(row["node"], row["parent"], row["times"]) for row in rows]

    async def forget(self) -> None:
        """Forget what is too old, and what was seen once and not lately."""
        await self._through_all(lambda db: db.execute(FORGET, WEEKS_KEPT, timeout=WHOLE_SECONDS))

    async def _through_all(self, ask: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        """Prevents: a table so large that no copy is renewed, and all sign-ins count as raised."""
        async with self._database.reader() as db, db.transaction():
            await db.execute(queries.TAKE_TIME)
            return await ask(db)
