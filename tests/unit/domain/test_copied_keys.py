"""A security key that answers as a copy of itself would: its answer counts, and nothing leaves."""

import pytest
from msgspec.structs import replace
from support.cast import DAY, INSTANT, NOON
from support.gates import Gate
from support.policies import DEFAULT, STRICT
from support.worlds import DESKTOP, EMAIL, PASSWORD, ROAMING, a_destination, an_account, send

from twinlock.domain.bounds import SIGNAL_SERIES_EVERY, SIGNAL_SERIES_MOST
from twinlock.domain.decisions import Decision
from twinlock.domain.events import ProofAccepted
from twinlock.domain.holds import held_until
from twinlock.domain.notices import NoticeKind, notices
from twinlock.domain.outside_events import SignalReceived
from twinlock.domain.policy.version import Policy
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, reasons

OWNER = an_account(PASSWORD, ROAMING, channels=(EMAIL, DESKTOP))


def shows(gate: Gate, *, copied: bool = True) -> tuple[str, Decision]:
    """Have a withdrawal to a known place proved; return the action, and the answer."""
    action = gate.propose(send(100)).action_id
    gate.ask(action, ROAMING)
    right = replace(gate.right(action, ROAMING), copied=copied)
    return action, gate.answer(action, right)


@pytest.mark.requirement("W-02")
@pytest.mark.parametrize("policy", [DEFAULT, STRICT])
def test_what_a_copy_signs_leaves_a_day_later_and_the_owner_is_told(policy: Policy) -> None:
    gate = Gate.of(OWNER, a_destination(), policy=policy)
    before = gate.account
    action, said = shows(gate)

    assert said.answer is Answer.HOLD
    assert Reason.EXITS_HELD in reasons(said.requirement)
    assert held_until(gate.account.holds, now=gate.now) == NOON + DAY
    assert gate.account.signals.warned(gate.now + 7 * DAY - INSTANT)
    told = notices(before, what=said.kind, action_id=action, events=said.events)
    assert NoticeKind.SIGNALLED in [one.kind for one in told]
    assert [one.shown.source for one in said.events if isinstance(one, ProofAccepted)] == [
        ROAMING.authenticator_id
    ]


def test_a_key_that_counts_on_is_no_signal() -> None:
    gate = Gate.of(OWNER, a_destination())
    _, said = shows(gate, copied=False)

    assert said.answer is Answer.ALLOW
    assert not any(isinstance(one, SignalReceived) for one in said.events)
    assert gate.account.signals == OWNER.signals


def test_a_key_that_never_counts_right_holds_its_owner_for_fourteen_days_and_no_longer() -> None:
    """Prevents: a broken key, or a thief with a copy, that locks an owner out for good."""
    gate = Gate.of(OWNER, a_destination())
    until = gate.now
    while gate.now < NOON + SIGNAL_SERIES_EVERY - DAY:
        shows(gate)
        until = max(until, held_until(gate.account.holds, now=gate.now) or until)
        gate.wait(DAY)

    assert until <= NOON + SIGNAL_SERIES_MOST
    assert held_until(gate.account.holds, now=gate.now) is None
    assert shows(gate)[1].answer is Answer.ALLOW
