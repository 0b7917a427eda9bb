"""Messages that wait for their carriers, and the notices that a customer can look up.

A notice is dealt out in one transaction: its row leaves the outbox, a row for each channel comes in
its place, and what is no code goes among those that can be looked up. So a notice is dealt out
once, whoever is killed when. From then on a message is claimed, sent, and noted: whoever is killed
between the last two leaves one that is sent once more, under the same name.

Always true (tests/integration/test_notices_shelf.py): of several processes one at a time has a
message, and no other one a later message of its channel; a process that is late changes nothing.
"""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta

import asyncpg
import msgspec

from twinlock.adapters.boxes import SubjectKey
from twinlock.adapters.sql import codec
from twinlock.adapters.sql.store import SqlStore
from twinlock.domain.account import Account
from twinlock.domain.deliveries import RETRY_LONGEST, Fault
from twinlock.domain.errors import SealBrokenError
from twinlock.domain.ids import AccountId
from twinlock.domain.notices import Notice
from twinlock.domain.parcels import CarrierName, Claimed, Dead, Owed, Parcel
from twinlock.ports import Entropy
from twinlock.services.notices.sending import CLAIM

INBOX_MOST = 50  # Notices of one account that can be looked up: months of an ordinary one.
KEPT = timedelta(days=7)  # How long a carrier may take to say what became of a message.
# How long one that nobody tries any more can be tried again: the longest lock, lengthened once, and
# the undoing of what waited.
DEAD_KEPT = timedelta(days=90)
KIND = "parcel"
HANDED, DEAD, WAITING = "handed", "dead", "waiting"  # As the states are stored.
# A message that nobody took for so long is no hiccup of its carrier, and the shortest wait that it
# may tell of is a day.
LATE = timedelta(hours=1)
PARCEL = msgspec.json.Decoder(Parcel)

