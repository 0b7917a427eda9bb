"""Erasing an account at the gate: proved, waited for, told, and carried out by its own command."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.cast import DAY, NEW_ADDRESS, NOON
from support.gates import Gate
from support.worlds import (
    DESKTOP,
    EMAIL,
    ERASE,
    FREEZE,
    PASSWORD,
    ROAMING,
    SYNCED,
    an_account,
    send,
)

from twinlock.domain.bounds import ERASURE_LIFETIME, LEGAL_HOLDS_MOST
from twinlock.domain.commands import (
    Erase,
    LiftLegalHold,
    OfAccount,
    RecordExport,
    SetLegalHold,
)
from twinlock.domain.decisions import Decision
from twinlock.domain.entries import ERASED_ENTRY
from twinlock.domain.events import ActionDone
from twinlock.domain.gate import NotErasableError
from twinlock.domain.ids import ActionId
from twinlock.domain.notices import NoticeKind, notices
from twinlock.domain.of_accounts import LegalHoldUnknownError, TooManyLegalHoldsError
from twinlock.domain.outside_events import (
    AccountErased,
    DataExported,
    LegalHoldLifted,
    LegalHoldSet,
)
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, Never, reasons
from twinlock.domain.waits import lapses_at

WAIT = 30 * DAY


def asked() -> tuple[Gate, ActionId]:
    """Return a gate at which an erasure was asked for and proved."""
    gate = Gate()
    action = gate.propose(ERASE).action_id
    assert gate.prove(action, SYNCED).answer is Answer.HOLD
    return gate, ActionId(action)


def carried_out(gate: Gate, action: ActionId) -> Decision:
    return gate.run(Erase(action_id=action))


def test_an_erasure_is_carried_out_when_its_wait_is_over_and_no_sooner() -> None:
    gate, action = asked()
    proved_at = gate.now
    gate.wait(WAIT - timedelta(milliseconds=1))
    assert carried_out(gate, action).answer is Answer.HOLD
    assert gate.account.erased_at is None
    gate.wait_until(proved_at + WAIT)
    done = carried_out(gate, action)

    assert (done.kind, done.answer) == (ERASED_ENTRY, Answer.ALLOW)
    assert done.events == (AccountErased(at=gate.now), ActionDone(at=gate.now, action_id=action))
    assert gate.account.erased_at == gate.now


def test_no_other_command_carries_it_out_however_late() -> None:
    gate, action = asked()
    gate.wait(WAIT + ERASURE_LIFETIME - DAY)
    gate.prove(gate.start(), SYNCED)
    shown_again = gate.prove(action, PASSWORD)

    assert (shown_again.answer, shown_again.kind) == (Answer.ALLOW, "account.erase")
    assert gate.is_open(action)
    assert gate.account.erased_at is None


def test_when_its_wait_is_over_no_other_command_decides_it_again() -> None:
    gate, _ = asked()
    gate.wait(WAIT + DAY)
    gate.settle()
    _, decided, _ = gate.book[-1]

    assert [one.kind for one in decided.decisions] == ["session.end"]


def test_it_lapses_a_month_after_its_wait() -> None:
    gate, action = asked()
    gate.wait(WAIT + ERASURE_LIFETIME)
    lapsed = carried_out(gate, action)

    assert reasons(lapsed.requirement) == (Reason.AUTHORIZATION_EXPIRED,)
    assert not gate.is_open(action)


def test_only_an_erasure_is_carried_out_as_one() -> None:
    gate = Gate()
    action = gate.propose(FREEZE).action_id

    with pytest.raises(NotErasableError):
        gate.run(Erase(action_id=ActionId(action)))


def test_what_was_bound_lately_erases_nothing_older() -> None:
    """Prevents: a thief's new passkey that destroys what the owner could have shown."""
    newcomer = replace(SYNCED, bound_at=NOON - DAY)
    gate = Gate()
    gate.account = an_account(PASSWORD, newcomer)
    action = gate.propose(ERASE).action_id
    refused = gate.prove(action, newcomer)

    ripe_at = newcomer.bound_at + 30 * DAY
    assert Never(code=Reason.NEWCOMER, until=ripe_at) in getattr(refused.requirement, "parts", ())
    gate.wait_until(ripe_at)
    assert gate.prove(gate.propose(ERASE).action_id, newcomer).answer is Answer.HOLD


