from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType

import httpx
import pytest
import structlog
from litestar import Litestar
from structlog.testing import capture_logs
from support.browser import Web, reach
from support.postgres import TestDatabase
from support.service import PASSWORD, Customer, Service

from twinlock.adapters.system import SystemEntropy
from twinlock.api.throttling import PAGE_BURST, RateLimitedError
from twinlock.cli.serve import worker
from twinlock.domain.errors import InvariantError
from twinlock.web.refusals import refusal
from twinlock.web.rendering import Renderer
from twinlock.web.routes import page_router
from twinlock.web.serving import Pages

NOWHERE = "act_" + "a" * 26 + "_" + "b" * 26
WRONG = "a wrong guess"


@pytest.fixture
async def action(service: Service) -> str:
    """An action of somebody who has nothing to prove with yet."""
    carol = Customer(service, "carol")
    await carol.open()
    return (await carol.propose("freeze.set")).action_id


# Tables are walked in one test: each would otherwise start a service of its own.
UNSHOWN = [
    (f"/confirm/{NOWHERE}", 404, "action_not_found"),
    (f"/veto/{NOWHERE}", 404, "action_not_found"),
    ("/confirm/nonsense", 400, "malformed"),
    ("/confirm/act_%3Cscript%3Ealert(1)", 400, "malformed"),
    (f"/veto/{NOWHERE}?c={'x' * 65}", 400, "malformed"),
    ("/static/twinlock.css", 404, "not_found"),
]


async def test_what_cannot_be_shown_is_a_page_with_status_and_code(web: Web) -> None:
    for path, status, code in UNSHOWN:
        answer = await web.get(path)

        assert (answer.status_code, f"<code>{code}</code>" in answer.text) == (status, True), path
        assert "alert(1)" not in answer.text
        assert answer.headers["cache-control"] == "no-store"


async def test_an_action_of_an_account_that_has_no_such_one_is_not_found(
    web: Web, alice: Customer
) -> None:
    nowhere = f"{(await alice.propose('freeze.set')).action_id[:-26]}{'b' * 26}"

    opened = await web.get(f"/confirm/{nowhere}")
    typed = await web.form(f"/confirm/{nowhere}/proof", factor="password", secret=WRONG)
    scripted = await web.json(f"/confirm/{nowhere}/challenge", {"factor": "passkey"})

    for answer in (opened, typed):
        assert (answer.status_code, "action_not_found" in answer.text) == (404, True)
    assert (scripted.status_code, scripted.json()["code"]) == (404, "action_not_found")


PAGE = "p" * 26
BODIES: Mapping[str, Mapping[str, str | list[str]]] = MappingProxyType(
    {
        "a field too many": {"page": PAGE, "factor": "password", "secret": "x", "more": "y"},
        "a field too few": {"page": PAGE, "factor": "password"},
        "no page": {"factor": "password", "secret": "x"},
        "a page that is none of ours": {"page": PAGE[1:], "factor": "password", "secret": "x"},
        "an unknown factor": {"page": PAGE, "factor": "face", "secret": "x"},
        "a field over its limit": {"page": PAGE, "factor": "password", "secret": "x" * 257},
        "a field twice": {"page": PAGE, "factor": "password", "secret": ["x", "y"]},
    }
)


async def test_a_form_that_is_not_ours_is_refused_unread(web: Web, action: str) -> None:
    headers = {"Origin": web.origin}
    for defect, body in BODIES.items():
        answer = await web.http.post(f"/confirm/{action}/proof", data=body, headers=headers)

        assert (answer.status_code, "<code>malformed</code>" in answer.text) == (400, True), defect


SCRIPTED = [
    (b'{"factor":"passkey","factor":"passkey"}', "application/json", 400, "malformed"),
    (b'{"factor":"totp"}', "application/json", 400, "malformed"),
    (b"not json", "application/json", 400, "malformed"),
    (b'{"factor":"passkey"}', "text/plain", 415, "media_type_refused"),
    (b'{"factor":"passkey"}', "", 415, "media_type_refused"),
    (b'"' + b"x" * 40_000 + b'"', "application/json", 413, "body_too_large"),
]


async def test_the_script_is_answered_in_json_also_when_refused(web: Web, action: str) -> None:
    for content, media_type, status, code in SCRIPTED:
        headers = {"Origin": web.origin, "Content-Type": media_type}
        path = f"/confirm/{action}/challenge"
        answer = await web.http.post(path, content=content, headers=headers)

        assert (answer.status_code, answer.json()["code"]) == (status, code), content[:40]
        assert answer.headers["cache-control"] == "no-store"


async def test_a_refused_assertion_says_why(web: Web, alice: Customer) -> None:
    action = (await alice.propose("freeze.set")).action_id
    asked = (await web.json(f"/confirm/{action}/challenge", {"factor": "passkey"})).json()

    empty = {"challenge_id": asked["challenge_id"], "response": {}}
    answer = await web.json(f"/confirm/{action}/assertion", empty)

    assert (answer.status_code, answer.json()["fault"]) == (422, "malformed")
    assert "Nothing was confirmed" in answer.json()["words"]


async def test_a_flood_is_told_to_slow_down(web: Web, action: str) -> None:
    with suppress(RateLimitedError):
        for _ in range(int(PAGE_BURST)):
            web.service.api.rates.pages.take("127.0.0.1")

    answer = await web.get(f"/confirm/{action}")

    assert (answer.status_code, "rate_limited" in answer.text) == (429, True)
    assert answer.headers["retry-after"] == "60"


