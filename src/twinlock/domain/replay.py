"""The only way an account or a destination changes: ``apply``, one event after the other.

Replaying an account's events from the first gives the state that the gate decided on; the audit
leans on that.
"""

from datetime import datetime
from math import ceil
from typing import Any, assert_never

from msgspec.structs import replace

from twinlock.domain.account import (
    ActionState,
    Candidate,
    Destination,
    OpenAction,
    Session,
    State,
    with_device,
    with_session,
)
from twinlock.domain.api_keys import (
    by_keys_alone,
    charge_of,
    charged,
    refusal_to_tell,
    stopped_with,
)
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.model import (
    Suspension,
    SuspensionKind,
    factor_of,
    suspension,
    used,
)
from twinlock.domain.bounds import (
    CANDIDATES_MOST,
    CHALLENGES_PER_ACTION_MOST,
    CODES_PER_DAY_MOST,
    WEAK_SITTING,
)
from twinlock.domain.errors import InvariantError, invariant
from twinlock.domain.events import (
    AccountErased,
    AccountOpened,
    ActionAuthorized,
    ActionDone,
    ActionEvent,
    ActionHeld,
    ActionLapsed,
    ActionProposed,
    ActionRefused,
    ActionSpent,
    ActionVetoed,
    ApiKeyCreated,
    ApiKeyRevoked,
    AuthenticatorBound,
    AuthenticatorReactivated,
    AuthenticatorRemoved,
    AuthenticatorSuspended,
    CandidateOffered,
    ChallengeIssued,
    ChannelBound,
    ChannelRemoved,
    ClosingEvent,
    CodesFlooded,
    DataExported,
    DestinationAdded,
    DestinationRemoved,
    Event,
    FreezeLifted,
    FreezeSet,
    HoldPlaced,
    IdentityEvent,
    LegalHoldLifted,
    LegalHoldSet,
    NewcomerRepudiated,
    ProofAccepted,
    ProofRefused,
    ProtectionEvent,
    RecordsEvent,
    SessionEnded,
    SessionStarted,
    SimChanged,
    StandingEvent,
)
from twinlock.domain.freezes import SUSPENSION, Freeze, longer, with_weak
from twinlock.domain.holds import place
from twinlock.domain.ids import (
    ActionId,
    ApiKeyId,
    AuthenticatorId,
    DestinationId,
)
from twinlock.domain.newcomers import with_doubts
from twinlock.domain.throttle import UNCOUNTED, Throttle, after_failure, can_be_guessed, reopens


