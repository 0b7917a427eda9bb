"""Whatever fits the published schema is answered and breaks nothing."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin, YamlRenderPlugin
from schemathesis.core.result import Ok
from support.service import Customer, Service

Operation: TypeAlias = "schemathesis.APIOperation[Any, Any, Any, Any]"
Case: TypeAlias = "schemathesis.Case[Any]"
CASES = 12  # An operation; the schema has some ten.
TOKEN = "application/secevent+jwt"  # noqa: S105 - a media type


def in_bytes(value: object) -> bytes:
    return str(value).encode("utf-8", "replace")


schemathesis.serializer(TOKEN)(lambda _, value: in_bytes(value))


async def operations(service: Service) -> list[Operation]:
    described = (await service.http.get("/openapi/openapi.json")).json()
    schema = schemathesis.openapi.from_dict(described)
    return [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]


async def test_every_operation_answers_whatever_fits_its_schema(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    held = await alice.withdraw()
    ids = {
        "account_id": alice.account_id,
        "action_id": held.action_id,
        "webhook_id": f"wh_{'a' * 26}",
        "stream": "none",
        "stream_id": f"ssf_{'a' * 26}",
    }
    statuses: set[int] = set()

    for operation in await operations(service):
        await asyncio.to_thread(trying(operation, service, ids, statuses))

    assert {200, 201, 400} <= statuses
    assert max(statuses) < 500


async def test_every_answer_to_an_honest_customer_fits_its_schema(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    await alice.add_destination()
    held = await alice.propose("withdrawal.crypto", alice.withdrawal("1000000"))
    await alice.with_passkey(held.action_id)
    paid = await alice.withdraw("50.5")
    await service.client.spend(paid.action_id, spend_id="spend-0001", fee_minor="7")
    tried = 0

    for operation in await operations(service):
        for action_id in (held.action_id, paid.action_id):
            if operation.method == "get" and not operation.path.startswith("/v1/ssf/"):
                path = operation.path.format(account_id=alice.account_id, action_id=action_id)
                answer = await service.http.get(path)
                assert answer.status_code == 200, path
                operation.validate_response(answer)  # Raises, where it does not fit.
                tried += 1

    assert tried == 12


@pytest.mark.parametrize(
    ("path", "plugin"), [("openapi.json", JsonRenderPlugin), ("openapi.yaml", YamlRenderPlugin)]
)
async def test_the_schema_is_rendered_once_however_often_strangers_ask(
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    plugin: type[OpenAPIRenderPlugin],
) -> None:
    """Prevents: one without a key who keeps a process busy, and every freeze and veto waiting."""
    rendered: list[None] = []
    render: Callable[..., bytes] = plugin.render

    def counted(*arguments: object) -> bytes:
        rendered.append(None)
        return render(*arguments)

    monkeypatch.setattr(plugin, "render", counted)
    asked = [
        await service.http.get(f"/openapi/{path}", headers={"Authorization": ""}) for _ in range(3)
    ]

    assert len({one.content for one in asked}) == 1
    assert asked[0].status_code == 200
    assert len(rendered) <= 1  # Another test may have asked before.


async def test_the_schema_names_the_key_that_everything_takes_that_acts(service: Service) -> None:
    described = (await service.http.get("/openapi/openapi.json")).json()
    takes = {
        path: any(one["name"] == "Idempotency-Key" for one in found["post"].get("parameters", []))
        for path, found in described["paths"].items()
        if "post" in found
    }

    assert described["openapi"].startswith("3.1")
    # A preview and a question act on nothing; a spend, an outcome and a signal are named by ids of
    # their own; an intent counts each time it is asked; what is revoked stays so, asked again; the
    # Shared Signals Framework knows no such keys.
    assert {path for path, one in takes.items() if not one} == {
        "/v1/intents",
        "/v1/api-keys/revoke",
        "/v1/notices/outcomes/{webhook_id}",
        "/v1/signals/{stream}",
        "/v1/ssf/stream",
        "/v1/ssf/status",
        "/v1/ssf/subjects:add",
        "/v1/ssf/subjects:remove",
        "/v1/ssf/verify",
        "/v1/ssf/poll/{stream_id}",
        "/v1/payloads",
        "/v1/authorizations/{action_id}/spend",
        "/access/v1/evaluation",
        "/access/v1/evaluations",
    }


def named(part: Any) -> Iterator[Any]:  # noqa: ANN401 - any JSON
    """Yield each form that a part of the document names, by its reference or in place."""
    if isinstance(part, dict):
        yield from (part[name] for name in ("$ref", "schema") if name in part)
    for one in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from named(one)


async def test_every_form_that_the_schema_names_is_in_it(service: Service) -> None:
    """Prevents: a generator of clients that stops at a reference which leads nowhere."""
    described = (await service.http.get("/openapi/openapi.json")).json()
    found = list(named(described["paths"]))
    there = {f"#/components/schemas/{name}" for name in described["components"]["schemas"]}

    assert {one for one in found if isinstance(one, str)} <= there
    assert None not in found


async def test_the_schema_says_what_a_transmitter_pushes_and_how_it_is_refused(
    service: Service,
) -> None:
    described = (await service.http.get("/openapi/openapi.json")).json()
    pushed = described["paths"]["/v1/signals/{stream}"]["post"]

    assert pushed["requestBody"]["content"] == {TOKEN: {"schema": {"type": "string"}}}
    assert pushed["requestBody"]["required"] is True
    assert pushed["responses"]["default"]["content"] == {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}},
        "application/json": {"schema": {"$ref": "#/components/schemas/SignalRefusal"}},
    }
    assert described["components"]["schemas"]["SignalRefusal"]["required"] == ["err", "description"]


async def test_the_schema_asks_no_platform_key_of_a_carrier(service: Service) -> None:
    described = (await service.http.get("/openapi/openapi.json")).json()

    outcome = described["paths"]["/v1/notices/outcomes/{webhook_id}"]["post"]
    assert outcome["security"] == [{}]


async def test_the_schema_asks_a_receiver_of_signals_for_its_own_token(service: Service) -> None:
    """Prevents: a client, made from the schema, that shows its platform key to no avail."""
    described = (await service.http.get("/openapi/openapi.json")).json()
    asked = {
        path: one.get("security")
        for path, methods in described["paths"].items()
        if path.startswith("/v1/ssf/")
        for one in methods.values()
    }

    assert asked.pop("/v1/ssf/jwks.json") == [{}]
    assert list(asked.values()) == [[{"receiverToken": []}]] * 6
    schemes = described["components"]["securitySchemes"]
    assert (
        schemes["receiverToken"] == schemes["platformKey"] == {"type": "http", "scheme": "bearer"}
    )


async def test_a_pattern_of_the_schema_begins_and_ends_as_ecma_262_says(service: Service) -> None:
    """Prevents: a platform's validator, in which ``\\A`` is the letter, refusing what we take."""
    described = (await service.http.get("/openapi/openapi.json")).json()
    patterns = {
        f"{name}.{field}": form["pattern"]
        for name, one in described["components"]["schemas"].items()
        for field, form in one.get("properties", {}).items()
        if "pattern" in form
    }

    assert patterns.keys() == {
        "Intent.pair",
        "Proposal.type",
        "Spending.fee_minor",
        "Spending.spend_id",
    }
    assert all(one[0] == "^" and one[-1] == "$" for one in patterns.values())
    assert "\\" not in patterns["Intent.pair"]


