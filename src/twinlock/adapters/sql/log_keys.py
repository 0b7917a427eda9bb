"""Appends to the log what belongs to nobody's account: the next key of the log itself."""

import asyncpg

from twinlock.adapters.boxes import Sealer
from twinlock.adapters.sql import queries, tree
from twinlock.adapters.sql.clocks import time_behind
from twinlock.adapters.sql.connections import DOWN, Database, unavailable
from twinlock.adapters.sql.watch import Watch
from twinlock.domain.log.merkle import Frontier, leaf_hash
from twinlock.domain.log_keys import log_key_label, log_key_leaf
from twinlock.ports import (
    Clock,
)


class SqlLogKeys:
    """Names keys of the log in the log. Implements ``ports.LogKeys``."""

    def __init__(self, database: Database, *, sealer: Sealer, clock: Clock) -> None:
        self._database = database
        self._sealer = sealer
        self._clock = clock

    async def tell(self, vkey: str) -> None:
        """Append the leaf that names ``vkey``, unless it stands there.

        Raises:
            LogDamagedError: the head or the last tiles are not what we wrote.
            UnavailableError: the database does not answer; nothing was appended, or all of it.
        """
        connection = await self._database.writer()
        try:
            async with connection.transaction():
                await self._append(connection, vkey)
        except DOWN as error:
            raise unavailable(error) from error
        finally:
            connection.terminate()

    async def _append(self, connection: asyncpg.Connection, vkey: str) -> None:
        watch, label = Watch(self._sealer), log_key_label(vkey)
        head = await connection.fetchrow(queries.LOCK_HEAD)
        frontier = watch.frontier_of(head)
        if await connection.fetchval(queries.HAS_LABEL, label):
            return
        database_at = await connection.fetchval("SELECT clock_timestamp()")
        at = time_behind(self._clock, head_at=head["at"], database_at=database_at)
        leaf = log_key_leaf(vkey, at=at)
        edge = await tree.read_edge(connection, frontier, seen=Frontier(), known=None)
        grown = tree.grown(edge, [leaf_hash(leaf)])
        after = grown.edge.frontier
        await connection.execute(
            queries.WRITE_LEAF,
            frontier.size,
            label,
            leaf,
            [level for level, _ in grown.rows],
            [number for _, number in grown.rows],
            list(grown.rows.values()),
            at,
            after.size,
            after.to_bytes(),
            watch.seal(after, at=at, platform=head["platform"]),
        )
