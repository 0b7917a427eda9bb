"""Every call that acts has an idempotency key, and acts once however often it is made."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from support.browser import Web, letters
from support.service import PASSWORD, Customer, Service

from twinlock.adapters.hashing import ThreadHasher
from twinlock.client import ProblemError
from twinlock.domain.bounds import CHALLENGE_LIFETIME
from twinlock.domain.ids import parse_account_id
from twinlock.range.device import TotpApp

NOBODYS = {"session": {"session_id": "ses_" + "a" * 26}}
KEY = "the-same-key-1"


async def entries(customer: Customer) -> int:
    """Return how many decisions about a customer stand in the log."""
    account = await customer.service.api.store.account(parse_account_id(customer.account_id))
    return account.chain.entries


async def failures(customer: Customer) -> int:
    account = await customer.service.api.store.account(parse_account_id(customer.account_id))
    return account.throttle.failures


async def refusal(call: Awaitable[object]) -> tuple[int, str]:
    with pytest.raises(ProblemError) as refused:
        await call
    return refused.value.status, refused.value.code


async def test_what_acts_is_refused_without_a_key(service: Service, alice: Customer) -> None:
    action = (await alice.propose("freeze.set")).action_id
    of_account, of_action = f"/v1/accounts/{alice.account_id}", f"/v1/actions/{action}"
    before = await entries(alice)
    for path, body in {
        "/v1/accounts": {},
        "/v1/actions": {"account_id": alice.account_id, "type": "freeze.set"},
        f"{of_account}/candidates": {"factor": "totp"},
        f"{of_account}/sessions/end": {},
        f"{of_action}/challenges": {"factor": "passkey"},
        f"{of_action}/assertions": {"factor": "password", "secret": PASSWORD},
        f"{of_action}/veto": {},
    }.items():
        for headers in ({}, {"Idempotency-Key": "short"}):
            answer = await service.http.post(path, json=body, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (400, "malformed"), path
            assert "Idempotency-Key" in answer.json()["detail"]
    assert await entries(alice) == before


async def test_the_same_key_for_something_else_is_a_conflict(
    service: Service, alice: Customer
) -> None:
    client, name = service.client, alice.account_id
    one, other = await alice.propose("freeze.set"), await alice.propose("freeze.set")
    await client.offer(name, "totp", key="offer-key-1")
    await client.end_sessions(name, session_id="ses_nobody", key="end-key-1")
    await client.ask(one.action_id, {"factor": "passkey"}, key="ask-key-1")
    with pytest.raises(ProblemError):
        await client.prove(
            one.action_id, {"factor": "password", "secret": "wrong"}, key="prove-key-1"
        )
    await client.veto(one.action_id, NOBODYS, key="veto-key-1")
    before = await entries(alice)

    conflict = (409, "idempotency_conflict")
    for call in (
        client.offer(name, "passkey", key="offer-key-1"),
        client.end_sessions(name, key="end-key-1"),
        client.ask(other.action_id, {"factor": "passkey"}, key="ask-key-1"),
        client.ask(one.action_id, {"factor": "totp"}, key="ask-key-1"),
        client.prove(one.action_id, {"factor": "password", "secret": PASSWORD}, key="prove-key-1"),
        client.veto(other.action_id, NOBODYS, key="veto-key-1"),
    ):
        assert await refusal(call) == conflict
    assert await entries(alice) == before


async def test_a_key_that_was_used_conflicts_also_when_the_action_is_over(
    service: Service, alice: Customer
) -> None:
    action = await alice.propose("freeze.set")
    await alice.with_passkey(action.action_id)
    await service.client.end_sessions(alice.account_id, key=KEY)

    assert await refusal(service.client.veto(action.action_id, {}, key=KEY)) == (
        409,
        "idempotency_conflict",
    )
    reply = {"factor": "password", "secret": PASSWORD}
    assert await refusal(service.client.prove(action.action_id, reply, key=KEY)) == (
        409,
        "idempotency_conflict",
    )


async def test_a_binding_that_is_asked_for_again_is_told_how_it_stands(
    service: Service, alice: Customer
) -> None:
    """Prevents: a binding that waits, told as refused to whoever lost its first answer."""
    bodies: list[dict[str, Any]] = []
    for _ in range(2):
        offered = await service.client.offer(alice.account_id, "totp")
        code = TotpApp(offered["uri"]).code(service.clock.at)
        payload = {
            "authenticator": "totp",
            "candidate_id": offered["candidate_id"],
            "code": code,
        }
        body = {"account_id": alice.account_id, "type": "authenticator.bind", "payload": payload}
        bodies.append(body)
    first = await service.client.propose(bodies[0], key=KEY)
    before = await entries(alice)

    again = await service.client.propose(bodies[0], key=KEY)
    assert (again.action_id, again.state) == (first.action_id, "open")
    told = await refusal(service.client.propose(bodies[0], key="another-key-1"))
    assert told == (422, "proof_refused")
    await service.client.propose(bodies[1], key="another-key-2")
    gone = {**bodies[1], "payload": bodies[1]["payload"] | {"code": "000000"}}
    assert await refusal(service.client.propose(gone, key=KEY)) == (409, "idempotency_conflict")
    assert await entries(alice) == before + 1


# --- Asking again ---


async def test_a_candidate_that_was_offered_is_offered_again_under_its_key(
    service: Service, alice: Customer
) -> None:
    for factor in ("totp", "passkey"):
        key = f"offer-{factor}-1"
        first = await service.client.offer(alice.account_id, factor, key=key)
        before = await entries(alice)
        service.clock.forward(minutes=1)

        again = await service.client.offer(alice.account_id, factor, key=key)

        assert again == {**first, "expires_in_seconds": first["expires_in_seconds"] - 60}
        assert await entries(alice) == before


async def test_a_candidate_that_is_gone_is_not_offered_again(
    service: Service, alice: Customer
) -> None:
    offer = service.client.offer
    await offer(alice.account_id, "totp", key=KEY)
    service.clock.forward(seconds=CHALLENGE_LIFETIME.total_seconds())
    assert await refusal(offer(alice.account_id, "totp", key=KEY)) == (409, "not_repeatable")

    await offer(alice.account_id, "totp", key="replaced-key-1")
    for _ in range(2):
        await offer(alice.account_id, "totp")
    told = await refusal(offer(alice.account_id, "totp", key="replaced-key-1"))
    assert told == (409, "not_repeatable")


async def test_a_question_is_put_again_under_its_key_while_nobody_has_answered_it(
    service: Service, alice: Customer
) -> None:
    action = (await alice.propose("freeze.set")).action_id
    first = await service.client.ask(action, {"factor": "passkey"}, key=KEY)
    before = await entries(alice)
    service.clock.forward(minutes=1)

    again = await service.client.ask(action, {"factor": "passkey"}, key=KEY)

    assert (again["challenge_id"], again["options"]) == (first["challenge_id"], first["options"])
    assert again["expires_in_seconds"] == first["expires_in_seconds"] - 60
    assert again["answered"]["state"] == "open"
    assert await entries(alice) == before
    response = alice.passkey.get(alice.ceremony(again["options"]["challenge"]))
    reply = {"factor": "passkey", "challenge_id": again["challenge_id"], "response": response}
    assert (await service.client.prove(action, reply)).state == "done"
    told = await refusal(service.client.ask(action, {"factor": "passkey"}, key=KEY))
    assert told == (409, "action_closed")


async def test_a_code_is_sent_once_for_its_key(service: Service) -> None:
    bob = Customer(service, "bob")
    await bob.open("email")
    await bob.bind_password()
    action = (await bob.propose("session.start", {"device": bob.device.jwk()})).action_id

    first = await service.client.ask(action, {"factor": "email_code"}, key=KEY)
    again = await service.client.ask(action, {"factor": "email_code"}, key=KEY)
    await service.deliver()

    assert again["challenge_id"] == first["challenge_id"]
    assert "options" not in again
    assert len([letter for letter in letters(service) if letter.code]) == 1


async def test_a_question_that_was_refused_answered_replaced_or_is_too_old_is_not_put_again(
    service: Service, alice: Customer
) -> None:
    ask, passkey = service.client.ask, {"factor": "passkey"}
    gone = (409, "not_repeatable")
    action = (await alice.propose("freeze.set")).action_id
    assert await refusal(ask(action, {"factor": "sms_code"}, key="refused-1")) == (
        422,
        "proof_refused",
    )
    assert await refusal(ask(action, {"factor": "sms_code"}, key="refused-1")) == gone

    mail = {"factor": "email_code"}
    await ask(action, mail, key="replaced-1")
    await ask(action, mail)
    await ask(action, passkey, key="too-old-1")
    assert await refusal(ask(action, mail, key="replaced-1")) == gone
    service.clock.forward(seconds=CHALLENGE_LIFETIME.total_seconds())
    assert await refusal(ask(action, passkey, key="too-old-1")) == gone

    held = await alice.propose("withdrawal.crypto", alice.withdrawal())
    asked = await ask(held.action_id, passkey, key="answered-1")
    response = alice.passkey.get(alice.ceremony(asked["options"]["challenge"]))
    reply = {"factor": "passkey", "challenge_id": asked["challenge_id"], "response": response}
    assert (await service.client.prove(held.action_id, reply)).state == "open"
    assert await refusal(ask(held.action_id, passkey, key="answered-1")) == gone


# --- Answering again ---


async def repeated(call: Callable[[], Awaitable[Any]], customer: Customer) -> tuple[Any, Any]:
    """Make a call twice, and return both answers, of which the second decided nothing."""
    first = await call()
    before = await entries(customer)
    again = await call()
    assert await entries(customer) == before
    return first, again


async def test_a_proof_that_is_handed_in_again_is_told_how_its_action_stands(
    service: Service, alice: Customer
) -> None:
    for kind, payload, state in (
        ("withdrawal.crypto", alice.withdrawal(), "open"),
        ("freeze.set", {}, "done"),
    ):
        action = (await alice.propose(kind, payload)).action_id
        asked = await service.client.ask(action, {"factor": "passkey"})
        response = alice.passkey.get(alice.ceremony(asked["options"]["challenge"]))
        reply = {"factor": "passkey", "challenge_id": asked["challenge_id"], "response": response}

        first, again = await repeated(
            partial(service.client.prove, action, reply, key=f"prove-{kind}"),
            alice,
        )

        assert (first.state, again.state) == (state, state)


async def test_a_wrong_answer_that_is_handed_in_again_counts_once(
    service: Service, alice: Customer
) -> None:
    action = (await alice.propose("freeze.set")).action_id
    wrong = {"factor": "password", "secret": "a wrong guess"}
    assert await refusal(service.client.prove(action, wrong, key=KEY)) == (422, "proof_refused")
    before = await entries(alice)

    again = await service.client.prove(action, wrong, key=KEY)

    assert (again.answer, again.state) == ("challenge", "open")
    assert (await failures(alice), await entries(alice)) == (1, before)
    assert await refusal(service.client.prove(action, wrong)) == (422, "proof_refused")
    assert await failures(alice) == 2


async def test_a_password_that_comes_again_under_its_key_is_not_hashed_again(
    service: Service, web: Web, alice: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents: one form, sent over and over, by which nobody else's password is checked in time;

    and guesses under a key that was used, which count as none.
    """
    hashed: list[str] = []
    verify = ThreadHasher.verify

    async def counted(self: ThreadHasher, encoded: str | None, password: str) -> str:
        hashed.append(password)
        return await verify(self, encoded, password)

    monkeypatch.setattr(ThreadHasher, "verify", counted)
    action = (await alice.propose("freeze.set")).action_id
    page = "w" * 26
    for status in (422, 200, 200):
        fields = {"page": page, "factor": "password", "secret": "a wrong guess"}
        typed = await web.form(f"/confirm/{action}/proof", **fields)
        assert typed.status_code == status
    assert hashed == ["a wrong guess"]

    def guess(secret: str) -> Awaitable[object]:
        return service.client.prove(action, {"factor": "password", "secret": secret}, key=KEY)

    assert await refusal(guess("one")) == (422, "proof_refused")
    assert await refusal(guess("two")) == (409, "idempotency_conflict")
    assert hashed == ["a wrong guess", "one"]
    assert await failures(alice) == 2


