"""Counts of orders in the database, and the accounts that they are examined by.

A name is 32 bytes: whose account, and which of its keys or permits, each a MAC under a key that is
derived from the account's own. So the database tells nobody whose counts are whose; with the
account's key goes the last that could. Counts stand in clear: whoever writes to the database can
change them, and so what counts as a rate never seen; nothing else.

What is remembered of an account is used for its newest version only, which is read anew each time.

Always true (tests/integration/test_order_intents*.py): a freeze that any process committed is seen
by the next batch; two batches of one account count as one after the other would.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

import asyncpg

from twinlock.adapters.boxes import SubjectKey
from twinlock.adapters.sql import codec
from twinlock.adapters.sql.store import SqlStore
from twinlock.domain.api_keys import day_number
from twinlock.domain.canonical import tagged_mac
from twinlock.domain.errors import SealBrokenError
from twinlock.domain.ids import AccountId
from twinlock.domain.order_intents.judging import Count, Name
from twinlock.domain.order_intents.view import TradingView, view_of
from twinlock.ports.order_intents import Examine

VIEWS_MOST = 50_000  # Accounts that are remembered: 100 MB.
DAYS_COMPARED = 30  # What is older says little of how somebody trades.
DAYS_KEPT = DAYS_COMPARED + 1
FORGET_MOST = 10_000  # Rows in one statement: 0.1 s.
PREFIX_BYTES = 16
TURNS = 64  # Locks that permits share; the server has room for some thousands of all its sessions.
COUNT_MOST = 2**62  # Beyond it a day's sum stays where it is: it is far beyond any limit.

# The versions of accounts as they are committed.
_READ_VERSIONS = """
SELECT id, version FROM stream WHERE id = ANY($1::text[]) AND kind = 'account'
"""
# Accounts that are not remembered in this version.
_READ_ACCOUNTS = """
SELECT s.id, s.version, s.box, k.wrapped
  FROM stream s JOIN subject_key k ON k.subject = s.subject
 WHERE s.id = ANY($1::text[]) AND s.kind = 'account' AND s.subject = s.id
"""
# Locks a day's counts, made where there were none, in the one order that everybody keeps to.
_LOCK_COUNTS = """
INSERT INTO order_count AS old (name, day, hour)
SELECT n.name, $2, $3 FROM unnest($1::bytea[]) AS n (name) ORDER BY n.name
ON CONFLICT (name, day) DO UPDATE SET hour = old.hour
RETURNING name, hour, orders, cents, top_orders, top_cents, day_orders, day_cents
"""
# One batch at a time counts by a permit, which is good for minutes on either side of midnight: each
# day has a row of its own.
_ONE_BY_ONE = "SELECT pg_advisory_xact_lock(7463003, n) FROM unnest($1::integer[]) AS n"
# The other days: the busiest hour of those before it, and all that was counted, also where another
# process's clock is there already.
_READ_OTHERS = """
SELECT name, coalesce(max(greatest(orders, top_orders)) FILTER (WHERE day < $2), 0) AS top_orders,
       coalesce(max(greatest(cents, top_cents)) FILTER (WHERE day < $2), 0) AS top_cents,
       sum(day_orders)::bigint AS day_orders, least(sum(day_cents), 2^62)::bigint AS day_cents
  FROM order_count WHERE name = ANY($1::bytea[]) AND day <> $2 AND day >= $3 GROUP BY name
"""
_WRITE_COUNTS = """
UPDATE order_count o
   SET hour = n.hour, orders = n.orders, cents = n.cents, top_orders = n.top_orders,
       top_cents = n.top_cents, day_orders = n.day_orders, day_cents = n.day_cents
  FROM unnest($2::bytea[], $3::smallint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
              $8::bigint[], $9::bigint[])
    AS n (name, hour, orders, cents, top_orders, top_cents, day_orders, day_cents)
 WHERE o.name = n.name AND o.day = $1
"""
_FORGET_COUNTS = """
WITH forgotten AS (
  DELETE FROM order_count
   WHERE ctid = ANY(ARRAY(SELECT ctid FROM order_count WHERE day < $1 LIMIT $2)) RETURNING 1
)
SELECT count(*) FROM forgotten
"""


class _Seen(NamedTuple):
    """An account as it was read, the key that names its counts, and how all of them begin."""

    version: int
    view: TradingView
    naming: bytes
    prefix: bytes

    def name(self, source: str) -> bytes:
        """Return the name of its counts of one source."""
        own = tagged_mac(self.naming, "order-count-source/v1", source.encode())
        return self.prefix + own[:PREFIX_BYTES]


class _Locked(NamedTuple):
    """Counts that are locked: of which hour, the day's busiest but that, and how many so far."""

    counted: Count
    hour: int
    top: tuple[int, int]
    before: int


class _Row(NamedTuple):
    """Counts as they will be written."""

    name: bytes
    hour: int
    orders: int
    cents: int
    top_orders: int
    top_cents: int
    day_orders: int
    day_cents: int


def naming_key(key: SubjectKey) -> bytes:
    """Return the key (32 bytes) that names the counts of the subject with this ``key``."""
    return key.derived("order-counts/v1")


def prefix_of(naming: bytes) -> bytes:
    """Return the 16 bytes with which every name of one account begins."""
    return tagged_mac(naming, "order-count-account/v1")[:PREFIX_BYTES]


