"""Platform keys in the database, with a memory of one second.

Every request shows a key, so one that was just read is not read again. Forgetting is by age only:
a key that is revoked by any process is refused by every process within that second.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from twinlock.adapters.sql import queries
from twinlock.adapters.sql.store import SqlStore
from twinlock.domain.bounds import MESSAGE_CLOCK_TOLERANCE, MESSAGE_LIFETIME_MOST
from twinlock.domain.errors import PlatformKeyUnknownError, present
from twinlock.domain.ids import PlatformKeyId
from twinlock.domain.message_signatures import SignatureFault, SignatureRefusedError
from twinlock.ports.keys import (
    PlatformKey,
)

KEY_CACHE_SECONDS = 1.0  # Revoking takes effect within it: less than it takes to tell anybody.
FORGET_NONCES_EVERY = 500  # Nonces that one process keeps before it forgets expired ones:
FORGET_NONCES_MOST = 1_000  # twice as many at once, so that the table shrinks to what is alive.
# ``until`` is at most a lifetime and two clocks' errors after now, so what ended so long before one
# that is kept now has expired for everybody.
NONCES_KEPT = 2 * (MESSAGE_LIFETIME_MOST + MESSAGE_CLOCK_TOLERANCE)
KEY_CACHE_MOST = 1_000  # A platform has a handful; this bounds memory, whoever calls.


class _Remembered(NamedTuple):
    key: PlatformKey
    until: float


class SqlPlatformKeys:
    """Platform keys over the store's connections. Implements ``ports.PlatformKeys``."""

    def __init__(self, store: SqlStore) -> None:
        self._database = store.database
        self._remembered: OrderedDict[PlatformKeyId, _Remembered] = OrderedDict()
        self._nonces = 0

    async def add(self, key: PlatformKey) -> None:
        """Keep a new key."""
        await self._database.read(
            lambda db: db.execute(
                queries.ADD_PLATFORM_KEY,
                key.key_id,
                key.mac,
                list(key.scopes),
                list(key.networks),
                key.created_at,
                key.expires_at,
                key.signed_by,
            )
        )

    async def read(self, key_id: PlatformKeyId) -> PlatformKey | None:
        """Return a key, or None; what is read may be as old as KEY_CACHE_SECONDS.

        What does not exist is not remembered: nobody fills the memory by making up ids.
        """
        asked_at = asyncio.get_running_loop().time()
        known = self._remembered.get(key_id)
        if known is not None and asked_at < known.until:
            return known.key
        row = await self._database.read(lambda db: db.fetchrow(queries.READ_PLATFORM_KEY, key_id))
        if row is None:
            return None
        key = _key(row)
        self._remember(key, until=asked_at + KEY_CACHE_SECONDS)
        return key

    def _remember(self, key: PlatformKey, *, until: float) -> None:
        self._remembered[key.key_id] = _Remembered(key, until)
        self._remembered.move_to_end(key.key_id)
        while len(self._remembered) > KEY_CACHE_MOST:
            self._remembered.popitem(last=False)

    async def use_nonce(self, key_id: PlatformKeyId, nonce: str, *, until: datetime) -> None:
        """Keep the nonce of a signed request until it has expired, durably, for every process.

        Every so often those are forgotten that had expired long before, by any process's clock.

        Raises:
            SignatureRefusedError: it was used before.
        """
        kept = await self._database.read(
            lambda db: db.fetchval(queries.USE_NONCE, key_id, nonce, until)
        )
        if kept is None:
            raise SignatureRefusedError("this nonce was used", fault=SignatureFault.REPLAYED)
        self._nonces += 1
        if self._nonces % FORGET_NONCES_EVERY == 0:
            long_ago = until - NONCES_KEPT
            await self._database.read(
                lambda db: db.execute(queries.FORGET_NONCES, long_ago, FORGET_NONCES_MOST)
            )

    async def youngest(self, *, most: int) -> tuple[PlatformKey, ...]:
        """Return up to ``most`` keys, the youngest first, as they are now."""
        rows = await self._database.read(lambda db: db.fetch(queries.LIST_PLATFORM_KEYS, most))
        return tuple(_key(row) for row in rows)

    async def revoke(self, key_id: PlatformKeyId, *, at: datetime) -> datetime:
        """End a key and return when it ended; one that was revoked before keeps its time.

        Raises:
            PlatformKeyUnknownError: there is no such key.
        """
        found = await self._database.read(
            lambda db: db.fetchval(queries.REVOKE_PLATFORM_KEY, key_id, at)
        )
        self._remembered.pop(key_id, None)
        if found is None:
            raise PlatformKeyUnknownError("no such platform key")
        # Asked apart: the statement above does not see what another process wrote beside it.
        row = await self._database.read(lambda db: db.fetchrow(queries.READ_PLATFORM_KEY, key_id))
        ended: datetime | None = None if row is None else row["revoked_at"]
        return present(ended, "a key that was revoked has its time")


def _key(row: Mapping[str, Any]) -> PlatformKey:
    return PlatformKey(
        key_id=PlatformKeyId(row["id"]),
        mac=row["mac"],
        scopes=tuple(row["scopes"]),
        networks=tuple(row["networks"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        signed_by=row["signed_by"],
    )
