"""Every fact that changes an account, and the only way it changes one: ``apply``.

Facts are past tense and versioned by their tag. Replaying an account's events from the first gives
the state that the gate decided on; the audit leans on that.
"""

from datetime import datetime
from typing import Any, TypeAlias, assert_never

import msgspec
from msgspec.structs import replace

from twinlock.domain.account import (
    Account,
    ActionState,
    ApiKey,
    Candidate,
    Challenge,
    Destination,
    OpenAction,
    Session,
    Shown,
    State,
    longer,
    with_device,
    with_session,
)
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.authenticators.model import Authenticator, used
from twinlock.domain.bounds import (
    CANDIDATES_MOST,
    CHALLENGES_PER_ACTION_MOST,
    CODES_PER_HOUR_MOST,
)
from twinlock.domain.errors import InvariantError, invariant
from twinlock.domain.holds import Hold, place
from twinlock.domain.ids import (
    ActionId,
    ApiKeyId,
    AuthenticatorId,
    ChallengeId,
    DestinationId,
    SessionId,
)
from twinlock.domain.reasons import Reason
from twinlock.domain.throttle import Throttle, after_failure, can_be_guessed


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", omit_defaults=True):
    """A fact; ``at`` is when it was decided (UTC)."""

    at: datetime


# --- An action on its way ---


class ActionProposed(_Event, frozen=True, kw_only=True, tag="action.proposed/1"):
    """Somebody wants something done."""

    action: OpenAction


class ActionHeld(_Event, frozen=True, kw_only=True, tag="action.held/1"):
    """Its proof is complete; it takes effect at ``until`` at the earliest. Notices go out.

    ``choice`` says that a second root, shown meanwhile, would do instead of this wait.
    """

    action_id: ActionId
    until: datetime
    lapses_at: datetime
    choice: bool = False


class ChallengeIssued(_Event, frozen=True, kw_only=True, tag="challenge.issued/1"):
    """The customer was asked."""

    action_id: ActionId
    challenge: Challenge


class ProofAccepted(_Event, frozen=True, kw_only=True, tag="proof.accepted/1"):
    """An answer was right and bound to this action; ``proved`` says that it reached the floor."""

    action_id: ActionId
    shown: Shown
    challenge_id: ChallengeId | None = None
    proved: bool = False
    totp_step: int = 0
    sign_count: int = 0
    backed_up: bool = False


class ProofRefused(_Event, frozen=True, kw_only=True, tag="proof.refused/1"):
    """An answer was wrong. What can be guessed counts against the throttle."""

    action_id: ActionId
    factor: Factor
    fault: ProofFault


class ActionAuthorized(_Event, frozen=True, kw_only=True, tag="action.authorized/1"):
    """An exit was decided yes; it is decided again when it is spent."""

    action_id: ActionId
    value_cents: int
    destination_id: DestinationId | None = None


class _Closing(_Event, frozen=True, kw_only=True):
    """The action leaves the account's document for a stream of its own."""

    action_id: ActionId


class ActionSpent(_Closing, frozen=True, kw_only=True, tag="action.spent/1"):
    """The exit was handed to the signer, exactly once."""

    spend_id: str
    fee_minor: str


class ActionDone(_Closing, frozen=True, kw_only=True, tag="action.done/1"):
    """It took effect."""


class ActionRefused(_Closing, frozen=True, kw_only=True, tag="action.refused/1"):
    """Nothing lifts what stands against it."""

    reasons: tuple[Reason, ...]


class ActionVetoed(_Closing, frozen=True, kw_only=True, tag="action.vetoed/1"):
    """Somebody entitled said no. ``by`` is a channel or an authenticator of the account."""

    by: str
    root: str | None


class ActionLapsed(_Closing, frozen=True, kw_only=True, tag="action.lapsed/1"):
    """Nobody finished it in time."""


ActionEvent: TypeAlias = (
    ActionProposed | ActionHeld | ChallengeIssued | ProofAccepted | ProofRefused | ActionAuthorized
)
ClosingEvent: TypeAlias = ActionSpent | ActionDone | ActionRefused | ActionVetoed | ActionLapsed


# --- What a customer is known by ---


class AccountOpened(_Event, frozen=True, kw_only=True, tag="account.opened/1"):
    """The platform has a new customer."""

    account: Account


class CandidateOffered(_Event, frozen=True, kw_only=True, tag="candidate.offered/1"):
    """A registration challenge or a fresh seed was given out."""

    candidate: Candidate


class AuthenticatorBound(_Event, frozen=True, kw_only=True, tag="authenticator.bound/1"):
    """From now on this authenticator counts, and sets the floor."""

    authenticator: Authenticator


class AuthenticatorRemoved(_Event, frozen=True, kw_only=True, tag="authenticator.removed/1"):
    """The removal has waited; the floor follows what is left."""

    authenticator_id: AuthenticatorId


class SessionStarted(_Event, frozen=True, kw_only=True, tag="session.started/1"):
    """A device signed in. A full session ends a read-only one of the same device."""

    session: Session


