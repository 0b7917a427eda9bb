"""Streams of signals to others, their subjects and what waits for them, in the database.

A stream's document, each subject and each token are sealed boxes under the stream's own key:
whoever can write to the database can neither have a receiver told of an account that it did not
add, nor lead tokens elsewhere, nor read them. How far a stream has come, and whether it is paused,
stands in clear; whoever changes that can repeat tokens or leave some out.

Always true (tests/integration/test_told_sending.py): tokens and the position behind them are
kept in one transaction, under the claim; what waits about an account goes with the account's key.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

import asyncpg
import msgspec
from msgspec.structs import replace

from twinlock.adapters.boxes import SubjectKey
from twinlock.adapters.sql import codec
from twinlock.adapters.sql.followers import Followers, Kind, count_of, health_of
from twinlock.adapters.sql.store import SqlStore
from twinlock.adapters.sql.webhooks import SqlWebhooks
from twinlock.domain.bounds import TOLD_DEAD_MOST, TOLD_WAITING_MOST
from twinlock.domain.ids import AccountId
from twinlock.domain.transmitting.streams import (
    Attempted,
    ClaimedStream,
    Followed,
    KeptStream,
    Method,
    Queued,
    ReceiverId,
    StreamId,
    StreamStatus,
    ToldStream,
    ToldStreamUnknownError,
    Waiting,
)
from twinlock.domain.webhooks.endpoints import PAUSE_LONGEST, RETRY_LONGEST, Health
from twinlock.domain.webhooks.outcomes import LogEntry
from twinlock.ports import Entropy

# A turn of three seconds, a slow attempt after it, and room to save what that came to.
CLAIM = timedelta(seconds=30)
STREAM, SUBJECT, TOKEN = "told_stream", "told_subject", "told_token"  # kinds of boxes
TOLD = msgspec.json.Decoder(ToldStream)
FOLLOWED = msgspec.json.Decoder(Followed)
WAITING = msgspec.json.Decoder(Waiting)

# Of one receiver one stream at a time is made, so that no two of them are both the last one.
_ONE_BY_ONE = "SELECT pg_advisory_xact_lock(7463002, hashtext($1))"
_ADD = """
WITH key AS (
  INSERT INTO subject_key (subject, wrapped)
  SELECT $1, $2 WHERE (SELECT count(*) FROM told_stream s WHERE s.receiver = $4) < $6
  RETURNING subject
)
INSERT INTO told_stream (id, receiver, pushed, version, box, position)
SELECT key.subject, $4, $5, 1, $3, h.size FROM key, head h WHERE h.cell = 1
"""
_COLUMNS = """
s.id, s.version, s.box, s.status, s.reason, s.position, s.failures, s.failing_since,
       s.paused_until, s.disabled,
       (SELECT count(*) FROM told_token t WHERE t.stream_id = s.id AND t.due_at IS NOT NULL)
         AS waiting,
       (SELECT count(*) FROM told_token t WHERE t.stream_id = s.id AND t.due_at IS NULL) AS dead,
       (SELECT count(*) FROM told_subject j WHERE j.stream_id = s.id) AS subjects, k.wrapped
"""
_LIST = f"""
SELECT {_COLUMNS} FROM told_stream s JOIN subject_key k ON k.subject = s.id
 WHERE $1::text IS NULL OR s.receiver = $1
"""  # noqa: S608 - our own constant
_READ = f"""
SELECT {_COLUMNS} FROM told_stream s JOIN subject_key k ON k.subject = s.id WHERE s.id = $1
"""  # noqa: S608 - our own constant
# A change of what is sealed ends every claim, and what failed at another place failed there.
_REPLACE = """
UPDATE told_stream SET version = version + 1, box = $3, pushed = $4, claimed_until = NULL,
       failures = 0, failing_since = NULL, paused_until = NULL, disabled = NULL
 WHERE id = $1 AND version = $2
