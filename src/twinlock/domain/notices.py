"""Who is told what: a function of a decision's events.

A change that weakens protection is announced on every channel that existed before it (law 5). A
notice says what happens, when, and how to stop it; its words belong to the edge that sends it.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

import msgspec

from twinlock.domain.account import Account
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.events import (
    ActionAuthorized,
    ActionHeld,
    ActionRefused,
    ActionVetoed,
    ApiKeyCreated,
    ApiKeyRevoked,
    AuthenticatorBound,
    AuthenticatorRemoved,
    DestinationAdded,
    DestinationRemoved,
    Event,
    FreezeLifted,
    FreezeSet,
    ProofRefused,
    SessionStarted,
)
from twinlock.domain.ids import ChannelId


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


class Notice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message to some channels of one account. ``until`` is UTC."""

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
        FreezeSet: NoticeKind.DONE,
        FreezeLifted: NoticeKind.DONE,
        AuthenticatorBound: NoticeKind.DONE,
        AuthenticatorRemoved: NoticeKind.DONE,
        DestinationAdded: NoticeKind.DONE,
        DestinationRemoved: NoticeKind.DONE,
        ApiKeyCreated: NoticeKind.DONE,
        ApiKeyRevoked: NoticeKind.DONE,
    }
)


def notices(
    before: Account, *, what: str, action_id: str, events: tuple[Event, ...]
) -> tuple[Notice, ...]:
    """Return the notices that ``events`` cause, to the channels that existed before them."""
    channels = tuple(channel.channel_id for channel in before.channels)
    told = {_KINDS[type(event)]: event for event in events if _tells(event)}
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


def _tells(event: Event) -> bool:
    """An attempt that nobody read rings no bell: a flood of notices hides the one that counts."""
    unread = isinstance(event, ProofRefused) and event.fault is ProofFault.THROTTLED
    return type(event) in _KINDS and not unread
