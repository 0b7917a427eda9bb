"""Suspending an account, and releasing it: what one officer may do, and what takes two others.

Always true (tests/property/test_suspensions_properties.py): no officer alone ends a suspension, nor
do two of whom one set it, by whatever key; an account is suspended for no more than
SUSPENSION_LENGTH in SUSPENSION_EVERY, whatever officers say and in whatever order.
"""

from datetime import datetime

from twinlock.domain.account import State
from twinlock.domain.canonical import encode
from twinlock.domain.commands import OfficerSpeaks
from twinlock.domain.decisions import Decision
from twinlock.domain.errors import TwinlockError
from twinlock.domain.officers.keys import person
from twinlock.domain.officers.platform import check_word
from twinlock.domain.officers.statements import (
    Release,
    Signed,
    StatementRefusedError,
    Suspend,
)
from twinlock.domain.outside_events import AccountReleased, AccountSuspended, ReleaseAgreed
from twinlock.domain.requirements import Answer
from twinlock.domain.suspensions import (
    RELEASE_ENTRY,
    SUSPEND_ENTRY,
    agreed,
    is_released,
    suspended,
)


class SuspendedTooSoonError(TwinlockError):
    """The account is suspended already, or was within 90 days: no chain of suspensions holds it."""

    code = "suspended_too_soon"
    status = 409


class NotSuspendedError(TwinlockError):
    """The account is not suspended, or by another suspension than the one that was named."""

    code = "account_not_suspended"
    status = 409


class PlatformChangedError(TwinlockError):
    """Officers acted while this was decided. Repeat it."""

    code = "platform_changed"
    status = 503


def spoken(state: State, command: OfficerSpeaks, *, now: datetime) -> Decision:
    """Return the decision on what an officer says about an account.

    Raises:
        PlatformChangedError: who counts may have changed since it was read.
        StatementRefusedError: it counts for nothing, or is about another account.
        SuspendedTooSoonError, NotSuspendedError: as they say.
    """
    if state.platform != command.standing:
        raise PlatformChangedError("officers acted meanwhile: repeat it")
    said = command.signed.said
    check_word(command.signed, officers=command.officers, log=command.log, now=now)
    match said.act:
        case Suspend():
            return _suspend(state, command.signed, said.act, now=now)
        case Release():
            return _release(state, command, said.act, now=now)
        case _:
            raise StatementRefusedError("this is said about the platform, and not an account")


def _suspend(state: State, signed: Signed, act: Suspend, *, now: datetime) -> Decision:
    _check_about(state, act.account)
    next_at = state.account.suspension.next_at()
    if next_at is not None and now < next_at:
        says = f"an account is suspended once in 90 days: not before {next_at:%Y-%m-%d %H:%M} UTC"
        raise SuspendedTooSoonError(says)
    made = suspended(by=signed.said.officer, at=now)
    event = AccountSuspended(at=now, suspension=made, because=act.because)
    return _decision(SUSPEND_ENTRY, signed, event)


def _release(state: State, command: OfficerSpeaks, act: Release, *, now: datetime) -> Decision:
    """Decide a release: whoever is no officer any more agreed to nothing."""
    _check_about(state, act.account)
    signed = command.signed
    one, by = state.account.suspension, signed.said.officer
    if one.until(now) is None or one.set_at != act.suspended:
        raise NotSuspendedError("there is no such suspension of this account")
    if person(by, command.instead) == person(one.by, command.instead):
        raise StatementRefusedError("two others release what an officer suspended")
    if is_released(agreed(one, by=by, at=now), officers=command.officers):
        return _decision(RELEASE_ENTRY, signed, AccountReleased(at=now, officer=by))
    return _decision(RELEASE_ENTRY, signed, ReleaseAgreed(at=now, officer=by))


def _check_about(state: State, account: str) -> None:
    if account != state.account.account_id:
        raise StatementRefusedError("this statement is about another account")


def _decision(
    kind: str, signed: Signed, event: AccountSuspended | ReleaseAgreed | AccountReleased
) -> Decision:
    """Return a decision whose entry commits to the statement with its signature."""
    return Decision(
        kind=kind, action_id="", answer=Answer.ALLOW, events=(event,), payload=encode(signed)
    )
