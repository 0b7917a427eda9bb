"""Who is told what: a function of a decision's events.

A change that weakens protection is announced on every channel that existed before it (law 5). A
notice says what happens, when, and how to stop it; its words belong to the edge that sends it.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from msgspec.structs import replace

from twinlock.domain.account import Account, ActionState, OpenAction, Shown
from twinlock.domain.actions import ContactChange, type_of
from twinlock.domain.api_keys import refusal_to_tell
from twinlock.domain.assurance import Factor
from twinlock.domain.attempts import attempt_to_tell
from twinlock.domain.bounds import (
    CHALLENGE_LIFETIME,
    ERASURE_LIFETIME,
    NEWCOMER_PERIOD,
    NOTICE_LIFETIME,
    OPEN_ACTION_LIFETIME,
)
from twinlock.domain.catalogue import ActionType
from twinlock.domain.channels import Channel, ChannelKind
from twinlock.domain.discreet import Discreet
from twinlock.domain.disputes import instant
from twinlock.domain.events import (
    AccountOpened,
    ActionAuthorized,
    ActionHeld,
    ActionProposed,
    ActionRefused,
    ActionVetoed,
    ApiKeyChanged,
    ApiKeyCreated,
    ApiKeyLapses,
    ApiKeyRevoked,
    AuthenticatorBound,
    AuthenticatorReactivated,
    AuthenticatorRemoved,
    AuthenticatorSuspended,
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
    IntegratorRevoked,
    LimitsSet,
    LockSet,
    MemberJoined,
    MemberLeft,
    NewcomerRepudiated,
    NoticeWordChanged,
    ProofAccepted,
    ProofRefused,
    QuorumSet,
    SessionStarted,
)
from twinlock.domain.floods import rung, under_flood
from twinlock.domain.ids import ChannelId
from twinlock.domain.newcomers import is_older, links, narrows
from twinlock.domain.outside_events import (
    AccountReleased,
    AccountSuspended,
    ChannelsFlooded,
    CodesFlooded,
    DataExported,
    SignalReceived,
    SimChanged,
)
from twinlock.domain.throttle import UNREAD, can_be_guessed


class NoticeKind(StrEnum):
    """What happened, from the customer's side."""

    WAITING = "waiting"  # something takes effect at ``until``; it can be vetoed
    DONE = "done"
    LEFT = "left"  # money may leave now
    VETOED = "vetoed"
    CONTESTED = "contested"  # somebody said no twice: it stands still, and is over at ``until``
    DECIDED = "decided"  # a third authenticator decided for what was contested
    REFUSED = "refused"
    SIGNED_IN = "signed_in"
    ATTEMPT = "attempt"  # somebody gave a wrong proof
    CODE = "code"
    RECOVERY_CODE = "recovery_code"  # one of the saved codes was used up
    FLOOD = "flood"  # somebody asks for more codes than are sent
    MANY = "many"  # so much was told in an hour that what counts may be missed
    EXPORTED = "exported"  # somebody got a copy of everything that is held
    LAPSES = "lapses"  # an API key ends soon, unless it is used or bound before
    SIM_CHANGED = "sim_changed"  # codes by SMS count nothing for a week
    SIGNALLED = "signalled"  # somebody else may read a channel, have a key, or worse


class Notice(Discreet, frozen=True, kw_only=True, omit_defaults=True):
    """One message to some channels of one account. ``until`` is UTC.

    ``gone`` are channels that are told once more, or for the first time, though the account does
    not hold them: the one that goes hears that it went, the one that comes gets its code. Up to
    ``undo_until`` the channels that are old enough can repudiate what was bound. ``narrows`` says
    that nothing is left off the phone then.
    """

    HIDDEN = frozenset({"code", "word"})

    kind: NoticeKind
    what: str
    at: datetime
    channels: tuple[ChannelId, ...]
    action_id: str = ""
    until: datetime | None = None
    code: str = ""
    gone: tuple[Channel, ...] = ()
    undo_until: datetime | None = None
    narrows: bool = False
    word: str | None = None  # in its messages; None: the account's when they are sent
    longer: bool = False  # it waited before, and no word of that arrived


