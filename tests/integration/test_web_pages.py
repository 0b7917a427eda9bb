from datetime import datetime, timedelta

import httpx
import pytest
from msgspec.structs import replace
from support.browser import Web, letters, veto_links
from support.postgres import TestDatabase
from support.service import ADDRESS, PASSWORD, Customer, Service

from twinlock.bootstrap.rulebook import rule_book
from twinlock.domain.account import State
from twinlock.domain.answers import Answered
from twinlock.domain.canonical import b64url
from twinlock.domain.decisions import Decided, Decision
from twinlock.domain.events import AccountOpened
from twinlock.domain.ids import ChannelId, parse_account_id
from twinlock.domain.requirements import Answer
from twinlock.domain.stepping import advance
from twinlock.domain.vetoes import veto_token
from twinlock.ports import (
    Work,
)
from twinlock.range.device import SoftwareDevice

NEW = "0x1234567890abcdef1234567890abcdef12345678"
CONFIRM = "Needs your confirmation"
WRONG = "a wrong guess"


@pytest.fixture
async def bob(service: Service) -> Customer:
    """Bob has a password and codes, and nothing stronger."""
    bob = Customer(service, "bob")
    await bob.open("email", "desktop")
    await bob.bind_password()
    return bob


def page_of(text: str) -> str:
    """Return the name that a page gave itself."""
    return text.partition('name="page" value="')[2].partition('"')[0]


async def a_withdrawal(alice: Customer, amount: str = "10", *, to: str = NEW) -> Answered:
    return await alice.propose("withdrawal.crypto", {**alice.withdrawal(amount), "address": to})


# --- Signing, and being told ---


async def test_a_signature_over_http_is_the_customers_and_no_platforms(
    web: Web, alice: Customer
) -> None:
    await alice.add_destination()
    proposed = await a_withdrawal(alice, to=ADDRESS)
    before = await web.get(f"/confirm/{proposed.action_id}")
    assert (before.status_code, CONFIRM in before.text) == (200, True)

    signed = await web.confirm(alice, proposed.action_id)

    assert (signed.status_code, signed.json()) == (200, {"answer": "allow", "state": "authorized"})
    after = await web.get(f"/confirm/{proposed.action_id}")
    assert "You have shown all that was needed" in after.text
    account = await web.service.api.store.account(parse_account_id(alice.account_id))
    entry = await web.service.api.store.entry(
        account.account_id, account.action(proposed.action_id).entry
    )
    assert entry is not None
    assert entry.kept.openings["actor"].value == '"page"'
    metrics = (await web.service.http.get("/metrics")).text
    assert 'twinlock_answers_total{answer="allow",type="withdrawal.crypto"} 1.0' in metrics


async def test_an_api_key_names_its_destinations_by_address(web: Web, alice: Customer) -> None:
    await alice.add_destination()
    where = {"network": "ethereum", "address": ADDRESS}
    key = {"public_key": b64url(b"p" * 32), "ip_list": ["192.0.2.1"], "destinations": [where]}
    proposed = await alice.propose("api_key.create", {**key, "scopes": ["withdraw"]})

    page = await web.get(f"/confirm/{proposed.action_id}")

    assert f"ethereum: {ADDRESS}" in page.text


async def test_a_sign_in_on_the_page_is_told_to_the_platform_while_it_lasts(
    web: Web, alice: Customer
) -> None:
    other = SoftwareDevice(b"alice's other device".ljust(32, b"."))
    started = await alice.propose("session.start", {"device": other.jwk()})
    await web.confirm(alice, started.action_id)

    told = await web.service.client.action(started.action_id)
    assert (told.state, told.session_id[:4]) == ("done", "ses_")
    assert told.session_id != alice.session_id

    await web.service.client.end_sessions(alice.account_id)
    assert (await web.service.client.action(started.action_id)).session_id == ""


# --- Plain forms ---


