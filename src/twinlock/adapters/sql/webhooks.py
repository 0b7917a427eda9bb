"""Endpoints in the database, and the log as they are told of it.

An endpoint's document is a sealed box under a key of its own: whoever can write to the database
can neither add an endpoint, nor read a URL or a secret, nor lead messages elsewhere. How far an
endpoint has come stands in clear; whoever changes it can repeat messages or leave some out.

Always true (tests/integration/test_webhooks_shelf.py): of several processes one at a time sends to
an endpoint, as long as its claim lasts; what a process knows is kept only while its claim is the
one that stands; an endpoint begins at the end of the log.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

import asyncpg
import msgspec

from twinlock.adapters.sql import codec
from twinlock.adapters.sql.erasure_marks import Gone, Mark
from twinlock.adapters.sql.followers import Followers, Kind, health_of
from twinlock.adapters.sql.store import SqlStore
from twinlock.domain.errors import LogDamagedError, SealBrokenError
from twinlock.domain.log.merkle import leaf_hash
from twinlock.domain.log_keys import is_log_key
from twinlock.domain.officers.platform import read_leaf
from twinlock.domain.webhooks.endpoints import (
    PAUSE_LONGEST,
    RETRY_LONGEST,
    ClaimedWebhook,
    Endpoint,
    Fault,
    KeptWebhook,
    Progress,
    Retry,
    WebhookId,
    WebhookUnknownError,
)
from twinlock.domain.webhooks.outcomes import LogEntry, is_desks
from twinlock.ports import (
    Entropy,
)

# A turn of three seconds, a slow attempt of either kind after it, and room to save what that came
# to. So long nobody sends to an endpoint whose process was killed.
CLAIM = timedelta(seconds=30)
KIND = "webhook"
ENDPOINT = msgspec.json.Decoder(Endpoint)

_ADD = """
WITH key AS (
  INSERT INTO subject_key (subject, wrapped) VALUES ($1, $2) RETURNING subject
)
INSERT INTO webhook (id, version, box, position)
SELECT key.subject, 1, $3, h.size FROM key, head h WHERE h.cell = 1
"""
_COLUMNS = """
w.id, w.version, w.box, w.position, w.failures, w.failing_since, w.paused_until, w.disabled,
       (SELECT count(*) FROM webhook_retry r WHERE r.webhook_id = w.id AND r.due_at IS NOT NULL)
         AS retries,
       (SELECT count(*) FROM webhook_retry r WHERE r.webhook_id = w.id AND r.due_at IS NULL)
         AS dead, k.wrapped
"""
_LIST = f"""
SELECT {_COLUMNS} FROM webhook w JOIN subject_key k ON k.subject = w.id
"""  # noqa: S608 - our own constant
_READ = f"{_LIST} WHERE w.id = $1"

# A change of what is sealed ends every claim: whoever sends by the older one starts anew.
_REPLACE = """
UPDATE webhook SET version = version + 1, box = $3, claimed_until = NULL
 WHERE id = $1 AND version = $2
"""
_REMOVE = "DELETE FROM webhook WHERE id = $1"
_ENABLE = """
UPDATE webhook SET failures = 0, failing_since = NULL, paused_until = NULL, disabled = NULL,
       claimed_until = NULL
 WHERE id = $1
"""
_SEND_AGAIN = """
UPDATE webhook SET position = least(position, $2), claimed_until = NULL WHERE id = $1
"""
_REVIVE = """
UPDATE webhook_retry SET attempts = 0, due_at = $2 WHERE webhook_id = $1 AND due_at IS NULL
"""

# Claims endpoints that have something to be sent and that nobody is sending to. The size of the log
# only says that there is something; what it is, is read from the checked log. An instant that lies
# further ahead than any that we write was written before a clock was set back: it has come.
_CLAIM = f"""
WITH free AS (
  SELECT w.id FROM webhook w
   WHERE w.disabled IS NULL AND w.id <> ALL($2::text[])
     AND (w.claimed_until IS NULL OR w.claimed_until < clock_timestamp()
          OR w.claimed_until > clock_timestamp() + $4::interval)
     AND ((w.position < (SELECT size FROM head WHERE cell = 1)
           AND (w.paused_until IS NULL OR w.paused_until <= $1 OR w.paused_until > $5))
          OR EXISTS (SELECT FROM webhook_retry r
                      WHERE r.webhook_id = w.id AND (r.due_at <= $1 OR r.due_at > $6)))
   ORDER BY w.id LIMIT $3 FOR UPDATE OF w SKIP LOCKED
)
UPDATE webhook w SET claimed_until = clock_timestamp() + $4::interval
  FROM free, subject_key k WHERE w.id = free.id AND k.subject = w.id
