"""Endpoints in the database: sealed, claimed by one process at a time, and told of the true log."""

import asyncio
from datetime import timedelta

import pytest
from support.hooks import Hooks, authorized, hooks_on
from support.postgres import TestDatabase, both_versions
from support.receivers import Receiver, receiving, status
from support.stores import Customer, SteerableClock, make_keyring, open_store, opened

from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.sql.connections import READ_SECONDS
from twinlock.adapters.sql.store import SqlStore
from twinlock.adapters.sql.webhooks import CLAIM
from twinlock.adapters.webhooks.sending import ATTEMPT_SECONDS
from twinlock.domain.canonical import from_b64url
from twinlock.domain.webhooks.endpoints import (
    ENDPOINTS_MOST,
    SECRETS_MOST,
    Endpoint,
    Fault,
    Health,
    Progress,
    Retry,
    WebhookId,
    WebhookReplayError,
    WebhooksFullError,
    WebhookUnknownError,
)
from twinlock.domain.webhooks.outcomes import WebhookPatternError
from twinlock.domain.webhooks.targets import WebhookUrlRefusedError
from twinlock.services.webhooks.delivery import NEW_SECONDS, TURN_SECONDS

NOBODY = WebhookId("wh_" + "a" * 26)
URL = "http://127.0.0.1:9/geheim"


@pytest.fixture
async def hooks(store: SqlStore, clock: SteerableClock) -> Hooks:
    return hooks_on(store, clock)


@pytest.fixture
async def alice(store: SqlStore, clock: SteerableClock) -> Customer:
    return await opened(store, clock)


async def added(hooks: Hooks, *patterns: str) -> WebhookId:
    return (await hooks.use.add(URL, patterns=patterns or ("*",))).webhook_id


# --- What is kept ---


async def test_what_was_added_is_listed_without_its_path_and_its_secret(hooks: Hooks) -> None:
    shown = await hooks.use.add(URL, patterns=("action.*", "account.opened", "action.*"))

    (listed,), _ = await hooks.use.listed()

    assert listed.webhook_id == shown.webhook_id
    assert listed.origin == "http://127.0.0.1:9"
    assert listed.patterns == ("account.opened", "action.*")
    assert (listed.behind, listed.retries, listed.dead, listed.secrets) == (0, 0, 0, 1)
    assert shown.secret.startswith("whsec_")
    assert shown.public_key.startswith("whpk_")


@both_versions
async def test_no_url_and_no_secret_stands_in_the_database_in_clear(
    hooks: Hooks, database: TestDatabase
) -> None:
    await added(hooks)
    (kept,), _ = await hooks.shelf.listed()
    secret = kept.endpoint.secrets[0]

    rows = await database.fetch("SELECT * FROM webhook w JOIN subject_key k ON k.subject = w.id")

    values = [value for row in rows for value in row.values()]
    stored = b"".join(one if isinstance(one, bytes) else str(one).encode() for one in values)
    for hidden in (
        secret.key.encode(),
        from_b64url(secret.key),
        from_b64url(secret.seed),
        b"hooks",
    ):
        assert hidden not in stored
    assert b"geheim" not in stored


async def test_what_another_keyring_sealed_is_not_sent_to(
    hooks: Hooks,
    database: TestDatabase,
    clock: SteerableClock,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    webhook_id = await added(hooks)
    other = make_keyring(tmp_path_factory.mktemp("other") / "ring")
    async with open_store(database.app_dsn, other, clock) as store:
        assert await hooks_on(store, clock).use.listed() == ((), (webhook_id,))


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE webhook a SET box = b.box FROM webhook b WHERE a.id <> b.id",
        "UPDATE webhook SET box = set_byte(box, 20, get_byte(box, 20) # 1)",
        "UPDATE webhook SET version = version + 1",
        "UPDATE subject_key SET wrapped = 'x' WHERE subject LIKE 'wh_%'",
    ],
)
async def test_an_endpoint_that_somebody_changed_is_not_sent_to(
    hooks: Hooks, alice: Customer, database: TestDatabase, tampering: str
) -> None:
    await added(hooks)
    await added(hooks)
    await authorized(hooks.store, alice, 1)
    await database.execute(tampering)

    assert await hooks.shelf.claim(now=hooks.clock.now(), apart=(), most=9) == ()
    assert hooks.shelf.unopened == 2


async def test_one_endpoint_that_somebody_changed_stops_no_other(
    hooks: Hooks, alice: Customer, database: TestDatabase
) -> None:
    broken, whole = await added(hooks), await added(hooks)
    await authorized(hooks.store, alice, 1)
    await database.execute("UPDATE webhook SET box = 'x' WHERE id = $1", broken)

    claimed = await hooks.shelf.claim(now=hooks.clock.now(), apart=(), most=9)

    assert [one.kept.endpoint.webhook_id for one in claimed] == [whole]
    kept, unopened = await hooks.shelf.listed()
    assert ([one.endpoint.webhook_id for one in kept], unopened) == ([whole], (broken,))
    assert not await hooks.shelf.has_desk()
    await hooks.use.remove(broken)
    listed, unopened = await hooks.use.listed()
    assert ([one.webhook_id for one in listed], unopened) == ([whole], ())


