"""Every statement that Twinlock sends, by name. One cell: its number is a constant for now."""

# Locks the streams of a batch in one order, and reads them with their subjects' keys.
LOCK_STREAMS = """
SELECT s.id, s.kind, s.version, s.box, s.subject, k.wrapped
  FROM stream s JOIN subject_key k ON k.subject = s.subject
 WHERE s.id = ANY($1::text[]) ORDER BY s.id FOR UPDATE OF s
"""

# The same, without those that somebody else holds.
LOCK_FREE_STREAMS = f"{LOCK_STREAMS.rstrip()} SKIP LOCKED"

# Which of these streams exist, held by somebody or not.
READ_EXISTING = "SELECT id FROM stream WHERE id = ANY($1::text[])"

# Which of these accounts were erased.
READ_ERASED = "SELECT subject, leaf_index, mac FROM erased WHERE subject = ANY($1::text[])"

# What a batch needs after its locks: the database's time, the log's last time, whether the platform
# is halted, keys used before.
READ_AFTER_LOCKS = """
SELECT clock_timestamp() AS database_at, h.at AS head_at, h.platform, i.scope, i.key, i.digest,
       i.action_id, i.mac
  FROM head h
  LEFT JOIN idempotency i
    ON (i.scope, i.key) IN (SELECT * FROM unnest($1::text[], $2::text[]))
 WHERE h.cell = 1
"""

# What an idempotency key stands for.
READ_KEY = "SELECT digest, action_id, mac FROM idempotency WHERE scope = $1 AND key = $2"

# Locks the end of the log: from here to the commit one writer at a time.
LOCK_HEAD = "SELECT cell, size, edge, at, platform, mac FROM head WHERE cell = 1 FOR UPDATE"

# The rows of the log's right edge.
READ_TILES = """
SELECT level, number, hashes FROM tile
 WHERE cell = 1 AND (level, number) IN (SELECT * FROM unnest($1::smallint[], $2::bigint[]))
"""

# Everything a batch changes. A stream leaves exactly the version it was read at; the count tells.
WRITE = """
WITH keys AS (
  INSERT INTO subject_key (subject, wrapped) SELECT * FROM unnest($1::text[], $2::bytea[])
), streams AS (
  INSERT INTO stream AS old (id, subject, kind, version, box)
  SELECT * FROM unnest($3::text[], $4::text[], $5::text[], $6::bigint[], $7::bytea[])
  ON CONFLICT (id) DO UPDATE SET version = EXCLUDED.version, box = EXCLUDED.box
    WHERE old.version = EXCLUDED.version - 1
  RETURNING 1
), events AS (
  INSERT INTO event (subject, number, leaf_index, box)
  SELECT * FROM unnest($8::text[], $9::bigint[], $10::bigint[], $11::bytea[])
), leaves AS (
  INSERT INTO leaf (cell, leaf_index, label, entry, facts)
  SELECT 1, * FROM unnest($10::bigint[], $12::bytea[], $13::bytea[], $14::bytea[])
), tiles AS (
  INSERT INTO tile (cell, level, number, hashes)
  SELECT 1, * FROM unnest($15::smallint[], $16::bigint[], $17::bytea[])
  ON CONFLICT (cell, level, number) DO UPDATE SET hashes = EXCLUDED.hashes
), letters AS (
  INSERT INTO outbox (subject, serial, box)
  SELECT * FROM unnest($18::text[], $19::text[], $20::bytea[])
), used AS (
  INSERT INTO idempotency (scope, key, digest, action_id, mac, used_at)
  SELECT u.*, $26::timestamptz
    FROM unnest($21::text[], $22::text[], $23::bytea[], $24::text[], $25::bytea[]) u
), heads AS (
  UPDATE head SET size = $27, edge = $28, at = $26, mac = $29 WHERE cell = 1
)
SELECT count(*) AS streams FROM streams
"""

# One stream as it stands, with its subject's key.
READ_STREAM = """
SELECT s.version, s.box, k.wrapped FROM stream s JOIN subject_key k ON k.subject = s.subject
 WHERE s.id = $1 AND s.kind = $2 AND s.subject = $3
"""

# One destination of an account beside the account itself, as they stood at one moment.
READ_DESTINATION = """
SELECT a.version AS account_version, a.box AS account_box, d.version, d.box, k.wrapped
  FROM stream a JOIN subject_key k ON k.subject = a.subject
  LEFT JOIN stream d ON d.id = $2 AND d.kind = 'destination' AND d.subject = a.subject
 WHERE a.id = $1 AND a.kind = 'account' AND a.subject = $1
"""

