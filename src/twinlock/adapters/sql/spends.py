"""Spends of an installation, read as of one moment: by their actions, and through the log."""

from collections.abc import AsyncIterator, Callable, Collection
from datetime import datetime

import asyncpg
import msgspec

from twinlock.adapters.boxes import Sealer
from twinlock.adapters.sql import codec
from twinlock.adapters.sql.connections import DOWN, unreachable
from twinlock.adapters.sql.leaf_times import first_leaf
from twinlock.domain.actions import AnyPayload
from twinlock.domain.authorization import SPEND_ENTRY
from twinlock.domain.errors import SealBrokenError
from twinlock.domain.events import ActionSpent
from twinlock.domain.ids import account_of
from twinlock.domain.reconciling.comparing import Spent
from twinlock.ports.reconciling import Known

LEAVES = 5_000  # Looked at in one question: half a megabyte of spends where all are.
_SPEND_TYPE = f'"t":"{SPEND_ENTRY}"'.encode("ascii")  # As it stands in a leaf and nowhere else.
_READ_CLOSED = """
SELECT s.id, s.subject, s.version, s.box, k.wrapped
  FROM stream s JOIN subject_key k ON k.subject = s.subject
 WHERE s.kind = 'action' AND s.id = ANY($1::text[])
"""
_READ_ERASED = "SELECT subject FROM erased WHERE subject = ANY($1::text[])"
# Entries of spends; those of erased accounts are gone.
_READ_SPENDS = """
SELECT e.subject, e.number, e.box, k.wrapped
  FROM leaf l
  JOIN event e ON e.leaf_index = l.leaf_index
  JOIN subject_key k ON k.subject = e.subject
 WHERE l.cell = 1 AND l.leaf_index >= $1 AND l.leaf_index < $2
   AND position($3::bytea IN l.entry) > 0
 ORDER BY l.leaf_index
"""
_PAYLOAD = msgspec.json.Decoder(AnyPayload)


class SqlSpends:
    """Implements ``ports.SpendSource`` on one connection, in the moment that it holds."""

    def __init__(self, connection: asyncpg.Connection, *, sealer: Sealer) -> None:
        self._connection = connection
        self._sealer = sealer

    async def known(self, actions: Collection[str]) -> Known:
        """Return what is known of ``actions``. Raises SealBrokenError, UnavailableError."""
        closed = {}
        for row in await self._fetch(_READ_CLOSED, list(actions)):
            key = self._sealer.open_subject_key(row["subject"], row["wrapped"])
            place = codec.Place(kind="action", row_id=row["id"], version=row["version"])
            closed[row["id"]] = codec.unseal(key, row["box"], codec.CLOSED, place)
        accounts = {account_of(action) for action in actions if action not in closed}
        erased = await self._fetch(_READ_ERASED, list(accounts))
        return Known(closed=closed, erased=frozenset(row["subject"] for row in erased))

    async def spends(
        self, since: datetime, until: datetime, *, advance: Callable[[int, int], None]
    ) -> AsyncIterator[Spent]:
        """Give every spend from ``since`` on and before ``until``, in the log's order."""
        first, end = await first_leaf(self._fetch, since), await first_leaf(self._fetch, until)
        for start in range(first, end, LEAVES):
            stop = min(start + LEAVES, end)
            for row in await self._fetch(_READ_SPENDS, start, stop, _SPEND_TYPE):
                spent = self._spent(row)
                if spent is not None:
                    yield spent
            advance(stop - first, end - first)

    def _spent(self, row: asyncpg.Record) -> Spent | None:
        """Return the spend of an entry; one that was refused is none."""
        key = self._sealer.open_subject_key(row["subject"], row["wrapped"])
        place = codec.Place(kind="event", row_id=row["subject"], version=row["number"])
        kept = codec.unseal(key, row["box"], codec.KEPT, place)
        for event in kept.events:
            if isinstance(event, ActionSpent):
                return Spent(
                    action=event.action_id,
                    spend_id=event.spend_id,
                    spent_at=event.at,
                    payload=_payload(kept.openings["payload"].value),
                )
        return None

    async def _fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        try:
            return list(await self._connection.fetch(sql, *arguments))
        except DOWN as error:
            raise unreachable(error) from error


def _payload(text: str) -> AnyPayload:
    try:
        payload: AnyPayload = _PAYLOAD.decode(text)
    except msgspec.MsgspecError as error:
        raise SealBrokenError("the payload of a spend does not have the form of one") from error
    return payload
