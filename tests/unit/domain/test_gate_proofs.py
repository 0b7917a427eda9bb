"""Questions and answers at the gate, signing in, and freezing."""

import pytest
from msgspec.structs import replace
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
from support.policies import permits, policy_of
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    FREEZE,
    LIFT,
    PASSWORD,
    ROAMING,
    SMS,
    SYNCED,
    a_destination,
    a_session,
    an_account,
    bind,
    list_address,
    send,
    sign_in,
)

from twinlock.domain.account import ActionUnknownError
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.bounds import FREE_FAILURES
from twinlock.domain.commands import (
    EndSession,
    SessionSignature,
)
from twinlock.domain.decisions import Decision
from twinlock.domain.events import (
    ActionHeld,
    ActionVetoed,
    ChallengeIssued,
    HoldPlaced,
    ProofRefused,
    SessionStarted,
)
from twinlock.domain.ids import SessionId
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import NOTHING, Answer, Never, Prove, reasons

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


# --- Questions ---


def test_a_question_is_never_a_yes() -> None:
    gate = Gate.of(an_account(), KNOWN)
    action = proposed_and_proved(gate)
    asked = gate.ask(action, PASSWORD)

    assert asked.requirement == NOTHING
    assert asked.answer is Answer.CHALLENGE
    assert kinds(asked) == [ChallengeIssued]


def test_a_question_that_is_not_put_counts_as_no_wrong_answer() -> None:
    gate = Gate()
    action = gate.propose(send()).action_id
    refused = gate.ask(action, EMAIL)

    assert refused.fault is ProofFault.BELOW_FLOOR
    assert refused.events == ()
    assert gate.account.throttle.failures == 0


WITHOUT_SMS = policy_of(
    "\n".join(permits()).replace(
        '"session.start.permit"', '"session.start.permit") @offers("password,email_code"', 1
    )
)


@pytest.mark.requirement("O-12")
def test_a_profile_without_sms_asks_for_none() -> None:
    gate = Gate.of(an_account(PASSWORD, channels=(SMS, EMAIL)), policy=WITHOUT_SMS)
    action = gate.propose(sign_in()).action_id

    assert gate.ask(action, SMS).fault is ProofFault.NOT_OFFERED
    assert gate.ask(action, EMAIL).fault is None


def test_what_the_policy_does_not_offer_is_told_as_that_on_every_path() -> None:
    """And as nothing weaker than what is bound: it may be the strongest."""
    gate = Gate.of(an_account(PASSWORD, SYNCED, channels=(SMS, EMAIL)), policy=WITHOUT_SMS)
    action = gate.propose(sign_in()).action_id
    right = gate.right(action, PASSWORD)
    for _ in range(FREE_FAILURES):
        gate.wrong(action, Factor.PASSWORD)
    told = [
        gate.ask(action, SMS).fault,
        gate.ask(action, SYNCED).fault,
        gate.wrong(action, Factor.PASSKEY).fault,
        gate.wrong(action, Factor.TOTP).fault,
        gate.wrong(action, Factor.RECOVERY_CODE).fault,
    ]

    assert told == [ProofFault.NOT_OFFERED] * 5
    assert gate.account.throttle.failures == FREE_FAILURES
    assert gate.answer(action, right).fault is ProofFault.THROTTLED


# --- Answers ---


def test_a_wrong_answer_is_told_why_and_counts() -> None:
    gate = Gate.of(an_account(PASSWORD))
    action = gate.propose(send()).action_id
    refused = gate.wrong(action, Factor.PASSWORD, ProofFault.PASSWORD_WRONG)

    assert refused.answer is Answer.DENY
    assert refused.fault is ProofFault.PASSWORD_WRONG
    assert kinds(refused) == [ProofRefused]
    assert gate.account.throttle.failures == 1


def test_a_closed_throttle_says_until_when() -> None:
    gate = Gate.of(an_account(PASSWORD))
    action = gate.propose(send()).action_id
    for _ in range(5):
        gate.wrong(action, Factor.PASSWORD)
    refused = gate.wrong(action, Factor.PASSWORD)

    assert refused.requirement == Never(code=Reason.THROTTLED, until=gate.account.throttle.until)


def test_a_throttle_without_an_end_says_so() -> None:
    gate = Gate.of(an_account(PASSWORD))
    throttle = replace(gate.account.throttle, failures=100)
    gate.account = replace(gate.account, throttle=throttle)
    action = gate.propose(send()).action_id

    assert gate.wrong(action, Factor.TOTP).requirement == Never(code=Reason.THROTTLED)


def test_the_owner_opens_the_throttle_with_what_cannot_be_guessed() -> None:
    gate = Gate.of(an_account(), KNOWN)
    throttle = replace(gate.account.throttle, failures=100)
    gate.account = replace(gate.account, throttle=throttle)
    action = gate.propose(send()).action_id

    assert gate.prove(action, SYNCED).answer is Answer.ALLOW
    assert gate.account.throttle.failures == 0


