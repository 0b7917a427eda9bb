"""Changes to what protects an account, and setting one up."""

import pytest
from msgspec.structs import replace
from support.cast import (
    ALICE,
    DAY,
    HOUR,
    INSTANT,
    LONG_AGO,
    MALLORYS_LAPTOP,
    NEW_ADDRESS,
    NOON,
    OLD_ADDRESS,
)
from support.gates import Gate
from support.policies import STRICT, policy_of, rules_in, with_rules
from support.worlds import (
    APP,
    PASSWORD,
    ROAMING,
    SYNCED,
    a_destination,
    a_passkey,
    a_password,
    a_session,
    an_account,
    an_app,
    bind,
    change_password,
    list_address,
    make_key,
    remove,
    send,
    unlist,
)

from twinlock.domain.account import ActionUnknownError, Candidate
from twinlock.domain.actions import ApiKeyRevoke
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.model import Authenticator
from twinlock.domain.commands import (
    EndSession,
    ImportDestination,
    Offer,
    OpenAccount,
)
from twinlock.domain.decisions import Decision
from twinlock.domain.errors import InvariantError
from twinlock.domain.events import (
    ActionDone,
    HoldPlaced,
)
from twinlock.domain.ids import ChallengeId, SessionId
from twinlock.domain.of_accounts import EnrolmentClosedError
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


# --- Changing what protects the account ---


def test_a_newcomer_with_the_old_password_does_not_remove_the_owners_key() -> None:
    """Prevents: Mallory's new passkey beside the password she knows, which is old."""
    mallorys = a_passkey("aut_mallory", bound_at=NOON - DAY)
    gate = Gate.of(an_account(PASSWORD, SYNCED, mallorys))
    action = gate.propose(remove(SYNCED)).action_id
    told = gate.prove(action, PASSWORD, mallorys)

    assert told.answer is Answer.DENY
    assert Reason.NEWCOMER in reasons(told.requirement)


@pytest.mark.parametrize(
    ("age", "said"), [(30 * DAY, Answer.HOLD), (30 * DAY - INSTANT, Answer.DENY)]
)
def test_a_newcomer_is_one_for_thirty_days(age: object, said: Answer) -> None:
    newer = a_passkey("aut_newer", bound_at=NOON - age)  # type: ignore[operator]  # a length
    gate = Gate.of(an_account(PASSWORD, SYNCED, newer))
    told = gate.prove(gate.propose(remove(SYNCED)).action_id, newer)

    assert told.answer is said


@pytest.mark.requirement("O-18")
def test_a_newcomer_does_not_replace_the_old_password_unless_it_is_shown_too() -> None:
    newer = a_passkey("aut_newer", bound_at=NOON - DAY)
    gate = Gate.of(an_account(PASSWORD, newer))
    action = gate.propose(*change_password()).action_id
    alone = gate.prove(action, newer)

    assert Reason.NEWCOMER in reasons(alone.requirement)
    assert gate.prove(action, PASSWORD).answer is Answer.ALLOW


def test_a_password_whose_removal_is_due_is_not_changed() -> None:
    """Prevents: our own code called wrong, until some other command has settled the account."""
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    gate.prove(gate.propose(remove(PASSWORD)).action_id, SYNCED)
    gate.wait(3 * DAY)
    refused = gate.propose(*change_password())

    assert gate.account.authenticator(PASSWORD.authenticator_id) is None
    assert Reason.TARGET_GONE in reasons(refused.requirement)
    assert refused.answer is Answer.DENY


def test_what_was_bound_in_one_sitting_is_of_one_age() -> None:
    password = a_password(bound_at=NOON - 3 * DAY)
    passkey = a_passkey(bound_at=NOON - 3 * DAY + HOUR)
    gate = Gate.of(an_account(password, passkey))

    assert gate.prove(gate.propose(remove(password)).action_id, passkey).answer is Answer.HOLD


def test_an_older_one_removes_a_newer_one() -> None:
    newer = a_passkey("aut_newer", bound_at=NOON - DAY)
    gate = Gate.of(an_account(PASSWORD, SYNCED, newer))

    assert gate.prove(gate.propose(remove(newer)).action_id, SYNCED).answer is Answer.HOLD


def test_the_last_way_in_is_not_removed() -> None:
    gate = Gate.of(an_account(APP, SYNCED))
    refused = gate.propose(remove(SYNCED))

    assert Reason.LAST_AUTHENTICATOR in reasons(refused.requirement)
    assert gate.propose(remove(APP)).answer is Answer.HOLD


@pytest.mark.parametrize(
    ("left", "kept"),
    [((PASSWORD, APP), True), ((PASSWORD,), True), ((ROAMING,), False), ((APP, ROAMING), False)],
)
def test_what_the_policy_takes_no_sign_in_by_is_no_way_in(
    left: tuple[Authenticator, ...], kept: bool
) -> None:
    """Prevents: an owner under ``strict`` who removes the last passkey, and never gets in again."""
    gate = Gate.of(an_account(SYNCED, *left), policy=STRICT)
    refused = gate.propose(remove(SYNCED))

    assert (Reason.LAST_AUTHENTICATOR in reasons(refused.requirement)) is kept


