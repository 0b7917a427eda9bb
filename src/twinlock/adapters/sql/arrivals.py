"""Which of many accounts are there, and from which file each came; read without a lock."""

from collections.abc import Mapping, Sequence

from twinlock.adapters.sql import codec, queries
from twinlock.adapters.sql.store import SqlStore
from twinlock.domain.errors import SealBrokenError
from twinlock.domain.ids import AccountId

_READ_ACCOUNTS = """
SELECT s.id, s.version, s.box, k.wrapped FROM stream s JOIN subject_key k ON k.subject = s.subject
 WHERE s.id = ANY($1::text[]) AND s.kind = 'account' AND s.subject = s.id
"""


class SqlArrivals:
    """Accounts that an import may have brought before. Implements ``ports.importing.Arrivals``."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    async def standing(self, named: Sequence[AccountId]) -> Mapping[AccountId, str | None]:
        """Return those of ``named`` that exist or were erased (see the port)."""
        asked = sorted(set(named))
        database, sealer = self._store.database, self._store.sealer
        found: dict[AccountId, str | None] = {}
        for row in await database.read(lambda db: db.fetch(queries.READ_ERASED, asked)):
            found[AccountId(row["subject"])] = None
        for row in await database.read(lambda db: db.fetch(_READ_ACCOUNTS, asked)):
            there = AccountId(row["id"])
            place = codec.Place(kind="account", row_id=there, version=row["version"])
            try:
                key = sealer.open_subject_key(there, row["wrapped"])
                found[there] = codec.unseal(key, row["box"], codec.ACCOUNT, place).imported
            except SealBrokenError:  # It is there, and keeps nobody else from moving in.
                found[there] = ""
        return found
