"""What is asked of where orders are counted, and accounts are read for many orders at once."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol, TypeAlias

from twinlock.domain.ids import AccountId
from twinlock.domain.order_intents.judging import Count, Name
from twinlock.domain.order_intents.view import TradingView

Examine: TypeAlias = Callable[[Mapping[str, TradingView], Mapping[Name, Count]], None]


class OrderCounts(Protocol):
    """Counts of orders, by names that say nothing of whose they are."""

    async def examine(
        self,
        accounts: frozenset[AccountId],
        names: frozenset[Name],
        examine: Examine,
        *,
        now: datetime,
    ) -> None:
        """Call ``examine`` with what is committed of ``accounts``, and keep what it counts.

        An account that there is not, or that cannot be read, is left out, and so are its names.
        What ``examine`` was given is what stood when it was called first: whatever another process
        committed before that is seen. It counts all of a batch or nothing.

        Raises:
            UnavailableError: the database does not answer; nothing was counted.
        """
        ...

    async def forget(self, *, now: datetime) -> None:
        """Forget what was counted more than 31 days ago."""
        ...
