"""Rates: what anybody can ask for never stands in the way of an owner's no.

Mallory knows an account by name, or has the link of an action or a platform key of another server,
and floods whatever can be asked with it. She spends her own share.
"""

from contextlib import suppress

import httpx
import pytest
from support.browser import Web, veto_links
from support.cast import MALLORYS_IP
from support.service import ADDRESS, Customer, Service

from twinlock.api.throttling import (
    ACCOUNT_BURST,
    BUCKETS_MOST,
    KEY_BURST,
    LOG_BURST,
    PAGE_BURST,
    REFUSED_BURST,
    RESERVE_BURST,
    STOP_BURST,
    Answers,
    Buckets,
    RateLimitedError,
    share,
)
from twinlock.client import ProblemError
from twinlock.domain.answers import Answered
from twinlock.range.device import SoftwareDevice

PAGE = "p" * 26
ACTIONS = 200  # More than any account's share.


def drained(buckets: Buckets, name: str, burst: float) -> None:
    with suppress(RateLimitedError):
        for _ in range(int(burst) + 1):
            buckets.take(name)


def caller(service: Service) -> str:
    """Return the actor that the platform's own server is counted as."""
    return f"platform:{service.http.headers['Authorization'].split('_')[1]}"


def made_up(alice: Customer, number: int) -> str:
    """Return an id that no action of the account has."""
    tail = "".join("abcdefghijklmnopqrstuvwxyz234567"[number >> 5 * at & 31] for at in range(26))
    return f"act_{alice.account_id.removeprefix('acc_')}_{tail}"


async def held(alice: Customer, address: str = ADDRESS) -> Answered:
    """Return a withdrawal that Mallory had signed, and that waits."""
    action = await alice.propose("withdrawal.crypto", {**alice.withdrawal(), "address": address})
    return await alice.with_passkey(action.action_id)


async def test_a_stranger_who_opens_pages_keeps_no_owner_from_saying_no(
    web: Web, alice: Customer, mallory: httpx.AsyncClient
) -> None:
    # Two changes, since a second no to one and the same would open a contest.
    by_link, by_api = await held(alice), await held(alice, f"0x{'ee' * 20}")
    link, *_ = await veto_links(web.service, by_link.action_id)

    for number in range(ACTIONS):
        answer = await mallory.get(f"/confirm/{made_up(alice, number)}")
        assert answer.status_code == 404

    asked = httpx.URL(link).params
    opened = await web.get(link)
    stopped = await web.form(f"/veto/{by_link.action_id}", channel_id=asked["c"], token=asked["t"])
    session = alice.signed(by_api.digest, purpose="veto", name=by_api.action_id)
    vetoed = await web.service.client.veto(by_api.action_id, {"session": session})
    frozen = await alice.propose("freeze.set")
    page = await web.get(f"/confirm/{frozen.action_id}")
    signed = await web.confirm(alice, frozen.action_id)

    assert (opened.status_code, stopped.status_code, page.status_code) == (200, 303, 200)
    assert (vetoed.state, signed.json()["state"]) == ("vetoed", "done")


@pytest.mark.requirement("O-24")
async def test_a_flood_of_sign_ins_leaves_the_freeze_working_to_its_end(
    service: Service, alice: Customer
) -> None:
    stranger = SoftwareDevice(b"mallory's device".ljust(32, b"."))

    async def flood() -> None:
        for _ in range(ACTIONS):
            await alice.propose("session.start", {"device": stranger.jwk()})

    with pytest.raises(ProblemError) as refused:
        await flood()
    assert (refused.value.code, refused.value.status) == ("rate_limited", 429)

    frozen = await alice.propose("freeze.set")
    assert (await alice.with_passkey(frozen.action_id)).state == "done"


async def test_a_stranger_with_the_link_of_a_freeze_does_not_keep_it_from_its_owner(
    web: Web, alice: Customer, mallory: httpx.AsyncClient
) -> None:
    frozen = await alice.propose("freeze.set")
    path = f"/confirm/{frozen.action_id}"
    headers = {"Origin": web.origin}

    flood = [
        await mallory.post(f"{path}/assertion", json={}, headers=headers)
        for _ in range(int(ACCOUNT_BURST + RESERVE_BURST) + 1)
    ]
    signed = await web.confirm(alice, frozen.action_id)

    assert flood[-1].status_code == 429
    assert (signed.status_code, signed.json()["state"]) == (200, "done")


