"""AuthZEN 1.0 and step-ups (RFC 9470): what the gate would say, asked without acting."""

import re
from typing import Any, TypeAlias

import httpx
import pytest
from support.postgres import TestDatabase
from support.service import ADDRESS, PASSWORD, Customer, Service

from twinlock.client import step_up
from twinlock.domain.bounds import EVALUATIONS_MOST
from twinlock.domain.ids import parse_account_id
from twinlock.proofs.device_keys import read_jwk
from twinlock.services.platform_keys import Scope

Json: TypeAlias = Any
ONE, MANY = "/access/v1/evaluation", "/access/v1/evaluations"
TABLES = ("stream", "event", "leaf", "tile", "outbox", "idempotency", "message_nonce")
PASSKEY = "urn:twinlock:acr:phishing_resistant"


def question(account_id: str, action: str, resource: dict[str, Json], **context: Json) -> Json:
    return {
        "subject": {"type": "account", "id": account_id},
        "action": {"name": action},
        "resource": resource,
        "context": context,
    }


def freezing(account_id: str) -> Json:
    return question(account_id, "freeze.set", {"type": "account", "id": account_id})


def withdrawing(alice: Customer, amount: str = "10", **context: Json) -> Json:
    """Return the question whether Alice may withdraw, as her withdrawal would be proposed."""
    fields = alice.withdrawal(amount)
    address = fields.pop("address")
    resource = {"type": "destination", "id": address, "properties": fields}
    return question(alice.account_id, "withdrawal.crypto", resource, **context)


