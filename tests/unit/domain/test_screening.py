"""What the list names is refused when it is asked for, and again when it is spent."""

import pytest
from support.cast import NEW_ADDRESS, OLD_ADDRESS
from support.gates import Gate
from support.policies import policy_of, with_rules
from support.worlds import (
    DESKTOP,
    EMAIL,
    ROAMING,
    SYNCED,
    a_destination,
    an_account,
    list_address,
    send,
    unlist,
)

from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons
from twinlock.domain.screening import NO_LIST, Screened, Screening

LIST = Screening(in_force=True, addresses=frozenset({OLD_ADDRESS}))


def a_gate(screening: Screening | None) -> Gate:
    account = an_account(SYNCED, ROAMING, channels=[EMAIL, DESKTOP])
    gate = Gate.of(account, a_destination(OLD_ADDRESS), policy=policy_of(with_rules()))
    gate.screening = screening
    return gate


def test_a_list_names_and_clears_and_none_does_neither() -> None:
    assert LIST.says(OLD_ADDRESS) is Screened.LISTED
    assert LIST.says(NEW_ADDRESS) is Screened.CLEAR
    assert NO_LIST.says(NEW_ADDRESS) is Screened.UNKNOWN


@pytest.mark.parametrize(
    ("screening", "reason"), [(LIST, Reason.SCREENED), (NO_LIST, Reason.SCREENING_DOWN)]
)
def test_nothing_goes_there_and_it_is_not_listed(screening: Screening, reason: Reason) -> None:
    gate = a_gate(screening)

    for payload in (send(), list_address(OLD_ADDRESS)):
        refused = gate.propose(payload)
        assert refused.answer is Answer.DENY
        assert reason in reasons(refused.requirement)
    assert gate.propose(unlist(OLD_ADDRESS)).answer is Answer.CHALLENGE


def test_what_is_clear_goes_on_and_so_does_all_where_nobody_screens() -> None:
    for gate in (a_gate(LIST), a_gate(None)):
        assert gate.propose(send(to=NEW_ADDRESS)).answer is not Answer.DENY


@pytest.mark.parametrize("screening", [LIST, NO_LIST])
def test_it_is_asked_again_at_the_spend(screening: Screening) -> None:
    gate = a_gate(None)
    action = gate.propose(send()).action_id
    assert gate.prove(action, SYNCED).answer is Answer.ALLOW

    gate.screening = screening
    assert gate.spend(action).answer is Answer.DENY


def test_a_listing_that_has_waited_is_decided_by_the_list_of_that_day() -> None:
    gate = a_gate(None)
    asked = gate.propose(list_address(NEW_ADDRESS))
    gate.prove(asked.action_id, SYNCED)
    gate.screening = Screening(in_force=True, addresses=frozenset({NEW_ADDRESS}))
    gate.wait_until(asked.facts.now if asked.facts else gate.now)
    for action in gate.account.actions:
        gate.wait_until(action.until or gate.now)
    gate.settle()

    assert len(gate.account.destinations) == 1