RETURNING {_COLUMNS}, w.claimed_until
"""  # noqa: S608 - our own constant

# Everything that a turn came to, if the claim is still the one that was given.
_SAVE = """
WITH mine AS (
  UPDATE webhook SET position = $3, failures = $4, failing_since = $5, paused_until = $6,
         disabled = $7, claimed_until = CASE WHEN $8 THEN NULL ELSE claimed_until END
   WHERE id = $1 AND claimed_until = $2
  RETURNING id
), tried AS (
  INSERT INTO webhook_retry AS old (webhook_id, leaf_index, attempts, due_at, fault)
  SELECT mine.id, t.* FROM mine,
         unnest($9::bigint[], $10::smallint[], $11::timestamptz[], $12::text[]) t
  ON CONFLICT (webhook_id, leaf_index) DO UPDATE
    SET attempts = EXCLUDED.attempts, due_at = EXCLUDED.due_at, fault = EXCLUDED.fault
), settled AS (
  DELETE FROM webhook_retry r USING mine
   WHERE r.webhook_id = mine.id AND r.leaf_index = ANY($13::bigint[])
)
SELECT count(*) FROM mine
"""
_DUE = """
SELECT leaf_index, attempts, due_at, fault FROM webhook_retry
 WHERE webhook_id = $1 AND (due_at <= $2 OR due_at > $4) ORDER BY due_at, leaf_index LIMIT $3
"""

# What is kept of a range of entries; of an erased person's there is a mark and nothing else.
_READ_EVENTS = """
SELECT i.leaf_index, e.subject, e.number, e.box, k.wrapped, m.mac AS mark, g.subject AS gone,
       g.entries AS gone_entries, g.salt AS gone_salt, g.mac AS gone_mac
  FROM generate_series($1::bigint, $2::bigint - 1) AS i (leaf_index)
  LEFT JOIN event e ON e.leaf_index = i.leaf_index
  LEFT JOIN subject_key k ON k.subject = e.subject
  LEFT JOIN erased_entry m ON m.leaf_index = i.leaf_index
  LEFT JOIN erased g ON g.leaf_index = i.leaf_index
 ORDER BY i.leaf_index