# One entry of an account, the leaf that stands for it, and that leaf's hash in its tile. Subqueries
# are looked up by key, whatever the planner believes about tables that have just grown.
READ_ENTRY = """
SELECT e.leaf_index, e.box, k.wrapped,
       (SELECT l.entry FROM leaf l WHERE l.cell = 1 AND l.leaf_index = e.leaf_index) AS entry,
       (SELECT substr(t.hashes, (e.leaf_index % 256)::int * 32 + 1, 32) FROM tile t
         WHERE t.cell = 1 AND t.level = 0 AND t.number = e.leaf_index / 256) AS hash
  FROM event e JOIN subject_key k ON k.subject = e.subject
 WHERE e.subject = $1 AND e.number = $2
"""

# The committed end of the log.
READ_HEAD = "SELECT cell, size, edge, at, platform, mac FROM head WHERE cell = 1"

# Entries of the log in order.
READ_LEAVES = """
SELECT entry FROM leaf
 WHERE cell = 1 AND leaf_index >= $1 AND leaf_index < $2 ORDER BY leaf_index
"""

# Claims the next messages after one of them that nobody else is sending. A claim that lasts longer
# than any that we write is of before a clock was set back: it is over.
CLAIM_LETTERS = """
WITH free AS (
  SELECT id FROM outbox
   WHERE id > $1 AND (claimed_until IS NULL OR claimed_until < clock_timestamp()
                      OR claimed_until > clock_timestamp() + $3::interval)
   ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE outbox o SET claimed_until = clock_timestamp() + $3::interval
  FROM free, subject_key k, stream a
 WHERE o.id = free.id AND k.subject = o.subject
   AND a.id = o.subject AND a.subject = o.subject AND a.kind = 'account'
RETURNING o.id, o.subject, o.serial, o.box, k.wrapped, o.claimed_until,
          a.version AS account_version, a.box AS account_box
"""

# Notices that were dealt out: a row for each message comes in their place, and those of $2 can be
# looked up. What another process has taken meanwhile is its own.
DEAL_LETTERS = """
WITH mine AS (
  DELETE FROM outbox o USING unnest($1::bigint[], $2::boolean[]) AS m (id, shown)
   WHERE o.id = m.id RETURNING o.id, o.subject, o.serial, o.box, m.shown
), shown AS (
  INSERT INTO inbox (subject, serial, box)
  SELECT subject, serial, box FROM mine WHERE shown ORDER BY id
  ON CONFLICT (serial) DO NOTHING RETURNING subject
), dealt AS (
  INSERT INTO delivery (subject, name, lane, carrier, rank, owes, box)
  SELECT mine.subject, d.name, d.lane, d.carrier, d.rank, d.owes, d.box
    FROM unnest($3::bigint[], $4::text[], $5::text[], $6::text[], $7::smallint[], $8::boolean[],
                $9::bytea[]) WITH ORDINALITY
      AS d (letter, name, lane, carrier, rank, owes, box, place)
    JOIN mine ON mine.id = d.letter ORDER BY d.place
  ON CONFLICT (name) DO NOTHING
)
SELECT DISTINCT subject FROM shown
"""

# Of each of these accounts all notices but the newest.
PRUNE_INBOX = """
DELETE FROM inbox i USING unnest($1::text[]) AS of (subject)
 WHERE i.subject = of.subject AND i.id <= (
   SELECT n.id FROM inbox n WHERE n.subject = of.subject ORDER BY n.id DESC OFFSET $2 LIMIT 1)
"""

# Gives back messages that were claimed and not handed on, unless somebody else has claimed them.
RELEASE_LETTERS = """
UPDATE outbox o SET claimed_until = NULL
  FROM unnest($1::bigint[], $2::timestamptz[]) AS mine (id, claimed_until)
 WHERE o.id = mine.id AND o.claimed_until = mine.claimed_until
"""

# Idempotency keys older than any caller may repeat, so many at once; the number says whether more
# are left.
FORGET_KEYS = """
WITH forgotten AS (
  DELETE FROM idempotency
   WHERE ctid = ANY(ARRAY(SELECT ctid FROM idempotency WHERE used_at < $1 LIMIT $2)) RETURNING 1
)
SELECT count(*) FROM forgotten
"""

# Whether the database answers.
PING = "SELECT 1"

# Platform keys.
ADD_PLATFORM_KEY = """
INSERT INTO platform_key (id, mac, scopes, networks, created_at, expires_at, signed_by)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
READ_PLATFORM_KEY = """
SELECT k.id, k.mac, k.scopes, k.networks, k.created_at, k.expires_at, k.signed_by, r.revoked_at
  FROM platform_key k LEFT JOIN platform_key_revoked r ON r.id = k.id WHERE k.id = $1