async def test_what_is_wrong_is_refused_before_anything_is_kept(
    hooks: Hooks, database: TestDatabase
) -> None:
    with pytest.raises(WebhookUrlRefusedError):
        await hooks.use.add("http://hooks.example/x", patterns=("*",))
    with pytest.raises(WebhookPatternError):
        await hooks.use.add(URL, patterns=("action.unheard_of",))

    assert await database.value("SELECT count(*) FROM webhook") == 0
    assert await database.value("SELECT count(*) FROM subject_key WHERE subject LIKE 'wh_%'") == 0


async def test_there_are_only_so_many_endpoints(hooks: Hooks) -> None:
    ids = [await added(hooks) for _ in range(ENDPOINTS_MOST)]

    with pytest.raises(WebhooksFullError):
        await added(hooks)
    await hooks.use.remove(ids[0])
    await added(hooks)


async def test_there_are_only_so_many_secrets_in_force(hooks: Hooks) -> None:
    webhook_id = await added(hooks)
    for _ in range(SECRETS_MOST - 1):
        await hooks.use.rotate(webhook_id, overlap=timedelta(hours=1))

    with pytest.raises(WebhooksFullError):
        await hooks.use.rotate(webhook_id, overlap=timedelta(hours=1))
    hooks.clock.advance(timedelta(hours=2))
    await hooks.use.rotate(webhook_id, overlap=timedelta(hours=1))
    assert (await hooks.listed(webhook_id)).secrets == 2


async def test_nobodys_id_is_told_as_that(hooks: Hooks) -> None:
    overlap = timedelta(hours=1)
    for asked in (
        hooks.use.rotate(NOBODY, overlap=overlap),
        hooks.use.remove(NOBODY),
        hooks.use.enable(NOBODY),
        hooks.use.replay(NOBODY, start=0),
        hooks.use.revive(NOBODY),
        hooks.use.trial(NOBODY),
    ):
        with pytest.raises(WebhookUnknownError):
            await asked


async def test_what_the_log_does_not_have_is_not_sent_again(hooks: Hooks) -> None:
    webhook_id = await added(hooks)

    with pytest.raises(WebhookReplayError, match="the log has 0 entries"):
        await hooks.use.replay(webhook_id, start=1)
    await hooks.use.replay(webhook_id, start=0)


async def test_of_two_rotations_at_once_one_is_told_to_start_again(hooks: Hooks) -> None:
    webhook_id = await added(hooks)
    kept = await hooks.shelf.read(webhook_id)
    await hooks.use.rotate(webhook_id, overlap=timedelta(hours=1))

    with pytest.raises(WebhookUnknownError, match="changed meanwhile"):
        await hooks.shelf.replace(kept.endpoint, version=kept.version)


async def test_a_trial_is_sent_at_once_and_told_of(hooks: Hooks) -> None:
    async with receiving() as receiver:
        shown = await hooks.add(receiver, "account.opened")
        receiver.answers.append(status(500))

        refused = await hooks.use.trial(shown.webhook_id)
        taken = await hooks.use.trial(shown.webhook_id)

    assert (refused.fault, refused.status) == (Fault.STATUS, 500)
    assert (taken.fault, taken.status) == (None, 204)
    assert receiver.ids == [refused.message_id, taken.message_id]
    assert receiver.got[1].value["type"] == "webhook.test"
    assert receiver.got[1].value["data"] == {"webhook_id": shown.webhook_id}
    assert all(one.verified_by(shown.secret) for one in receiver.got)


# --- Who sends ---


async def test_one_process_at_a_time_has_an_endpoint(
    hooks: Hooks, alice: Customer, database: TestDatabase, keyring: Keyring, clock: SteerableClock
) -> None:
    for _ in range(8):
        await added(hooks)
    await authorized(hooks.store, alice, 1)

    async with open_store(database.app_dsn, keyring, clock) as second:
        shelves = (hooks.shelf, hooks_on(second, clock).shelf)
        claims = await asyncio.gather(
            *(shelf.claim(now=clock.now(), apart=(), most=3) for shelf in shelves * 3)
        )

    ids = [one.kept.endpoint.webhook_id for claimed in claims for one in claimed]
    assert len(ids) == len(set(ids)) == 8


async def test_an_endpoint_that_somebody_is_just_claiming_is_left_to_them(
    hooks: Hooks, alice: Customer, database: TestDatabase
) -> None:
    ids = sorted([await added(hooks) for _ in range(4)])
    await authorized(hooks.store, alice, 1)

    async with database.app() as other, other.transaction():
        await other.execute("SELECT 1 FROM webhook WHERE id = ANY($1) FOR UPDATE", ids[:2])
        claimed = await hooks.shelf.claim(now=hooks.clock.now(), apart=(), most=9)

    assert sorted(one.kept.endpoint.webhook_id for one in claimed) == ids[2:]