class SqlOrderCounts:
    """Counts of orders over the store's connections. Implements ``ports.OrderCounts``."""

    def __init__(self, store: SqlStore) -> None:
        self._database = store.database
        self._sealer = store.sealer
        self._seen: OrderedDict[str, _Seen] = OrderedDict()

    async def examine(
        self,
        accounts: frozenset[AccountId],
        names: frozenset[Name],
        examine: Examine,
        *,
        now: datetime,
    ) -> None:
        """Examine orders by what is committed, and keep what they count, or nothing of it.

        Raises:
            UnavailableError: the database does not answer, or somebody holds these counts.
            TokenUnavailableError: nor do the keys.
        """
        async with self._database.reader() as db, db.transaction():
            seen = await self._look(db, accounts)
            stored = {
                name: seen[name.account_id].name(name.source)
                for name in names
                if _counts(seen.get(name.account_id), name)
            }
            permits = {_turn(row) for name, row in stored.items() if _is_permit(name)}
            if permits:
                await db.execute(_ONE_BY_ONE, sorted(permits))
            found = await self._lock(db, stored.values(), now=now)
            counts = {name: found[row].counted for name, row in stored.items()}
            examine({named: one.view for named, one in seen.items()}, counts)
            rows = [
                _Row(name, one.hour, *_written(one.counted, one.top))
                for name, one in found.items()
                if one.counted.all_orders != one.before
            ]
            if rows:
                columns = [list(column) for column in zip(*rows, strict=True)]
                await db.execute(_WRITE_COUNTS, day_number(now), *columns)

    async def forget(self, *, now: datetime) -> None:
        """Forget what was counted more than 31 days ago, a bounded number at a time."""
        before = day_number(now) - DAYS_KEPT
        while await self._forget(before) == FORGET_MOST:
            pass

    async def _forget(self, before: int) -> int:
        count: int = await self._database.read(
            lambda db: db.fetchval(_FORGET_COUNTS, before, FORGET_MOST)
        )
        return count

    # --- Accounts ---

    async def _look(
        self, db: asyncpg.Connection, accounts: frozenset[AccountId]
    ) -> Mapping[str, _Seen]:
        """Return the accounts that there are, each in its newest version."""
        rows = await db.fetch(_READ_VERSIONS, list(accounts))
        unseen = [row["id"] for row in rows if self._version(row["id"]) < row["version"]]
        if unseen:
            for row in await db.fetch(_READ_ACCOUNTS, unseen):
                self._open(row)
        found = {}
        for row in rows:
            seen = self._seen.get(row["id"])
            if seen is not None and seen.version >= row["version"]:
                found[row["id"]] = seen
                self._seen.move_to_end(row["id"])
        while len(self._seen) > VIEWS_MOST:
            self._seen.popitem(last=False)
        return found

    def _version(self, named: str) -> int:
        seen = self._seen.get(named)
        return 0 if seen is None else seen.version

    def _open(self, row: asyncpg.Record) -> None:
        """Remember an account; what does not open is left out, and trades nothing."""
        named, version = row["id"], row["version"]
        try:
            key = self._sealer.open_subject_key(named, row["wrapped"])
            place = codec.Place(kind="account", row_id=named, version=version)
            account = codec.unseal(key, row["box"], codec.ACCOUNT, place)
        except SealBrokenError:
            return
        if version > self._version(named):  # A batch beside this one may have read a newer one.
            naming = naming_key(key)
            self._seen[named] = _Seen(version, view_of(account), naming, prefix_of(naming))

    # --- Counts ---

    async def _lock(
        self, db: asyncpg.Connection, names: Iterable[bytes], *, now: datetime
    ) -> dict[bytes, _Locked]:
        """Return counts by their names, and lock them."""
        wanted, day = sorted(names), day_number(now)
        if not wanted:
            return {}
        first = day - DAYS_COMPARED
        others = {row["name"]: row for row in await db.fetch(_READ_OTHERS, wanted, day, first)}
        return {
            row["name"]: _count(row, others.get(row["name"]), hour=now.hour)
            for row in await db.fetch(_LOCK_COUNTS, wanted, day, now.hour)
        }


def _counts(seen: _Seen | None, name: Name) -> bool:
    """Prevents: rows that somebody makes by naming keys that there are not."""
    if seen is None:
        return False
    return not name.source.startswith("key_") or name.source in seen.view.keys


def _is_permit(name: Name) -> bool:
    return bool(name.source) and not name.source.startswith("key_")


def _turn(row: bytes) -> int:
    """Return the number of the lock by which one batch at a time counts under a name."""
    return row[-1] % TURNS


def _count(row: asyncpg.Record, others: asyncpg.Record | None, *, hour: int) -> _Locked:
    """Return what is counted at ``hour``, or in the next one where it has begun elsewhere.

    Prevents: two processes whose clocks differ at an hour's border, of which each begins the count
    anew for the other.
    """
    this = row["hour"] in (hour, hour + 1)
    top = row["top_orders"], row["top_cents"]
    if not this:
        top = max(top[0], row["orders"]), max(top[1], row["cents"])
    elsewhere = (0, 0, 0, 0) if others is None else tuple(others)[1:]
    count = Count(
        orders=row["orders"] if this else 0,
        cents=row["cents"] if this else 0,
        day_orders=row["day_orders"],
        day_cents=row["day_cents"],
        top_orders=elsewhere[0],
        top_cents=elsewhere[1],
        all_orders=row["day_orders"] + elsewhere[2],
        all_cents=row["day_cents"] + elsewhere[3],
    )
    return _Locked(count, row["hour"] if this else hour, top, count.all_orders)


def _written(count: Count, top: tuple[int, int]) -> tuple[int, ...]:
    sums = (count.orders, count.cents, *top, count.day_orders, count.day_cents)
    return tuple(min(one, COUNT_MOST) for one in sums)
