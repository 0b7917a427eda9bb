"""What is lost is suspended by one factor; the floor stays, and no factor makes a weapon of it."""

import pytest
from msgspec.structs import replace
from support.cast import DAY, HOUR, INSTANT, NEW_ADDRESS, OLD_ADDRESS
from support.gates import Gate, Source
from support.worlds import (
    APP,
    DESKTOP,
    DESKTOP_KEY,
    EMAIL,
    FREEZE,
    PASSWORD,
    ROAMING,
    SMS,
    SYNCED,
    a_destination,
    a_session,
    an_account,
    bind,
    change_password,
    list_address,
    reactivate,
    remove,
    reset_password,
    send,
    suspend,
)

from twinlock.domain.account import State
from twinlock.domain.assurance import Factor, Level
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.authenticators.model import Authenticator
from twinlock.domain.bounds import NEWCOMER_PERIOD, WEAK_FREEZE_EVERY, WEAK_FREEZE_LENGTH
from twinlock.domain.decisions import Decision
from twinlock.domain.errors import InvariantError
from twinlock.domain.events import AuthenticatorReactivated
from twinlock.domain.freezes import SUSPENSION
from twinlock.domain.notices import notices
from twinlock.domain.policy.targets import password
from twinlock.domain.reasons import Reason
from twinlock.domain.replay import apply
from twinlock.domain.requirements import Answer, reasons


def report(gate: Gate, lost: Authenticator, *by: Source) -> Decision:
    return gate.prove(gate.propose(suspend(lost)).action_id, *by)


def standing(gate: Gate, one: Authenticator) -> Authenticator:
    found = gate.account.authenticator(one.authenticator_id)
    assert found is not None
    return found


def is_suspended(gate: Gate, one: Authenticator) -> bool:
    return standing(gate, one).suspended(gate.now)


# --- One factor is enough to report ---


@pytest.mark.requirement("N-B21")
@pytest.mark.parametrize("by", [PASSWORD, EMAIL, APP], ids=["password", "mailbox", "app"])
def test_one_factor_suspends_what_is_lost_at_once(by: Source) -> None:
    gate = Gate.of(an_account(PASSWORD, APP, SYNCED))

    assert report(gate, SYNCED, by).answer is Answer.ALLOW
    assert is_suspended(gate, SYNCED)
    assert gate.account.floor is Level.PHISHING_RESISTANT  # Law 3: the floor does not sink.
    action = gate.propose(list_address(NEW_ADDRESS)).action_id
    assert gate.ask(action, SYNCED).fault is ProofFault.SUSPENDED
    gate.prove(action, PASSWORD, APP)
    assert gate.action(action).proved_at is None


@pytest.mark.requirement("N-B21")
def test_a_session_reports_too_and_shows_little() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    signed = gate.give_session()

    assert gate.propose(suspend(SYNCED), session=signed).answer is Answer.ALLOW
    gate.wait(WEAK_FREEZE_LENGTH)
    assert not is_suspended(gate, SYNCED)


def test_nothing_shown_suspends_nothing() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED))

    assert gate.propose(suspend(SYNCED)).answer is Answer.CHALLENGE
    assert not is_suspended(gate, SYNCED)


def test_what_is_not_bound_is_not_suspended() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED))

    assert reasons(gate.propose(suspend(ROAMING)).requirement)[-1] is Reason.TARGET_GONE


# --- For good, or for a while ---


@pytest.mark.parametrize(
    ("by", "for_good"),
    [
        pytest.param((ROAMING,), True, id="another at the floor"),
        pytest.param((SYNCED,), False, id="itself"),
        pytest.param((APP,), False, id="below it"),
        pytest.param((PASSWORD,), False, id="password"),
    ],
)
def test_a_suspension_ends_by_itself_unless_another_at_the_floor_made_it(
    by: tuple[Source, ...], for_good: bool
) -> None:
    """Prevents: a stolen key that suspends itself, or is outvoted by less, and locks all out."""
    gate = Gate.of(an_account(PASSWORD, APP, SYNCED, ROAMING))
    report(gate, SYNCED, *by)
    gate.wait(WEAK_FREEZE_LENGTH - INSTANT)
    assert is_suspended(gate, SYNCED)
    gate.wait(INSTANT)

    assert is_suspended(gate, SYNCED) is for_good


