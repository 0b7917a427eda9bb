"""Recovery codes over the API: told once, used once, and replaced as a set."""

import pytest
from support.service import PASSWORD, Customer, Service

from twinlock.client import ProblemError
from twinlock.domain.canonical import encode
from twinlock.domain.requirements import Answer
from twinlock.range.device import SoftwareDevice

NEW_PHONE = SoftwareDevice(b"new phone".ljust(32, b"."))


async def offered(alice: Customer) -> tuple[str, list[str]]:
    told = await alice.client.offer(alice.account_id, "recovery_code")
    return told["candidate_id"], told["codes"]


async def bind(alice: Customer, candidate: str, code: str) -> str:
    draft = {"authenticator": "recovery_code", "candidate_id": candidate, "code": code}
    return (await alice.propose("authenticator.bind", draft)).action_id


async def with_app_and_codes(service: Service) -> tuple[Customer, list[str]]:
    alice = Customer(service, "alice")
    await alice.open("email", "desktop")
    await alice.bind_password()
    await alice.bind_totp()
    candidate, codes = await offered(alice)
    await bind(alice, candidate, codes[0])
    service.clock.forward(hours=2)
    return alice, codes


async def left(alice: Customer) -> list[int]:
    seen = await alice.client.account(alice.account_id)
    return [one["codes_left"] for one in seen["authenticators"] if one["codes_left"] is not None]


async def sign_in(alice: Customer, code: str, *, device: SoftwareDevice = NEW_PHONE) -> Answer:
    started = await alice.propose("session.start", {"device": device.jwk()})
    await alice.with_secret(started.action_id, "password", PASSWORD)
    return (await alice.with_secret(started.action_id, "recovery_code", code)).answer


@pytest.mark.requirement("N-B15")
async def test_a_lost_app_is_no_locked_door(service: Service) -> None:
    alice, codes = await with_app_and_codes(service)
    assert await left(alice) == [10]

    assert await sign_in(alice, codes[0].upper()) is Answer.ALLOW
    seen = await alice.client.account(alice.account_id)
    app = next(one for one in seen["authenticators"] if one["factor"] == "totp")
    removal = await alice.propose(
        "authenticator.remove", {"authenticator_id": app["authenticator_id"]}
    )
    await alice.with_secret(removal.action_id, "password", PASSWORD)
    told = await alice.with_secret(removal.action_id, "recovery_code", codes[1].replace("-", " "))

    assert told.answer is Answer.HOLD
    assert await left(alice) == [8]


@pytest.mark.requirement("N-B15", "P-01")
async def test_a_code_counts_once(service: Service) -> None:
    alice, codes = await with_app_and_codes(service)
    assert await sign_in(alice, codes[0]) is Answer.ALLOW

    with pytest.raises(ProblemError) as refused:
        await sign_in(alice, codes[0])
    assert refused.value.fault == "code_wrong"
    assert await left(alice) == [9]


async def test_the_codes_of_a_set_are_told_once(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.open("email")
    where, key = f"/v1/accounts/{alice.account_id}/candidates", {"Idempotency-Key": service.key()}
    first, again = [
        await service.http.post(where, json={"factor": "recovery_code"}, headers=key)
        for _ in range(2)
    ]

    assert first.status_code == 201
    assert (again.status_code, again.json()["code"]) == (409, "not_repeatable")
    assert not any(code in again.text for code in first.json()["codes"])


async def test_a_set_that_nobody_has_kept_is_not_bound(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.open("email")
    candidate, codes = await offered(alice)
    _, others = await offered(alice)
    for named, code in ((candidate, codes[0]), (candidate, others[0]), ("cnd_x", codes[0])):
        with pytest.raises(ProblemError) as refused:
            await bind(alice, named, code)
        assert refused.value.code == "proof_refused"
    assert await left(alice) == []


@pytest.mark.requirement("N-B15")
async def test_a_new_set_ends_the_old_one_after_its_wait(service: Service) -> None:
    alice, old = await with_app_and_codes(service)
    assert await sign_in(alice, old[0]) is Answer.ALLOW
    candidate, new = await offered(alice)
    binding = await bind(alice, candidate, new[9])
    assert alice.app is not None
    told = await alice.with_secret(binding, "totp", alice.app.code(service.clock.at))
    assert told.answer is Answer.HOLD
    service.clock.forward(days=3)

    assert await sign_in(alice, new[0]) is Answer.ALLOW
    assert await left(alice) == [9]
    with pytest.raises(ProblemError):
        await sign_in(alice, old[1])


@pytest.mark.requirement("N-B15", "O-33")
async def test_nothing_that_is_kept_or_logged_tells_a_code(
    service: Service, capfd: pytest.CaptureFixture[str]
) -> None:
    alice, codes = await with_app_and_codes(service)
    await sign_in(alice, codes[0])
    account, _ = await service.api.use.accounts.look(alice.account_id)  # type: ignore[arg-type] # as it came over the wire
    written = encode(account).decode() + "".join(capfd.readouterr())
    assert not any(code in written or code.replace("-", "") in written for code in codes)


@pytest.mark.requirement("N-B15")
async def test_a_wrong_code_is_told_like_one_where_there_is_no_set(service: Service) -> None:
    alice, _ = await with_app_and_codes(service)
    bob = Customer(service, "bob")
    await bob.open("email")
    await bob.bind_password()
    told = []
    for customer in (alice, bob):
        started = await customer.propose("session.start", {"device": NEW_PHONE.jwk()})
        with pytest.raises(ProblemError) as refused:
            await customer.with_secret(started.action_id, "recovery_code", "aaaa-" * 5 + "aaaa")
        told.append((refused.value.status, refused.value.code, refused.value.fault))

    assert told == [(422, "proof_refused", "code_wrong")] * 2
