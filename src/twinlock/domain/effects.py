"""What happens when an action is decided yes: its events, by type.

An exit is only authorized here; it is decided again when it is spent. Whatever changes how an
account is protected places its hold on every exit in the same decision (law 6).
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

import msgspec
from msgspec.structs import replace

from twinlock.domain.account import OpenAction, Session, State
from twinlock.domain.actions import (
    AccountErase,
    ApiKeyCreate,
    AuthenticatorRemove,
    ContactChange,
    DestinationAdd,
    SessionStart,
    type_of,
)
from twinlock.domain.ages import oldest_of_the_strongest
from twinlock.domain.api_keys import carrier, lapsed
from twinlock.domain.assurance import KNOWN, Factor, Level
from twinlock.domain.authenticators.model import Authenticator, Passkey, RecoveryCodes, Totp
from twinlock.domain.bounds import API_KEYS_MOST, SESSION_LIFETIME, WEAK_FREEZE_LENGTH
from twinlock.domain.catalogue import REPORTS, WITHDRAW_SCOPE, ActionType, Payload
from twinlock.domain.channels import Channel, ChannelKind
from twinlock.domain.errors import InvariantError, invariant
from twinlock.domain.events import (
    ActionAuthorized,
    ActionDone,
    ApiKeyRevoked,
    AuthenticatorBound,
    AuthenticatorReactivated,
    AuthenticatorRemoved,
    AuthenticatorSuspended,
    ChannelBound,
    ChannelRemoved,
    DestinationAdded,
    DestinationRemoved,
    Event,
    FreezeLifted,
    FreezeSet,
    HoldPlaced,
    SessionEnded,
    SessionStarted,
)
from twinlock.domain.exits import EXITS, AnyExit, Exit
from twinlock.domain.forgetting import first_version, versions_of
from twinlock.domain.freezes import for_ever, freezes_as, weak_root
from twinlock.domain.holds import Hold
from twinlock.domain.ids import AuthenticatorId, ChannelId, DestinationId, SessionId
from twinlock.domain.key_effects import create_key, narrow_key, revoke_key, widen_key
from twinlock.domain.laws import setting_up
from twinlock.domain.listed import Destination
from twinlock.domain.member_laws import alone, members_needed
from twinlock.domain.members import joins, leaves_for_good, root_name, seen_by, sets_quorum
from twinlock.domain.newcomers import (
    behind,
    comes_back,
    heir,
    in_place_of,
    proved_by,
    stood_on,
    suspended_until,
    undo,
)
from twinlock.domain.own_effects import (
    loosen_lock,
    lower_limits,
    own,
    raise_limits,
    set_word,
    tighten_lock,
)
from twinlock.domain.people import who_joins, who_leaves
from twinlock.domain.policy.facts import Facts
from twinlock.domain.policy.leaving import left_there, place_mac, where
from twinlock.domain.policy.statutes import Statutes
from twinlock.domain.policy.targets import reported
from twinlock.domain.signing_in import unusual_hold
from twinlock.domain.sim_changes import sms_at
from twinlock.domain.successors import looks

P = TypeVar("P", bound=Payload)
Effect: TypeAlias = Callable[[State, OpenAction, Facts, str], tuple[Event, ...]]


# These fall on the others', too, or rest on what those agree to.
_WHOLE = REPORTS | {ActionType.MEMBER_REMOVE, ActionType.MEMBER_ADD}


def effects(
    state: State, action: OpenAction, facts: Facts, *, statutes: Statutes, fresh: str
) -> tuple[Event, ...]:
    """Return the events of a yes. ``fresh`` is 26 random characters for an id that begins here."""
    kind = ActionType(type_of(action.payload))
    own = state if kind in _WHOLE else seen_by(state, action)
    events = (
        *_lapsed_gives_way(state, action, facts, statutes),
        *_EFFECTS[kind](own, action, facts, fresh),
    )
    unusual = unusual_hold(facts, statutes.scores_held(type_of(action.payload)))
    held = () if unusual is None else (HoldPlaced(at=facts.now, hold=unusual),)
    return (*events, *_holds(action, facts, statutes), *held, *_closing(action, facts, events))


def _lapsed_gives_way(
    state: State, action: OpenAction, facts: Facts, statutes: Statutes
) -> tuple[Event, ...]:
    """End a key that has lapsed where a new one finds no other place (law 10)."""
    keys = state.account.api_keys
    if not isinstance(action.payload, ApiKeyCreate) or len(keys) < API_KEYS_MOST:
        return ()
    gone = lapsed(keys, lapses=statutes.key_lapses, now=facts.now)
    return tuple(ApiKeyRevoked(at=facts.now, api_key_id=one.api_key_id) for one in gone[:1])


def _closing(action: OpenAction, facts: Facts, events: tuple[Event, ...]) -> tuple[Event, ...]:
    carried_out_later = isinstance(action.payload, AccountErase)  # As an exit is: by a command.
    if carried_out_later or any(isinstance(event, ActionAuthorized) for event in events):
        return ()
    return (ActionDone(at=facts.now, action_id=action.action_id),)


def _holds(action: OpenAction, facts: Facts, statutes: Statutes) -> tuple[Event, ...]:
    kind = type_of(action.payload)
    length = statutes.exits_held(kind)
    saved = kind == ActionType.SESSION_START and Factor.RECOVERY_CODE in facts.shown_factors
    if saved:
        # Prevents: a saved code that signs in, and a budget that leaves on that session alone. The
        # session is over when the hold is.
        length = max(length or SESSION_LIFETIME, SESSION_LIFETIME)
    elif kind == ActionType.SESSION_START and not facts.new_device:
        length = None
    if isinstance(action.payload, ApiKeyCreate) and WITHDRAW_SCOPE not in action.payload.scopes:
        length = None
    first = kind == ActionType.SESSION_START and facts.enrolling and not saved
    if first or (facts.enrolling and kind == ActionType.AUTHENTICATOR_BIND):
        return ()
    return hold_on_exits(kind, length, now=facts.now)


def session(
    state: State, action: OpenAction, *, read_only: bool, fresh: str, now: datetime
) -> SessionStarted:
    """Return the start of a session bound to the device key that the payload names."""
    payload = action.payload
    invariant(isinstance(payload, SessionStart), "a session starts by session.start")
    return SessionStarted(
        at=now,
        session=Session(
            # One that waited is named by its action: nothing new is drawn when its time comes.
            session_id=SessionId(f"ses_{fresh or action.action_id.rpartition('_')[2]}"),
            member_id=state.account.member_id,
            thumbprint=getattr(payload, "device"),  # noqa: B009 - narrowed by the invariant above
            started_at=now,
            seen_at=now,
            bound_at=_bound_at(state, action, now=now),
            read_only=read_only,
            entry=state.account.chain.entries,
            by=proved_by(state.account, action),
            behind=behind(state.account, action, now=now),
            risk=action.risk,
        ),
        visit=None if read_only else action.visit,
    )


def _bound_at(state: State, action: OpenAction, *, now: datetime) -> datetime:
    """Return the age of what signs in, or freezes: a session objects as its proof could.

    One that an imported passkey opened objects to nothing older than itself. Prevents: an older
    site's page, which has its visitors sign in here, and vetoes all that they do.
    """
    shown = tuple(one for one in action.shown if state.account.stands(one))
    if any(looks(state.account, one) for one in shown):
        return now
    return oldest_of_the_strongest(state.account, shown) or now


def _authorize(state: State, action: OpenAction, facts: Facts, _fresh: str) -> tuple[Event, ...]:
    payload = action.payload
    if not isinstance(payload, Exit):
        raise InvariantError("what leaves says where to")
    return (
        ActionAuthorized(
            at=facts.now,
            action_id=action.action_id,
            value_cents=facts.value_cents,
            destination_id=listed_for(state, payload),
            api_key_id=carrier(state.account, action, facts),
            place=place_mac(state.account, payload),
        ),
    )


def listed_for(state: State, payload: AnyExit) -> DestinationId | None:
    """Return the listed destination at hand to which ``payload`` leads, or None."""
    listed = state.destination
    if listed is None or listed.removed or where(listed) != where(payload):
        return None
    return state.destination_id


def _start_session(state: State, action: OpenAction, facts: Facts, fresh: str) -> tuple[Event, ...]:
    return (session(state, action, read_only=False, fresh=fresh, now=facts.now),)


def _bind(state: State, action: OpenAction, facts: Facts, _: str) -> tuple[Event, ...]:
    """Bind what was made; what stood in its place, a suspension included, is over."""
    candidate: Authenticator = msgspec.json.decode(action.secret, type=Authenticator)
    bound = replace(
        candidate,
        bound_at=facts.now,
        entry=state.account.chain.entries,
        born_of=_born_of(facts),
        by=stood_on(state.account, action),
        behind=behind(state.account, action, now=facts.now),
        suspension=None,
    )
    if isinstance(bound, Passkey | Totp):
        bound = replace(bound, seal=action.seal or bound.seal)
    return (
        *_replaced(state, bound, facts),
        AuthenticatorBound(at=facts.now, authenticator=bound),
        *_end_sessions(state, action, facts),
    )


def _replaced(state: State, new: Authenticator, facts: Facts) -> tuple[Event, ...]:
    """End the recovery codes whose place ``new`` takes: of two sets nobody knows which is which."""
    if not isinstance(new, RecoveryCodes):
        return ()
    return tuple(
        AuthenticatorRemoved(at=facts.now, authenticator_id=one.authenticator_id)
        for one in state.account.authenticators
        if isinstance(one, RecoveryCodes)
    )


def _born_of(facts: Facts) -> str:
    """Return the root that alone stands behind a binding; none while setting up, or behind two.

    A password is none, and so what it alone binds has none to be born of.
    """
    if setting_up(facts) or len(facts.shown_roots) > 1:
        return ""
    return next(iter(facts.shown_roots), KNOWN)


def _remove(state: State, action: OpenAction, facts: Facts, _: str) -> tuple[Event, ...]:
    payload = action.payload
    gone = AuthenticatorId(
        payload.authenticator_id if isinstance(payload, AuthenticatorRemove) else ""
    )
    removed = AuthenticatorRemoved(at=facts.now, authenticator_id=gone)
    return (removed, *_end_sessions(state, action, facts))


def _end_sessions(state: State, action: OpenAction, facts: Facts) -> tuple[Event, ...]:
    """End all other sessions on any change of factors (O-17); setting up, there are none."""
    return tuple(
        SessionEnded(at=facts.now, session_id=one.session_id)
        for one in state.account.sessions
        if one.session_id != action.session_id
    )


def _add_destination(state: State, action: OpenAction, facts: Facts, _: str) -> tuple[Event, ...]:
    payload = own(action, DestinationAdd)
    invariant(may_list(state, action), "the destination is new, or its stream is at hand")
    account = state.account
    before = state.destination if state.destination_id == action.secret else None
    return (
        DestinationAdded(
            at=facts.now,
            destination=Destination(
                destination_id=DestinationId(action.secret),
                account_id=state.account.account_id,
                version=first_version(account) if before is None else before.version + 1,
                added_at=facts.now,
                action_id=action.action_id,
                entry=state.account.chain.entries,
                proved_by=facts.shown_factors,
                by=stood_on(state.account, action),
                sms_at=sms_at(state.account, action),
                behind=behind(state.account, action, now=facts.now),
                usable_at=facts.now,
                # Prevents: listing it again to have the day's budget twice.
                spent=left_there(account, payload, facts.now) if before is None else before.spent,
                **_named(payload),
            ),
        ),
    )


def _named(payload: Any) -> dict[str, Any]:  # noqa: ANN401 - the fields both structs share
    return {
        name: getattr(payload, name)
        for name in ("network", "address", "memo", "label", "budget_cents")
    }


def may_list(state: State, action: OpenAction) -> bool:
    """Say whether the destination of ``action`` can be listed by a command that holds ``state``.

    A new one can always: the account's lock guards its name. One that was listed before is written
    over, so its own stream must be at hand.
    """
    at_hand = state.destination_id == action.secret
    return at_hand or DestinationId(action.secret) not in versions_of(state.account)


def _check_at_hand(state: State, action: OpenAction) -> None:
    invariant(state.destination_id == action.secret, "the destination's stream is at hand")


def _remove_destination(
    state: State, action: OpenAction, facts: Facts, _fresh: str
) -> tuple[Event, ...]:
    _check_at_hand(state, action)
    if state.destination is None:
        return ()  # Never listed: what was asked for is so.
    return (DestinationRemoved(at=facts.now, destination_id=DestinationId(action.secret)),)


# --- Lost, stolen, found, never mine ---


def _suspend(state: State, action: OpenAction, facts: Facts, _: str) -> tuple[Event, ...]:
    """Suspend for good at the floor, else for a while; what it signed in ends."""
    target = reported(state.account, action.payload)
    if not isinstance(target, Authenticator):
        raise InvariantError("what is suspended is bound")
    weak = facts.shown_level < max(facts.floor, Level.KNOWLEDGE)
    suspended = AuthenticatorSuspended(
        at=facts.now,
        authenticator_id=target.authenticator_id,
        until=suspended_until(target, weak=weak, now=facts.now),
        for_good=not weak,
        weak_root=weak_root(facts.shown_roots) if weak else "",
    )
    return (
        suspended,
        *(
            SessionEnded(at=facts.now, session_id=one.session_id)
            for one in state.account.sessions
            if target.entry in one.by
        ),
    )


def _reactivate(state: State, action: OpenAction, facts: Facts, _: str) -> tuple[Event, ...]:
    named = AuthenticatorId(getattr(action.payload, "authenticator_id", ""))
    found = AuthenticatorReactivated(at=facts.now, authenticator_id=named)
    return (found, *_end_sessions(state, action, facts))


def _repudiate(state: State, action: OpenAction, facts: Facts, _: str) -> tuple[Event, ...]:
    target = reported(state.account, action.payload)
    if target is None:
        raise InvariantError("what is repudiated is bound")
    return undo(
        state.account, target.entry, since=target.bound_at, level=facts.shown_level, now=facts.now
    )


# --- Holds, channels, freezes ---


def _join(state: State, action: OpenAction, facts: Facts, _: str) -> tuple[Event, ...]:
    several = members_needed(facts) > 1
    return who_joins(state.account, action, several=several, now=facts.now)


def _leave(_: State, action: OpenAction, facts: Facts, _fresh: str) -> tuple[Event, ...]:
    return who_leaves(action, now=facts.now)


def hold_on_exits(kind: str, length: timedelta | None, *, now: datetime) -> tuple[Event, ...]:
    """Return the hold of ``length`` on every exit, or none."""
    if not length:
        return ()
    return (HoldPlaced(at=now, hold=Hold(because=kind, placed_at=now, ends_at=now + length)),)


def _change_contact(state: State, action: OpenAction, facts: Facts, _: str) -> tuple[Event, ...]:
    payload = action.payload
    if not isinstance(payload, ContactChange):
        raise InvariantError("a channel is changed by contact.change")
    old = state.account.channel(payload.channel_id)
    if not payload.new_address:
        gone = ChannelRemoved(at=facts.now, channel_id=ChannelId(payload.channel_id))
        back = comes_back(state.account, payload.channel_id, now=facts.now)
        kept = back or heir(state.account, payload.channel_id, now=facts.now)
        bound = () if kept is None else (ChannelBound(at=facts.now, channel=kept),)
        return (*bound, gone, *_end_sessions(state, action, facts))
    new = Channel(
        channel_id=ChannelId(action.secret),
        kind=ChannelKind(payload.new_kind),
        address=payload.new_address,
        bound_at=facts.now,
        entry=state.account.chain.entries,
        by=stood_on(state.account, action),
        behind=behind(state.account, action, now=facts.now),
        known_only=_born_of(facts) == KNOWN,
    )
    made = new if old is None else in_place_of(state.account, old, new, now=facts.now)
    return (ChannelBound(at=facts.now, channel=made), *_end_sessions(state, action, facts))


def _set_freeze(state: State, action: OpenAction, facts: Facts, _: str) -> tuple[Event, ...]:
    bound_at = _bound_at(state, action, now=facts.now)
    strong = facts.shown_level >= max(facts.floor, Level.KNOWLEDGE)
    if strong and not alone(facts):
        return (FreezeSet(at=facts.now, until=for_ever(facts.now), bound_at=bound_at),)
    name = freezes_as(facts.shown_roots, facts.shown_factors)
    if strong:
        name = root_name(action.member_id)
    until = facts.now + WEAK_FREEZE_LENGTH
    return (FreezeSet(at=facts.now, until=until, weak_root=name, bound_at=bound_at),)


def _lift_freeze(_: State, _action: OpenAction, facts: Facts, _fresh: str) -> tuple[Event, ...]:
    return (FreezeLifted(at=facts.now),)


def _erase_later(_: State, _action: OpenAction, _facts: Facts, _fresh: str) -> tuple[Event, ...]:
    return ()


_EFFECTS: Mapping[ActionType, Effect] = MappingProxyType(
    {
        **dict.fromkeys(map(ActionType, EXITS), _authorize),
        ActionType.SESSION_START: _start_session,
        ActionType.AUTHENTICATOR_BIND: _bind,
        ActionType.AUTHENTICATOR_REMOVE: _remove,
        ActionType.AUTHENTICATOR_SUSPEND: _suspend,
        ActionType.AUTHENTICATOR_REACTIVATE: _reactivate,
        ActionType.AUTHENTICATOR_REPUDIATE: _repudiate,
        ActionType.CONTACT_CHANGE: _change_contact,
        ActionType.CONTACT_REPUDIATE: _repudiate,
        ActionType.PASSWORD_CHANGE: _bind,
        ActionType.PASSWORD_RESET: _bind,
        ActionType.NOTICE_WORD_SET: set_word,
        ActionType.DESTINATION_ADD: _add_destination,
        ActionType.DESTINATION_REMOVE: _remove_destination,
        ActionType.TRUSTED_CONTACT_ADD: _join,
        ActionType.TRUSTED_CONTACT_REMOVE: _leave,
        ActionType.MEMBER_ADD: joins,
        ActionType.MEMBER_REMOVE: leaves_for_good,
        ActionType.QUORUM_TIGHTEN: sets_quorum,
        ActionType.QUORUM_LOOSEN: sets_quorum,
        ActionType.LIMIT_RAISE: raise_limits,
        ActionType.LIMIT_LOWER: lower_limits,
        ActionType.LOCK_TIGHTEN: tighten_lock,
        ActionType.LOCK_LOOSEN: loosen_lock,
        ActionType.API_KEY_CREATE: create_key,
        ActionType.API_KEY_WIDEN: widen_key,
        ActionType.API_KEY_NARROW: narrow_key,
        ActionType.API_KEY_REVOKE: revoke_key,
        ActionType.FREEZE_SET: _set_freeze,
        ActionType.FREEZE_LIFT: _lift_freeze,
        ActionType.ACCOUNT_ERASE: _erase_later,
    }
)
