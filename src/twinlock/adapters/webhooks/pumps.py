"""The webhooks of one process: who sends when, what is logged and counted, and how it is wired.

Always true (tests/integration/test_webhooks_delivery.py): endpoints are sent to beside each other
and beside everything else, each at most once at a time; a failure is logged and never ends
another's turn; what is logged names endpoints and messages by id, never a URL.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from math import nan

import structlog
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from twinlock.adapters.beside import attempt, beside
from twinlock.adapters.settings import Settings
from twinlock.adapters.sql.store import SqlStore
from twinlock.adapters.sql.webhooks import SqlWebhooks
from twinlock.adapters.system import SystemEntropy
from twinlock.adapters.webhooks.sending import HttpPost
from twinlock.domain.errors import LogDamagedError, SealBrokenError
from twinlock.domain.webhooks.endpoints import (
    ENDPOINTS_MOST,
    ClaimedWebhook,
    Fault,
    KeptWebhook,
    WebhookId,
)
from twinlock.domain.webhooks.outcomes import (
    Message,
    leaf_time,
)
from twinlock.ports import (
    Clock,
)
from twinlock.ports.webhooks import (
    WebhookShelf,
)
from twinlock.services.webhooks.delivery import WebhookDelivery
from twinlock.services.webhooks.endpoints import Webhooks

LOOK_SECONDS = 0.5  # Between two looks for something to send: a message leaves within a second.
COUNT_SECONDS = 15.0  # Between two counts of what waits; Prometheus asks about as often.

_log = structlog.get_logger(__name__)


class Report:
    """Logs and counts deliveries. Implements ``ports.WebhookReport``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._attempts = Counter(
            "twinlock_webhook_attempts",
            "Attempts to deliver a message, by what came of them.",
            ("result",),
            registry=registry,
        )
        self._dead = Counter(
            "twinlock_webhook_dead",
            "Messages that are not tried any more.",
            registry=registry,
        )

    def tried(
        self, webhook_id: WebhookId, message: Message, *, fault: Fault | None, status: int
    ) -> None:
        """Tell of one attempt: a failed one at a glance, a good one to whoever debugs."""
        self._attempts.labels("delivered" if fault is None else fault.value).inc()
        tell = _log.debug if fault is None else _log.warning
        tell(
            "webhook_delivered" if fault is None else "webhook_failed",
            webhook=webhook_id,
            message=message.message_id,
            type=message.kind.value,
            status=status,
            fault="" if fault is None else fault.value,
        )

    def damaged(self, webhook_id: WebhookId, index: int) -> None:
        """Tell of an entry of the log that is not what was written."""
        self._attempts.labels(Fault.DAMAGED.value).inc()
        _log.error("webhook_entry_damaged", webhook=webhook_id, index=index)

    def dead(self, webhook_id: WebhookId, index: int, message: Message | None) -> None:
        """Tell of what is not tried any more."""
        self._dead.inc()
        told = ("", "") if message is None else (message.message_id, message.kind.value)
        _log.error("webhook_dead", webhook=webhook_id, index=index, message=told[0], type=told[1])

    def disabled(self, webhook_id: WebhookId, why: str) -> None:
        """Tell of an endpoint that gets nothing any more."""
        _log.error("webhook_disabled", webhook=webhook_id, why=why)


