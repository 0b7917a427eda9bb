"""Who is told what: a function of a decision's events.

A change that weakens protection is announced on every channel that existed before it (law 5). A
notice says what happens, when, and how to stop it; its words belong to the edge that sends it.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from twinlock.domain.account import Account
from twinlock.domain.discreet import Discreet
from twinlock.domain.events import (
    ActionAuthorized,
    ActionHeld,
    ActionRefused,
    ActionVetoed,
    ApiKeyCreated,
    ApiKeyRevoked,
    AuthenticatorBound,
    AuthenticatorRemoved,
    CodesFlooded,
    DataExported,
    DestinationAdded,
    DestinationRemoved,
    Event,
    FreezeLifted,
    FreezeSet,
    ProofAccepted,
    ProofRefused,
    SessionStarted,
    SimChanged,
)
from twinlock.domain.ids import ChannelId
from twinlock.domain.throttle import UNREAD, can_be_guessed


class NoticeKind(StrEnum):
    """What happened, from the customer's side."""

    WAITING = "waiting"  # something takes effect at ``until``; it can be vetoed
    DONE = "done"
    LEFT = "left"  # money may leave now
    VETOED = "vetoed"
    REFUSED = "refused"
    SIGNED_IN = "signed_in"
    ATTEMPT = "attempt"  # somebody gave a wrong proof
    CODE = "code"
    RECOVERY_CODE = "recovery_code"  # one of the saved codes was used up
    FLOOD = "flood"  # somebody asks for more codes than are sent
    EXPORTED = "exported"  # somebody got a copy of everything that is held
    SIM_CHANGED = "sim_changed"  # codes by SMS count nothing for a week


class Notice(Discreet, frozen=True, kw_only=True, omit_defaults=True):
    """One message to some channels of one account. ``until`` is UTC."""

    HIDDEN = frozenset({"code"})

    kind: NoticeKind
    what: str
    at: datetime
    channels: tuple[ChannelId, ...]
    action_id: str = ""
    until: datetime | None = None
    code: str = ""


_KINDS: Mapping[type, NoticeKind] = MappingProxyType(
    {
        ActionHeld: NoticeKind.WAITING,
        ActionAuthorized: NoticeKind.LEFT,
        ActionVetoed: NoticeKind.VETOED,
        ActionRefused: NoticeKind.REFUSED,
        SessionStarted: NoticeKind.SIGNED_IN,
        ProofRefused: NoticeKind.ATTEMPT,
        ProofAccepted: NoticeKind.RECOVERY_CODE,
        FreezeSet: NoticeKind.DONE,
        FreezeLifted: NoticeKind.DONE,
        AuthenticatorBound: NoticeKind.DONE,
        AuthenticatorRemoved: NoticeKind.DONE,
        DestinationAdded: NoticeKind.DONE,
        DestinationRemoved: NoticeKind.DONE,
        ApiKeyCreated: NoticeKind.DONE,
        ApiKeyRevoked: NoticeKind.DONE,
        CodesFlooded: NoticeKind.FLOOD,
        SimChanged: NoticeKind.SIM_CHANGED,
        DataExported: NoticeKind.EXPORTED,
    }
)


def notices(
    before: Account, *, what: str, action_id: str, events: tuple[Event, ...]
) -> tuple[Notice, ...]:
    """Return the notices that ``events`` cause, to the channels that existed before them."""
    channels = tuple(channel.channel_id for channel in before.channels)
    proved = any(isinstance(event, ProofAccepted) for event in events)
    told = {_KINDS[type(event)]: event for event in events if _tells(event, proved=proved)}
    return tuple(
        Notice(
            kind=kind,
            what=what,
            at=event.at,
            channels=channels,
            action_id=action_id,
            until=event.until if isinstance(event, ActionHeld | FreezeSet) else None,
        )
        for kind, event in told.items()
        if channels
    )


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
        case _:
            return type(event) in _KINDS
