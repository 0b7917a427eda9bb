"""What an audit reads, by name; it writes nothing. One cell: its number is a constant for now."""

EXPORT_SNAPSHOT = "SELECT pg_export_snapshot()"
# What exists of the log, without looking at it.
READ_EXTENT = """
SELECT (SELECT count(*) FROM leaf
         WHERE cell = 1 AND leaf_index >= 0 AND leaf_index < $1) AS leaves,
       (SELECT count(*) FROM subject_key) AS subjects,
       (SELECT count(*) FROM head) AS heads
"""
# Leaves that no head has counted.
READ_LEAVES_BEYOND = """
SELECT cell, leaf_index FROM leaf WHERE cell <> 1 OR leaf_index < 0 OR leaf_index >= $1
 ORDER BY cell, leaf_index LIMIT $2
"""
# Tiles that a log of so many leaves has not.
READ_TILES_BEYOND = """
SELECT cell, level, number FROM tile
 WHERE cell <> 1 OR number * 256 >= ($1::bigint >> least(8 * level, 63))
 ORDER BY cell, level, number LIMIT $2
"""
# Where one span of accounts ends and the next begins, in the database's own order.
READ_SPANS = """
SELECT subject
  FROM (SELECT subject, row_number() OVER (ORDER BY subject) AS place FROM subject_key) s
 WHERE place % $1 = 0 ORDER BY subject
"""
# Of accounts, and of endpoints that were removed. Endpoints and streams of signals that are there
# are looked at with their rows.
READ_SUBJECT_KEYS = """
SELECT subject, wrapped FROM subject_key k
 WHERE ($1::text IS NULL OR subject >= $1) AND ($2::text IS NULL OR subject < $2)
   AND NOT EXISTS (SELECT FROM webhook w WHERE w.id = k.subject)
   AND NOT EXISTS (SELECT FROM told_stream t WHERE t.id = k.subject)
"""
# In the order of each account's life. Leaves are read apart, in theirs.
READ_ENTRIES = """
SELECT subject, number, leaf_index, box FROM event
 WHERE ($1::text IS NULL OR subject >= $1) AND ($2::text IS NULL OR subject < $2)
 ORDER BY subject, number
"""
READ_STREAMS = """
SELECT subject, id, kind, version, box FROM stream
 WHERE ($1::text IS NULL OR subject >= $1) AND ($2::text IS NULL OR subject < $2)
"""
READ_LEAF_ROWS = """
SELECT leaf_index, label, entry, facts FROM leaf
 WHERE cell = 1 AND leaf_index >= $1 AND leaf_index < $2 ORDER BY leaf_index
"""
# Leaves that are looked at once more, since something is wrong with them.
READ_DOUBTED = (
    "SELECT leaf_index, entry FROM leaf WHERE cell = 1 AND leaf_index = ANY($1::bigint[])"
)
READ_TILE_ROWS = """
SELECT number, hashes FROM tile WHERE cell = 1 AND level = $1 AND number >= $2 AND number < $3
"""
READ_KEY_USES = "SELECT scope, key, digest, action_id, mac FROM idempotency"
READ_LETTERS = """
SELECT o.id, o.subject, o.serial, o.box, k.wrapped
  FROM (SELECT id, subject, serial, box FROM outbox
        UNION ALL SELECT id, subject, serial, box FROM inbox) o
  LEFT JOIN subject_key k ON k.subject = o.subject
"""
READ_PARCELS = """
SELECT d.id, d.subject, d.name, d.box, k.wrapped
  FROM delivery d LEFT JOIN subject_key k ON k.subject = d.subject
"""
# With each, whether its entry is there again.
READ_ERASED_ENTRIES = """
SELECT m.leaf_index, m.mac, EXISTS (SELECT FROM event e WHERE e.leaf_index = m.leaf_index) AS undone
  FROM erased_entry m
"""
# With each, its leaf, and whether anything of the account is there again.
READ_ERASED = """
SELECT g.leaf_index, g.subject, g.entries, g.salt, g.mac, l.entry,
       EXISTS (SELECT FROM subject_key k WHERE k.subject = g.subject)
         OR EXISTS (SELECT FROM event e WHERE e.subject = g.subject) AS undone
  FROM erased g LEFT JOIN leaf l ON l.cell = 1 AND l.leaf_index = g.leaf_index
"""
READ_WEBHOOKS = """
SELECT w.id, w.version, w.box, k.wrapped FROM webhook w JOIN subject_key k ON k.subject = w.id
"""
READ_TOLD_STREAMS = """
SELECT t.id, t.version, t.box, k.wrapped FROM told_stream t JOIN subject_key k ON k.subject = t.id
"""
# Whom each stream is told of, and the tokens that wait on it.
READ_TOLD_SUBJECTS = """
SELECT t.stream_id, t.subject, t.box, k.wrapped
  FROM told_subject t JOIN subject_key k ON k.subject = t.stream_id
"""
READ_TOLD_TOKENS = """
SELECT t.stream_id, t.jti, t.box, k.wrapped
  FROM told_token t JOIN subject_key k ON k.subject = t.stream_id
"""
READ_POLICIES = "SELECT digest, body FROM policy"
READ_PLATFORM_KEYS = """
SELECT k.id, k.mac, k.scopes, k.networks, k.created_at, k.expires_at FROM platform_key k
"""