async def test_the_schema_names_the_name_that_a_question_may_have(service: Service) -> None:
    described = (await service.http.get("/openapi/openapi.json")).json()
    for path in ("/access/v1/evaluation", "/access/v1/evaluations"):
        (name,) = described["paths"][path]["post"]["parameters"]
        assert (name["name"], name["in"]) == ("X-Request-ID", "header")
        assert not name.get("required")


def trying(
    operation: Operation, service: Service, ids: dict[str, str], seen: set[int]
) -> Callable[[], None]:
    """Return a run of one operation's cases, to be made outside the event loop."""
    loop = asyncio.get_running_loop()

    @settings(
        max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(case=operation.as_strategy(), known=st.booleans(), number=st.integers(0, 10**9))
    def answers(case: Case, known: bool, number: int) -> None:
        places = ids if known else dict.fromkeys(case.path_parameters, "x")
        sent = send(service, case, places, key=f"schema-{number:09d}")
        seen.add(asyncio.run_coroutine_threadsafe(sent, loop).result(30))

    return answers


async def send(service: Service, case: Case, places: dict[str, str], *, key: str) -> int:
    path = case.path.format(**places)
    body = case.body if isinstance(case.body, dict | list | str | int | bool) else None
    query = {name: str(value) for name, value in (case.query or {}).items()}
    sent: dict[str, Any] = {"json": body}
    headers = {"Idempotency-Key": key}
    if case.media_type == TOKEN:
        sent = {"content": in_bytes(body)}
        headers["Content-Type"] = TOKEN
    answer = await service.http.request(case.method, path, params=query, headers=headers, **sent)
    case.operation.validate_response(answer)  # Raises, where it does not fit.
    if answer.headers.get("content-type") == "application/json" and answer.status_code >= 400:
        assert case.operation.path == "/v1/signals/{stream}"
        assert answer.json().keys() == {"err", "description"}  # The form of RFC 8935, 2.4.
    elif answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"]
    return answer.status_code
