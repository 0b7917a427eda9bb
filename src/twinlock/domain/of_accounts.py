"""Decisions about an account as such, which need no proof: they open nothing and weaken nothing."""

from collections.abc import Iterator
from datetime import datetime
from typing import assert_never

from msgspec.structs import replace

from twinlock.domain.account import State
from twinlock.domain.actions import class_of
from twinlock.domain.api_keys import ends_soon
from twinlock.domain.bounds import LEGAL_HOLDS_MOST
from twinlock.domain.catalogue import ActionClass
from twinlock.domain.commands import (
    EndSession,
    ImportDestination,
    LiftLegalHold,
    OfAccount,
    Offer,
    OfficerSpeaks,
    OfKeys,
    OpenAccount,
    ReceiveSignal,
    RecordExport,
    RecordTrading,
    ReportFlood,
    ReportNotice,
    ReportSimChange,
    RevokeIntegrator,
    SetLegalHold,
    WarnOfLapse,
)
from twinlock.domain.decisions import Decision
from twinlock.domain.deliveries import news
from twinlock.domain.errors import TwinlockError, invariant
from twinlock.domain.events import (
    AccountOpened,
    ApiKeyLapses,
    ApiKeyUsed,
    CandidateOffered,
    DestinationAdded,
    Event,
    IntegratorRevoked,
    SessionEnded,
    SessionUsed,
)
from twinlock.domain.forgetting import first_version, is_full
from twinlock.domain.listed import Destination
from twinlock.domain.outside_events import (
    ChannelsFlooded,
    DataExported,
    LegalHoldLifted,
    LegalHoldSet,
    NoticeReported,
    SimChanged,
)
from twinlock.domain.policy.facts import SessionState
from twinlock.domain.requirements import Answer
from twinlock.domain.signalling import signal_events
from twinlock.domain.suspending import spoken


class EnrolmentClosedError(TwinlockError):
    """This is possible only while the account is being set up."""

    code = "enrolment_closed"
    status = 409


class TooManyLegalHoldsError(TwinlockError):
    """As many legal holds stand on this account as can: one more delays nothing further."""

    code = "legal_holds_too_many"
    status = 409


class LegalHoldUnknownError(TwinlockError):
    """No legal hold of this account has that reference."""

    code = "legal_hold_not_found"
    status = 404


def of_account(state: State, command: OfAccount, *, now: datetime) -> Decision:
    """Return the decision about an account as such.

    Raises:
        EnrolmentClosedError, TooManyLegalHoldsError, LegalHoldUnknownError: as they say.
        TwinlockError: as ``spoken``.
    """
    match command:
        case Offer(candidate=candidate):
            return _account_event("candidate.offer", CandidateOffered(at=now, candidate=candidate))
        case OpenAccount(account=opened, listed=listed):
            begins = opened == state.account and opened.chain.entries == 0
            invariant(begins, "an account is opened once")
            unproved = all(one.imported and one.usable_at is None for one in listed)
            invariant(unproved, "an import proves nothing")
            added = (DestinationAdded(at=now, destination=one) for one in listed)
            return _account_event("account.open", AccountOpened(at=now, account=opened), *added)
        case ImportDestination(destination=destination):
            return _import(state, destination, now=now)
        case EndSession(session_id=session_id, keep=keep):
            ended = (
                SessionEnded(at=now, session_id=one.session_id)
                for one in state.account.sessions
                if session_id in (None, one.session_id) and one.session_id != keep
            )
            return _account_event("session.end", *ended)
        case ReportSimChange() | ReportFlood() | ReportNotice() | ReceiveSignal():
            return _heard(state, command, now=now)
        case RevokeIntegrator() | RecordTrading() | WarnOfLapse():
            return _of_keys(state, command, now=now)
        case OfficerSpeaks():
            return spoken(state, command, now=now)
        case SetLegalHold() | LiftLegalHold() | RecordExport():
            return _of_records(state, command, now=now)
        case _:
            assert_never(command)


