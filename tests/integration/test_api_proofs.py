import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.service import PASSWORD, Customer, Service

from twinlock.client import ProblemError
from twinlock.domain.requirements import Answer
from twinlock.range.authenticator import SoftwareAuthenticator
from twinlock.range.device import SoftwareDevice


async def letters(service: Service, **wanted: str) -> list[dict[str, Any]]:
    """Return the messages that the relay has left as files, once they are there."""
    await service.deliver()
    found = read_letters(service.settings.outbox_dir)
    return [one for one in found if wanted.items() <= one.items()]


def read_letters(outbox: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(outbox.glob("*.json"))]


async def test_a_code_by_sms_counts_where_nothing_stronger_is_bound(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.open("email", "sms")
    await alice.bind_password()
    started = await alice.propose("session.start", {"device": alice.device.jwk()})
    await alice.with_secret(started.action_id, "password", PASSWORD)

    asked = await service.client.ask(started.action_id, {"factor": "sms_code"})
    code = (await letters(service, kind="code", channel="sms"))[0]["code"]
    wrong = f"{(int(code) + 1) % 10**8:08d}"
    reply = {"factor": "sms_code", "challenge_id": asked["challenge_id"]}
    with pytest.raises(ProblemError) as refused:
        await service.client.prove(started.action_id, {**reply, "secret": wrong})
    assert (refused.value.code, refused.value.fault) == ("proof_refused", "code_wrong")
    answer = await service.client.prove(started.action_id, {**reply, "secret": code})
    assert (answer.answer, answer.session_id[:4]) == (Answer.ALLOW, "ses_")


async def test_below_the_floor_a_sign_in_may_only_look(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up("email", "sms")
    thief = SoftwareDevice(b"t" * 32)
    started = await alice.propose("session.start", {"device": thief.jwk()})
    await alice.with_secret(started.action_id, "password", PASSWORD)
    asked = await service.client.ask(started.action_id, {"factor": "sms_code"})
    code = (await letters(service, kind="code"))[0]["code"]
    answer = await service.client.prove(
        started.action_id,
        {"factor": "sms_code", "challenge_id": asked["challenge_id"], "secret": code},
    )
    assert answer.answer is Answer.READ_ONLY
    assert [why.code for why in answer.why] == ["proof_needed"]
    assert (await service.client.account(alice.account_id))["holds"] == []


@pytest.mark.requirement("N-B05", "O-05")
async def test_a_method_below_the_floor_is_not_asked_for(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up("email", "sms")
    action = await alice.propose("withdrawal.crypto", alice.withdrawal())
    with pytest.raises(ProblemError) as refused:
        await service.client.ask(action.action_id, {"factor": "sms_code"})
    assert (refused.value.code, refused.value.fault) == ("proof_refused", "below_floor")


async def test_an_app_needs_its_password_to_sign_in(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.open("email")
    await alice.bind_password()
    await alice.bind_totp()
    assert alice.app is not None
    service.clock.forward(minutes=2)
    started = await alice.propose("session.start", {"device": alice.device.jwk()})
    answer = await alice.with_secret(started.action_id, "totp", alice.app.code(service.clock.at))
    assert (answer.answer, answer.why[0].code) == (Answer.CHALLENGE, "password_needed")
    answer = await alice.with_secret(started.action_id, "password", PASSWORD)
    assert answer.answer is Answer.ALLOW


@pytest.mark.requirement("N-B02", "P-01")
async def test_a_code_of_the_app_counts_once(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.open("email")
    await alice.bind_password()
    await alice.bind_totp()
    assert alice.app is not None
    service.clock.forward(minutes=2)
    code = alice.app.code(service.clock.at)
    first = await alice.propose("freeze.set")
    await alice.with_secret(first.action_id, "totp", code)
    second = await alice.propose("session.start", {"device": alice.device.jwk()})
    with pytest.raises(ProblemError) as refused:
        await alice.with_secret(second.action_id, "totp", code)
    assert refused.value.fault == "code_replayed"


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        ({"factor": "password", "secret": "wrong password"}, "password_wrong"),
        ({"factor": "totp", "secret": "000000"}, "code_wrong"),
        ({"factor": "passkey", "challenge_id": "chl_x", "response": {}}, "challenge_gone"),
        ({"factor": "sms_code", "challenge_id": "chl_x", "secret": "00000000"}, "challenge_gone"),
        ({"factor": "session", "secret": "x"}, "wrong_kind"),
    ],
)
async def test_an_answer_that_does_not_hold_is_refused(
    service: Service, reply: dict[str, Any], fault: str
) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    action = await alice.propose("withdrawal.crypto", alice.withdrawal())
    with pytest.raises(ProblemError) as refused:
        await service.client.prove(action.action_id, reply)
    assert (refused.value.code, refused.value.fault) == ("proof_refused", fault)


@pytest.mark.requirement("P-06", "O-13")
async def test_an_assertion_for_one_action_proves_no_other(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    one = await alice.propose("withdrawal.crypto", alice.withdrawal("1"))
    other = await alice.propose("withdrawal.crypto", alice.withdrawal("999"))
    asked = await service.client.ask(one.action_id, {"factor": "passkey"})
    response = alice.passkey.get(alice.ceremony(asked["options"]["challenge"]))
    reply = {"factor": "passkey", "response": response}

    with pytest.raises(ProblemError) as foreign:
        await service.client.prove(
            other.action_id, {**reply, "challenge_id": asked["challenge_id"]}
        )
    assert foreign.value.fault == "challenge_gone"
    mine = await service.client.ask(other.action_id, {"factor": "passkey"})
    with pytest.raises(ProblemError) as swapped:
        await service.client.prove(other.action_id, {**reply, "challenge_id": mine["challenge_id"]})
    assert swapped.value.fault == "wrong_challenge"


async def test_a_passkey_of_another_account_proves_nothing(service: Service) -> None:
    alice, mallory = Customer(service, "alice"), Customer(service, "mallory")
    await alice.set_up()
    await mallory.set_up()
    action = await alice.propose("withdrawal.crypto", alice.withdrawal())
    asked = await service.client.ask(action.action_id, {"factor": "passkey"})
    response = mallory.passkey.get(mallory.ceremony(asked["options"]["challenge"]))
    with pytest.raises(ProblemError) as refused:
        await service.client.prove(
            action.action_id,
            {"factor": "passkey", "challenge_id": asked["challenge_id"], "response": response},
        )
    assert refused.value.fault == "authenticator_gone"


async def test_a_challenge_that_is_too_old_is_gone(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    action = await alice.propose("withdrawal.crypto", alice.withdrawal())
    asked = await service.client.ask(action.action_id, {"factor": "passkey"})
    response = alice.passkey.get(alice.ceremony(asked["options"]["challenge"]))
    service.clock.forward(minutes=10)
    with pytest.raises(ProblemError) as refused:
        await service.client.prove(
            action.action_id,
            {"factor": "passkey", "challenge_id": asked["challenge_id"], "response": response},
        )
    assert refused.value.fault == "challenge_gone"


@pytest.mark.requirement("N-B06", "P-04")
async def test_a_sixth_guess_is_not_read_however_the_codes_are_asked_for(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.open("email")
    await alice.bind_password()
    faults = []
    for _ in range(7):
        action = await alice.propose("freeze.set")
        with pytest.raises(ProblemError) as refused:
            await alice.with_secret(action.action_id, "password", "wrong password")
        faults.append(refused.value.fault)
    assert faults == ["password_wrong"] * 5 + ["throttled"] * 2
    service.clock.forward(seconds=31)
    action = await alice.propose("freeze.set")
    assert (await alice.with_secret(action.action_id, "password", PASSWORD)).answer is Answer.ALLOW


async def test_a_changed_password_counts_and_the_old_one_does_not(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    change = await alice.propose("password.change", {"password": "another good one"})
    assert (await alice.with_passkey(change.action_id)).state == "done"
    seen = await service.client.account(alice.account_id)
    assert [hold["because"] for hold in seen["holds"]] == ["password.change"]

    action = await alice.propose("freeze.set")
    with pytest.raises(ProblemError):
        await alice.with_secret(action.action_id, "password", PASSWORD)
    answer = await alice.with_secret(action.action_id, "password", "another good one")
    assert answer.answer is Answer.ALLOW


@pytest.mark.requirement("O-11", "O-18")
async def test_a_removed_authenticator_waits_and_then_counts_no_more(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.open("email", "desktop")
    await alice.bind_password()
    await alice.bind_totp()
    await alice.bind_passkey()
    await alice.sign_in()
    seen = await service.client.account(alice.account_id)
    totp = next(one for one in seen["authenticators"] if one["factor"] == "totp")
    removal = await alice.propose(
        "authenticator.remove", {"authenticator_id": totp["authenticator_id"]}
    )
    answer = await alice.with_passkey(removal.action_id)
    assert answer.answer is Answer.HOLD
    service.clock.forward(hours=72)
    freeze = await alice.propose("freeze.set")
    seen = await service.client.account(alice.account_id)
    assert [one["factor"] for one in seen["authenticators"]] == ["password", "passkey"]
    assert alice.app is not None
    with pytest.raises(ProblemError) as refused:
        await alice.with_secret(freeze.action_id, "totp", alice.app.code(service.clock.at))
    assert refused.value.fault == "code_wrong"


async def test_the_same_passkey_is_bound_once(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.open("email")
    await alice.bind_passkey()
    with pytest.raises(ProblemError) as refused:
        await alice.bind_passkey()
    assert refused.value.fault == "wrong_credential"


async def test_an_offer_that_is_too_old_is_gone(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.open("email")
    offered = await service.client.offer(alice.account_id, "passkey")
    response = alice.passkey.create(alice.ceremony(offered["challenge"]))
    service.clock.forward(minutes=10)
    payload = {
        "authenticator": "passkey",
        "candidate_id": offered["candidate_id"],
        "response": response,
    }
    with pytest.raises(ProblemError) as refused:
        await alice.propose("authenticator.bind", payload)
    assert refused.value.fault == "challenge_gone"


@pytest.mark.requirement("O-19")
async def test_an_api_key_that_may_withdraw_waits_for_its_day(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    await alice.add_destination()
    wanted = {
        "public_key": "A" * 42 + "E",
        "scopes": ["withdraw", "read"],
        "ip_list": ["203.0.113.7"],
        "destinations": [{"network": "ethereum", "address": "0x" + "ab" * 20}],
        "daily_cents": 100_00,
    }
    created = await alice.propose("api_key.create", wanted)
    assert (await alice.with_passkey(created.action_id)).answer is Answer.HOLD
    service.clock.forward(hours=24)
    await alice.propose("freeze.set")
    keys = (await service.client.account(alice.account_id))["api_keys"]
    assert keys[0]["scopes"] == ["read", "withdraw"]
    revoked = await alice.propose("api_key.revoke", {"api_key_id": keys[0]["api_key_id"]})
    await alice.with_passkey(revoked.action_id)
    assert (await service.client.account(alice.account_id))["api_keys"] == []


async def test_an_api_key_does_not_name_a_destination_that_only_somebody_proposed(
    service: Service,
) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    where = {"network": "ethereum", "address": "0x" + "ab" * 20}
    await alice.propose("destination.add", where)
    wanted = {
        "public_key": "A" * 42 + "E",
        "scopes": ["withdraw"],
        "ip_list": ["203.0.113.7"],
        "destinations": [where],
    }

    with pytest.raises(ProblemError) as refused:
        await alice.propose("api_key.create", wanted)

    assert refused.value.code == "target_not_found"


async def test_a_destination_is_removed_at_once_with_proof_at_the_floor(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    await alice.add_destination()
    removed = await alice.propose(
        "destination.remove", {"network": "ethereum", "address": "0x" + "ab" * 20}
    )
    answer = await alice.with_secret(removed.action_id, "password", PASSWORD)
    assert [why.code for why in answer.why] == ["proof_needed"]
    answer = await alice.with_passkey(removed.action_id)
    assert (answer.answer, answer.state) == (Answer.ALLOW, "done")
    held = await alice.withdraw()
    assert held.answer is Answer.HOLD
    assert "destination_removed" in [why.code for why in held.why]


@pytest.mark.requirement("W-02")
@pytest.mark.parametrize("synced", [False, True], ids=["one of a kind", "synced"])
async def test_a_key_whose_counter_does_not_grow_holds_what_leaves(
    service: Service, *, synced: bool
) -> None:
    alice = Customer(service, "alice")
    alice.passkey = SoftwareAuthenticator(b"k" * 32, synced=synced)
    await alice.set_up()
    await alice.add_destination()
    asked = await alice.propose("withdrawal.crypto", alice.withdrawal())
    question = await service.client.ask(asked.action_id, {"factor": "passkey"})
    ceremony = alice.ceremony(question["options"]["challenge"])
    response = alice.passkey.get(replace(ceremony, sign_count=0 if synced else 1))
    reply = {"factor": "passkey", "challenge_id": question["challenge_id"], "response": response}
    answer = await service.client.prove(asked.action_id, reply)

    assert answer.answer is (Answer.ALLOW if synced else Answer.HOLD)
    assert ("exits_held" in [why.code for why in answer.why]) is not synced
    told = [one["channel"] for one in await letters(service, kind="signalled")]
    assert sorted(told) == ([] if synced else ["desktop", "email"])


async def test_a_freeze_is_lifted_after_its_wait(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    await alice.add_destination()
    frozen = await alice.propose("freeze.set")
    await alice.with_passkey(frozen.action_id)
    assert "account_frozen" in await alice.withdraw_refused()
    lift = await alice.propose("freeze.lift")
    assert (await alice.with_passkey(lift.action_id)).answer is Answer.HOLD
    service.clock.forward(hours=24)
    assert (await alice.withdraw()).answer is Answer.ALLOW


async def test_a_channel_says_no_with_the_secret_of_its_letter(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up("email", "desktop")
    added = await alice.propose(
        "destination.add", {"network": "ethereum", "address": "0x" + "cd" * 20}
    )
    await alice.with_passkey(added.action_id)
    told = await letters(service, kind="waiting", action_id=added.action_id)
    assert sorted(one["channel"] for one in told) == ["desktop", "email"]
    no = {"channel_id": told[0]["channel_id"], "token": told[0]["veto"]}

    with pytest.raises(ProblemError) as forged:
        await service.client.veto(added.action_id, {**no, "token": "A" * 43})
    assert forged.value.code == "proof_refused"
    vetoed = await service.client.veto(added.action_id, no)
    assert (vetoed.answer, vetoed.state) == (Answer.ALLOW, "vetoed")
    with pytest.raises(ProblemError) as again:
        await service.client.veto(added.action_id, no)
    assert again.value.code == "action_closed"
    service.clock.forward(hours=25)
    assert (await alice.withdraw(address="0x" + "cd" * 20)).answer is Answer.HOLD


async def test_a_signed_in_device_says_no_and_a_stranger_cannot(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    held = await alice.withdraw()
    nobody = {"session": {"session_id": "ses_" + "a" * 26}}
    stranger = await service.client.veto(held.action_id, nobody)
    assert (stranger.answer, stranger.why[0].code) == (Answer.DENY, "not_entitled")
    with pytest.raises(ProblemError) as empty:
        await service.client.veto(held.action_id, {})
    assert (empty.value.code, empty.value.status) == ("malformed", 400)
    session = alice.signed(held.digest, purpose="veto", name=held.action_id)
    assert (await service.client.veto(held.action_id, {"session": session})).state == "vetoed"
    told = await service.client.action(held.action_id)
    assert (told.answer, [one.code for one in told.why]) == (Answer.DENY, ["vetoed"])


async def test_a_veto_after_the_spend_changes_nothing(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    await alice.add_destination()
    action = await alice.withdraw()
    await service.client.spend(action.action_id, spend_id="spend-0001")
    with pytest.raises(ProblemError) as late:
        await service.client.veto(action.action_id, {})
    assert late.value.code == "action_closed"
    assert (await service.client.action(action.action_id)).state == "spent"


@pytest.mark.requirement("O-17", "O-28")
async def test_an_ended_session_is_dead(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    held = await alice.withdraw()
    await service.client.end_sessions(alice.account_id, session_id=alice.session_id)
    session = alice.signed(held.digest, purpose="veto", name=held.action_id)
    answer = await service.client.veto(held.action_id, {"session": session})
    assert answer.answer is Answer.DENY
    await service.client.end_sessions(alice.account_id)


async def test_naming_a_known_devices_key_does_not_make_guesses_its_own(service: Service) -> None:
    """Prevents: an owner locked out by whoever has a platform key and reads the evidence."""
    alice = Customer(service, "alice")
    await alice.open("email", "desktop")
    await alice.bind_password()
    await alice.bind_totp()
    assert alice.app is not None
    service.clock.forward(minutes=2)
    for _ in range(2):  # The second time her device is known.
        started = (await alice.start()).action_id
        await alice.with_secret(started, "password", PASSWORD)
        code = alice.app.code(service.clock.at)
        assert (await alice.with_secret(started, "totp", code)).answer is Answer.ALLOW
        service.clock.forward(minutes=2)

    unsigned = (await alice.propose("session.start", {"device": alice.device.jwk()})).action_id
    by_another = (await alice.start(SoftwareDevice(b"m" * 32))).action_id
    faults = []
    for action in (unsigned, by_another) * 4:
        with pytest.raises(ProblemError) as refused:
            await alice.with_secret(action, "password", "not her password")
        faults.append(refused.value.fault)

    assert faults == ["password_wrong"] * 5 + ["throttled"] * 3
    started = (await alice.start()).action_id
    await alice.with_secret(started, "password", PASSWORD)
    code = alice.app.code(service.clock.at)
    assert (await alice.with_secret(started, "totp", code)).answer is Answer.ALLOW
