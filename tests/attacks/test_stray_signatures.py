"""Signatures of an API key that are worth nothing, and yet take places.

Mallory copied a key that reads and trades, or one that its owner has stopped. She wants what it
signs to stand in the way of all that the owner wants: of a place for it, and of an erasure. She is
stopped by law 3: a key shows nothing beyond its powers, and what shows nothing keeps no place. She
leaves behind refusals.
"""

from contextlib import suppress

from support.cast import DAY, HOUR, MALLORYS_LAPTOP, NEW_ADDRESS
from support.gates import Gate
from support.worlds import (
    ERASE,
    PASSWORD,
    ROAMING,
    SYNCED,
    a_destination,
    an_account,
    list_address,
    make_key,
    send,
    suspend,
)

from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.bounds import KEY_ACTIONS_MOST, OPEN_ACTIONS_MOST
from twinlock.domain.commands import Erase, Right
from twinlock.domain.decisions import Decision
from twinlock.domain.errors import DocumentTooLargeError
from twinlock.domain.ids import ActionId
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons

KEY, HOME = "K" * 43, "203.0.113.7"
KNOWN = a_destination()


def with_a_key(*scopes: str) -> Gate:
    gate = Gate.of(an_account(PASSWORD, SYNCED, ROAMING), KNOWN)
    withdraws = "withdraw" in scopes
    key = make_key(
        *scopes,
        ip_list=(f"{HOME}/32",) if withdraws else (),
        destinations=(KNOWN.destination_id,) if withdraws else (),
        daily_cents=200_00 if withdraws else 0,
        public_key=KEY,
    )
    gate.prove(gate.propose(key, "key_1").action_id, SYNCED)
    gate.wait(3 * DAY)
    gate.settle()
    gate.wait(3 * DAY)
    return gate


def by_key(gate: Gate, action: str) -> Decision:
    right = Right(factor=Factor.API_KEY, source="key_1", against=KEY, ip=HOME, evidence=b"{}")
    return gate.answer(action, right)


def stray(gate: Gate, dollars: int) -> None:
    """Have something proposed, have the page ask for a passkey, and sign with the key."""
    action = gate.propose(send(dollars)).action_id
    if not gate.is_open(action):
        return
    with suppress(DocumentTooLargeError):
        gate.ask(action, SYNCED)
        said = by_key(gate, action)
        assert (said.answer, said.fault) == (Answer.DENY, ProofFault.BELOW_FLOOR)
        assert gate.action(action).shown == ()


def test_a_key_that_only_trades_keeps_no_place_for_its_owner() -> None:
    gate = with_a_key("read", "trade")
    for number in range(OPEN_ACTIONS_MOST + 2):
        stray(gate, 10 + number)
    gate.wait(HOUR / 2)  # The thief's questions are over by then.
    said = gate.prove(gate.propose(list_address(NEW_ADDRESS)).action_id, SYNCED)

    assert said.answer is Answer.HOLD
    assert Reason.TOO_MANY not in reasons(said.requirement)


def test_it_holds_up_no_erasure() -> None:
    gate = with_a_key("read", "trade")
    erase = gate.propose(ERASE).action_id
    gate.prove(erase, SYNCED)
    gate.wait(31 * DAY)
    stray(gate, 10)

    assert gate.run(Erase(action_id=ActionId(erase))).answer is Answer.ALLOW


def test_what_its_owner_has_begun_to_prove_it_does_not_end() -> None:
    gate = with_a_key("read", "trade")
    action = gate.propose(send(10)).action_id
    gate.prove(action, PASSWORD)
    by_key(gate, action)

    assert gate.is_open(action)
    assert gate.prove(action, SYNCED).answer is Answer.ALLOW


def test_what_a_stopped_key_signed_keeps_no_place() -> None:
    gate = with_a_key("withdraw")
    gate.sign_in(ROAMING, device=MALLORYS_LAPTOP)  # A new device: exits are held for a day.
    for number in range(KEY_ACTIONS_MOST):
        by_key(gate, gate.propose(send(10 + number)).action_id)
    assert len(gate.account.actions) == KEY_ACTIONS_MOST

    gate.prove(gate.propose(suspend(SYNCED)).action_id, ROAMING)

    assert gate.account.actions == ()
