"""All that the database holds about one person, read page by page."""

from collections.abc import AsyncIterator

import asyncpg

from twinlock.adapters.boxes import SubjectKey
from twinlock.adapters.sql import codec
from twinlock.adapters.sql.deliveries import PARCEL, parcel_place
from twinlock.adapters.sql.store import SqlStore, checked_leaf
from twinlock.domain.entries import ClosedAction
from twinlock.domain.errors import LogDamagedError
from twinlock.domain.export import Recorded, Repeat, ToldTo
from twinlock.domain.ids import AccountId
from twinlock.domain.notices import Notice
from twinlock.domain.parcels import Parcel

PAGE_ROWS = 200  # Entries at once: 1 MB at most.

_READ_KEY = "SELECT wrapped FROM subject_key WHERE subject = $1"
_READ_ENTRIES = """
SELECT e.number, e.leaf_index, e.box,
       (SELECT l.entry FROM leaf l WHERE l.cell = 1 AND l.leaf_index = e.leaf_index) AS entry,
       (SELECT l.facts FROM leaf l WHERE l.cell = 1 AND l.leaf_index = e.leaf_index) AS facts,
       (SELECT substr(t.hashes, (e.leaf_index % 256)::int * 32 + 1, 32) FROM tile t
         WHERE t.cell = 1 AND t.level = 0 AND t.number = e.leaf_index / 256) AS hash
  FROM event e WHERE e.subject = $1 AND e.number >= $2 AND e.number < $3 ORDER BY e.number
"""
_READ_CLOSED = """
SELECT id, version, box FROM stream
 WHERE subject = $1 AND kind = 'action' AND id > $2 ORDER BY id LIMIT $3
"""
_READ_WAITING = """
SELECT serial, box FROM inbox WHERE subject = $1
UNION ALL SELECT serial, box FROM outbox WHERE subject = $1
"""
_READ_PARCELS = "SELECT name, box FROM delivery WHERE subject = $1 ORDER BY id"
_READ_REPEATS = """
SELECT key, action_id, used_at FROM idempotency WHERE scope = $1 OR action_id = $1 ORDER BY used_at
"""
_READ_TOLD = """
SELECT stream_id, added_at FROM told_subject WHERE subject = $1 ORDER BY added_at, stream_id
"""


class SqlRecords:
    """One person's records over the store's connections. Implements ``ports.Records``."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self._database = store.database

    async def entries(self, account_id: AccountId, *, count: int) -> AsyncIterator[Recorded]:
        """Give the first ``count`` entries of an account, in order.

        Raises:
            AccountErasedError: it was erased meanwhile.
            LogDamagedError, SealBrokenError: one is not what was written.
        """
        for start in range(0, count, PAGE_ROWS):
            end = min(start + PAGE_ROWS, count)
            rows = await self._fetch(_READ_ENTRIES, account_id, start, end)
            key = await self._key(account_id)
            if [row["number"] for row in rows] != list(range(start, end)):
                raise LogDamagedError("an entry that the account counts is gone")
            for row in rows:
                yield self._entry(row, account_id, key)

    def _entry(self, row: asyncpg.Record, account_id: AccountId, key: SubjectKey) -> Recorded:
        place = codec.Place(kind="event", row_id=account_id, version=row["number"])
        kept = codec.unseal(key, row["box"], codec.KEPT, place)
        leaf = checked_leaf(row["entry"], row["hash"], kept)
        return Recorded(
            number=row["number"], index=row["leaf_index"], leaf=leaf, facts=row["facts"], kept=kept
        )

    async def closed_actions(self, account_id: AccountId) -> AsyncIterator[ClosedAction]:
        """Give every action of an account that is over. Raises as ``entries``."""
        after = ""
        while rows := await self._fetch(_READ_CLOSED, account_id, after, PAGE_ROWS):
            key, after = await self._key(account_id), rows[-1]["id"]
            for row in rows:
                place = codec.Place(kind="action", row_id=row["id"], version=row["version"])
                yield codec.unseal(key, row["box"], codec.CLOSED, place)

    async def waiting(self, account_id: AccountId) -> tuple[Notice, ...]:
        """Return the notices to an account that are kept or wait to be dealt out."""
        rows = await self._fetch(_READ_WAITING, account_id)
        key = await self._key(account_id)
        places = ((row["box"], codec.letter_place(row["serial"])) for row in rows)
        return tuple(codec.unseal(key, box, codec.NOTICE, place) for box, place in places)

    async def messages(self, account_id: AccountId) -> tuple[Parcel, ...]:
        """Return the messages to an account's channels that are kept."""
        rows = await self._fetch(_READ_PARCELS, account_id)
        key = await self._key(account_id)
        places = ((row["box"], parcel_place(row["name"])) for row in rows)
        return tuple(codec.unseal(key, box, PARCEL, place) for box, place in places)

    async def repeats(self, account_id: AccountId) -> tuple[Repeat, ...]:
        """Return what idempotency keys stand for that are kept with the account's id."""
        rows = await self._fetch(_READ_REPEATS, account_id)
        return tuple(
            Repeat(key=row["key"], stands_for=row["action_id"], used_at=row["used_at"].isoformat())
            for row in rows
        )

    async def told_to(self, account_id: AccountId) -> tuple[ToldTo, ...]:
        """Return the streams of signals on which others are told of an account."""
        rows = await self._fetch(_READ_TOLD, account_id)
        return tuple(
            ToldTo(stream_id=row["stream_id"], since=row["added_at"].isoformat()) for row in rows
        )

    async def _key(self, account_id: AccountId) -> SubjectKey:
        """Return the account's key: of one that was erased meanwhile there is none."""
        rows = await self._fetch(_READ_KEY, account_id)
        if not rows:
            await self._store.account(account_id)
        return self._store.sealer.open_subject_key(account_id, rows[0]["wrapped"])

    async def _fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        return await self._database.read(lambda db: db.fetch(sql, *arguments))
