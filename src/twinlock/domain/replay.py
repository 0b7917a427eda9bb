"""The only way an account or a destination changes: ``apply``, one event after the other.

Replaying an account's events from the first gives the state that the gate decided on; the audit
leans on that.
"""

from datetime import datetime
from math import ceil
from typing import assert_never

from msgspec.structs import replace

from twinlock.domain.account import Account, ApiKey, Candidate, Session, State
from twinlock.domain.api_keys import (
    stopped_with,
    told_of,
    used_on,
)
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.model import (
    Passkey,
    Suspension,
    SuspensionKind,
    Totp,
    suspension,
)
from twinlock.domain.bounds import (
    CANDIDATES_MOST,
    WEAK_SITTING,
)
from twinlock.domain.changing import (
    with_account,
    with_action,
    with_destination,
    with_left,
    with_listed,
)
from twinlock.domain.deliveries import noted
from twinlock.domain.errors import InvariantError, invariant
from twinlock.domain.events import (
    AccountOpened,
    ActionAuthorized,
    ActionDone,
    ActionHeld,
    ActionLapsed,
    ActionProposed,
    ActionRefused,
    ActionSpent,
    ActionVetoed,
    ApiKeyChanged,
    ApiKeyCreated,
    ApiKeyLapses,
    ApiKeyRevoked,
    ApiKeyUsed,
    AuthenticatorBound,
    AuthenticatorReactivated,
    AuthenticatorRemoved,
    AuthenticatorSuspended,
    CandidateOffered,
    ChallengeIssued,
    ChannelBound,
    ChannelRemoved,
    ContactJoined,
    ContactLeft,
    ContestDecided,
    ContestOpened,
    DestinationAdded,
    DestinationRemoved,
    Event,
    FreezeLifted,
    FreezeSet,
    HoldPlaced,
    IdentityEvent,
    IntegratorRevoked,
    LimitsSet,
    LockSet,
    MemberJoined,
    MemberLeft,
    NewcomerRepudiated,
    NoticeWordChanged,
    PasswordRehashed,
    ProofAccepted,
    ProofRefused,
    ProtectionEvent,
    QuorumSet,
    SessionEnded,
    SessionStarted,
    SessionUsed,
    StandingEvent,
)
from twinlock.domain.floods import rung, under_flood
from twinlock.domain.forgetting import versions_of
from twinlock.domain.freezes import SUSPENSION, Freeze, longer, with_weak
from twinlock.domain.holds import PICKED, Hold, place
from twinlock.domain.ids import (
    AuthenticatorId,
    DestinationId,
)
from twinlock.domain.likeness import with_former_look, with_look, without_look
from twinlock.domain.listed import Destination
from twinlock.domain.newcomers import rests, with_doubts
from twinlock.domain.notices import rings
from twinlock.domain.outside_events import (
    AccountErased,
    AccountReleased,
    AccountSuspended,
    ChannelsFlooded,
    CodesFlooded,
    DataExported,
    LegalHoldLifted,
    LegalHoldSet,
    NoticeReported,
    OfficersEvent,
    RecordsEvent,
    ReleaseAgreed,
    SignalReceived,
    SimChanged,
    WarningEvent,
)
from twinlock.domain.rehashing import with_verifier
from twinlock.domain.replaying_actions import apply_to_action, close
from twinlock.domain.replaying_members import with_members_after
from twinlock.domain.risk.visits import Visit, remember
from twinlock.domain.signalling import signalled
from twinlock.domain.signed_in import with_device, with_session
from twinlock.domain.spans import spans_of
from twinlock.domain.suspensions import agreed, released


def apply(state: State, event: Event) -> State:
    """Return the state after ``event``; the only way an account or a destination ever changes."""
    after = _applied(state, event)
    if not rings(state.account, event):
        return after
    entry = state.account.chain.entries
    return with_account(after, rings=rung(after.account.rings, event.at, entry=entry))


