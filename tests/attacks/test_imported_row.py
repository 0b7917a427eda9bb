"""A mole who slips a row of their own into the file that a platform moves in with.

Ivan can write to the import file: he puts his password hash, his seed, his passkey, his mailbox and
his address in the row of a rich customer. He wants the balance. He is stopped by what imported
things are worth: his address is unproved, his passkey opens no door, his API key cannot withdraw,
and a narrow account waits seven days and loses a small sum a day. He leaves behind the digest of
the file in the account's first entry, which two people had agreed on, and an owner who cannot sign
in.
"""

import pytest
from support.cast import ALICE, ALICES_LAPTOP, DAY, MALLORYS_ADDRESS, NOON
from support.gates import Gate
from support.imports import SEED, SOURCE, TERMS, a_row, an_old_passkey, base32, read
from support.worlds import destination_id, list_address, rules_of, send

from twinlock.domain.account import State
from twinlock.domain.authenticators.model import Authenticator
from twinlock.domain.canonical import b64url
from twinlock.domain.commands import OpenAccount
from twinlock.domain.events import AccountOpened
from twinlock.domain.gate import decide
from twinlock.domain.importing.faults import RowFault, RowRefusedError
from twinlock.domain.listed import Destination
from twinlock.domain.requirements import Answer
from twinlock.proofs.importing import Arrival, arrival
from twinlock.range.authenticator import SoftwareAuthenticator
from twinlock.services.importing.seen import Seen

IVANS = SoftwareAuthenticator(b"ivan".ljust(32))
LISTED = {"network": "ethereum", "address": MALLORYS_ADDRESS}


def slipped(**more: object) -> Arrival:
    row = read(a_row("rich-customer", destinations=[LISTED], **more))
    return arrival(row, named=ALICE, label_key=bytes(32), source=SOURCE, terms=TERMS, now=NOON)


def moved_in(made: Arrival) -> Gate:
    """Open the account as the import does, at the gate."""
    where = made.listed[0]
    named = destination_id(where.network, where.address, where.memo)
    listed = Destination(
        destination_id=named,
        account_id=ALICE,
        version=1,
        network=where.network,
        address=where.address,
        memo=where.memo,
        added_at=NOON,
        imported=True,
    )
    command = OpenAccount(account=made.account, listed=(listed,))
    decided = decide(State(account=made.account), command, rules=rules_of(), now=NOON)
    (opened, _) = decided.answer.events
    assert isinstance(opened, AccountOpened)
    assert opened.account.imported == SOURCE
    return Gate(account=decided.state.account, destinations={named: listed})


def bound(gate: Gate) -> tuple[Authenticator, ...]:
    return gate.account.authenticators


def sends(gate: Gate, dollars: int) -> bool:
    """Say whether so much leaves to his address by all that he has bound."""
    asked = gate.propose(send(dollars, to=MALLORYS_ADDRESS))
    if gate.is_open(asked.action_id):
        asked = gate.prove(asked.action_id, *bound(gate))
    return asked.answer is Answer.ALLOW


def test_his_address_is_on_the_list_and_worth_nothing() -> None:
    gate = moved_in(slipped(totp=[{"seed": base32(SEED)}]))
    assert not sends(gate, 10)


def test_seven_days_pass_before_anything_leaves_and_then_a_small_sum_a_day() -> None:
    gate = moved_in(slipped(totp=[{"seed": base32(SEED)}]))
    assert gate.sign_in(*bound(gate), device=ALICES_LAPTOP).answer is Answer.ALLOW
    listed = gate.propose(list_address(MALLORYS_ADDRESS)).action_id
    gate.prove(listed, *bound(gate))
    gate.wait(6 * DAY)
    gate.settle()
    assert not sends(gate, 10)

    gate.wait(2 * DAY)
    gate.settle()
    assert not sends(gate, 1_001)
    assert sends(gate, 900)


def test_his_passkey_moves_nothing_at_all() -> None:
    gate = moved_in(slipped(passkeys=[an_old_passkey(IVANS)]))
    assert gate.sign_in(bound(gate)[1]).answer is Answer.READ_ONLY
    listed = gate.propose(list_address(MALLORYS_ADDRESS)).action_id

    assert gate.prove(listed, bound(gate)[0]).answer is not Answer.ALLOW
    assert gate.ask(listed, bound(gate)[1]).fault is not None


def test_his_api_key_cannot_withdraw() -> None:
    powers = {"public_key": b64url(bytes(31) + b"\x02"), "scopes": ["read", "withdraw"]}
    with pytest.raises(RowRefusedError) as refused:
        slipped(api_keys=[powers])

    assert refused.value.fault in (RowFault.API_KEY_POWERS, RowFault.API_KEY_REFUSED)


def test_one_passkey_of_his_does_not_serve_for_many_customers() -> None:
    seen = Seen(key=bytes(16))
    mine = slipped(passkeys=[an_old_passkey(IVANS)]).unique

    assert not any(seen.add(fault, value) for fault, value in mine)
    assert any(seen.add(fault, value) for fault, value in mine if fault is RowFault.PASSKEY_TWICE)
