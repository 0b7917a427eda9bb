-- The first shape of a cell: documents, events, log, outbox, idempotency, platform keys.
-- Boxes are sealed by the application; the database can neither read, change nor move them.

CREATE TABLE subject_key (
    subject text PRIMARY KEY,
    wrapped bytea NOT NULL
);

-- One document per aggregate: an account, a destination, an action that is over.
CREATE TABLE stream (
    id      text PRIMARY KEY,
    subject text NOT NULL REFERENCES subject_key (subject) ON DELETE CASCADE,
    kind    text NOT NULL CHECK (kind IN ('account', 'destination', 'action')),
    version bigint NOT NULL CHECK (version > 0),
    box     bytea NOT NULL
);
ALTER TABLE stream ALTER COLUMN box SET STORAGE MAIN;
CREATE INDEX stream_subject ON stream (subject);

-- What happened: one row per entry of an account, numbered from zero without gaps.
CREATE TABLE event (
    subject    text NOT NULL,
    number     bigint NOT NULL CHECK (number >= 0),
    leaf_index bigint NOT NULL,
    box        bytea NOT NULL,
    PRIMARY KEY (subject, number)
);
ALTER TABLE event ALTER COLUMN box SET STORAGE MAIN;
CREATE INDEX event_leaf ON event (leaf_index);

-- The log. A label is unique in its cell: an old document that was put back would repeat one.
CREATE TABLE leaf (
    cell       smallint NOT NULL,
    leaf_index bigint NOT NULL CHECK (leaf_index >= 0),
    label      bytea NOT NULL CHECK (octet_length(label) = 32),
    entry      bytea NOT NULL CHECK (octet_length(entry) BETWEEN 1 AND 65535),
    facts      bytea NOT NULL,
    PRIMARY KEY (cell, leaf_index),
    CONSTRAINT leaf_label UNIQUE (cell, label)
);

CREATE TABLE tile (
    cell   smallint NOT NULL,
    level  smallint NOT NULL CHECK (level BETWEEN 0 AND 63),
    number bigint NOT NULL CHECK (number >= 0),
    hashes bytea NOT NULL CHECK (octet_length(hashes) BETWEEN 32 AND 8192),
    PRIMARY KEY (cell, level, number)
);

-- The committed end of the log, and the one row that orders all writers of a cell. Its MAC is the
-- application's, under a key that no database holds; the first row of all has none. What it holds of
-- the platform says whether all is halted, and is empty where there are no officers.
CREATE TABLE head (
    cell     smallint PRIMARY KEY,
    size     bigint NOT NULL CHECK (size >= 0),
    edge     bytea NOT NULL,
    at       timestamptz NOT NULL,
    mac      bytea NOT NULL,
    platform bytea NOT NULL DEFAULT '' CHECK (octet_length(platform) <= 256)
);
INSERT INTO head (cell, size, edge, at, mac) VALUES (1, 0, '', '1970-01-01T00:00:00Z', '');

-- Whoever sends a message has claimed it until then; NULL: nobody sends it.
CREATE TABLE outbox (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject       text NOT NULL REFERENCES subject_key (subject) ON DELETE CASCADE,
    serial        text NOT NULL UNIQUE,
    box           bytea NOT NULL,
    claimed_until timestamptz
);

-- One message to one channel. Word of some is owed to their accounts until it was noted there.
CREATE TABLE delivery (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject       text NOT NULL REFERENCES subject_key (subject) ON DELETE CASCADE,
    name          text NOT NULL UNIQUE,
    lane          text NOT NULL,
    carrier       text NOT NULL CHECK (carrier IN ('mail', 'sms', 'desktop', 'none')),
    rank          smallint NOT NULL CHECK (rank IN (0, 1)),
    owes          boolean NOT NULL,
    -- Which of the states below the account heard of last.
    heard         text,
    -- Whether who took it says as a rule what became of a message.
    awaited       boolean NOT NULL DEFAULT false,
    box           bytea NOT NULL,
    at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    state         text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'handed', 'dead')),
    attempts      smallint NOT NULL DEFAULT 0,
    due_at        timestamptz NOT NULL DEFAULT '-infinity',
    fault         text,
    ended_at      timestamptz,
    claimed_until timestamptz
);
CREATE INDEX delivery_waits ON delivery (carrier, rank, due_at, id) WHERE state = 'waiting';
CREATE INDEX delivery_claimed ON delivery (lane) WHERE claimed_until IS NOT NULL;
CREATE INDEX delivery_owes ON delivery (id)
    WHERE owes AND heard IS DISTINCT FROM state;
