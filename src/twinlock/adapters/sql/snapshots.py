"""Past decisions with the facts that were stored with them, and the policies that made them.

Facts stand in clear beside each leaf, so that no key is needed to replay them.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime

import asyncpg

from twinlock.adapters.sql.connections import DOWN, unreachable
from twinlock.adapters.sql.leaf_times import first_leaf, size_of_log
from twinlock.adapters.sql.queries import READ_POLICY
from twinlock.domain.policy.backtesting import Snapshot

LEAVES = 2_000  # Read at once: with facts of 2 KB and leaves of 1 KB it is 6 MB.

# Of a leaf that somebody removed nothing is told, and that it was there.
_READ_SNAPSHOTS = """
SELECT n, coalesce(l.entry, ''), coalesce(l.facts, '')
  FROM generate_series($1::bigint, $2::bigint - 1) n
  LEFT JOIN leaf l ON l.cell = 1 AND l.leaf_index = n ORDER BY n
"""


class SqlSnapshots:
    """Implements ``ports.SnapshotSource`` on one connection, in the moment that it holds."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def snapshots(
        self,
        since: datetime | None,
        until: datetime | None,
        *,
        advance: Callable[[int, int], None],
    ) -> AsyncIterator[Sequence[Snapshot]]:
        """Give every entry from ``since`` on and before ``until``, some at a time.

        Raises:
            LogDamagedError: where a time begins or ends cannot be told (``leaf_times``).
        """
        first = 0 if since is None else await first_leaf(self._fetch, since)
        end = await (size_of_log(self._fetch) if until is None else first_leaf(self._fetch, until))
        for start in range(first, end, LEAVES):
            stop = min(start + LEAVES, end)
            yield [Snapshot(*row) for row in await self._fetch(_READ_SNAPSHOTS, start, stop)]
            advance(stop - first, end - first)

    async def policy(self, digest: str) -> bytes | None:
        """Return the whole text of a policy version that is kept, or None."""
        rows = await self._fetch(READ_POLICY, digest)
        return None if not rows else bytes(rows[0]["body"])

    async def _fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        try:
            return list(await self._connection.fetch(sql, *arguments))
        except DOWN as error:
            raise unreachable(error) from error