@pytest.mark.requirement("N-B21")
def test_one_root_suspends_once_a_month() -> None:
    """Law 5. Prevents: a thief with one factor who keeps the owner's only key suspended."""
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    report(gate, SYNCED, PASSWORD)
    gate.wait(WEAK_FREEZE_LENGTH)
    again = report(gate, SYNCED, PASSWORD)
    assert (again.answer, reasons(again.requirement)) == (
        Answer.CHALLENGE,
        (Reason.FREEZE_TOO_SOON,),
    )
    gate.wait(WEAK_FREEZE_EVERY - WEAK_FREEZE_LENGTH - INSTANT)
    assert report(gate, SYNCED, PASSWORD).answer is Answer.CHALLENGE
    gate.wait(INSTANT)

    assert report(gate, SYNCED, PASSWORD).answer is Answer.ALLOW


def test_what_was_lost_together_is_reported_in_one_sitting() -> None:
    gate = Gate.of(an_account(PASSWORD, APP, SYNCED, ROAMING))
    report(gate, APP, PASSWORD)
    gate.wait(HOUR - INSTANT)
    assert report(gate, SYNCED, PASSWORD).answer is Answer.ALLOW
    assert gate.account.freeze.weak[f"{SUSPENSION}knowledge"] == gate.now - HOUR + INSTANT
    gate.wait(INSTANT)

    assert report(gate, ROAMING, PASSWORD).answer is Answer.CHALLENGE


def test_reporting_again_in_the_sitting_makes_it_no_longer() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    report(gate, SYNCED, PASSWORD)
    until = standing(gate, SYNCED).suspension
    gate.wait(HOUR - INSTANT)
    report(gate, SYNCED, PASSWORD)

    assert standing(gate, SYNCED).suspension == until


def test_a_freeze_and_a_suspension_have_bounds_of_their_own() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    report(gate, SYNCED, PASSWORD)

    assert gate.prove(gate.propose(FREEZE).action_id, PASSWORD).answer is Answer.ALLOW
    assert set(gate.account.freeze.weak) == {"knowledge", f"{SUSPENSION}knowledge"}


def test_a_suspension_for_good_outlasts_one_for_a_while() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED, ROAMING))
    report(gate, SYNCED, PASSWORD)
    report(gate, SYNCED, ROAMING)
    for_good = standing(gate, SYNCED).suspension
    report(gate, SYNCED, EMAIL)
    gate.wait(WEAK_FREEZE_LENGTH)

    assert is_suspended(gate, SYNCED)
    assert standing(gate, SYNCED).suspension == for_good


# --- What it had proved ---


def test_what_a_stolen_key_proved_stands_no_more_and_never_again() -> None:
    """Prevents: a thief's listing that takes effect when a weak suspension has lapsed."""
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    listing = gate.propose(list_address(NEW_ADDRESS)).action_id
    gate.prove(listing, SYNCED)
    gate.wait(HOUR)
    report(gate, SYNCED, PASSWORD)
    gate.wait(4 * DAY)
    assert not is_suspended(gate, SYNCED)
    gate.settle()

    assert gate.account.destinations == {}


def test_an_exit_that_it_authorized_is_not_spent() -> None:
    known = a_destination(OLD_ADDRESS)
    gate = Gate.of(an_account(PASSWORD, SYNCED), known)
    exit_ = gate.propose(send(600)).action_id
    assert gate.prove(exit_, SYNCED).answer is Answer.ALLOW
    report(gate, SYNCED, PASSWORD)

    assert gate.spend(exit_).answer is Answer.CHALLENGE


def test_a_session_that_it_began_ends_and_others_go_on() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED, ROAMING))
    gate.sign_in(SYNCED, device="stolen".ljust(43, "S"))
    gate.sign_in(ROAMING)
    kept = gate.account.sessions[-1]
    report(gate, SYNCED, PASSWORD)

    assert gate.account.sessions == (kept,)


