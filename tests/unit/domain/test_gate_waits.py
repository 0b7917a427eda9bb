"""Waits at the gate: who ends them, and what is told of them."""

import pytest
from support.cast import (
    DAY,
    HOUR,
    INSTANT,
    MALLORYS_LAPTOP,
    NEW_ADDRESS,
    NOON,
    OLD_ADDRESS,
)
from support.gates import Gate
from support.policies import LAX, STRICT, policy_of, with_rules
from support.worlds import (
    APP,
    FREEZE,
    PASSWORD,
    ROAMING,
    SYNCED,
    a_destination,
    an_account,
    list_address,
    remove,
    send,
)

from twinlock.domain.account import ActionUnknownError
from twinlock.domain.commands import (
    EndSession,
)
from twinlock.domain.decisions import Decision
from twinlock.domain.events import (
    ActionHeld,
    DestinationAdded,
)
from twinlock.domain.ids import SessionId
from twinlock.domain.policy.version import Policy
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, WaitUntil, reasons

NOBODY = EndSession(session_id=SessionId("ses_nobody"))
KNOWN = a_destination()


def kinds(decision: Decision) -> list[type]:
    return [type(event) for event in decision.events]


def proposed_and_proved(gate: Gate, *, to: str = OLD_ADDRESS, dollars: int = 50) -> str:
    action = gate.propose(send(dollars, to=to)).action_id
    gate.prove(action, SYNCED)
    return action


def unreachable(gate: Gate, action: str) -> bool:
    with pytest.raises(ActionUnknownError):
        gate.spend(action)
    return True


# --- Settling ---


def test_nobody_has_to_end_a_wait() -> None:
    gate = Gate()
    action = gate.propose(remove(PASSWORD)).action_id
    gate.prove(action, SYNCED)
    gate.wait(3 * DAY - INSTANT)
    gate.run(NOBODY)
    still = gate.is_open(action)
    gate.wait(INSTANT)
    gate.run(NOBODY)

    assert still
    assert gate.account.authenticators[0].authenticator_id == SYNCED.authenticator_id
    assert len(gate.account.authenticators) == 1


def test_what_has_waited_takes_effect_however_late_somebody_looks() -> None:
    gate = Gate()
    gate.prove(gate.propose(remove(PASSWORD)).action_id, SYNCED)
    gate.wait(400 * DAY)
    gate.run(NOBODY)

    assert len(gate.account.authenticators) == 1


def test_what_is_due_is_decided_again_and_not_done_under_a_freeze() -> None:
    gate = Gate()
    action = gate.propose(remove(PASSWORD)).action_id
    gate.prove(action, SYNCED)
    gate.prove(gate.propose(FREEZE).action_id, SYNCED)
    gate.wait(3 * DAY)
    gate.run(NOBODY)

    assert gate.is_open(action)
    assert len(gate.account.authenticators) == 2


def test_each_thing_that_is_due_is_a_decision_of_its_own() -> None:
    gate = Gate()
    for address in (NEW_ADDRESS, "0x" + "3" * 40):
        gate.prove(gate.propose(list_address(address)).action_id, SYNCED)
    gate.wait(DAY)
    gate.run(NOBODY)
    _, decided, _ = gate.book[-1]

    assert [DestinationAdded in kinds(one) for one in decided.decisions] == [True, True, False]
    assert len(gate.account.destinations) == 2


def test_a_destination_that_was_listed_before_waits_for_its_own_stream() -> None:
    gate = Gate.of(an_account(), KNOWN)
    action = gate.propose(list_address(OLD_ADDRESS, budget_cents=100)).action_id
    gate.prove(action, SYNCED)
    gate.wait(DAY)
    gate.run(NOBODY)
    waits = gate.is_open(action)
    gate.run(NOBODY, at_hand=KNOWN.destination_id)

    assert waits
    assert gate.destinations[KNOWN.destination_id].budget_cents == 100
    assert gate.destinations[KNOWN.destination_id].version == 2


# --- What is told of a wait ---


def test_a_wait_is_told_with_the_proof_and_not_with_the_proposal() -> None:
    gate = Gate()
    asked = gate.propose(list_address(NEW_ADDRESS))
    proved = gate.prove(asked.action_id, SYNCED)

    assert ActionHeld not in kinds(asked)
    assert ActionHeld in kinds(proved)
    assert asked.answer is proved.answer is Answer.HOLD


