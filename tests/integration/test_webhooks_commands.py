"""Webhooks as an operator and a platform meet them: the commands, the service, its metrics."""

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from math import isnan
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from support.commands import Ended, free_port, run, serve
from support.hooks import authorized, hooks_on, until
from support.installations import environment_of
from support.officers import ADA, BEN, CLEO, FOUNDING, LOG
from support.postgres import TestDatabase
from support.receivers import Receiver, receiving, status
from support.service import ADDRESS, Customer, Service, serving
from support.stores import ENTROPY, SteerableClock, opened
from support.until import asked_until

from twinlock.adapters.boxes import Sealer
from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.settings import load as load_settings
from twinlock.adapters.sql.log_keys import SqlLogKeys
from twinlock.adapters.sql.officers import SqlPlatformActs
from twinlock.adapters.sql.store import SqlStore
from twinlock.adapters.webhooks.pumps import Backlog
from twinlock.bootstrap.anchoring import adopt_log
from twinlock.bootstrap.keys import make_keyring
from twinlock.bootstrap.webhooks import open_webhooks
from twinlock.bootstrap.world import World, prepare
from twinlock.services.officers import Officers

Variables = dict[str, str]
DELIVERED = 'twinlock_webhook_attempts_total{result="delivered"} 1.0'


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@pytest.fixture
def variables(database: TestDatabase, tmp_path: Path) -> Variables:
    """The settings of an installation that may push to this machine."""
    made = environment_of(tmp_path, DATABASE_URL=database.app_dsn, WEBHOOK_PLAIN_LOOPBACK="yes")
    make_keyring(load_settings(made))
    return made


@pytest.fixture
async def world(variables: Variables) -> World:
    return await prepare(load_settings(variables))


def refused(told: Ended, code: str) -> None:
    assert (told.code, told.out) == (2, ""), told
    assert told.err.rstrip().endswith(f"[{code}]"), told
    assert len(told.err.strip().splitlines()) == 1


def value_of(told: Ended) -> dict[str, object]:
    assert told.code == 0, told
    value: dict[str, object] = msgspec.json.decode(told.out)
    return value


# --- Commands ---


async def test_an_endpoint_from_its_first_word_to_its_last(
    variables: Variables, receiver: Receiver
) -> None:
    url = receiver.url("/geheim")
    added = await run(variables, "webhook", "add", url, "--events", "action.*", "--json")
    shown = value_of(added)
    webhook_id, secret = str(shown["id"]), str(shown["secret"])
    assert secret not in added.err

    tried = value_of(await run(variables, "webhook", "test", webhook_id, "--json"))
    assert (tried["delivered"], tried["status"]) == (True, 204)
    assert receiver.got[0].verified_by(secret)
    receiver.answers.append(status(302, "location: http://127.0.0.1/"))
    failed = await run(variables, "webhook", "test", webhook_id)
    assert failed.code == 1
    assert "was not taken: redirected, status 302" in failed.out


async def test_who_replays_to_an_endpoint_that_is_disabled_is_told_so(
    variables: Variables, database: TestDatabase
) -> None:
    """Prevents: an operator who waits for what was lost, and to whom nothing will come."""
    shown = value_of(await run(variables, "webhook", "add", "https://hooks.example/", "--json"))
    webhook_id = str(shown["id"])
    assert (await run(variables, "webhook", "replay", webhook_id)).err == ""
    await database.execute("UPDATE webhook SET disabled = 'gone'")

    for more in ((), ("--from", "0")):
        told = await run(variables, "webhook", "replay", webhook_id, *more)
        assert (told.code, "twinlock webhook enable" in told.err) == (0, True)


async def test_one_endpoint_that_somebody_changed_is_named_and_the_others_are_listed(
    variables: Variables, database: TestDatabase
) -> None:
    """Prevents: one row, changed by whoever writes the database, that keeps all from being seen."""
    url = "https://hooks.example/"
    broken = str(value_of(await run(variables, "webhook", "add", url, "--json"))["id"])
    await database.execute("UPDATE webhook SET box = 'x'")
    alone = await run(variables, "webhook", "list")
    assert (alone.code, alone.out) == (1, "no webhook opens\n")
    whole = str(value_of(await run(variables, "webhook", "add", url, "--json"))["id"])

    told = await run(variables, "webhook", "list", "--json")

    assert [one["id"] for one in msgspec.json.decode(told.out)] == [whole]
    assert (told.code, f"{broken} is not what we sealed" in told.err) == (1, True)
    assert (await run(variables, "webhook", "remove", broken)).code == 0
    assert (await run(variables, "webhook", "list")).code == 0


