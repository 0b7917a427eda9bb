"""A receiver of signals: makes its streams, names accounts, and takes what waits."""

import asyncio
from datetime import timedelta
from typing import NoReturn

import httpx
import pytest
from support.erasing import ask_to_be_erased, erase_due
from support.postgres import TestDatabase
from support.service import Customer, Service
from support.told import (
    AUDIENCE,
    CAEP,
    EVERY_KIND,
    RISC,
    VERIFICATION,
    Hearer,
    hearer,
)
from support.until import seen

from twinlock.adapters.sql import told_streams
from twinlock.adapters.transmitting.receivers import ReceiverFile
from twinlock.bootstrap import transmitting
from twinlock.bootstrap.transmitting import listed_receivers, remove_receiver
from twinlock.bootstrap.world import World
from twinlock.domain.errors import UnavailableError
from twinlock.domain.signal_streams import Stream
from twinlock.domain.transmitting.streams import ToldStream, VerifiedTooOftenError
from twinlock.services.transmitting.managing import Poll

NOBODY = f"acc_{'a' * 26}"


@pytest.fixture
def broker(service: Service) -> Hearer:
    return hearer(service)


@pytest.fixture
async def alice(service: Service) -> Customer:
    alice = Customer(service, "alice")
    await alice.set_up()
    return alice


async def end_sessions(alice: Customer) -> None:
    answer = await alice.service.http.post(
        f"/v1/accounts/{alice.account_id}/sessions/end",
        json={},
        headers={"idempotency-key": alice.service.key()},
    )
    assert answer.status_code == 204


async def freeze(alice: Customer) -> None:
    proposed = await alice.propose("freeze.set")
    assert (await alice.with_passkey(proposed.action_id)).state == "done"


async def only_of_bob(hearing: Hearer, stream: str) -> bool:
    """Say whether the next thing that a stream is told is what Bob does now."""
    bob = Customer(hearing.service, "bob")
    await bob.set_up()
    await hearing.hear_of(stream, bob.account_id)
    await end_sessions(bob)
    heard = await hearing.heard(stream, count=1)
    return [one.subject["user"]["id"] for one in heard] == [bob.account_id]


def refused(answer: httpx.Response, code: str, status: int) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code)


# --- Streams ---


async def test_the_configuration_says_where_everything_is(service: Service) -> None:
    answer = await service.http.get("/.well-known/ssf-configuration")
    told = answer.json()
    at = service.settings.origin

    assert told["spec_version"] == "1_0"
    assert told["issuer"] == at
    assert told["default_subjects"] == "NONE"
    assert told["delivery_methods_supported"] == ["urn:ietf:rfc:8935", "urn:ietf:rfc:8936"]
    assert told["authorization_schemes"] == [{"spec_urn": "urn:ietf:rfc:6750"}]
    for name, path in (
        ("jwks_uri", "jwks.json"),
        ("configuration_endpoint", "stream"),
        ("status_endpoint", "status"),
        ("add_subject_endpoint", "subjects:add"),
        ("remove_subject_endpoint", "subjects:remove"),
        ("verification_endpoint", "verify"),
    ):
        assert told[name] == f"{at}/v1/ssf/{path}"


async def test_a_stream_tells_what_was_asked_for_and_what_is_delivered(
    service: Service, broker: Hearer
) -> None:
    unknown = "https://example.com/other"
    mine = await broker.make(EVERY_KIND[0], unknown, description="ours")
    told = (await broker.ask("GET", "stream", stream_id=mine)).json()

    assert told["iss"] == service.settings.origin
    assert told["aud"] == AUDIENCE
    assert sorted(told["events_supported"]) == sorted(EVERY_KIND)
    assert told["events_requested"] == told["events_delivered"] == [EVERY_KIND[0]]
    assert told["description"] == "ours"
    assert told["min_verification_interval"] == 60
    url = f"{service.settings.origin}/v1/ssf/poll/{mine}"
    assert told["delivery"] == {"endpoint_url": url, "method": "urn:ietf:rfc:8936"}
    assert (await broker.ask("GET", "stream")).json() == [told]


