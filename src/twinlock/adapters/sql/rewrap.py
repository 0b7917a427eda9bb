"""Wraps every subject's key anew under the seal key that makes, while processes serve.

It runs as the owner of the tables: the application's role may change no subject's key, since
whoever changes one makes everything under it unreadable.

Always true (tests/integration/test_rotation.py):

* a row is replaced only over exactly the bytes that were read, by what opens to the same key;
* what is done is not done again: after a kill, the next run goes on with the rest;
* a row that is not ours stays as it is, is counted, and keeps its key from being retired;
* so does the key of somebody who was erased, whoever put it back (``adapters.sql.key_owners``).
"""

from collections.abc import Callable
from typing import NamedTuple

import asyncpg

from twinlock.adapters.boxes import NONCE_BYTES, Sealer
from twinlock.adapters.sql import erasure_marks, queries
from twinlock.adapters.sql.connections import connected_as_owner
from twinlock.adapters.sql.erasure_marks import Gone, Mark
from twinlock.adapters.sql.key_owners import sort_out
from twinlock.adapters.sql.keys_used import KeyName, KeyUse, mac_anew
from twinlock.adapters.sql.watch import Watch
from twinlock.domain.errors import SealBrokenError
from twinlock.domain.log.merkle import leaf_hash
from twinlock.ports import (
    Entropy,
)

# In one statement: less than a second even where each takes a token's millisecond, four times.
PAGE_ROWS = 200


class Rewrapped(NamedTuple):
    """How much was put under the current key, and how much was left.

    ``unowned`` are keys of nobody, such as of an erased person; ``broken`` rows are not ours.
    """

    subjects: int
    idempotency: int
    heads: int
    erased: int
    unowned: int
    broken: int


class Rewrap:
    """One run over everything that stands under another seal key than the one that makes."""

    def __init__(
        self, owner_dsn: str, *, sealer: Sealer, entropy: Entropy, told: Callable[[int], None]
    ) -> None:
        self._dsn = owner_dsn
        self._sealer = sealer
        self._entropy = entropy
        self._told = told
        self._done = 0
        self._unowned = 0
        self._broken = 0

    async def run(self) -> Rewrapped:
        """Put everything under the current key; ``told`` hears how much is done, now and then.

        Raises:
            UnavailableError: the database, or the token, does not answer; what is done stays.
            LogDamagedError: the head of the log is not ours.
            SettingsWrongError: this is not the owner.
        """
        async with connected_as_owner(self._dsn) as connection:
            subjects = await self._subjects(connection)
            used = await self._used(connection)
            marks = await self._marks(connection)
            heads = await self._head(connection)
            return Rewrapped(subjects, used, heads, marks, self._unowned, self._broken)

    async def _subjects(self, connection: asyncpg.Connection) -> int:
        after, count, current = "", 0, self._sealer.current_id
        while rows := await connection.fetch(
            queries.READ_OTHERS_WRAPPED, after, current, PAGE_ROWS
        ):
            after = rows[-1]["subject"]
            owned, unowned, broken = await sort_out(connection, rows, sealer=self._sealer)
            self._unowned, self._broken = self._unowned + unowned, self._broken + broken
            anew = [self._wrapped(row) for row in owned]
            columns = [list(column) for column in zip(*anew, strict=True)] or [[], [], []]
            status = await connection.execute(queries.WRITE_WRAPPED, *columns)
            count += self._count(status)
        return count

    def _wrapped(self, row: asyncpg.Record) -> tuple[str, bytes, bytes]:
        subject, old, nonce = row["subject"], row["wrapped"], self._entropy.draw(NONCE_BYTES)
        return subject, old, self._sealer.rewrap(subject, old, nonce=nonce)

    async def _used(self, connection: asyncpg.Connection) -> int:
        after, count, current = ("", ""), 0, self._sealer.current_id
        while rows := await connection.fetch(queries.READ_OTHERS_USED, *after, current, PAGE_ROWS):
            after = rows[-1]["scope"], rows[-1]["key"]
            anew = [one for one in map(self._mac, rows) if one is not None]
            columns = [list(column) for column in zip(*anew, strict=True)] or [[], [], [], []]
            status = await connection.execute(queries.WRITE_USED, *columns)
            count += self._count(status)
        return count

    def _mac(self, row: asyncpg.Record) -> tuple[str, str, bytes, bytes] | None:
        name = KeyName(row["scope"], row["key"])
        use = KeyUse(row["digest"], row["action_id"], row["mac"])
        try:
            return *name, use.mac, mac_anew(self._sealer, name, use)
        except SealBrokenError:
            self._broken += 1
            return None

    async def _marks(self, connection: asyncpg.Connection) -> int:
        """Seal the marks of erased accounts, and of their leaves, anew."""
        count, current = 0, self._sealer.current_id
        for marks in (erasure_marks.ACCOUNTS, erasure_marks.ENTRIES):
            after = -1
            while rows := await connection.fetch(marks.read_others, after, current, PAGE_ROWS):
                after = rows[-1]["leaf_index"]
                anew = [one for one in map(self._mark, rows) if one is not None]
                columns = [list(column) for column in zip(*anew, strict=True)] or [[], [], []]
                count += self._count(await connection.execute(marks.write_anew, *columns))
        return count

    def _mark(self, row: asyncpg.Record) -> tuple[int, bytes, bytes] | None:
        try:
            if "entry" in row:
                mark = Mark(row["leaf_index"], leaf_hash(row["entry"] or b""))
                mark.check(self._sealer, row["mac"])
                return mark.leaf_index, row["mac"], mark.mac(self._sealer)
            *said, mac = row
            gone = Gone(*said)
            gone.check_mac(self._sealer, mac)
            return gone.leaf_index, mac, gone.mac(self._sealer)
        except SealBrokenError:
            self._broken += 1
            return None

    async def _head(self, connection: asyncpg.Connection) -> int:
        async with connection.transaction():
            head = await connection.fetchrow(queries.LOCK_HEAD)
            watch = Watch(self._sealer)
            frontier = watch.frontier_of(head)
            if not head["mac"] or head["mac"].startswith(self._sealer.current_id):
                return 0
            mac = watch.seal(frontier, at=head["at"], platform=head["platform"])
            return self._count(await connection.execute(queries.WRITE_HEAD_MAC, mac))

    def _count(self, status: str) -> int:
        """Return how many rows a statement changed, by its status (``UPDATE 200``)."""
        changed = int(status.rpartition(" ")[2])
        self._done += changed
        self._told(self._done)
        return changed
