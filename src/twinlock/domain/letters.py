"""One notice to one channel: what it says, and the secrets by which that channel can say no.

Always true (tests/unit/domain/test_letters.py): a link stands in a letter only while it is good for
something; a channel that is gone, or younger than what it is told of, gets none.
"""

from typing import NamedTuple

from twinlock.domain.account import Account, OpenAction
from twinlock.domain.catalogue import ActionType
from twinlock.domain.channels import Channel
from twinlock.domain.discreet import Discreet
from twinlock.domain.ids import AccountId
from twinlock.domain.newcomers import doubted, is_older
from twinlock.domain.notices import Notice, NoticeKind
from twinlock.domain.vetoes import freeze_token, veto_token


class Letter(Discreet, frozen=True, kw_only=True, omit_defaults=True):
    """One message to one channel. Times are UTC.

    ``veto`` is that channel's secret to say no with before something takes effect, ``undo`` the
    same secret up to ``undo_until``, when it undoes what was bound; ``link`` is the page for both.
    ``freeze`` is the page that freezes everything. ``narrows`` says that no channel off the phone
    is left then. ``name`` is the message's own, the same each time it is sent. ``word`` is the
    owner's (``notice_words``), "" where there is none, None where this place does not get it.
    """

    HIDDEN = frozenset({"word", "code", "veto", "undo", "link", "freeze"})

    account_id: AccountId
    channel_id: str
    channel: str
    address: str
    kind: NoticeKind
    what: str
    at: str
    until: str = ""
    undo_until: str = ""
    narrows: bool = False
    action_id: str = ""
    code: str = ""
    veto: str = ""
    undo: str = ""
    link: str = ""
    freeze: str = ""
    name: str = ""
    word: str | None = None


class About(NamedTuple):
    """What a notice tells of, where that is known, and whether its link would stop or undo it."""

    action: OpenAction | None = None
    stoppable: bool = False


def letter_to(
    account: Account,
    channel: Channel,
    notice: Notice,
    *,
    about: About,
    origin: str,
    name: str = "",
) -> Letter:
    """Return ``notice`` as ``channel`` gets it, with links to pages at ``origin``."""
    action = about.action
    secret = _secret(channel, notice, action) if about.stoppable else ""
    path = f"/veto/{notice.action_id}?c={channel.channel_id}&t={secret}"
    undo_until = notice.undo_until.isoformat() if secret and notice.undo_until is not None else ""
    freeze = _freeze(account, channel, notice, action)
    return Letter(
        account_id=account.account_id,
        channel_id=channel.channel_id,
        channel=channel.kind.value,
        address=channel.address,
        kind=notice.kind,
        what=notice.what,
        at=notice.at.isoformat(),
        until=notice.until.isoformat() if notice.until is not None else "",
        undo_until=undo_until,
        narrows=notice.narrows,
        action_id=notice.action_id,
        code=notice.code,
        veto="" if undo_until else secret,
        undo=secret if undo_until else "",
        link=f"{origin}{path}" if secret else "",
        freeze=f"{origin}{freeze}" if freeze else "",
        name=name,
        word=_word(account, channel, notice),
    )


def _word(account: Account, channel: Channel, notice: Notice) -> str | None:
    """Return the owner's word as it stands in this message.

    Prevents: a thief who has a code sent to an address of his own, and reads the owner's word in
    it; or whose address was repudiated, and that is told so.
    """
    held = account.channel(channel.channel_id) is not None
    if not held and (notice.kind is NoticeKind.CODE or doubted(account, channel.entry)):
        return None
    if notice.word is not None:
        return notice.word
    return "" if account.notice_word is None else account.notice_word.text


def _secret(channel: Channel, notice: Notice, action: OpenAction | None) -> str:
    """Return the channel's secret to stop or undo what the notice tells, where it may."""
    if action is None:
        return ""
    undoes = notice.undo_until is not None
    old = is_older(channel.bound_at, notice.at) if undoes else _stood(channel, action)
    return veto_token(action, channel.channel_id) if old else ""


def _stood(channel: Channel, action: OpenAction) -> bool:
    """Say whether the channel was there when ``action`` was asked for: a younger one is no voice.

    Prevents: a link that is answered with "this link may not", where another one would have.
    """
    return channel.bound_at <= action.proposed_at


def _freeze(account: Account, channel: Channel, notice: Notice, action: OpenAction | None) -> str:
    """Return the path of the page by which the channel can freeze the account, where it may."""
    told = notice.kind is not NoticeKind.CODE and notice.what != ActionType.FREEZE_SET
    if action is None or not told or account.channel(channel.channel_id) is None:
        return ""
    if not _stood(channel, action):
        return ""
    token = freeze_token(action, channel.channel_id)
    return f"/freeze/{action.action_id}?c={channel.channel_id}&t={token}"