def test_a_weaker_proof_than_the_floor_erases_nothing() -> None:
    gate = Gate()
    action = gate.propose(ERASE).action_id
    answered = gate.prove(action, PASSWORD)

    assert Reason.WEAKER_PROOF in reasons(answered.requirement)
    gate.wait(WAIT)
    assert (
        not gate.is_open(action) or carried_out(gate, ActionId(action)).answer is not Answer.ALLOW
    )


def test_an_exit_that_somebody_asks_for_meanwhile_comes_first() -> None:
    gate, action = asked()
    gate.wait(WAIT)
    leaving = gate.propose(send()).action_id
    gate.prove(leaving, SYNCED)
    assert reasons(carried_out(gate, action).requirement) == (Reason.EXIT_OPEN,)
    gate.wait_until(lapses_at(gate.action(leaving)))

    assert carried_out(gate, action).answer is Answer.ALLOW


def test_exits_that_nobody_proved_stop_no_erasure() -> None:
    """Prevents: a platform key that only proposes, and has no erasure carried out for ever."""
    gate, action = asked()
    gate.wait(WAIT)
    gate.propose(send())

    assert carried_out(gate, action).answer is Answer.ALLOW


@pytest.mark.parametrize(("bound", "told"), [(True, Answer.HOLD), (False, Answer.ALLOW)])
def test_an_exit_stops_an_erasure_as_long_as_its_proof_stands(bound: bool, told: Answer) -> None:
    gate = Gate.of(an_account(PASSWORD, SYNCED, ROAMING, channels=(EMAIL, DESKTOP)))
    action = ActionId(gate.propose(ERASE).action_id)
    gate.prove(action, SYNCED)
    gate.wait(WAIT)
    gate.prove(gate.propose(send(to=NEW_ADDRESS)).action_id, ROAMING)
    if not bound:
        left = gate.account.authenticators[:2]
        gate.account = replace(gate.account, authenticators=left)

    assert carried_out(gate, action).answer is told


# --- Legal holds and exports ---


def of_account(gate: Gate, command: OfAccount) -> Decision:
    return gate.run(command)


def test_a_legal_hold_stands_until_it_is_lifted_by_its_reference() -> None:
    gate = Gate()
    placed = of_account(gate, SetLegalHold(reference="court 7"))
    again = of_account(gate, SetLegalHold(reference="court 7"))

    assert placed.events == (LegalHoldSet(at=gate.now, reference="court 7"),)
    assert gate.account.legal_holds == {"court 7": int(gate.now.timestamp())}
    assert (placed.kind, again.kind, again.events) == ("legal_hold.set", "legal_hold.set", ())
    assert gate.propose(ERASE).answer is Answer.DENY
    of_account(gate, SetLegalHold(reference="court 8"))
    lifted = of_account(gate, LiftLegalHold(reference="court 7"))
    assert lifted.events == (LegalHoldLifted(at=gate.now, reference="court 7"),)
    assert list(gate.account.legal_holds) == ["court 8"]
    assert gate.propose(ERASE).answer is Answer.DENY


def test_so_many_legal_holds_stand_and_no_more_and_none_is_lifted_that_does_not() -> None:
    gate = Gate()
    for number in range(LEGAL_HOLDS_MOST):
        of_account(gate, SetLegalHold(reference=f"court {number}"))

    with pytest.raises(TooManyLegalHoldsError):
        of_account(gate, SetLegalHold(reference="one more"))
    with pytest.raises(LegalHoldUnknownError):
        of_account(gate, LiftLegalHold(reference="one more"))


def test_an_export_changes_nothing_and_is_told_to_every_channel() -> None:
    gate = Gate()
    before = gate.account
    exported = of_account(gate, RecordExport())
    told = notices(before, what=exported.kind, action_id="", events=exported.events)

    assert exported.events == (DataExported(at=gate.now),)
    was_told = replace(gate.account, chain=before.chain, rings=before.rings)
    assert was_told == before
    assert [one.kind for one in told] == [NoticeKind.EXPORTED]
    assert EMAIL.channel_id in told[0].channels
