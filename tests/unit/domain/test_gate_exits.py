"""Exits at the gate: proposed, proved, waited for, decided again, spent once."""

import pytest
from msgspec.structs import replace
from support.cast import (
    ALICE,
    BOB,
    DAY,
    INSTANT,
    MALLORYS_LAPTOP,
    NEW_ADDRESS,
    NOON,
    OLD_ADDRESS,
)
from support.gates import Gate
from support.worlds import (
    DESKTOP,
    EMAIL,
    FREEZE,
    PASSWORD,
    ROAMING,
    SMS,
    SYNCED,
    a_destination,
    an_account,
    list_address,
    send,
    unlist,
)

from twinlock.domain import ids
from twinlock.domain.account import ActionState, ActionUnknownError
from twinlock.domain.actions import NotBuilt
from twinlock.domain.assurance import Factor
from twinlock.domain.bounds import (
    AUTHORIZATION_LIFETIME,
    OPEN_ACTION_LIFETIME,
    SPEND_LIFETIME,
    UNPROVED_ACTION_LIFETIME,
)
from twinlock.domain.commands import (
    EndSession,
    Right,
)
from twinlock.domain.decisions import Decision
from twinlock.domain.errors import InvariantError
from twinlock.domain.events import (
    ActionAuthorized,
    ActionHeld,
    ActionLapsed,
    ActionRefused,
    ActionSpent,
    ActionVetoed,
)
from twinlock.domain.gate import NotSpendableError
from twinlock.domain.ids import SessionId
from twinlock.domain.money import AmountError
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons

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


# --- From proposal to spend ---


def test_a_withdrawal_to_a_known_destination_is_one_tap() -> None:
    gate = Gate.of(an_account(), KNOWN)
    asked = gate.propose(send())
    proved = gate.prove(asked.action_id, SYNCED)
    spent = gate.spend(asked.action_id)

    assert [asked.answer, proved.answer, spent.answer] == [
        Answer.CHALLENGE,
        Answer.ALLOW,
        Answer.ALLOW,
    ]
    assert ActionAuthorized in kinds(proved)
    assert kinds(spent) == [ActionSpent]
    assert proved.evidence == b"{}"
    assert proved.proofs[0][0] == Factor.PASSKEY


@pytest.mark.requirement("O-22", "P-01")
def test_an_exit_is_spent_once() -> None:
    gate = Gate.of(an_account(), KNOWN)
    action = proposed_and_proved(gate)
    gate.spend(action)

    assert unreachable(gate, action)


def test_an_exit_that_has_waited_is_authorized_and_spent_in_one_decision() -> None:
    gate = Gate()
    action = proposed_and_proved(gate, to=NEW_ADDRESS)
    gate.wait(DAY)

    assert kinds(gate.spend(action)) == [ActionAuthorized, ActionSpent]


def test_a_new_destination_waits_a_day_from_its_proof_to_the_instant() -> None:
    gate = Gate()
    action = proposed_and_proved(gate, to=NEW_ADDRESS)
    gate.wait(DAY - INSTANT)
    early = gate.spend(action)
    gate.wait(INSTANT)

    assert early.answer is Answer.HOLD
    assert gate.spend(action).answer is Answer.ALLOW


def test_what_can_never_be_is_refused_and_closed_at_once() -> None:
    gate = Gate()
    refused = gate.propose(NotBuilt(account=ALICE, asked="gift.send", digest=""))

    assert refused.answer is Answer.DENY
    assert kinds(refused)[-1] is ActionRefused
    assert gate.account.actions == ()


@pytest.mark.requirement("O-21")
def test_only_an_exit_is_spent() -> None:
    gate = Gate()
    action = gate.propose(list_address(NEW_ADDRESS)).action_id

    with pytest.raises(NotSpendableError):
        gate.spend(action)