def _applied(state: State, event: Event) -> State:
    match event:
        case (
            ActionProposed()
            | ActionHeld()
            | ContestOpened()
            | ContestDecided()
            | ChallengeIssued()
            | ProofAccepted()
            | ProofRefused()
            | ActionAuthorized()
        ):
            return apply_to_action(state, event)
        case ActionSpent() | ActionDone() | ActionRefused() | ActionVetoed() | ActionLapsed():
            return close(state, event)
        case (
            AccountOpened()
            | CandidateOffered()
            | AuthenticatorBound()
            | AuthenticatorRemoved()
            | SessionStarted()
            | SessionEnded()
            | SessionUsed()
        ):
            return _apply_identity(state, event)
        case (
            CodesFlooded() | ChannelsFlooded() | SimChanged() | NoticeReported() | SignalReceived()
        ):
            return _apply_warning(state, event)
        case LegalHoldSet() | LegalHoldLifted() | DataExported() | AccountErased():
            return _apply_records(state, event)
        case AccountSuspended() | ReleaseAgreed() | AccountReleased():
            return _apply_officers(state, event)
        case (
            AuthenticatorSuspended()
            | AuthenticatorReactivated()
            | PasswordRehashed()
            | ChannelBound()
            | ChannelRemoved()
            | NewcomerRepudiated()
        ):
            return _apply_standing(state, event)
        case _:
            return _apply_protection(state, event)


def apply_all(state: State, events: tuple[Event, ...]) -> State:
    """Return the state after ``events``, in order."""
    for event in events:
        state = apply(state, event)
    return state


def _apply_identity(state: State, event: IdentityEvent) -> State:
    account = state.account
    match event:
        case AccountOpened(account=opened):
            return State(account=opened)
        case CandidateOffered(candidate=candidate):
            return _offer(state, candidate, at=event.at)
        case AuthenticatorBound(authenticator=one):
            others = tuple(
                old
                for old in account.authenticators
                if old.authenticator_id != one.authenticator_id
            )
            return with_account(state, authenticators=(*others, one))
        case AuthenticatorRemoved(authenticator_id=gone):
            left = tuple(one for one in account.authenticators if one.authenticator_id != gone)
            return with_left(state, left, at=event.at)
        case SessionStarted(session=session, visit=visit):
            return _remember(_start_session(state, session), visit, at=event.at)
        case SessionEnded(session_id=session_id):
            live_ones = tuple(one for one in account.sessions if one.session_id != session_id)
            return with_account(state, sessions=live_ones)
        case SessionUsed(at=at, session_id=named):
            seen = tuple(
                replace(one, seen_at=at) if one.session_id == named else one
                for one in account.sessions
            )
            return with_account(state, sessions=seen)
        case _:
            assert_never(event)


def _offer(state: State, new: Candidate, *, at: datetime) -> State:
    """Add what was offered. Of two sets of codes that were shown only the second can be bound."""
    live = (one for one in state.account.candidates if one.expires_at > at)
    sets = new.factor is Factor.RECOVERY_CODE
    kept = (one for one in live if not (sets and one.factor is new.factor))
    return with_account(state, candidates=(*kept, new)[-CANDIDATES_MOST:])


def _apply_standing(state: State, event: StandingEvent) -> State:
    account = state.account
    match event:
        case AuthenticatorSuspended():
            return _suspend(state, event)
        case AuthenticatorReactivated(authenticator_id=named):
            return _reactivate(state, named)
        case PasswordRehashed(authenticator=anew):
            kept = tuple(with_verifier(one, anew) for one in account.authenticators)
            return with_account(state, authenticators=kept)
        case ChannelBound(channel=channel):
            gone = {link.channel_id for link in (channel, channel.replaced) if link is not None}
            rest = tuple(one for one in account.channels if one.channel_id not in gone)
            return with_account(state, channels=(*rest, channel))
        case ChannelRemoved(channel_id=named):
            left = tuple(one for one in account.channels if one.channel_id != named)
            return with_account(state, channels=left)
        case NewcomerRepudiated(entries=entries, since=since, below_floor=below):
            known = tuple(one for one in account.devices if one.since < since)
            doubts = with_doubts(account, entries)
            undercut = ceil(event.at.timestamp()) if below else account.undercut_at
            fell = _fell_at(account, event)
            return with_account(
                state, devices=known, doubts=doubts, undercut_at=undercut, fell_at=fell
            )
        case _:
            assert_never(event)