def test_a_wait_that_a_second_root_would_spare_is_told_and_kept() -> None:
    gate = Gate.of(an_account(SYNCED, ROAMING), KNOWN)
    action = gate.propose(send(150_000)).action_id
    proved = gate.prove(action, SYNCED)
    gate.wait(DAY)

    assert proved.answer is Answer.CHALLENGE
    assert [(event.until, event.choice) for event in proved.events if isinstance(event, ActionHeld)]
    assert gate.spend(action).answer is Answer.ALLOW


def test_a_second_root_spares_the_wait_that_was_offered() -> None:
    gate = Gate.of(an_account(SYNCED, ROAMING), KNOWN)
    action = gate.propose(send(150_000)).action_id
    gate.prove(action, SYNCED)

    assert gate.prove(action, ROAMING).answer is Answer.ALLOW


def test_a_wait_that_was_offered_is_not_shortened_by_a_later_policy() -> None:
    gate = Gate.of(an_account(SYNCED, ROAMING), KNOWN)
    action = gate.propose(send(150_000)).action_id
    gate.prove(action, SYNCED)
    gate.policy = LAX
    gate.wait(DAY - INSTANT)
    early = gate.spend(action)
    gate.wait(INSTANT)

    assert Reason.WAIT_TOLD in reasons(early.requirement)
    assert gate.spend(action).answer is Answer.ALLOW


def test_a_wait_that_was_told_is_not_shortened_by_a_later_policy() -> None:
    gate = Gate()
    action = gate.propose(remove(PASSWORD)).action_id
    gate.prove(action, SYNCED)
    gate.policy = LAX
    gate.wait(2 * DAY)
    gate.run(NOBODY)

    assert gate.is_open(action)


def passkeys_only(*actions: str) -> Policy:
    """Return a policy that lets ``actions`` be proved by passkeys alone."""
    text = with_rules()
    for action in actions:
        permit = f'@id("{action}.permit")'
        text = text.replace(permit, f'{permit} @offers("passkey")')
    return policy_of(text)


def test_what_a_later_policy_does_not_offer_proves_nothing_that_waits() -> None:
    """Prevents: thieves of seeds, whose withdrawals wait while the policy takes passkeys only."""
    gate = Gate.of(an_account(PASSWORD, APP), a_destination())
    listed = gate.propose(list_address(NEW_ADDRESS)).action_id
    new = gate.propose(send(to=NEW_ADDRESS)).action_id
    known = gate.propose(send()).action_id
    for one in (listed, new, known):
        gate.prove(one, APP)
    gate.policy = passkeys_only("withdrawal.crypto", "destination.add")
    at_once = gate.spend(known)
    gate.wait(DAY)
    later = gate.spend(new)

    assert Reason.PROOF_NEEDED in reasons(at_once.requirement)
    assert Reason.PROOF_NEEDED in reasons(later.requirement)
    assert gate.account.destinations.keys() == {KNOWN.destination_id}


def test_a_wait_can_be_lengthened_by_a_later_policy() -> None:
    gate = Gate()
    action = proposed_and_proved(gate, to=NEW_ADDRESS)
    gate.policy = STRICT
    gate.wait(DAY)

    assert gate.spend(action).requirement == WaitUntil(
        code=Reason.DESTINATION_NEW, until=NOON + 7 * DAY
    )


def test_an_exit_within_its_budget_that_is_held_waits_on_its_signature() -> None:
    listed = a_destination(budget_cents=500_00)
    gate = Gate.of(an_account(), listed)
    signature = gate.give_session()
    gate.sign_in(SYNCED, device=MALLORYS_LAPTOP)
    held = gate.propose(send(), session=signature)
    gate.wait(DAY)

    assert held.answer is Answer.HOLD
    assert gate.spend(held.action_id).answer is Answer.ALLOW


SIGN_INS_WAIT = """
@id("session.start.waits") @outcome("hold") @reason("platform_waits") @hold_seconds("3600")
forbid (principal, action == Action::"session.start", resource)
when { context.new_device }
unless { context.held_seconds >= 3600 };
"""


def test_sessions_that_waited_have_names_of_their_own() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED), policy=policy_of(with_rules(SIGN_INS_WAIT)))
    for device in ("A" * 43, "B" * 43):
        assert gate.prove(gate.start(device), SYNCED).answer is Answer.HOLD
    gate.wait(2 * HOUR)
    gate.settle()

    first, second = gate.account.sessions
    assert len({first.session_id, second.session_id, "ses_"}) == 3
    assert first.session_id.count("_") == second.session_id.count("_") == 1
    for session in (first, second):
        said = gate.propose(FREEZE, session=gate.signs(session))
        assert Reason.PROOF_NOT_BOUND not in reasons(said.requirement)
