"""What a decision ends of other open actions: each is vetoed before it, in its own decision."""

from collections.abc import Iterable

import msgspec

from twinlock.domain.account import Account, OpenAction, State
from twinlock.domain.actions import (
    AnyPayload,
    ApiKeyCreate,
    ApiKeyNarrow,
    ApiKeyWiden,
    AuthenticatorBind,
    ContactChange,
    DestinationAdd,
    DestinationRemove,
    LimitRaise,
    LockLoosen,
    PasswordChange,
    PasswordReset,
    QuorumLoosen,
)
from twinlock.domain.api_keys import ended_with, stopped
from twinlock.domain.authenticators.model import Authenticator, Password, same
from twinlock.domain.decisions import Decision
from twinlock.domain.events import (
    ActionDone,
    ActionProposed,
    IntegratorRevoked,
    LimitsSet,
    LockSet,
    MemberLeft,
    NewcomerRepudiated,
    QuorumSet,
)
from twinlock.domain.ids import ApiKeyId
from twinlock.domain.newcomers import links, struck_by
from twinlock.domain.policy.leaving import where


def struck(state: State, decision: Decision, after: Account) -> tuple[OpenAction, ...]:
    """Return the open actions of ``state`` that cannot stand beside ``decision``.

    ``after`` is the account as it leaves it. Prevents: an address that its owner removed while it
    waited, and that is listed the next day; what a thief proved with something that was repudiated
    since; what a dead key signed, in the place of what its owner wants; and a passkey, a channel
    or an API key that is taken away, and that a second binding of the same brings back.
    """
    account = state.account
    if not account.actions:
        return ()
    gone = frozenset(
        entry
        for event in decision.events
        if isinstance(event, NewcomerRepudiated)
        for entry in event.entries
    )
    payload = _done(state, decision)
    left = {one.member_id for one in decision.events if isinstance(one, MemberLeft)}
    every = (
        *(one for one in account.actions if one.member_id in left),
        *ended_with(account, (*_dead_keys(account, after), *_bound_elsewhere(account, payload))),
        *_built_on(account, decision),
        *_brought_back(account, after, gone),
        *_listed_again(account, payload),
        *_weakened_again(account, decision, payload),
        *_of_integrator(account, decision),
        *_widened_again(account, payload),
    )
    named = {one.action_id for one in every} - {decision.action_id}
    return tuple(one for one in account.actions if one.action_id in named)


def _dead_keys(account: Account, after: Account) -> Iterable[ApiKeyId]:
    """Give the keys that a decision revokes or stops."""
    alive = {one.api_key_id for one in after.api_keys if not stopped(after, one)}
    return (
        one.api_key_id
        for one in account.api_keys
        if one.api_key_id not in alive and not stopped(account, one)
    )


def _bound_elsewhere(account: Account, payload: AnyPayload | None) -> Iterable[ApiKeyId]:
    """Give the key that is narrowed to fewer networks: what it signed was signed from anywhere.

    Prevents: what a stolen key signed while exits were held, and that leaves after its owner has
    bound it to their own address.
    """
    if not isinstance(payload, ApiKeyNarrow):
        return ()
    named = (one for one in account.api_keys if one.api_key_id == payload.api_key_id)
    return (one.api_key_id for one in named if one.ip_list != payload.ip_list)


def _built_on(account: Account, decision: Decision) -> Iterable[OpenAction]:
    for event in decision.events:
        if isinstance(event, NewcomerRepudiated):
            yield from struck_by(account, event)


def _of_integrator(account: Account, decision: Decision) -> Iterable[OpenAction]:
    """Give the creations of keys that wait, and are of an integrator that was revoked."""
    gone = {one.integrator for one in decision.events if isinstance(one, IntegratorRevoked)}
    return (
        one
        for one in account.actions
        if isinstance(one.payload, ApiKeyCreate) and one.payload.integrator in gone
    )


def _widened_again(account: Account, payload: AnyPayload | None) -> Iterable[OpenAction]:
    """Give what would widen a key that is narrowed meanwhile: whoever narrows it wants less."""
    if not isinstance(payload, ApiKeyNarrow):
        return ()
    return (
        one
        for one in account.actions
        if isinstance(one.payload, ApiKeyWiden) and one.payload.api_key_id == payload.api_key_id
    )


def _listed_again(account: Account, payload: AnyPayload | None) -> Iterable[OpenAction]:
    if not isinstance(payload, DestinationRemove):
        return ()
    return (
        one
        for one in account.actions
        if isinstance(one.payload, DestinationAdd) and where(one.payload) == where(payload)
    )


def _weakened_again(
    account: Account, decision: Decision, payload: AnyPayload | None
) -> Iterable[OpenAction]:
    """Give the raises, or loosenings, asked for before limits, or the lock, were tightened.

    Prevents: a limit that its owner lowers in alarm, and that a raise of before lifts the next day;
    and sums that a repudiation undid, which a raise that was asked for meanwhile names once more.
    """
    pairs = (LimitsSet, LimitRaise), (LockSet, LockLoosen), (QuorumSet, QuorumLoosen)
    for event, form in pairs:
        if isinstance(payload, form) or not any(isinstance(one, event) for one in decision.events):
            continue
        yield from (one for one in account.actions if isinstance(one.payload, form))


def _brought_back(account: Account, after: Account, gone: frozenset[int]) -> Iterable[OpenAction]:
    """Give what would bind once more what was taken away, or what ``gone`` entries bound."""
    stays = {one.authenticator_id for one in after.authenticators if one.entry not in gone}
    taken = [one for one in account.authenticators if one.authenticator_id not in stays]
    led = {
        (link.kind, link.address)
        for one in account.channels
        for link in links(one)
        if link is one or link.entry in gone
    } - {(one.kind, one.address) for one in after.channels}
    dead = {one.public_key for one in account.api_keys} - {one.public_key for one in after.api_keys}
    if not (taken or led or dead):
        return
    for action in account.actions:
        match action.payload:
            case AuthenticatorBind() | PasswordChange() | PasswordReset():
                made: Authenticator = msgspec.json.decode(action.secret, type=Authenticator)
                again = any(_sets_again(action, made, one, after) for one in taken)
            case ContactChange(new_kind=kind, new_address=address):
                again = (kind, address) in led
            case ApiKeyCreate(public_key=public_key):
                again = public_key in dead
            case _:
                again = False
        if again:
            yield action


def _sets_again(
    action: OpenAction, made: Authenticator, taken: Authenticator, after: Account
) -> bool:
    """Say whether ``action`` would bind ``taken`` once more by binding ``made``.

    Any password stands for a removed one. One that is undone stays, suspended, and may be replaced
    by what was asked for after it was set. Prevents: an owner's own reset that his "not me" of a
    thief's password strikes, so that hers is live again when its suspension lapses.
    """
    stays = after.authenticator(taken.authenticator_id)
    if isinstance(stays, Password) and isinstance(made, Password):
        return action.proposed_at < taken.bound_at
    return same(taken, made)


def _done(state: State, decision: Decision) -> AnyPayload | None:
    """Return the payload of what took effect, whether it stood open before or not."""
    if not any(isinstance(event, ActionDone) for event in decision.events):
        return None
    new = (one.action for one in decision.events if isinstance(one, ActionProposed))
    every = (*state.account.actions, *new)
    return next(one.payload for one in every if one.action_id == decision.action_id)