def _fell_at(account: Account, event: NewcomerRepudiated) -> int:
    """Return when a key was last repudiated under a lock of both keys, or one that was eased.

    Prevents: one stolen key that says "not me" of the other, while that is new, and needs it no
    more; and a mailbox that says so of each password of an owner whose one key waits for its time.
    """
    eased, said = account.eased, event.entries
    was = eased if eased is not None and eased.before.both_keys else None
    keys = (one.entry for one in account.authenticators if isinstance(one, Passkey | Totp))
    undone = not set(said).isdisjoint(keys) and (account.lock.both_keys or was is not None)
    stands_again = was is not None and rests(was, spans_of(said))
    return ceil(event.at.timestamp()) if undone or stands_again else account.fell_at


def _apply_warning(state: State, event: WarningEvent) -> State:
    match event:
        case CodesFlooded():
            return with_account(state, flood_told_at=int(event.at.timestamp()))
        case ChannelsFlooded():
            return with_account(state, rings=under_flood(state.account.rings, event.at))
        case SimChanged(changed_at=changed_at):
            return with_account(state, sim_changed_at=changed_at)
        case NoticeReported(action_id=about, channel_id=channel, outcome=outcome):
            told = noted(state.account.action(about).told, channel, outcome, at=event.at)
            return with_action(state, about, told=told)
        case SignalReceived():
            return with_account(state, signals=signalled(state.account, event))
        case _:
            assert_never(event)


def _with_suspension(state: State, named: AuthenticatorId, ends: Suspension) -> State:
    after = tuple(
        replace(one, suspension=ends) if one.authenticator_id == named else one
        for one in state.account.authenticators
    )
    return with_account(state, authenticators=after)


def _reactivate(state: State, named: AuthenticatorId) -> State:
    bound = state.account.authenticator(named)
    if bound is None or bound.suspension is None:
        raise InvariantError("only what is suspended is reactivated")
    over = replace(bound.suspension, kind=SuspensionKind.OVER)
    return _with_suspension(state, named, over)


def _suspend(state: State, event: AuthenticatorSuspended) -> State:
    """Suspend, for as long as it was before at least; one sitting below the floor counts once.

    What is suspended already keeps its beginning, unless it is now for good. Prevents: a second
    report, made with less, that ends the owner's own sooner or strikes a reactivation that waits;
    and reports that follow one another hour by hour.
    """
    bound = state.account.authenticator(event.authenticator_id)
    if bound is None:
        raise InvariantError("only what is bound is suspended")
    stands = bound.suspended(event.at)
    if event.for_good or not stands:
        kind = SuspensionKind.FOR_GOOD if event.for_good else SuspensionKind.A_WHILE
        state = _with_suspension(state, event.authenticator_id, suspension(event.at, kind))
    state = with_account(state, api_keys=stopped_with(state.account.api_keys, bound.entry))
    freeze = state.account.freeze
    own = SUSPENSION + event.weak_root
    last = freeze.weak.get(own)
    if not event.weak_root or (last is not None and event.at - last < WEAK_SITTING):
        return state
    weak = with_weak(freeze.weak, own, at=event.at)
    return with_account(state, freeze=replace(freeze, weak=weak))


def _start_session(state: State, session: Session) -> State:
    account = state.account
    kept = with_session(account.sessions, session)
    state = with_account(state, sessions=kept, enrolling_until=None)
    if session.read_only:
        return state
    return with_account(state, devices=with_device(account.devices, session))


def _remember(state: State, visit: Visit | None, *, at: datetime) -> State:
    if visit is None:
        return state
    return with_account(state, history=remember(state.account.history, visit, at=at))


def _apply_protection(state: State, event: ProtectionEvent) -> State:
    account = state.account
    if isinstance(event, LimitsSet | LockSet | NoticeWordChanged | ContactJoined | ContactLeft):
        return _set(state, event)
    if isinstance(event, MemberJoined | MemberLeft | QuorumSet):
        return with_members_after(state, event)
    match event:
        case HoldPlaced(hold=hold):
            return _place(state, hold)
        case FreezeSet(until=until, weak_root=weak, bound_at=bound_at):
            frozen = longer(
                account.freeze, until=until, at=event.at, weak_root=weak, bound_at=bound_at
            )
            return with_account(state, freeze=frozen)
        case FreezeLifted():
            return with_account(state, freeze=Freeze(weak=account.freeze.weak))
        case DestinationAdded(destination=destination):
            return _list_destination(state, destination)
        case DestinationRemoved(destination_id=gone):
            return _remove_destination(state, gone)
        case (
            ApiKeyCreated()
            | ApiKeyChanged()
            | ApiKeyRevoked()
            | ApiKeyUsed()
            | ApiKeyLapses()
            | IntegratorRevoked()
        ):
            return with_account(state, api_keys=_keys_after(account, event))
        case _:
            assert_never(event)