async def test_no_more_is_delivered_than_the_operator_allows(service: Service) -> None:
    narrow = hearer(service, "narrow", events=("account-disabled",))
    await narrow.make()
    (told,) = (await narrow.ask("GET", "stream")).json()

    assert len(told["events_requested"]) == len(EVERY_KIND)
    assert told["events_supported"] == told["events_delivered"] == [RISC + "account-disabled"]


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_a_change_may_repeat_what_is_ours_to_say(broker: Hearer, method: str) -> None:
    mine = await broker.make(EVERY_KIND[0], description="before")
    told = (await broker.ask("GET", "stream", stream_id=mine)).json()
    told |= {"description": "after", "events_supported": told["events_supported"][::-1]}
    for again in (told, {**told, "aud": [AUDIENCE]}):
        changed = await broker.ask(method, "stream", again)
        assert changed.status_code == 200, changed.text
        assert changed.json()["description"] == "after"


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize(
    "member",
    [
        {"iss": "https://other.example"},
        {"aud": "https://other.example"},
        {"aud": [AUDIENCE, "https://other.example"]},
        {"events_supported": []},
        {"events_delivered": list(EVERY_KIND[:2])},
        {"min_verification_interval": 1},
    ],
)
async def test_a_change_of_what_is_ours_to_say_is_refused(
    broker: Hearer, method: str, member: dict[str, object]
) -> None:
    mine = await broker.make(EVERY_KIND[0], description="before")
    asked = {"stream_id": mine, "description": "after", **member}

    refused(await broker.ask(method, "stream", asked), "told_stream_refused", 400)
    told = (await broker.ask("GET", "stream", stream_id=mine)).json()
    assert told["description"] == "before"


async def test_a_stream_is_changed_in_part_or_whole(broker: Hearer) -> None:
    mine = await broker.make(description="before")
    patched = await broker.ask(
        "PATCH", "stream", {"stream_id": mine, "events_requested": [EVERY_KIND[0]]}
    )
    assert patched.json()["description"] == "before"
    assert patched.json()["events_requested"] == [EVERY_KIND[0]]

    put = await broker.ask("PUT", "stream", {"stream_id": mine, "description": "after"})
    assert put.json()["description"] == "after"
    assert put.json()["events_requested"] == []


async def test_of_two_who_change_a_stream_at_once_one_is_told_to_look_again(
    broker: Hearer,
) -> None:
    """Prevents: a receiver that is told that its stream is gone, and makes another about nobody."""
    mine = await broker.make()
    changes = [{"stream_id": mine, "description": f"number {number}"} for number in range(6)]

    answers = await asyncio.gather(*(broker.ask("PATCH", "stream", one) for one in changes))

    codes = {one.json()["code"] for one in answers if one.status_code != 200}
    assert codes <= {"told_stream_changed"}
    told = (await broker.ask("GET", "stream", stream_id=mine)).json()["description"]
    assert told in [one.json()["description"] for one in answers if one.status_code == 200]


