"""Erases accounts, as the owner of the tables: the application's role can delete nothing.

Always true (tests/integration/test_erasing*.py):

* the last leaf, and the destruction of all that opens the account, are one transaction;
* an account is erased under its lock, decided there: of an erasure and an exit one comes first;
* whatever was asked of the database before the head was locked keeps nobody else waiting.

Locks are taken in everybody's order: the account, then its other rows, and the head last.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

import asyncpg
from msgspec.structs import replace

from twinlock.adapters.boxes import Sealer
from twinlock.adapters.sql import codec, queries, tree
from twinlock.adapters.sql.clocks import time_behind
from twinlock.adapters.sql.connections import connected_as_owner
from twinlock.adapters.sql.erasure_marks import Gone, Mark
from twinlock.adapters.sql.order_intents import PREFIX_BYTES, naming_key, prefix_of
from twinlock.adapters.sql.watch import Watch
from twinlock.domain.account import Account, State
from twinlock.domain.bookkeeping import bookkeep
from twinlock.domain.canonical import from_b64url
from twinlock.domain.decisions import Decided
from twinlock.domain.entries import ERASED_FIELD, SALTS_BYTES, Entry, Origin
from twinlock.domain.erasure import NO_FACTS, AccountErasedError, OwnLeaves
from twinlock.domain.errors import (
    AccountUnknownError,
    SealBrokenError,
    UnavailableError,
    present,
)
from twinlock.domain.ids import AccountId
from twinlock.domain.log.merkle import Frontier, leaf_hash
from twinlock.domain.officers.standing import check_in_force, halted_since
from twinlock.domain.outside_events import AccountErased
from twinlock.ports import Clock, Committed, Entropy, Work

PAGE_ROWS = 200  # Accounts that are opened at once: 3 MB at most.
# Entries that are checked and marked by one statement. An idle transaction is ended after half a
# second, and the MACs of 170,000 take that long (measured): made at once, a long life could not be
# erased.
MARKS_AT_ONCE = 200

_READ_PAGE = """
SELECT s.id, s.version, s.box, k.wrapped
  FROM stream s JOIN subject_key k ON k.subject = s.subject
 WHERE s.id > $1 AND s.id < 'acc`' AND s.kind = 'account' ORDER BY s.id LIMIT $2
"""
_READ_OWN = """
SELECT e.number, e.leaf_index, l.entry
  FROM event e LEFT JOIN leaf l ON l.cell = 1 AND l.leaf_index = e.leaf_index
 WHERE e.subject = $1 AND e.number > $2 ORDER BY e.number LIMIT $3
"""
# What facts say of an account's age is the same in all of its leaves, and would tie them together.
_FORGET_FACTS = "UPDATE leaf SET facts = $2 WHERE cell = 1 AND leaf_index = ANY($1::bigint[])"
_FORGET_RETRIES = "DELETE FROM webhook_retry WHERE leaf_index = ANY($1::bigint[])"
_FORGET_EVENTS = "DELETE FROM event WHERE subject = $1"
_FORGET_REPEATS = "DELETE FROM idempotency WHERE scope = $1 OR action_id = $1"
# A stream that is told of something is told of this, too, and forgets the account then.
_FORGET_TOLD = """
DELETE FROM told_subject j USING told_stream s
 WHERE j.subject = $1 AND s.id = j.stream_id AND s.status = 'disabled'