def test_under_strict_nobody_signs_in_for_good_without_a_passkey() -> None:
    """Prevents: a password and an app that end setting up, so that no passkey is bound any more."""
    bound = (a_password(bound_at=NOON), an_app(bound_at=NOON))
    gate = Gate.of(an_account(*bound, enrolling_until=NOON + HOUR, opened_at=NOON), policy=STRICT)
    typed = gate.sign_in(*bound)
    passkey = a_passkey("aut_new")

    assert Reason.PHISHING_RESISTANT_NEEDED in reasons(typed.requirement)
    assert gate.propose(*bind(passkey)).answer is Answer.ALLOW
    assert gate.sign_in(passkey).answer is Answer.ALLOW


def test_what_a_sign_in_is_not_offered_by_is_no_way_in() -> None:
    permit = '@id("session.start.permit")'
    passkeys_only = with_rules().replace(permit, f'{permit} @offers("passkey")')
    gate = Gate.of(an_account(PASSWORD, SYNCED), policy=policy_of(passkeys_only))

    assert Reason.LAST_AUTHENTICATOR in reasons(gate.propose(remove(SYNCED)).requirement)


def test_where_the_policy_has_nobody_sign_in_what_proves_may_be_removed() -> None:
    rules = [one for one in rules_in(with_rules()) if '"session.start.permit"' not in one]
    gate = Gate.of(an_account(PASSWORD, SYNCED), policy=policy_of("\n".join(rules)))

    assert Reason.LAST_AUTHENTICATOR not in reasons(gate.propose(remove(PASSWORD)).requirement)


def test_where_a_sign_in_takes_two_roots_both_stay() -> None:
    two = (
        '@id("two") @outcome("challenge") @reason("second_root_needed") @roots("2") '
        'forbid (principal, action == Action::"session.start", resource) '
        "when { context.new_device } unless { context.roots_shown >= 2 };"
    )
    gate = Gate.of(an_account(PASSWORD, SYNCED, ROAMING), policy=policy_of(with_rules(two)))

    assert Reason.LAST_AUTHENTICATOR in reasons(gate.propose(remove(ROAMING)).requirement)
    assert Reason.LAST_AUTHENTICATOR not in reasons(gate.propose(remove(PASSWORD)).requirement)


def test_of_two_removals_the_second_keeps_the_last_way_in() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED))
    for one in (PASSWORD, SYNCED):
        gate.prove(gate.propose(remove(one)).action_id, SYNCED)
    gate.wait(3 * DAY)
    gate.run(NOBODY)

    assert len(gate.account.authenticators) == 1


@pytest.mark.requirement("O-17")
def test_binding_removing_and_changing_the_password_hold_exits_and_end_other_sessions() -> None:
    payload, secret = change_password()
    gate = Gate()
    mine = gate.give_session()
    gate.give_session(a_session("ses_other", thumbprint=MALLORYS_LAPTOP))
    action = gate.propose(payload, secret, session=mine).action_id
    changed = gate.prove(action, SYNCED)

    assert HoldPlaced in kinds(changed)
    assert [one.session_id for one in gate.account.sessions] == ["ses_alice"]
    assert gate.account.authenticator(PASSWORD.authenticator_id) != PASSWORD


def test_a_new_authenticator_counts_from_the_day_it_took_effect() -> None:
    new = a_passkey("aut_new", bound_at=LONG_AGO)
    gate = Gate()
    gate.prove(gate.propose(*bind(new)).action_id, SYNCED)
    gate.wait(DAY)
    gate.run(NOBODY)
    bound = gate.account.authenticator("aut_new")

    assert bound is not None
    assert bound.bound_at == NOON + DAY
    assert bound.entry > 0


def test_a_key_that_may_withdraw_waits_and_one_that_may_not_does_not() -> None:
    gate = Gate()
    trade = gate.propose(make_key("read", "trade"), "key_trade")
    bounded = make_key("withdraw", ip_list=("::1",), destinations=("dst_1",), public_key="W" * 43)
    withdraw = gate.propose(bounded, "key_withdraw")

    assert gate.prove(trade.action_id, SYNCED).answer is Answer.ALLOW
    assert gate.prove(withdraw.action_id, SYNCED).answer is Answer.HOLD
    unheld = not gate.account.holds
    gate.wait(DAY)
    gate.run(NOBODY)

    assert unheld
    assert [key.api_key_id for key in gate.account.api_keys] == ["key_trade", "key_withdraw"]
    assert gate.account.holds[0].because == "api_key.create"