async def test_a_change_of_a_stream_that_goes_meanwhile_is_of_none(
    service: Service, broker: Hearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, shelf = await broker.make(), told_streams.SqlToldStreams
    replace = shelf.replace

    async def late(self: told_streams.SqlToldStreams, *stream: ToldStream, version: int) -> None:
        await self.remove(stream[0].stream_id)
        await replace(self, *stream, version=version)

    monkeypatch.setattr(shelf, "replace", late)
    change = {"stream_id": mine, "description": "late"}
    refused(await broker.ask("PATCH", "stream", change), "told_stream_not_found", 404)


async def test_a_deleted_stream_is_gone(broker: Hearer) -> None:
    mine = await broker.make()
    assert (await broker.ask("DELETE", "stream", stream_id=mine)).status_code == 204

    for method in ("GET", "DELETE"):
        refused(await broker.ask(method, "stream", stream_id=mine), "told_stream_not_found", 404)
    refused(await broker.ask("GET", "stream", stream_id="x"), "told_stream_not_found", 404)


KEYS = "SELECT count(*) FROM subject_key WHERE subject LIKE 'ssf%'"


async def test_the_key_of_a_deleted_stream_goes_with_it_and_no_other(
    broker: Hearer, alice: Customer, database: TestDatabase
) -> None:
    mine, other = await broker.make(), await broker.make()
    for one in (mine, other):
        await broker.hear_of(one, alice.account_id)
    await freeze(alice)
    assert (await broker.ask("DELETE", "stream", stream_id=mine)).status_code == 204

    assert await database.value(KEYS) == 1
    assert await broker.heard(other, count=1)
    assert await database.value("SELECT count(*) FROM told_subject") == 1


async def test_the_key_of_each_stream_goes_with_its_receiver(
    world: World, service: Service, broker: Hearer, database: TestDatabase
) -> None:
    for _ in range(2):
        await broker.make()
    (kept,) = listed_receivers(world.settings)

    assert await remove_receiver(world, kept.name) == 2
    assert await database.value(KEYS) == 0


async def test_a_receiver_stays_where_its_streams_cannot_be_forgotten(
    world: World, service: Service, broker: Hearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(_: World) -> NoReturn:
        raise UnavailableError("the database does not answer")

    await broker.make()
    monkeypatch.setattr(transmitting, "open_streams", down)
    with pytest.raises(UnavailableError):
        await remove_receiver(world, "broker")
    monkeypatch.undo()

    assert await remove_receiver(world, "broker") == 1


async def test_a_receiver_of_which_half_was_forgotten_is_removed_by_the_same_command(
    world: World, service: Service, broker: Hearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents: a stream that no name leads to any more, after a disk that was full."""

    def full(_: ReceiverFile, name: str) -> NoReturn:
        raise OSError(28, "No space left on device", name)

    await broker.make()
    monkeypatch.setattr(ReceiverFile, "remove", full)
    with pytest.raises(OSError, match="No space"):
        await remove_receiver(world, "broker")
    monkeypatch.undo()
    await broker.make()

    assert await remove_receiver(world, "broker") == 1
    assert listed_receivers(world.settings) == ()


async def test_a_receiver_goes_whatever_somebody_did_to_its_streams(
    world: World, service: Service, broker: Hearer, database: TestDatabase
) -> None:
    """Prevents: one changed row, by which a token that was stolen opens its streams for ever."""
    broken, _ = await broker.make(), await broker.make()
    await database.execute("UPDATE told_stream SET version = version + 1 WHERE id = $1", broken)

    assert await remove_receiver(world, "broker") == 2
    assert listed_receivers(world.settings) == ()
    assert await database.value("SELECT count(*) FROM told_stream") == 0


async def test_no_customers_key_goes_by_way_of_a_stream(
    alice: Customer, database: TestDatabase
) -> None:
    """Prevents: the application's role, which may delete no key, and so erases nobody."""
    async with database.app() as app:
        await app.execute(
            "INSERT INTO told_stream (id, receiver, pushed, version, box, position)"
            " VALUES ($1, 'x', false, 1, '', 0)",
            alice.account_id,
        )
        assert await app.execute("DELETE FROM told_stream") == "DELETE 1"

    own = "SELECT count(*) FROM subject_key WHERE subject = $1"
    assert await database.value(own, alice.account_id) == 1


async def test_a_receiver_has_four_streams_at_most(
    service: Service, broker: Hearer, database: TestDatabase
) -> None:
    """Prevents: streams that are made at the same moment, each as the last one."""
    made = await asyncio.gather(*(broker.ask("POST", "stream", {}) for _ in range(9)))

    assert sorted(answer.status_code for answer in made) == [201] * 4 + [409] * 5
    refused(await broker.ask("POST", "stream", {}), "told_streams_full", 409)
    assert await database.value(KEYS) == 4
    await hearer(service, "another").make()


async def test_another_receivers_stream_is_not_told_from_none(
    service: Service, broker: Hearer, alice: Customer
) -> None:
    mine, other = await broker.make(), hearer(service, "other")

    for answer in (
        await other.ask("GET", "stream", stream_id=mine),
        await other.ask("PATCH", "stream", {"stream_id": mine}),
        await other.ask("DELETE", "stream", stream_id=mine),
        await other.ask("GET", "status", stream_id=mine),
        await other.ask("POST", "status", {"stream_id": mine, "status": "disabled"}),
        await other.ask("POST", "verify", {"stream_id": mine}),
        await other.ask("POST", f"poll/{mine}", {}),
        await other.hear_of(mine, alice.account_id),
    ):
        refused(answer, "told_stream_not_found", 404)


async def test_only_a_receivers_own_token_opens_these_routes(
    service: Service, broker: Hearer
) -> None:
    platform = service.http.headers["authorization"]
    for shown in (platform, "Bearer x", "Basic x", "", f"Token {broker.token}"):
        answer = await service.http.get("/v1/ssf/stream", headers={"authorization": shown})
        refused(answer, "signal_receiver_token_refused", 401)
        wrong = ', error="invalid_token"' if shown.startswith("Bearer") else ""
        assert answer.headers["www-authenticate"] == f'Bearer realm="twinlock"{wrong}'
    answer = await service.http.get(
        f"/v1/accounts/{NOBODY}", headers={"authorization": f"Bearer {broker.token}"}
    )
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_of_a_token_its_hash_alone_is_kept(service: Service, broker: Hearer) -> None:
    held = (service.settings.data_dir / "signal-receivers.json").read_text()

    assert broker.token not in held
    assert len(listed_receivers(service.settings)) == 1


@pytest.mark.parametrize(
    "wanted",
    [
        {"delivery": {"method": "urn:ietf:rfc:8935", "endpoint_url": "https://other.example/x"}},
        {"delivery": {"method": "urn:ietf:rfc:8935", "endpoint_url": "http://broker.example/x"}},
        {"delivery": {"method": "urn:ietf:rfc:8935"}},
        {
            "delivery": {
                "method": "urn:ietf:rfc:8935",
                "endpoint_url": "https://broker.example/x",
                "authorization_header": "Bearer\nx: y",
            }
        },
        {"description": "x" * 257},
        {"description": "x\n"},
        {"events_requested": ["x"] * 65},
        {"delivery": {"method": "carrier-pigeon"}},
        {"delivery": {"endpoint_url": "https://broker.example/x"}},
        {"delivery": {}},
    ],
)
async def test_a_stream_that_cannot_be_is_refused(
    service: Service, wanted: dict[str, object]
) -> None:
    broker = hearer(service, push_to=("https://broker.example",))
    answer = await broker.ask("POST", "stream", wanted)

    assert answer.status_code == 400
    assert (await broker.ask("GET", "stream")).json() == []


async def test_where_tokens_are_pushed_is_told_and_the_header_is_not(service: Service) -> None:
    broker = hearer(service, push_to=("https://broker.example",))
    push = {
        "method": "urn:ietf:rfc:8935",
        "endpoint_url": "https://broker.example/x",
        "authorization_header": "Bearer geheim",
    }
    answer = await broker.ask("POST", "stream", {"delivery": push})

    assert answer.json()["delivery"] == {key: push[key] for key in ("method", "endpoint_url")}
    assert "geheim" not in answer.text
    mine = answer.json()["stream_id"]
    refused(await broker.ask("POST", f"poll/{mine}", {}), "told_stream_refused", 400)

    polled = {"stream_id": mine, "delivery": {"method": "urn:ietf:rfc:8936"}}
    changed = await broker.ask("PATCH", "stream", polled)
    url = f"{service.settings.origin}/v1/ssf/poll/{mine}"
    assert changed.json()["delivery"] == {"method": "urn:ietf:rfc:8936", "endpoint_url": url}
    assert (await broker.poll(mine))["sets"] == {}


# --- What is told ---


async def test_a_receiver_is_told_of_an_account_that_it_added(
    broker: Hearer, alice: Customer
) -> None:
    mine = await broker.make()
    assert (await broker.hear_of(mine, alice.account_id)).status_code == 200
    await end_sessions(alice)

    (heard,) = await broker.heard(mine, count=1)
    assert heard.event == CAEP + "session-revoked"
    assert heard.subject["user"] == {"format": "opaque", "id": alice.account_id}
    assert heard.subject["session"]["id"].startswith("ses_")
    assert heard.claims["event_timestamp"] == int(alice.service.clock.at.timestamp())
    assert (await broker.poll(mine)) == {"sets": {}, "moreAvailable": False}


async def test_an_account_is_named_as_the_receiver_named_it(
    service: Service, broker: Hearer, alice: Customer
) -> None:
    mine = await broker.make(RISC + "account-disabled")
    subject = {"format": "iss_sub", "iss": service.settings.origin, "sub": alice.account_id}
    await broker.hear_of(mine, "", **subject)
    await freeze(alice)

    (heard,) = await broker.heard(mine, count=1)
    assert (heard.event, heard.subject) == (RISC + "account-disabled", subject)


async def test_nobody_is_told_of_accounts_that_they_did_not_add(
    service: Service, broker: Hearer, alice: Customer
) -> None:
    mine = await broker.make()
    other = hearer(service, "other")
    theirs = await other.make()
    bob = Customer(service, "bob")
    await bob.set_up()
    await broker.hear_of(mine, bob.account_id)
    await end_sessions(alice)
    await end_sessions(bob)

    (heard,) = await broker.heard(mine, count=1)
    assert heard.subject["user"]["id"] == bob.account_id
    assert (await other.poll(theirs))["sets"] == {}


async def test_an_event_that_was_not_asked_for_is_not_told(broker: Hearer, alice: Customer) -> None:
    mine = await broker.make(RISC + "account-disabled")
    await broker.hear_of(mine, alice.account_id)
    await end_sessions(alice)
    await freeze(alice)

    (heard,) = await broker.heard(mine, count=1)
    assert heard.event == RISC + "account-disabled"


async def test_two_receivers_cannot_compare_names(
    service: Service, broker: Hearer, alice: Customer
) -> None:
    other = hearer(service, "other")
    streams = [(one, await one.make(RISC + "account-disabled")) for one in (broker, other)]
    for one, stream in streams:
        await one.hear_of(stream, alice.account_id)
    await freeze(alice)

    heard = [(await one.heard(stream, count=1))[0] for one, stream in streams]
    assert heard[0].jti != heard[1].jti


async def test_who_is_named_by_an_address_or_not_known_is_not_told_from_anybody(
    broker: Hearer, alice: Customer, database: TestDatabase
) -> None:
    mine = await broker.make()
    answers = [
        await broker.hear_of(mine, NOBODY),
        await broker.hear_of(mine, "no account"),
        await broker.hear_of(mine, "", format="email", email="alice@example.com"),
        await broker.hear_of(mine, "", format="opaque", id=7),
        await broker.hear_of(mine, "", format="iss_sub", iss="other", sub=alice.account_id),
        await broker.hear_of(mine, alice.account_id),
    ]

    assert {(one.status_code, one.content) for one in answers} == {(200, b"")}
    assert await database.value("SELECT count(*) FROM told_subject") == 1


@pytest.mark.parametrize("subject", [{"id": "x"}, {"format": 1}, {"format": "complex"}])
async def test_what_is_no_subject_is_refused(broker: Hearer, subject: dict[str, object]) -> None:
    mine = await broker.make()
    asked = {"stream_id": mine, "subject": subject}

    refused(await broker.ask("POST", "subjects:add", asked), "told_stream_refused", 400)
    refused(await broker.ask("POST", "subjects:remove", asked), "told_stream_refused", 400)


async def test_whoever_adds_an_account_is_answered_with_an_empty_200(
    broker: Hearer, alice: Customer
) -> None:
    """Source: SSF 1.0, 8.1.3.2."""
    mine = await broker.make()
    answer = await broker.hear_of(mine, alice.account_id)

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == "0"
    assert "content-type" not in answer.headers


async def test_of_an_account_that_was_removed_nothing_more_is_told(
    broker: Hearer, alice: Customer
) -> None:
    mine = await broker.make()
    await broker.hear_of(mine, alice.account_id)
    await end_sessions(alice)
    await broker.waits(mine, 1)
    removed = {"stream_id": mine, "subject": {"format": "opaque", "id": alice.account_id}}
    assert (await broker.ask("POST", "subjects:remove", removed)).status_code == 204
    nobody = removed | {"subject": {"format": "email", "email": "x@example.com"}}
    assert (await broker.ask("POST", "subjects:remove", nobody)).status_code == 204
    await freeze(alice)

    assert await only_of_bob(broker, mine)


async def test_a_disabled_stream_names_nobody_who_was_erased(
    world: World, service: Service, broker: Hearer, alice: Customer, database: TestDatabase
) -> None:
    """Prevents: a row that says for ever who asked about somebody who is erased."""
    mine = await broker.make()
    await broker.hear_of(mine, alice.account_id)
    await broker.ask("POST", "status", {"stream_id": mine, "status": "disabled"})
    await ask_to_be_erased(alice)
    alice.service.clock.forward(days=40)
    await erase_due(service, world, database)

    assert await database.value("SELECT count(*) FROM told_subject") == 0


async def test_an_erased_account_is_told_of_once_and_what_waited_is_gone(
    world: World, service: Service, broker: Hearer, alice: Customer, database: TestDatabase
) -> None:
    mine = await broker.make()
    await broker.hear_of(mine, alice.account_id)
    await end_sessions(alice)
    await broker.waits(mine, 1)
    await ask_to_be_erased(alice)
    alice.service.clock.forward(days=40)
    await erase_due(service, world, database)

    (heard,) = await broker.heard(mine, count=1)
    assert heard.event == RISC + "account-purged"
    assert await database.value("SELECT count(*) FROM told_subject") == 0


# --- Polling ---


async def test_what_is_not_acknowledged_is_told_again_under_one_name(
    broker: Hearer, alice: Customer
) -> None:
    mine = await broker.make()
    await broker.hear_of(mine, alice.account_id)
    await end_sessions(alice)

    first = await broker.waits(mine, 1)
    assert await broker.waits(mine, 1) == first
    assert (await broker.poll(mine, ack=list(first)))["sets"] == {}


async def test_a_poll_gives_as_many_as_are_asked_for(broker: Hearer, alice: Customer) -> None:
    mine = await broker.make()
    await broker.hear_of(mine, alice.account_id)
    await end_sessions(alice)
    await freeze(alice)
    both = await broker.waits(mine, 2)

    polled = await broker.poll(mine, maxEvents=1, returnImmediately=True)
    assert polled["moreAvailable"] is True
    assert len(polled["sets"]) == 1
    assert polled["sets"].keys() < both.keys()
    assert (await broker.poll(mine, maxEvents=0))["sets"] == {}
    fewer = await broker.ask("POST", f"poll/{mine}", {"maxEvents": -1})
    refused(fewer, "told_stream_refused", 400)
    assert fewer.json()["detail"].startswith("maxEvents")
    odd = {
        "ack": ["\u0000", "x"],
        "setErrs": {f"set_{'a' * 26}": {"err": "\u0000"}, "\u0000": {"err": "x"}},
    }
    assert (await broker.ask("POST", f"poll/{mine}", odd)).status_code == 200
    many = {"ack": [f"x{number}" for number in range(901)]}
    refused(await broker.ask("POST", f"poll/{mine}", many), "told_stream_refused", 400)


async def test_as_many_tokens_as_one_poll_may_name_fit_into_its_body(broker: Hearer) -> None:
    """Prevents: a receiver that takes the limit at its word, and whose poll is too large."""
    mine = await broker.make()
    names = [f"set_{number:026}".translate(str.maketrans("01", "ab")) for number in range(900)]

    assert (await broker.ask("POST", f"poll/{mine}", {"ack": names})).status_code == 200


async def test_what_a_receiver_refuses_is_kept_dead(
    broker: Hearer, alice: Customer, database: TestDatabase
) -> None:
    mine = await broker.make()
    await broker.hear_of(mine, alice.account_id)
    await end_sessions(alice)
    (jti,) = await broker.waits(mine, 1)
    errs = {jti: {"err": "invalid_key", "description": "x"}}

    assert (await broker.poll(mine, setErrs=errs))["sets"] == {}
    assert await database.value("SELECT fault FROM told_token") == "invalid_key"


async def test_of_what_a_receiver_refuses_the_newest_is_kept(
    broker: Hearer, alice: Customer, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents: a receiver that takes nothing, for ever."""
    monkeypatch.setattr(told_streams, "TOLD_DEAD_MOST", 2)
    mine, other = await broker.make(), await broker.make()
    for stream in (mine, other):
        await broker.hear_of(stream, alice.account_id)
    names = []
    for _ in range(3):
        await freeze(alice)
        waits = list(await broker.waits(mine, 1))
        names += waits
        await broker.poll(mine, setErrs={jti: {"err": "invalid_key"} for jti in waits})
        lifted = await alice.propose("freeze.lift")
        await alice.with_passkey(lifted.action_id)

    dead = "SELECT string_agg(jti, ' ' ORDER BY id) FROM told_token WHERE due_at IS NULL"
    assert await database.value(dead) == " ".join(names[-2:])
    assert len(await broker.waits(other, 3)) >= 3


# --- Status and verification ---


async def test_a_paused_stream_keeps_what_it_would_tell(
    broker: Hearer, alice: Customer, database: TestDatabase
) -> None:
    mine = await broker.make()
    await broker.hear_of(mine, alice.account_id)
    paused = {"stream_id": mine, "status": "paused", "reason": "moving"}
    assert (await broker.ask("POST", "status", paused)).json() == paused
    assert (await broker.ask("GET", "status", stream_id=mine)).json() == paused
    await end_sessions(alice)
    await seen(lambda: database.value("SELECT count(*) FROM told_token"))
    assert (await broker.poll(mine))["sets"] == {}

    await broker.ask("POST", "status", {"stream_id": mine, "status": "enabled"})
    assert len(await broker.heard(mine, count=1)) == 1


async def test_a_disabled_stream_keeps_nothing(broker: Hearer, alice: Customer) -> None:
    mine = await broker.make()
    await broker.hear_of(mine, alice.account_id)
    await end_sessions(alice)
    await broker.waits(mine, 1)
    await broker.ask("POST", "status", {"stream_id": mine, "status": "disabled"})
    await freeze(alice)
    await broker.ask("POST", "status", {"stream_id": mine, "status": "enabled"})

    assert await only_of_bob(broker, mine)


@pytest.mark.parametrize("call", ["status", "subjects:remove"])
async def test_what_a_process_keeps_at_that_moment_is_forgotten_as_well(
    broker: Hearer, alice: Customer, database: TestDatabase, call: str
) -> None:
    mine = await broker.make()
    asked: dict[str, object] = {"stream_id": mine, "status": "disabled"}
    if call == "subjects:remove":
        asked = {"stream_id": mine, "subject": {"format": "opaque", "id": alice.account_id}}

    async with database.app() as process, process.transaction():
        await process.execute("UPDATE told_stream SET position = position WHERE id = $1", mine)
        await process.execute(
            "INSERT INTO told_token (stream_id, subject, jti, box, due_at)"
            " VALUES ($1, $2, 'set_a', '', clock_timestamp())",
            mine,
            alice.account_id,
        )
        forgets = asyncio.create_task(broker.ask("POST", call, asked))
        await database.somebody_waits_for_a_lock()

    assert (await forgets).is_success
    assert await database.value("SELECT count(*) FROM told_token") == 0


@pytest.mark.parametrize("call", ["status", "subjects:add", "subjects:remove"])
async def test_a_stream_that_goes_while_it_is_changed_is_told_as_gone(
    broker: Hearer, alice: Customer, database: TestDatabase, call: str
) -> None:
    mine = await broker.make()
    named: dict[str, object] = {"subject": {"format": "opaque", "id": alice.account_id}}
    asked = {"stream_id": mine, **({"status": "paused"} if call == "status" else named)}

    async with database.app() as process, process.transaction():
        await process.execute("DELETE FROM told_stream WHERE id = $1", mine)
        changes = asyncio.create_task(broker.ask("POST", call, asked))
        await database.somebody_waits_for_a_lock()

    refused(await changes, "told_stream_not_found", 404)


async def test_a_stream_is_verified_once_a_minute(service: Service, broker: Hearer) -> None:
    mine = await broker.make()
    asked = {"stream_id": mine, "state": "VGhpcyBpcyBhbiBleGFtcGxl"}
    assert (await broker.ask("POST", "verify", asked)).status_code == 204
    refused(await broker.ask("POST", "verify", asked), "verified_too_often", 429)
    long = asked | {"state": "x" * 1_025}
    refused(await broker.ask("POST", "verify", long), "told_stream_refused", 400)

    (heard,) = await broker.heard(mine, count=1)
    assert heard.event == VERIFICATION
    assert heard.claims == {"state": asked["state"]}
    assert heard.subject == {"format": "opaque", "id": mine}
    service.clock.at += timedelta(minutes=1)
    assert (await broker.ask("POST", "verify", {"stream_id": mine})).status_code == 204
    (again,) = await broker.heard(mine, count=1)
    assert again.claims == {}


async def test_a_clock_that_is_a_little_behind_verifies_no_stream_twice(
    service: Service, broker: Hearer
) -> None:
    """Prevents: two processes that are asked at once, and each of which sends a token."""
    mine, told = await broker.make(), service.api.use.transmitting
    assert told is not None
    receiver = told.receiver(broker.token)
    await told.verify(receiver, mine, state="")
    service.clock.at -= timedelta(milliseconds=1)
    with pytest.raises(VerifiedTooOftenError):
        await told.verify(receiver, mine, state="")

    service.clock.at -= timedelta(minutes=1)  # That was no other process.
    await told.verify(receiver, mine, state="")
    assert len((await told.poll(receiver, mine, Poll())).sets) == 2


async def test_a_stream_that_nobody_reads_is_not_verified_for_ever(
    service: Service, broker: Hearer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(told_streams, "TOLD_WAITING_MOST", 2)
    asked = {"stream_id": await broker.make()}
    for _ in range(2):
        assert (await broker.ask("POST", "verify", asked)).status_code == 204
        service.clock.at += timedelta(minutes=1)
    refused(await broker.ask("POST", "verify", asked), "verified_too_often", 429)

    await broker.heard(asked["stream_id"], count=2)
    assert (await broker.ask("POST", "verify", asked)).status_code == 204


async def test_another_installations_receiver_believes_it(
    service: Service, broker: Hearer, alice: Customer
) -> None:
    bob = Customer(service, "bob")
    await bob.set_up()
    mine = await broker.make(RISC + "account-disabled")
    await broker.hear_of(mine, alice.account_id)
    await freeze(alice)
    (token,) = (await broker.waits(mine, 1)).values()
    keys = (await service.http.get("/v1/ssf/jwks.json")).text
    stream = Stream(stream_id="twin", issuer=service.settings.origin, audience=AUDIENCE, keys=keys)

    heard = await service.api.use.signals.receive(stream, token)
    assert (heard.kind, heard.accounts) == ("account-disabled", 1)