"""
_READ_KEY = "SELECT wrapped FROM subject_key WHERE subject = $1"
_FORGET_COUNTS = "DELETE FROM order_count WHERE name BETWEEN $1 AND $2"
# With it go the documents and the letters that wait; nothing that is sealed under it opens again.
_FORGET_KEY = "DELETE FROM subject_key WHERE subject = $1"
_MARK_ACCOUNT = """
INSERT INTO erased (leaf_index, subject, entries, salt, mac) VALUES ($1, $2, $3, $4, $5)
"""
_MARK_ENTRIES = """
INSERT INTO erased_entry (leaf_index, mac) SELECT * FROM unnest($1::bigint[], $2::bytea[])
"""
_WRITE_LEAVES = """
WITH leaves AS (
  INSERT INTO leaf (cell, leaf_index, label, entry, facts)
  SELECT 1, u.*, $4::bytea FROM unnest($1::bigint[], $2::bytea[], $3::bytea[]) u
), tiles AS (
  INSERT INTO tile (cell, level, number, hashes)
  SELECT 1, * FROM unnest($5::smallint[], $6::bigint[], $7::bytea[])
  ON CONFLICT (cell, level, number) DO UPDATE SET hashes = EXCLUDED.hashes
)
UPDATE head SET at = $8, size = $9, edge = $10, mac = $11 WHERE cell = 1
"""


class SqlEraser:
    """Accounts as the owner of the tables sees them. Implements ``ports.ErasableAccounts``."""

    def __init__(self, owner_dsn: str, *, sealer: Sealer, entropy: Entropy, clock: Clock) -> None:
        self._dsn = owner_dsn
        self._sealer = sealer
        self._entropy = entropy
        self._clock = clock

    async def each(self) -> AsyncIterator[Account | AccountId]:
        """Give every account as it stands, without a lock; of one that does not open, its id.

        Raises:
            UnavailableError: the database does not answer.
        """
        after = ""
        async with connected_as_owner(self._dsn) as connection:
            while rows := await connection.fetch(_READ_PAGE, after, PAGE_ROWS):
                after = rows[-1]["id"]
                for row in rows:
                    yield self._opened(row)

    def _opened(self, row: asyncpg.Record) -> Account | AccountId:
        try:
            return self._open(row)
        except SealBrokenError:
            return AccountId(row["id"])

    def _open(self, row: asyncpg.Record) -> Account:
        key = self._sealer.open_subject_key(row["id"], row["wrapped"])
        place = codec.Place(kind="account", row_id=row["id"], version=row["version"])
        return codec.unseal(key, row["box"], codec.ACCOUNT, place)

    async def erase(self, work: Work) -> Committed:
        """Decide ``work``, and erase the account where its answer says so.

        Raises:
            AccountErasedError, AccountUnknownError: there is no such account any more.
            SealBrokenError, LogDamagedError: a row is not what we wrote.
            ClockUntrustedError: no wait can be judged.
            UnavailableError: the database does not answer; all of it is done, or nothing.
        """
        async with connected_as_owner(self._dsn) as connection, connection.transaction():
            return await self._erase(connection, work)

    async def _erase(self, connection: asyncpg.Connection, work: Work) -> Committed:
        account = await self._locked(connection, work)
        times, at = await self._times(connection)
        check_in_force(work.policy.digest, times["platform"])
        before = State(account=account, halted_at=halted_since(times["platform"]))
        decided = work.decide(before, at)
        if not _erases(decided):
            return Committed(decided=decided, at=at)
        await self._destroy(connection, before.account)
        head = await connection.fetchrow(queries.LOCK_HEAD)
        watch = Watch(self._sealer)
        frontier = watch.frontier_of(head)
        if head["at"] > at or head["platform"] != times["platform"]:
            # Another process wrote meanwhile, at a later time than ours, or officers did.
            check_in_force(work.policy.digest, head["platform"])
            at = max(at, head["at"])
            before = replace(before, halted_at=halted_since(head["platform"]))
            decided = work.decide(before, at)
            if not _erases(decided):
                raise UnavailableError("another moment, another answer: run it again")
        entries = self._entries(before, decided, work, at=at)
        edge = await tree.read_edge(connection, frontier, seen=Frontier(), known=None)
        hashes = [leaf_hash(entry.leaf) for entry in entries]
        grown = tree.grown(edge, hashes)
        own = tuple(range(frontier.size, grown.edge.frontier.size))
        mac = watch.seal(grown.edge.frontier, at=at, platform=head["platform"])
        await self._write(connection, entries, own, grown, mac=mac, at=at)
        await self._mark(connection, list(map(Mark, own, hashes)))
        last = entries[-1]
        salt = from_b64url(last.openings[ERASED_FIELD].salt)
        gone = Gone(own[-1], work.account_id, last.number + 1, salt)
        await connection.execute(_MARK_ACCOUNT, *gone, gone.mac(self._sealer))
        return Committed(decided=decided, at=at, indexes=own)

    async def _times(self, connection: asyncpg.Connection) -> tuple[asyncpg.Record, datetime]:
        """Return what stands of the log before it is locked, and the time to decide at."""
        times = present(
            await connection.fetchrow(queries.READ_AFTER_LOCKS, [], []), "the log has a head"
        )
        at = time_behind(self._clock, head_at=times["head_at"], database_at=times["database_at"])
        return times, at

    async def _locked(self, connection: asyncpg.Connection, work: Work) -> Account:
        row = await connection.fetchrow(queries.LOCK_STREAMS, [work.account_id])
        if row is not None:
            return self._open(row)
        if await connection.fetch(queries.READ_ERASED, [work.account_id]):
            raise AccountErasedError("this account was erased")
        raise AccountUnknownError("no such account")

    async def _destroy(self, connection: asyncpg.Connection, account: Account) -> None:
        """Destroy all that opens the account's entries, and mark their leaves.

        Raises:
            LogDamagedError: not every entry that it counts is there with its leaf, and no other,
                so that none is touched.
        """
        named = account.account_id
        indexes = await self._mark_own(connection, account)
        await connection.execute(_FORGET_FACTS, indexes, NO_FACTS)
        await connection.execute(_FORGET_RETRIES, indexes)
        await connection.execute(_FORGET_EVENTS, named)
        await connection.execute(_FORGET_REPEATS, named)
        await connection.execute(_FORGET_TOLD, named)
        wrapped = await connection.fetchval(_READ_KEY, named)
        prefix = prefix_of(naming_key(self._sealer.open_subject_key(named, wrapped)))
        await connection.execute(_FORGET_COUNTS, prefix, prefix + b"\xff" * PREFIX_BYTES)
        await connection.execute(_FORGET_KEY, named)

    async def _mark_own(self, connection: asyncpg.Connection, account: Account) -> list[int]:
        """Mark the leaves of all entries of ``account``, and return where they are.

        Whatever the rows say: by the account's own document. Raises LogDamagedError.
        """
        own, indexes, after = OwnLeaves(account.chain), list[int](), -1
        while rows := await connection.fetch(_READ_OWN, account.account_id, after, MARKS_AT_ONCE):
            after = rows[-1]["number"]
            marks = [
                Mark(row["leaf_index"], own.take(row["entry"] or b"", number=row["number"]))
                for row in rows
            ]
            await self._mark(connection, marks)
            indexes += [mark.leaf_index for mark in marks]
        own.finish()
        return indexes

    def _entries(
        self, before: State, decided: Decided, work: Work, *, at: datetime
    ) -> tuple[Entry, ...]:
        booked = bookkeep(
            before,
            decided,
            origin=Origin(account_id=work.account_id, actor=work.actor, policy=work.policy),
            at=at,
            salts=self._entropy.draw(SALTS_BYTES * len(decided.decisions)),
        )
        return booked.entries

    async def _write(
        self,
        connection: asyncpg.Connection,
        entries: tuple[Entry, ...],
        own: tuple[int, ...],
        grown: tree.Grown,
        *,
        mac: bytes,
        at: datetime,
    ) -> None:
        after = grown.edge.frontier
        await connection.execute(
            _WRITE_LEAVES,
            own,
            [entry.label for entry in entries],
            [entry.leaf for entry in entries],
            NO_FACTS,
            [level for level, _ in grown.rows],
            [number for _, number in grown.rows],
            list(grown.rows.values()),
            at,
            after.size,
            after.to_bytes(),
            mac,
        )

    async def _mark(self, connection: asyncpg.Connection, marks: Sequence[Mark]) -> None:
        macs = [mark.mac(self._sealer) for mark in marks]
        await connection.execute(_MARK_ENTRIES, [mark.leaf_index for mark in marks], macs)


def _erases(decided: Decided) -> bool:
    return any(isinstance(event, AccountErased) for event in decided.answer.events)
