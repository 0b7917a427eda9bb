"""Who may say no. A veto kills one proposal, at once and for good.

A channel that stood there before the proposal may, and a signed-in device, whatever its session is
good for. For 30 days a new channel, and a session that a new authenticator began, cannot veto what
something older asked for (law 3), so that what a thief added is no use against the owner.
"""

from datetime import datetime

from twinlock.domain.account import Account, OpenAction
from twinlock.domain.ages import oldest_of_the_strongest
from twinlock.domain.assurance import BESIDE, Factor
from twinlock.domain.bounds import ENROLMENT_WINDOW, NEWCOMER_PERIOD
from twinlock.domain.canonical import b64url, from_b64url, tagged_mac
from twinlock.domain.commands import Veto
from twinlock.domain.ids import ChannelId
from twinlock.domain.proving import session_shown


def veto_token(action: OpenAction, channel_id: ChannelId) -> str:
    """Return the secret part of one channel's veto link for one action: 32 bytes, base64url."""
    key = from_b64url(action.veto_key, size=32)
    return b64url(tagged_mac(key, "veto/v1", action.action_id.encode(), channel_id.encode()))


def freeze_token(action: OpenAction, channel_id: ChannelId) -> str:
    """Return the secret part of the link by which a channel that was told of ``action`` freezes."""
    key = from_b64url(action.veto_key, size=32)
    return b64url(tagged_mac(key, "freeze/v1", action.action_id.encode(), channel_id.encode()))


def entitled(
    account: Account, action: OpenAction, veto: Veto, *, now: datetime
) -> tuple[str, str | None] | None:
    """Return who says no and their root, or None when they may not."""
    if veto.channel_id is not None:
        channel = next((one for one in account.channels if one.channel_id == veto.channel_id), None)
        if channel is None or channel.bound_at > action.proposed_at:
            return None
        if _newcomer(account, channel.bound_at, action, now=now):
            return None
        return channel.channel_id, channel.root
    if veto.session is None:
        return None
    shown = session_shown(account, veto.session, now=now)
    session = account.session(veto.session.session_id)
    if shown is None or session is None or _newcomer(account, session.bound_at, action, now=now):
        return None
    return shown.source, None


def _newcomer(account: Account, bound_at: datetime, action: OpenAction, *, now: datetime) -> bool:
    """Say whether what objects is new beside what asked; one sitting's things are of one age.

    By the strongest proof that stands. Prevents: an old password, a reported key, an API key or
    another person's agreement beside what a thief bound, and nobody younger who may object.
    """
    apart = BESIDE | {Factor.API_KEY}
    people = (one for one in action.shown if account.stands(one) and one.factor not in apart)
    oldest = oldest_of_the_strongest(account, people)
    if oldest is None or bound_at <= oldest + ENROLMENT_WINDOW:
        return False
    return now - bound_at < NEWCOMER_PERIOD
