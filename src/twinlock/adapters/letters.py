"""Messages as files, while no mail or SMS provider is configured.

Each message to each channel is one file of JSON, mode 0600, in the outbox directory: for trying
Twinlock out and for tests. The file holds what a customer's message would: what happens, when, and
the secret by which that channel can say no.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from twinlock.adapters import private_files
from twinlock.domain.account import Account, Channel, OpenAction
from twinlock.domain.canonical import encode
from twinlock.domain.discreet import Discreet
from twinlock.domain.ids import AccountId, ActionId
from twinlock.domain.newcomers import is_older
from twinlock.domain.notices import Notice, NoticeKind, is_outdated
from twinlock.domain.vetoes import veto_token
from twinlock.ports import (
    Clock,
    Outgoing,
    Store,
)

_log = structlog.get_logger(__name__)


class Letter(Discreet, frozen=True, kw_only=True, omit_defaults=True):
    """One message to one channel. Times are UTC.

    ``veto`` is that channel's secret to say no with before something takes effect, ``undo`` the
    same secret up to ``undo_until``, when it undoes what was bound; ``link`` is the page for both.
    ``narrows`` says that no channel off the phone is left then.
    """

    HIDDEN = frozenset({"code", "veto", "undo", "link"})

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


class InTime:
    """Hands on what is not too old to be sent; the outbox drops the rest, which is logged.

    ``outdated`` counts those. Prevents: old messages that whoever can write to the database puts
    back, so that customers are told once more of what is long over.
    """

    def __init__(self, send: Callable[[Outgoing], Awaitable[None]], *, clock: Clock) -> None:
        self._send = send
        self._clock = clock
        self.outdated = 0

    async def send(self, outgoing: Outgoing) -> None:
        """Hand on a message, unless it is too old.

        Raises:
            ClockUntrustedError: nobody can say how old it is, so it waits.
        """
        notice = outgoing.notice
        if not is_outdated(notice, now=self._clock.now(database_at=None)):
            await self._send(outgoing)
            return
        self.outdated += 1
        _log.warning("notice_outdated", kind=notice.kind.value, of=notice.at.isoformat())


class LetterFiles:
    """Leaves every message as a file in one directory."""

    def __init__(self, directory: Path, store: Store, *, origin: str) -> None:
        self._directory = directory
        self._store = store
        self._origin = origin

    async def send(self, outgoing: Outgoing) -> None:
        """Write the message once for each channel that stands, and for those it names as gone."""
        account, notice = await self._store.account(outgoing.account_id), outgoing.notice
        private_files.make_directory(self._directory)
        told = {one.channel_id: one for one in notice.gone}
        told |= {
            one.channel_id: one for one in account.channels if one.channel_id in notice.channels
        }
        action = await self._stoppable(account, notice)
        for channel in told.values():
            letter = _letter(account, channel, notice, action, self._origin)
            name = f"{outgoing.outbox_id:012d}-{channel.channel_id}.json"
            private_files.write(self._directory / name, encode(letter))

    async def _stoppable(self, account: Account, notice: Notice) -> OpenAction | None:
        """Return what the notice's link would stop or undo, while that is possible."""
        if notice.kind in (NoticeKind.WAITING, NoticeKind.CONTESTED):
            named = (one for one in account.actions if one.action_id == notice.action_id)
            return next(named, None)
        if notice.undo_until is None:
            return None
        closed = await self._store.closed_action(ActionId(notice.action_id))
        return None if closed is None else closed.action


def _letter(
    account: Account, channel: Channel, notice: Notice, action: OpenAction | None, origin: str
) -> Letter:
    secret = _secret(channel, notice, action)
    path = f"/veto/{notice.action_id}?c={channel.channel_id}&t={secret}"
    undo_until = notice.undo_until.isoformat() if secret and notice.undo_until is not None else ""
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
    )


def _secret(channel: Channel, notice: Notice, action: OpenAction | None) -> str:
    """Return the channel's secret to stop or undo what the notice tells, where it may."""
    if action is None:
        return ""
    if notice.undo_until is not None and not is_older(channel.bound_at, notice.at):
        return ""
    return veto_token(action, channel.channel_id)
