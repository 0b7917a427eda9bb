"""The outbox: messages leave after the decision that wrote them, at least once.

A message is a row of the transaction that decided. A relay claims rows that nobody else is sending,
for a few seconds, hands each on while no transaction is open, and deletes what was handed on. Two
relays never send one message twice, unless one was killed or stopped after it sent and before it
deleted: its claims lapse, and another relay sends those messages again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import asyncpg

from twinlock.adapters.sql import codec, queries
from twinlock.adapters.sql.store import SqlStore
from twinlock.domain.errors import SealBrokenError, TwinlockError
from twinlock.domain.ids import AccountId
from twinlock.ports import (
    Outgoing,
)

# A code lives for minutes and a veto notice says "now": a relay that was stopped keeps neither for
# longer than this. It covers a turn, the last message of it, and half a second for the deletion.
CLAIM = timedelta(seconds=3)
TURN_SECONDS = 1.0  # No message is begun later after its claim; a file takes milliseconds.
SEND_SECONDS = 1.5  # What one message may take.


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
        loop = asyncio.get_running_loop()
        until = loop.time() + TURN_SECONDS  # From before the claim, so never later than it.
        rows = await self._claim(most)
        sent: list[int] = []
        tried = 0
        try:
            for row in rows:
                if loop.time() > until:
                    break
                tried += 1
                if await self._hand_on(row, send):
                    sent.append(row["id"])
        finally:
            await self._settle(rows, sent)
        more = tried < len(rows) or len(rows) == most
        self._after = rows[tried - 1]["id"] if more and tried else 0
        return len(sent)

    async def _claim(self, most: int) -> list[asyncpg.Record]:
        rows = await self._database.read(
            lambda db: db.fetch(queries.CLAIM_LETTERS, self._after, most, CLAIM)
        )
        return sorted(rows, key=lambda row: int(row["id"]))  # An update returns them in any order.

    async def _settle(self, rows: list[asyncpg.Record], sent: list[int]) -> None:
        """Delete what was handed on, and give the rest back to whoever looks next."""
        if sent:
            await self._database.read(lambda db: db.execute(queries.DROP_LETTERS, sent))
        rest = [(row["id"], row["claimed_until"]) for row in rows if row["id"] not in sent]
        if rest:
            ids, claims = zip(*rest, strict=True)
            await self._database.read(lambda db: db.execute(queries.RELEASE_LETTERS, ids, claims))

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
