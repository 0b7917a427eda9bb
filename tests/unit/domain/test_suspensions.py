"""An account that an officer suspended: what stops, when it ends, and who ends it sooner."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from support.cast import DAY, OLD_ADDRESS
from support.gates import Gate
from support.officers import ADA, BEN, CLEO, DORA, EVE, HALT, LOG, Board
from support.suspending import Desk
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
)

from twinlock.domain.bounds import (
    AGREEMENT_LIFETIME,
    STATEMENT_LIFETIME,
    SUSPENSION_EVERY,
    SUSPENSION_LENGTH,
)
from twinlock.domain.canonical import encode
from twinlock.domain.decisions import Decision
from twinlock.domain.errors import MalformedError
from twinlock.domain.notices import NoticeKind, notices
from twinlock.domain.officers.platform import OfficersMissingError, after
from twinlock.domain.officers.statements import StatementRefusedError, Suspend
from twinlock.domain.outside_events import AccountReleased, AccountSuspended, ReleaseAgreed
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer, Never, leaves, reasons
from twinlock.domain.suspending import (
    NotSuspendedError,
    PlatformChangedError,
    SuspendedTooSoonError,
)

SECOND = timedelta(seconds=1)


@pytest.fixture
def desk() -> Desk:
    account = an_account(PASSWORD, ROAMING, channels=(EMAIL, DESKTOP))
    return Desk(Gate.of(account, a_destination(OLD_ADDRESS)))


def stops(decision: Decision) -> bool:
    return Reason.ACCOUNT_SUSPENDED in reasons(decision.requirement)


def test_one_officer_suspends_and_no_exit_leaves(desk: Desk) -> None:
    gate = desk.gate
    action = gate.prove(gate.propose(send()).action_id, ROAMING).action_id

    decision = desk.does(ADA, desk.suspending)

    assert (decision.kind, decision.answer) == ("account.suspend", Answer.ALLOW)
    assert decision.payload == encode(desk.words[0])
    (event,) = decision.events
    assert isinstance(event, AccountSuspended)
    assert event.because == "case-9"
    until = gate.now + SUSPENSION_LENGTH
    for said_ in (gate.spend(action), gate.propose(send())):
        assert said_.answer is Answer.DENY
        assert Never(code=Reason.ACCOUNT_SUSPENDED, until=until) in leaves(said_.requirement)
    assert stops(gate.propose(ERASE))
    assert gate.prove(gate.propose(FREEZE).action_id, ROAMING).answer is Answer.ALLOW


def test_it_ends_by_itself_after_14_days(desk: Desk) -> None:
    desk.does(ADA, desk.suspending)
    desk.gate.wait(SUSPENSION_LENGTH - SECOND)
    assert stops(desk.gate.propose(send()))

    desk.gate.wait(SECOND)

    assert not desk.is_suspended()
    assert not stops(desk.gate.propose(send()))


def test_two_others_release_what_an_officer_suspended(desk: Desk) -> None:
    desk.does(ADA, desk.suspending)
    releasing = desk.releasing

    first = desk.does(BEN, releasing)
    assert isinstance(first.events[0], ReleaseAgreed)
    assert desk.is_suspended()
    second = desk.does(CLEO, releasing)

    assert (second.kind, second.events) == (
        "account.release",
        (AccountReleased(at=desk.gate.now, officer=CLEO.key),),
    )
    assert not desk.is_suspended()
    assert not stops(desk.gate.propose(send()))


def test_whoever_suspended_is_none_of_the_two(desk: Desk) -> None:
    desk.does(ADA, desk.suspending)
    desk.does(BEN, desk.releasing)

    assert "two others" in str(desk.refuses(ADA, desk.releasing))
    assert desk.is_suspended()


def test_whoever_suspended_is_none_of_the_two_by_a_new_key_either(desk: Desk) -> None:
    """Prevents: an officer who gets another key, and is two."""
    desk.does(ADA, desk.suspending)
    desk.officers, desk.instead = (BEN, CLEO, EVE), {EVE.key: ADA.key}

    assert "two others" in str(desk.refuses(EVE, desk.releasing))
    desk.does(BEN, desk.releasing)
    desk.does(CLEO, desk.releasing)
    assert not desk.is_suspended()


def test_one_officer_twice_releases_nothing(desk: Desk) -> None:
    desk.does(ADA, desk.suspending)
    desk.does(BEN, desk.releasing)

    desk.does(BEN, desk.releasing)

    assert desk.is_suspended()


@pytest.mark.parametrize(("late", "over"), [(-SECOND, True), (timedelta(0), False)])
def test_an_agreement_to_release_counts_for_an_hour(
    desk: Desk, late: timedelta, over: bool
) -> None:
    desk.does(ADA, desk.suspending)
    desk.does(BEN, desk.releasing)
    desk.gate.wait(AGREEMENT_LIFETIME + late)

    desk.does(CLEO, desk.releasing)

    assert desk.is_suspended() is not over


def test_an_account_is_suspended_once_in_90_days_whoever_does_it(desk: Desk) -> None:
    assert desk.gate.account.suspension.next_at() is None
    desk.does(ADA, desk.suspending)
    next_at = f"{desk.gate.now + SUSPENSION_EVERY:%Y-%m-%d %H:%M} UTC"
    for wait in (SECOND, SUSPENSION_LENGTH, SUSPENSION_EVERY - SUSPENSION_LENGTH - 2 * SECOND):
        desk.gate.wait(wait)
        refused = desk.refuses(BEN, desk.suspending)
        assert isinstance(refused, SuspendedTooSoonError)
        assert str(refused).endswith(f"once in 90 days: not before {next_at}")

    desk.gate.wait(SECOND)
    desk.does(BEN, desk.suspending)

    assert desk.is_suspended()


def test_a_release_gives_no_new_suspension_sooner(desk: Desk) -> None:
    desk.does(ADA, desk.suspending)
    desk.does(BEN, desk.releasing)
    desk.does(CLEO, desk.releasing)

    assert isinstance(desk.refuses(ADA, desk.suspending), SuspendedTooSoonError)
    assert isinstance(desk.refuses(DORA, desk.releasing), NotSuspendedError)


def test_a_word_for_one_suspension_releases_no_other(desk: Desk) -> None:
    desk.does(ADA, desk.suspending)
    old = desk.releasing
    desk.gate.wait(SUSPENSION_EVERY)
    desk.does(ADA, desk.suspending)

    assert isinstance(desk.refuses(BEN, old), NotSuspendedError)


def test_what_is_not_suspended_is_not_released(desk: Desk) -> None:
    assert isinstance(desk.refuses(BEN, desk.releasing), NotSuspendedError)


def test_only_an_officers_word_about_this_account_counts_and_now(desk: Desk) -> None:
    other = Suspend(account="acc_" + "a" * 26, because="case-9")

    assert isinstance(desk.refuses(EVE, desk.suspending), StatementRefusedError)
    assert "another account" in str(desk.refuses(ADA, other))
    assert "the platform" in str(desk.refuses(ADA, HALT))
    assert isinstance(
        desk.refuses(ADA, replace(desk.suspending, because="two words")), MalformedError
    )
    signed = ADA.signs(desk.suspending, at=desk.gate.now)
    with pytest.raises(PlatformChangedError):
        desk.hears(signed, standing=b"what it said before")
    with pytest.raises(StatementRefusedError, match=f"another log than {LOG}"):
        desk.hears(ADA.signs(desk.suspending, at=desk.gate.now, log="other.example/log"))
    desk.gate.wait(STATEMENT_LIFETIME)
    with pytest.raises(StatementRefusedError, match="over"):
        desk.hears(signed)
    desk.officers = ()
    assert isinstance(desk.refuses(ADA, desk.suspending), OfficersMissingError)
    assert not desk.is_suspended()


def test_what_is_said_about_an_account_is_no_act_of_the_platforms(desk: Desk) -> None:
    board = Board(ADA, BEN, CLEO)

    for act in (desk.suspending, desk.releasing):
        assert isinstance(board.refuses(ADA, act), StatementRefusedError)
    board.halt(ADA)
    leaf = replace(board.leaves[-1], signed=ADA.signs(desk.suspending, at=board.now))
    with pytest.raises(MalformedError, match="about an account"):
        after(Board(ADA, BEN, CLEO).platform, leaf)


def test_the_owner_is_told_of_both_and_until_when(desk: Desk) -> None:
    account = desk.gate.account
    suspended = desk.does(ADA, desk.suspending)
    desk.does(BEN, desk.releasing)
    agreed = desk.gate.book[-1][1].answer
    released = desk.does(CLEO, desk.releasing)

    def told(decision: Decision) -> list[tuple[NoticeKind, str, object]]:
        found = notices(account, what=decision.kind, action_id="", events=decision.events)
        assert all(len(one.channels) == 2 for one in found)
        return [(one.kind, one.what, one.until) for one in found]

    until = suspended.events[0].at + SUSPENSION_LENGTH
    assert told(suspended) == [(NoticeKind.DONE, "account.suspend", until)]
    assert told(agreed) == []
    assert told(released) == [(NoticeKind.DONE, "account.release", None)]


def test_a_suspension_is_remembered_for_as_long_as_it_bounds_the_next(desk: Desk) -> None:
    desk.does(ADA, desk.suspending)
    ends = desk.gate.account.suspension.ends_at
    desk.gate.wait(DAY)
    desk.does(BEN, desk.releasing)
    desk.does(CLEO, desk.releasing)

    one = desk.gate.account.suspension

    assert one.ends_at == int(desk.gate.now.timestamp() * 1000) < ends
    assert one.agreed == {}
    assert one.next_at() == desk.gate.now - DAY + SUSPENSION_EVERY


def test_whoever_is_no_officer_any_more_agreed_to_nothing() -> None:
    """Prevents: a stolen key that the others put out, and whose word still releases."""
    desk = Desk(Gate.of(an_account(ROAMING, channels=(DESKTOP,))))
    desk.does(ADA, desk.suspending)
    desk.does(BEN, desk.releasing)
    desk.officers = (ADA, CLEO, DORA)
    desk.gate.wait(timedelta(minutes=10))
    desk.does(CLEO, desk.releasing)

    assert desk.is_suspended()
    desk.does(DORA, desk.releasing)
    assert not desk.is_suspended()
