"""Sessions and devices over the API: what is listed, what ends, and what dies by itself."""

from datetime import datetime, timedelta

import pytest
from support.service import Customer, Service

from twinlock.client import ProblemError
from twinlock.domain.requirements import Answer
from twinlock.range.authenticator import SoftwareAuthenticator
from twinlock.range.device import SoftwareDevice

PHONE = SoftwareDevice(b"phone".ljust(32, b"."))


async def on_two_devices(service: Service) -> tuple[Customer, str, str]:
    """Sign Alice in on a laptop and on a phone; she holds the phone's session."""
    alice = Customer(service, "alice")
    await alice.set_up()
    laptop, alice.device = alice.session_id, PHONE
    await alice.sign_in()
    return alice, laptop, alice.session_id


async def sessions(alice: Customer) -> list[str]:
    seen = await alice.client.account(alice.account_id)
    return [one["session_id"] for one in seen["sessions"]]


@pytest.mark.requirement("O-16", "O-17")
async def test_sessions_and_devices_are_listed_with_their_ends(service: Service) -> None:
    alice, laptop, phone = await on_two_devices(service)
    seen = await alice.client.account(alice.account_id)

    assert [one["session_id"] for one in seen["sessions"]] == [laptop, phone]
    assert [one["read_only"] for one in seen["sessions"]] == [False, False]
    assert [one["device"] for one in seen["sessions"]] == [one["device"] for one in seen["devices"]]
    assert [one["known"] for one in seen["devices"]] == [True, True]
    lives = [
        datetime.fromisoformat(one["ends_at"]) - datetime.fromisoformat(one["seen_at"])
        for one in seen["sessions"]
    ]
    assert lives == [timedelta(hours=1)] * 2


@pytest.mark.requirement("N-B03", "O-16")
@pytest.mark.parametrize(("minutes", "lives"), [(60, True), (61, False)])
async def test_a_session_that_nobody_uses_is_listed_for_an_hour(
    service: Service, minutes: int, lives: bool
) -> None:
    alice, _, phone = await on_two_devices(service)
    service.clock.forward(minutes=minutes)

    assert (phone in await sessions(alice)) is lives


@pytest.mark.requirement("O-17")
async def test_all_other_sessions_end_and_the_own_one_goes_on(service: Service) -> None:
    alice, _, phone = await on_two_devices(service)
    held = await alice.withdraw()
    await alice.client.end_sessions(alice.account_id, keep_session_id=phone)

    assert await sessions(alice) == [phone]
    session = alice.signed(held.digest, purpose="veto", name=held.action_id)
    assert (await alice.client.veto(held.action_id, {"session": session})).answer is Answer.ALLOW


async def test_a_session_is_ended_or_kept_and_not_both(service: Service) -> None:
    alice, laptop, phone = await on_two_devices(service)
    with pytest.raises(ProblemError) as refused:
        await alice.client.end_sessions(alice.account_id, session_id=laptop, keep_session_id=phone)

    assert refused.value.code == "malformed"
    assert await sessions(alice) == [laptop, phone]


@pytest.mark.requirement("N-B23", "N-B12")
async def test_passkeys_are_listed_with_their_names_flags_and_last_use(service: Service) -> None:
    alice = Customer(service, "alice")
    await alice.open("email", "desktop")
    await alice.bind_password()
    alice.passkey = SoftwareAuthenticator(b"p" * 32, synced=True)
    own = SoftwareAuthenticator(b"k" * 32, transports=("usb",))
    for name, key in (("Phone", alice.passkey), ("Key at home", own)):
        offered = await alice.client.offer(alice.account_id, "passkey")
        draft = {
            "authenticator": "passkey",
            "candidate_id": offered["candidate_id"],
            "response": key.create(alice.ceremony(offered["challenge"])),
            "name": name,
        }
        await alice.propose("authenticator.bind", draft)
    await alice.sign_in()
    seen = (await alice.client.account(alice.account_id))["authenticators"]
    today = service.clock.at.date().isoformat()

    told = [
        (one["name"], one["device_bound"], one["backed_up"], one["placement"], one["used_on"])
        for one in seen
    ]
    assert told == [
        ("", None, None, "", None),
        ("Phone", False, True, "phone", today),
        ("Key at home", True, False, "roaming", None),
    ]


@pytest.mark.requirement("O-15")
async def test_each_sign_in_has_a_session_of_its_own_and_ends_the_one_before_it(
    service: Service,
) -> None:
    alice = Customer(service, "alice")
    await alice.set_up()
    names = {alice.session_id}
    for _ in range(3):
        service.clock.forward(minutes=1)
        await alice.sign_in()
        names.add(alice.session_id)

    assert len(names) == 4
    assert {len(name.removeprefix("ses_")) * 5 for name in names} == {130}  # 128 random bits
    assert await sessions(alice) == [alice.session_id]