@pytest.mark.parametrize(("fee", "said"), [("1000", Answer.ALLOW), ("1001", Answer.DENY)])
def test_the_fee_is_at_most_what_was_signed(fee: str, said: Answer) -> None:
    gate = Gate.of(an_account(), KNOWN)
    spent = gate.spend(proposed_and_proved(gate), fee=fee)

    assert spent.answer is said
    assert (Reason.FEE_TOO_HIGH in reasons(spent.requirement)) is (said is Answer.DENY)
    assert (ActionSpent in kinds(spent)) is (said is Answer.ALLOW)


@pytest.mark.parametrize("fee", ["-1", "", "1e3", "0x1", "1_0"])
def test_a_fee_that_is_no_number_spends_nothing(fee: str) -> None:
    gate = Gate.of(an_account(), KNOWN)
    action = proposed_and_proved(gate)

    with pytest.raises(AmountError):
        gate.spend(action, fee=fee)


def test_an_unspent_authorization_lapses_after_a_quarter_of_an_hour() -> None:
    gate = Gate.of(an_account(), KNOWN)
    in_time, late = proposed_and_proved(gate), proposed_and_proved(gate)
    gate.wait(AUTHORIZATION_LIFETIME - INSTANT)
    spent = gate.spend(in_time)
    gate.wait(INSTANT)
    lapsed = gate.spend(late)

    assert spent.answer is Answer.ALLOW
    assert kinds(lapsed) == [ActionLapsed]
    assert reasons(lapsed.requirement) == (Reason.AUTHORIZATION_EXPIRED,)
    assert SPEND_LIFETIME < AUTHORIZATION_LIFETIME


def test_a_question_nobody_answers_lapses_after_an_hour() -> None:
    gate = Gate()
    action = gate.propose(send()).action_id
    gate.wait(UNPROVED_ACTION_LIFETIME - INSTANT)
    gate.run(NOBODY)
    still = gate.is_open(action)
    gate.wait(INSTANT)
    gate.run(NOBODY)

    assert still
    assert not gate.is_open(action)


def test_an_exit_that_has_waited_is_kept_for_a_week() -> None:
    gate = Gate()
    action = proposed_and_proved(gate, to=NEW_ADDRESS)
    gate.wait(DAY + OPEN_ACTION_LIFETIME - INSTANT)
    gate.run(NOBODY)
    still = gate.is_open(action)
    gate.wait(INSTANT)
    gate.run(NOBODY)

    assert still
    assert not gate.is_open(action)


# --- Decided again when it is spent (law 6) ---


@pytest.mark.requirement("O-22", "O-28")
def test_a_freeze_between_yes_and_spend_stops_it() -> None:
    gate = Gate.of(an_account(), KNOWN)
    action = proposed_and_proved(gate)
    gate.prove(gate.propose(FREEZE).action_id, PASSWORD)

    assert reasons(gate.spend(action).requirement) == (Reason.ACCOUNT_FROZEN,)


def test_a_new_hold_between_yes_and_spend_stops_it() -> None:
    gate = Gate.of(an_account(), KNOWN)
    action = proposed_and_proved(gate)
    gate.sign_in(SYNCED, device=MALLORYS_LAPTOP)

    assert reasons(gate.spend(action).requirement) == (Reason.EXITS_HELD,)


def test_a_yes_that_is_held_after_all_waits_and_can_be_spent_then() -> None:
    """Told to wait, it does not lapse meanwhile with the quarter of an hour of its first yes."""
    gate = Gate.of(an_account(), KNOWN)
    action = proposed_and_proved(gate)
    gate.sign_in(SYNCED, device=MALLORYS_LAPTOP)
    held = gate.spend(action)
    gate.wait(DAY)

    assert kinds(held) == [ActionHeld]
    assert gate.spend(action).answer is Answer.ALLOW