async def ask(service: Service, asked: Json, path: str = ONE) -> Json:
    answer = await service.http.post(path, json=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def rows(database: TestDatabase) -> list[Json]:
    return [
        await database.fetch(f"SELECT * FROM {table}")  # noqa: S608 - names of ours
        for table in TABLES
    ]


async def test_a_question_is_answered_with_what_a_proposal_would_be(
    service: Service, alice: Customer
) -> None:
    await alice.add_destination()
    told = await ask(service, withdrawing(alice))
    proposed = await service.http.post(
        "/v1/actions",
        json={
            "account_id": alice.account_id,
            "type": "withdrawal.crypto",
            "payload": alice.withdrawal(),
        },
        headers={"Idempotency-Key": service.key()},
    )

    said, context = proposed.json(), told["context"]
    assert told["decision"] is False
    assert (context["answer"], context["digest"]) == (said["answer"], said["digest"])
    assert context["reasons"] == said["why"]
    assert context["authorizes"] is False
    assert "Only an action" in context["note"]
    assert without_more(context["obligations"]) == said["requirement"]


def without_more(tree: Json) -> Json:
    """Return a tree of obligations as the requirement that it was."""
    if isinstance(tree, list):
        return [without_more(one) for one in tree]
    if not isinstance(tree, dict):
        return tree
    return {
        name: without_more(one) for name, one in tree.items() if name not in ("acr", "enrolled")
    }


async def test_an_obligation_to_prove_names_level_roots_and_what_the_account_has(
    service: Service, alice: Customer
) -> None:
    await alice.add_destination()
    told = await ask(service, withdrawing(alice))

    leaves = [one for one in found(told["context"]["obligations"]) if one["need"] == "prove"]
    assert leaves
    assert {one["acr"].partition(":2_roots")[0] for one in leaves} == {PASSKEY}
    assert all(one["enrolled"] == ["passkey"] for one in leaves)
    assert told["context"]["step_up"]["max_age"] == 0
    assert told["context"]["step_up"]["acr_values"].split(" ")[0].startswith(PASSKEY)


def found(tree: Json) -> list[Json]:
    inner = tree.get("options", tree.get("parts"))
    return [tree] if inner is None else [leaf for one in inner for leaf in found(one)]


async def test_a_yes_is_what_the_gate_would_say_and_opens_nothing(
    service: Service, database: TestDatabase, alice: Customer
) -> None:
    await alice.add_destination(budget_cents=50_00)
    proposal = {
        "account_id": alice.account_id,
        "type": "withdrawal.crypto",
        "payload": alice.withdrawal(),
    }
    preview = await service.client.preview(proposal)
    await alice.sign_in()
    signed = alice.signed(preview["digest"], purpose="proposal", name="withdraw-0001")
    await service.deliver()
    before = await rows(database)

    asked = withdrawing(alice, session=signed, idempotency_key="withdraw-0001")
    told = await ask(service, asked)

    assert told["decision"] is True
    assert told["context"]["answer"] == "allow"
    assert told["context"]["authorizes"] is False
    assert not {"authorization", "obligations", "reasons", "step_up"} & told["context"].keys()
    assert await rows(database) == before
    # The same signature is good for the proposal itself, which the gate says yes to as well.
    answer = await service.client.propose({**proposal, "session": signed}, key="withdraw-0001")
    assert answer.state == "authorized"
    # What is over the budget of the day is no.
    assert not (await ask(service, withdrawing(alice, "60", session=signed)))["decision"]


async def test_a_signature_for_another_proposal_is_none(service: Service, alice: Customer) -> None:
    await alice.add_destination(budget_cents=50_00)
    await alice.sign_in()
    proposal = {
        "account_id": alice.account_id,
        "type": "withdrawal.crypto",
        "payload": alice.withdrawal("9"),
    }
    digest = (await service.client.preview(proposal))["digest"]
    signed = alice.signed(digest, purpose="proposal", name="withdraw-0001")

    contexts: tuple[dict[str, Json], ...] = (
        {"session": signed, "idempotency_key": "withdraw-0001"},  # Ten are asked for, nine signed.
        {"session": signed, "idempotency_key": ""},
        {"session": {"session_id": alice.session_id}, "idempotency_key": "withdraw-0001"},
    )
    for context in contexts:
        assert (await ask(service, withdrawing(alice, **context)))["decision"] is False


async def test_whatever_is_asked_nothing_is_kept_told_or_begun(
    service: Service, database: TestDatabase, alice: Customer
) -> None:
    held = await alice.withdraw("1000000")
    service.clock.forward(days=3)  # What waits is due now, and stays so until something acts.
    await service.deliver()
    before = await rows(database)
    letters = sorted(service.settings.outbox_dir.iterdir())

    questions = [
        freezing(alice.account_id),
        withdrawing(alice),
        withdrawing(alice, value_cents=10**12),
        question(alice.account_id, "freeze.lift", {"type": "account", "id": alice.account_id}),
        question(alice.account_id, "can_read", {"type": "document", "id": "1"}),
        question(
            alice.account_id,
            "destination.add",
            {"type": "destination", "id": ADDRESS, "properties": {"network": "ethereum"}},
        ),
        question(
            alice.account_id,
            "session.start",
            {
                "type": "device",
                "id": read_jwk(alice.device.jwk()).thumbprint(),
                "properties": {"device": alice.device.jwk()},
            },
        ),
    ]
    for _ in range(3):
        told = await ask(service, {"evaluations": questions}, MANY)
        answers = [one["context"].get("answer") for one in told["evaluations"]]
        assert answers[4] == "deny"
        assert None not in answers

    await service.deliver()
    assert await rows(database) == before
    assert sorted(service.settings.outbox_dir.iterdir()) == letters
    assert (await service.client.action(held.action_id)).state == "open"


async def test_what_is_due_is_decided_first_as_the_gate_would(
    service: Service, alice: Customer
) -> None:
    """A listing whose wait is over counts as listed, though nobody has acted since."""
    added = await alice.propose("destination.add", {"network": "ethereum", "address": ADDRESS})
    await alice.with_passkey(added.action_id)
    early = await ask(service, withdrawing(alice))
    service.clock.forward(hours=25)
    late = await ask(service, withdrawing(alice))

    account = await service.api.store.account(parse_account_id(alice.account_id))
    assert [one.action_id for one in account.actions] == [added.action_id]
    reasons = [{why["code"] for why in one["context"]["reasons"]} for one in (early, late)]
    assert reasons[0] - reasons[1]
    waits = [
        [one for one in found(told["context"]["obligations"]) if one["need"] == "wait"]
        for told in (early, late)
    ]
    assert waits[0]
    assert not waits[1]


async def test_a_question_that_our_own_fault_keeps_from_an_answer_is_no_decision(
    service: Service, database: TestDatabase, alice: Customer
) -> None:
    await database.execute("UPDATE stream SET box = 'x' WHERE kind = 'account'")

    for path, body in (
        (ONE, freezing(alice.account_id)),
        (MANY, {"evaluations": [freezing(alice.account_id)]}),
    ):
        answer = await service.http.post(path, json=body, headers={"X-Request-ID": "r-3"})
        assert (answer.status_code, answer.json()["code"]) == (500, "seal_broken")
        assert answer.headers["x-request-id"] == "r-3"


async def test_our_own_client_asks_too(service: Service, alice: Customer) -> None:
    one = await service.client.evaluate(freezing(alice.account_id))
    many = await service.client.evaluate_all({"evaluations": [freezing(alice.account_id)]})

    assert one.context.obligations is not None
    assert many.evaluations == (one,)
    assert step_up(await alice.propose("freeze.set")).startswith("Bearer error=")
    assert step_up(await alice.propose("recovery.open")) == ""


# --- Lists ---


def nonsense(account_id: str) -> Json:
    return question(account_id, "freeze.set", {"type": "document", "id": "1"})


async def test_a_list_is_answered_in_its_order_as_far_as_was_asked_for(
    service: Service, alice: Customer
) -> None:
    await alice.add_destination(budget_cents=50_00)
    await alice.sign_in()
    digest = (
        await service.client.preview(
            {
                "account_id": alice.account_id,
                "type": "withdrawal.crypto",
                "payload": alice.withdrawal(),
            }
        )
    )["digest"]
    signed = alice.signed(digest, purpose="proposal", name="withdraw-0001")
    yes = withdrawing(alice, session=signed, idempotency_key="withdraw-0001")
    no = freezing(alice.account_id)

    async def answered(semantic: str | None, *questions: Json) -> list[bool]:
        body: dict[str, Json] = {"evaluations": list(questions)}
        if semantic is not None:
            body["options"] = {"evaluations_semantic": semantic, "another_option": 1}
        told = await ask(service, body, MANY)
        assert told.keys() == {"evaluations"}
        return [one["decision"] for one in told["evaluations"]]

    assert await answered(None, yes, no, yes) == [True, False, True]
    assert await answered("execute_all", no, yes) == [False, True]
    assert await answered("deny_on_first_deny", yes, no, yes) == [True, False]
    assert await answered("deny_on_first_deny", yes, yes) == [True, True]
    assert await answered("permit_on_first_permit", no, yes, no) == [False, True]
    assert await answered("permit_on_first_permit", no, no) == [False, False]
    assert await answered("deny_on_first_deny", nonsense(alice.account_id), yes) == [False]


async def test_a_question_takes_from_the_list_what_it_leaves_out(
    service: Service, alice: Customer
) -> None:
    asked = {
        **freezing(alice.account_id),
        "evaluations": [
            {},
            {"action": {"name": "freeze.lift"}},
            {"subject": {"type": "account", "id": "acc_" + "a" * 26}},
            {"resource": {"type": "document", "id": "1"}},
        ],
    }
    told = (await ask(service, asked, MANY))["evaluations"]

    assert told[0] == await ask(service, freezing(alice.account_id))
    assert told[1]["context"]["digest"] != told[0]["context"]["digest"]
    assert told[2]["context"]["error"]["code"] == "malformed"  # Its resource is another account.
    assert told[3]["context"]["error"]["status"] == 400
    lacking = {"evaluations": [{"action": {"name": "freeze.set"}}]}
    (lonely,) = (await ask(service, lacking, MANY))["evaluations"]
    assert lonely["decision"] is False
    assert lonely["context"]["error"]["code"] == "malformed"


@pytest.mark.parametrize("more", [{}, {"evaluations": []}])
async def test_without_a_list_it_is_one_question(
    service: Service, alice: Customer, more: Json
) -> None:
    told = await ask(service, {**freezing(alice.account_id), **more}, MANY)

    assert told == await ask(service, freezing(alice.account_id))
    lacking = await service.http.post(MANY, json=more)
    assert (lacking.status_code, lacking.json()["code"]) == (400, "malformed")


# --- Nonsense ---


async def test_members_that_it_does_not_know_are_not_looked_at(
    service: Service, alice: Customer
) -> None:
    asked = freezing(alice.account_id)
    more = {
        "subject": {**asked["subject"], "properties": {"roles": ["root"]}, "x": 1},
        "action": {**asked["action"], "properties": {"method": "GET"}},
        "resource": {**asked["resource"], "x": 1},
        "context": {"time": "2026-11-28T10:00:00Z", "ip": ["203.0.113.7"]},
        "x": {"y": 1},
    }

    assert await ask(service, more) == await ask(service, asked)


WRONG = [
    pytest.param({"subject": None}, id="no subject"),
    pytest.param({"subject": {"type": "account"}}, id="no subject's id"),
    pytest.param({"subject": {"id": "acc_x"}}, id="no subject's type"),
    pytest.param({"subject": {"type": 1, "id": "acc_x"}}, id="a subject's type that is a number"),
    pytest.param({"action": {}}, id="no action's name"),
    pytest.param({"action": {"name": ""}}, id="an empty name"),
    pytest.param({"action": {"name": "x" * 65}}, id="a long name"),
    pytest.param({"resource": {"type": "account"}}, id="no resource's id"),
    pytest.param({"resource": "account"}, id="a resource that is a string"),
    pytest.param({"context": [1]}, id="a context that is a list"),
    pytest.param({"context": {"value_cents": -1}}, id="a negative value"),
    pytest.param({"context": {"session": "cookie"}}, id="a session that is a string"),
    pytest.param({"context": {"idempotency_key": "k" * 129}}, id="a long key"),
]


@pytest.mark.parametrize("change", WRONG)
async def test_a_request_that_has_no_form_is_refused_as_a_whole(
    service: Service, alice: Customer, change: dict[str, Json]
) -> None:
    body = {name: one for name, one in {**freezing(alice.account_id), **change}.items() if one}
    answer = await service.http.post(ONE, json=body, headers={"X-Request-ID": "r-1"})

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
    assert answer.headers["x-request-id"] == "r-1"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"evaluations": [{}] * (EVALUATIONS_MOST + 1)}, id="too many"),
        pytest.param({"evaluations": {}}, id="no list"),
        pytest.param({"evaluations": [1]}, id="a list of something else"),
        pytest.param({"options": {"evaluations_semantic": "all"}}, id="an unknown semantic"),
    ],
)
async def test_a_list_that_has_no_form_is_refused_as_a_whole(
    service: Service, alice: Customer, body: Json
) -> None:
    answer = await service.http.post(MANY, json={**freezing(alice.account_id), **body})

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