_KINDS: Mapping[type, NoticeKind] = MappingProxyType(
    {
        ActionHeld: NoticeKind.WAITING,
        ActionAuthorized: NoticeKind.LEFT,
        ActionVetoed: NoticeKind.VETOED,
        ContestOpened: NoticeKind.CONTESTED,
        ContestDecided: NoticeKind.DECIDED,
        ActionRefused: NoticeKind.REFUSED,
        SessionStarted: NoticeKind.SIGNED_IN,
        ProofRefused: NoticeKind.ATTEMPT,
        ProofAccepted: NoticeKind.RECOVERY_CODE,
        FreezeSet: NoticeKind.DONE,
        FreezeLifted: NoticeKind.DONE,
        AuthenticatorBound: NoticeKind.DONE,
        AuthenticatorRemoved: NoticeKind.DONE,
        AuthenticatorSuspended: NoticeKind.DONE,
        AuthenticatorReactivated: NoticeKind.DONE,
        ChannelBound: NoticeKind.DONE,
        ChannelRemoved: NoticeKind.DONE,
        NewcomerRepudiated: NoticeKind.DONE,
        LimitsSet: NoticeKind.DONE,
        LockSet: NoticeKind.DONE,
        NoticeWordChanged: NoticeKind.DONE,
        ContactJoined: NoticeKind.DONE,
        ContactLeft: NoticeKind.DONE,
        MemberJoined: NoticeKind.DONE,
        MemberLeft: NoticeKind.DONE,
        QuorumSet: NoticeKind.DONE,
        DestinationAdded: NoticeKind.DONE,
        DestinationRemoved: NoticeKind.DONE,
        ApiKeyCreated: NoticeKind.DONE,
        ApiKeyChanged: NoticeKind.DONE,
        ApiKeyRevoked: NoticeKind.DONE,
        IntegratorRevoked: NoticeKind.DONE,
        ApiKeyLapses: NoticeKind.LAPSES,
        CodesFlooded: NoticeKind.FLOOD,
        SimChanged: NoticeKind.SIM_CHANGED,
        SignalReceived: NoticeKind.SIGNALLED,
        DataExported: NoticeKind.EXPORTED,
        AccountSuspended: NoticeKind.DONE,
        AccountReleased: NoticeKind.DONE,
    }
)

# What changes nothing, and what a session alone may do again and again, and only protects more: in
# a flood it is told by the one message which says that there is one.
_NOTHING = frozenset({NoticeKind.REFUSED, NoticeKind.ATTEMPT})
_TIGHTER = frozenset(
    {
        ActionType.API_KEY_REVOKE,
        ActionType.DESTINATION_REMOVE,
        ActionType.LIMIT_LOWER,
        ActionType.LOCK_TIGHTEN,
    }
)


def notices(
    before: Account, *, what: str, action_id: str, events: tuple[Event, ...]
) -> tuple[Notice, ...]:
    """Return the notices that ``events`` cause, to the channels that existed before them.

    What an account is opened with is no news to anybody. Prevents: a letter to each of a million
    customers whom a platform moves in.
    """
    if any(isinstance(event, AccountOpened) for event in events):
        return ()
    channels = tuple(channel.channel_id for channel in before.channels)
    proved = _proved(before, events) or _tried(before, events)
    told = {_KINDS[type(event)]: event for event in events if _tells(event, proved=proved)}
    undone = next((event for event in events if isinstance(event, NewcomerRepudiated)), None)
    if undone is not None:  # All that is undone follows from it.
        told[NoticeKind.DONE] = undone
    told = _fewer(before, what, events, told)
    gone = _gone(before, events)
    direct = tuple(
        Notice(
            kind=kind,
            what=what,
            at=event.at,
            channels=_others(channels, event),
            action_id=action_id,
            until=_ends_at(event),
            gone=gone,
            undo_until=_undo_until(before, event),
            narrows=_narrows(before, event, gone),
            word=_old_word(before, event),
            longer=isinstance(event, ActionHeld) and event.lengthened,
        )
        for kind, event in told.items()
        if channels
    )
    return (*direct, *_still_waiting(before, action_id=action_id, events=events))


def folds(kind: NoticeKind, what: str) -> bool:
    """Say whether in a flood such a notice is not sent by itself."""
    return kind in _NOTHING or (kind is NoticeKind.DONE and what in _TIGHTER)