@pytest.mark.requirement("O-22", "O-28")
@pytest.mark.parametrize("replaced", [False, True])
def test_a_factor_removed_or_replaced_stops_what_it_approved(replaced: bool) -> None:
    gate = Gate.of(an_account(SYNCED), KNOWN)
    action = gate.propose(send()).action_id
    allowed = gate.prove(action, SYNCED)
    stranger = replace(SYNCED, bound_at=NOON, public_key="another key")
    left = (stranger,) if replaced else (ROAMING,)
    gate.account = replace(gate.account, authenticators=left)

    assert allowed.answer is Answer.ALLOW
    assert gate.spend(action).answer is Answer.CHALLENGE


def test_a_destination_removed_meanwhile_stops_what_was_approved() -> None:
    gate = Gate.of(an_account(), KNOWN)
    action = proposed_and_proved(gate)
    gate.prove(gate.propose(unlist(OLD_ADDRESS)).action_id, SYNCED)

    assert Reason.DESTINATION_REMOVED in reasons(gate.spend(action).requirement)


@pytest.mark.requirement("O-35", "O-22")
def test_prices_that_fail_meanwhile_stop_what_was_approved() -> None:
    gate = Gate.of(an_account(), KNOWN)
    action = proposed_and_proved(gate)
    gate.prices_up = False

    assert reasons(gate.spend(action).requirement) == (Reason.VALUE_UNKNOWN,)


# --- Vetoes ---


@pytest.mark.requirement("N-B20")
@pytest.mark.parametrize("channel", [EMAIL, DESKTOP])
def test_a_veto_by_any_older_channel_is_final(channel: object) -> None:
    gate = Gate.of(an_account(), KNOWN)
    action = proposed_and_proved(gate)
    vetoed = gate.veto(action, channel)  # type: ignore[arg-type]  # one of two channels

    assert vetoed.answer is Answer.ALLOW
    assert kinds(vetoed) == [ActionVetoed]
    assert vetoed.kind == "action.veto"
    assert unreachable(gate, action)


def test_whoever_may_not_say_no_changes_nothing() -> None:
    gate = Gate.of(an_account(), KNOWN)
    action = proposed_and_proved(gate)
    refused = gate.veto(action, SMS)

    assert reasons(refused.requirement) == (Reason.NOT_ENTITLED,)
    assert refused.events == ()
    assert gate.spend(action).answer is Answer.ALLOW


def test_a_veto_that_comes_when_the_wait_is_over_still_counts() -> None:
    gate = Gate()
    action = gate.propose(list_address(NEW_ADDRESS)).action_id
    gate.prove(action, SYNCED)
    gate.wait(DAY)

    assert kinds(gate.veto(action, EMAIL)) == [ActionVetoed]
    assert not gate.account.destinations


# --- Unknown and foreign ---


@pytest.mark.parametrize("built", ["withdrawal.crypto", "freeze.lift", "freeze.set"])
def test_a_name_without_its_fields_is_not_that_action(built: str) -> None:
    """Prevents: an authorization for a withdrawal that says neither where nor how much."""
    gate = Gate.of(an_account(), KNOWN)
    refused = gate.propose(
        NotBuilt(account=ALICE, asked=built, digest=""), session=gate.give_session()
    )

    assert Reason.ACTION_NOT_BUILT in reasons(refused.requirement)
    assert refused.answer is Answer.DENY


def test_an_action_that_is_not_open_is_not_found() -> None:
    gate = Gate()
    nobody = ids.action_id(ALICE, b"x" * 16)

    with pytest.raises(ActionUnknownError):
        gate.answer(nobody, Right(factor=Factor.PASSWORD, source="", against=""))


def test_a_payload_of_another_account_is_not_proposed() -> None:
    with pytest.raises(InvariantError, match="are one"):
        Gate().propose(replace(send(), account=BOB))


def test_an_authorized_action_says_so() -> None:
    gate = Gate.of(an_account(), KNOWN)

    assert gate.action(proposed_and_proved(gate)).state is ActionState.AUTHORIZED