async def test_a_veto_that_is_said_again_is_told_how_its_action_ended(
    service: Service, alice: Customer
) -> None:
    for key, by_owner in (("veto-owner-1", True), ("veto-nobody-1", False)):
        held = await alice.withdraw()
        no = {"session": alice.signed(held.digest, purpose="veto", name=held.action_id)}
        first, again = await repeated(
            partial(service.client.veto, held.action_id, no if by_owner else NOBODYS, key=key),
            alice,
        )

        assert (first.state, again.state) == (("vetoed",) * 2 if by_owner else ("open",) * 2)
    # A second no to the same change would open a contest.
    over = await alice.withdraw(address=f"0x{'cd' * 20}")
    await alice.propose("freeze.set")
    await service.client.veto(
        over.action_id,
        {"session": alice.signed(over.digest, purpose="veto", name=over.action_id)},
    )
    assert await refusal(service.client.veto(over.action_id, {})) == (409, "action_closed")


async def test_a_session_that_no_table_could_name_ends_nothing_and_breaks_nothing(
    service: Service, alice: Customer
) -> None:
    for number, named in enumerate(("ses\x00", "x" * 20_000)):
        await service.client.end_sessions(
            alice.account_id, session_id=named, key=f"none-{number:04d}"
        )

    account = await service.api.store.account(parse_account_id(alice.account_id))
    assert [one.session_id for one in account.sessions] == [alice.session_id]


async def test_sessions_that_were_ended_under_a_key_end_once(
    service: Service, alice: Customer
) -> None:
    await service.client.end_sessions(alice.account_id, key=KEY)
    await alice.sign_in()
    before = await entries(alice)

    await service.client.end_sessions(alice.account_id, key=KEY)

    assert await entries(alice) == before
    account = await service.api.store.account(parse_account_id(alice.account_id))
    assert [one.session_id for one in account.sessions] == [alice.session_id]