def of(alice: Customer, action: str, resource: dict[str, Json], **subject: str) -> Json:
    return {
        "subject": {"type": "account", "id": alice.account_id, **subject},
        "action": {"name": action},
        "resource": resource,
    }


async def test_what_makes_no_sense_here_is_no_and_says_why(
    service: Service, alice: Customer
) -> None:
    account = {"type": "account", "id": alice.account_id}
    place = {"network": "ethereum", "asset": "USDT", "amount": "1"}
    nowhere = {"type": "destination", "id": ADDRESS, "properties": {**place, "network": "moon"}}
    strange = {"type": "destination", "id": ADDRESS, "properties": {**place, "x": 1}}
    other = {"type": "destination", "id": ADDRESS, "properties": {**place, "address": "0x1"}}
    device = {"type": "device", "id": "x", "properties": {"device": alice.device.jwk()}}
    gone = {"type": "authenticator", "id": "aut_x"}
    secret = {"type": "account", "id": "x", "properties": {"password": PASSWORD}}
    none = "acc_" + "a" * 26
    asked = {
        "user": (of(alice, "freeze.set", account, type="user"), "malformed"),
        "nobody": (of(alice, "freeze.set", {"type": "account", "id": none}, id=none), None),
        "no id": (of(alice, "can_read", account, id="alice"), "malformed"),
        "another account": (of(alice, "freeze.set", {"type": "account", "id": none}), "malformed"),
        "another type": (of(alice, "withdrawal.crypto", account), "malformed"),
        "nowhere": (of(alice, "withdrawal.crypto", nowhere), "asset_unknown"),
        "strange": (of(alice, "withdrawal.crypto", strange), "malformed"),
        "two addresses": (of(alice, "withdrawal.crypto", other), "malformed"),
        "another device": (of(alice, "session.start", device), "malformed"),
        "gone": (of(alice, "authenticator.remove", gone), "target_not_found"),
        "a secret": (of(alice, "password.change", secret), "malformed"),
    }
    codes = {}
    for name, (one, _) in asked.items():
        told = await ask(service, one)
        assert told["decision"] is False
        assert "answer" not in told["context"]
        error = told["context"]["error"]
        assert 400 <= error["status"] < 500
        assert PASSWORD not in error["message"]
        codes[name] = error["code"]

    assert codes["nobody"] == "account_not_found"
    expected = {name: code for name, (_, code) in asked.items() if code is not None}
    assert {name: codes[name] for name in expected} == expected