"""
# The youngest first; of two of one age the order is the same each time.
LIST_PLATFORM_KEYS = """
SELECT k.id, k.mac, k.scopes, k.networks, k.created_at, k.expires_at, k.signed_by, r.revoked_at
  FROM platform_key k LEFT JOIN platform_key_revoked r ON r.id = k.id
 ORDER BY k.created_at DESC, k.id COLLATE "C" LIMIT $1
"""
# One that was revoked before keeps its time.
REVOKE_PLATFORM_KEY = """
WITH key AS (
  SELECT id FROM platform_key WHERE id = $1
), revoked AS (
  INSERT INTO platform_key_revoked (id, revoked_at) SELECT id, $2 FROM key
  ON CONFLICT (id) DO NOTHING
)
SELECT id FROM key
"""

# Keeps the nonce of a signed request; no row comes back for one that is kept already.
USE_NONCE = """
INSERT INTO message_nonce (key_id, nonce, until) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING RETURNING 1
"""
# Nonces of requests that nobody can repeat any more, so many at once.
FORGET_NONCES = """
DELETE FROM message_nonce
 WHERE ctid = ANY(ARRAY(SELECT ctid FROM message_nonce WHERE until < $1 LIMIT $2))
"""

# At how many accounts a destination was wanted: blind names on both sides.
COUNT_SIGHTINGS = """
SELECT count(*) FROM (
    SELECT FROM sighting WHERE place = $1 AND by <> $2 AND seen_at > $3 LIMIT $4
) AS found
"""
NOTE_SIGHTING = """
INSERT INTO sighting (place, by, seen_at)
SELECT $1, $2, $3
 WHERE (SELECT count(*) FROM (
            SELECT FROM sighting WHERE place = $1 AND seen_at > $4 LIMIT $5
        ) AS found) < $5
    ON CONFLICT (place, by) DO UPDATE SET seen_at = excluded.seen_at
"""
# What is seen anew at this moment stays: it is looked at once more when its row is free.
FORGET_SIGHTINGS = """
WITH old AS (SELECT place, by FROM sighting WHERE seen_at <= $1 LIMIT $2),
     gone AS (DELETE FROM sighting s USING old
               WHERE s.place = old.place AND s.by = old.by AND s.seen_at <= $1 RETURNING 1)
SELECT count(*) FROM gone
"""

# The policy versions that decided here.
KEEP_POLICY = "INSERT INTO policy (digest, body) VALUES ($1, $2) ON CONFLICT DO NOTHING"
READ_POLICY = "SELECT body FROM policy WHERE digest = $1"
# By the database's clock, which all processes share; it may have been set back since.
SERVE_POLICY = """
UPDATE policy p SET served_at = greatest(clock_timestamp(), o.last + interval '1 microsecond')
  FROM (SELECT max(served_at) AS last FROM policy) o WHERE p.digest = $1
"""
READ_SERVED_POLICY = """
SELECT digest FROM policy WHERE served_at IS NOT NULL
 ORDER BY served_at DESC, digest COLLATE "C" LIMIT 1
"""
LIST_POLICIES = 'SELECT digest FROM policy ORDER BY digest COLLATE "C"'

# Which keyring and log this database belongs to.
READ_INSTALLATION = "SELECT fingerprint, log_origin FROM installation"
CLAIM_INSTALLATION = """
INSERT INTO installation (fingerprint, log_origin) VALUES ($1, $2) ON CONFLICT DO NOTHING
"""

# Whether this role may do more with what happened than add to it.
MAY_REWRITE = """
SELECT bool_or(has_table_privilege(kept, 'UPDATE, DELETE, TRUNCATE'))
FROM unnest(ARRAY['leaf', 'event']) AS kept
"""

# Addresses of channels that were named under an index key.
COUNT_CONTACTS = "SELECT count(*) FROM contact WHERE substr(name, 1, 8) = $1"

# What stands under one seal key. An endpoint that was removed leaves its key behind.
COUNT_SEALED = """
WITH keys AS (
  SELECT EXISTS (SELECT FROM erased g WHERE g.subject = k.subject)
           OR NOT starts_with(k.subject, 'wh_') AND NOT starts_with(k.subject, 'ssf_')
          AND NOT EXISTS (SELECT FROM stream a WHERE a.id = k.subject AND a.kind = 'account')
              AS unowned
    FROM subject_key k WHERE substr(wrapped, 1, 8) = $1
)
SELECT (SELECT count(*) FROM keys WHERE NOT unowned) AS subjects,
       (SELECT count(*) FROM keys WHERE unowned) AS unowned,
       (SELECT count(*) FROM idempotency WHERE substr(mac, 1, 8) = $1) AS idempotency,
       (SELECT count(*) FROM head WHERE substr(mac, 1, 8) = $1) AS heads,
       (SELECT count(*) FROM erased WHERE substr(mac, 1, 8) = $1)
         + (SELECT count(*) FROM erased_entry WHERE substr(mac, 1, 8) = $1) AS erased