async def test_a_password_and_a_code_by_mail_work_as_plain_forms(
    web: Web, bob: Customer, database: TestDatabase
) -> None:
    started = await bob.propose("session.start", {"device": bob.device.jwk()})
    path = f"/confirm/{started.action_id}"
    sent = await web.form(f"{path}/code", factor="email_code")
    assert (sent.status_code, sent.headers["location"]) == (303, path)
    page = (await web.get(path)).text
    assert "Code from the e-mail" in page
    await web.service.deliver()
    (code,) = (letter.code for letter in letters(web.service) if letter.code)
    challenge = page.partition('name="challenge_id" value="')[2].partition('"')[0]

    shown = await web.form(f"{path}/proof", factor="password", secret=PASSWORD)
    assert shown.status_code == 303
    assert "One more is needed" in (await web.get(path)).text
    done = await web.form(
        f"{path}/proof",
        factor="email_code",
        secret=f" {code[:3]} {code[3:]} ",
        challenge_id=challenge,
    )

    assert done.status_code == 303
    assert "It took effect" in (await web.get(path)).text


@pytest.mark.requirement("N-B15")
async def test_a_recovery_code_works_as_a_plain_form_where_the_app_is_lost(
    web: Web, service: Service
) -> None:
    carol = Customer(service, "carol")
    await carol.open("email", "desktop")
    await carol.bind_password()
    await carol.bind_totp()
    offered = await carol.client.offer(carol.account_id, "recovery_code")
    draft = {
        "authenticator": "recovery_code",
        "candidate_id": offered["candidate_id"],
        "code": offered["codes"][0],
    }
    bound = await carol.propose("authenticator.bind", draft)
    told = (await web.get(f"/confirm/{bound.action_id}")).text
    assert "Add an authenticator: recovery codes" in told

    started = await carol.propose("session.start", {"device": carol.device.jwk()})
    path = f"/confirm/{started.action_id}"
    assert "Lost it?" in (await web.get(path)).text
    wrong = await web.form(f"{path}/proof", factor="recovery_code", secret="aaaa " * 6)
    assert (wrong.status_code, '<details class="instead" open>' in wrong.text) == (422, True)
    await web.form(f"{path}/proof", factor="password", secret=PASSWORD)
    typed = offered["codes"][0].upper().replace("-", " ")
    await web.form(f"{path}/proof", factor="recovery_code", secret=typed)

    assert "It took effect" in (await web.get(path)).text


async def test_a_code_that_the_gate_does_not_send_is_refused_with_words(
    web: Web, alice: Customer
) -> None:
    proposed = await a_withdrawal(alice)

    answer = await web.form(f"/confirm/{proposed.action_id}/code", factor="email_code")

    assert answer.status_code == 422
    assert "weaker than the best that you have" in answer.text
    assert "<code>below_floor</code>" in answer.text


async def test_a_wrong_password_says_so_beside_its_field_and_confirms_nothing(
    web: Web, bob: Customer
) -> None:
    started = await bob.propose("session.start", {"device": bob.device.jwk()})
    path = f"/confirm/{started.action_id}/proof"

    answer = await web.form(path, factor="password", secret=WRONG)

    assert answer.status_code == 422
    assert "That password is not the right one" in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert WRONG not in answer.text


async def test_what_a_double_click_sends_twice_counts_once(web: Web, bob: Customer) -> None:
    started = await bob.propose("session.start", {"device": bob.device.jwk()})
    path = f"/confirm/{started.action_id}"
    first = page_of((await web.get(path)).text)

    sent = [await web.form(f"{path}/code", page=first, factor="email_code") for _ in range(2)]
    wrong = [
        await web.form(f"{path}/proof", page=first, factor="password", secret=WRONG)
        for _ in range(6)  # One more than are taken before the field is closed.
    ]
    await web.service.deliver()
    right = await web.form(f"{path}/proof", page=first, factor="password", secret=PASSWORD)
    again = await web.form(f"{path}/proof", page=first, factor="password", secret=PASSWORD)

    assert [one.status_code for one in sent] == [303, 303]
    assert [one.status_code for one in wrong] == [422, *([200] * 5)]
    assert "counts once" in wrong[-1].text
    assert len([letter for letter in letters(web.service) if letter.code]) == 1
    assert right.status_code == 303
    assert (again.status_code, "One more is needed" in again.text) == (200, True)


async def test_a_refused_question_and_a_no_that_are_sent_twice_say_so(
    web: Web, alice: Customer
) -> None:
    action, link = await held_with_link(web, alice)
    page = page_of((await web.get(link)).text)

    asked = [
        await web.form(f"/confirm/{action}/code", page=page, factor="email_code") for _ in range(2)
    ]
    said = [await web.form(f"/veto/{action}", page=page, **fields_of(link)) for _ in range(2)]

    assert [one.status_code for one in asked] == [422, 200]
    assert [one.status_code for one in said] == [303, 200]
    for second in (asked[1], said[1]):
        assert "counts once" in second.text


