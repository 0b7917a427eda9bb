"""Webhooks for tests: the real use cases and sending, on a store whose clock is steered."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from support.receivers import Receiver
from support.stores import ENTROPY, Customer, SteerableClock, new_action, withdrawal

from twinlock.adapters.sql.store import SqlStore
from twinlock.adapters.sql.webhooks import SqlWebhooks
from twinlock.adapters.webhooks.pumps import Pumps, Report
from twinlock.adapters.webhooks.sending import HttpPost
from twinlock.domain.webhooks.endpoints import WebhookId
from twinlock.domain.webhooks.targets import Reach
from twinlock.services.webhooks.delivery import WebhookDelivery
from twinlock.services.webhooks.endpoints import ListedWebhook, ShownSecret, Webhooks

HERE = Reach(plain_loopback=True)
TURNS_MOST = 200  # What no test needs; more would be a loop without end.


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """The webhooks of one process."""

    store: SqlStore
    clock: SteerableClock
    shelf: SqlWebhooks
    use: Webhooks
    delivery: WebhookDelivery
    registry: CollectorRegistry

    async def add(self, receiver: Receiver, *patterns: str, path: str = "/hooks") -> ShownSecret:
        """Register a receiver."""
        return await self.use.add(receiver.url(path), patterns=patterns or ("*",))

    async def look(self, *, most: int = 32) -> int:
        """Take one turn with each endpoint that has something to be sent; return how many had."""
        now = self.clock.now()
        claimed = await self.shelf.claim(now=now, apart=(), most=most)
        for one in claimed:
            await self.delivery.turn(one)
        return len(claimed)

    async def deliver(self) -> None:
        """Take turns until nothing is to be sent at this time."""
        for _ in range(TURNS_MOST):
            if not await self.look():
                return
        raise AssertionError("there is always more to be sent")

    async def listed(self, webhook_id: WebhookId) -> ListedWebhook:
        """Return what is shown of one endpoint."""
        listed, _ = await self.use.listed()
        return next(one for one in listed if one.webhook_id == webhook_id)

    def pumps(self) -> Pumps:
        """Return the sending as a process does it: beside everything."""
        return Pumps(self.shelf, self.delivery, self.clock)

    def metrics(self) -> Mapping[str, float]:
        """Return every sample that Prometheus would read, by its name with its labels."""
        lines = generate_latest(self.registry).decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}


def hooks_on(store: SqlStore, clock: SteerableClock, *, post: HttpPost | None = None) -> Hooks:
    """Return the webhooks of one process over ``store``."""
    shelf, registry = SqlWebhooks(store, entropy=ENTROPY), CollectorRegistry()
    post = post or HttpPost(HERE)
    delivery = WebhookDelivery(
        shelf,
        post=post,
        report=Report(registry),
        entropy=ENTROPY,
        clock=clock,
        seconds=asyncio.get_running_loop().time,
    )
    use = Webhooks(shelf, post=post, reach=HERE, entropy=ENTROPY, clock=clock)
    return Hooks(
        store=store, clock=clock, shelf=shelf, use=use, delivery=delivery, registry=registry
    )


async def authorized(store: SqlStore, customer: Customer, count: int) -> list[int]:
    """Decide so many withdrawals yes; return their places in the log."""
    indexes = []
    for _ in range(count):
        committed = await store.run(withdrawal(customer, new_action(customer)))
        indexes.append(committed.indexes[-1])
    return indexes


async def until(holds: Callable[[], bool]) -> None:
    """Return once ``holds`` does."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)
