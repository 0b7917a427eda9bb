"""Every route that the application registers, walked: how each refuses, and what none ever says."""

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import NamedTuple

import httpx
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute
from prometheus_client.parser import text_string_to_metric_families
from support.browser import lent_pages, reach
from support.postgres import TestDatabase
from support.service import Customer, Service

from twinlock.api.app import UNROUTED
from twinlock.api.request import BATCH_BYTES_MOST
from twinlock.api.throttling import Buckets, RateLimitedError, share
from twinlock.services.platform_keys import Scope

PROBLEM = "application/problem+json"
PAGES = ("/confirm/", "/veto/", "/freeze/", "/static/", "/invited/", "/agree/", "/log")
SCRIPTED = ("/challenge", "/assertion", "/passkey")  # Of a page, and for our own script: JSON.
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
SIGNAL = "application/secevent+jwt"
WELL_KNOWN = (
    "/",
    "/docs",
    "/elements",
    "/favicon.ico",
    "/index.html",
    "/openapi",
    "/openapi/",
    "/openapi/elements",
    "/openapi/nothing",
    "/openapi/oauth2-redirect.html",
    "/openapi/rapidoc",
    "/openapi/redoc",
    "/openapi/scalar",
    "/openapi/swagger",
    "/rapidoc",
    "/redoc",
    "/scalar",
    "/schema",
    "/schema/swagger",
    "/swagger",
    "/swagger-ui",
)


QUESTION = {
    "subject": {"type": "account", "id": "ACCOUNT"},
    "action": {"name": "freeze.set"},
    "resource": {"type": "account", "id": "ACCOUNT"},
}
BODIES: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "/v1/actions": {"account_id": "ACCOUNT", "type": "freeze.set"},
        "/v1/payloads": {
            "account_id": "ACCOUNT",
            "type": "api_key.revoke",
            "payload": {"api_key_id": "key_x"},
        },
        "/passkey": {"response": {}},
        "/evaluation": QUESTION,
        "/evaluations": {"evaluations": [QUESTION]},
        "/v1/intents": {
            "intents": [
                {"account_id": "ACCOUNT", "pair": "A/B", "side": "buy", "notional_cents": 1}
            ]
        },
        "/v1/api-keys/revoke": {"integrator": "example-bot"},
        "/candidates": {"factor": "totp"},
        "/challenges": {"factor": "passkey"},
        "/assertions": {"factor": "password", "secret": "x"},
        "/spend": {"spend_id": "spend-0001"},
        "/legal-holds": {"reference": "2026/117"},
        "/legal-holds/lift": {"reference": "2026/117"},
        "/challenge": {"factor": "passkey"},
        "/assertion": {"challenge_id": "", "response": {}},
        "/proof": {"page": "p" * 26, "factor": "password", "secret": "x"},
        "/code": {"page": "p" * 26, "factor": "email_code"},
        "/veto/{action_id}": {"page": "p" * 26, "channel_id": "chn_x", "token": "x"},
        "/freeze/{action_id}": {"page": "p" * 26, "channel_id": "chn_x", "token": "x"},
        "/v1/ssf/status": {"stream_id": "x", "status": "paused"},
        "/v1/ssf/verify": {"stream_id": "x"},
        "/v1/ssf/subjects:add": {"stream_id": "x", "subject": {}},
        "/v1/ssf/subjects:remove": {"stream_id": "x", "subject": {}},
        "/outcomes/{webhook_id}": {"message_id": "ntc_x", "outcome": "delivered"},
    }
)


CARRIERS, TRANSMITTERS = "/v1/notices/outcomes/", "/v1/signals/"
RECEIVERS = "/v1/ssf/"
DELETED = "/v1/ssf/stream"
BY_OTHERS = (CARRIERS, TRANSMITTERS, RECEIVERS)


class Route(NamedTuple):
    """One registered route and method; ``path`` names an account and an action that exist."""

    method: str
    template: str
    path: str

    @property
    def is_page(self) -> bool:
        """Whether a person opens it, so that it refuses in HTML."""
        ours = self.template.startswith(PAGES)
        return ours and not self.template.endswith(SCRIPTED)

    @property
    def media_type(self) -> str:
        if self.template.startswith(TRANSMITTERS):
            return SIGNAL
        return FORM if self.is_page else JSON

    def body(self, names: Mapping[str, str]) -> dict[str, object]:
        """Return a body of the form that this route takes."""
        found = (one for end, one in BODIES.items() if self.template.endswith(end))
        text = json.dumps(next(found, {})).replace("ACCOUNT", names["account_id"])
        body: dict[str, object] = json.loads(text)
        return body

    @property
    def needs_key(self) -> bool:
        if self.template.startswith(BY_OTHERS):
            return False  # A carrier signs instead, as does a transmitter; receivers show tokens.
        return self.template.startswith(("/v1/", "/access/"))

    @property
    def scopes(self) -> int:
        """How many scopes a key needs: an answer without acting shows what reading shows."""
        return 2 if self.template.startswith("/access/") else 1


