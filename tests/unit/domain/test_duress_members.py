"""Duress in an account of several members: whoever of them is forced, nothing leaves it."""

import pytest
from msgspec.structs import replace
from support.cast import DAY, NOON
from support.companies import (
    BOB,
    BOBS,
    CAROL,
    CAROLS,
    TWO_ABOVE,
    a_company,
    agrees,
    asks,
    remove_member,
)
from support.gates import Gate
from support.worlds import SYNCED, a_passkey, bind, send

from twinlock.domain.authenticators.model import Passkey
from twinlock.domain.bounds import MEMBER_WAIT, PICKED_EVERY, PICKED_HOLD
from twinlock.domain.canonical import b64url
from twinlock.domain.duress import names, rings, sealed
from twinlock.domain.events import HoldPlaced, ProofAccepted
from twinlock.domain.holds import PICKED
from twinlock.domain.quorums import Quorum
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons

BLIND = b64url(b"b" * 16)
BOBS_FOR_DURESS = replace(
    a_passkey("aut_bob_drawer"),
    member_id=BOB.member_id,
    name="Bob",
    seal=sealed(BLIND, rings=False, names=True),
)
ABOVE, BELOW = 101, 50


def a_gate() -> Gate:
    """Return a company's gate; Bob has one more passkey, for duress."""
    gate = a_company(quorum=Quorum(two_cents=TWO_ABOVE))
    bound = (*gate.account.authenticators, BOBS_FOR_DURESS)
    gate.account = replace(gate.account, authenticators=bound)
    gate.blind = BLIND
    return gate


def events_of(gate: Gate) -> list[object]:
    return [
        event
        for _, decided, _ in gate.book
        for decision in decided.decisions
        for event in decision.events
    ]


def rung(gate: Gate) -> bool:
    """Say whether the last proof rang."""
    proofs = [one for one in events_of(gate) if isinstance(one, ProofAccepted)]
    return rings(proofs[-1].seal)


def picked(gate: Gate) -> list[HoldPlaced]:
    placed = (one for one in events_of(gate) if isinstance(one, HoldPlaced))
    return [one for one in placed if one.hold.because == PICKED]


def test_who_is_forced_to_agree_rings_and_nothing_leaves_for_three_days() -> None:
    """Prevents: a thief with one member's things who stands beside the second one."""
    gate = a_gate()
    action = asks(gate, send(ABOVE))
    assert not rung(gate)
    said = agrees(gate, action, BOBS_FOR_DURESS)

    assert rung(gate)
    assert said.answer is Answer.HOLD
    assert Reason.EXITS_HELD in reasons(said.requirement)
    (placed,) = picked(gate)
    assert placed.hold.ends_at == gate.action(action).until == gate.now + PICKED_HOLD
    gate.wait_until(placed.hold.ends_at)
    gate.settle()
    assert gate.spend(action).answer is Answer.ALLOW


@pytest.mark.parametrize("key", [BOBS, CAROLS])
def test_chance_picks_the_account_at_an_agreement_and_it_looks_the_same(key: Passkey) -> None:
    forced, chance = a_gate(), a_gate()
    chance.picks = key.authenticator_id
    told = []
    for gate, by in ((forced, BOBS_FOR_DURESS), (chance, key)):
        action = asks(gate, send(ABOVE))
        said = agrees(gate, action, by)
        told.append((said.answer, reasons(said.requirement), gate.account.holds))

    assert told[0] == told[1]
    assert (rung(forced), rung(chance)) == (True, False)


def test_what_the_others_send_is_held_too_and_told_alike() -> None:
    gate = a_gate()
    asks(gate, send(BELOW), BOBS_FOR_DURESS)
    action = asks(gate, send(BELOW), CAROLS)

    assert not rung(gate)
    assert gate.spend(action).answer is Answer.HOLD
    assert len(picked(gate)) == 1


def test_a_member_forced_in_the_same_month_rings_and_does_not_hold_again() -> None:
    """The month is the account's, as chance's is."""
    gate = a_gate()
    gate.picks = SYNCED.authenticator_id
    gate.prove(gate.propose(send(BELOW)).action_id, SYNCED)
    gate.wait(DAY * 5)
    action = asks(gate, send(ABOVE))
    said = agrees(gate, action, BOBS_FOR_DURESS)

    assert rung(gate)
    assert said.answer is Answer.ALLOW
    assert len(picked(gate)) == 1


def test_one_member_holds_the_others_for_three_days_in_thirty_and_is_removed() -> None:
    """Prevents: a rogue member who is never forced, and holds the others up by saying so."""
    gate = a_gate()
    for _ in range(4):
        asks(gate, send(BELOW), BOBS_FOR_DURESS)
        gate.wait(DAY)
    assert len(picked(gate)) == 1
    removal = asks(gate, remove_member())
    agrees(gate, removal, CAROLS)
    gate.wait(MEMBER_WAIT)
    gate.settle()

    assert [one.member_id for one in gate.account.members] == [CAROL.member_id]
    gate.wait(PICKED_EVERY)
    asks(gate, send(BELOW))
    assert len(picked(gate)) == 1


@pytest.mark.parametrize("by_who_asks", [False, True])
def test_who_binds_a_key_says_what_it_is_for_and_who_agrees_does_not(*, by_who_asks: bool) -> None:
    """Prevents: a member who says of a colleague's new key that its use is a cry for help."""
    gate = a_gate()
    new = replace(
        a_passkey("aut_new", bound_at=NOON),
        member_id=BOB.member_id,
        seal=sealed(BLIND, rings=False, names=False),
    )
    action = gate.propose(*bind(new), member=BOB.member_id).action_id
    gate.ask(action, BOBS)
    gate.answer(action, gate.right(action, BOBS), forced=by_who_asks)
    for key in (SYNCED, CAROLS):
        agrees(gate, action, key, forced=not by_who_asks)
    gate.wait(DAY * 30)
    gate.settle()

    bound = gate.account.authenticator("aut_new")
    assert isinstance(bound, Passkey)
    assert (names(bound.seal), bound.member_id) == (by_who_asks, BOB.member_id)