async def test_who_asks_needs_a_key_that_may_propose_and_read(
    service: Service, alice: Customer
) -> None:
    async def status(*scopes: Scope) -> int:
        key = await service.platform_key(*scopes)
        headers = {"Authorization": f"Bearer {key}"}
        answer = await service.http.post(ONE, json=freezing(alice.account_id), headers=headers)
        return answer.status_code

    assert await status(Scope.READ) == await status(Scope.PROPOSE) == 403
    assert await status(Scope.READ, Scope.PROPOSE) == 200
    nobody = await service.http.post(
        ONE, json=freezing(alice.account_id), headers={"Authorization": "", "X-Request-ID": "r-2"}
    )
    assert (nobody.status_code, nobody.headers["x-request-id"]) == (401, "r-2")
    assert nobody.headers["www-authenticate"] == 'Bearer realm="twinlock"'


async def test_each_question_of_a_list_counts(service: Service, alice: Customer) -> None:
    body = {"evaluations": [freezing(alice.account_id)] * EVALUATIONS_MOST}
    statuses = [(await service.http.post(MANY, json=body)).status_code for _ in range(7)]

    assert statuses[:4] == [200] * 4
    assert statuses[-1] == 429


@pytest.mark.parametrize("name", ["bfe9eb29-ab87-4ca3-be83-a1d5d8305716", "a", "~" * 256])
async def test_a_request_keeps_its_name(service: Service, alice: Customer, name: str) -> None:
    answer = await service.http.post(
        ONE, json=freezing(alice.account_id), headers={"X-Request-ID": name}
    )

    assert answer.status_code == 200
    assert answer.headers.get_list("x-request-id") == [name]