class Backlog(Collector):
    """What waits, as it was last counted. Labels are ids of endpoints, of which there are few."""

    def __init__(self, shelf: WebhookShelf, clock: Clock) -> None:
        self._shelf = shelf
        self._clock = clock
        self._counted: tuple[tuple[KeptWebhook, int, float], ...] = ()

    async def count(self) -> None:
        """Count anew."""
        listed, _ = await self._shelf.listed()
        size = await self._shelf.size() if listed else 0
        now = self._clock.now(database_at=None)
        self._counted = tuple(
            [(one, max(0, size - one.position), await self._age(one, now)) for one in listed]
        )

    async def _age(self, kept: KeptWebhook, now: datetime) -> float:
        """Return the age in seconds of the first entry that the endpoint was not told of.

        It is no number where that entry is damaged. Prevents: one damaged entry, by which nothing
        that waits is counted any more.
        """
        try:
            first = await self._shelf.entries(start=kept.position, count=1)
        except (LogDamagedError, SealBrokenError):
            return nan
        return max(0.0, (now - leaf_time(first[0].leaf)).total_seconds()) if first else 0.0

    def collect(self) -> Iterator[Metric]:
        """Give the gauges."""
        label = ["webhook"]
        behind = GaugeMetricFamily(
            "twinlock_webhook_behind", "Entries of the log not yet told of.", labels=label
        )
        age = GaugeMetricFamily(
            "twinlock_webhook_oldest_seconds", "Age of the first of them.", labels=label
        )
        retries = GaugeMetricFamily(
            "twinlock_webhook_retries", "Messages that wait to be tried again.", labels=label
        )
        dead = GaugeMetricFamily(
            "twinlock_webhook_dead_letters", "Messages not tried any more.", labels=label
        )
        disabled = GaugeMetricFamily(
            "twinlock_webhook_disabled", "1 where nothing is sent any more.", labels=label
        )
        for kept, entries, seconds in self._counted:
            name = [kept.endpoint.webhook_id]
            behind.add_metric(name, entries)
            age.add_metric(name, seconds)
            retries.add_metric(name, kept.retries)
            dead.add_metric(name, kept.dead)
            disabled.add_metric(name, kept.health.disabled is not None)
        yield from (behind, age, retries, dead, disabled)


class Pumps:
    """The turns that this process is at, one for each endpoint at most."""

    def __init__(self, shelf: WebhookShelf, delivery: WebhookDelivery, clock: Clock) -> None:
        self._shelf = shelf
        self._delivery = delivery
        self._clock = clock
        self._turns: dict[WebhookId, asyncio.Task[None]] = {}

    @property
    def busy(self) -> int:
        """The number of endpoints that this process is sending to."""
        return len(self._turns)

    async def look(self) -> None:
        """Begin a turn for each endpoint that has something to be sent; wait for none of them."""
        now = self._clock.now(database_at=None)
        apart = tuple(self._turns)
        for claimed in await self._shelf.claim(now=now, apart=apart, most=ENDPOINTS_MOST):
            webhook_id = claimed.kept.endpoint.webhook_id
            turn = asyncio.create_task(self._turn(claimed))
            self._turns[webhook_id] = turn

    async def _turn(self, claimed: ClaimedWebhook) -> None:
        try:
            await attempt("webhook_waits", lambda: self._delivery.turn(claimed))
        finally:
            self._turns.pop(claimed.kept.endpoint.webhook_id, None)

    async def close(self) -> None:
        """End every turn: what was under way is sent again, by whoever comes next."""
        turns = list(self._turns.values())
        for turn in turns:
            turn.cancel()
        await asyncio.gather(*turns, return_exceptions=True)


def use_cases(store: SqlStore, settings: Settings, *, clock: Clock) -> Webhooks:
    """Return the operator's use cases over ``store``."""
    entropy = SystemEntropy()
    return Webhooks(
        SqlWebhooks(store, entropy=entropy),
        post=_post(settings),
        reach=settings.webhook_reach,
        entropy=entropy,
        clock=clock,
    )


@asynccontextmanager
async def delivering(
    store: SqlStore, settings: Settings, *, clock: Clock, registry: CollectorRegistry
) -> AsyncIterator[Pumps]:
    """Do this process's share of the sending until the block ends; count into ``registry``."""
    entropy = SystemEntropy()
    shelf = SqlWebhooks(store, entropy=entropy)
    delivery = WebhookDelivery(
        shelf,
        post=_post(settings),
        report=Report(registry),
        entropy=entropy,
        clock=clock,
        seconds=asyncio.get_running_loop().time,
    )
    pumps, backlog = Pumps(shelf, delivery, clock), Backlog(shelf, clock)
    registry.register(backlog)
    if settings.picked_one_in and not await shelf.has_desk():
        _log.warning("duress_has_no_desk", wanted="alarm.duress")
    async with (
        beside("webhooks_wait", pumps.look, pause=LOOK_SECONDS),
        beside("webhooks_uncounted", backlog.count, pause=COUNT_SECONDS),
    ):
        try:
            yield pumps
        finally:
            await pumps.close()


def _post(settings: Settings) -> HttpPost:
    return HttpPost(settings.webhook_reach, ca_file=settings.webhook_ca_file)