def _fewer(
    before: Account, what: str, events: tuple[Event, ...], told: dict[NoticeKind, Event]
) -> dict[NoticeKind, Event]:
    """Return what is told of ``told`` in a flood, in which much is folded into one message.

    That one comes with what begins a flood, once a day. Prevents: a stolen session that lowers a
    limit by a cent a hundred times, so that we ourselves bury the one change that waits.
    """
    counted = before.rings
    for event in events:
        if isinstance(event, ChannelsFlooded):
            counted = under_flood(counted, event.at)
        elif rings(before, event, events):
            counted = rung(counted, event.at, entry=before.chain.entries)
    left = told
    if events and before.rings.flooded(events[0].at):
        left = {kind: event for kind, event in told.items() if not folds(kind, what)}
    if counted.told_at == before.rings.told_at:
        return left
    return {**left, NoticeKind.MANY: events[-1]}


def rings(account: Account, event: Event, among: tuple[Event, ...] = ()) -> bool:
    """Say whether ``event`` counts as told; ``among`` are those that were decided with it.

    What nobody proved does not, though it may be told once a day: strangers make no flood. Neither
    does what an API key has leave. Prevents: a program that pays a hundred people in an hour, and
    whose owner's every change waits twice as long.
    """
    match event:
        case ActionAuthorized(api_key_id=key):
            return key is None
        case ActionRefused(action_id=refused):
            return any(one.factor is not Factor.API_KEY for one in _shown(account, refused, among))
        case _:
            return _tells(event, proved=True)


def _shown(account: Account, action_id: str, among: tuple[Event, ...]) -> Iterator[Shown]:
    for action in account.actions:
        if action.action_id == action_id:
            yield from action.shown
    for event in among:
        if isinstance(event, ProofAccepted) and event.action_id == action_id:
            yield event.shown


def _ends_at(event: Event) -> datetime | None:
    if isinstance(event, ContestOpened):
        return instant(event.contest.ends_at)
    if isinstance(event, AccountSuspended):
        return event.suspension.until(event.at)
    ends = ActionHeld | FreezeSet | AuthenticatorSuspended | ApiKeyLapses
    return event.until if isinstance(event, ends) else _signal_until(event)


def _old_word(before: Account, event: Event) -> str | None:
    """Return the word by which whoever is told of a new one knows the message: the old one.

    Prevents: a thief who sets a word, and whose own choice vouches for the message that tells it.
    """
    if not isinstance(event, NoticeWordChanged):
        return None
    return "" if before.notice_word is None else before.notice_word.text


def _others(channels: tuple[ChannelId, ...], event: Event) -> tuple[ChannelId, ...]:
    """Return who is told: of a signal not the channel that it speaks of, where there is another.

    Prevents: whoever took over a mailbox, and reads there first that we know.
    """
    if not isinstance(event, SignalReceived):
        return channels
    return tuple(one for one in channels if one not in event.muted) or channels


def _signal_until(event: Event) -> datetime | None:
    return event.warned_until or event.muted_until if isinstance(event, SignalReceived) else None


def _still_waiting(
    before: Account, *, action_id: str, events: tuple[Event, ...]
) -> Iterator[Notice]:
    """Give a notice of each action that waits to the channels that ``events`` bring back.

    Prevents: a thief who takes the owner's only address away, has a listing wait meanwhile, and is
    undone: the address is back, can veto it, and hears of it when it is done.
    """
    known = {link.channel_id: at for at in before.channels for link in links(at) if link is not at}
    bound = [one.channel for one in events if isinstance(one, ChannelBound)]
    back = tuple(one for one in bound if one.channel_id in known)
    if not back:
        return
    left = {one.channel_id for one in events if isinstance(one, ChannelRemoved)}
    stay = (one for one in before.channels if one.channel_id not in left)
    after = replace(before, channels=(*stay, *bound))
    now = events[0].at
    for action in before.actions:
        ends = [end for end in (action.until, action.offered_until) if end is not None]
        waits = action.state is ActionState.OPEN and action.action_id != action_id
        if not ends or not waits:
            continue
        yield Notice(
            kind=NoticeKind.WAITING,
            what=type_of(action.payload),
            at=now,
            channels=tuple(one.channel_id for one in back),
            action_id=action.action_id,
            until=min((end for end in ends if end > now), default=max(ends)),
            narrows=_would_narrow(after, action),
        )


def _proved(before: Account, events: tuple[Event, ...]) -> bool:
    """Say whether a proof is worth telling its refusal: of an API key's once a day.

    Prevents: a stolen key that may do nothing, and sends its owner a letter every two seconds.
    """
    shown = [event for event in events if isinstance(event, ProofAccepted)]
    if any(event.shown.factor is not Factor.API_KEY for event in shown):
        return True
    return any(refusal_to_tell(before, now=event.at) for event in shown)


