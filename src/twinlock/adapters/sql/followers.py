"""Rows that follow the log: each a document sealed under a key of its own, and how far it is.

Endpoints of outcomes and streams of signals are such rows. Whoever can write to the database can
neither add one, nor read or change a document. How far it is, and how its receiver does, stands in
clear; one process at a time has claimed it.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Generic, TypeVar

import asyncpg
import msgspec

from twinlock.adapters.boxes import NEW_KEY_ENTROPY_BYTES, SubjectKey
from twinlock.adapters.sql import codec
from twinlock.adapters.sql.store import SqlStore
from twinlock.domain.errors import SealBrokenError, TwinlockError
from twinlock.domain.webhooks.endpoints import Disabled, Health
from twinlock.ports import Entropy

T = TypeVar("T")
K = TypeVar("K")


class Kind(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One kind of rows: that of their boxes, what people call one, and how one is read.

    ``unknown`` is raised where there is none, ``find`` is the statement that reads one by its name.
    """

    box: str
    word: str
    find: str
    decoder: "msgspec.json.Decoder[T]"
    unknown: type[TwinlockError]


class Followers(Generic[T]):
    """Rows of one kind over the store's connections.

    ``unopened`` counts how often one was claimed that could not be opened.
    """

    def __init__(self, store: SqlStore, *, entropy: Entropy, kind: Kind[T]) -> None:
        self._database = store.database
        self._sealer = store.sealer
        self._entropy = entropy
        self._kind = kind
        self.unopened = 0

    # --- Documents ---

    def begin(self, named: str, document: T) -> tuple[bytes, bytes]:
        """Return the wrapped key of a new row, and its first box."""
        random = self._entropy.draw(NEW_KEY_ENTROPY_BYTES)
        wrapped = self._sealer.new_subject_key(named, random=random)
        key = self._sealer.open_subject_key(named, wrapped)
        return wrapped, self._seal(key, named, document, version=1)

    async def next_box(self, named: str, document: T, *, version: int) -> bytes:
        """Return the box of ``document`` in place of the one read at ``version``."""
        return self._seal(await self.key(named), named, document, version=version + 1)

    def _seal(self, key: SubjectKey, named: str, document: T, *, version: int) -> bytes:
        return codec.seal(key, document, self._place(named, version), entropy=self._entropy)

    def _place(self, named: str, version: int) -> codec.Place:
        return codec.Place(kind=self._kind.box, row_id=named, version=version)

    def opened(self, row: asyncpg.Record) -> T:
        """Return the document of ``row``. Raises SealBrokenError."""
        try:
            key = self._sealer.open_subject_key(row["id"], row["wrapped"])
            place = self._place(row["id"], row["version"])
            return codec.unseal(key, row["box"], self._kind.decoder, place)
        except SealBrokenError as error:
            says = f"the {self._kind.word} {row['id']} is not what we sealed"
            raise SealBrokenError(says) from error

    async def key(self, named: str) -> SubjectKey:
        """Return the key of a row. Raises the kind's error where there is none."""
        return self._sealer.open_subject_key(named, (await self.row(named))["wrapped"])

    # --- Rows ---

    async def row(self, named: str) -> asyncpg.Record:
        """Return a row. Raises the kind's error where there is none."""
        row = await self._database.read(lambda db: db.fetchrow(self._kind.find, named))
        if row is None:
            raise self._kind.unknown(f"no such {self._kind.word}")
        return row

    async def changed(self, sql: str, *arguments: object) -> int:
        """Return how many rows a statement changed."""
        return count_of(await self._database.read(lambda db: db.execute(sql, *arguments)))

    async def change(self, sql: str, *arguments: object) -> None:
        """Change one row. Raises the kind's error where there is none."""
        if not await self.changed(sql, *arguments):
            raise self._kind.unknown(f"no such {self._kind.word}, or it was changed meanwhile")

    def claimed(
        self, rows: Sequence[asyncpg.Record], opened: Callable[[asyncpg.Record], K]
    ) -> Iterator[tuple[K, datetime]]:
        """Give what ``opened`` makes of claimed rows, each with its claim."""
        for row in rows:
            try:
                yield opened(row), row["claimed_until"]
            except SealBrokenError:
                self.unopened += 1  # One row that somebody changed stops no other.


def health_of(row: asyncpg.Record) -> Health:
    """Return how the receiver of a row does."""
    disabled = row["disabled"]
    return Health(
        failures=row["failures"],
        failing_since=row["failing_since"],
        paused_until=row["paused_until"],
        disabled=None if disabled is None else Disabled(disabled),
    )


def count_of(done: str) -> int:
    """Return the number of rows in PostgreSQL's word on a command, such as ``UPDATE 1``."""
    return int(done.rpartition(" ")[2])