"""
# Its key goes with it, by a trigger.
_REMOVE = "DELETE FROM told_stream WHERE id = $1"
_REMOVE_OF = "DELETE FROM told_stream WHERE receiver = $1"

# A disabled stream keeps nothing (SSF, 8.1.2): it begins anew at the end of the log, so that of who
# was erased it is never told, and knows no more. To enable a stream is also to try again where
# pushes failed for days.
_SET_STATUS = """
WITH changed AS (
  UPDATE told_stream s SET reason = $3, status = $2, claimed_until = NULL,
         failures = 0, failing_since = NULL, paused_until = NULL, disabled = NULL,
         position = CASE WHEN 'disabled' IN (s.status, $2) THEN h.size ELSE s.position END
    FROM head h WHERE h.cell = 1 AND s.id = $1
  RETURNING s.id
), gone AS (
  DELETE FROM told_token t USING changed WHERE t.stream_id = changed.id AND $2 = 'disabled'
)
DELETE FROM told_subject j USING changed
 WHERE j.stream_id = changed.id AND $2 = 'disabled'
   AND NOT EXISTS (SELECT FROM subject_key k WHERE k.subject = j.subject)
"""
# Before what forgets tokens, in a statement of its own: it waits for whoever is keeping some, or
# takes the stream away, and what comes after it sees that.
_HOLD = "SELECT id FROM told_stream WHERE id = $1 FOR UPDATE"
_ADD_SUBJECT = """
INSERT INTO told_subject (stream_id, subject, box, added_at)
SELECT $1, k.subject, $3, $4 FROM subject_key k WHERE k.subject = $2
ON CONFLICT (stream_id, subject) DO NOTHING
"""
_REMOVE_SUBJECT = """
WITH gone AS (DELETE FROM told_subject WHERE stream_id = $1 AND subject = $2)
DELETE FROM told_token WHERE stream_id = $1 AND subject = $2
"""
_SUBJECTS = """
SELECT subject, box FROM told_subject WHERE stream_id = $1 AND subject = ANY($2::text[])
"""
# Of two processes that are asked at once one has the earlier clock: what is a little ahead was just
# now. What is further ahead was written before a clock was set back, and keeps nobody waiting.
_VERIFY = """
WITH changed AS (
  UPDATE told_stream SET verified_at = $5
   WHERE id = $1 AND (verified_at IS NULL OR verified_at <= $4
                       OR verified_at > $5::timestamptz + ($5::timestamptz - $4::timestamptz))
     AND (SELECT count(*) FROM told_token t WHERE t.stream_id = $1 AND t.due_at IS NOT NULL) < $6
  RETURNING id
)
INSERT INTO told_token (stream_id, subject, jti, box, due_at)
SELECT id, id, $2, $3, $5 FROM changed
"""
_TAKE = """
DELETE FROM told_token WHERE stream_id = $1 AND jti = ANY($2::text[])
"""
_REFUSE = """
UPDATE told_token t SET due_at = NULL, fault = r.fault
  FROM unnest($2::text[], $3::text[]) r (jti, fault) WHERE t.stream_id = $1 AND t.jti = r.jti
"""
# Behind what made some dead: a receiver that takes nothing keeps no more rows than these.
_FORGET_DEAD = """
DELETE FROM told_token t USING (
  SELECT id FROM told_token WHERE stream_id = $1 AND due_at IS NULL ORDER BY id DESC OFFSET $2
) old WHERE t.id = old.id
"""
_WAITING = """
SELECT jti, box FROM told_token WHERE stream_id = $1 AND due_at IS NOT NULL ORDER BY id LIMIT $2
"""

# Claims streams that the log has something new for and that have room for it, or of which something
# is to be pushed. An instant further ahead than any that we write was written before a clock was
# set back: it has come.
_CLAIM = f"""
WITH free AS (
  SELECT s.id FROM told_stream s
   WHERE s.status <> 'disabled' AND s.id <> ALL($2::text[])
     AND (s.claimed_until IS NULL OR s.claimed_until < clock_timestamp()
          OR s.claimed_until > clock_timestamp() + $4::interval)
     AND ((s.position < (SELECT size FROM head WHERE cell = 1)
           AND (SELECT count(*) FROM told_token t
                 WHERE t.stream_id = s.id AND t.due_at IS NOT NULL) < {TOLD_WAITING_MOST})
          OR (s.pushed AND s.status = 'enabled' AND s.disabled IS NULL
              AND (s.paused_until IS NULL OR s.paused_until <= $1 OR s.paused_until > $5)
              AND EXISTS (SELECT FROM told_token t WHERE t.stream_id = s.id
                           AND (t.due_at <= $1 OR t.due_at > $6))))
   ORDER BY s.id LIMIT $3 FOR UPDATE OF s SKIP LOCKED
)
UPDATE told_stream s SET claimed_until = clock_timestamp() + $4::interval
  FROM free, subject_key k WHERE s.id = free.id AND k.subject = s.id
