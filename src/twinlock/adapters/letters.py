"""Messages as files, while no mail or SMS provider is configured.

Each message to each channel is one file of JSON, mode 0600, in the outbox directory: for trying
Twinlock out and for tests. The file holds what a customer's message would: what happens, when, and
the secret by which that channel can say no.
"""

from pathlib import Path

from twinlock.adapters import private_files
from twinlock.domain.account import Account, ActionUnknownError, Channel
from twinlock.domain.canonical import encode
from twinlock.domain.discreet import Discreet
from twinlock.domain.ids import AccountId
from twinlock.domain.notices import Notice, NoticeKind
from twinlock.domain.vetoes import veto_token
from twinlock.ports import (
    Outgoing,
    Store,
)


class Letter(Discreet, frozen=True, kw_only=True, omit_defaults=True):
    """One message to one channel. Times are UTC.

    ``veto`` is that channel's secret to say no with, and ``link`` the page that takes it.
    """

    HIDDEN = frozenset({"code", "veto", "link"})

    account_id: AccountId
    channel_id: str
    channel: str
    address: str
    kind: NoticeKind
    what: str
    at: str
    until: str = ""
    action_id: str = ""
    code: str = ""
    veto: str = ""
    link: str = ""


class LetterFiles:
    """Leaves every message as a file in one directory."""

    def __init__(self, directory: Path, store: Store, *, origin: str) -> None:
        self._directory = directory
        self._store = store
        self._origin = origin

    async def send(self, outgoing: Outgoing) -> None:
        """Write the message once for each of its channels that still exists."""
        account = await self._store.account(outgoing.account_id)
        private_files.make_directory(self._directory)
        for channel in account.channels:
            if channel.channel_id in outgoing.notice.channels:
                letter = _letter(account, channel, outgoing.notice, self._origin)
                name = f"{outgoing.outbox_id:012d}-{channel.channel_id}.json"
                private_files.write(self._directory / name, encode(letter))


def _letter(account: Account, channel: Channel, notice: Notice, origin: str) -> Letter:
    veto = _veto(account, channel, notice)
    path = f"/veto/{notice.action_id}?c={channel.channel_id}&t={veto}"
    return Letter(
        account_id=account.account_id,
        channel_id=channel.channel_id,
        channel=channel.kind.value,
        address=channel.address,
        kind=notice.kind,
        what=notice.what,
        at=notice.at.isoformat(),
        until=notice.until.isoformat() if notice.until is not None else "",
        action_id=notice.action_id,
        code=notice.code,
        veto=veto,
        link=f"{origin}{path}" if veto else "",
    )


def _veto(account: Account, channel: Channel, notice: Notice) -> str:
    """Return the channel's secret to stop what the notice announces, while it can be stopped."""
    if notice.kind is not NoticeKind.WAITING:
        return ""
    try:
        return veto_token(account.action(notice.action_id), channel.channel_id)
    except ActionUnknownError:
        return ""