async def test_a_database_that_is_gone_is_a_page_too(
    web: Web, action: str, database: TestDatabase
) -> None:
    with capture_logs() as logged:
        database.server.stop()
        opened = await web.get(f"/confirm/{action}")
        while opened.status_code == 500:  # The driver tells a lost connection in other words.
            opened = await web.get(f"/confirm/{action}")
        database.server.start()

    assert (opened.status_code, "Not reachable for a moment" in opened.text) == (503, True)
    assert opened.headers["retry-after"] == "60"
    assert {"event": "page_failed", "code": "unavailable", "log_level": "error"}.items() <= dict(
        next(line for line in logged if line["event"] == "page_failed")
    ).items()


@pytest.mark.parametrize("broken", [InvariantError("Alice's secret"), KeyError("Alice's secret")])
async def test_what_nobody_expected_tells_only_the_name_it_has_in_our_log(
    broken: Exception,
) -> None:
    def nothing_runs(_: object) -> Pages:
        raise broken

    origin = "https://id.example"
    app = Litestar([page_router(origin=origin, entropy=SystemEntropy(), pages=nothing_runs)])
    async with reach(app) as http:
        with capture_logs() as logged:
            answer = await http.get(f"/confirm/{NOWHERE}")

    assert (answer.status_code, "Something broke on our side" in answer.text) == (500, True)
    assert f"incident <code>{logged[0]['incident']}</code>" in answer.text
    assert "secret" not in answer.text


# --- Who sent it ---


SENDERS = [
    ("ours", None, True),
    ("ours", "same-origin", True),
    ("null", "same-origin", True),
    ("null", None, False),
    ("null", "cross-site", False),
    ("ours", "cross-site", False),
    ("ours", "same-site", False),
    ("ours", "none", False),
    ("https://evil.example", "same-origin", False),
    ("http://localhost", None, False),
    (None, None, False),
    (None, "same-origin", False),
]


async def test_an_answer_counts_from_our_own_page_only(web: Web, action: str) -> None:
    for number, (origin, site, taken) in enumerate(SENDERS):
        headers = {} if origin is None else {"Origin": web.origin if origin == "ours" else origin}
        headers |= {} if site is None else {"Sec-Fetch-Site": site}
        fields = {"page": f"{number:026}", "factor": "password", "secret": WRONG}
        path = f"/confirm/{action}"

        typed = await web.http.post(f"{path}/proof", data=fields, headers=headers)
        asked = await web.http.post(
            f"{path}/challenge", json={"factor": "passkey"}, headers=headers
        )

        foreign = "<code>foreign_origin</code>" in typed.text
        assert (typed.status_code, foreign) == ((422, False) if taken else (403, True)), headers
        assert (asked.json()["code"] == "foreign_origin") is not taken, headers


# --- Headers and files ---


@pytest.mark.requirement("P-07")
async def test_every_page_forbids_what_it_does_not_need(web: Web, action: str) -> None:
    pages = [await web.get(path) for path in (f"/confirm/{action}", "/confirm/nonsense")]
    pages.append(await web.form(f"/confirm/{action}/proof", factor="password", secret=PASSWORD))
    pages.append(await web.json(f"/confirm/{action}/challenge", {"factor": "passkey"}))

    for page in pages:
        policy = {one.partition(" ")[::2] for one in _policy(page)}
        assert policy == {
            ("default-src", "'none'"),
            ("script-src", "'self'"),
            ("style-src", "'self'"),
            ("img-src", "'self'"),
            ("connect-src", "'self'"),
            ("form-action", "'self'"),
            ("frame-ancestors", "'none'"),
            ("base-uri", "'none'"),
        }
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["cross-origin-opener-policy"] == "same-origin"
        permissions = page.headers["permissions-policy"].split(", ")
        assert [one for one in permissions if not one.endswith("=()")] == [
            "publickey-credentials-create=(self)",
            "publickey-credentials-get=(self)",
        ]
        assert "set-cookie" not in page.headers
        assert "strict-transport-security" not in page.headers  # Not for plain http on localhost.


def _policy(page: httpx.Response) -> list[str]:
    return page.headers["content-security-policy"].split("; ")


def test_an_https_origin_demands_https_from_then_on() -> None:
    pages = Renderer("https://id.example", entropy=SystemEntropy())
    page = pages.refuse(refusal(code="malformed", status=400))

    assert page.headers["Strict-Transport-Security"] == "max-age=63072000"


async def test_static_files_are_named_by_their_content_and_kept_for_ever(
    web: Web, alice: Customer
) -> None:
    action = (await alice.propose("freeze.set")).action_id
    page = (await web.get(f"/confirm/{action}")).text
    names = [part.partition('"')[0] for part in page.split('"/static/')[1:]]

    found = {name: await web.get(f"/static/{name}") for name in names}

    assert {name.partition(".")[0] for name in names} == {"confirm", "mark", "twinlock"}
    for file in found.values():
        assert file.status_code == 200
        assert file.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert file.headers["content-type"].split(";")[0] in {
            "text/css",
            "text/javascript",
            "image/svg+xml",
        }


async def test_the_pages_stand_in_no_api_description(web: Web) -> None:
    described = (await web.get("/openapi/openapi.json")).text

    assert "/v1/actions" in described
    assert "/confirm" not in described


def test_what_serves_serves_the_pages(monkeypatch: pytest.MonkeyPatch, service: Service) -> None:
    monkeypatch.setenv("TWINLOCK_DATA_DIR", str(service.settings.data_dir))
    monkeypatch.setenv("TWINLOCK_KEYRING_DIR", str(service.settings.keyring_dir))

    try:
        paths = {route.path for route in worker().routes}
    finally:
        structlog.reset_defaults()  # It had the log go to this test's own stderr.

    assert {"/confirm/{action_id:str}", "/veto/{action_id:str}", "/v1/actions"} <= paths
