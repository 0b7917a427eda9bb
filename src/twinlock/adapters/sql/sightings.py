"""At how many accounts a destination was wanted: names that are blind on both sides, for a while.

A row says that somebody wanted some place. It says neither who nor where to anybody without the
index key, and two places of one account have nothing in common. Of one place SIGHTINGS_KEPT rows
are kept, so that the address of a large exchange costs no more room and time than another.
"""

from datetime import datetime

from twinlock.adapters.sql import queries
from twinlock.adapters.sql.connections import Database
from twinlock.domain.account import Account, OpenAction
from twinlock.domain.actions import class_of, place_of
from twinlock.domain.bounds import SIGHTINGS_COUNTED, SIGHTINGS_KEPT, SIGHTINGS_PERIOD
from twinlock.domain.catalogue import ActionClass
from twinlock.domain.exits import COMMON_NAMES
from twinlock.domain.forgetting import versions_of
from twinlock.ports import Clock
from twinlock.ports.keys import BlindIndex, Sighting

FORGET_MOST = 10_000  # Rows of one statement.


class SqlSightings:
    """Counts in the database. Implements ``ports.keys.Sightings``."""

    def __init__(self, database: Database, *, blind: BlindIndex, clock: Clock) -> None:
        self._database = database
        self._blind = blind
        self._clock = clock

    async def elsewhere(self, account: Account, action: OpenAction) -> int:
        """Return at how many other accounts its destination was wanted; 0 where it is listed.

        Under each key that the keyring holds; the highest count is told.
        """
        since = self._clock.now(database_at=None) - SIGHTINGS_PERIOD
        counts = [await self._count(one, since) for one in self._seen(account, action)]
        return max(counts, default=0)

    async def note(self, account: Account, action: OpenAction) -> None:
        """Note that ``account`` wants it, unless so many rows say so already."""
        for one in self._seen(account, action)[:1]:
            now = self._clock.now(database_at=None)
            values = (one.place, one.by, now, now - SIGHTINGS_PERIOD, SIGHTINGS_KEPT)
            await self._write(*values)

    async def forget(self) -> None:
        """Forget what is too old to be counted, a bounded number at a time."""
        before = self._clock.now(database_at=None) - SIGHTINGS_PERIOD
        while await self._forget(before) == FORGET_MOST:
            pass

    def _seen(self, account: Account, action: OpenAction) -> tuple[Sighting, ...]:
        """Return what says that it is wanted; nothing of what many want by nature.

        Prevents: five accounts of one person's, after which everybody waits for days to convert.
        """
        place = place_of(action.payload)
        if place is None or class_of(action.payload) is ActionClass.TIGHTENING:
            return ()
        if place.network in COMMON_NAMES:
            return ()
        known = versions_of(account).keys() & set(self._blind.names(place))
        return () if known else self._blind.sightings(place)

    async def _count(self, one: Sighting, since: datetime) -> int:
        values = (one.place, one.by, since, SIGHTINGS_COUNTED)
        count: int = await self._database.read(
            lambda db: db.fetchval(queries.COUNT_SIGHTINGS, *values)
        )
        return count

    async def _write(self, *values: object) -> None:
        await self._database.read(lambda db: db.execute(queries.NOTE_SIGHTING, *values))

    async def _forget(self, before: datetime) -> int:
        count: int = await self._database.read(
            lambda db: db.fetchval(queries.FORGET_SIGHTINGS, before, FORGET_MOST)
        )
        return count