@pytest.mark.parametrize("flooded", ["/v1/accounts/{account_id}", "/v1/actions/{action_id}/veto"])
async def test_another_platform_key_that_floods_an_account_spends_its_own_share(
    service: Service, alice: Customer, flooded: str
) -> None:
    frozen = await alice.propose("freeze.set")
    waiting = await held(alice)
    rates, mallorys = service.api.rates, (await service.platform_key()).split("_")
    by = f"platform:{mallorys[1]}"
    for name in (alice.account_id, frozen.action_id, waiting.action_id):
        drained(rates.stops, share(by, name), STOP_BURST)
        drained(rates.answers.accounts, share(by, name), ACCOUNT_BURST)
        drained(rates.answers.reserves, share(by, name), RESERVE_BURST)
    path = flooded.format(account_id=alice.account_id, action_id=waiting.action_id)
    headers = {"Authorization": f"Bearer {'_'.join(mallorys)}", "Idempotency-Key": "mallory-0001"}
    method = "POST" if path.endswith("veto") else "GET"
    refused = await service.http.request(method, path, headers=headers, json={})

    session = alice.signed(waiting.digest, purpose="veto", name=waiting.action_id)
    assert refused.status_code == 429
    assert (await alice.with_passkey(frozen.action_id)).state == "done"
    assert (await service.client.veto(waiting.action_id, {"session": session})).state == "vetoed"
    assert (await alice.propose("freeze.set")).state == "open"
    assert (await service.client.account(alice.account_id))["account_id"] == alice.account_id


async def test_a_flood_of_answers_from_one_address_leaves_an_actions_own_reserve(
    web: Web, alice: Customer
) -> None:
    frozen = await alice.propose("freeze.set")
    rates, here = web.service.api.rates, "127.0.0.1"
    for answers, by in ((rates.answers, caller(web.service)), (rates.page_answers, here)):
        drained(answers.accounts, share(by, alice.account_id), ACCOUNT_BURST)

    assert (await web.confirm(alice, frozen.action_id)).json()["state"] == "done"

    drained(rates.page_answers.reserves, share(here, frozen.action_id), RESERVE_BURST)
    answer = await web.json(f"/confirm/{frozen.action_id}/challenge", {"factor": "passkey"})
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    assert answer.headers["retry-after"] == "60"


@pytest.mark.requirement("O-24")
async def test_an_address_that_floods_the_pages_is_told_to_slow_down_and_others_are_not(
    web: Web, alice: Customer, mallory: httpx.AsyncClient
) -> None:
    waiting = await held(alice)
    link, *_ = await veto_links(web.service, waiting.action_id)
    drained(web.service.api.rates.pages, MALLORYS_IP, PAGE_BURST)

    flooding = await mallory.get(f"/confirm/{waiting.action_id}")
    asked = httpx.URL(link).params
    opened = [await mallory.get(link), await mallory.get(link.replace("/veto/", "/freeze/"))]
    no = await mallory.post(
        f"/veto/{waiting.action_id}",
        data={"page": PAGE, "channel_id": asked["c"], "token": asked["t"]},
        headers={"Origin": web.origin},
    )

    assert (flooding.status_code, "rate_limited" in flooding.text) == (429, True)
    assert (await web.get(f"/confirm/{waiting.action_id}")).status_code == 200
    # Whoever shares Mallory's address can still open the link and say no.
    assert [one.status_code for one in (*opened, no)] == [200, 422, 303]


async def test_a_flood_of_the_pages_that_say_no_leaves_the_button(
    web: Web, alice: Customer, mallory: httpx.AsyncClient
) -> None:
    """Prevents: links to nothing, opened by the hundred from an address that many share."""
    waiting = await held(alice)
    link, *_ = await veto_links(web.service, waiting.action_id)
    drained(web.service.api.rates.veto_pages, MALLORYS_IP, PAGE_BURST)

    flooding = [await mallory.get(one) for one in (link, link.replace("/veto/", "/freeze/"))]
    asked = httpx.URL(link).params
    no = await mallory.post(
        f"/veto/{waiting.action_id}",
        data={"page": PAGE, "channel_id": asked["c"], "token": asked["t"]},
        headers={"Origin": web.origin},
    )

    assert [one.status_code for one in flooding] == [429, 429]
    assert no.status_code == 303


