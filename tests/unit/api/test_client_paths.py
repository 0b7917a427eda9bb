"""The client's paths: whatever a platform hands on as an id names one thing, and no other route."""

from collections.abc import Awaitable, Callable

import httpx
import pytest

from twinlock.client import Client, ProblemError

Call = Callable[[Client, str], Awaitable[object]]
CALLS: dict[str, Call] = {
    "account": lambda client, name: client.account(name),
    "notices": lambda client, name: client.notices(name),
    "destinations": lambda client, name: client.destinations(name),
    "offer": lambda client, name: client.offer(name, "totp"),
    "action": lambda client, name: client.action(name),
    "ask": lambda client, name: client.ask(name, {}),
    "prove": lambda client, name: client.prove(name, {}),
    "veto": lambda client, name: client.veto(name, {}),
    "end_sessions": lambda client, name: client.end_sessions(name),
    "report_sim_change": lambda client, name: client.report_sim_change(name),
    "report_flood": lambda client, name: client.report_flood(name),
    "set_legal_hold": lambda client, name: client.set_legal_hold(name, "x"),
    "lift_legal_hold": lambda client, name: client.lift_legal_hold(name, "x"),
    "export": lambda client, name: client.export(name),
    "spend": lambda client, name: client.spend(name, spend_id="spend-0001"),
    "evidence": lambda client, name: client.evidence(name),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    "name",
    [
        "../accounts/acc_a/candidates?",
        "acc_a/export",
        "acc_a%2Fexport",
        "act_a?x",
        "act_a#",
        "..",
        "",
    ],
)
async def test_an_id_leads_the_platforms_key_to_no_other_route(call: Call, name: str) -> None:
    """Prevents: the seed of somebody else's candidate, asked for by a made-up action id."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(500)

    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(base_url="https://gate.example", transport=transport) as http:
        with pytest.raises(ProblemError) as refused:
            await call(Client(http), name)

    assert (refused.value.status, refused.value.code, asked) == (400, "malformed", [])


@pytest.mark.parametrize("body", [b"<p>gone</p>", b'{"code": "\xe9"}', b'["code"]', b""])
async def test_whatever_a_proxy_answers_is_told_by_its_status(body: bytes) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(502, content=body))
    async with httpx.AsyncClient(base_url="https://gate.example", transport=transport) as http:
        with pytest.raises(ProblemError) as refused:
            await Client(http).account("acc_a")

    assert (refused.value.status, refused.value.code) == (502, "http_error")