async def test_an_endpoint_is_listed_without_what_is_secret_and_is_removed(
    variables: Variables, receiver: Receiver
) -> None:
    shown = value_of(await run(variables, "webhook", "add", receiver.url("/geheim"), "--json"))
    webhook_id, secret = str(shown["id"]), str(shown["secret"])
    rotated = value_of(await run(variables, "webhook", "rotate", webhook_id, "--json"))
    assert rotated["secret"] != secret

    listed = await run(variables, "webhook", "list")
    assert webhook_id in listed.out
    assert "is told of *; added " in listed.out
    (values,) = msgspec.json.decode((await run(variables, "webhook", "list", "--json")).out)
    assert values["origin"] == f"http://127.0.0.1:{receiver.port}"
    assert (values["secrets"], values["behind"], values["disabled"]) == (2, 0, None)
    assert values["reports"] is False
    assert "says what became" not in listed.out
    for told in (listed.out, listed.err, str(values)):
        assert secret not in told
        assert "geheim" not in told

    await run(variables, "webhook", "add", receiver.url("/sms"), "--reports")
    assert (
        "; says what became of messages to customers"
        in (await run(variables, "webhook", "list")).out
    )

    replayed = await run(variables, "webhook", "replay", webhook_id)
    assert replayed.out == "0 dead messages are tried again\n"
    beyond = await run(variables, "webhook", "replay", webhook_id, "--from", "9999")
    refused(beyond, "webhook_replay_refused")
    assert re.search(r"the log has \d+ entries, and the first is entry 0", beyond.err)
    again = await run(variables, "webhook", "replay", webhook_id, "--from", "0")
    assert again.out == "all from entry 0 is sent again\n"
    assert (await run(variables, "webhook", "enable", webhook_id)).code == 0
    assert (await run(variables, "webhook", "remove", webhook_id)).code == 0
    refused(await run(variables, "webhook", "remove", webhook_id), "webhook_not_found")


async def test_an_installation_is_sound_before_and_after_an_endpoint_is_removed(
    variables: Variables, world: World, receiver: Receiver
) -> None:
    await adopt_log(world)
    shown = value_of(await run(variables, "webhook", "add", receiver.url("/x"), "--json"))
    for words in ((), ("remove", str(shown["id"]))):
        if words:
            assert (await run(variables, "webhook", *words)).code == 0
        told = await run(variables, "audit", "--jobs", "1")
        assert (told.code, told.out[:6]) == (0, "sound:"), told


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("add", "http://10.0.0.1/x"), "webhook_url_refused"),
        (("add", "https://localhost/x"), "webhook_url_refused"),
        (("add", "https://sam:pw@hooks.example/x"), "webhook_url_refused"),
        (("add", "https://hooks.example/x", "--events", "nothing.*"), "webhook_pattern_wrong"),
        (("test", "nobodys"), "webhook_not_found"),
        (("rotate", "wh_" + "a" * 26), "webhook_not_found"),
    ],
)
async def test_what_cannot_be_done_is_one_line_with_its_code(
    variables: Variables, words: tuple[str, ...], code: str
) -> None:
    refused(await run(variables, "webhook", *words), code)


async def test_a_service_pushes_what_it_decides_and_counts_it(
    variables: Variables, receiver: Receiver
) -> None:
    added = value_of(await run(variables, "webhook", "add", receiver.url(), "--json"))
    key = (await run(variables, "platform-key", "create")).out.strip()
    async with serve(variables, port=free_port()) as service:
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "account-0001"}
        async with httpx.AsyncClient(base_url=service.url, headers=headers) as http:
            answer = await http.post("/v1/accounts", json={})
            assert answer.is_success, answer.text
            await receiver.wait_for(1)
            asked = await asked_until(  # It is counted a moment after it was answered.
                lambda: http.get("/metrics"), lambda answer: DELIVERED in answer.text
            )
            metrics = asked.text

    assert receiver.got[0].value["type"] == "account.opened"
    assert receiver.got[0].value["data"]["account_id"] == answer.json()["account_id"]
    assert receiver.got[0].verified_by(str(added["secret"]))
    assert f'twinlock_webhook_disabled{{webhook="{added["id"]}"}} 0.0' in metrics


# --- What a platform is told, step by step ---


@pytest.fixture
async def service(database: TestDatabase, world: World) -> AsyncIterator[Service]:
    async def waiting() -> int:
        return cast("int", await database.value("SELECT count(*) FROM outbox"))

    async with serving(world, waiting_letters=waiting) as running:
        yield running


async def test_every_step_of_a_customers_actions_is_told(
    service: Service, world: World, receiver: Receiver
) -> None:
    async with open_webhooks(world) as webhooks:
        await webhooks.add(receiver.url(), patterns=("*",))
    alice = Customer(service, "alice")
    await alice.set_up()
    held = await alice.withdraw()
    service.clock.forward(hours=24)
    await service.client.spend(held.action_id, spend_id="in-time-1")
    last = await alice.propose("withdrawal.crypto", alice.withdrawal("10"))
    await service.client.spend(last.action_id, spend_id="too-early")
    await until(lambda: len(about(receiver, last.action_id)) == 2)

    asked, waits, spent = about(receiver, held.action_id)
    assert [one["type"] for one in (asked, waits, spent)] == [
        "action.held",
        "action.held",
        "action.spent",
    ]
    assert "until" not in asked["data"]  # Its wait begins with the proof.
    assert datetime.fromisoformat(waits["data"]["until"]) == held.until
    assert spent["data"]["state"] == "spent"
    assert [one["data"].get("state") for one in about(receiver, last.action_id)] == ["open", None]
    assert {one.value["type"] for one in receiver.got} >= {"account.opened", "action.done"}
    assert receiver.indexes == sorted(set(receiver.indexes))
    assert ADDRESS not in b"".join(one.body for one in receiver.got).decode()


