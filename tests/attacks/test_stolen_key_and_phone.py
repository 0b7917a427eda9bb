"""A key that withdraws was stolen together with something that proves: the phone, a number, a key.

Mallory has the secret of the bot's key and can show one thing more for a while. She wants more
than the key's sum, or the key back after it was stopped. She is stopped by law 3 and law 6: what a
key carries counts in its own sum, by what really was charged; what was reported never makes a key
again; and what she signs leaves the owner room. What is left is in docs/threat-model.md.
"""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.cast import ALICE, DAY, NEW_ADDRESS, OLD_ADDRESS
from support.gates import Gate, Source
from support.worlds import (
    APP,
    DESKTOP,
    EMAIL,
    PASSWORD,
    PRICES,
    ROAMING,
    SMS,
    SYNCED,
    a_destination,
    an_account,
    change_password,
    destination_id,
    list_address,
    make_key,
    reactivate,
    remove,
    repudiate,
    reset_password,
    send,
    suspend,
)

from twinlock.domain.account import Account
from twinlock.domain.actions import ApiKeyRevoke
from twinlock.domain.assurance import Factor
from twinlock.domain.bounds import KEY_ACTIONS_MOST, OPEN_ACTIONS_MOST, SIM_CHANGE_PERIOD
from twinlock.domain.commands import ReportSimChange, Right
from twinlock.domain.decisions import Decision
from twinlock.domain.events import ActionSpent, ActionVetoed
from twinlock.domain.ids import ApiKeyId
from twinlock.domain.policy.facts import DestinationState
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons

HOME, AWAY = "203.0.113.7", "198.51.100.7"
KNOWN = a_destination()
HERS = "0x" + "b" * 40
SUM = 100
MINUTE = timedelta(minutes=1)


def with_keys(account: Account, *names: str, by: tuple[Source, ...] = (ROAMING,)) -> Gate:
    """Return the gate of an owner whose keys, made days ago ``by`` those, pay US$100 a day."""
    gate = Gate.of(account, KNOWN)
    for name in names:
        make(gate, name, by=by)
    gate.wait(3 * DAY)
    gate.settle()
    gate.wait(3 * DAY)
    return gate


def make(gate: Gate, name: str, *, by: tuple[Source, ...], to: str = OLD_ADDRESS) -> Decision:
    wanted = make_key(
        "withdraw",
        ip_list=(f"{HOME}/32",),
        destinations=(destination_id("ethereum", to, ""),),
        daily_cents=SUM * 100,
        public_key=name * 8,
    )
    return gate.prove(gate.propose(wanted, name).action_id, *by)


def signs(gate: Gate, action: str, named: str = "key_1", *, ip: str = HOME) -> Decision:
    right = Right(factor=Factor.API_KEY, source=named, against=named * 8, ip=ip, evidence=b"{}")
    return gate.answer(action, right)


def pays(gate: Gate, dollars: int, named: str = "key_1", *, to: str = OLD_ADDRESS) -> Decision:
    return signs(gate, gate.propose(send(dollars, to=to)).action_id, named)


def revoke(gate: Gate, named: str = "key_1") -> Decision:
    payload = ApiKeyRevoke(account=ALICE, api_key_id=ApiKeyId(named))
    return gate.prove(gate.propose(payload).action_id, SYNCED)


def left(gate: Gate) -> int:
    """Return how many cents left today."""
    return sum(
        event.value_cents
        for _, decided, at in gate.book
        for decision in decided.decisions
        for event in decision.events
        if isinstance(event, ActionSpent) and at.date() == gate.now.date()
    )


OWNER = an_account(PASSWORD, SYNCED, ROAMING)


# --- More than its sum ---


def test_a_revoked_keys_proof_is_not_charged_in_the_place_of_the_one_that_carries() -> None:
    gate = with_keys(OWNER, "key_1", "key_2")
    signed = [pays(gate, 50).action_id, pays(gate, 50).action_id]
    for action in signed:
        gate.prove(action, PASSWORD)  # So that somebody stands behind them when the key is gone.
    revoke(gate, "key_1")

    for action in signed:
        assert signs(gate, action, "key_2").answer is Answer.ALLOW
        assert gate.spend(action).answer is Answer.ALLOW
    assert Reason.API_KEY_SUM in reasons(pays(gate, 1, "key_2").requirement)
    assert left(gate) == SUM * 100


def test_what_both_proved_is_not_all_carried_by_the_key_when_the_phone_is_reported() -> None:
    """Five withdrawals of US$100, each signed by the key and then by the stolen phone's passkey."""
    gate = with_keys(OWNER, "key_1")
    assert gate.spend(pays(gate, SUM).action_id).answer is Answer.ALLOW
    waiting = []
    for _ in range(KEY_ACTIONS_MOST):
        action = gate.propose(send(SUM)).action_id
        gate.prove(action, PASSWORD)
        assert signs(gate, action).answer is Answer.DENY
        assert gate.prove(action, SYNCED).answer is Answer.ALLOW
        waiting.append(action)
    gate.prove(gate.propose(suspend(SYNCED)).action_id, ROAMING)

    assert all(gate.spend(action).answer is Answer.DENY for action in waiting)
    assert left(gate) == SUM * 100


