"""The store: state and log in one PostgreSQL, under sealed boxes.

Application processes hold no state of their own but what they have seen of the log: any number of
them serve one cell, and PostgreSQL alone arbitrates. Deciding goes through the group commit;
looking goes straight to the rows, without a lock, and sees what was committed.

What is told of the log hashes to its head: an edited leaf or tile is an error, never an answer.
What looking does not see, and the next decision does: a whole account put back as it was once, with
the version it had then (law 9).
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import asyncpg
import msgspec

from twinlock.adapters.boxes import Sealer
from twinlock.adapters.sql import codec, queries, tree
from twinlock.adapters.sql.connections import Database
from twinlock.adapters.sql.group_commit import BATCH_MOST, GroupCommit
from twinlock.adapters.sql.keys_used import KeyName, KeyUse, repeated
from twinlock.adapters.sql.watch import Watch
from twinlock.adapters.sql.writer import Writer
from twinlock.domain.account import Account, State
from twinlock.domain.bookkeeping import check_current
from twinlock.domain.canonical import b64url, commit, from_b64url
from twinlock.domain.entries import ClosedAction, Kept
from twinlock.domain.erasure import AccountErasedError
from twinlock.domain.errors import (
    AccountUnknownError,
    LogDamagedError,
)
from twinlock.domain.ids import AccountId, ActionId, DestinationId, account_of
from twinlock.domain.listed import Destination
from twinlock.domain.log.merkle import Frontier, leaf_hash
from twinlock.domain.log.tiles import TILE_WIDTH, hashes_in
from twinlock.domain.officers.standing import Standing, read_standing
from twinlock.ports import (
    Clock,
    Committed,
    Entropy,
    Idempotency,
    StoredEntry,
    Work,
)
from twinlock.ports.log import (
    Head,
)

T = TypeVar("T")

KEY_LIFETIME = timedelta(days=7)  # A platform's queue repeats for a weekend and a holiday.
FORGET_MOST = 10_000  # Keys in one statement: 0.1 s of the two that it may take.


class _Leaf(msgspec.Struct, frozen=True, kw_only=True):
    """Of a public leaf, what ties it to the openings that are kept beside it."""

    c: dict[str, str]


_LEAF = msgspec.json.Decoder(_Leaf)


class SqlStore:
    """State and log in one PostgreSQL. Implements ``ports.Store``."""

    def __init__(
        self, database: Database, *, sealer: Sealer, watch: Watch, deciding: GroupCommit
    ) -> None:
        self.database = database
        self.sealer = sealer
        self._watch = watch
        self._deciding = deciding

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        dsn: str,
        *,
        sealer: Sealer,
        entropy: Entropy,
        clock: Clock,
        batch_most: int = BATCH_MOST,
    ) -> AsyncIterator["SqlStore"]:
        """Open the store at ``dsn``; on leaving, requests that wait are still decided.

        ``batch_most`` requests share a transaction at most.

        Raises:
            UnavailableError: the database does not answer.
        """
        async with Database.open(dsn) as database:
            watch = Watch(sealer)
            deciding = GroupCommit(
                lambda decided: Writer(
                    database,
                    sealer=sealer,
                    watch=watch,
                    entropy=entropy,
                    clock=clock,
                    decided=decided,
                ),
                batch_most=batch_most,
            )
            try:
                yield cls(database, sealer=sealer, watch=watch, deciding=deciding)
            finally:
                await deciding.close()

    @property
    def batches(self) -> int:
        """The number of batches so far."""
        return self._deciding.batches

    @property
    def batched(self) -> int:
        """The number of requests in them."""
        return self._deciding.batched

    # --- Deciding ---

    async def run(self, work: Work) -> Committed:
        """Decide and commit ``work``, together with whatever else waits (see ``ports.Store``)."""
        return await self._deciding.run(work)

    async def forget_keys(self, *, now: datetime) -> None:
        """Forget the idempotency keys that nobody repeats any more, a bounded number at a time."""
        before = now - KEY_LIFETIME
        while await self._forget(before) == FORGET_MOST:
            pass

    async def _forget(self, before: datetime) -> int:
        """Forget some keys, and return how many."""
        count: int = await self.database.read(
            lambda db: db.fetchval(queries.FORGET_KEYS, before, FORGET_MOST)
        )
        return count

    # --- Looking ---

    async def _document(
        self, row_id: str, subject: str, kind: str, decoder: msgspec.json.Decoder[T]
    ) -> T | None:
        row = await self.database.read(
            lambda db: db.fetchrow(queries.READ_STREAM, row_id, kind, subject)
        )
        if row is None:
            return None
        key = self.sealer.open_subject_key(subject, row["wrapped"])
        place = codec.Place(kind=kind, row_id=row_id, version=row["version"])
        return codec.unseal(key, row["box"], decoder, place)

    async def stands_for(self, account_id: AccountId, idempotency: Idempotency) -> str | None:
        """Return what an idempotency key of this account stands for already, or None.

        Raises:
            IdempotencyConflictError: the key was used for something else.
            SealBrokenError: its row is not the one that was written.
        """
        row = await self.database.read(
            lambda db: db.fetchrow(queries.READ_KEY, account_id, idempotency.key)
        )
        if row is None:
            return None
        name = KeyName(account_id, idempotency.key)
        return repeated(self.sealer, name, KeyUse(*row), idempotency)

    async def account(self, account_id: AccountId) -> Account:
        """Return the account as it stands, without a lock."""
        found = await self._document(account_id, account_id, "account", codec.ACCOUNT)
        if found is None:
            await self._refuse_erased(account_id)
            raise AccountUnknownError("no such account")
        return found

    async def _refuse_erased(self, account_id: AccountId) -> None:
        """Return of an account that was never erased. Raises AccountErasedError."""
        rows = await self.database.read(lambda db: db.fetch(queries.READ_ERASED, [account_id]))
        if rows:
            raise AccountErasedError("this account was erased")

    async def destination(
        self, account_id: AccountId, destination_id: DestinationId
    ) -> Destination | None:
        """Return a destination as it stands, without a lock, or None.

        Raises:
            StateRolledBackError: it is not the version that its account knows, or its row is gone.
        """
        row = await self.database.read(
            lambda db: db.fetchrow(queries.READ_DESTINATION, account_id, destination_id)
        )
        if row is None:
            return None
        key = self.sealer.open_subject_key(account_id, row["wrapped"])
        place = codec.Place(kind="account", row_id=account_id, version=row["account_version"])
        account = codec.unseal(key, row["account_box"], codec.ACCOUNT, place)
        found = None
        if row["version"] is not None:
            place = codec.Place(kind="destination", row_id=destination_id, version=row["version"])
            found = codec.unseal(key, row["box"], codec.DESTINATION, place)
        state = State(account=account, destination_id=destination_id, destination=found)
        return check_current(state).destination

    async def closed_action(self, action_id: ActionId) -> ClosedAction | None:
        """Return an action that is over, or None."""
        return await self._document(action_id, account_of(action_id), "action", codec.CLOSED)

    async def entry(self, account_id: AccountId, number: int) -> StoredEntry | None:
        """Return entry ``number`` of an account, or None.

        Raises:
            SealBrokenError, LogDamagedError: its row, or the leaf that stands for it, was changed
                or removed.
        """
        row = await self._entry(account_id, number)
        if row is None and await self._has_entry(account_id, number):
            row = await self._entry(account_id, number)  # It may have come meanwhile.
            if row is None:
                raise LogDamagedError("an entry that the account counts is gone")
        if row is None:
            return None
        key = self.sealer.open_subject_key(account_id, row["wrapped"])
        place = codec.Place(kind="event", row_id=account_id, version=number)
        kept = codec.unseal(key, row["box"], codec.KEPT, place)
        leaf = checked_leaf(row["entry"], row["hash"], kept)
        return StoredEntry(number=number, index=row["leaf_index"], leaf=leaf, kept=kept)

    async def _entry(self, account_id: AccountId, number: int) -> asyncpg.Record | None:
        return await self.database.read(
            lambda db: db.fetchrow(queries.READ_ENTRY, account_id, number)
        )

    async def _has_entry(self, account_id: AccountId, number: int) -> bool:
        """Say whether the account counts so many entries; nobody's account counts none."""
        found = await self._document(account_id, account_id, "account", codec.ACCOUNT)
        return found is not None and number < found.chain.entries

    async def halted_at(self) -> datetime | None:
        """Return since when officers have halted everything, or None. Raises LogDamagedError."""
        halted = (await self.standing()).halted
        return None if halted is None else datetime.fromtimestamp(halted / 1000, tz=UTC)

    async def standing(self) -> Standing:
        """Return how the platform stands by the head.

        Prevents: a halt that ends with a head of before it, which somebody put back.

        Raises:
            LogDamagedError: the head is not one that we wrote, or older than one that we saw.
        """
        seen = self._watch.seen
        row = await self.database.read(lambda db: db.fetchrow(queries.READ_HEAD))
        if self._watch.frontier_of(row).size < seen.size:
            raise LogDamagedError("the log is shorter than it was")
        return read_standing(row["platform"])

    # --- The log ---

    async def head(self) -> Head:
        """Return the committed end of the log: of heads given out, none is behind another.

        Raises:
            LogDamagedError: it is not one that we wrote, or not what this process saw, grown.
        """
        self._watch.check_trusted()
        seen = self._watch.seen
        async with self.database.reader() as db:
            frontier = self._watch.frontier_of(await db.fetchrow(queries.READ_HEAD))
            await _check_growth(db, seen, frontier)
            while seen.size < self._watch.seen.size <= frontier.size:
                seen = self._watch.seen  # What a faster reader saw meanwhile is begun with, too.
                await _check_growth(db, seen, frontier)
            return _head(self._watch.see(frontier))

    async def checked_head(self) -> Head:
        """Return the committed end of the log once its last tiles agree: a check for start-up.

        Raises:
            LogDamagedError: somebody edited the head or the last tiles.
        """
        self._watch.check_trusted()
        async with self.database.reader() as db, db.transaction(isolation="repeatable_read"):
            seen = self._watch.seen
            frontier = self._watch.frontier_of(await db.fetchrow(queries.READ_HEAD))
            await tree.read_edge(db, frontier, seen=seen, known=None)
            return _head(self._watch.see(frontier))

    def check_trusted(self) -> None:
        """Return unless the log is distrusted. Raises LogDamagedError."""
        self._watch.check_trusted()

    def distrust(self, why: str) -> None:
        """Decide nothing more and give out no head, until this process is started again."""
        self._watch.distrust(why)

    async def tiles(self, wanted: tuple[tuple[int, int], ...]) -> Mapping[tuple[int, int], bytes]:
        """Return the tiles (level, number) that exist, as they hash to the largest head so far.

        Raises:
            LogDamagedError: one is missing, or not the one that was written.
        """
        tiles = await self._tiles(await self._seen(), wanted) if wanted else {}
        return {place: tiles[place] for place in wanted if place in tiles}

    async def _seen(self) -> Frontier:
        """Return the largest tree that this process believed; a new process reads its first."""
        if not self._watch.seen.size:
            await self.head()
        return self._watch.seen

    async def _tiles(
        self, frontier: Frontier, wanted: Iterable[tuple[int, int]]
    ) -> Mapping[tuple[int, int], bytes]:
        places = tree.places_up_to_the_edge(frontier.size, wanted)
        rows = await self.database.read(lambda db: tree.read_rows(db, places))
        return tree.checked_tiles(frontier, rows, places)

    async def leaves(self, *, start: int, count: int) -> tuple[bytes, ...]:
        """Return the entries of the log from index ``start``, at most ``count``.

        Raises:
            LogDamagedError: one is missing, or not the one whose hash the tree holds.
        """
        frontier = await self._seen()
        wanted = range(start, min(start + count, frontier.size))
        tiles = await self._tiles(frontier, {(0, index // TILE_WIDTH) for index in wanted})
        rows = await self.database.read(
            lambda db: db.fetch(queries.READ_LEAVES, wanted.start, wanted.stop)
        )
        entries = tuple(row["entry"] for row in rows)
        hash_at = hashes_in(tiles)
        if [leaf_hash(entry) for entry in entries] != [hash_at(0, index) for index in wanted]:
            raise LogDamagedError("a leaf is not the one whose hash the tree holds")
        return entries


async def _check_growth(db: asyncpg.Connection, seen: Frontier, frontier: Frontier) -> None:
    if frontier != seen:
        rows = await tree.read_rows(db, tree.growth_places(seen, frontier))
        tree.check_growth(seen, frontier, rows)


def _head(frontier: Frontier) -> Head:
    return Head(size=frontier.size, root=frontier.root())


def checked_leaf(leaf: bytes | None, hashed: bytes | None, kept: Kept) -> bytes:
    """Return the leaf when its tile has its hash, and it commits to what is kept beside it.

    Raises:
        LogDamagedError: it was edited or removed, or is another entry's.
    """
    if leaf is None or leaf_hash(leaf) != hashed:
        raise LogDamagedError("a leaf is not the one whose hash the tree holds")
    opening = kept.openings.get("account")
    if opening is None:
        raise LogDamagedError("an entry does not say whose it is")
    opened = commit(from_b64url(opening.salt), "account", opening.value.encode("utf-8"))
    try:
        committed = _LEAF.decode(leaf).c.get("account")
    except msgspec.MsgspecError as error:
        raise LogDamagedError("a leaf is not of the form of one") from error
    if committed != b64url(opened):
        raise LogDamagedError("a leaf is not that of its entry")
    return leaf