def about(receiver: Receiver, action_id: str) -> list[dict[str, Any]]:
    """Return what was told of one action."""
    values = (one.value for one in receiver.got)
    return [value for value in values if value["data"].get("action_id") == action_id]


# --- Metrics ---


async def test_what_waits_is_counted_with_its_age(
    store: SqlStore, clock: SteerableClock, receiver: Receiver
) -> None:
    hooks, registry = hooks_on(store, clock), CollectorRegistry()
    backlog = Backlog(hooks.shelf, clock)
    registry.register(backlog)
    await backlog.count()
    assert generate_latest(registry).decode().count("twinlock_webhook_behind{") == 0

    shown = await hooks.add(receiver)
    alice = await opened(store, clock)
    receiver.answers.append(status(500))
    await hooks.deliver()
    await authorized(store, alice, 2)
    clock.advance(timedelta(seconds=60))
    await backlog.count()

    def counted(name: str) -> float | None:
        return registry.get_sample_value(name, {"webhook": shown.webhook_id})

    assert counted("twinlock_webhook_behind") == 2
    assert counted("twinlock_webhook_retries") == 1
    assert counted("twinlock_webhook_dead_letters") == 0
    assert counted("twinlock_webhook_disabled") == 0
    age = counted("twinlock_webhook_oldest_seconds")
    assert age is not None
    assert 60 <= age < 61

    await hooks.deliver()
    clock.advance(timedelta(seconds=10))
    await hooks.deliver()
    await backlog.count()
    assert counted("twinlock_webhook_oldest_seconds") == 0


async def test_what_waits_is_counted_where_the_first_of_it_is_nobodys(
    store: SqlStore, clock: SteerableClock, receiver: Receiver, keyring: Keyring
) -> None:
    """Prevents: a halt behind which no endpoint's backlog is counted, so that nobody is alarmed."""
    hooks, registry, sealer = hooks_on(store, clock), CollectorRegistry(), Sealer(keyring)
    backlog = Backlog(hooks.shelf, clock)
    registry.register(backlog)
    first = await hooks.add(receiver)
    acts = SqlPlatformActs(store.database, sealer=sealer, clock=clock, log_origin=LOG)
    officers = Officers(acts, clock=clock, entropy=ENTROPY, log_origin=LOG)
    await officers.appoint((ADA.key, BEN.key, CLEO.key), policy=FOUNDING)
    second = await hooks.add(receiver)
    await SqlLogKeys(store.database, sealer=sealer, clock=clock).tell("log.example+1+key")

    clock.advance(timedelta(seconds=60))
    await backlog.count()

    for shown, waits in ((first, 2), (second, 1)):
        label = {"webhook": str(shown.webhook_id)}
        assert registry.get_sample_value("twinlock_webhook_behind", label) == waits
        age = registry.get_sample_value("twinlock_webhook_oldest_seconds", label)
        assert age is not None
        assert 60 <= age < 61


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE event SET box = set_byte(box, 20, 255 - get_byte(box, 20)) WHERE leaf_index < $1",
        (
            "INSERT INTO event SELECT subject, number + 1000, leaf_index, box FROM event"
            " WHERE leaf_index < $1"
        ),
    ],
    ids=["altered", "there twice"],
)
async def test_what_waits_is_counted_behind_a_damaged_entry(
    store: SqlStore, clock: SteerableClock, receiver: Receiver, database: TestDatabase, damage: str
) -> None:
    """Prevents: whoever damages one row, and keeps the operator from seeing that nothing goes."""
    hooks, registry = hooks_on(store, clock), CollectorRegistry()
    backlog = Backlog(hooks.shelf, clock)
    registry.register(backlog)
    shown = await hooks.add(receiver)
    alice = await opened(store, clock)
    first, *_ = await authorized(store, alice, 3)
    other = await hooks.add(receiver)
    await database.execute(damage, first)
    await authorized(store, alice, 1)

    await backlog.count()

    def counted(name: str, webhook: str) -> float | None:
        return registry.get_sample_value(name, {"webhook": webhook})

    for webhook, waits in ((shown.webhook_id, 5), (other.webhook_id, 1)):
        assert counted("twinlock_webhook_behind", str(webhook)) == waits
    assert isnan(counted("twinlock_webhook_oldest_seconds", str(shown.webhook_id)) or 0)
    assert not isnan(counted("twinlock_webhook_oldest_seconds", str(other.webhook_id)) or 0)