@pytest.mark.requirement("P-03")
def test_right_and_wrong_answers_of_what_is_suspended_are_told_the_same_and_not_counted() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED, channels=(EMAIL, DESKTOP)))
    report(gate, PASSWORD, SYNCED)
    action = gate.propose(list_address(NEW_ADDRESS)).action_id
    before = gate.account
    wrong = gate.wrong(action, Factor.PASSWORD, ProofFault.PASSWORD_WRONG)
    right = gate.answer(action, gate.right(action, PASSWORD))

    assert wrong.fault is right.fault is ProofFault.SUSPENDED
    assert gate.account.throttle.failures == 0
    assert notices(before, what="it", action_id=action, events=wrong.events) == ()


def test_of_two_apps_the_one_that_was_not_lost_answers() -> None:
    other = replace(APP, authenticator_id="aut_other", seed="another seed", entry=9)
    gate = Gate.of(an_account(PASSWORD, APP, other))
    report(gate, APP, other)
    action = gate.propose(list_address(NEW_ADDRESS)).action_id

    assert gate.ask(action, APP).fault is None  # Who types a code does not say which app made it.
    assert gate.answer(action, gate.right(action, APP)).fault is ProofFault.SUSPENDED
    assert gate.prove(action, other).fault is None


# --- Back again, or away ---


@pytest.mark.requirement("N-B21")
def test_reactivating_takes_the_floor_and_a_wait() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED, ROAMING))
    report(gate, SYNCED, ROAMING)
    action = gate.propose(reactivate(SYNCED)).action_id
    assert gate.prove(action, PASSWORD).answer is Answer.HOLD
    assert gate.action(action).until is None
    gate.prove(action, ROAMING)
    gate.wait(DAY - INSTANT)
    gate.settle()
    assert is_suspended(gate, SYNCED)
    gate.wait(INSTANT)
    gate.settle()

    assert not is_suspended(gate, SYNCED)
    assert gate.account.holds[-1].ends_at == gate.now + DAY
    listing = gate.propose(list_address(NEW_ADDRESS)).action_id
    assert gate.prove(listing, SYNCED).fault is None
    assert gate.action(listing).proved_at == gate.now


def test_what_is_suspended_does_not_reactivate_itself() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED, ROAMING))
    report(gate, SYNCED, ROAMING)
    action = gate.propose(reactivate(SYNCED)).action_id

    assert gate.prove(action, SYNCED).fault is not None
    assert gate.action(action).shown == ()


def test_a_reactivation_that_was_asked_for_before_ends_no_later_suspension() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED, ROAMING, DESKTOP_KEY))
    report(gate, SYNCED, ROAMING)
    gate.wait(HOUR)
    action = gate.propose(reactivate(SYNCED)).action_id
    gate.prove(action, ROAMING)
    gate.wait(HOUR)
    report(gate, SYNCED, DESKTOP_KEY)
    gate.wait(2 * DAY)
    gate.settle()

    assert is_suspended(gate, SYNCED)


def test_a_weak_report_does_not_strike_a_reactivation_that_waits() -> None:
    """Prevents: a password that keeps a found key suspended for ever."""
    gate = Gate.of(an_account(PASSWORD, SYNCED, ROAMING))
    report(gate, SYNCED, ROAMING)
    gate.prove(gate.propose(reactivate(SYNCED)).action_id, ROAMING)
    gate.wait(HOUR)
    report(gate, SYNCED, PASSWORD)
    gate.wait(DAY)
    gate.settle()

    assert not is_suspended(gate, SYNCED)


@pytest.mark.parametrize("one", [SYNCED, ROAMING], ids=["never suspended", "not bound"])
def test_only_what_is_suspended_is_reactivated(one: Authenticator) -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED))

    assert Reason.TARGET_GONE in reasons(gate.propose(reactivate(one)).requirement)


def test_a_reactivation_of_nothing_is_our_own_mistake() -> None:
    event = AuthenticatorReactivated(at=Gate().now, authenticator_id=SYNCED.authenticator_id)
    with pytest.raises(InvariantError, match="suspended"):
        apply(State(account=an_account(PASSWORD, SYNCED)), event)