def test_a_known_password_beside_the_owners_passkey_does_not_open_the_throttle() -> None:
    """Prevents: four guesses at the app, one password on a waiting action, four guesses more."""
    gate = Gate.of(an_account(PASSWORD, APP, SYNCED))
    waiting = gate.propose(list_address(NEW_ADDRESS)).action_id
    gate.prove(waiting, SYNCED)
    gate.wrong(waiting, Factor.TOTP)
    gate.prove(waiting, PASSWORD)

    assert gate.account.throttle.failures == 1


def test_a_proof_of_an_unbound_authenticator_does_not_start_a_wait() -> None:
    """Prevents: an old password and a mailbox, before and after the password was replaced."""
    gate = Gate.of(an_account(PASSWORD, channels=(EMAIL, DESKTOP)))
    action = gate.propose(list_address(NEW_ADDRESS)).action_id
    gate.prove(action, PASSWORD)
    replaced = replace(PASSWORD, bound_at=NOON, verifier="another hash")
    gate.account = replace(gate.account, authenticators=(replaced,))
    told = gate.prove(action, EMAIL)

    assert ActionHeld not in kinds(told)
    assert any(isinstance(one, Prove) for one in (told.requirement, *told.requirement.parts))  # type: ignore[union-attr]  # a conjunction


def test_the_new_password_can_be_shown_where_the_old_one_was() -> None:
    gate = Gate.of(an_account(PASSWORD, channels=(DESKTOP,)), KNOWN)
    action = gate.propose(*bind(ROAMING)).action_id
    gate.prove(action, PASSWORD)
    replaced = replace(PASSWORD, bound_at=NOON + HOUR, verifier="another hash")
    gate.account = replace(gate.account, authenticators=(replaced,))
    gate.wait(2 * HOUR)
    told = gate.prove(action, replaced)

    assert told.fault is None
    assert [event.until for event in told.events if isinstance(event, ActionHeld)] == [
        gate.now + DAY
    ]


def test_a_code_shown_before_a_key_was_bound_is_no_second_root_beside_it() -> None:
    gate = Gate.of(an_account(PASSWORD, channels=(EMAIL, SMS, DESKTOP)), KNOWN)
    action = gate.propose(send(150_000)).action_id
    gate.prove(action, PASSWORD, EMAIL)
    gate.account = replace(gate.account, authenticators=(PASSWORD, APP, ROAMING))

    assert Reason.SECOND_ROOT_NEEDED in reasons(gate.prove(action, ROAMING).requirement)


def test_what_was_proved_while_frozen_waits_from_a_notice_all_the_same() -> None:
    """Untold, it lapses with its proposal: no wait runs in silence."""
    gate = Gate()
    action = gate.propose(list_address(NEW_ADDRESS)).action_id
    gate.prove(gate.propose(FREEZE).action_id, PASSWORD)
    told = gate.prove(action, SYNCED)
    gate.wait(3 * DAY)
    gate.run(NOBODY)

    assert told.answer is Answer.DENY
    assert ActionHeld not in kinds(told)
    assert not gate.is_open(action)
    assert not gate.account.destinations


# --- Signing in ---


def test_below_the_floor_a_password_and_a_code_may_look_and_start_no_hold() -> None:
    gate = Gate()
    looked = gate.sign_in(PASSWORD, EMAIL, device=MALLORYS_LAPTOP)

    assert looked.answer is Answer.READ_ONLY
    assert SessionStarted in kinds(looked)
    assert HoldPlaced not in kinds(looked)
    assert gate.account.sessions[0].read_only


def test_a_session_that_may_look_may_freeze_and_veto_and_send_nothing() -> None:
    gate = Gate.of(an_account(), a_destination(budget_cents=500_00))
    waiting = gate.propose(list_address(NEW_ADDRESS)).action_id
    gate.sign_in(PASSWORD, EMAIL)
    signature = gate.signs(gate.account.sessions[0])

    assert gate.propose(send(), session=signature).answer is Answer.CHALLENGE
    assert kinds(gate.veto(waiting, session=signature)) == [ActionVetoed]
    assert gate.propose(FREEZE, session=signature).answer is Answer.ALLOW


def test_a_code_of_a_channel_that_is_gone_opens_nothing_to_look_at() -> None:
    gate = Gate()
    action = gate.propose(sign_in()).action_id
    gate.prove(action, EMAIL)
    gate.account = replace(gate.account, channels=(DESKTOP,))

    assert gate.prove(action, PASSWORD).answer is Answer.CHALLENGE


@pytest.mark.requirement("O-26")
def test_a_new_device_holds_exits_and_a_known_one_does_not() -> None:
    gate = Gate()
    known = gate.sign_in(SYNCED)
    new = gate.sign_in(SYNCED, device=MALLORYS_LAPTOP)
    again = gate.sign_in(SYNCED, device=MALLORYS_LAPTOP)

    assert [HoldPlaced in kinds(one) for one in (known, new, again)] == [False, True, False]