# One claim at a time, in all processes: nobody then takes a later message of a channel that another
# process has just taken an earlier one of. A claim takes a millisecond.
_ALONE = "SELECT pg_advisory_xact_lock(7463001)"
# What is noted here need not be on the disk before the next message goes out: nothing is lost by it
# when a process dies, and what a crash of the database takes back was sent, and is sent once more.
_SOON = "SET LOCAL synchronous_commit TO off"
# The same within a statement that is a transaction of its own: one round trip for each message.
_NOTED_SOON = "(SELECT set_config('synchronous_commit', 'off', true)) = 'off'"
_UNCLAIMED = """
       (d.claimed_until IS NULL OR d.claimed_until < clock_timestamp()
        OR d.claimed_until > clock_timestamp() + $3::interval)
"""
_FREE = f"""
       d.state = 'waiting' AND d.rank = r.rank AND d.due_at BETWEEN s.low AND s.high
   AND {_UNCLAIMED}
"""
# What was never tried, what is to be tried again, and what lies further ahead than any instant that
# we write: it was written before a clock was set back, and has come. Each is found in the index,
# whatever else waits, of either rank (``parcels.slips``). Prevents: a message that is never sent,
# and all others of its channel behind it; a million that one carrier put off, of which all
# carriers' look reads each one.
_SPANS = """
       generate_series(0, 1) AS r (rank),
       (VALUES ('-infinity'::timestamptz, '-infinity'::timestamptz),
               ('epoch', $1), ($2, 'infinity')) AS s (low, high)
"""
_DUE = f"""
SELECT DISTINCT c.name FROM unnest($4::text[]) AS c (name), {_SPANS}, LATERAL (
  SELECT FROM delivery d WHERE d.carrier = c.name AND {_FREE} ORDER BY d.due_at, d.id LIMIT 1
) one
"""  # noqa: S608 - our own constant
# Each is looked at once more when its row is ours. Prevents: a message that is sent again, since
# whoever had it, and was late, noted at this moment that it was taken.
_CLAIM = f"""
WITH free AS (
  SELECT one.id FROM {_SPANS}, LATERAL (
    SELECT d.id, d.rank FROM delivery d
     WHERE d.carrier = $4 AND {_FREE}
       AND NOT EXISTS (SELECT FROM delivery e
                        WHERE e.lane = d.lane AND e.state = 'waiting' AND e.id <> d.id
                          AND e.claimed_until BETWEEN clock_timestamp()
                                                  AND clock_timestamp() + $3::interval)
     ORDER BY d.due_at, d.id LIMIT $5
  ) one ORDER BY one.rank, one.id LIMIT $5
)
UPDATE delivery d SET claimed_until = clock_timestamp() + $3::interval
  FROM free, subject_key k, stream a
 WHERE d.id = free.id AND k.subject = d.subject
   AND d.state = 'waiting' AND (d.due_at <= $1 OR d.due_at > $2) AND {_UNCLAIMED}
   AND a.id = d.subject AND a.subject = d.subject AND a.kind = 'account'
RETURNING d.id, d.subject, d.name, d.lane, d.rank, d.box, d.attempts, d.claimed_until, k.wrapped,
          a.version AS account_version, a.box AS account_box
"""  # noqa: S608 - our own constant
_MINE = f"{_NOTED_SOON} AND id = $1 AND claimed_until = $2"
_DROP = f"DELETE FROM delivery WHERE {_MINE} AND NOT owes"  # noqa: S608 - our own constant
_HANDED = f"""
UPDATE delivery SET state = 'handed', ended_at = $3, claimed_until = NULL, fault = NULL,
       awaited = $4
 WHERE {_MINE}
"""  # noqa: S608 - our own constant
_PUT_OFF = f"""
UPDATE delivery SET attempts = least(attempts + 1, 32000), due_at = $3, fault = $4,
       claimed_until = NULL
 WHERE {_MINE}
"""  # noqa: S608 - our own constant
_DEAD = f"""
UPDATE delivery SET state = 'dead', ended_at = $3, fault = $4, claimed_until = NULL,
       attempts = least(attempts + 1, 32000)
 WHERE {_MINE}
"""  # noqa: S608 - our own constant
_GIVE_BACK = f"""
UPDATE delivery d SET claimed_until = NULL
  FROM unnest($1::bigint[], $2::timestamptz[]) AS mine (id, claimed_until)
 WHERE {_NOTED_SOON} AND d.id = mine.id AND d.claimed_until = mine.claimed_until
"""  # noqa: S608 - our own constant
_OWED = """
WITH free AS (
  SELECT d.id FROM delivery d
   WHERE d.owes AND d.heard IS DISTINCT FROM d.state
     AND (d.state <> 'waiting' OR d.at < clock_timestamp() - $3::interval)
     AND (d.claimed_until IS NULL OR d.claimed_until < clock_timestamp()
          OR d.claimed_until > clock_timestamp() + $2::interval)
   ORDER BY d.id LIMIT $1 FOR UPDATE OF d SKIP LOCKED
)
UPDATE delivery d SET claimed_until = clock_timestamp() + $2::interval
  FROM free, subject_key k WHERE d.id = free.id AND k.subject = d.subject
RETURNING d.id, d.subject, d.name, d.box, d.state, d.awaited, k.wrapped
"""
# What became of it meanwhile is heard next. Prevents: a failure that a provider tells while the
# message is noted as handed on, and that is written over.
_PAID = f"""
UPDATE delivery SET heard = $2,
       claimed_until = CASE WHEN state = 'waiting' THEN claimed_until END
 WHERE {_NOTED_SOON} AND id = $1 AND state = $2
"""  # noqa: S608 - our own constant
# What its carrier says nothing more of is not kept.
_PAID_MAIL = f"""
DELETE FROM delivery WHERE {_NOTED_SOON} AND id = $1 AND state = $2 AND carrier = 'mail'
"""  # noqa: S608 - our own constant
# Whoever knows a message's name has it, also where its answer was lost, or is not noted yet.
# Prevents: a provider that fails in a hurry, and is not heard; one that is sent again what arrived.
_NAMED = """
SELECT d.id, d.subject, d.name, d.box, d.state, d.awaited, k.wrapped
  FROM delivery d JOIN subject_key k ON k.subject = d.subject
 WHERE d.name = $1 AND d.carrier IN ('sms', 'desktop') AND d.state <> 'dead'
"""
# What the account is yet to hear was confirmed meanwhile: that it was handed on is no news then.
_ENDED = f"DELETE FROM delivery WHERE {_NOTED_SOON} AND name = $1 AND state <> 'dead'"  # noqa: S608 - our own constant
_BOUNCED = """
UPDATE delivery SET state = 'dead', fault = $2, claimed_until = NULL,
       ended_at = coalesce(ended_at, clock_timestamp())
 WHERE name = $1 AND state <> 'dead'
"""
_LISTED = """
SELECT d.id, d.subject, d.name, d.box, d.fault, d.attempts, d.ended_at, k.wrapped
  FROM delivery d JOIN subject_key k ON k.subject = d.subject
 WHERE d.state = 'dead' ORDER BY d.ended_at DESC, d.id DESC LIMIT $1
"""
_REVIVE = f"""
UPDATE delivery SET state = 'waiting', attempts = 0, due_at = $1, ended_at = NULL
 WHERE {_NOTED_SOON} AND state = 'dead' AND carrier <> 'none'
"""  # noqa: S608 - our own constant
_COUNT = """
SELECT d.carrier, count(*) FILTER (WHERE d.state = 'waiting') AS waiting,
       count(*) FILTER (WHERE d.state = 'dead') AS dead,
       max(extract(epoch FROM clock_timestamp() - d.at)) FILTER (WHERE d.state = 'waiting')
         AS oldest
  FROM delivery d WHERE d.state = 'waiting' OR d.state = 'dead' GROUP BY d.carrier
"""
_FORGET = f"""
DELETE FROM delivery WHERE {_NOTED_SOON} AND ctid = ANY(ARRAY(
  SELECT ctid FROM delivery
   WHERE (state = 'handed' AND ended_at < $1 OR state = 'dead' AND ended_at < $2)
     AND (NOT owes OR heard = state) LIMIT $3))
"""  # noqa: S608 - our own constant
_INBOX = """
SELECT i.serial, i.box, k.wrapped FROM inbox i JOIN subject_key k ON k.subject = i.subject
 WHERE i.subject = $1 ORDER BY i.id DESC LIMIT $2
"""