def _place(state: State, hold: Hold) -> State:
    account = state.account
    last = ceil(hold.placed_at.timestamp()) if hold.because == PICKED else account.picked_at
    return with_account(state, holds=place(account.holds, hold), picked_at=last)


def _keys_after(
    account: Account,
    event: ApiKeyCreated
    | ApiKeyChanged
    | ApiKeyRevoked
    | ApiKeyUsed
    | ApiKeyLapses
    | IntegratorRevoked,
) -> tuple[ApiKey, ...]:
    keys = account.api_keys
    match event:
        case ApiKeyCreated(api_key=key):
            return (*keys, key)
        case ApiKeyChanged(api_key=new):
            return tuple(new if key.api_key_id == new.api_key_id else key for key in keys)
        case ApiKeyRevoked(api_key_id=dead):
            return tuple(key for key in keys if key.api_key_id != dead)
        case ApiKeyUsed(at=at, api_key_id=named):
            return used_on(keys, named, at=at)
        case ApiKeyLapses(api_key_id=named, until=until):
            return told_of(keys, named, until=until)
        case IntegratorRevoked(integrator=gone):
            return tuple(key for key in keys if key.integrator != gone)
        case _:
            assert_never(event)


def _set(
    state: State, event: LimitsSet | LockSet | NoticeWordChanged | ContactJoined | ContactLeft
) -> State:
    match event:
        case LimitsSet(limits=limits):
            return with_account(state, limits=limits)
        case LockSet(lock=lock, eased=eased):
            return with_account(state, lock=lock, eased=eased)
        case NoticeWordChanged(word=word):
            return with_account(state, notice_word=word)
        case ContactJoined(contact=contact):
            return with_account(state, contacts=(*state.account.contacts, contact))
        case ContactLeft(contact_id=gone):
            every = state.account.contacts
            rest = tuple(one for one in every if one.authenticator_id != gone)
            return with_account(state, contacts=rest)
        case _:
            assert_never(event)


def _apply_records(state: State, event: RecordsEvent) -> State:
    holds = state.account.legal_holds
    match event:
        case LegalHoldSet(reference=reference):
            return with_account(state, legal_holds={**holds, reference: ceil(event.at.timestamp())})
        case LegalHoldLifted(reference=reference):
            rest = {name: since for name, since in holds.items() if name != reference}
            return with_account(state, legal_holds=rest)
        case DataExported():
            return state
        case AccountErased(at=at):
            return with_account(state, erased_at=at)
        case _:
            assert_never(event)


def _apply_officers(state: State, event: OfficersEvent) -> State:
    one = state.account.suspension
    match event:
        case AccountSuspended(suspension=suspension):
            return with_account(state, suspension=suspension)
        case ReleaseAgreed(officer=officer, at=at):
            return with_account(state, suspension=agreed(one, by=officer, at=at))
        case AccountReleased(at=at):
            return with_account(state, suspension=released(one, at=at))
        case _:
            assert_never(event)


def _list_destination(state: State, destination: Destination) -> State:
    """List ``destination``: over the one at hand, or as a new stream of its own."""
    if destination.destination_id == state.destination_id:
        before = state.destination
        if before is None or before.removed:
            looks = with_look(state.account, destination.address)
            state = with_account(state, looks=looks)
        return with_destination(state, destination)
    known = destination.destination_id in versions_of(state.account)
    invariant(not known, "a destination that is not at hand is a new one")
    looks = with_look(state.account, destination.address)
    return with_listed(with_account(state, looks=looks), destination)


def _remove_destination(state: State, gone: DestinationId) -> State:
    at_hand = state.destination
    if at_hand is None or at_hand.destination_id != gone:
        raise InvariantError("a removed destination is the one at hand")
    removed = replace(at_hand, removed=True, version=at_hand.version + 1)
    if not at_hand.removed:
        state = with_account(state, looks=without_look(state.account, at_hand.address))
        if at_hand.usable_at is not None:  # What nobody ever proved is known no more.
            state = with_account(state, former=with_former_look(state.account, at_hand.address))
    return with_destination(state, removed)
