"""Counts of orders in memory, for worlds of the range that have no database.

Always true (tests/unit/range/test_memory_orders.py): what is counted is what the database counts.
"""

from collections import defaultdict
from datetime import datetime, timedelta

from twinlock.domain.errors import AccountUnknownError
from twinlock.domain.ids import AccountId
from twinlock.domain.order_intents.judging import Count, Name
from twinlock.domain.order_intents.view import TradingView, view_of
from twinlock.ports import Store
from twinlock.ports.order_intents import Examine

DAYS_COMPARED = timedelta(days=30)  # As in the database.


class MemoryOrderCounts:
    """Counts by name and hour. Implements ``ports.OrderCounts``."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._hours: dict[Name, dict[datetime, tuple[int, int]]] = defaultdict(dict)

    async def examine(
        self,
        accounts: frozenset[AccountId],
        names: frozenset[Name],
        examine: Examine,
        *,
        now: datetime,
    ) -> None:
        """Examine orders by what is stored, and keep what they count."""
        views: dict[str, TradingView] = {}
        for named in accounts:
            try:
                views[named] = view_of(await self._store.account(named))
            except AccountUnknownError:
                continue
        counts = {name: self._count(name, now=now) for name in names if name.account_id in views}
        examine(views, counts)
        hour = _hour(now)
        for name, count in counts.items():
            if count.orders:
                self._hours[name][hour] = (count.orders, count.cents)

    async def forget(self, *, now: datetime) -> None:
        """Forget what was counted too long ago."""
        first = _day(now) - DAYS_COMPARED
        for name, hours in self._hours.items():
            self._hours[name] = {hour: one for hour, one in hours.items() if hour >= first}

    def _count(self, name: Name, *, now: datetime) -> Count:
        today, first = _day(now), _day(now) - DAYS_COMPARED
        every = {at: one for at, one in self._hours.get(name, {}).items() if at >= first}
        before = [one for at, one in every.items() if at < today]
        of_day = [one for at, one in every.items() if at >= today]
        orders, cents = every.get(_hour(now), (0, 0))
        return Count(
            orders=orders,
            cents=cents,
            day_orders=sum(one[0] for one in of_day),
            day_cents=sum(one[1] for one in of_day),
            top_orders=max((one[0] for one in before), default=0),
            top_cents=max((one[1] for one in before), default=0),
            all_orders=sum(one[0] for one in every.values()),
            all_cents=sum(one[1] for one in every.values()),
        )


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _day(at: datetime) -> datetime:
    return _hour(at).replace(hour=0)
