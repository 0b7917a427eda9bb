"""What the range turns: the time, the prices, and whether what the service leans on answers.

A mail server is no part of a decision: it has a time from which it is down, so that what was
decided before still arrives.

``serve`` can reach none of it: import-linter bars it from the range, and it passes no steering
(tests/unit/range/test_steering.py).

Always true: the time goes forwards only, as the log's own does.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from twinlock.domain.account import Account
from twinlock.domain.entries import ClosedAction
from twinlock.domain.errors import ClockUntrustedError, UnavailableError, invariant
from twinlock.domain.ids import AccountId, ActionId, DestinationId
from twinlock.domain.listed import Destination
from twinlock.domain.money import Prices
from twinlock.ports import (
    Committed,
    Idempotency,
    Store,
    StoredEntry,
    Work,
)
from twinlock.ports.log import (
    Head,
)

SLOW_SECONDS = 0.05  # Alive, and slower than any database that is well.
CENTS = {
    "BTC": 60_000_00,
    "ETH": 3_000_00,
    "TRX": 10,
    "USDT": 100,
    "XRP": 50,
    "LTC": 100_00,
    "DOGE": 10,
    "SOL": 150_00,
    "XLM": 10,
    "EOS": 50,
    "TON": 3_00,
    "EUR": 110,
    "USD": 100,
}


class Dependency(StrEnum):
    """What a decision leans on."""

    DATABASE = "database"
    CLOCK = "clock"
    PRICES = "prices"


@dataclass(slots=True)
class Weather:
    """Which dependencies are down, and which are slow; since when no mail is taken, if it is so."""

    down: set[Dependency] = field(default_factory=set)
    slow: set[Dependency] = field(default_factory=set)
    no_mail_since: datetime | None = None

    def let_decide(self) -> None:
        """Let everything answer again that decisions lean on."""
        self.down.clear()
        self.slow.clear()

    def clear(self) -> None:
        """Let everything answer again."""
        self.let_decide()
        self.no_mail_since = None


class SteerableClock:
    """The time of the range. Implements ``ports.Clock``."""

    def __init__(self, at: datetime, weather: Weather) -> None:
        self.at = at
        self._weather = weather

    def now(self, *, database_at: datetime | None) -> datetime:  # noqa: ARG002 - the range's time is its own
        """Return the time that was set. Raises ClockUntrustedError while the clock is down."""
        if Dependency.CLOCK in self._weather.down:
            raise ClockUntrustedError("the range took the clock away")
        return self.at

    def seconds(self) -> float:
        """Return the same time as seconds that only grow, for rates."""
        return self.at.timestamp()

    def set_forward(self, at: datetime) -> None:
        """Let time pass until ``at``; it never goes back."""
        invariant(at.utcoffset() == timedelta(0), "the range's time is UTC")
        self.at = max(self.at, at)


class FixedPrices:
    """A price list that is always fresh and never moves. Implements ``ports.PriceFeed``."""

    def __init__(self, clock: SteerableClock, weather: Weather) -> None:
        self._clock = clock
        self._weather = weather

    def prices(self) -> Prices | None:
        """Return the list, or None while it is down."""
        if Dependency.PRICES in self._weather.down:
            return None
        return Prices(as_of=self._clock.at, cents=CENTS)


class StoreInWeather:
    """A store that can be cut off or slowed down. Implements ``ports.Store``."""

    def __init__(self, store: Store, weather: Weather) -> None:
        self._store = store
        self._weather = weather

    async def _reach(self) -> Store:
        if Dependency.DATABASE in self._weather.down:
            raise UnavailableError("the range took the database away")
        if Dependency.DATABASE in self._weather.slow:
            await asyncio.sleep(SLOW_SECONDS)
        return self._store

    async def run(self, work: Work) -> Committed:
        """Decide and commit ``work`` (see ``ports.Store``)."""
        return await (await self._reach()).run(work)

    async def stands_for(self, account_id: AccountId, idempotency: Idempotency) -> str | None:
        """Return what an idempotency key stands for already, or None."""
        return await (await self._reach()).stands_for(account_id, idempotency)

    async def account(self, account_id: AccountId) -> Account:
        """Return the account as it stands."""
        return await (await self._reach()).account(account_id)

    async def destination(
        self, account_id: AccountId, destination_id: DestinationId
    ) -> Destination | None:
        """Return a destination as it stands, or None."""
        return await (await self._reach()).destination(account_id, destination_id)

    async def halted_at(self) -> datetime | None:
        """Return since when all is halted, or None."""
        return await (await self._reach()).halted_at()

    async def closed_action(self, action_id: ActionId) -> ClosedAction | None:
        """Return an action that is over, or None."""
        return await (await self._reach()).closed_action(action_id)

    async def entry(self, account_id: AccountId, number: int) -> StoredEntry | None:
        """Return entry ``number`` of an account, or None."""
        return await (await self._reach()).entry(account_id, number)

    async def head(self) -> Head:
        """Return the committed end of the log."""
        return await (await self._reach()).head()

    async def tiles(self, wanted: tuple[tuple[int, int], ...]) -> Mapping[tuple[int, int], bytes]:
        """Return the tiles (level, number) that exist."""
        return await (await self._reach()).tiles(wanted)

    async def leaves(self, *, start: int, count: int) -> tuple[bytes, ...]:
        """Return the entries of the log from index ``start``, at most ``count``."""
        return await (await self._reach()).leaves(start=start, count=count)