def test_a_newcomer_does_not_end_a_suspension_that_is_older_for_thirty_days() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED, ROAMING))
    report(gate, SYNCED, ROAMING)
    gate.wait(2 * HOUR)
    gate.prove(gate.propose(*bind(DESKTOP_KEY)).action_id, ROAMING)
    gate.wait(DAY)
    gate.settle()
    new = standing(gate, DESKTOP_KEY)
    for wait, said in ((NEWCOMER_PERIOD - INSTANT, Answer.DENY), (INSTANT, Answer.HOLD)):
        gate.wait(wait)
        assert gate.prove(gate.propose(reactivate(SYNCED)).action_id, new).answer is said


def test_a_lost_one_is_suspended_at_once_and_removed_by_the_rules_of_removal() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED, ROAMING))
    report(gate, SYNCED, ROAMING)
    removal = gate.propose(remove(SYNCED)).action_id
    gate.prove(removal, ROAMING)
    gate.wait(3 * DAY - INSTANT)
    gate.settle()
    assert standing(gate, SYNCED).suspended(gate.now)
    gate.wait(INSTANT)
    gate.settle()

    assert gate.account.authenticator(SYNCED.authenticator_id) is None


def test_what_is_suspended_is_no_way_in() -> None:
    """Law 10. Prevents: a removal that leaves nothing but a suspended key."""
    gate = Gate.of(an_account(PASSWORD, SYNCED, ROAMING))
    report(gate, SYNCED, ROAMING)
    report(gate, PASSWORD, ROAMING)

    assert Reason.LAST_AUTHENTICATOR in reasons(gate.propose(remove(ROAMING)).requirement)


def test_what_is_suspended_counts_as_no_root() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED, ROAMING))
    report(gate, ROAMING, SYNCED)
    decision = gate.propose(send(600, to=NEW_ADDRESS))
    assert decision.facts is not None

    assert decision.facts.roots_enrolled == 1


@pytest.mark.parametrize("kind", ["change", "reset"])
def test_a_new_password_is_not_suspended_as_the_old_one_was(kind: str) -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    report(gate, PASSWORD, SYNCED)
    old = password(gate.account)
    asked = gate.propose(*(change_password() if kind == "change" else reset_password(old=old)))
    gate.prove(asked.action_id, SYNCED)
    gate.wait(DAY)
    gate.settle()

    assert not is_suspended(gate, PASSWORD)
    assert standing(gate, PASSWORD).suspension is None


# --- Several removals ---


def test_two_removals_that_prove_each_other_leave_one() -> None:
    """Prevents: two keys that remove one another and leave an account without either."""
    gate = Gate.of(an_account(SYNCED, ROAMING, channels=(EMAIL, DESKTOP)))
    gate.prove(gate.propose(remove(SYNCED)).action_id, ROAMING)
    gate.prove(gate.propose(remove(ROAMING)).action_id, SYNCED)
    gate.wait(3 * DAY)
    gate.settle()

    assert gate.account.authenticators == (ROAMING,) or len(gate.account.authenticators) == 1
    assert gate.account.floor is Level.PHISHING_RESISTANT


def test_the_last_of_a_kind_lowers_the_floor_only_when_its_removal_has_waited() -> None:
    gate = Gate.of(an_account(PASSWORD, APP, SYNCED, channels=(EMAIL, SMS)))
    gate.prove(gate.propose(remove(SYNCED)).action_id, SYNCED)
    gate.wait(3 * DAY - INSTANT)
    gate.settle()
    floors = [gate.account.floor]
    gate.wait(INSTANT)
    gate.settle()
    floors.append(gate.account.floor)
    gate.prove(gate.propose(remove(APP)).action_id, APP)
    gate.wait(3 * DAY)
    gate.settle()
    floors.append(gate.account.floor)

    assert floors == [Level.PHISHING_RESISTANT, Level.POSSESSION, Level.OUT_OF_BAND]


def test_what_is_removed_already_is_not_removed_again() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED, ROAMING))
    actions = [gate.propose(remove(SYNCED)).action_id for _ in range(2)]
    for action in actions:
        gate.prove(action, ROAMING)
    gate.wait(3 * DAY)
    gate.settle()

    assert not gate.is_open(actions[0])
    assert not gate.is_open(actions[1])


def test_sessions_that_nobody_knows_the_beginning_of_go_on() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    gate.give_session(a_session(started_at=gate.now))
    report(gate, SYNCED, PASSWORD)

    assert len(gate.account.sessions) == 1