def test_an_api_key_is_revoked_at_once() -> None:
    gate = Gate()
    gate.prove(gate.propose(make_key("read"), "key_1").action_id, SYNCED)
    revoke = ApiKeyRevoke(account=ALICE, api_key_id="key_1")
    revoked = gate.prove(gate.propose(revoke).action_id, SYNCED)

    assert revoked.answer is Answer.ALLOW
    assert gate.account.api_keys == ()


def test_removing_a_destination_that_was_never_listed_is_done_already() -> None:
    gate = Gate()
    removed = gate.prove(gate.propose(unlist(NEW_ADDRESS)).action_id, SYNCED)

    assert kinds(removed)[-1] is ActionDone
    assert gate.account.destinations == {}


def test_a_removed_destination_counts_as_new() -> None:
    gate = Gate.of(an_account(), KNOWN)
    gate.prove(gate.propose(unlist(OLD_ADDRESS)).action_id, SYNCED)

    assert Reason.DESTINATION_REMOVED in reasons(gate.propose(send()).requirement)


# --- Setting up ---


def setting_up(*authenticators: object) -> Gate:
    gate = Gate()
    gate.account = replace(
        gate.account,
        authenticators=authenticators,
        enrolling_until=NOON + HOUR,
    )
    return gate


def test_while_setting_up_an_authenticator_is_bound_at_once() -> None:
    gate = setting_up()
    bound = gate.propose(*bind(SYNCED))

    assert bound.answer is Answer.ALLOW
    assert gate.account.holds == ()


def test_while_setting_up_nothing_else_is_easier() -> None:
    """Prevents: a destination listed in the first hour, and usable without a wait."""
    gate = setting_up(SYNCED)

    assert gate.prove(gate.propose(list_address(NEW_ADDRESS)).action_id, SYNCED).answer is (
        Answer.HOLD
    )
    assert Reason.ENROLMENT_OPEN in reasons(gate.propose(send()).requirement)


def test_the_first_sign_in_ends_the_setting_up_and_holds_nothing() -> None:
    gate = setting_up(SYNCED)
    first = gate.sign_in(SYNCED, device=MALLORYS_LAPTOP)

    assert HoldPlaced not in kinds(first)
    assert gate.account.enrolling_until is None
    assert gate.propose(*bind(ROAMING)).answer is Answer.HOLD


def test_after_an_hour_nothing_is_bound_without_a_proof() -> None:
    gate = setting_up(SYNCED)
    gate.wait(HOUR)

    assert gate.propose(*bind(ROAMING)).answer is Answer.HOLD


def test_a_destination_of_an_older_system_is_listed_and_proves_nothing() -> None:
    gate = setting_up(SYNCED)
    imported = a_destination(imported=True, usable_at=None, used_at=None)
    gate.run(ImportDestination(destination=imported), at_hand=imported.destination_id)
    again = gate.run(ImportDestination(destination=imported), at_hand=imported.destination_id)
    gate.sign_in(SYNCED)

    assert again.events == ()
    assert Reason.DESTINATION_UNPROVED in reasons(gate.propose(send()).requirement)


@pytest.mark.parametrize(
    "claimed",
    [
        pytest.param({"usable_at": LONG_AGO}, id="that it is proved"),
        pytest.param({"imported": False}, id="that it was not imported"),
        pytest.param({"version": 2}, id="that its stream goes on"),
    ],
)
def test_an_import_cannot_say_more_than_an_address(claimed: dict[str, object]) -> None:
    gate = setting_up(SYNCED)
    imported = replace(a_destination(imported=True, usable_at=None), **claimed)

    with pytest.raises(InvariantError, match="proves nothing"):
        gate.run(ImportDestination(destination=imported), at_hand=imported.destination_id)


def test_nothing_is_imported_when_the_account_is_set_up() -> None:
    imported = a_destination(imported=True, usable_at=None)

    with pytest.raises(EnrolmentClosedError):
        Gate().run(ImportDestination(destination=imported), at_hand=imported.destination_id)


def test_an_account_is_opened_once() -> None:
    gate = Gate()
    gate.run(OpenAccount(account=gate.account))

    with pytest.raises(InvariantError, match="opened once"):
        gate.run(OpenAccount(account=gate.account))


def test_what_is_offered_for_binding_is_kept_while_it_is_good() -> None:
    gate = Gate()
    for number in range(4):
        gate.run(Offer(candidate=a_candidate(gate, str(number))))
    newest = [one.candidate_id for one in gate.account.candidates]
    gate.wait(HOUR)
    gate.run(Offer(candidate=a_candidate(gate, "4")))

    assert newest == ["2", "3"]
    assert [one.candidate_id for one in gate.account.candidates] == ["4"]


def a_candidate(gate: Gate, name: str) -> Candidate:
    return Candidate(
        candidate_id=ChallengeId(name),
        factor=Factor.TOTP,
        secret="seed",  # noqa: S106 - a fixture
        expires_at=gate.now + HOUR,
    )