async def test_every_page_has_a_name_of_its_own(web: Web, bob: Customer) -> None:
    started = await bob.propose("session.start", {"device": bob.device.jwk()})
    path = f"/confirm/{started.action_id}"

    assert page_of((await web.get(path)).text) != page_of((await web.get(path)).text)


async def test_after_too_many_wrong_answers_the_fields_are_gone_for_a_while(
    web: Web, bob: Customer
) -> None:
    started = await bob.propose("session.start", {"device": bob.device.jwk()})
    path = f"/confirm/{started.action_id}"
    for _ in range(5):
        await web.form(f"{path}/proof", factor="password", secret=WRONG)

    page = (await web.get(path)).text

    assert "There were too many wrong answers" in page
    assert 'name="secret"' not in page


# --- What is over ---


async def test_an_answer_that_comes_too_late_is_told_how_it_ended(
    web: Web, alice: Customer
) -> None:
    done = await alice.propose("freeze.set")
    path = f"/confirm/{done.action_id}"
    await web.confirm(alice, done.action_id)

    assert (await web.get(path)).status_code == 200
    typed = await web.form(f"{path}/proof", factor="password", secret=PASSWORD)
    asked = await web.form(f"{path}/code", factor="email_code")
    for answer in (typed, asked):
        assert (answer.status_code, "It took effect" in answer.text) == (409, True)
        assert "<code>action_closed</code>" in answer.text
    scripted = await web.json(f"{path}/challenge", {"factor": "passkey"})
    signed = await web.json(f"{path}/assertion", {"challenge_id": "", "response": {}})
    for answer in (scripted, signed):
        assert (answer.status_code, answer.json()["code"]) == (409, "action_closed")


async def test_an_action_that_lapsed_is_not_asked_about(web: Web, alice: Customer) -> None:
    proposed = await a_withdrawal(alice)
    web.service.clock.forward(hours=1)

    asked = await web.json(f"/confirm/{proposed.action_id}/challenge", {"factor": "passkey"})

    assert (asked.status_code, asked.json()["code"]) == (409, "action_closed")
    assert "Nobody finished it in time" in (await web.get(f"/confirm/{proposed.action_id}")).text


async def test_an_action_that_gave_way_to_newer_ones_is_not_told_as_too_late(
    web: Web, alice: Customer
) -> None:
    """Prevents: a page that blames the customer's slowness, seconds after it was opened."""
    first, *_ = [await a_withdrawal(alice, str(amount)) for amount in range(10, 15)]

    told = await web.service.client.action(first.action_id)
    page = (await web.get(f"/confirm/{first.action_id}")).text

    assert (told.state, [one.code for one in told.why]) == ("lapsed", ["authorization_expired"])
    assert "or before newer requests took its place" in page
    assert "Too late" not in page


async def test_an_answer_given_twice_is_told_as_such(web: Web, alice: Customer) -> None:
    proposed = await a_withdrawal(alice)
    await web.confirm(alice, proposed.action_id)

    again = await web.confirm(alice, proposed.action_id)

    assert (again.status_code, again.json()["fault"]) == (422, "already_shown")


# --- Saying no ---


async def held_with_link(web: Web, alice: Customer) -> tuple[str, str]:
    """Return an action that waits, and the path of a link that stops it."""
    held = await a_withdrawal(alice)
    await web.confirm(alice, held.action_id)
    link, *_ = await veto_links(web.service, held.action_id)
    return held.action_id, link


def fields_of(link: str) -> dict[str, str]:
    asked = httpx.URL(link).params
    return {"channel_id": asked["c"], "token": asked["t"]}


async def test_opening_a_link_stops_nothing_and_pressing_its_button_does(
    web: Web, alice: Customer
) -> None:
    action, link = await held_with_link(web, alice)
    opened = await web.get(link)
    assert (opened.status_code, "This was not me: stop it" in opened.text) == (200, True)
    assert (await web.service.client.action(action)).state == "open"

    web.service.clock.at = web.service.clock.at.replace(second=59)
    stopped = await web.form(f"/veto/{action}", **fields_of(link))

    assert (stopped.status_code, stopped.headers["location"]) == (303, f"/confirm/{action}")
    assert (await web.service.client.action(action)).state == "vetoed"
    page = (await web.get(link)).text
    assert "Somebody entitled to said no" in page
    assert f"{web.service.clock.at:%H:%M} UTC</time>. That is final." in page  # Not a minute later.
    late = await web.form(f"/veto/{action}", **fields_of(link))
    assert (late.status_code, "action_closed" in late.text) == (409, True)


