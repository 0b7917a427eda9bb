"""The notices of one process: its carriers side by side, what is logged and counted.

One look says which carriers something is due for, and wakes those: five that look for themselves
take a twentieth of the time in which withdrawals are decided (measured).

Always true (tests/integration/test_notices_delivery.py): a carrier that hangs keeps no other one
waiting; what is logged names messages by their own names, never an address, a text or a link.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from twinlock.adapters.beside import beside
from twinlock.adapters.mail.sending import SmtpMail
from twinlock.adapters.notices.hooks import Hooks, Ways
from twinlock.adapters.settings import Settings
from twinlock.adapters.sql.deliveries import SqlDeliveries
from twinlock.adapters.sql.store import SqlStore
from twinlock.adapters.sql.webhooks import SqlWebhooks
from twinlock.adapters.system import SystemEntropy
from twinlock.adapters.webhooks.sending import HttpPost
from twinlock.domain.deliveries import Fate, Fault
from twinlock.domain.letters import Letter
from twinlock.domain.parcels import HOOKED, CarrierName
from twinlock.ports import Clock
from twinlock.services.notices.reporting import OWED_MOST, Reporting
from twinlock.services.notices.sending import BATCH_MOST, Post, Sending
from twinlock.services.notices.telling import Telling

LOOK_SECONDS = 0.1  # Between two looks for something to send; a notice leaves within a second.
OWED_SECONDS = 0.2  # Between two looks for what accounts are to hear.
COUNT_SECONDS = 15.0  # Between two counts of what waits; Prometheus asks about as often.
FORGET_SECONDS = 3600.0
FORGET_MOST = 10_000

_log = structlog.get_logger(__name__)


class Report:
    """Logs and counts deliveries. Implements ``ports.notices.DeliveryReport``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._attempts = Counter(
            "twinlock_notice_attempts",
            "Attempts to hand a message to its carrier, by what came of them.",
            ("carrier", "result"),
            registry=registry,
        )

    def tried(self, carrier: CarrierName, name: str, fate: Fate) -> None:
        """Tell of one attempt: a failed one at a glance, a good one to whoever debugs."""
        result = "handed" if fate.fault is None else fate.fault.value
        self._attempts.labels(carrier.value, result).inc()
        tell = _log.debug if fate.fault is None else _log.warning
        tell(
            "notice_handed" if fate.fault is None else "notice_not_taken",
            carrier=carrier.value,
            message=name,
            result=result,
            status=fate.status,
        )

    def gave_up(self, carrier: CarrierName, name: str, fault: Fault, *, defect: str = "") -> None:
        """Tell of a message that is not tried any more; never with what an error says of it."""
        _log.error(
            "notice_dead", carrier=carrier.value, message=name, fault=fault.value, defect=defect
        )


class Backlog(Collector):
    """What waits, as it was last counted."""

    def __init__(self, shelf: SqlDeliveries, ways: Ways) -> None:
        self._shelf = shelf
        self._ways = ways
        self._files_only = False
        self._counted: tuple[tuple[str, int, int, float], ...] = ()

    async def count(self) -> None:
        """Count anew."""
        self._counted = await self._shelf.counted()
        self._files_only = await self._ways.are_files()

    def collect(self) -> Iterator[Metric]:
        """Give the gauges."""
        label = ["carrier"]
        waiting = GaugeMetricFamily(
            "twinlock_notices_waiting", "Messages that no carrier took yet.", labels=label
        )
        age = GaugeMetricFamily(
            "twinlock_notices_oldest_seconds", "Age of the oldest of them.", labels=label
        )
        dead = GaugeMetricFamily(
            "twinlock_notices_dead", "Messages that are not tried any more.", labels=label
        )
        for carrier, waits, gone, seconds in self._counted:
            waiting.add_metric([carrier], waits)
            age.add_metric([carrier], seconds)
            dead.add_metric([carrier], gone)
        files = GaugeMetricFamily(
            "twinlock_notices_files_only",
            "1 where nobody carries notices: they are files, and no customer gets them.",
            value=int(self._files_only),
        )
        yield from (waiting, age, dead, files)


class _Nobody:
    """Who takes messages of channels that nobody carries: they are dead at once, and told so."""

    lanes = 1

    async def send(self, letter: Letter) -> Fate:  # noqa: ARG002 - carriers take a letter
        """Take nothing."""
        return Fate(Fault.NO_CARRIER, final=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailroom:
    """What one process sends notices by."""

    shelf: SqlDeliveries
    ways: Ways
    hooks: Hooks
    mail: SmtpMail | None


@asynccontextmanager
async def mailroom(store: SqlStore, settings: Settings, *, clock: Clock) -> AsyncIterator[Mailroom]:
    """Open the carriers that the settings and the webhooks name; end their connections later."""
    entropy = SystemEntropy()
    post = HttpPost(settings.webhook_reach, ca_file=settings.webhook_ca_file)
    hooks = Hooks(SqlWebhooks(store, entropy=entropy), post, clock=clock)
    mail = None if settings.mail is None else SmtpMail(settings.mail, host=settings.rp_id)
    try:
        yield Mailroom(
            shelf=SqlDeliveries(store, entropy=entropy),
            ways=Ways(hooks, mail=mail is not None),
            hooks=hooks,
            mail=mail,
        )
    finally:
        await hooks.close()
        if mail is not None:
            await mail.close()


@asynccontextmanager
async def delivering(
    room: Mailroom,
    *,
    telling: Telling,
    reporting: Reporting,
    clock: Clock,
    registry: CollectorRegistry,
) -> AsyncIterator[None]:
    """Do this process's share of the sending until the block ends; count into ``registry``."""
    report, backlog, shelf = Report(registry), Backlog(room.shelf, room.ways), room.shelf
    registry.register(backlog)
    posts = [
        *(Post(name=name, carrier=room.hooks, tells=True) for name in HOOKED.values()),
        Post(name=CarrierName.NONE, carrier=_Nobody()),
    ]
    if room.mail is not None:
        posts.append(Post(name=CarrierName.MAIL, carrier=room.mail))

    bells = {post.name: asyncio.Event() for post in posts}

    async def look() -> None:
        for name in await shelf.due(bells, now=clock.now(database_at=None)):
            bells[name].set()

    async def settle() -> None:
        while await reporting.settle(shelf) == OWED_MOST:
            pass

    async def forget() -> None:
        await shelf.forget(now=clock.now(database_at=None), most=FORGET_MOST)

    async with AsyncExitStack() as stack:
        for post in posts:
            sending = Sending(
                post,
                shelf=shelf,
                telling=telling,
                report=report,
                entropy=SystemEntropy(),
                clock=clock,
                seconds=asyncio.get_running_loop().time,
            )
            name = f"notices_wait_{post.name.value}"
            turns = _when_woken(bells[post.name], sending)
            await stack.enter_async_context(beside(name, turns, pause=LOOK_SECONDS))
        await stack.enter_async_context(beside("notices_wait", look, pause=LOOK_SECONDS))
        await stack.enter_async_context(beside("notices_owed", settle, pause=OWED_SECONDS))
        await stack.enter_async_context(
            beside("notices_uncounted", backlog.count, pause=COUNT_SECONDS)
        )
        await stack.enter_async_context(beside("notices_kept", forget, pause=FORGET_SECONDS))
        yield


def _when_woken(bell: asyncio.Event, sending: Sending) -> Callable[[], Awaitable[None]]:
    async def turns() -> None:
        await bell.wait()
        bell.clear()  # Before the turns: whoever rings meanwhile is not missed.
        while await sending.turn() == BATCH_MOST:
            pass

    return turns