async def test_a_claim_that_lapsed_is_somebody_elses_and_keeps_nothing(
    hooks: Hooks, alice: Customer, database: TestDatabase
) -> None:
    webhook_id = await added(hooks)
    (index,) = await authorized(hooks.store, alice, 1)
    now = hooks.clock.now()
    (slow,) = await hooks.shelf.claim(now=now, apart=(), most=1)
    assert await hooks.shelf.claim(now=now, apart=(), most=1) == ()

    await _let_claims_lapse(database)
    (quick,) = await hooks.shelf.claim(now=now, apart=(), most=1)

    told = Progress(position=index + 1, health=Health())
    retry = Retry(index=index, attempts=1, due_at=now, fault=Fault.STATUS)
    lost = Progress(position=index + 9, health=Health(failures=7), tried=(retry,))
    assert not await hooks.shelf.save(slow, lost, done=True)
    assert await hooks.shelf.save(quick, told, done=True)
    assert not await hooks.shelf.save(quick, lost, done=True)
    listed = await hooks.listed(webhook_id)
    assert (listed.position, listed.retries) == (index + 1, 0)


async def _let_claims_lapse(database: TestDatabase) -> None:
    await database.execute("UPDATE webhook SET claimed_until = claimed_until - interval '1 minute'")


async def test_an_endpoint_that_is_left_apart_or_has_nothing_new_is_not_claimed(
    hooks: Hooks, alice: Customer
) -> None:
    webhook_id = await added(hooks)
    now = hooks.clock.now()

    assert await hooks.shelf.claim(now=now, apart=(), most=1) == ()
    await authorized(hooks.store, alice, 1)
    assert await hooks.shelf.claim(now=now, apart=(webhook_id,), most=1) == ()
    assert len(await hooks.shelf.claim(now=now, apart=(), most=1)) == 1


# --- What is told ---


async def test_two_entries_that_changed_places_are_not_told(
    hooks: Hooks, alice: Customer, database: TestDatabase
) -> None:
    async with receiving() as receiver:
        await hooks.add(receiver)
        bob = await opened(hooks.store, hooks.clock)
        first, second = (
            *await authorized(hooks.store, alice, 1),
            *await authorized(hooks.store, bob, 1),
        )
        await database.execute(
            "UPDATE event SET leaf_index = $1 + $2 - leaf_index WHERE leaf_index IN ($1, $2)",
            first,
            second,
        )
        await _damaged(hooks)

        assert [one.value["type"] for one in receiver.got] == ["account.opened"]


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE leaf SET entry = replace(encode(entry, 'escape'), 'allow', 'deny')::bytea",
        "DELETE FROM event",
        "DELETE FROM leaf WHERE leaf_index = (SELECT max(leaf_index) FROM leaf)",
        "INSERT INTO event SELECT subject, number + 1000, leaf_index, box FROM event",
    ],
)
async def test_an_entry_that_was_changed_removed_or_doubled_is_not_told(
    hooks: Hooks, alice: Customer, database: TestDatabase, tampering: str
) -> None:
    async with receiving() as receiver:
        await hooks.add(receiver)
        await authorized(hooks.store, alice, 1)
        await database.execute(tampering)

        await _damaged(hooks)

        assert receiver.got == []


async def _damaged(hooks: Hooks) -> None:
    """Take turns, in which damaged entries are met and kept apart."""
    await hooks.deliver()
    (listed,), _ = await hooks.use.listed()
    assert listed.retries


async def test_a_message_to_be_tried_again_beyond_the_log_is_forgotten(
    hooks: Hooks, alice: Customer, database: TestDatabase
) -> None:
    webhook_id = await added(hooks)
    await database.execute(
        "INSERT INTO webhook_retry VALUES ($1, 999, 1, '2000-01-01', 'status')", webhook_id
    )

    await hooks.deliver()

    assert (await hooks.listed(webhook_id)).retries == 0


def test_what_is_kept_of_an_endpoint_shows_neither_url_nor_secret() -> None:
    endpoint = Endpoint(
        webhook_id=NOBODY, url=URL, patterns=("*",), secrets=(), added_at=SteerableClock().at
    )

    assert "geheim" not in repr(endpoint)


async def test_the_receivers_of_tests_tell_true_signatures_from_false(hooks: Hooks) -> None:
    async with receiving() as receiver:
        shown = await hooks.add(receiver)
        other = await hooks.use.add(URL, patterns=("*",))
        await hooks.use.trial(shown.webhook_id)

        assert isinstance(receiver, Receiver)
        assert not receiver.got[0].verified_by(other.secret)


def test_a_claim_outlasts_the_longest_turn() -> None:
    attempts = 2 * ATTEMPT_SECONDS  # One that is tried again, and one that is new.
    longest = TURN_SECONDS + NEW_SECONDS + attempts + 2 * READ_SECONDS

    assert longest < CLAIM.total_seconds()
