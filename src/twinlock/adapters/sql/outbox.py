"""The outbox: messages leave after the decision that wrote them, at least once.

A message is a row of the transaction that decided. A relay claims rows that nobody else is sending,
for a few seconds, hands each on while no transaction is open, and deletes what was handed on. Two
relays never send one message twice, unless one was killed or stopped after it sent and before it
deleted: its claims lapse, and another relay sends those messages again.

Handing on may mean dealing out: a row for each channel then takes the message's place, in the
statement that deletes it. So it is dealt out once, whoever is killed when.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import NamedTuple, TypeAlias

import asyncpg

from twinlock.adapters.boxes import SubjectKey
from twinlock.adapters.sql import codec, queries
from twinlock.adapters.sql.deliveries import INBOX_MOST, sealed_parcel
from twinlock.adapters.sql.store import SqlStore
from twinlock.adapters.system import SystemEntropy
from twinlock.domain.errors import SealBrokenError, TwinlockError
from twinlock.domain.notices import NoticeKind
from twinlock.domain.parcels import Slip
from twinlock.ports import (
    Entropy,
    Outgoing,
)

Send: TypeAlias = Callable[[Outgoing], Awaitable[tuple[Slip, ...] | None]]

# A code lives for minutes and a veto notice says "now": a relay that was stopped keeps neither for
# longer than this. It covers a turn, the last message of it, and half a second for the deletion.
CLAIM = timedelta(seconds=3)
TURN_SECONDS = 1.0  # No message is begun later after its claim; a file takes milliseconds.
BREATH_SECONDS = 0.02  # What decisions wait for messages at a time; each yield delays the rest.
SEND_SECONDS = 1.5  # What one message may take.
DEALT_COLUMNS = 7  # Of a row that takes a message's place.


class _Done(NamedTuple):
    """A message that was handed on: whether it can be looked up, and what comes in its place."""

    letter: int
    shown: bool
    rows: tuple[tuple[object, ...], ...]


class Outbox:
    """The relay of one process.

    ``unopened`` counts messages that could not be opened, ``refused`` those that could not be
    handed on; both are left where they are.
    """

    def __init__(self, store: SqlStore, *, entropy: Entropy | None = None) -> None:
        self._database = store.database
        self._sealer = store.sealer
        self._entropy = entropy or SystemEntropy()
        self._after = 0
        self.unopened = 0
        self.refused = 0

    async def deliver(self, send: Send, *, most: int) -> int:
        """Hand on up to ``most`` messages, oldest first; return how many were.

        What ``send`` returns takes a message's place, and the message can be looked up; after None
        nothing of it is kept.

        Each call begins where the last one ended, and the one after the last message at the first
        again: a message that fails each time keeps no other one waiting.

        Raises:
            UnavailableError: the database does not answer; what was sent may be sent again.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + TURN_SECONDS  # From before the claim, so never later than it.
        rows = await self._claim(most)
        since = loop.time()
        sent: list[_Done] = []
        tried = 0
        try:
            for row in rows:
                if loop.time() > until:
                    break
                tried += 1
                done = await self._hand_on(row, send)
                if done is not None:
                    sent.append(done)
                # Prevents: a hundred messages between two steps of a decision, whose transaction
                # the database ends when it has waited for half a second.
                if loop.time() - since >= BREATH_SECONDS:
                    await asyncio.sleep(0)
                    since = loop.time()
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

    async def _settle(self, rows: list[asyncpg.Record], sent: list[_Done]) -> None:
        """Delete what was handed on, and give the rest back to whoever looks next."""
        gone = {done.letter for done in sent}
        if sent:
            await self._deal(sent)
        rest = [(row["id"], row["claimed_until"]) for row in rows if row["id"] not in gone]
        if rest:
            ids, claims = zip(*rest, strict=True)
            await self._database.read(lambda db: db.execute(queries.RELEASE_LETTERS, ids, claims))

    async def _deal(self, sent: list[_Done]) -> None:
        columns: list[list[object]] = [[] for _ in range(DEALT_COLUMNS)]
        for done in sent:
            for row in done.rows:
                for column, value in zip(columns, row, strict=True):
                    column.append(value)
        letters, shown = [done.letter for done in sent], [done.shown for done in sent]

        async def ask(db: asyncpg.Connection) -> None:
            subjects = await db.fetch(queries.DEAL_LETTERS, letters, shown, *columns)
            if subjects:
                named = [row["subject"] for row in subjects]
                await db.execute(queries.PRUNE_INBOX, named, INBOX_MOST)

        await self._database.read(ask)

    async def _hand_on(self, row: asyncpg.Record, send: Send) -> _Done | None:
        """Return what the message of ``row`` became, or None where it was not handed on."""
        try:
            key = self._sealer.open_subject_key(row["subject"], row["wrapped"])
            outgoing = self._open(row, key)
        except SealBrokenError:
            self.unopened += 1
            return None
        try:
            async with asyncio.timeout(SEND_SECONDS):
                slips = await send(outgoing)
        except (TwinlockError, OSError):  # A time-out is an OSError.
            self.refused += 1
            return None
        shown = slips is not None and outgoing.notice.kind is not NoticeKind.CODE
        rows = tuple(self._row(row["id"], slip, key) for slip in slips or ())
        return _Done(row["id"], shown, rows)

    def _row(self, letter: int, slip: Slip, key: SubjectKey) -> tuple[object, ...]:
        box = sealed_parcel(key, slip.name, slip.parcel, entropy=self._entropy)
        lane = slip.parcel.channel.channel_id
        return letter, slip.name, lane, slip.carrier.value, slip.rank, slip.owes, box

    def _open(self, row: asyncpg.Record, key: SubjectKey) -> Outgoing:
        notice = codec.unseal(key, row["box"], codec.NOTICE, codec.letter_place(row["serial"]))
        return Outgoing(
            outbox_id=row["id"],
            account=codec.account_beside(key, row),
            notice=notice,
            serial=row["serial"],
        )