class SessionEnded(_Event, frozen=True, kw_only=True, tag="session.ended/1"):
    """A session is over; a dead one stays dead."""

    session_id: SessionId


IdentityEvent: TypeAlias = (
    AccountOpened
    | CandidateOffered
    | AuthenticatorBound
    | AuthenticatorRemoved
    | SessionStarted
    | SessionEnded
)


# --- What protects it ---


class HoldPlaced(_Event, frozen=True, kw_only=True, tag="hold.placed/1"):
    """For a while nothing leaves."""

    hold: Hold


class FreezeSet(_Event, frozen=True, kw_only=True, tag="freeze.set/1"):
    """The owner stopped everything. ``weak_root`` is set when it was below the floor."""

    until: datetime
    weak_root: str = ""


class FreezeLifted(_Event, frozen=True, kw_only=True, tag="freeze.lifted/1"):
    """The owner goes on."""


class DestinationAdded(_Event, frozen=True, kw_only=True, tag="destination.added/1"):
    """A destination is listed: proved, waited for and not vetoed; or imported and unproved."""

    destination: Destination


class DestinationRemoved(_Event, frozen=True, kw_only=True, tag="destination.removed/1"):
    """A destination is off the list."""

    destination_id: DestinationId


class ApiKeyCreated(_Event, frozen=True, kw_only=True, tag="api_key.created/1"):
    """An API key exists."""

    api_key: ApiKey


class ApiKeyRevoked(_Event, frozen=True, kw_only=True, tag="api_key.revoked/1"):
    """An API key is dead."""

    api_key_id: ApiKeyId


ProtectionEvent: TypeAlias = (
    HoldPlaced
    | FreezeSet
    | FreezeLifted
    | DestinationAdded
    | DestinationRemoved
    | ApiKeyCreated
    | ApiKeyRevoked
)
Event: TypeAlias = ActionEvent | ClosingEvent | IdentityEvent | ProtectionEvent


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
    spent = account.spent
    if isinstance(event, ActionSpent):
        # Prevents: authorized before midnight, spent after it on top of the new day's whole limit.
        spent = spent.plus(action.value_cents - action.counted_on(event.at), at=event.at)
    return _account(state, actions=rest, spent=spent)


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
        case ActionProposed(action=action):
            return _account(state, actions=(*account.actions, action))
        case ActionHeld():
            return _hold(state, event)
        case ChallengeIssued():
            return _ask(state, event)
        case ProofAccepted():
            return _accept(state, event)
        case ProofRefused(factor=factor):
            if not can_be_guessed(factor) or event.fault is ProofFault.THROTTLED:
                return state
            return _account(state, throttle=after_failure(account.throttle, now=event.at))
        case ActionAuthorized():
            return _authorize(state, event)
        case _:
            assert_never(event)


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
    """Add the question; the same asked again takes the place of the older one.

    Prevents: a page that asks and asks until the document is full and no freeze fits in.
    """
    account, challenge = state.account, event.challenge
    asked = account.action(event.action_id).challenges
    others = [one for one in asked if one.expires_at > event.at and one.factor != challenge.factor]
    live = (*others, challenge)[-CHALLENGES_PER_ACTION_MOST:]
    codes = account.codes_sent + ((event.at,) if challenge.code_mac else ())
    state = _action(state, event.action_id, challenges=live)
    return _account(state, codes_sent=codes[-CODES_PER_HOUR_MOST:])


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
    if event.proved and event.shown.factor is not Factor.SESSION:
        state = _account(state, throttle=Throttle())
    if event.shown.factor is Factor.SESSION:
        sessions = (
            replace(one, seen_at=event.at) if one.session_id == event.shown.source else one
            for one in account.sessions
        )
        return _account(state, sessions=tuple(sessions))
    seen = {"totp_step": event.totp_step, "sign_count": event.sign_count}
    after = tuple(
        used(one, **seen, backed_up=event.backed_up)
        if one.authenticator_id == event.shown.source
        else one
        for one in account.authenticators
    )
    return _account(state, authenticators=after)


def _authorize(state: State, event: ActionAuthorized) -> State:
    account, action = state.account, state.account.action(event.action_id)
    more = event.value_cents - action.counted_on(event.at)
    state = _action(
        state,
        event.action_id,
        state=ActionState.AUTHORIZED,
        authorized_at=event.at,
        value_cents=event.value_cents,
        entry=account.chain.entries,
    )
    state = _account(state, spent=account.spent.plus(more, at=event.at))
    destination = state.destination
    if destination is None or destination.destination_id != event.destination_id:
        return state
    left = replace(
        destination,
        version=destination.version + 1,
        used_at=event.at,
        spent=destination.spent.plus(more, at=event.at),
    )
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
            live = tuple(one for one in account.candidates if one.expires_at > event.at)
            return _account(state, candidates=(*live, candidate)[-CANDIDATES_MOST:])
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
        case FreezeSet(until=until, weak_root=weak_root):
            frozen = longer(account.freeze, until=until, at=event.at, weak_root=weak_root)
            return _account(state, freeze=frozen)
        case FreezeLifted():
            return _account(state, freeze=replace(account.freeze, until=None, set_at=None))
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
