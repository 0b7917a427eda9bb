"""The gate while officers have halted the platform: what is on its way stops, and goes on later."""

import pytest
from support.cast import ALICES_LAPTOP, HOUR, OLD_ADDRESS
from support.gates import Gate
from support.worlds import (
    DESKTOP,
    EMAIL,
    ERASE,
    FREEZE,
    PASSWORD,
    ROAMING,
    a_destination,
    an_account,
    send,
    sign_in,
    unlist,
)

from twinlock.domain.decisions import Decision
from twinlock.domain.events import ActionRefused
from twinlock.domain.reasons import EXPLANATIONS, Reason
from twinlock.domain.requirements import Answer, Never, leaves, reasons


@pytest.fixture
def gate() -> Gate:
    account = an_account(PASSWORD, ROAMING, channels=(EMAIL, DESKTOP))
    return Gate.of(account, a_destination(OLD_ADDRESS))


def halts(decision: Decision) -> bool:
    return Reason.PLATFORM_HALTED in reasons(decision.requirement)


def test_an_exit_that_is_asked_for_under_a_halt_is_refused_and_over(gate: Gate) -> None:
    gate.halted_at = gate.now

    decision = gate.propose(send())

    assert decision.answer is Answer.DENY
    assert halts(decision)
    assert isinstance(decision.events[-1], ActionRefused)


def test_what_was_allowed_before_a_halt_is_not_spent_under_it_and_is_afterwards(
    gate: Gate,
) -> None:
    action = gate.prove(gate.propose(send()).action_id, ROAMING).action_id
    gate.halted_at = gate.now

    stopped = gate.spend(action)
    assert (stopped.answer, halts(stopped)) == (Answer.DENY, True)
    assert gate.is_open(action)

    gate.halted_at = None
    assert gate.spend(action).answer is Answer.ALLOW


def test_a_proof_that_is_given_under_a_halt_is_kept(gate: Gate) -> None:
    action = gate.propose(send()).action_id
    gate.halted_at = gate.now
    assert halts(gate.prove(action, ROAMING))
    gate.halted_at = None

    assert gate.spend(action).answer is Answer.ALLOW


def test_protection_and_signing_in_go_on_under_a_halt(gate: Gate) -> None:
    gate.halted_at = gate.now

    for payload in (FREEZE, unlist(OLD_ADDRESS)):
        assert gate.prove(gate.propose(payload).action_id, ROAMING).answer is Answer.ALLOW
    gate.wait(HOUR)
    assert gate.account.freeze.until is not None
    assert not halts(gate.propose(sign_in(ALICES_LAPTOP)))


def test_nobody_is_erased_under_a_halt(gate: Gate) -> None:
    gate.halted_at = gate.now

    assert halts(gate.propose(ERASE))


def test_the_refusal_says_who_ends_it_and_no_date(gate: Gate) -> None:
    gate.halted_at = gate.now

    (never,) = [
        one
        for one in leaves(gate.propose(send()).requirement)
        if one.code is Reason.PLATFORM_HALTED
    ]

    assert never == Never(code=Reason.PLATFORM_HALTED)
    assert "two officers" in EXPLANATIONS[Reason.PLATFORM_HALTED].ends
