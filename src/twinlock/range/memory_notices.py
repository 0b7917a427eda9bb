"""What a world in memory keeps of notices: those that were handed on. Nobody carries any there."""

from twinlock.domain.ids import AccountId
from twinlock.domain.notices import Notice, NoticeKind
from twinlock.domain.parcels import Owed
from twinlock.domain.webhooks.endpoints import KeptWebhook, WebhookId, WebhookUnknownError
from twinlock.ports import Outgoing


class MemoryNotices:
    """The notices of one process. Implements ``ports.notices.NoticeShelf`` and ``Endpoints``."""

    def __init__(self) -> None:
        self._kept: list[Outgoing] = []

    def keep(self, outgoing: Outgoing) -> None:
        """Keep a notice that was handed on, but no code."""
        if outgoing.notice.kind is not NoticeKind.CODE:
            self._kept.append(outgoing)

    async def inbox(self, account_id: AccountId) -> tuple[tuple[str, Notice], ...]:
        """Return the notices of an account, the newest first."""
        own = (one for one in reversed(self._kept) if one.account.account_id == account_id)
        return tuple((f"{one.outbox_id}", one.notice) for one in own)

    async def named(self, name: str) -> Owed | None:  # noqa: ARG002 - the port's
        """Return nothing: no webhook took one."""
        return None

    async def arrived(self, name: str) -> None:
        """Forget nothing: no webhook took one."""

    async def bounced(self, name: str) -> None:
        """Note nothing: no webhook took one."""

    async def read(self, webhook_id: WebhookId) -> KeptWebhook:  # noqa: ARG002 - the port's
        """Return no endpoint: none can be registered. Raises WebhookUnknownError."""
        raise WebhookUnknownError("a world in memory has no webhooks")