"""

# Platform keys whose MAC is under one key, and that open something still.
COUNT_PLATFORM_KEYS = """
SELECT count(*) FROM platform_key k
 WHERE substr(mac, 1, 8) = $1 AND expires_at > $2
   AND NOT EXISTS (SELECT FROM platform_key_revoked r WHERE r.id = k.id)
"""

# Whatever bears, or will bear, a name that an index key made.
READ_NAMED = """
SELECT s.id, s.subject, s.kind, s.version, s.box, k.wrapped
  FROM stream s JOIN subject_key k ON k.subject = s.subject
 WHERE s.id > $1 AND s.kind IN ('account', 'destination') ORDER BY s.id LIMIT $2
"""

# For one transaction that counts whole tables (ms).
TAKE_TIME = "SET LOCAL statement_timeout = 600000"

# Which seal key the head is under.
READ_HEAD_MAC = "SELECT mac FROM head WHERE cell = 1"

# A leaf of no account.
HAS_LABEL = "SELECT EXISTS (SELECT FROM leaf WHERE cell = 1 AND label = $1)"
WRITE_LEAF = """
WITH leaves AS (
  INSERT INTO leaf (cell, leaf_index, label, entry, facts) VALUES (1, $1, $2, $3, '{}')
), tiles AS (
  INSERT INTO tile (cell, level, number, hashes)
  SELECT 1, * FROM unnest($4::smallint[], $5::bigint[], $6::bytea[])
  ON CONFLICT (cell, level, number) DO UPDATE SET hashes = EXCLUDED.hashes
)
UPDATE head SET at = $7, size = $8, edge = $9, mac = $10 WHERE cell = 1
"""

# The platform's own leaves, by their labels, and with each where it stands.
READ_PLATFORM_LEAVES = """
SELECT l.leaf_index, l.entry FROM unnest($1::bytea[]) WITH ORDINALITY AS n (label, number)
  JOIN leaf l ON l.cell = 1 AND l.label = n.label ORDER BY n.number
"""
WRITE_PLATFORM = "UPDATE head SET platform = $1 WHERE cell = 1"

# Wrapping anew, as the owner of the tables: the application may change no subject's key.
READ_OTHERS_WRAPPED = """
SELECT k.subject, k.wrapped, a.version AS account_version, a.box AS account_box,
       EXISTS (SELECT FROM erased g WHERE g.subject = k.subject) AS is_erased,
       starts_with(k.subject, 'wh_') OR starts_with(k.subject, 'ssf_') AS is_followers
  FROM subject_key k
  LEFT JOIN stream a ON a.id = k.subject AND a.kind = 'account' AND a.subject = k.subject
 WHERE k.subject > $1 AND substr(k.wrapped, 1, 8) <> $2
 ORDER BY k.subject LIMIT $3
"""
# Which of these accounts, as they were read, end before an entry that stands in the log.
READ_ENDED = """
SELECT s.id FROM unnest($1::text[], $2::bigint[], $3::bytea[]) AS n (id, version, label)
  JOIN stream s ON s.id = n.id AND s.version = n.version
  JOIN leaf l ON l.cell = 1 AND l.label = n.label
"""
WRITE_WRAPPED = """
UPDATE subject_key s SET wrapped = n.wrapped
  FROM unnest($1::text[], $2::bytea[], $3::bytea[]) AS n (subject, old, wrapped)
 WHERE s.subject = n.subject AND s.wrapped = n.old
"""
READ_OTHERS_USED = """
SELECT scope, key, digest, action_id, mac FROM idempotency
 WHERE (scope, key) > ($1, $2) AND substr(mac, 1, 8) <> $3 ORDER BY scope, key LIMIT $4
"""
WRITE_USED = """
UPDATE idempotency i SET mac = n.mac
  FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bytea[]) AS n (scope, key, old, mac)
 WHERE (i.scope, i.key, i.mac) = (n.scope, n.key, n.old)
"""
WRITE_HEAD_MAC = "UPDATE head SET mac = $1 WHERE cell = 1"
