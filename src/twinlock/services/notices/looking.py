"""The newest notices of an account, for whoever shows them inside the platform's own app.

They are told as they were sent, without a link and without a code: who reads them here holds a
platform's key, and no key may say no, or freeze, in a customer's name.
"""

import msgspec

from twinlock.domain.ids import AccountId
from twinlock.domain.letters import Letter
from twinlock.domain.notices import Notice
from twinlock.domain.wording import VERSION, words
from twinlock.ports import Store
from twinlock.ports.notices import NoticeShelf


class NoticeView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One notice: ``words`` is the version of the words that told it. Instants are UTC."""

    notice_id: str
    kind: str
    what: str
    at: str
    subject: str
    text: str
    words: int
    until: str = ""
    undo_until: str = ""
    action_id: str = ""


class Inbox:
    """The use case of the notices that can be looked up."""

    def __init__(self, store: Store, kept: NoticeShelf) -> None:
        self._store = store
        self._kept = kept

    async def listed(self, account_id: AccountId) -> tuple[NoticeView, ...]:
        """Return the newest notices, the newest first. Raises AccountUnknownError."""
        await self._store.account(account_id)
        kept = await self._kept.inbox(account_id)
        return tuple(_view(account_id, name, notice) for name, notice in kept)


def _view(account_id: AccountId, name: str, notice: Notice) -> NoticeView:
    letter = Letter(
        account_id=account_id,
        channel_id="",
        channel="",
        address="",
        kind=notice.kind,
        what=notice.what,
        at=notice.at.isoformat(),
        until="" if notice.until is None else notice.until.isoformat(),
        undo_until="" if notice.undo_until is None else notice.undo_until.isoformat(),
        narrows=notice.narrows,
        action_id=notice.action_id,
    )
    told = words(letter)
    return NoticeView(
        notice_id=name,
        kind=notice.kind.value,
        what=notice.what,
        at=letter.at,
        subject=told.subject,
        text="\n\n".join(told.paragraphs),
        words=VERSION,
        until=letter.until,
        undo_until=letter.undo_until,
        action_id=notice.action_id,
    )
