"""Money at the gate: what counts, against which day, and at what value."""

import pytest
from msgspec.structs import replace
from support.cast import (
    DAY,
    HOUR,
    INSTANT,
    MALLORYS_LAPTOP,
    NEW_ADDRESS,
    OLD_ADDRESS,
)
from support.gates import Gate
from support.policies import STRICT, policy_of, with_rules
from support.worlds import (
    FREEZE,
    PASSWORD,
    ROAMING,
    SYNCED,
    a_destination,
    an_account,
    list_address,
    send,
)

from twinlock.domain.account import ActionUnknownError
from twinlock.domain.commands import (
    EndSession,
)
from twinlock.domain.decisions import Decision
from twinlock.domain.ids import SessionId
from twinlock.domain.money import UnknownAssetError
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


# --- Money counted ---


def test_what_left_today_counts_and_tomorrow_starts_from_zero() -> None:
    gate = Gate.of(an_account(), KNOWN)
    gate.spend(proposed_and_proved(gate, dollars=60_000))
    over = gate.prove(gate.propose(send(60_000)).action_id, SYNCED)
    gate.wait(DAY)

    assert Reason.LIMIT_EXCEEDED in reasons(over.requirement)
    assert gate.prove(gate.propose(send(60_000)).action_id, SYNCED).answer is Answer.ALLOW


def test_what_was_authorized_yesterday_and_is_spent_today_counts_today() -> None:
    gate = Gate.of(an_account(), KNOWN)
    gate.wait(12 * HOUR - INSTANT)
    action = proposed_and_proved(gate, dollars=60_000)
    gate.wait(INSTANT)
    gate.spend(action)

    assert gate.account.spent.cents == 60_000_00
    assert gate.account.spent.day == "2026-01-16"


def test_spending_again_does_not_take_todays_sum_for_yesterdays() -> None:
    gate = Gate.of(an_account(), KNOWN)
    gate.wait(12 * HOUR - INSTANT)
    yesterdays = proposed_and_proved(gate, dollars=60_000)
    gate.wait(INSTANT)
    proposed_and_proved(gate, dollars=60_000)

    assert Reason.LIMIT_EXCEEDED in reasons(gate.spend(yesterdays).requirement)


def test_an_exit_that_was_authorized_twice_counts_once() -> None:
    gate = Gate.of(an_account(), KNOWN)
    gate.wait(-11 * HOUR)
    action = proposed_and_proved(gate)
    gate.sign_in(SYNCED, device=MALLORYS_LAPTOP)
    gate.spend(action)
    gate.account = replace(gate.account, holds=())
    gate.wait(2 * DAY)
    gate.spend(action)

    assert gate.account.spent.cents == 50_00


def test_sums_beyond_the_highest_value_do_not_stop_a_freeze() -> None:
    """Prevents: a price feed that fails, and an account that no decision can be made about."""
    gate = Gate.of(an_account(SYNCED, ROAMING), KNOWN)
    gate.prices_up = False
    for _ in range(3):
        action = gate.propose(send()).action_id
        gate.prove(action, SYNCED, ROAMING)
        gate.spend(action)

    assert gate.propose(send()).answer is Answer.CHALLENGE
    assert gate.prove(gate.propose(FREEZE).action_id, SYNCED).answer is Answer.ALLOW


@pytest.mark.requirement("O-20", "O-19")
def test_a_small_sum_leaves_on_the_session_key_alone_until_the_budget_is_used_up() -> None:
    gate = Gate.of(an_account(), a_destination(budget_cents=90_00))
    signature = gate.give_session()
    first = gate.propose(send(50), session=signature)
    second = gate.propose(send(50), session=signature)
    third = gate.propose(send(40), session=signature)

    assert [one.answer for one in (first, second, third)] == [
        Answer.ALLOW,
        Answer.CHALLENGE,
        Answer.ALLOW,
    ]


def test_listing_a_destination_again_does_not_give_its_budget_twice() -> None:
    gate = Gate.of(an_account(), a_destination(budget_cents=90_00))
    gate.prove(gate.propose(list_address(OLD_ADDRESS, budget_cents=90_00)).action_id, SYNCED)
    gate.wait(DAY)
    signature = gate.give_session()
    spent = gate.propose(send(90), session=signature)
    gate.run(NOBODY, at_hand=KNOWN.destination_id)

    assert spent.answer is Answer.ALLOW
    assert gate.propose(send(1), session=signature).answer is Answer.CHALLENGE


def test_a_budget_is_never_larger_than_todays_policy_has_it() -> None:
    gate = Gate.of(an_account(), a_destination(budget_cents=90_00), policy=STRICT)

    assert gate.propose(send(50), session=gate.give_session()).answer is not Answer.ALLOW


def test_a_budget_is_no_proof_above_the_daily_limit() -> None:
    gate = Gate.of(an_account(), a_destination(budget_cents=500_00))
    gate.spend(proposed_and_proved(gate, dollars=100_000))
    asked = gate.propose(send(1), session=gate.give_session())
    proved = gate.prove(asked.action_id, SYNCED)
    gate.wait(DAY)

    assert asked.answer is Answer.HOLD
    assert Reason.PROOF_NEEDED in reasons(asked.requirement)
    assert reasons(proved.requirement) == (Reason.LIMIT_EXCEEDED,)
    assert gate.spend(asked.action_id).answer is Answer.ALLOW


@pytest.mark.parametrize("claimed", [0, 1, 10**30])
def test_the_platforms_figure_never_allows_more(claimed: int) -> None:
    gate = Gate.of(an_account(), a_destination(budget_cents=40_00))
    signature = gate.give_session()

    assert gate.propose(send(50), session=signature, claimed_cents=claimed).answer is not (
        Answer.ALLOW
    )


@pytest.mark.parametrize(
    "changes", [{"contract": "0x" + "c" * 40}, {"decimals": 18}, {"asset": "DOGE"}]
)
def test_a_payload_that_calls_another_token_by_a_cheap_name_is_refused(
    changes: dict[str, object],
) -> None:
    with pytest.raises(UnknownAssetError):
        Gate().propose(replace(send(), **changes))


def test_what_was_allowed_before_its_destination_was_listed_counts_there_when_it_is_spent() -> None:
    """Prevents: nine hundred dollars by two keys, and as much again on the session alone."""
    gate = Gate.of(an_account(PASSWORD, SYNCED, ROAMING), policy=policy_of(with_rules()))
    listing = gate.propose(list_address(NEW_ADDRESS, budget_cents=1_000_00)).action_id
    gate.prove(listing, SYNCED)
    gate.wait(DAY - HOUR / 12)
    exit_ = gate.propose(send(900, to=NEW_ADDRESS)).action_id
    assert gate.prove(exit_, SYNCED, ROAMING).answer is Answer.ALLOW
    gate.wait(HOUR / 6)
    assert gate.spend(exit_).answer is Answer.ALLOW
    (listed,) = gate.destinations.values()
    more = gate.propose(send(900, to=NEW_ADDRESS), session=gate.give_session())

    assert listed.spent.cents == 900_00
    assert gate.account.spent.cents == 900_00
    assert more.answer is not Answer.ALLOW


def test_what_was_allowed_to_a_listed_destination_counts_there_once() -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED), a_destination())
    exit_ = gate.propose(send(90)).action_id
    gate.prove(exit_, SYNCED)
    gate.spend(exit_)

    (listed,) = gate.destinations.values()
    assert (listed.spent.cents, gate.account.spent.cents) == (90_00, 90_00)
