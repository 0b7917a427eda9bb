"""The outbox: messages leave after the decision that wrote them, at least once.

A message is a row of the transaction that decided. A relay takes rows that nobody else is sending,
hands each on, and deletes it in the same transaction: two relays never send one message twice, and
one that is killed leaves its messages to the next, which may send some of them again.
"""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg

from twinlock.adapters.sql import codec, queries
from twinlock.adapters.sql.store import SqlStore
from twinlock.domain.errors import SealBrokenError, TwinlockError
from twinlock.domain.ids import AccountId
from twinlock.ports import Outgoing

SEND_SECONDS = 10.0  # What one message may take; a mail server answers within two.


class Outbox:
    """The relay of one process.

    ``unopened`` counts messages that could not be opened, ``refused`` those that could not be
    handed on; both are left where they are.
    """

    def __init__(self, store: SqlStore) -> None:
        self._database = store.database
        self._sealer = store.sealer
        self._after = 0
        self.unopened = 0
        self.refused = 0

    async def deliver(self, send: Callable[[Outgoing], Awaitable[None]], *, most: int) -> int:
        """Hand on up to ``most`` messages, oldest first; return how many were.

        Each call begins where the last one ended, and the one after the last message at the first
        again: a message that fails each time keeps no other one waiting.

        Raises:
            UnavailableError: the database does not answer; what was sent may be sent again.
        """
        async with self._database.reader() as db, db.transaction():
            await db.execute(queries.PATIENT.format(milliseconds=int(2_000 * SEND_SECONDS)))
            rows = await db.fetch(queries.TAKE_LETTERS, self._after, most)
            sent = 0
            for row in rows:
                if await self._hand_on(row, send):
                    await db.execute(queries.DROP_LETTER, row["id"])
                    sent += 1
        self._after = rows[-1]["id"] if len(rows) == most > 0 else 0
        return sent

    async def _hand_on(
        self, row: asyncpg.Record, send: Callable[[Outgoing], Awaitable[None]]
    ) -> bool:
        """Say whether the message of ``row`` was handed on."""
        try:
            outgoing = self._open(row)
        except SealBrokenError:
            self.unopened += 1
            return False
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await send(outgoing)
        except (TwinlockError, OSError):  # A time-out is an OSError.
            self.refused += 1
            return False
        return True

    def _open(self, row: asyncpg.Record) -> Outgoing:
        key = self._sealer.open_subject_key(row["subject"], row["wrapped"])
        notice = codec.unseal(key, row["box"], codec.NOTICE, codec.letter_place(row["serial"]))
        return Outgoing(outbox_id=row["id"], account_id=AccountId(row["subject"]), notice=notice)