"""


_KIND = Kind(box=KIND, word="webhook", find=_READ, decoder=ENDPOINT, unknown=WebhookUnknownError)


def _by_age(kept: Iterable[KeptWebhook]) -> tuple[KeptWebhook, ...]:
    return tuple(sorted(kept, key=lambda one: (one.endpoint.added_at, one.endpoint.webhook_id)))


class SqlWebhooks:
    """Endpoints over the store's connections. Implements ``ports.WebhookShelf``."""

    def __init__(self, store: SqlStore, *, entropy: Entropy) -> None:
        self._store = store
        self._database = store.database
        self._sealer = store.sealer
        self._rows = Followers(store, entropy=entropy, kind=_KIND)

    @property
    def unopened(self) -> int:
        """How often one was claimed that could not be opened."""
        return self._rows.unopened

    # --- Endpoints ---

    async def add(self, endpoint: Endpoint) -> None:
        """Keep a new endpoint; it is told of what is decided from now on."""
        wrapped, box = self._rows.begin(endpoint.webhook_id, endpoint)
        await self._rows.change(_ADD, endpoint.webhook_id, wrapped, box)

    async def listed(self) -> tuple[tuple[KeptWebhook, ...], tuple[WebhookId, ...]]:
        """Return the endpoints that open, the oldest first, and the names of those that do not.

        Prevents: one endpoint that somebody changed, by which nobody is told anything.
        """
        kept, broken = list[KeptWebhook](), list[WebhookId]()
        for row in await self._database.read(lambda db: db.fetch(_LIST)):
            try:
                kept.append(self._opened(row))
            except SealBrokenError:
                broken.append(WebhookId(row["id"]))
        return _by_age(kept), tuple(sorted(broken))

    async def read(self, webhook_id: WebhookId) -> KeptWebhook:
        """Return an endpoint. Raises WebhookUnknownError."""
        return self._opened(await self._rows.row(webhook_id))

    async def replace(self, endpoint: Endpoint, *, version: int) -> None:
        """Keep ``endpoint`` in place of what was read at ``version``.

        Raises:
            WebhookUnknownError: it is gone, or was replaced meanwhile.
        """
        box = await self._rows.next_box(endpoint.webhook_id, endpoint, version=version)
        await self._rows.change(_REPLACE, endpoint.webhook_id, version, box)

    async def has_desk(self) -> bool:
        """Say whether an endpoint hears of duress that is told at all."""
        known, _ = await self.listed()
        return any(is_desks(one.endpoint.patterns) and not one.health.disabled for one in known)

    async def remove(self, webhook_id: WebhookId) -> None:
        """Forget an endpoint and all that waits for it. Raises WebhookUnknownError."""
        await self._rows.change(_REMOVE, webhook_id)

    async def enable(self, webhook_id: WebhookId) -> None:
        """Go on where it stands, as if nothing had failed. Raises WebhookUnknownError."""
        await self._rows.change(_ENABLE, webhook_id)

    async def send_again(self, webhook_id: WebhookId, *, start: int) -> None:
        """Go back to entry ``start``, if it lies before. Raises WebhookUnknownError."""
        await self._rows.change(_SEND_AGAIN, webhook_id, start)

    async def revive(self, webhook_id: WebhookId, *, now: datetime) -> int:
        """Try what is dead again from ``now``; return how many. Raises WebhookUnknownError."""
        await self._rows.row(webhook_id)
        return await self._rows.changed(_REVIVE, webhook_id, now)

    def _opened(self, row: asyncpg.Record) -> KeptWebhook:
        return KeptWebhook(
            endpoint=self._rows.opened(row),
            version=row["version"],
            position=row["position"],
            health=health_of(row),
            retries=row["retries"],
            dead=row["dead"],
        )

    # --- Sending ---

    async def claim(
        self, *, now: datetime, apart: Iterable[WebhookId], most: int
    ) -> tuple[ClaimedWebhook, ...]:
        """Return up to ``most`` endpoints that have something to be sent at ``now``."""
        beyond = now + PAUSE_LONGEST, now + RETRY_LONGEST
        rows = await self._database.read(
            lambda db: db.fetch(_CLAIM, now, list(apart), most, CLAIM, *beyond)
        )
        return tuple(
            ClaimedWebhook(kept=kept, claim=claim)
            for kept, claim in self._rows.claimed(rows, self._opened)
        )

    async def save(self, claimed: ClaimedWebhook, progress: Progress, *, done: bool) -> bool:
        """Keep how far sending has come, if the claim is ours; say whether it is."""
        health, tried = progress.health, progress.tried
        count: int = await self._database.read(
            lambda db: db.fetchval(
                _SAVE,
                claimed.kept.endpoint.webhook_id,
                claimed.claim,
                progress.position,
                health.failures,
                health.failing_since,
                health.paused_until,
                health.disabled,
                done,
                [one.index for one in tried],
                [one.attempts for one in tried],
                [one.due_at for one in tried],
                [one.fault for one in tried],
                list(progress.settled),
            )
        )
        return count == 1

    async def due(self, claimed: ClaimedWebhook, *, now: datetime, most: int) -> tuple[Retry, ...]:
        """Return up to ``most`` messages that are to be tried again at ``now``."""
        webhook_id = claimed.kept.endpoint.webhook_id
        rows = await self._database.read(
            lambda db: db.fetch(_DUE, webhook_id, now, most, now + RETRY_LONGEST)
        )
        return tuple(
            Retry(
                index=row["leaf_index"],
                attempts=row["attempts"],
                due_at=row["due_at"],
                fault=Fault(row["fault"]),
            )
            for row in rows
        )

    # --- The log ---

    async def size(self) -> int:
        """Return how many entries the log has. Raises LogDamagedError."""
        return (await self._store.head()).size

    async def entries(self, *, start: int, count: int) -> tuple[LogEntry, ...]:
        """Return the committed entries from index ``start``, at most ``count``.

        Raises:
            LogDamagedError, SealBrokenError: one is not what was written.
        """
        end = min(start + count, await self.size())
        if start >= end:
            return ()
        leaves = await self._store.leaves(start=start, count=end - start)
        rows = await self._database.read(lambda db: db.fetch(_READ_EVENTS, start, end))
        if len(rows) != len(leaves):
            raise LogDamagedError("an entry that the log counts once is there twice")
        return tuple(self._entry(row, leaf) for row, leaf in zip(rows, leaves, strict=True))

    def _entry(self, row: asyncpg.Record, leaf: bytes) -> LogEntry:
        index, subject = row["leaf_index"], row["subject"]
        if subject is None:
            return LogEntry(index=index, account_id=self._gone(row, leaf), leaf=leaf, kept=None)
        if row["wrapped"] is None:
            raise LogDamagedError("the key of an account is gone, and nobody erased it")
        key = self._sealer.open_subject_key(subject, row["wrapped"])
        place = codec.Place(kind="event", row_id=subject, version=row["number"])
        kept = codec.unseal(key, row["box"], codec.KEPT, place)
        return LogEntry(index=index, account_id=subject, leaf=leaf, kept=kept)

    def _gone(self, row: asyncpg.Record, leaf: bytes) -> str:
        """Return the account that this leaf says is erased, or "" for any leaf that is nobody's.

        Raises:
            LogDamagedError: its entry was removed, or it says nothing of that account.
            SealBrokenError: somebody else marked it.
        """
        if is_log_key(leaf) or read_leaf(leaf) is not None:
            return ""
        if row["mark"] is None:
            raise LogDamagedError("an entry that the log counts is gone")
        Mark(row["leaf_index"], leaf_hash(leaf)).check(self._sealer, row["mark"])
        if row["gone"] is None:
            return ""
        gone = Gone(row["leaf_index"], row["gone"], row["gone_entries"], row["gone_salt"])
        gone.check(self._sealer, row["gone_mac"], leaf)
        return gone.subject