RETURNING {_COLUMNS}, s.claimed_until
"""  # noqa: S608 - our own constants

# What an account's end took away meanwhile is not kept; of those who were erased nothing stays.
_QUEUE = """
WITH mine AS (
  UPDATE told_stream SET position = $3 WHERE id = $1 AND claimed_until = $2 RETURNING id
), gone AS (
  DELETE FROM told_subject j USING mine WHERE j.stream_id = mine.id AND j.subject = ANY($4::text[])
), kept AS (
  INSERT INTO told_token (stream_id, subject, jti, box, due_at)
  SELECT mine.id, k.subject, t.jti, t.box, $8
    FROM mine, unnest($5::text[], $6::text[], $7::bytea[]) WITH ORDINALITY t (subject, jti, box, n)
    JOIN subject_key k ON k.subject = t.subject ORDER BY t.n
  ON CONFLICT (jti) DO NOTHING
)
SELECT count(*) FROM mine
"""
_DUE = """
SELECT jti, box, attempts FROM told_token
 WHERE stream_id = $1 AND (due_at <= $2 OR due_at > $4) ORDER BY id LIMIT $3
"""
_SETTLE = """
WITH mine AS (
  UPDATE told_stream SET failures = $3, failing_since = $4, paused_until = $5, disabled = $6,
         claimed_until = CASE WHEN $7 THEN NULL ELSE claimed_until END
   WHERE id = $1 AND claimed_until = $2
  RETURNING id
), sent AS (
  DELETE FROM told_token t USING mine WHERE t.stream_id = mine.id AND t.jti = ANY($8::text[])
), tried AS (
  UPDATE told_token t SET attempts = r.attempts, due_at = r.due_at, fault = r.fault
    FROM mine, unnest($9::text[], $10::smallint[], $11::timestamptz[], $12::text[])
           r (jti, attempts, due_at, fault)
   WHERE t.stream_id = mine.id AND t.jti = r.jti
)
SELECT count(*) FROM mine
"""


_KIND = Kind(box=STREAM, word="stream", find=_READ, decoder=TOLD, unknown=ToldStreamUnknownError)


class SqlToldStreams:
    """Streams over the store's connections. Implements ``ports.StreamShelf``."""

    def __init__(self, store: SqlStore, *, entropy: Entropy) -> None:
        self._database = store.database
        self._entropy = entropy
        self._log = SqlWebhooks(store, entropy=entropy)
        self._rows = Followers(store, entropy=entropy, kind=_KIND)

    @property
    def unopened(self) -> int:
        """How often one was claimed that could not be opened."""
        return self._rows.unopened

    # --- Streams ---

    async def add(self, stream: ToldStream, *, most: int) -> bool:
        """Keep a new stream (see the port)."""
        named = stream.stream_id
        wrapped, box = self._rows.begin(named, stream)
        pushed = stream.method is Method.PUSH
        values = (named, wrapped, box, stream.receiver_id, pushed, most)

        async def work(db: asyncpg.Connection) -> str:
            async with db.transaction():
                await db.execute(_ONE_BY_ONE, stream.receiver_id)
                done: str = await db.execute(_ADD, *values)
                return done

        return count_of(await self._database.read(work)) > 0

    async def listed(self, receiver_id: ReceiverId | None) -> tuple[KeptStream, ...]:
        """Return the streams of a receiver, or all of them, the oldest first."""
        rows = await self._database.read(lambda db: db.fetch(_LIST, receiver_id))
        kept = [self._opened(row) for row in rows]
        return tuple(sorted(kept, key=lambda one: (one.stream.added_at, one.stream.stream_id)))

    async def read(self, stream_id: StreamId) -> KeptStream:
        """Return a stream. Raises ToldStreamUnknownError."""
        return self._opened(await self._rows.row(stream_id))

    async def replace(self, stream: ToldStream, *, version: int) -> None:
        """Keep ``stream`` in place of what was read at ``version``.

        Raises:
            ToldStreamUnknownError: it is gone, or was replaced meanwhile.
        """
        named = stream.stream_id
        box = await self._rows.next_box(named, stream, version=version)
        await self._rows.change(_REPLACE, named, version, box, stream.method is Method.PUSH)

    async def remove(self, stream_id: StreamId) -> None:
        """Forget a stream, its subjects and what waits. Raises ToldStreamUnknownError."""
        await self._rows.change(_REMOVE, stream_id)

    async def remove_of(self, receiver_id: ReceiverId) -> int:
        """Forget all streams of a receiver, also one that does not open; return how many."""
        return await self._rows.changed(_REMOVE_OF, receiver_id)

    async def set_status(self, stream_id: StreamId, status: StreamStatus, *, reason: str) -> None:
        """Change what a stream does; one that was disabled begins at the end of the log.

        Raises:
            ToldStreamUnknownError: there is none.
        """
        await self._held(stream_id, _SET_STATUS, status.value, reason)

    async def _held(self, stream_id: StreamId, sql: str, *arguments: object) -> None:
        """Change a stream, and what hangs on it, beside nobody. Raises ToldStreamUnknownError."""

        async def work(db: asyncpg.Connection) -> None:
            async with db.transaction():
                if await db.fetchval(_HOLD, stream_id) is None:
                    raise ToldStreamUnknownError("no such stream")
                await db.execute(sql, stream_id, *arguments)

        await self._database.read(work)

    def _opened(self, row: asyncpg.Record) -> KeptStream:
        return KeptStream(
            stream=self._rows.opened(row),
            version=row["version"],
            status=StreamStatus(row["status"]),
            reason=row["reason"],
            position=row["position"],
            health=health_of(row),
            waiting=row["waiting"],
            dead=row["dead"],
            subjects=row["subjects"],
        )

    # --- Subjects ---

    async def add_subject(self, stream_id: StreamId, subject: Followed, *, now: datetime) -> None:
        """Tell a stream of an account; of an account that is not known, nothing is kept.

        Raises:
            ToldStreamUnknownError: there is no such stream, or it was taken away just now.
        """
        key, place = await self._rows.key(stream_id), subject_place(stream_id, subject.account)
        since = replace(subject, since=await self._log.size())
        box = codec.seal(key, since, place, entropy=self._entropy)
        await self._held(stream_id, _ADD_SUBJECT, subject.account, box, now)

    async def remove_subject(self, stream_id: StreamId, account: AccountId) -> None:
        """Tell a stream of an account no more; what waits of it is forgotten."""
        await self._held(stream_id, _REMOVE_SUBJECT, account)

    async def subjects(
        self, stream_id: StreamId, accounts: Collection[AccountId]
    ) -> Mapping[AccountId, Followed]:
        """Return those of ``accounts`` that a stream is told of.

        Raises:
            SealBrokenError: somebody else added one.
        """
        rows = await self._database.read(
            lambda db: db.fetch(_SUBJECTS, stream_id, sorted(accounts))
        )
        if not rows:
            return {}
        key = await self._rows.key(stream_id)
        places = ((row, subject_place(stream_id, row["subject"])) for row in rows)
        found = (codec.unseal(key, row["box"], FOLLOWED, place) for row, place in places)
        return {one.account: one for one in found}

    # --- Tokens ---

    async def verify(
        self, stream_id: StreamId, token: Waiting, *, now: datetime, before: datetime
    ) -> bool:
        """Keep a token that says nothing but that it came (see the port)."""
        box = self._sealed(await self._rows.key(stream_id), stream_id, token)
        values = (token.jti, box, before, now, TOLD_WAITING_MOST)
        return await self._rows.changed(_VERIFY, stream_id, *values) > 0

    async def take(
        self, stream_id: StreamId, *, taken: Collection[str], refused: Mapping[str, str], most: int
    ) -> tuple[tuple[Waiting, ...], bool]:
        """Forget what was ``taken``, keep what was ``refused`` as dead, and return what waits."""
        if taken:
            await self._rows.changed(_TAKE, stream_id, list(taken))
        if refused:
            await self._rows.changed(_REFUSE, stream_id, list(refused), list(refused.values()))
            await self._rows.changed(_FORGET_DEAD, stream_id, TOLD_DEAD_MOST)
        if most == 0:
            return (), False
        rows = await self._database.read(lambda db: db.fetch(_WAITING, stream_id, most + 1))
        key = await self._rows.key(stream_id)
        return tuple(self._token(key, stream_id, row) for row in rows[:most]), len(rows) > most

    def _sealed(self, key: SubjectKey, stream_id: StreamId, token: Waiting) -> bytes:
        return codec.seal(key, token, token_place(stream_id, token.jti), entropy=self._entropy)

    def _token(self, key: SubjectKey, stream_id: StreamId, row: asyncpg.Record) -> Waiting:
        return codec.unseal(key, row["box"], WAITING, token_place(stream_id, row["jti"]))

    # --- Sending ---

    async def claim(
        self, *, now: datetime, apart: Iterable[StreamId], most: int
    ) -> tuple[ClaimedStream, ...]:
        """Return streams that have something to be done; nobody else is given one meanwhile."""
        beyond = now + PAUSE_LONGEST, now + RETRY_LONGEST
        rows = await self._database.read(
            lambda db: db.fetch(_CLAIM, now, list(apart), most, CLAIM, *beyond)
        )
        return tuple(
            ClaimedStream(kept=kept, claim=claim)
            for kept, claim in self._rows.claimed(rows, self._opened)
        )

    async def queue(
        self,
        claimed: ClaimedStream,
        tokens: Iterable[Queued],
        *,
        position: int,
        gone: Collection[str],
        now: datetime,
    ) -> bool:
        """Keep tokens, and that the stream was told of all before ``position``: both, or neither.

        Return False, and change nothing, when the claim is not ours any more.
        """
        named, drafts = claimed.kept.stream.stream_id, list(tokens)
        key = await self._rows.key(named) if drafts else None
        boxes = [] if key is None else [self._sealed(key, named, one.waiting) for one in drafts]
        count: int = await self._database.read(
            lambda db: db.fetchval(
                _QUEUE,
                named,
                claimed.claim,
                position,
                list(gone),
                [one.subject for one in drafts],
                [one.waiting.jti for one in drafts],
                boxes,
                now,
            )
        )
        return count == 1

    async def due(
        self, claimed: ClaimedStream, *, now: datetime, most: int
    ) -> tuple[tuple[Waiting, int], ...]:
        """Return tokens to be pushed at ``now``, each with how often it was tried."""
        named = claimed.kept.stream.stream_id
        rows = await self._database.read(
            lambda db: db.fetch(_DUE, named, now, most, now + RETRY_LONGEST)
        )
        key = await self._rows.key(named) if rows else None
        return (
            ()
            if key is None
            else tuple((self._token(key, named, row), row["attempts"]) for row in rows)
        )

    async def settle(
        self,
        claimed: ClaimedStream,
        *,
        health: Health,
        sent: Collection[str],
        tried: Collection[Attempted],
        done: bool,
    ) -> bool:
        """Keep how pushing went; with ``done`` give the claim back. False: it is not ours."""
        count: int = await self._database.read(
            lambda db: db.fetchval(
                _SETTLE,
                claimed.kept.stream.stream_id,
                claimed.claim,
                health.failures,
                health.failing_since,
                health.paused_until,
                health.disabled,
                done,
                list(sent),
                [one.jti for one in tried],
                [one.attempts for one in tried],
                [one.due_at for one in tried],
                [one.fault for one in tried],
            )
        )
        if any(one.due_at is None for one in tried):
            named = claimed.kept.stream.stream_id
            await self._rows.changed(_FORGET_DEAD, named, TOLD_DEAD_MOST)
        return count == 1

    async def entries(self, *, start: int, count: int) -> tuple[LogEntry, ...]:
        """Return the committed entries from index ``start``, at most ``count``.

        Raises:
            LogDamagedError, SealBrokenError: one is not what was written.
        """
        return await self._log.entries(start=start, count=count)


def subject_place(stream_id: str, account: str) -> codec.Place:
    """Return the place of the box that says how a stream follows an account."""
    return codec.Place(kind=SUBJECT, row_id=f"{stream_id} {account}", version=1)


def token_place(stream_id: str, jti: str) -> codec.Place:
    """Return the place of the box of a token that waits."""
    return codec.Place(kind=TOKEN, row_id=f"{stream_id} {jti}", version=1)
