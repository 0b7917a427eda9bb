"""A notice on its way to one channel: by which carrier, under which name, and how urgently.

Always true (tests/unit/domain/test_parcels.py): a name follows from the notice and the channel, so
that whatever is sent twice is known by it; nothing is owed but word of a change that waits.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

import msgspec

from twinlock.domain.account import Account
from twinlock.domain.actions import class_of
from twinlock.domain.canonical import tagged_hash
from twinlock.domain.catalogue import ActionClass
from twinlock.domain.channels import Channel, ChannelKind
from twinlock.domain.ids import ENTROPY_BYTES, AccountId, tail
from twinlock.domain.notices import Notice, NoticeKind
from twinlock.domain.webhooks.outcomes import MessageType


class CarrierName(StrEnum):
    """Who takes messages of a channel; the value is stored.

    Each kind of channel has its own. Prevents: a provider of SMS that is down for a day, behind
    which the program on the owner's computer hears nothing either.
    """

    MAIL = "mail"
    SMS = "sms"
    DESKTOP = "desktop"
    NONE = "none"  # nobody: such a message is dead at once, and somebody is told


# Who carries by webhook.
HOOKED: Mapping[ChannelKind, CarrierName] = MappingProxyType(
    {
        ChannelKind.SMS: CarrierName.SMS,
        ChannelKind.DESKTOP: CarrierName.DESKTOP,
    }
)
# What a webhook is sent for a channel.
TYPES: Mapping[ChannelKind, MessageType] = MappingProxyType(
    {
        ChannelKind.SMS: MessageType.NOTICE_SMS,
        ChannelKind.DESKTOP: MessageType.NOTICE_DESKTOP,
    }
)


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """What is sealed of a message that waits: the notice, and the channel as it was then."""

    channel: Channel
    notice: Notice


class Slip(msgspec.Struct, frozen=True, kw_only=True):
    """A parcel and what stands beside it in clear. A lower ``rank`` goes first.

    ``owes``: the account is to note what became of it.
    """

    name: str
    carrier: CarrierName
    rank: int
    owes: bool
    parcel: Parcel


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """A message that this process alone sends, as long as its claim lasts.

    ``account`` is whose message it is, as it stood at the claim; None where it does not open.
    """

    delivery_id: int
    name: str
    account: Account | None
    lane: str
    attempts: int
    claimed_until: datetime
    parcel: Parcel


class Owed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a message, of which its account is yet to note it.

    ``awaited``: who took it says as a rule what became of it; or it was not handed on for long.
    """

    delivery_id: int
    account_id: AccountId
    handed: bool
    awaited: bool
    parcel: Parcel


class Dead(msgspec.Struct, frozen=True, kw_only=True):
    """A message that nobody tries any more: no person's data, only names and why.

    Of one that does not open ``channel`` and ``kind`` are not known: somebody changed its row.
    """

    name: str
    account_id: AccountId
    channel: str | None
    kind: NoticeKind | None
    fault: str
    attempts: int
    at: str


def addressed(account: Account, notice: Notice) -> tuple[Channel, ...]:
    """Return the channels that get ``notice``: those that stand, and those it names as gone."""
    told = {one.channel_id: one for one in notice.gone}
    told |= {one.channel_id: one for one in account.channels if one.channel_id in notice.channels}
    return tuple(told.values())


def slips(
    account: Account,
    notice: Notice,
    *,
    serial: str,
    carriers: Mapping[ChannelKind, CarrierName],
) -> tuple[Slip, ...]:
    """Return a slip for each channel that gets ``notice``, which has ``serial`` in the outbox."""
    owes = _owes(account, notice)
    return tuple(
        Slip(
            name=name_of(serial, channel),
            carrier=carriers.get(channel.kind, CarrierName.NONE),
            rank=int(notice.kind is not NoticeKind.CODE),
            owes=owes,
            parcel=Parcel(channel=channel, notice=notice),
        )
        for channel in addressed(account, notice)
    )


def name_of(serial: str, channel: Channel) -> str:
    """Return the name of a notice's message to ``channel``: the same each time."""
    digest = tagged_hash("notice-name/v1", serial.encode(), channel.channel_id.encode())
    return f"ntc_{tail(digest[:ENTROPY_BYTES])}"


def _owes(account: Account, notice: Notice) -> bool:
    """Say whether ``notice`` tells of a change that waits."""
    if notice.kind is not NoticeKind.WAITING:
        return False
    named = (one for one in account.actions if one.action_id == notice.action_id)
    return any(class_of(one.payload) is not ActionClass.EXIT for one in named)