@pytest.mark.parametrize("shown_as", ["image", "iframe", "script", "empty"])
async def test_a_page_elsewhere_uses_up_nothing_of_its_visitors_address(
    web: Web, alice: Customer, shown_as: str
) -> None:
    """Prevents: whoever reads a thief's page, which asks for ours in a hundred pictures."""
    waiting = await held(alice)
    link, *_ = await veto_links(web.service, waiting.action_id)
    pages = (link, link.replace("/veto/", "/freeze/"), f"/confirm/{waiting.action_id}")
    rates, here = web.service.api.rates, "127.0.0.1"
    for buckets in (rates.pages, rates.veto_pages):
        drained(buckets, here, PAGE_BURST - 2)  # One is left.
    asked = {"Sec-Fetch-Dest": shown_as, "Sec-Fetch-Site": "cross-site"}
    shown = [await web.http.get(one, headers=asked) for one in pages for _ in range(2)]
    opened = {"Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "cross-site"}

    assert {one.status_code for one in shown} == {403}
    assert (await web.http.get(link, headers=opened)).status_code == 200
    assert (await web.http.get(pages[2], headers=opened)).status_code == 200


async def test_an_address_that_floods_vetoes_is_told_to_slow_down(
    web: Web, alice: Customer, mallory: httpx.AsyncClient
) -> None:
    waiting = await held(alice)
    drained(web.service.api.rates.page_vetoes, MALLORYS_IP, PAGE_BURST)

    fields = {"page": PAGE, "channel_id": "chn_x", "token": "x"}
    headers = {"Origin": web.origin}
    path = f"/veto/{waiting.action_id}"
    answer = await mallory.post(path, data=fields, headers=headers)

    assert answer.status_code == 429


# --- The API ---


@pytest.mark.requirement("O-20", "O-24")
async def test_a_platform_key_that_runs_away_is_told_to_slow_down(service: Service) -> None:
    key = await service.platform_key()
    headers = {"Authorization": f"Bearer {key}"}
    drained(service.api.rates.keys, key.split("_")[1], KEY_BURST)

    answer = await service.http.get("/v1/accounts/acc_x", headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    assert answer.headers["retry-after"] == "1"
    assert (await service.http.get("/v1/accounts/acc_x")).status_code == 400  # Another key.


def test_who_is_too_fast_is_told_when_there_is_room_again() -> None:
    """Prevents: a client that asks each second for what an hour brings."""
    at = [0.0]
    hourly = Buckets(rate=1 / 3600, burst=1, seconds=lambda: at[0])
    hourly.take("alice")
    told = []
    for seconds in (0.0, 1800.0, 3599.9):
        at[0] = seconds
        with pytest.raises(RateLimitedError) as taken:
            hourly.take("alice")
        with pytest.raises(RateLimitedError) as looked:
            hourly.look("alice")
        told += [taken.value.retry_after, looked.value.retry_after]

    assert told == [3600, 3600, 1800, 1800, 1, 1]


def test_who_has_used_up_a_reserve_too_is_told_of_the_room_that_comes_first() -> None:
    """Prevents: a client that waits five seconds for the reserve where half a second is enough."""
    at = [0.0]
    answers, action = Answers(lambda: at[0]), f"act_{'a' * 26}_{'b' * 26}"
    for _ in range(int(ACCOUNT_BURST + RESERVE_BURST)):
        answers.take(action, by="platform")
    with pytest.raises(RateLimitedError) as refused:
        answers.take(action, by="platform")
    at[0] += refused.value.retry_after

    assert refused.value.retry_after == 1
    assert answers.take(action, by="platform") == action


async def test_whatever_is_asked_about_a_flooded_account_is_refused_but_a_no(
    service: Service, alice: Customer
) -> None:
    waiting = await held(alice)
    by = caller(service)
    drained(service.api.rates.answers.accounts, share(by, alice.account_id), ACCOUNT_BURST)
    client, name = service.client, alice.account_id
    proposal = {"account_id": name, "type": "freeze.lift"}
    for call in (
        client.account(name),
        client.destinations(name),
        client.offer(name, "totp"),
        client.end_sessions(name),
        client.preview(proposal),
        client.propose(proposal, key=service.key()),
        client.action(waiting.action_id),
        client.evidence(waiting.action_id),
    ):
        with pytest.raises(ProblemError) as refused:
            await call
        assert (refused.value.code, refused.value.status) == ("rate_limited", 429)

    session = alice.signed(waiting.digest, purpose="veto", name=waiting.action_id)
    assert (await client.veto(waiting.action_id, {"session": session})).state == "vetoed"
    service.clock.forward(seconds=1)
    assert (await client.account(name))["account_id"] == name


async def test_even_a_no_has_a_rate_of_its_own(service: Service, alice: Customer) -> None:
    waiting = await held(alice)
    for name in (waiting.action_id, alice.account_id):
        drained(service.api.rates.stops, share(caller(service), name), STOP_BURST)

    with pytest.raises(ProblemError) as vetoing:
        await service.client.veto(waiting.action_id, {})
    with pytest.raises(ProblemError) as freezing:
        await alice.propose("freeze.set")

    assert [one.value.code for one in (vetoing, freezing)] == ["rate_limited"] * 2


async def test_refused_keys_are_counted_by_address_and_good_ones_are_not(
    service: Service,
) -> None:
    drained(service.api.rates.refused, "127.0.0.1", REFUSED_BURST)

    bad = await service.http.get("/v1/accounts/x", headers={"Authorization": "Bearer tlk_x"})
    good = await service.http.get("/v1/accounts/x")

    assert (bad.status_code, bad.json()["code"]) == (429, "rate_limited")
    assert good.status_code == 400


@pytest.mark.parametrize("path", ["/checkpoint", "/proof/0", "/tile/0/000.p/1"])
async def test_the_log_is_read_at_a_rate_by_address(service: Service, path: str) -> None:
    await Customer(service, "alice").open()
    assert (await service.http.get(path)).status_code == 200
    drained(service.api.rates.log, "127.0.0.1", LOG_BURST)

    answer = await service.http.get(path)

    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")


# --- The arithmetic ---


@pytest.mark.requirement("O-24")
def test_a_bucket_fills_again_and_forgets_the_longest_idle() -> None:
    now = 0.0
    buckets = Buckets(rate=1, burst=2, seconds=lambda: now)
    for name in ("x", "x"):
        buckets.take(name)
    with pytest.raises(RateLimitedError):
        buckets.take("x")
    now = 1.0
    buckets.take("x")

    for number in range(BUCKETS_MOST):
        buckets.take(str(number))
    buckets.take("x")
    buckets.take("x")
