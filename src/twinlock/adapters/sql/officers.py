"""The platform's own chain of leaves, and what the head of the log holds of it.

An act is appended behind the locked head, and changes the head in the same transaction. Every batch
locks that head before it writes, and decides again where the head holds another platform than it
decided on. So whatever is committed after an act was decided on it.

Always true (tests/integration/test_officers_store.py): a halt that has returned binds every
decision and every spend that is committed later, by any process.
"""

from contextlib import suppress

import asyncpg

from twinlock.adapters.boxes import Sealer
from twinlock.adapters.sql import queries, tree
from twinlock.adapters.sql.clocks import time_behind
from twinlock.adapters.sql.connections import DOWN, Database, unavailable
from twinlock.adapters.sql.watch import Watch
from twinlock.domain.canonical import encode
from twinlock.domain.errors import present
from twinlock.domain.log.merkle import Frontier, leaf_hash
from twinlock.domain.officers.platform import (
    after,
    label_of,
    read_leaf,
    replayed,
)
from twinlock.domain.officers.standing import (
    check_standing,
    read_standing,
    standing_bytes,
)
from twinlock.ports import Clock
from twinlock.ports.officers import Chain, PlacedAct, Speak
from twinlock.proofs.officers import platform_of

TRIES = 20  # Each waits 0.3 s for the head; a service under load holds it for some milliseconds.


class SqlPlatformActs:
    """Implements ``ports.officers.PlatformActs``."""

    def __init__(
        self, database: Database, *, sealer: Sealer, clock: Clock, log_origin: str
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._log = log_origin

    async def read(self) -> Chain:
        """Return the whole chain (see ``ports.officers``)."""
        async with (
            self._database.reader() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            head = await connection.fetchrow(queries.READ_HEAD)
            Watch(self._sealer).frontier_of(head)
            entries, chain = await _chain(connection, head["platform"])
        platform_of(entries, log=self._log)
        return chain

    async def append(self, speak: Speak) -> Chain:
        """Append one act (see ``ports.officers``)."""
        for _ in range(TRIES - 1):
            with suppress(asyncpg.LockNotAvailableError):
                return await self._try(speak)
        try:
            return await self._try(speak)
        except asyncpg.LockNotAvailableError as error:
            raise unavailable(error) from error

    async def _try(self, speak: Speak) -> Chain:
        connection = await self._database.writer()
        try:
            async with connection.transaction():
                return await self._append(connection, speak)
        except asyncpg.LockNotAvailableError:
            raise
        except DOWN as error:
            raise unavailable(error) from error
        finally:
            connection.terminate()

    async def _append(self, connection: asyncpg.Connection, speak: Speak) -> Chain:
        watch = Watch(self._sealer)
        head = await connection.fetchrow(queries.LOCK_HEAD)
        frontier = watch.frontier_of(head)
        _, chain = await _chain(connection, head["platform"])
        database_at = await connection.fetchval("SELECT clock_timestamp()")
        at = time_behind(self._clock, head_at=head["at"], database_at=database_at)
        said = speak(chain.platform, at)
        platform = after(chain.platform, said)
        leaf, standing = encode(said), standing_bytes(platform)
        edge = await tree.read_edge(connection, frontier, seen=Frontier(), known=None)
        grown = tree.grown(edge, [leaf_hash(leaf)])
        end = grown.edge.frontier
        await connection.execute(queries.WRITE_PLATFORM, standing)
        await connection.execute(
            queries.WRITE_LEAF,
            frontier.size,
            label_of(said.n),
            leaf,
            [level for level, _ in grown.rows],
            [number for _, number in grown.rows],
            list(grown.rows.values()),
            at,
            end.size,
            end.to_bytes(),
            watch.seal(end, at=at, platform=standing),
        )
        placed = PlacedAct(index=frontier.size, leaf=said)
        return Chain(platform=platform, acts=(*chain.acts, placed))


async def _chain(
    connection: asyncpg.Connection, standing: bytes
) -> tuple[tuple[bytes, ...], Chain]:
    """Return the leaves as they stand, and what they make: no other than the head says."""
    labels = [label_of(number) for number in range(read_standing(standing).acts)]
    rows = await connection.fetch(queries.READ_PLATFORM_LEAVES, labels)
    entries = tuple(row["entry"] for row in rows)
    platform = check_standing(replayed(entries), standing)
    acts = tuple(
        PlacedAct(index=row["leaf_index"], leaf=present(read_leaf(row["entry"]), "it was read"))
        for row in rows
    )
    return entries, Chain(platform=platform, acts=acts)