def _heard(
    state: State,
    command: ReportSimChange | ReportFlood | ReportNotice | ReceiveSignal,
    *,
    now: datetime,
) -> Decision:
    """Return what word from outside makes of the account: a carrier's, or another party's."""
    match command:
        case ReportSimChange(changed_at=changed_at):
            known = state.account.sim_changed_at
            later = changed_at <= now and (known is None or changed_at > known)
            changed = (SimChanged(at=now, changed_at=changed_at),) if later else ()
            return _account_event("sim_change.report", *changed)
        case ReportFlood():
            return _account_event("flood.report", ChannelsFlooded(at=now))
        case ReportNotice():
            return _notice(state, command, now=now)
        case ReceiveSignal():
            return _account_event("signal.receive", *signal_events(state.account, command, now=now))
        case _:
            assert_never(command)


def _import(state: State, destination: Destination, *, now: datetime) -> Decision:
    """List ``destination`` as one that nobody proved; what is listed already stays as it is."""
    account = state.account
    if not account.enrolling(now) or is_full(account):
        raise EnrolmentClosedError("destinations are imported while the account is set up")
    unproved = destination.imported and destination.usable_at is None
    at_hand = destination.destination_id == state.destination_id and destination.version == 1
    invariant(unproved and at_hand, "an import proves nothing and is a new stream")
    if state.destination is not None:
        return _account_event("destination.import")
    begun = replace(destination, version=first_version(account))
    added = DestinationAdded(at=now, destination=begun)
    return _account_event("destination.import", added)


def _notice(state: State, command: ReportNotice, *, now: datetime) -> Decision:
    """Note how far the word of a change that waits came; of anything else nobody asks later."""
    known = {one.channel_id for one in state.account.channels}
    named = (one for one in state.account.actions if one.action_id == command.about)
    action = next(named, None)
    if action is None or class_of(action.payload) is ActionClass.EXIT:
        return _account_event("notice.report")
    waits = action.until is not None or action.offered_until is not None
    told = action.told.get(command.channel_id)
    if not waits or command.channel_id not in known or not news(told, command.outcome):
        return _account_event("notice.report")
    reported = NoticeReported(
        at=now,
        action_id=command.about,
        channel_id=command.channel_id,
        outcome=command.outcome,
    )
    return _account_event("notice.report", reported)


def _of_keys(state: State, command: OfKeys, *, now: datetime) -> Decision:
    if isinstance(command, RecordTrading):
        return _account_event("trading.use", *_traded(state, command, now=now))
    if isinstance(command, WarnOfLapse):
        soon = ends_soon(state.account.api_keys, lapses=command.lapses, now=now)
        told = (ApiKeyLapses(at=now, api_key_id=named, until=end) for named, end in soon)
        return _account_event("api_key.lapse", *told)
    revoked = IntegratorRevoked(at=now, integrator=command.integrator)
    return _account_event("api_key.revoke_integrator", revoked)


def _traded(state: State, command: RecordTrading, *, now: datetime) -> Iterator[Event]:
    """Give what was used of the keys and sessions named; what is over stays over."""
    for key in state.account.api_keys:
        if key.api_key_id in command.api_key_ids:
            yield ApiKeyUsed(at=now, api_key_id=key.api_key_id)
    for one in state.account.sessions:
        if one.session_id in command.session_ids and one.state(now) is SessionState.FULL:
            yield SessionUsed(at=now, session_id=one.session_id)


def _account_event(kind: str, *events: Event) -> Decision:
    """Return a decision that needs no proof: it opens nothing and weakens nothing."""
    return Decision(kind=kind, action_id="", answer=Answer.ALLOW, events=events)


def _of_records(
    state: State, command: SetLegalHold | LiftLegalHold | RecordExport, *, now: datetime
) -> Decision:
    """Legal holds only delay, so that they need no proof; the log says who set and who lifted."""
    known = state.account.legal_holds
    match command:
        case SetLegalHold(reference=reference):
            if reference in known:
                return _account_event("legal_hold.set")
            if len(known) >= LEGAL_HOLDS_MOST:
                raise TooManyLegalHoldsError(
                    f"an account has {LEGAL_HOLDS_MOST} legal holds at most"
                )
            return _account_event("legal_hold.set", LegalHoldSet(at=now, reference=reference))
        case LiftLegalHold(reference=reference):
            if reference not in known:
                raise LegalHoldUnknownError("no such legal hold of this account")
            lifted = LegalHoldLifted(at=now, reference=reference)
            return _account_event("legal_hold.lift", lifted)
        case RecordExport():
            return _account_event("data.export", DataExported(at=now))
        case _:
            assert_never(command)