def _tried(before: Account, events: tuple[Event, ...]) -> bool:
    """Say whether ``events`` refuse what nothing was shown for, and the owner is to hear of it."""
    new = tuple(event.action for event in events if isinstance(event, ActionProposed))
    refused = {event.action_id: event.at for event in events if isinstance(event, ActionRefused)}
    shown = {event.action_id for event in events if isinstance(event, ProofAccepted)}
    over = (one for one in (*before.actions, *new) if one.action_id in refused.keys() - shown)
    return any(attempt_to_tell(before, one, now=refused[one.action_id]) for one in over)


def code_notice(action: OpenAction, *, code: str, channel: ChannelId, at: datetime) -> Notice:
    """Return the message that takes ``code`` to ``channel``, also where ``action`` would add it."""
    payload = action.payload
    gone: tuple[Channel, ...] = ()
    if isinstance(payload, ContactChange) and channel == action.secret:
        new = Channel(
            channel_id=channel,
            kind=ChannelKind(payload.new_kind),
            address=payload.new_address,
            bound_at=action.proposed_at,
        )
        gone = (new,)
    return Notice(
        kind=NoticeKind.CODE,
        what=type_of(payload),
        at=at,
        channels=(channel,),
        action_id=action.action_id,
        until=at + CHALLENGE_LIFETIME,
        code=code,
        gone=gone,
    )


def is_outdated(notice: Notice, *, now: datetime) -> bool:
    """Say whether it is too late at ``now`` to send ``notice``.

    It is not while a channel can still stop what waits, which is until that lapses, or undo what
    was bound. A code opens nothing after its time.
    Prevents: old messages that somebody puts back into the outbox, which then go out again.
    """
    match notice.kind:
        case NoticeKind.CODE | NoticeKind.CONTESTED:
            last = notice.until or notice.at
        case NoticeKind.WAITING:
            erasing = notice.what == ActionType.ACCOUNT_ERASE
            lifetime = ERASURE_LIFETIME if erasing else OPEN_ACTION_LIFETIME
            last = (notice.until or notice.at) + lifetime
        case _:
            last = max(notice.at + NOTICE_LIFETIME, notice.undo_until or notice.at)
    return now > last


def _gone(before: Account, events: tuple[Event, ...]) -> tuple[Channel, ...]:
    """Return the channels that ``events`` take away: they are told where they led.

    Prevents: a replaced address that never hears of it, since nothing is sent to what is gone.
    """
    names = {one.channel_id for one in events if isinstance(one, ChannelRemoved)}
    for event in events:
        if isinstance(event, ChannelBound) and event.channel.replaced is not None:
            names.add(event.channel.replaced.channel_id)
    return tuple(one for one in before.channels if one.channel_id in names)


def _undo_until(before: Account, event: Event) -> datetime | None:
    """Return until when what ``event`` bound can be repudiated, if some channel is older."""
    if not isinstance(event, AuthenticatorBound | ChannelBound):
        return None
    if not any(is_older(one.bound_at, event.at) for one in before.channels):
        return None
    return event.at + NEWCOMER_PERIOD


def _narrows(before: Account, event: Event, gone: tuple[Channel, ...]) -> bool:
    """Say whether ``event`` takes, or would take, the last channel that lives off the phone."""
    named: set[str] = {one.channel_id for one in gone}
    new: Channel | None = event.channel if isinstance(event, ChannelBound) else None
    kind = "" if new is None else new.kind.value
    if isinstance(event, ActionHeld):
        held = (one for one in before.actions if one.action_id == event.action_id)
        return any(_would_narrow(before, one) for one in held)
    return narrows(before, named, kind)


def _would_narrow(account: Account, action: OpenAction) -> bool:
    payload = action.payload
    if not isinstance(payload, ContactChange):
        return False
    return narrows(account, {payload.channel_id}, payload.new_kind)


def _tells(event: Event, *, proved: bool) -> bool:
    """Say whether ``event`` is worth a word: nobody without a proof can cause many.

    An attempt is told where it may have been a guess that was read, and the throttle bounds those;
    a refusal where something was shown; a proof where it used something up. Prevents: a flood that
    hides the one notice that counts.
    """
    match event:
        case ProofRefused(factor=factor, fault=fault):
            return can_be_guessed(factor) and fault not in UNREAD
        case ProofAccepted(used_code=used_code):
            return bool(used_code)
        case ActionRefused():
            return proved
        case SignalReceived(told=told):
            return told
        case _:
            return type(event) in _KINDS
