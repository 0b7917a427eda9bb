"""What a refused call means, and that a failing service is never a refusal."""

import httpx
import pytest
from support.ranges import PASSKEY_ACCOUNT, a_story, step

from twinlock.client import ProblemError
from twinlock.range.player import play_story
from twinlock.range.profiles import rules_of
from twinlock.range.refusals import refusal
from twinlock.range.results import PartResult, Status
from twinlock.range.venue import Venue, open_world


def a_problem(status: int, code: str = "so", fault: str = "") -> ProblemError:
    return ProblemError(status=status, code=code, detail="", fault=fault)


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422])
def test_a_call_that_was_understood_and_refused_is_a_no(status: int) -> None:
    assert refusal(a_problem(status)) == "so"
    assert refusal(a_problem(status, fault="below_floor")) == "below_floor"


@pytest.mark.parametrize(
    "problem",
    [
        pytest.param(a_problem(500, "internal"), id="our own bug"),
        pytest.param(a_problem(503, "unavailable"), id="a database that is gone"),
        pytest.param(a_problem(429, "rate_limited"), id="a rate"),
        pytest.param(a_problem(401, "platform_key_refused"), id="a key"),
        pytest.param(a_problem(403, "scope_missing"), id="a scope"),
        pytest.param(a_problem(404, "http_error"), id="a no without a code of ours"),
    ],
)
def test_everything_else_is_a_failure_and_no_answer(problem: ProblemError) -> None:
    with pytest.raises(ProblemError):
        refusal(problem)


async def fails_at(
    venue: Venue, path: str, *, after: int = 0, status: int = 500
) -> httpx.AsyncClient:
    """Return a way to the service on which calls of ``path`` fail after the first ``after``."""
    inner, seen = venue.http, 0

    async def answer(request: httpx.Request) -> httpx.Response:
        nonlocal seen
        seen += request.url.path.endswith(path)
        if seen > after and request.url.path.endswith(path):
            return httpx.Response(status, json={"code": "internal", "detail": "incident x"})
        return await inner.send(request)

    return httpx.AsyncClient(
        base_url=inner.base_url, headers=inner.headers, transport=httpx.MockTransport(answer)
    )


async def attacked(path: str, *, after: int, status: int = 500) -> PartResult:
    """Play a question for another method and a theft that waits, on a service that fails."""
    method = {"asked": "passkey", "wanted": "sms_code"}
    add = {"destination": "attacker_addr"}
    story = a_story(
        step("event.other_method", expect=["no_effect"], **{"with": method}),
        step("destination.add", at="1m", **{"with": add}, proof=["passkey"]),
        step("withdrawal.crypto", at="2m", **{"with": add}, proof=["passkey"]),
        account=PASSKEY_ACCOUNT,
    )
    async with open_world(rules_of("default")) as venue:
        venue.http = await fails_at(venue, path, after=after, status=status)
        return (await play_story(venue, story)).attack


@pytest.mark.parametrize("status", [500, 429])
async def test_a_failure_while_the_account_is_set_up_is_a_failure(status: int) -> None:
    part = await attacked("/v1/accounts", after=0, status=status)

    assert part.status is Status.FAILED
    assert part.notes == ("the service failed in set-up: internal: incident x",)


async def test_a_refusal_while_the_account_is_set_up_is_not_playable() -> None:
    part = await attacked("/v1/accounts", after=0, status=422)

    assert part.status is Status.NOT_PLAYABLE
    assert part.notes == ("the account was not set up: internal",)


async def test_a_failure_when_another_method_is_asked_for_is_not_no_effect() -> None:
    part = await attacked("/challenges", after=7)  # Set-up signs in with so many in 400 days.

    first = part.steps[0]
    assert (first.answer, first.status) == (None, Status.FAILED)
    assert first.notes == ("the service failed: internal: incident x",)


async def test_a_failure_when_the_thief_comes_back_is_a_failure() -> None:
    part = await attacked("/spend", after=0)

    assert [one.status for one in part.steps] == [Status.PASSED] * 3
    assert part.status is Status.FAILED
    assert part.notes[0].startswith("the service failed when the thief came back: internal")