async def test_a_second_no_says_what_it_does_and_a_third_is_not_asked_for(
    web: Web, alice: Customer
) -> None:
    """Prevents: a button that promises to stop what it does not stop."""
    action, link = await held_with_link(web, alice)
    assert "stopped at once and for good" in (await web.get(link)).text
    await web.form(f"/veto/{action}", **fields_of(link))
    again, link = await held_with_link(web, alice)

    second = " ".join((await web.get(link)).text.split())
    assert "does not end it" in second
    assert "in the last 90 days already" in second
    await web.form(f"/veto/{again}", **fields_of(link))

    third = (await web.get(link)).text
    assert "You need do nothing more here" in third
    assert "can go ahead from" not in third
    assert "<button" not in third
    assert (await web.service.client.action(again)).state == "open"


@pytest.mark.parametrize(
    "change",
    [
        {"token": "A" * 43},
        {"token": ""},
        {"channel_id": "chn_of_somebody_else"},
    ],
    ids=["another token", "no token", "another channel"],
)
async def test_a_link_that_is_not_ours_stops_nothing(
    web: Web, alice: Customer, change: dict[str, str]
) -> None:
    action, link = await held_with_link(web, alice)
    fields = {**fields_of(link), **change}

    opened = await web.get(f"/veto/{action}?c={fields['channel_id']}&t={fields['token']}")
    posted = await web.form(f"/veto/{action}", **fields)

    for answer in (opened, posted):
        assert (answer.status_code, "This link does not fit" in answer.text) == (422, True)
        assert "<code>proof_refused</code>" in answer.text
    assert (await web.service.client.action(action)).state == "open"


async def test_a_link_without_a_channel_stops_nothing(web: Web, alice: Customer) -> None:
    action, link = await held_with_link(web, alice)

    answer = await web.form(f"/veto/{action}", **{**fields_of(link), "channel_id": ""})

    assert (answer.status_code, "<code>malformed</code>" in answer.text) == (400, True)
    assert (await web.service.client.action(action)).state == "open"


async def test_a_channel_that_is_younger_than_the_action_may_not_stop_it(
    web: Web, bob: Customer
) -> None:
    started = await bob.propose("session.start", {"device": bob.device.jwk()})
    await make_channels_younger(web.service, bob)
    account = await web.service.api.store.account(parse_account_id(bob.account_id))
    channel = ChannelId(bob.channels["email"])
    token = veto_token(account.action(started.action_id), channel)

    opened = await web.get(f"/veto/{started.action_id}?c={channel}&t={token}")
    posted = await web.form(f"/veto/{started.action_id}", channel_id=channel, token=token)

    for answer in (opened, posted):
        assert (answer.status_code, "<code>not_entitled</code>" in answer.text) == (200, True)
        assert "stop it</button>" not in answer.text
    assert (await web.service.client.action(started.action_id)).state == "open"


async def make_channels_younger(service: Service, customer: Customer) -> None:
    """Bind a customer's channels an hour from now; nothing in the API can yet."""

    def younger(state: State, now: datetime) -> Decided:
        channels = (
            replace(one, bound_at=now + timedelta(hours=1)) for one in state.account.channels
        )
        account = replace(state.account, channels=tuple(channels))
        decision = Decision(
            kind="channel.bind",
            action_id="",
            answer=Answer.ALLOW,
            events=(AccountOpened(at=now, account=account),),
        )
        after = advance(replace(state, account=account))
        return Decided(decisions=(decision,), states=(after,))

    work = Work(
        account_id=parse_account_id(customer.account_id),
        decide=younger,
        actor="test",
        policy=rule_book().policy.name,
    )
    await service.api.store.run(work)


async def test_a_link_of_another_action_stops_nothing(web: Web, alice: Customer) -> None:
    _, link = await held_with_link(web, alice)
    other = await a_withdrawal(alice)

    answer = await web.form(f"/veto/{other.action_id}", **fields_of(link))

    assert answer.status_code == 422
    assert (await web.service.client.action(other.action_id)).state == "open"