@pytest.fixture
def app(service: Service) -> Iterator[Litestar]:
    with lent_pages(service) as lent:
        yield lent


@pytest.fixture
async def http(service: Service, app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a good key and the origin of our own pages."""
    async with reach(app) as http:
        http.headers["Authorization"] = service.http.headers["Authorization"]
        http.headers["Origin"] = service.settings.origin
        http.headers["Idempotency-Key"] = "surface-key-1"
        yield http


@pytest.fixture
async def names(service: Service) -> dict[str, str]:
    """What the templates' places are filled with."""
    alice = Customer(service, "alice")
    await alice.set_up()
    action = (await alice.propose("freeze.set")).action_id
    return {
        "account_id": alice.account_id,
        "action_id": action,
        "webhook_id": f"wh_{'a' * 26}",
        "candidate_id": f"cnd_{'a' * 26}",
        "token": "a" * 43,
        "stream": "none",
        "stream_id": f"ssf_{'a' * 26}",
        "index": "0",
        "name": "none.css",
        "path": "0/000.p/1",
    }


def routes(app: Litestar, names: dict[str, str]) -> Iterator[Route]:
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            filled = (
                names if route.path_format.startswith("/tile") else {**names, "path": "nothing"}
            )
            path = route.path_format.format_map(filled)
            for method in route.methods - {"OPTIONS"}:
                yield Route(method, route.path_format, path)


def check_refusal(route: Route, answer: httpx.Response, status: int) -> None:
    """Check that a route refuses in the one form that its callers read."""
    assert answer.status_code == status, route
    assert answer.headers["cache-control"] == "no-store", route
    assert answer.headers["x-content-type-options"] == "nosniff", route
    if answer.headers["content-type"] == "text/html; charset=utf-8":
        assert route.is_page, route
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        return
    assert answer.headers["content-type"] == PROBLEM, route
    told = answer.json()
    assert told["status"] == status
    assert told["type"] == f"urn:twinlock:problem:{told['code']}"
    assert told["title"], route


def check_error(route: Route, answer: httpx.Response, status: int) -> None:
    """Check that a transmitter is refused in the one form that it reads (RFC 8935, 2.4)."""
    assert answer.status_code == status, route
    assert answer.headers["cache-control"] == "no-store", route
    assert answer.headers["content-type"] == JSON, route
    assert answer.json().keys() == {"err", "description"}, route


async def ask(
    http: httpx.AsyncClient, route: Route, names: Mapping[str, str], **headers: str
) -> httpx.Response:
    """Ask a route for something that has the form it takes."""
    if route.method == "GET":
        return await http.get(route.path, headers=headers)
    body = route.body(names)
    if route.is_page:
        return await http.post(route.path, data=body, headers=headers)
    return await http.post(route.path, json=body, headers=headers)


async def test_a_path_or_method_that_is_none_is_a_problem_everywhere(
    app: Litestar, http: httpx.AsyncClient, names: dict[str, str]
) -> None:
    for route in routes(app, names):
        if route.template == DELETED:
            continue
        wrong = await http.delete(route.path)
        assert wrong.headers["content-type"] == PROBLEM, route
        assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed"), route
        assert route.method in wrong.headers["allow"].split(", "), route  # RFC 9110, 15.5.6
        if not route.template.startswith("/tile"):
            missing = await http.request(route.method, f"{route.path}/x/y/z")
            assert missing.headers["content-type"] == PROBLEM, route
            assert (missing.status_code, missing.json()["code"]) == (404, "not_found"), route


async def test_what_answers_a_get_answers_a_head_with_the_same_head_and_nothing_else(
    service: Service, app: Litestar, http: httpx.AsyncClient, names: dict[str, str]
) -> None:
    """Source: RFC 9110, 9.1 and 9.3.2."""
    for route in routes(app, names):
        if route.method != "GET" or route.template == "/metrics":  # They count this very request.
            continue
        if await service.waiting_letters():  # An export, too, is told of.
            await service.deliver()  # Or a notice comes to be listed between the two.
        same, head = await http.get(route.path), await http.head(route.path)
        assert (head.status_code, head.content) == (same.status_code, b""), route
        assert dict(head.headers) == dict(same.headers), route
    acts = await http.head("/v1/actions")
    assert (acts.status_code, acts.content) == (405, b"")
    wrong = await http.put(f"/confirm/{names['action_id']}")
    assert {"GET", "HEAD"} <= {*wrong.headers["allow"].split(", ")}


async def test_what_needs_a_platform_key_refuses_without_one_and_without_its_scope(
    service: Service, app: Litestar, http: httpx.AsyncClient, names: dict[str, str]
) -> None:
    poor = {scope: f"Bearer {await service.platform_key(scope)}" for scope in Scope}
    for route in routes(app, names):
        if route.needs_key:
            check_refusal(route, await ask(http, route, names, Authorization=""), 401)
            able = [await ask(http, route, names, Authorization=poor[scope]) for scope in Scope]
            without = [answer for answer in able if answer.status_code == 403]
            assert len(without) == len(Scope) - (route.scopes == 1), route
            for answer in without:
                check_refusal(route, answer, 403)


async def test_an_answer_from_another_site_is_refused_on_every_page(
    app: Litestar, http: httpx.AsyncClient, names: dict[str, str]
) -> None:
    open_ones = (one for one in routes(app, names) if one.method == "POST" and not one.needs_key)
    posted = [one for one in open_ones if not one.template.startswith(BY_OTHERS)]
    assert len(posted) == 9
    for route in posted:
        check_refusal(route, await ask(http, route, names, Origin="https://evil.example"), 403)


async def test_a_body_too_large_of_another_kind_or_without_meaning_is_refused_everywhere(
    app: Litestar, http: httpx.AsyncClient, names: dict[str, str]
) -> None:
    for route in routes(app, names):
        if route.method == "POST":
            large = await http.post(
                route.path,
                content=b" " * (BATCH_BYTES_MOST + 1),
                headers={"Content-Type": route.media_type},
            )
            check_refusal(route, large, 413)
            refused = check_error if route.media_type == SIGNAL else check_refusal
            other = await http.post(
                route.path, content=b"{}", headers={"Content-Type": "text/plain"}
            )
            refused(route, other, 400 if route.media_type == SIGNAL else 415)
            strange = b'{"no_such_field":1}' if route.media_type == JSON else b"no_such_field=1"
            foreign = await http.post(
                route.path, content=strange, headers={"Content-Type": route.media_type}
            )
            if route.template.startswith(RECEIVERS):  # Their standard lets others add members.
                assert foreign.status_code in (400, 401), route
                continue
            refused(route, foreign, 404 if route.media_type == SIGNAL else 400)


async def test_what_cannot_be_decided_is_refused_in_the_same_form(
    http: httpx.AsyncClient, names: dict[str, str]
) -> None:
    action, empty = names["action_id"], {"challenge_id": "", "response": {}}
    for template, body in (
        ("/v1/actions/{action_id}/assertions", {"factor": "passkey"}),
        ("/v1/accounts/{account_id}/candidates", {"factor": "sms_code"}),
        ("/confirm/{action_id}/assertion", empty),
    ):
        path = template.format(**names)
        check_refusal(Route("POST", template, path), await http.post(path, json=body), 422)
    typed = Route("POST", "/confirm/{action_id}/proof", f"/confirm/{action}/proof")
    wrong = {"page": "w" * 26, "factor": "password", "secret": "a wrong guess"}
    check_refusal(typed, await http.post(typed.path, data=wrong), 422)


def drain(service: Service, names: dict[str, str], key: str) -> None:
    """Take whatever there is of every bucket."""
    rates = service.api.rates
    answers = (rates.answers, rates.page_answers)
    buckets = [one for one in vars(rates).values() if isinstance(one, Buckets)]
    for one in (*buckets, *(each for both in answers for each in (both.accounts, both.reserves))):
        callers = ("127.0.0.1", f"platform:{key}")
        shares = (share(by, names[of]) for by in callers for of in ("account_id", "action_id"))
        for name in (*callers, key, *shares):
            with suppress(RateLimitedError):
                while True:
                    one.take(name)


async def test_too_much_is_refused_in_the_same_form(
    service: Service, app: Litestar, http: httpx.AsyncClient, names: dict[str, str]
) -> None:
    drain(service, names, http.headers["Authorization"].split("_")[1])
    free = ("/health", "/metrics", "/openapi", "/static")
    for route in routes(app, names):
        if not route.template.startswith(free):
            answer = await ask(http, route, names)
            check_refusal(route, answer, 429)
            assert int(answer.headers["retry-after"]) > 0


async def test_what_nobody_foresaw_is_told_in_the_same_form_and_tells_nothing(
    app: Litestar, http: httpx.AsyncClient, names: dict[str, str], database: TestDatabase
) -> None:
    told = [await http.get("/health/ready")]  # The key is remembered from here on.
    for table in ("stream", "head", "event", "tile", "api_key_mark"):
        await database.execute(f"ALTER TABLE {table} RENAME TO {table}_gone")
    free = (
        "/health/live",
        "/metrics",
        "/openapi",
        "/static",
        "/.well-known",
        "/log/verify",  # It looks nothing up.
        *BY_OTHERS,
    )
    for route in routes(app, names):
        if route.template.startswith(free):
            continue
        answer = await ask(http, route, names)
        check_refusal(route, answer, 500)
        assert "stream" not in answer.text, route
        told.append(answer)
    assert len(told) > 20


# --- What none ever says ---


async def test_nothing_answers_html_but_the_pages_under_their_policy(
    app: Litestar, http: httpx.AsyncClient, names: dict[str, str]
) -> None:
    paths = [one.path for one in routes(app, names) if one.method == "GET"]
    pages = 0
    for path in (*paths, *WELL_KNOWN):
        answer = await http.get(path)
        assert answer.headers["x-content-type-options"] == "nosniff", path
        html = "html" in answer.headers.get("content-type", "") or b"<html" in answer.content
        if html:
            pages += 1
            assert "default-src 'none'" in answer.headers["content-security-policy"], path
            assert path.startswith(PAGES), path
            loads = rb'<(?:link|script|img)[^>]* (?:src|href)="([^"]*)"'
            loaded = re.findall(loads, answer.content)
            assert loaded, path
            assert all(one.startswith(b"/static/") for one in loaded), path
    assert pages == 8


async def test_the_schema_is_served_as_json_and_yaml_only(http: httpx.AsyncClient) -> None:
    kinds = {
        path: (await http.get(f"/openapi{path}")).headers["content-type"].partition(";")[0]
        for path in ("", "/openapi.json", "/openapi.yaml", "/openapi.yml", "/swagger")
    }

    assert kinds == {
        "": "application/vnd.oai.openapi+json",
        "/openapi.json": "application/vnd.oai.openapi+json",
        "/openapi.yaml": "application/vnd.oai.openapi",
        "/openapi.yml": "application/vnd.oai.openapi",
        "/swagger": PROBLEM,
    }


async def test_nothing_that_is_told_of_an_account_is_kept_on_the_way(
    service: Service, app: Litestar, http: httpx.AsyncClient, names: dict[str, str]
) -> None:
    offered = await http.post(
        f"/v1/accounts/{names['account_id']}/candidates", json={"factor": "totp"}
    )
    ended = await http.post(f"/v1/accounts/{names['account_id']}/sessions/end", json={})
    opened = await http.post("/v1/accounts", json={})
    assert [one.status_code for one in (offered, ended, opened)] == [201, 409, 201]
    assert "otpauth://" in offered.json()["uri"]
    for answer in (offered, ended, opened):
        assert answer.headers["cache-control"] == "no-store"

    public = ("/openapi", "/checkpoint", "/proof", "/tile")
    for route in routes(app, names):
        if route.method == "GET" and not route.template.startswith(public):
            answer = await http.get(route.path)
            assert answer.headers["cache-control"] == "no-store", route


# --- How long it takes ---


async def timed(http: httpx.AsyncClient) -> dict[str, float]:
    """Return how many requests the metrics counted, by route."""
    families = text_string_to_metric_families((await http.get("/metrics")).text)
    (found,) = (one for one in families if one.name == "twinlock_request_seconds")
    return {one.labels["route"]: one.value for one in found.samples if one.name.endswith("_count")}


async def test_requests_are_timed_by_route_and_never_by_path(
    app: Litestar, http: httpx.AsyncClient, names: dict[str, str]
) -> None:
    account = f"/v1/accounts/{names['account_id']}"
    before = await timed(http)
    for path in (account, f"{account}/destinations", account, "/made/up", "/openapi/made-up"):
        await http.get(path)

    counted = await timed(http)

    templates = {route.template for route in routes(app, names)}
    assert counted.keys() <= templates | {UNROUTED}
    looks = "/v1/accounts/{account_id}"
    assert counted[looks] - before[looks] == 2
    assert counted["/v1/accounts/{account_id}/destinations"] == 1
    assert counted[UNROUTED] == 1
