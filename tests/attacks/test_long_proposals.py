"""Three long proposals that nobody proved, in an ordinary account.

Mallory can have a platform propose for Alice, and has nothing that proves. She wants the account
so full that its owner can ask for nothing: no withdrawal, no new address. She is stopped by law 5:
what nobody proved gives way to what its owner asks for. She leaves behind proposals that lapsed.
"""

from contextlib import suppress

import pytest
from msgspec.structs import replace
from support.cast import ALICE, HOUR, NEW_ADDRESS
from support.gates import Gate
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    PASSWORD,
    ROAMING,
    SMS,
    SYNCED,
    a_destination,
    a_passkey,
    an_account,
    list_address,
    make_key,
    send,
)

from twinlock.domain.actions import AnyPayload, AuthenticatorBind, payload_bytes
from twinlock.domain.authenticators.model import credential_of
from twinlock.domain.bounds import LOOSE_ACTIONS_MOST, PAYLOAD_BYTES_MOST, SECRET_BYTES_MOST
from twinlock.domain.canonical import encode
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
