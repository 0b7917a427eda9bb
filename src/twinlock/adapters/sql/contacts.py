"""Whom an address leads to, by a name that the database cannot guess; how much streams have said.

The names are written in the transaction that changes an account's channels, and go with its key.
They only say where to look: whether a channel is there, the account says under its lock.
"""

from datetime import date

from twinlock.adapters.sql.store import SqlStore
from twinlock.domain.bounds import SIGNAL_ACCOUNTS_MOST
from twinlock.domain.ids import AccountId

_FIND = """
SELECT DISTINCT subject FROM contact WHERE name = ANY($1::bytea[]) ORDER BY subject LIMIT $2
"""
_TAKE = """
INSERT INTO signal_count AS old (stream, day, count) VALUES ($1, $2, 1)
ON CONFLICT (stream, day) DO UPDATE SET count = old.count + 1 WHERE old.count < $3
RETURNING count
"""
# The first of a day stays counted: none is no count at all.
_GIVE_BACK = """
UPDATE signal_count SET count = count - 1 WHERE stream = $1 AND day = $2 AND count > 1
"""
_FORGET = "DELETE FROM signal_count WHERE day < $1::date - 7"


class SqlSignalIndex:
    """The index over the store's connections. Implements ``ports.SignalIndex``."""

    def __init__(self, store: SqlStore) -> None:
        self._database = store.database
        self._sealer = store.sealer

    async def accounts(self, address: str) -> tuple[AccountId, ...]:
        """Return accounts that had a channel at ``address``; none where it is too many people's."""
        names = list(self._sealer.contact_names(address))
        most = SIGNAL_ACCOUNTS_MOST
        rows = await self._database.read(lambda db: db.fetch(_FIND, names, most + 1))
        found = tuple(AccountId(row["subject"]) for row in rows)
        return found if len(found) <= most else ()

    async def take(self, stream_id: str, day: date, *, most: int) -> bool:
        """Count one more signal of a stream on ``day``; False, uncounted, where it had ``most``."""
        count = await self._database.read(lambda db: db.fetchval(_TAKE, stream_id, day, most))
        if count == 1:
            await self._database.read(lambda db: db.execute(_FORGET, day))
        return count is not None

    async def give_back(self, stream_id: str, day: date) -> None:
        """Count one less, of a signal that came to nothing."""
        await self._database.read(lambda db: db.execute(_GIVE_BACK, stream_id, day))
