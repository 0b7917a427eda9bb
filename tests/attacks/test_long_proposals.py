"""Three long proposals that nobody proved, in an ordinary account.

Mallory can have a platform propose for Alice, and has nothing that proves, or her password at most.
She wants the account so full that its owner can ask for nothing: no withdrawal, no new address. She
is stopped by law 5: what nobody proved gives way to what its owner asks for, whatever it shows. She
leaves behind proposals that lapsed.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress

import pytest
from msgspec.structs import replace
from support.cast import ALICE, HOUR, NEW_ADDRESS
from support.gates import Gate
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    LIFT,
    PASSWORD,
    ROAMING,
    SMS,
    SYNCED,
    a_destination,
    a_passkey,
    a_session,
    an_account,
    change_password,
    list_address,
    make_key,
    send,
)

from twinlock.domain.actions import AnyPayload, AuthenticatorBind, payload_bytes
from twinlock.domain.authenticators.model import credential_of
from twinlock.domain.bounds import LOOSE_ACTIONS_MOST, PAYLOAD_BYTES_MOST, SECRET_BYTES_MOST
from twinlock.domain.canonical import encode
from twinlock.domain.commands import SessionSignature
from twinlock.domain.errors import DocumentTooLargeError
from twinlock.domain.requirements import Answer

NETWORKS = tuple(f"2001:db8:{n:04x}:1111:2222:3333:4444:5555/128" for n in range(0x1000, 0x1014))


def a_long_credential(number: int) -> tuple[AnyPayload, str]:
    """As a browser sends it, with a credential id of some 400 bytes, which some tokens make."""
    one = replace(
        a_passkey(f"aut_{number:026d}"),
        credential_id=f"{number}" + "c" * 532,
        public_key=f"{number}" + "p" * 102,
        name="",
    )
    payload = AuthenticatorBind(
        account=ALICE, authenticator="passkey", credential=credential_of(one), name="n" * 60
    )
    secret = encode(one).decode()
    assert len(secret) <= SECRET_BYTES_MOST
    return payload, secret


def a_key_with_many_networks(number: int) -> tuple[AnyPayload, str]:
    payload = make_key("read", ip_list=NETWORKS, public_key=f"{number}" * 43)
    while len(payload_bytes(payload)) > PAYLOAD_BYTES_MOST:
        payload = replace(payload, ip_list=payload.ip_list[:-1])
    return payload, f"key_{number:026d}"


def filled(gate: Gate, *proposals: tuple[AnyPayload, str]) -> Gate:
    for payload, secret in proposals:
        assert len(payload_bytes(payload)) <= PAYLOAD_BYTES_MOST
        with suppress(DocumentTooLargeError):
            action = gate.propose(payload, secret).action_id
            gate.ask(action, SYNCED)
            gate.wait(HOUR / 10)
            gate.ask(action, SYNCED)
    return gate


def half_proved(
    gate: Gate, numbers: Iterable[int], *, session: SessionSignature | None = None
) -> None:
    """Propose long things, and show the password and no more for each."""
    for number in numbers:
        payload, secret = a_long_credential(number)
        with suppress(DocumentTooLargeError):
            action = gate.propose(payload, secret, session=session).action_id
            gate.prove(action, PASSWORD)
            gate.ask(action, SYNCED)


def a_small_account_with(destinations: int) -> Gate:
    listed = [a_destination(f"0x{number:040x}") for number in range(destinations)]
    return Gate.of(an_account(PASSWORD, SYNCED, channels=(EMAIL, DESKTOP)), *listed)


def an_account_with(destinations: int) -> Gate:
    listed = [a_destination(f"0x{number:040x}") for number in range(destinations)]
    account = an_account(PASSWORD, APP, SYNCED, ROAMING, channels=(EMAIL, SMS, DESKTOP))
    return Gate.of(account, *listed)


@pytest.mark.parametrize("asked", [send(to=NEW_ADDRESS), list_address(NEW_ADDRESS)])
def test_long_credentials_keep_an_owner_from_nothing(asked: AnyPayload) -> None:
    every = map(a_long_credential, range(LOOSE_ACTIONS_MOST - 1))
    gate = filled(an_account_with(20), *every)
    action = gate.propose(asked).action_id

    assert gate.prove(action, SYNCED).answer is Answer.HOLD


def test_nor_do_long_lists_of_networks_keep_a_merchant_from_paying() -> None:
    every = map(a_key_with_many_networks, range(LOOSE_ACTIONS_MOST - 1))
    gate = filled(an_account_with(60), *every)
    action = gate.propose(send(to=NEW_ADDRESS)).action_id

    assert gate.prove(action, SYNCED).answer is Answer.HOLD


@pytest.mark.parametrize(
    ("payload", "secret"),
    [(send(to=NEW_ADDRESS), ""), (list_address(NEW_ADDRESS), ""), change_password(), (LIFT, "")],
)
@pytest.mark.parametrize("gate_of", [an_account_with, a_small_account_with])
def test_nor_does_a_leaked_password_that_is_shown_on_each(
    gate_of: Callable[[int], Gate], payload: AnyPayload, secret: str
) -> None:
    """Prevents: a password alone that keeps the account full hour after hour, and tells nobody."""
    gate = gate_of(20)
    for hour, other_root in enumerate((DESKTOP, EMAIL, DESKTOP)):  # Twice from one is a contest.
        half_proved(gate, range(10 * hour, 10 * hour + LOOSE_ACTIONS_MOST - 1))
        action = gate.propose(payload, secret).action_id
        assert gate.prove(action, SYNCED).answer in (Answer.HOLD, Answer.ALLOW)
        if gate.is_open(action):
            gate.veto(action, other_root)
        gate.wait(HOUR)


def test_nor_one_beside_a_code_that_opened_a_session_to_look() -> None:
    gate = an_account_with(20)
    looks = gate.give_session(a_session(read_only=True, started_at=gate.now))
    half_proved(gate, range(LOOSE_ACTIONS_MOST - 1), session=looks)
    action = gate.propose(send(to=NEW_ADDRESS)).action_id

    assert gate.prove(action, SYNCED).answer is Answer.HOLD


@pytest.mark.parametrize("signed", [True, False])
def test_what_the_owner_is_proving_goes_for_no_long_proposal_of_a_strangers(signed: bool) -> None:
    """Signed in it never does; else not while anything goes that shows less."""
    gate = an_account_with(20)
    session = gate.give_session(a_session(started_at=gate.now)) if signed else None
    own = gate.propose(send(to=NEW_ADDRESS), session=session).action_id
    gate.prove(own, PASSWORD)
    for number in range(LOOSE_ACTIONS_MOST):
        filled(gate, a_long_credential(number))
        assert gate.is_open(own)

    assert gate.prove(own, SYNCED).answer is Answer.HOLD