CREATE INDEX delivery_subject ON delivery (subject);
-- What is counted and shown is small beside what was handed on and is kept for a week.
CREATE INDEX delivery_dead ON delivery (ended_at) WHERE state = 'dead';
CREATE INDEX delivery_handed ON delivery (ended_at) WHERE state = 'handed';

-- The newest notices of each account, for whoever looks them up.
CREATE TABLE inbox (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject text NOT NULL REFERENCES subject_key (subject) ON DELETE CASCADE,
    serial  text NOT NULL UNIQUE,
    box     bytea NOT NULL
);
CREATE INDEX inbox_subject ON inbox (subject, id);

-- What each idempotency key stands for; the MAC is the application's, over the rest but the time.
CREATE TABLE idempotency (
    scope     text NOT NULL,
    key       text NOT NULL,
    digest    bytea NOT NULL CHECK (octet_length(digest) = 32),
    action_id text NOT NULL,
    mac       bytea NOT NULL,
    used_at   timestamptz NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_used ON idempotency USING brin (used_at);

-- Keys of the platforms that call the API: a MAC of the secret and of the rest of the row, never the
-- secret. Whoever may add a key or revoke one can take neither back.
CREATE TABLE platform_key (
    id         text PRIMARY KEY,
    mac        bytea NOT NULL CHECK (octet_length(mac) = 40),
    scopes     text[] NOT NULL,
    networks   text[] NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    -- Ed25519: then every request under this key is signed.
    signed_by  bytea CHECK (octet_length(signed_by) = 32)
);

-- The nonces of signed requests that have not expired: each is good once.
CREATE TABLE message_nonce (
    key_id text NOT NULL,
    nonce  text NOT NULL,
    until  timestamptz NOT NULL,
    PRIMARY KEY (key_id, nonce)
);
CREATE INDEX message_nonce_until ON message_nonce USING brin (until);

CREATE TABLE platform_key_revoked (
    id         text PRIMARY KEY REFERENCES platform_key (id),
    revoked_at timestamptz NOT NULL
);

-- The bytes of every policy version that decided, so that what it decided can be checked later; and
-- when a service last began to decide by it. NULL: none did, but a command.
CREATE TABLE policy (
    digest    text PRIMARY KEY,
    body      bytea NOT NULL CHECK (octet_length(body) BETWEEN 1 AND 65535),
    served_at timestamptz
);

-- Which keyring and log this database belongs to.
CREATE TABLE installation (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    fingerprint text NOT NULL,
    log_origin  text NOT NULL
);

-- Endpoints that are told of outcomes: where and how is sealed, how far is not. The position is the
-- index of the next leaf; whoever sends has claimed the row until then.
CREATE TABLE webhook (
    id            text PRIMARY KEY REFERENCES subject_key (subject) ON DELETE CASCADE,
    version       bigint NOT NULL CHECK (version > 0),
    box           bytea NOT NULL,
    position      bigint NOT NULL CHECK (position >= 0),
    failures      integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    failing_since timestamptz,
    paused_until  timestamptz,
    disabled      text CHECK (disabled IN ('gone', 'failing')),
    claimed_until timestamptz
);

-- Messages that were not taken, by their leaf; due at NULL: dead, until they are revived.
CREATE TABLE webhook_retry (
    webhook_id text NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
    leaf_index bigint NOT NULL CHECK (leaf_index >= 0),
    attempts   smallint NOT NULL CHECK (attempts >= 0),
    due_at     timestamptz,
    fault      text NOT NULL,
    PRIMARY KEY (webhook_id, leaf_index)
);
CREATE INDEX webhook_retry_due ON webhook_retry (webhook_id, due_at);

-- That somebody wanted value to go somewhere, for a month: blind names of both, by which neither is
-- found again without the index key, and under which two places of one account have nothing in common.
CREATE TABLE sighting (
    place   bytea NOT NULL CHECK (octet_length(place) = 16),
    by      bytea NOT NULL CHECK (octet_length(by) = 8),
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (place, by)
);
CREATE INDEX sighting_seen ON sighting USING brin (seen_at);
-- Whom an address leads to: the id of an index key and a MAC under it, which no database holds. It
-- says where to look and nothing more; whether the channel is there, the account says.
CREATE TABLE contact (
    name    bytea NOT NULL CHECK (octet_length(name) = 40),
    subject text NOT NULL REFERENCES subject_key (subject) ON DELETE CASCADE,
    PRIMARY KEY (name, subject)
);
CREATE INDEX contact_subject ON contact (subject);

-- How many signals each stream has sent on a day (UTC).
CREATE TABLE signal_count (
    stream text NOT NULL,
    day    date NOT NULL,
    count  integer NOT NULL CHECK (count > 0),
    PRIMARY KEY (stream, day)
);

-- Streams of signals to other parties: to whom, how and of which events is sealed. The position is
-- the index of the next leaf; whoever works at it has claimed the row until then.
CREATE TABLE told_stream (
    id            text PRIMARY KEY REFERENCES subject_key (subject) ON DELETE CASCADE,
    receiver      text NOT NULL,
    pushed        boolean NOT NULL,
    version       bigint NOT NULL CHECK (version > 0),
    box           bytea NOT NULL,
    status        text NOT NULL DEFAULT 'enabled' CHECK (status IN ('enabled', 'paused', 'disabled')),
    reason        text NOT NULL DEFAULT '',
    position      bigint NOT NULL CHECK (position >= 0),
    failures      integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    failing_since timestamptz,
    paused_until  timestamptz,
    disabled      text CHECK (disabled IN ('gone', 'failing')),
    verified_at   timestamptz,
    claimed_until timestamptz
);

-- Accounts that a stream is told of, as its receiver named them. One that is erased stays until the
-- stream was told of that; its box says no more than its row.
CREATE TABLE told_subject (
    stream_id text NOT NULL REFERENCES told_stream (id) ON DELETE CASCADE,
    subject   text NOT NULL,
    box       bytea NOT NULL,
    added_at  timestamptz NOT NULL,
    PRIMARY KEY (stream_id, subject)
);
CREATE INDEX told_subject_subject ON told_subject (subject);

-- Tokens that wait to be taken, in the order of the log; due at NULL: dead. The subject is the
-- account, or of what is about nobody the stream.
CREATE TABLE told_token (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream_id text NOT NULL REFERENCES told_stream (id) ON DELETE CASCADE,
    subject   text NOT NULL REFERENCES subject_key (subject) ON DELETE CASCADE,
    jti       text NOT NULL UNIQUE,
    box       bytea NOT NULL,
    attempts  smallint NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    due_at    timestamptz,
    fault     text
);
CREATE INDEX told_token_waits ON told_token (stream_id, id) WHERE due_at IS NOT NULL;
CREATE INDEX told_token_stream ON told_token (stream_id);
CREATE INDEX told_token_subject ON told_token (subject);

-- Accounts that were erased, each with the leaf that says so, how many entries it had, and the salt
-- that opens both in the leaf; and every leaf of all of them, whoever's it was: nothing ties it to an
-- account any more. The MACs are the application's. Only the owner of the tables writes these rows, in
-- the transaction that erases.
CREATE TABLE erased (
    subject    text PRIMARY KEY,
    leaf_index bigint NOT NULL UNIQUE,
    entries    bigint NOT NULL CHECK (entries > 0),
    salt       bytea NOT NULL CHECK (octet_length(salt) = 32),
    mac        bytea NOT NULL CHECK (octet_length(mac) = 40)
);
CREATE TABLE erased_entry (
    leaf_index bigint PRIMARY KEY,
    mac        bytea NOT NULL CHECK (octet_length(mac) = 40)
);

-- How often sign-ins looked so, by week: nodes under keyed names, and whose they were stands nowhere.
CREATE TABLE sign_in_count (
    week   date NOT NULL,
    node   bytea NOT NULL CHECK (octet_length(node) = 8),
    parent bytea NOT NULL CHECK (octet_length(parent) IN (0, 8)),
    times  bigint NOT NULL CHECK (times > 0),
    PRIMARY KEY (week, node)
);
-- Which accounts have, or had, API keys that were made for whom: names are the application's. The
-- first 8 bytes of a name are those of the key that made it.
CREATE TABLE api_key_mark (
    name    bytea NOT NULL CHECK (octet_length(name) = 40),
    subject text NOT NULL REFERENCES subject_key (subject) ON DELETE CASCADE,
    PRIMARY KEY (name, subject)
);
CREATE INDEX api_key_mark_subject ON api_key_mark (subject);

-- How many orders passed, and for how much, in an hour, in the day's busiest hour before it, and on
-- the day. Names are the application's: nobody else can say whose they are. Forgotten after 31 days.
CREATE TABLE order_count (
    name       bytea NOT NULL CHECK (octet_length(name) = 32),
    day        integer NOT NULL,
    hour       smallint NOT NULL CHECK (hour BETWEEN 0 AND 23),
    orders     bigint NOT NULL DEFAULT 0,
    cents      bigint NOT NULL DEFAULT 0,
    top_orders bigint NOT NULL DEFAULT 0,
    top_cents  bigint NOT NULL DEFAULT 0,
    day_orders bigint NOT NULL DEFAULT 0,
    day_cents  bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (name, day)
) WITH (fillfactor = 50);
CREATE INDEX order_count_day ON order_count USING brin (day);

-- The key of a stream of signals goes with the stream. By the owner's hand, since the application deletes
-- no key: and by the name, since a row of this table could be made for any key, a customer's too.
CREATE FUNCTION forget_told_key() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM twinlock.subject_key WHERE subject = OLD.id AND starts_with(OLD.id, 'ssf_');
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION forget_told_key() FROM PUBLIC;
CREATE TRIGGER told_stream_key AFTER DELETE ON told_stream
    FOR EACH ROW EXECUTE FUNCTION forget_told_key();

-- The application inserts leaves and events and can neither change nor delete one; of the other rows
-- it changes what changes, and never whose they are.
GRANT SELECT, INSERT ON subject_key, leaf, event, policy, installation, api_key_mark
    TO twinlock_app;
GRANT UPDATE (served_at) ON policy TO twinlock_app;
GRANT SELECT, INSERT, UPDATE (version, box) ON stream TO twinlock_app;
GRANT SELECT, INSERT, UPDATE (hashes) ON tile TO twinlock_app;
GRANT SELECT, UPDATE (size, edge, at, mac, platform) ON head TO twinlock_app;
GRANT SELECT, INSERT, DELETE ON outbox, idempotency, message_nonce TO twinlock_app;
GRANT SELECT, INSERT, DELETE, UPDATE (seen_at) ON sighting TO twinlock_app;
GRANT SELECT, INSERT, DELETE ON order_count TO twinlock_app;
GRANT UPDATE (hour, orders, cents, top_orders, top_cents, day_orders, day_cents)
    ON order_count TO twinlock_app;
GRANT UPDATE (claimed_until) ON outbox TO twinlock_app;
GRANT SELECT, INSERT, DELETE ON delivery, inbox TO twinlock_app;
GRANT UPDATE (heard, awaited, state, attempts, due_at, fault, ended_at, claimed_until) ON delivery
    TO twinlock_app;
GRANT SELECT ON erased, erased_entry TO twinlock_app;
GRANT SELECT, INSERT, UPDATE (times), DELETE ON sign_in_count TO twinlock_app;
GRANT SELECT, INSERT, DELETE ON contact, signal_count TO twinlock_app;
GRANT UPDATE (count) ON signal_count TO twinlock_app;
GRANT SELECT, INSERT ON platform_key, platform_key_revoked TO twinlock_app;
GRANT SELECT, INSERT, DELETE ON webhook, webhook_retry TO twinlock_app;
GRANT UPDATE (version, box, position, failures, failing_since, paused_until, disabled, claimed_until)
    ON webhook TO twinlock_app;
GRANT UPDATE (attempts, due_at, fault) ON webhook_retry TO twinlock_app;
GRANT SELECT, INSERT, DELETE ON told_stream, told_subject, told_token TO twinlock_app;
GRANT UPDATE (version, box, pushed, status, reason, position, failures, failing_since, paused_until,
              disabled, verified_at, claimed_until) ON told_stream TO twinlock_app;
GRANT UPDATE (attempts, due_at, fault) ON told_token TO twinlock_app;