def test_within_one_instant_too_what_the_key_carries_at_last_counts_in_its_sum() -> None:
    gate = with_keys(OWNER, "key_1")
    waiting = []
    for _ in range(3):
        action = gate.propose(send(SUM)).action_id
        assert gate.prove(action, SYNCED).answer is Answer.ALLOW
        assert signs(gate, action).answer is Answer.ALLOW
        waiting.append(action)
    gate.prove(gate.propose(suspend(SYNCED)).action_id, ROAMING)

    answers = [gate.spend(action).answer for action in waiting]

    assert answers == [Answer.ALLOW, Answer.DENY, Answer.DENY]
    assert left(gate) == SUM * 100


def test_what_the_owner_proves_beside_the_key_takes_nothing_of_its_sum() -> None:
    gate = with_keys(OWNER, "key_1")
    action = gate.propose(send(SUM)).action_id
    gate.prove(action, PASSWORD)
    gate.prove(action, SYNCED)
    signs(gate, action)

    assert gate.spend(action).answer is Answer.ALLOW
    assert gate.account.api_keys[0].spent == (0, 0)
    assert pays(gate, SUM).answer is Answer.ALLOW


def test_a_price_that_rises_before_the_spend_takes_more_of_the_sum() -> None:
    """Prevents: authorized while the price is low, and the sum spent once more when it is high."""
    gate = with_keys(OWNER, "key_1")
    cheap = pays(gate, SUM // 2)
    gate.price_list = {**PRICES, "USDT": 2 * PRICES["USDT"]}

    assert gate.spend(cheap.action_id).answer is Answer.ALLOW
    assert Reason.API_KEY_SUM in reasons(pays(gate, 1).requirement)


def test_a_price_that_falls_gives_nothing_back_that_day() -> None:
    gate = with_keys(OWNER, "key_1")
    dear = pays(gate, SUM)
    gate.price_list = {**PRICES, "USDT": PRICES["USDT"] // 2}

    assert gate.spend(dear.action_id).answer is Answer.ALLOW
    assert Reason.API_KEY_SUM in reasons(pays(gate, 1).requirement)


# --- Back after it was stopped ---


def removed(gate: Gate) -> None:
    gate.prove(gate.propose(remove(SYNCED)).action_id, ROAMING)
    gate.wait(4 * DAY)
    gate.settle()
    assert gate.account.authenticator(SYNCED.authenticator_id) is None


def found(gate: Gate) -> None:
    gate.prove(gate.propose(reactivate(SYNCED)).action_id, ROAMING)
    gate.wait(4 * DAY)
    gate.settle()
    bound = gate.account.authenticator(SYNCED.authenticator_id)
    assert bound is not None
    assert not bound.suspended(gate.now)


@pytest.mark.parametrize("then", [removed, found], ids=["removed", "found"])
def test_what_a_lost_passkey_made_stays_stopped_when_that_is(then: object) -> None:
    gate = with_keys(OWNER, "key_1", by=(SYNCED,))
    gate.prove(gate.propose(suspend(SYNCED)).action_id, ROAMING)
    assert callable(then)
    then(gate)
    gate.wait(4 * DAY)

    assert Reason.API_KEY_STOPPED in reasons(pays(gate, 1).requirement)


def test_a_report_that_ends_by_itself_stops_the_key_for_good() -> None:
    gate = with_keys(OWNER, "key_1", by=(SYNCED,))
    gate.prove(gate.propose(suspend(SYNCED)).action_id, PASSWORD)
    gate.wait(30 * DAY)
    bound = gate.account.authenticator(SYNCED.authenticator_id)
    assert bound is not None
    assert not bound.suspended(gate.now)

    assert Reason.API_KEY_STOPPED in reasons(pays(gate, 1).requirement)


def test_a_report_stops_what_the_reported_one_made_and_no_other_key() -> None:
    gate = with_keys(OWNER, "key_1", by=(SYNCED,))
    make(gate, "key_2", by=(ROAMING,))
    gate.wait(3 * DAY)
    gate.settle()
    gate.prove(gate.propose(suspend(SYNCED)).action_id, ROAMING)
    gate.wait(3 * DAY)

    assert [key.stopped for key in gate.account.api_keys] == [True, False]
    assert pays(gate, 1, "key_2").answer is Answer.ALLOW


def test_a_password_that_was_reported_and_then_reset_starts_no_key_again() -> None:
    gate = with_keys(an_account(PASSWORD, APP), "key_1", by=(PASSWORD, APP))
    gate.prove(gate.propose(suspend(PASSWORD)).action_id, APP)
    bound = gate.account.authenticator(PASSWORD.authenticator_id)
    assert bound is not None
    gate.prove(gate.propose(*reset_password()).action_id, APP)
    gate.wait(2 * DAY)
    gate.settle()
    gate.wait(4 * DAY)
    assert gate.account.authenticator(PASSWORD.authenticator_id) != bound

    assert Reason.API_KEY_STOPPED in reasons(pays(gate, 1).requirement)


# --- A swapped SIM ---


def swapped(*by: Source) -> Gate:
    """Return an account after a thief with its number listed a place and made a key for it.

    The carrier's word comes afterwards, and dates the change before both.
    """
    gate = Gate.of(an_account(PASSWORD, channels=(SMS, EMAIL, DESKTOP)), KNOWN)
    changed_at = gate.now
    gate.wait(10 * MINUTE)
    gate.prove(gate.propose(list_address(HERS)).action_id, *by)
    gate.wait(DAY)
    gate.settle()
    make(gate, "key_1", by=by, to=HERS)
    gate.wait(DAY)
    gate.settle()
    gate.wait(DAY + MINUTE)
    assert pays(gate, 1, to=HERS).answer is Answer.ALLOW
    gate.run(ReportSimChange(changed_at=changed_at))
    return gate


def test_the_key_that_a_swapped_sim_made_pays_nothing() -> None:
    gate = swapped(PASSWORD, SMS)

    assert gate.account.actions == ()  # What it had signed ended with it.
    assert Reason.API_KEY_STOPPED in reasons(pays(gate, 1, to=HERS).requirement)
    gate.wait(SIM_CHANGE_PERIOD + DAY)  # Codes count again, and what they had proved does not.
    assert Reason.API_KEY_STOPPED in reasons(pays(gate, 1, to=HERS).requirement)
    assert left(gate) == 0


def test_nor_is_the_place_that_it_listed_one_that_was_proved() -> None:
    gate = swapped(PASSWORD, SMS)
    gate.wait(SIM_CHANGE_PERIOD + DAY)

    gate.propose(send(1, to=HERS))

    facts = gate.book[-1][1].answer.facts
    assert facts is not None
    assert facts.destination is DestinationState.UNPROVED


def test_what_was_proved_without_the_number_stands() -> None:
    gate = swapped(PASSWORD, EMAIL)

    assert pays(gate, 1, to=HERS).answer is Answer.ALLOW


# --- In the way ---


def held(gate: Gate) -> int:
    """Have the key sign as many small withdrawals as it can while exits wait; return how many."""
    payload, secret = change_password()
    gate.prove(gate.propose(payload, secret).action_id, SYNCED)  # It holds every exit.
    answers = [pays(gate, 1) for _ in range(OPEN_ACTIONS_MOST + 2)]
    assert {one.answer for one in answers} == {Answer.HOLD, Answer.DENY}
    assert all(
        Reason.TOO_MANY in reasons(one.requirement) for one in answers if one.answer is Answer.DENY
    )
    return sum(one.answer is Answer.HOLD for one in answers)


def test_small_withdrawals_that_wait_leave_the_owner_half_of_all_places() -> None:
    gate = with_keys(OWNER, "key_1")
    assert held(gate) == KEY_ACTIONS_MOST

    for address in (NEW_ADDRESS, HERS, "0x" + "7" * 40):
        asked = gate.propose(list_address(address)).action_id
        assert gate.prove(asked, SYNCED).answer is Answer.HOLD


@pytest.mark.parametrize("how", ["revoked", "repudiated"])
def test_with_the_key_goes_what_it_alone_had_signed(how: str) -> None:
    newer = replace(SYNCED, bound_at=Gate().now - DAY)
    gate = with_keys(an_account(PASSWORD, newer, ROAMING), "key_1", by=(newer,))
    own = gate.propose(send(2)).action_id
    gate.prove(own, ROAMING)
    signs(gate, own)
    only = [pays(gate, 1).action_id, pays(gate, 1).action_id]

    if how == "revoked":
        revoke(gate)
    else:
        gate.prove(gate.propose(repudiate(newer)).action_id, ROAMING)

    assert gate.account.api_keys == ()
    ended = {
        event.action_id
        for decision in gate.book[-1][1].decisions
        for event in decision.events
        if isinstance(event, ActionVetoed)
    }
    assert ended == set(only)
    assert gate.spend(own).answer is not Answer.DENY or how == "repudiated"


def test_a_signature_from_elsewhere_ends_nothing_that_its_owner_is_about_to_prove() -> None:
    gate = with_keys(OWNER, "key_1")
    own = gate.propose(send(50)).action_id
    gate.ask(own, SYNCED)

    stray = signs(gate, own, ip=AWAY)

    assert stray.answer is Answer.DENY
    assert gate.is_open(own)
    assert gate.answer(own, gate.right(own, SYNCED)).answer is Answer.ALLOW
    assert gate.spend(own).answer is Answer.ALLOW


def test_a_question_that_nobody_answered_in_time_keeps_nothing_open() -> None:
    gate = with_keys(OWNER, "key_1")
    own = gate.propose(send(50)).action_id
    gate.ask(own, SYNCED)
    gate.wait(timedelta(minutes=10))

    assert signs(gate, own, ip=AWAY).answer is Answer.DENY
    assert not gate.is_open(own)