class SqlDeliveries:
    """Messages over the store's connections.

    Implements ``ports.notices.DeliveryShelf`` and ``DeadLetters``. ``unopened`` counts messages
    that could not be opened; they stay where they are.
    """

    def __init__(self, store: SqlStore, *, entropy: Entropy) -> None:
        self._database = store.database
        self._sealer = store.sealer
        self._entropy = entropy
        self.unopened = 0

    # --- Sending ---

    async def due(
        self, carriers: Iterable[CarrierName], *, now: datetime
    ) -> frozenset[CarrierName]:
        """Return those of ``carriers`` that a message may be claimed for; it claims none."""
        names = [one.value for one in carriers]
        rows = await self._database.read(
            lambda db: db.fetch(_DUE, now, now + RETRY_LONGEST, CLAIM, names)
        )
        return frozenset(CarrierName(row["name"]) for row in rows)

    async def claim(self, carrier: CarrierName, *, now: datetime, most: int) -> tuple[Claimed, ...]:
        """Return up to ``most`` messages that are due (see ``ports.notices``)."""

        async def ask(db: asyncpg.Connection) -> list[asyncpg.Record]:
            async with db.transaction():
                await db.execute(_SOON)
                await db.execute(_ALONE)
                rows: list[asyncpg.Record] = await db.fetch(
                    _CLAIM, now, now + RETRY_LONGEST, CLAIM, carrier.value, most
                )
                return rows

        rows = await self._database.read(ask)
        rows.sort(key=lambda row: (row["rank"], row["id"]))
        return tuple([one for one in map(self._claimed, rows) if one is not None])

    def _claimed(self, row: asyncpg.Record) -> Claimed | None:
        account: Account | None = None
        try:
            key = self._sealer.open_subject_key(row["subject"], row["wrapped"])
            parcel = codec.unseal(key, row["box"], PARCEL, parcel_place(row["name"]))
            with suppress(SealBrokenError):
                account = codec.account_beside(key, row)
        except SealBrokenError:
            self.unopened += 1  # Its claim lapses; whoever looks next counts it again.
            return None
        return Claimed(
            delivery_id=row["id"],
            name=row["name"],
            account=account,
            lane=row["lane"],
            attempts=row["attempts"],
            claimed_until=row["claimed_until"],
            parcel=parcel,
        )

    async def handed(
        self, claimed: Claimed, *, keep: bool, now: datetime, awaited: bool = False
    ) -> None:
        """Note that the carrier took it, or that nobody needs it any more."""
        mine = (claimed.delivery_id, claimed.claimed_until)
        if not keep and await self._execute(_DROP, *mine) != "DELETE 0":
            return
        await self._execute(_HANDED, *mine, now, awaited)

    async def put_off(self, claimed: Claimed, fault: Fault, *, due_at: datetime) -> None:
        """Give it back, to be tried again."""
        mine = (claimed.delivery_id, claimed.claimed_until)
        await self._execute(_PUT_OFF, *mine, due_at, fault.value)

    async def give_back(self, claimed: tuple[Claimed, ...]) -> None:
        """Give back what was not tried."""
        if claimed:
            ids = [one.delivery_id for one in claimed]
            await self._execute(_GIVE_BACK, ids, [one.claimed_until for one in claimed])

    async def dead(self, claimed: Claimed, fault: Fault, *, now: datetime) -> None:
        """Note that it is not tried any more."""
        mine = (claimed.delivery_id, claimed.claimed_until)
        await self._execute(_DEAD, *mine, now, fault.value)

    # --- What became of it ---

    async def owed(self, *, most: int) -> tuple[Owed, ...]:
        """Return messages of whose fate their accounts are yet to hear, or of their delay."""
        rows = await self._database.read(lambda db: db.fetch(_OWED, most, CLAIM, LATE))
        return tuple([one for one in map(self._owed, rows) if one is not None])

    def _owed(self, row: asyncpg.Record) -> Owed | None:
        try:
            parcel = self._open(row)
        except SealBrokenError:
            self.unopened += 1
            return None
        return Owed(
            delivery_id=row["id"],
            account_id=AccountId(row["subject"]),
            handed=row["state"] == HANDED,
            awaited=row["awaited"] if row["state"] == HANDED else row["state"] == WAITING,
            parcel=parcel,
        )

    async def paid(self, owed: Owed) -> None:
        """Note that the account heard of it."""
        ended = HANDED if owed.handed else DEAD
        noted = owed.delivery_id, WAITING if owed.awaited and not owed.handed else ended
        if owed.handed and await self._execute(_PAID_MAIL, *noted) != "DELETE 0":
            return
        await self._execute(_PAID, *noted)

    async def named(self, name: str) -> Owed | None:
        """Return the message ``name``, or None where nothing is known of it any more."""
        if "\0" in name:  # No text of the database holds one: it would be told as a fault of ours.
            return None
        row = await self._database.read(lambda db: db.fetchrow(_NAMED, name))
        return None if row is None else self._owed(row)

    async def arrived(self, name: str) -> None:
        """Forget a message of which its carrier said that it arrived."""
        await self._execute(_ENDED, name)

    async def bounced(self, name: str) -> None:
        """Note of a message that its carrier took that it failed for good; its account hears of it.

        It is on the disk before the carrier is answered: nobody says it twice.
        """
        await self._database.read(lambda db: db.execute(_BOUNCED, name, Fault.REFUSED.value))

    # --- Operators ---

    async def listed(self, *, most: int) -> tuple[Dead, ...]:
        """Return the newest of the dead messages.

        Prevents: one that does not open, and by which an operator sees none.
        """
        rows = await self._database.read(lambda db: db.fetch(_LISTED, most))
        return tuple([self._dead(row) for row in rows])

    def _dead(self, row: asyncpg.Record) -> Dead:
        parcel: Parcel | None = None
        with suppress(SealBrokenError):
            parcel = self._open(row)
        return Dead(
            name=row["name"],
            account_id=AccountId(row["subject"]),
            channel=None if parcel is None else parcel.channel.kind.value,
            kind=None if parcel is None else parcel.notice.kind,
            fault=row["fault"] or "",
            attempts=row["attempts"],
            at=row["ended_at"].isoformat(),
        )

    async def revive(self, *, now: datetime) -> int:
        """Try all dead messages again; return how many."""
        return _count(await self._execute(_REVIVE, now))

    async def counted(self) -> tuple[tuple[str, int, int, float], ...]:
        """Return of each carrier what waits, what is dead, and the age of the oldest (seconds)."""
        rows = await self._database.read(lambda db: db.fetch(_COUNT))
        return tuple(
            [
                (row["carrier"], row["waiting"], row["dead"], float(row["oldest"] or 0))
                for row in rows
            ]
        )

    async def forget(self, *, now: datetime, most: int) -> int:
        """Forget what is over, ``most`` messages in one statement; return how many.

        All of it: a carrier may take more in an hour than one statement. What is dead goes later.
        """
        done, before = most, (now - KEPT, now - DEAD_KEPT)
        forgotten = 0
        while done == most:
            done = _count(await self._execute(_FORGET, *before, most))
            forgotten += done
        return forgotten

    # --- Customers ---

    async def inbox(self, account_id: AccountId) -> tuple[tuple[str, Notice], ...]:
        """Return the newest notices of an account, each with its serial. Raises SealBrokenError."""
        rows = await self._database.read(lambda db: db.fetch(_INBOX, account_id, INBOX_MOST))
        if not rows:
            return ()
        key = self._sealer.open_subject_key(account_id, rows[0]["wrapped"])
        return tuple(
            [
                (
                    row["serial"],
                    codec.unseal(key, row["box"], codec.NOTICE, codec.letter_place(row["serial"])),
                )
                for row in rows
            ]
        )

    # --- All ---

    def _open(self, row: asyncpg.Record) -> Parcel:
        key = self._sealer.open_subject_key(row["subject"], row["wrapped"])
        return codec.unseal(key, row["box"], PARCEL, parcel_place(row["name"]))

    async def _execute(self, statement: str, *arguments: object) -> str:
        done: str = await self._database.read(lambda db: db.execute(statement, *arguments))
        return done


def parcel_place(name: str) -> codec.Place:
    """Return the place of a message, by its name."""
    return codec.Place(kind=KIND, row_id=name, version=1)


def sealed_parcel(key: SubjectKey, name: str, parcel: Parcel, *, entropy: Entropy) -> bytes:
    """Return ``parcel`` as a sealed box for its row."""
    return codec.seal(key, parcel, parcel_place(name), entropy=entropy)


def _count(done: str) -> int:
    return int(done.rpartition(" ")[2])
