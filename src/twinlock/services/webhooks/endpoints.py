"""The operator's use cases of webhooks: add, list, rotate, try, replay, remove.

A secret is shown once, when it is made. Nothing here sends but ``trial``.
"""

from datetime import datetime, timedelta

import msgspec

from twinlock.domain.discreet import Discreet
from twinlock.domain.ids import tail
from twinlock.domain.webhooks.endpoints import (
    ENDPOINTS_MOST,
    Disabled,
    Endpoint,
    Fault,
    KeptWebhook,
    WebhookId,
    WebhookReplayError,
    WebhooksFullError,
    in_force,
    rotated,
)
from twinlock.domain.webhooks.outcomes import check_patterns, trial_message
from twinlock.domain.webhooks.targets import Reach, origin_of, parse_url
from twinlock.ports import (
    Clock,
    Entropy,
)
from twinlock.ports.webhooks import (
    WebhookPost,
    WebhookShelf,
)
from twinlock.proofs.webhooks import (
    NEW_SECRET_BYTES,
    headers,
    new_secret,
    shown_public,
    shown_secret,
)


class ShownSecret(Discreet, frozen=True, kw_only=True):
    """What a receiver is given: the secret, this once, and the public key of the same age."""

    HIDDEN = frozenset({"secret"})

    webhook_id: WebhookId
    secret: str
    public_key: str


class ListedWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown of an endpoint. ``origin`` is scheme, host and port of its URL.

    ``behind`` are entries of the log that it has not been told of yet; ``failing_since`` is set
    while every attempt fails. ``secrets`` are so many in force.
    """

    webhook_id: WebhookId
    origin: str
    patterns: tuple[str, ...]
    added_at: datetime
    disabled: Disabled | None
    failing_since: datetime | None
    position: int
    behind: int
    retries: int
    dead: int
    secrets: int
    reports: bool


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """How a trial went: ``fault`` is None when the message was taken."""

    message_id: str
    fault: Fault | None
    status: int


class Webhooks:
    """The use cases of endpoints."""

    def __init__(
        self,
        shelf: WebhookShelf,
        *,
        post: WebhookPost,
        reach: Reach,
        entropy: Entropy,
        clock: Clock,
    ) -> None:
        self._shelf = shelf
        self._post = post
        self._reach = reach
        self._entropy = entropy
        self._clock = clock

    async def add(
        self, url: str, *, patterns: tuple[str, ...], reports: bool = False
    ) -> ShownSecret:
        """Register an endpoint; it is told of what is decided from now on.

        ``reports``: it says what became of each message to a customer.

        Raises:
            WebhookUrlRefusedError, WebhookPatternError, WebhooksFullError: as they say.
        """
        parse_url(url, reach=self._reach)
        wanted = check_patterns(patterns)
        if sum(map(len, await self._shelf.listed())) >= ENDPOINTS_MOST:
            raise WebhooksFullError(f"there are {ENDPOINTS_MOST} webhooks")
        secret = new_secret(self._entropy.draw(NEW_SECRET_BYTES))
        endpoint = Endpoint(
            webhook_id=WebhookId(f"wh_{tail(self._entropy.draw(16))}"),
            url=url,
            patterns=wanted,
            secrets=(secret,),
            added_at=self._clock.now(database_at=None),
            reports=reports,
        )
        await self._shelf.add(endpoint)
        return _shown(endpoint)

    async def listed(self) -> tuple[tuple[ListedWebhook, ...], tuple[WebhookId, ...]]:
        """Return what may be shown of endpoints, the oldest first, and the names of broken ones."""
        now = self._clock.now(database_at=None)
        size = await self._shelf.size()
        kept, broken = await self._shelf.listed()
        return tuple(_listed(one, size=size, now=now) for one in kept), broken

    async def rotate(self, webhook_id: WebhookId, *, overlap: timedelta) -> ShownSecret:
        """Give an endpoint a new secret; the older ones sign beside it for ``overlap``.

        Raises:
            WebhookUnknownError, WebhooksFullError: as they say.
        """
        kept = await self._shelf.read(webhook_id)
        secret = new_secret(self._entropy.draw(NEW_SECRET_BYTES))
        now = self._clock.now(database_at=None)
        endpoint = rotated(kept.endpoint, secret, overlap=overlap, now=now)
        await self._shelf.replace(endpoint, version=kept.version)
        return _shown(endpoint)

    async def remove(self, webhook_id: WebhookId) -> None:
        """Forget an endpoint and what waits for it. Raises WebhookUnknownError."""
        await self._shelf.remove(webhook_id)

    async def enable(self, webhook_id: WebhookId) -> None:
        """Send again to an endpoint that was disabled, from where it stands.

        Raises:
            WebhookUnknownError: there is none of this id.
        """
        await self._shelf.enable(webhook_id)

    async def is_disabled(self, webhook_id: WebhookId) -> bool:
        """Say whether an endpoint gets nothing any more. Raises WebhookUnknownError."""
        return (await self._shelf.read(webhook_id)).health.disabled is not None

    async def replay(self, webhook_id: WebhookId, *, start: int) -> None:
        """Send everything from entry ``start`` of the log again, in order, under the same ids.

        Raises:
            WebhookUnknownError: there is none of this id.
            WebhookReplayError: the log has no such entry.
        """
        await self._shelf.read(webhook_id)
        size = await self._shelf.size()
        if start and start >= size:  # From 0 on is everything, also of an empty log.
            raise WebhookReplayError(f"the log has {size} entries, and the first is entry 0")
        await self._shelf.send_again(webhook_id, start=start)

    async def revive(self, webhook_id: WebhookId) -> int:
        """Try dead messages again, and return how many. Raises WebhookUnknownError."""
        return await self._shelf.revive(webhook_id, now=self._clock.now(database_at=None))

    async def trial(self, webhook_id: WebhookId) -> Tried:
        """Send a message that tells of nothing, once, and say how that went.

        Raises:
            WebhookUnknownError: there is none of this id.
        """
        endpoint = (await self._shelf.read(webhook_id)).endpoint
        now = self._clock.now(database_at=None)
        message = trial_message(webhook_id, random=self._entropy.draw(16), at=now)
        signed = headers(message, in_force(endpoint, now=now), timestamp=int(now.timestamp()))
        async with self._post.session(endpoint.url) as session:
            fault, status = await session.send(message, signed)
        return Tried(message_id=message.message_id, fault=fault, status=status)


def _shown(endpoint: Endpoint) -> ShownSecret:
    secret = endpoint.secrets[0]
    return ShownSecret(
        webhook_id=endpoint.webhook_id,
        secret=shown_secret(secret),
        public_key=shown_public(secret),
    )


def _listed(kept: KeptWebhook, *, size: int, now: datetime) -> ListedWebhook:
    endpoint = kept.endpoint
    return ListedWebhook(
        webhook_id=endpoint.webhook_id,
        origin=origin_of(endpoint.url),
        patterns=endpoint.patterns,
        added_at=endpoint.added_at,
        disabled=kept.health.disabled,
        failing_since=kept.health.failing_since,
        position=kept.position,
        behind=max(0, size - kept.position),
        retries=kept.retries,
        dead=kept.dead,
        secrets=len(in_force(endpoint, now=now)),
        reports=endpoint.reports,
    )