@pytest.mark.parametrize("name", ["~" * 257, "\x7f", "\xff", " "])
async def test_a_name_that_cannot_be_told_again_is_refused(
    service: Service, alice: Customer, name: str
) -> None:
    asked = httpx.Request(
        "POST",
        f"http://service{ONE}",
        json=freezing(alice.account_id),
        headers=[
            (b"Authorization", service.http.headers["Authorization"].encode()),
            (b"X-Request-ID", name.encode("latin-1")),
        ],
    )
    answer = await service.http.send(asked)

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")
    assert "x-request-id" not in answer.headers


async def test_the_metadata_names_where_questions_are_asked(service: Service) -> None:
    answer = await service.http.get(
        "/.well-known/authzen-configuration", headers={"Authorization": ""}
    )
    told = answer.json()

    origin = service.settings.origin
    assert told["policy_decision_point"] == origin
    assert told["access_evaluation_endpoint"] == f"{origin}{ONE}"
    assert told["access_evaluations_endpoint"] == f"{origin}{MANY}"
    assert PASSKEY in told["acr_values_supported"]
    assert answer.headers["content-type"] == "application/json"


# --- Step-ups ---


def params_of(field: str) -> dict[str, str]:
    """Return the parameters of one challenge (RFC 9110, 11.2)."""
    scheme, _, rest = field.partition(" ")
    assert scheme == "Bearer"
    pairs = re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"(?:, |\Z)', rest)
    assert ", ".join(f'{name}="{value}"' for name, value in pairs) == rest
    return dict(pairs)


async def test_an_answer_that_asks_for_a_proof_carries_the_challenge_of_a_step_up(
    service: Service, alice: Customer
) -> None:
    await alice.add_destination()
    body = {
        "account_id": alice.account_id,
        "type": "withdrawal.crypto",
        "payload": alice.withdrawal(),
    }
    proposed = await service.http.post(
        "/v1/actions", json=body, headers={"Idempotency-Key": service.key()}
    )
    looked = await service.http.get(f"/v1/actions/{proposed.json()['action_id']}")
    supported = (await service.http.get("/.well-known/authzen-configuration")).json()

    assert (proposed.status_code, looked.status_code) == (201, 200)
    for answer in (proposed, looked):
        told = params_of(answer.headers["www-authenticate"])
        assert told["error"] == "insufficient_user_authentication"
        assert told["max_age"] == "0"
        values = told["acr_values"].split(" ")
        assert values
        assert set(values) <= set(supported["acr_values_supported"])


async def test_an_answer_that_no_proof_helps_carries_no_challenge(
    service: Service, alice: Customer
) -> None:
    await alice.add_destination()
    paid = await alice.withdraw()
    spent = await service.http.post(
        f"/v1/authorizations/{paid.action_id}/spend", json={"spend_id": "spend-0001"}
    )
    unknown = await service.http.post(
        "/v1/actions",
        json={"account_id": alice.account_id, "type": "recovery.open"},
        headers={"Idempotency-Key": service.key()},
    )

    assert (spent.json()["answer"], unknown.json()["answer"]) == ("allow", "deny")
    for answer in (spent, unknown):
        assert "www-authenticate" not in answer.headers
