"""What is asked of webhooks: where endpoints are kept, and how one message is sent."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from twinlock.domain.webhooks.endpoints import (
    ClaimedWebhook,
    Endpoint,
    Fault,
    KeptWebhook,
    Progress,
    Retry,
    WebhookId,
)
from twinlock.domain.webhooks.outcomes import (
    LogEntry,
    Message,
)


class WebhookShelf(Protocol):
    """Where endpoints are kept, how far each has been told, and what each is to be told."""

    async def add(self, endpoint: Endpoint) -> None:
        """Keep a new endpoint; it is told of what is decided from now on."""
        ...

    async def listed(self) -> tuple[tuple[KeptWebhook, ...], tuple[WebhookId, ...]]:
        """Return the endpoints that open, the oldest first, and the names of those that do not."""
        ...

    async def read(self, webhook_id: WebhookId) -> KeptWebhook:
        """Return an endpoint. Raises WebhookUnknownError."""
        ...

    async def replace(self, endpoint: Endpoint, *, version: int) -> None:
        """Keep ``endpoint`` in place of what was read at ``version``; whoever sends starts anew.

        Raises:
            WebhookUnknownError: it is gone, or was replaced meanwhile.
        """
        ...

    async def remove(self, webhook_id: WebhookId) -> None:
        """Forget an endpoint and all that waits for it. Raises WebhookUnknownError."""
        ...

    async def enable(self, webhook_id: WebhookId) -> None:
        """Go on where it stands, as if nothing had failed. Raises WebhookUnknownError."""
        ...

    async def send_again(self, webhook_id: WebhookId, *, start: int) -> None:
        """Go back to entry ``start``, if it lies before. Raises WebhookUnknownError."""
        ...

    async def revive(self, webhook_id: WebhookId, *, now: datetime) -> int:
        """Try what is dead again from ``now``; return how many. Raises WebhookUnknownError."""
        ...

    async def claim(
        self, *, now: datetime, apart: tuple[WebhookId, ...], most: int
    ) -> tuple[ClaimedWebhook, ...]:
        """Return up to ``most`` endpoints that have something to be sent at ``now``.

        Nobody else is given one while its claim lasts. ``apart`` are not asked for.
        """
        ...

    async def save(self, claimed: ClaimedWebhook, progress: Progress, *, done: bool) -> bool:
        """Keep how far sending has come; with ``done`` give the claim back.

        Return False, and change nothing, when the claim is not ours any more.
        """
        ...

    async def due(self, claimed: ClaimedWebhook, *, now: datetime, most: int) -> tuple[Retry, ...]:
        """Return up to ``most`` messages that are to be tried again at ``now``, in that order."""
        ...

    async def size(self) -> int:
        """Return how many entries the log has. Raises LogDamagedError."""
        ...

    async def entries(self, *, start: int, count: int) -> tuple[LogEntry, ...]:
        """Return the committed entries from index ``start``, at most ``count``.

        Raises:
            LogDamagedError, SealBrokenError: one is not what was written.
        """
        ...


class Sendable(Protocol):
    """Whatever is sent: bytes, under headers that say what they are."""

    @property
    def body(self) -> bytes:
        """The bytes."""
        ...


class WebhookSession(Protocol):
    """A connection to one endpoint, kept for some messages."""

    async def send(self, message: Sendable, headers: Mapping[str, str]) -> tuple[Fault | None, int]:
        """Return why the message was not taken, or None, and the status or 0."""
        ...


class WebhookPost(Protocol):
    """The way to endpoints."""

    def session(self, url: str) -> AbstractAsyncContextManager[WebhookSession]:
        """Return a session with the endpoint at ``url``; leaving it ends its connection."""
        ...


class WebhookReport(Protocol):
    """What operators are told of deliveries: no URL, no secret."""

    def tried(
        self, webhook_id: WebhookId, message: Message, *, fault: Fault | None, status: int
    ) -> None:
        """Tell of one attempt."""
        ...

    def damaged(self, webhook_id: WebhookId, index: int) -> None:
        """Tell of an entry of the log that is not what was written."""
        ...

    def dead(self, webhook_id: WebhookId, index: int, message: Message | None) -> None:
        """Tell of what is not tried any more; of a damaged entry there is no message."""
        ...

    def disabled(self, webhook_id: WebhookId, why: str) -> None:
        """Tell of an endpoint that gets nothing any more."""
        ...