def apply(state: State, event: Event) -> State:
    """Return the state after ``event``; the only way an account or a destination ever changes."""
    match event:
        case (
            ActionProposed()
            | ActionHeld()
            | ChallengeIssued()
            | ProofAccepted()
            | ProofRefused()
            | ActionAuthorized()
        ):
            return _apply_action(state, event)
        case ActionSpent() | ActionDone() | ActionRefused() | ActionVetoed() | ActionLapsed():
            return _close(state, event)
        case (
            AccountOpened()
            | CandidateOffered()
            | AuthenticatorBound()
            | AuthenticatorRemoved()
            | SessionStarted()
            | SessionEnded()
        ):
            return _apply_identity(state, event)
        case CodesFlooded():
            return _account(state, flood_told_at=int(event.at.timestamp()))
        case SimChanged(changed_at=changed_at):
            return _account(state, sim_changed_at=changed_at)
        case LegalHoldSet() | LegalHoldLifted() | DataExported() | AccountErased():
            return _apply_records(state, event)
        case (
            AuthenticatorSuspended()
            | AuthenticatorReactivated()
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


def _close(state: State, event: ClosingEvent) -> State:
    account, action = state.account, state.account.action(event.action_id)
    rest = tuple(one for one in account.actions if one.action_id != event.action_id)
    invariant(len(rest) == len(account.actions) - 1, "an action closes once")
    state = _account(state, actions=rest)
    told = isinstance(event, ActionRefused) and by_keys_alone(account, action)
    if told and refusal_to_tell(account, now=event.at):
        state = _account(state, key_told_at=int(event.at.timestamp()))
    return _spend(state, action, event) if isinstance(event, ActionSpent) else state


def _spend(state: State, action: OpenAction, event: ActionSpent) -> State:
    """Note the spend, and count on its day what was counted on another day, or rose meanwhile.

    Prevents: authorized before midnight, spent after it on top of the new day's whole limit;
    authorized while the price is low; and authorized before its destination was listed.
    """
    at, to = event.at, state.destination
    state = _account(state, last_exit_at=ceil(at.timestamp()))
    state = _charge(state, action, event.api_key_id, event.value_cents, at=at)
    more = max(event.value_cents - action.counted_on(at), 0)
    if more:
        state = _account(state, spent=state.account.spent.plus(more, at=at))
    if to is None or to.destination_id != event.destination_id:
        return state
    own = max(event.value_cents - action.counted_for(to.destination_id, at), 0)
    if not own:
        return state
    spent = to.spent.plus(own, at=at)
    return _with_destination(state, replace(to, version=to.version + 1, spent=spent))


def _charge(
    state: State, action: OpenAction, named: ApiKeyId | None, cents: int, *, at: datetime
) -> State:
    """Charge ``cents`` to the API key ``named`` that carries ``action``, if one does."""
    if named is None:
        return state
    keys = charged(state.account, action, named, cents, at=at)
    return _account(state, api_keys=keys)


def _account(state: State, **changes: Any) -> State:  # noqa: ANN401 - msgspec checks the fields
    return replace(state, account=replace(state.account, **changes))


def _action(whole: State, action_id: ActionId, /, **changes: Any) -> State:  # noqa: ANN401 - as above
    actions = tuple(
        replace(one, **changes) if one.action_id == action_id else one
        for one in whole.account.actions
    )
    return _account(whole, actions=actions)


def _apply_action(state: State, event: ActionEvent) -> State:
    account = state.account
    match event:
        case ActionProposed(action=action, candidate_id=used_up):
            left = tuple(one for one in account.candidates if one.candidate_id != used_up)
            return _account(state, actions=(*account.actions, action), candidates=left)
        case ActionHeld():
            return _hold(state, event)
        case ChallengeIssued():
            return _ask(state, event)
        case ProofAccepted():
            return _accept(state, event)
        case ProofRefused(factor=factor):
            if not can_be_guessed(factor) or event.fault in UNCOUNTED:
                return state
            return _count(state, event)
        case ActionAuthorized():
            return _authorize(state, event)
        case _:
            assert_never(event)


def _count(state: State, event: ProofRefused) -> State:
    account, action = state.account, state.account.action(event.action_id)
    counted = after_failure(account.throttle_of(action), now=event.at)
    if account.from_known_device(action):
        return _account(state, known_throttle=counted)
    return _account(state, throttle=counted)


def _hold(state: State, event: ActionHeld) -> State:
    told = {"offered_until" if event.choice else "until": event.until}
    return _action(
        state,
        event.action_id,
        state=ActionState.OPEN,
        lapses_at=event.lapses_at,
        proved_at=state.account.action(event.action_id).proved_at or event.at,
        entry=state.account.chain.entries,
        **told,
    )


def _ask(state: State, event: ChallengeIssued) -> State:
    """Add the question, if its answer will name it: what is typed, but for a code, needs none.

    A passkey's stands beside the one before it, a code in the place of the one before it.
    Prevents: a stranger who asks, and asks another way, until the owner's question is gone; and
    until the document is full and no freeze fits in.
    """
    account, challenge = state.account, event.challenge
    asked = account.action(event.action_id).challenges
    live = [one for one in asked if one.expires_at > event.at]
    same = [one for one in live if one.factor is challenge.factor]
    gone = same[:-1] if challenge.factor is Factor.PASSKEY else same
    if challenge.code_mac:  # A code to the new channel follows those to the old ones.
        gone += [
            one
            for one in live
            if one.code_mac and Factor.CHANNEL_CODE in (one.factor, challenge.factor)
        ]
    kept = [one for one in live if one not in gone]
    if challenge.factor is Factor.PASSKEY or challenge.code_mac:
        kept.append(challenge)
    invariant(len(kept) <= CHALLENGES_PER_ACTION_MOST, "no other factor's answer names a question")
    codes = account.codes_sent + ((ceil(event.at.timestamp()),) if challenge.code_mac else ())
    state = _action(state, event.action_id, challenges=tuple(kept))
    return _account(state, codes_sent=codes[-CODES_PER_DAY_MOST:])


def _accept(state: State, event: ProofAccepted) -> State:
    account, action = state.account, state.account.action(event.action_id)
    state = _action(
        state,
        event.action_id,
        shown=(*action.shown, event.shown),
        challenges=tuple(
            one for one in action.challenges if one.challenge_id != event.challenge_id
        ),
        proved_at=action.proved_at or (event.at if event.proved else None),
    )
    beside = [one.factor for one in action.shown if account.stands(one)]
    bound = [factor_of(one) for one in account.authenticators]
    if reopens(event.shown.factor, beside, bound=bound, floor=account.floor):
        state = _account(state, throttle=Throttle(), known_throttle=Throttle())
    if event.shown.factor is Factor.SESSION:
        sessions = (
            replace(one, seen_at=event.at) if one.session_id == event.shown.source else one
            for one in account.sessions
        )
        return _account(state, sessions=tuple(sessions))
    seen = {"totp_step": event.totp_step, "sign_count": event.sign_count}
    after = tuple(
        used(one, at=event.at, **seen, backed_up=event.backed_up, used_code=event.used_code)
        if one.authenticator_id == event.shown.source
        else one
        for one in account.authenticators
    )
    return _account(state, authenticators=after)


def _authorize(state: State, event: ActionAuthorized) -> State:
    account, action = state.account, state.account.action(event.action_id)
    more = event.value_cents - action.counted_on(event.at)
    named = event.api_key_id
    state = _charge(state, action, named, event.value_cents, at=event.at)
    charge = action.charge
    if named is not None:
        charge = charge_of(action, named, event.value_cents, at=event.at)
    state = _action(
        state,
        event.action_id,
        charge=charge,
        state=ActionState.AUTHORIZED,
        authorized_at=event.at,
        destination_id=event.destination_id,
        value_cents=event.value_cents,
        entry=account.chain.entries,
    )
    state = _account(state, spent=account.spent.plus(more, at=event.at))
    destination = state.destination
    if destination is None or destination.destination_id != event.destination_id:
        return state
    own = event.value_cents - action.counted_for(destination.destination_id, event.at)
    spent = destination.spent.plus(own, at=event.at)
    left = replace(destination, version=destination.version + 1, used_at=event.at, spent=spent)
    return _with_destination(state, left)


def _with_destination(state: State, destination: Destination) -> State:
    versions = {**state.account.destinations, destination.destination_id: destination.version}
    return replace(_account(state, destinations=versions), destination=destination)


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
            return _account(state, authenticators=(*others, one))
        case AuthenticatorRemoved(authenticator_id=gone):
            left = tuple(one for one in account.authenticators if one.authenticator_id != gone)
            return _account(state, authenticators=left)
        case SessionStarted(session=session):
            return _start_session(state, session)
        case SessionEnded(session_id=session_id):
            live_ones = tuple(one for one in account.sessions if one.session_id != session_id)
            return _account(state, sessions=live_ones)
        case _:
            assert_never(event)


def _offer(state: State, new: Candidate, *, at: datetime) -> State:
    """Add what was offered. Of two sets of codes that were shown only the second can be bound."""
    live = (one for one in state.account.candidates if one.expires_at > at)
    sets = new.factor is Factor.RECOVERY_CODE
    kept = (one for one in live if not (sets and one.factor is new.factor))
    return _account(state, candidates=(*kept, new)[-CANDIDATES_MOST:])


def _apply_standing(state: State, event: StandingEvent) -> State:
    account = state.account
    match event:
        case AuthenticatorSuspended():
            return _suspend(state, event)
        case AuthenticatorReactivated(authenticator_id=named):
            return _reactivate(state, named)
        case ChannelBound(channel=channel):
            gone = {link.channel_id for link in (channel, channel.replaced) if link is not None}
            kept = tuple(one for one in account.channels if one.channel_id not in gone)
            return _account(state, channels=(*kept, channel))
        case ChannelRemoved(channel_id=named):
            left = tuple(one for one in account.channels if one.channel_id != named)
            return _account(state, channels=left)
        case NewcomerRepudiated(entries=entries, since=since, below_floor=below):
            known = tuple(one for one in account.devices if one.since < since)
            doubts = with_doubts(account, entries)
            undercut = ceil(event.at.timestamp()) if below else account.undercut_at
            return _account(state, devices=known, doubts=doubts, undercut_at=undercut)
        case _:
            assert_never(event)


def _with_suspension(state: State, named: AuthenticatorId, ends: Suspension) -> State:
    after = tuple(
        replace(one, suspension=ends) if one.authenticator_id == named else one
        for one in state.account.authenticators
    )
    return _account(state, authenticators=after)


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
    state = _account(state, api_keys=stopped_with(state.account.api_keys, bound.entry))
    freeze = state.account.freeze
    own = SUSPENSION + event.weak_root
    last = freeze.weak.get(own)
    if not event.weak_root or (last is not None and event.at - last < WEAK_SITTING):
        return state
    weak = with_weak(freeze.weak, own, at=event.at)
    return _account(state, freeze=replace(freeze, weak=weak))


def _start_session(state: State, session: Session) -> State:
    account = state.account
    kept = with_session(account.sessions, session)
    state = _account(state, sessions=kept, enrolling_until=None)
    if session.read_only:
        return state
    return _account(state, devices=with_device(account.devices, session))


def _apply_protection(state: State, event: ProtectionEvent) -> State:
    account = state.account
    match event:
        case HoldPlaced(hold=hold):
            return _account(state, holds=place(account.holds, hold))
        case FreezeSet(until=until, weak_root=weak, bound_at=bound_at):
            frozen = longer(
                account.freeze, until=until, at=event.at, weak_root=weak, bound_at=bound_at
            )
            return _account(state, freeze=frozen)
        case FreezeLifted():
            return _account(state, freeze=Freeze(weak=account.freeze.weak))
        case DestinationAdded(destination=destination):
            return _list_destination(state, destination)
        case DestinationRemoved(destination_id=gone):
            return _remove_destination(state, gone)
        case ApiKeyCreated(api_key=key):
            return _account(state, api_keys=(*account.api_keys, key))
        case ApiKeyRevoked(api_key_id=dead):
            keys = tuple(key for key in account.api_keys if key.api_key_id != dead)
            return _account(state, api_keys=keys)
        case _:
            assert_never(event)


def _apply_records(state: State, event: RecordsEvent) -> State:
    holds = state.account.legal_holds
    match event:
        case LegalHoldSet(reference=reference):
            return _account(state, legal_holds={**holds, reference: ceil(event.at.timestamp())})
        case LegalHoldLifted(reference=reference):
            rest = {name: since for name, since in holds.items() if name != reference}
            return _account(state, legal_holds=rest)
        case DataExported():
            return state
        case AccountErased(at=at):
            return _account(state, erased_at=at)
        case _:
            assert_never(event)


def _list_destination(state: State, destination: Destination) -> State:
    """List ``destination``: over the one at hand, or as a new stream of its own."""
    if destination.destination_id == state.destination_id:
        return _with_destination(state, destination)
    known = destination.destination_id in state.account.destinations
    invariant(not known, "a destination that is not at hand is a new one")
    versions = {**state.account.destinations, destination.destination_id: destination.version}
    listed = _account(state, destinations=versions)
    return replace(listed, listed=(*state.listed, destination))


def _remove_destination(state: State, gone: DestinationId) -> State:
    at_hand = state.destination
    if at_hand is None or at_hand.destination_id != gone:
        raise InvariantError("a removed destination is the one at hand")
    removed = replace(at_hand, removed=True, version=at_hand.version + 1)
    return _with_destination(state, removed)
