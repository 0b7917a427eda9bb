"""Freezing by the link of a notice: one tap, by whoever reads one of the account's channels.

It is the action ``freeze.set``, asked for and shown in one decision: what the channel shows is what
a message to it is worth, and its root is the channel's. So every law holds as for any other freeze
below the floor: 72 hours, once a month from the same root, more with the floor's own proof.

Always true (tests/unit/domain/test_freeze_links.py): a channel that is gone, or that came after
what it was told of, freezes nothing; neither does a link whose notice is long over.
"""

from datetime import datetime

from twinlock.domain.account import Account, OpenAction, Shown
from twinlock.domain.actions import FreezeSet, payload_bytes, payload_digest
from twinlock.domain.assurance import Factor
from twinlock.domain.bounds import NOTICE_LIFETIME, UNPROVED_ACTION_LIFETIME
from twinlock.domain.channels import Channel, ChannelKind
from twinlock.domain.commands import FreezeByLink
from twinlock.domain.events import ActionProposed, Event, ProofAccepted

# What reading a channel shows, in the words of what else can be read there.
_FACTORS = {
    ChannelKind.EMAIL: Factor.EMAIL_CODE,
    ChannelKind.SMS: Factor.SMS_CODE,
    ChannelKind.DESKTOP: Factor.EMAIL_CODE,
}


def link_stands(*, ended_at: datetime | None, now: datetime) -> bool:
    """Say whether links about an action are still good: until a week after its end."""
    return ended_at is None or now <= ended_at + NOTICE_LIFETIME


def freezer(account: Account, channel_id: str, *, told_at: datetime) -> Channel | None:
    """Return the channel that may freeze by a link about what was asked for at ``told_at``."""
    channel = account.channel(channel_id)
    return None if channel is None or channel.bound_at > told_at else channel


def asked_before(account: Account, channel: Channel, *, now: datetime) -> OpenAction | None:
    """Return the freeze that a link to ``channel`` asked for and that waits for more, or None.

    Tapped again it is the same. Prevents: whoever reads one mailbox, and taps until the sign-in
    that the owner is just about to prove has given way.
    """
    return next(
        (
            one
            for one in account.actions
            if isinstance(one.payload, FreezeSet)
            and one.member_id == account.member_id
            and now < one.lapses_at
            and any(shown.source == channel.channel_id for shown in one.shown)
        ),
        None,
    )


def asked_for(
    account: Account, command: FreezeByLink, channel: Channel, *, now: datetime
) -> tuple[OpenAction, tuple[Event, ...]]:
    """Return the freeze that the link asks for, and the events by which it is asked and shown."""
    payload = FreezeSet(account=account.account_id)
    action = OpenAction(
        action_id=command.freeze_id,
        member_id=account.member_id,
        payload=payload,
        digest=payload_digest(payload_bytes(payload)),
        proposed_at=now,
        lapses_at=now + UNPROVED_ACTION_LIFETIME,
        veto_key=command.veto_key,
    )
    shown = Shown(
        source=channel.channel_id,
        factor=_FACTORS[channel.kind],
        root=channel.root,
        bound_at=channel.bound_at,
        at=now,
        entry=account.chain.entries,
        bound_entry=channel.entry,
    )
    return action, (
        ActionProposed(at=now, action=action),
        ProofAccepted(at=now, action_id=action.action_id, shown=shown),
    )
