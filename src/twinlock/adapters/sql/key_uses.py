"""What in the database still needs a key: counted before the key goes."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import asyncpg

from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.keyring.signing import destination_name, index_prefix
from twinlock.adapters.prices import PriceFile
from twinlock.adapters.sql import codec, queries
from twinlock.adapters.sql.api_key_marks import COUNT_MARKS
from twinlock.adapters.sql.store import SqlStore
from twinlock.domain.account import Account
from twinlock.domain.actions import Place, place_of
from twinlock.domain.keys import KeyRecord, KeyUse, Role
from twinlock.domain.listed import Destination
from twinlock.ports import (
    Clock,
)

COUNT_SECONDS = 600.0  # Ten million rows are read in a minute; nothing waits for it.
PAGE_ROWS = 500  # Boxes that are opened at once: some MB.


class SqlKeyUses:
    """Counts what is stored under a key. Implements ``ports.KeyUses``."""

    def __init__(
        self, store: SqlStore, *, keyring: Keyring, prices: PriceFile, clock: Clock
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._prices = prices
        self._clock = clock

    async def count(self, key: KeyRecord) -> tuple[KeyUse, ...]:
        """Return how much needs ``key`` still, kind by kind.

        Nothing that we store needs a key that signs: what it signed is signed anew when it is
        asked for, and who keeps a copy keeps a trust file with it.

        Raises:
            SealBrokenError: a row is not what we sealed.
            UnavailableError: the database does not answer.
        """
        match key.role:
            case Role.SEAL:
                return await self._count_sealed(bytes.fromhex(key.key_id))
            case Role.PLATFORM:
                return await self._count_platform(bytes.fromhex(key.key_id))
            case Role.INDEX:
                return await self._count_named(key)
            case Role.PRICES:
                signed = int(self._prices.signed_by() == key.key_id)
                return (KeyUse(what="price list in force", count=signed),)
            case _:
                return ()

    async def _count_sealed(self, key_id: bytes) -> tuple[KeyUse, ...]:
        row = await self._ask(
            lambda db: db.fetchrow(queries.COUNT_SEALED, key_id, timeout=COUNT_SECONDS)
        )
        return (
            KeyUse(what="subjects' keys", count=row["subjects"]),
            KeyUse(what="subjects' keys that are nobody's, as of the erased", count=row["unowned"]),
            KeyUse(what="idempotency keys", count=row["idempotency"]),
            KeyUse(what="heads of the log", count=row["heads"]),
            KeyUse(what="marks of erased accounts", count=row["erased"]),
        )

    async def _count_platform(self, key_id: bytes) -> tuple[KeyUse, ...]:
        now = self._clock.now(database_at=None)
        count = await self._ask(
            lambda db: db.fetchval(queries.COUNT_PLATFORM_KEYS, key_id, now, timeout=COUNT_SECONDS)
        )
        return (KeyUse(what="platform keys in force", count=count),)

    async def _ask(self, ask: Callable[[asyncpg.Connection], Awaitable[Any]]) -> Any:  # noqa: ANN401 - rows have no types
        """Return what ``ask`` reads, which may take its time."""
        async with self._store.database.reader() as db, db.transaction(readonly=True):
            await db.execute(queries.TAKE_TIME)
            return await ask(db)

    async def _count_named(self, key: KeyRecord) -> tuple[KeyUse, ...]:
        """Open every account and destination, and make their names again."""
        held = self._keyring.all_keys(Role.INDEX)
        secret = next(one.secret for one in held if one.key_id == key.key_id)
        listed = pending = 0
        after = ""
        while rows := await self._page(after):
            after = rows[-1]["id"]
            for row in rows:
                value = self._open(row)
                if isinstance(value, Destination):
                    listed += _is_named(secret, value)
                else:
                    pending += sum(_names_pending(secret, value))
        prefix = index_prefix(secret)
        marks = await self._ask(lambda db: db.fetchval(COUNT_MARKS, prefix, timeout=COUNT_SECONDS))
        return (
            KeyUse(what="marks of integrators' API keys", count=marks),
            KeyUse(what="destinations", count=listed),
            KeyUse(what="open proposals of destinations", count=pending),
            KeyUse(what="addresses of channels", count=await self._count_contacts(key)),
        )

    async def _count_contacts(self, key: KeyRecord) -> int:
        key_id = bytes.fromhex(key.key_id)
        count: int = await self._ask(
            lambda db: db.fetchval(queries.COUNT_CONTACTS, key_id, timeout=COUNT_SECONDS)
        )
        return count

    async def _page(self, after: str) -> list[asyncpg.Record]:
        return await self._store.database.read(
            lambda db: db.fetch(queries.READ_NAMED, after, PAGE_ROWS)
        )

    def _open(self, row: asyncpg.Record) -> Account | Destination:
        key = self._store.sealer.open_subject_key(row["subject"], row["wrapped"])
        place = codec.Place(kind=row["kind"], row_id=row["id"], version=row["version"])
        return codec.unseal_stream(key, row["box"], place)


def _is_named(secret: bytes, one: Destination) -> bool:
    place = Place(account=one.account_id, network=one.network, address=one.address, memo=one.memo)
    return destination_name(secret, place) == one.destination_id


def _names_pending(secret: bytes, account: Account) -> Iterable[bool]:
    for action in account.actions:
        place = place_of(action.payload)
        yield place is not None and destination_name(secret, place) == action.secret
