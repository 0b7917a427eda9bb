"""Codes by e-mail and SMS over the API: a flood of them, and a SIM that changed."""

from datetime import timedelta

import pytest
from support.browser import letters
from support.service import PASSWORD, Customer, Service

from twinlock.client import ProblemError
from twinlock.domain.bounds import CODES_STRANGE_PER_HOUR_MOST
from twinlock.domain.notices import NoticeKind
from twinlock.domain.requirements import Answer


async def weak(service: Service) -> Customer:
    bob = Customer(service, "bob")
    await bob.open("sms", "email")
    await bob.bind_password()
    return bob


async def start(bob: Customer) -> str:
    started = await bob.propose("session.start", {"device": bob.device.jwk()})
    await bob.with_secret(started.action_id, "password", PASSWORD)
    return started.action_id


def kinds(service: Service) -> list[NoticeKind]:
    return [one.kind for one in letters(service)]


@pytest.mark.requirement("O-13", "N-B06")
async def test_fifty_questions_in_a_minute_send_eight_codes_and_one_word(service: Service) -> None:
    bob = await weak(service)
    action = await start(bob)
    faults = []
    for _ in range(50):
        try:
            await bob.client.ask(action, {"factor": "email_code"})
        except ProblemError as refused:
            faults.append((refused.status, refused.fault))
        service.clock.forward(seconds=1)
    await service.deliver()
    told = kinds(service)

    assert faults == [(422, "codes_limited")] * (50 - CODES_STRANGE_PER_HOUR_MOST)
    assert told.count(NoticeKind.CODE) == CODES_STRANGE_PER_HOUR_MOST
    assert told.count(NoticeKind.FLOOD) == len(bob.channels)


@pytest.mark.requirement("N-B08")
async def test_after_a_changed_sim_the_sms_counts_nothing_and_the_mail_does(
    service: Service,
) -> None:
    bob = await weak(service)
    action = await start(bob)
    asked = await bob.client.ask(action, {"factor": "sms_code"})
    await service.deliver()
    (code,) = (one.code for one in letters(service) if one.code)
    await bob.client.report_sim_change(bob.account_id)

    late = {"factor": "sms_code", "challenge_id": asked["challenge_id"], "secret": code}
    for told in (bob.client.prove(action, late), bob.client.ask(action, {"factor": "sms_code"})):
        with pytest.raises(ProblemError) as refused:
            await told
        assert refused.value.fault == "sim_changed"
    mailed = await bob.client.ask(action, {"factor": "email_code"})
    await service.deliver()
    assert NoticeKind.SIM_CHANGED in kinds(service)
    newest = [one.code for one in letters(service) if one.code][-1]
    reply = {"factor": "email_code", "challenge_id": mailed["challenge_id"], "secret": newest}
    assert (await bob.client.prove(action, reply)).answer is Answer.ALLOW


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 204, ""),
        ({"changed_at": None}, 204, ""),
        ({"changed_at": "2020-01-01T00:00:00Z"}, 204, ""),
        ({"changed_at": "2020-01-01T00:00:00+14:00"}, 204, ""),
        ({"changed_at": "2020-01-01T00:00:00"}, 400, "malformed"),
        ({"changed_at": "9999-12-31T23:59:59Z"}, 400, "malformed"),
        ({"changed_at": "0001-01-01T00:00:00+23:59"}, 400, "malformed"),
        ({"number": "+41"}, 400, "malformed"),
    ],
)
async def test_a_report_says_when_in_the_past(
    service: Service, body: dict[str, object], status: int, code: str
) -> None:
    bob = await weak(service)
    answer = await service.http.post(
        f"/v1/accounts/{bob.account_id}/sim-changes",
        json=body,
        headers={"Idempotency-Key": service.key()},
    )

    assert (answer.status_code, answer.json()["code"] if code else "") == (status, code)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [({}, 204, ""), ({"channel": "email"}, 400, "malformed"), ([], 400, "malformed")],
)
async def test_a_flood_is_reported_and_its_owner_told(
    service: Service, body: object, status: int, code: str
) -> None:
    bob = await weak(service)
    answer = await service.http.post(
        f"/v1/accounts/{bob.account_id}/floods",
        json=body,
        headers={"Idempotency-Key": service.key()},
    )
    await service.deliver()

    assert (answer.status_code, answer.json()["code"] if code else "") == (status, code)
    assert (NoticeKind.MANY in kinds(service)) is (status == 204)


async def test_a_flood_is_reported_once_for_its_key(service: Service) -> None:
    bob = await weak(service)
    await bob.client.report_flood(bob.account_id, key="flood-report-1")
    before, _ = await service.api.use.accounts.look(bob.account_id)  # type: ignore[arg-type] # as it came over the wire
    service.clock.forward(hours=1)
    await bob.client.report_flood(bob.account_id, key="flood-report-1")
    after, _ = await service.api.use.accounts.look(bob.account_id)  # type: ignore[arg-type] # as it came over the wire

    assert after.rings == before.rings


async def test_a_report_a_moment_from_now_is_none(service: Service) -> None:
    bob = await weak(service)
    soon = service.clock.at + timedelta(seconds=1)
    with pytest.raises(ProblemError) as refused:
        await bob.client.report_sim_change(bob.account_id, changed_at=soon.isoformat())
    assert refused.value.code == "malformed"


async def test_a_report_is_kept_once_for_its_key(service: Service) -> None:
    bob = await weak(service)
    await bob.client.report_sim_change(bob.account_id, key="sim-changed-1")
    service.clock.forward(hours=1)
    await bob.client.report_sim_change(bob.account_id, key="sim-changed-1")
    account, _ = await service.api.use.accounts.look(bob.account_id)  # type: ignore[arg-type] # as it came over the wire

    assert account.sim_changed_at == service.clock.at - timedelta(hours=1)