def test_signing_in_with_an_app_takes_the_password_too() -> None:
    gate = Gate.of(an_account(PASSWORD, APP))
    action = gate.propose(sign_in()).action_id
    app = gate.prove(action, APP)

    assert reasons(app.requirement) == (Reason.PASSWORD_NEEDED,)
    assert gate.prove(action, PASSWORD).answer is Answer.ALLOW


@pytest.mark.requirement("O-17")
def test_ending_a_session_ends_that_one_or_all() -> None:
    gate = Gate()
    for name in ("ses_1", "ses_2", "ses_3"):
        gate.give_session(a_session(name, thumbprint=name))
    gate.run(EndSession(session_id=SessionId("ses_2")))
    left = [one.session_id for one in gate.account.sessions]
    gate.run(EndSession(session_id=None))

    assert left == ["ses_1", "ses_3"]
    assert gate.account.sessions == ()


@pytest.mark.requirement("O-17")
@pytest.mark.parametrize(
    ("keep", "left"), [("ses_2", ["ses_2"]), ("ses_x", []), (None, [])], ids=["one", "none", "all"]
)
def test_ending_all_others_keeps_one(keep: str | None, left: list[str]) -> None:
    gate = Gate()
    for name in ("ses_1", "ses_2", "ses_3"):
        gate.give_session(a_session(name, thumbprint=name))
    gate.run(EndSession(session_id=None, keep=None if keep is None else SessionId(keep)))

    assert [one.session_id for one in gate.account.sessions] == left


@pytest.mark.requirement("O-19")
def test_a_copied_session_is_refused_whatever_it_asks() -> None:
    gate = Gate.of(an_account(), a_destination(budget_cents=500_00))
    gate.give_session()
    copied = SessionSignature(session_id=SessionId("ses_alice"), thumbprint="", signed_at=gate.now)
    refused = gate.propose(send(), session=copied)

    assert refused.answer is Answer.DENY
    assert Reason.PROOF_NOT_BOUND in reasons(refused.requirement)


# --- Freezing ---


@pytest.mark.requirement("N-B21")
def test_a_freeze_at_the_floor_has_no_end_and_its_lifting_waits_a_day() -> None:
    gate = Gate()
    gate.prove(gate.propose(FREEZE).action_id, SYNCED)
    gate.wait(400 * DAY)
    frozen = gate.propose(list_address(NEW_ADDRESS))
    lift = gate.prove(gate.propose(LIFT).action_id, SYNCED)
    gate.wait(DAY)
    gate.run(NOBODY)

    assert frozen.requirement.parts[-1] == Never(code=Reason.ACCOUNT_FROZEN)  # type: ignore[union-attr]  # a conjunction
    assert lift.answer is Answer.HOLD
    assert gate.account.freeze.until is None


@pytest.mark.requirement("N-B21")
def test_a_freeze_below_the_floor_lapses_after_three_days() -> None:
    gate = Gate.of(an_account(), KNOWN)
    gate.prove(gate.propose(FREEZE).action_id, PASSWORD)
    gate.wait(3 * DAY - INSTANT)
    frozen = gate.propose(send())
    gate.wait(INSTANT)

    assert Reason.ACCOUNT_FROZEN in reasons(frozen.requirement)
    assert gate.propose(send()).answer is Answer.CHALLENGE


def test_a_thiefs_weak_freeze_does_not_refuse_the_owners_strong_one() -> None:
    gate = Gate()
    gate.prove(gate.propose(FREEZE).action_id, PASSWORD)
    asked = gate.propose(FREEZE)
    weak = gate.prove(asked.action_id, PASSWORD)

    assert asked.answer is weak.answer is Answer.CHALLENGE
    assert reasons(weak.requirement) == (Reason.FREEZE_TOO_SOON,)
    assert gate.prove(asked.action_id, SYNCED).answer is Answer.ALLOW


def test_a_lift_asked_for_before_the_freeze_does_not_end_it() -> None:
    """Prevents: a lift announced while nothing is frozen, due an hour after the owner freezes."""
    gate = Gate()
    lift = gate.propose(LIFT).action_id
    gate.prove(lift, SYNCED)
    gate.wait(23 * HOUR)
    gate.prove(gate.propose(FREEZE).action_id, SYNCED)
    gate.wait(HOUR)
    gate.run(NOBODY)

    assert gate.account.freeze.until is not None


def test_a_weak_freeze_does_not_undo_a_lift_that_waits_already() -> None:
    gate = Gate()
    gate.prove(gate.propose(FREEZE).action_id, SYNCED)
    gate.wait(HOUR)
    gate.prove(gate.propose(LIFT).action_id, SYNCED)
    gate.wait(HOUR)
    gate.prove(gate.propose(FREEZE).action_id, PASSWORD)
    gate.wait(DAY)
    gate.run(NOBODY)

    assert gate.account.freeze.until is None
