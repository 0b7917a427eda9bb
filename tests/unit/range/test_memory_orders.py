"""Counts of orders in memory: by hour and day, of accounts that there are."""

from datetime import timedelta

from support.cast import ALICE, DAY, NOON
from support.trading import a_trading_account

from twinlock.domain.account import Account
from twinlock.domain.errors import AccountUnknownError
from twinlock.domain.ids import AccountId
from twinlock.domain.order_intents.judging import Count, Name
from twinlock.range.memory_orders import MemoryOrderCounts

HOUR = timedelta(hours=1)


class OneAccount:
    """A store that has Alice's account and no other."""

    async def account(self, account_id: AccountId) -> Account:
        if account_id != ALICE:
            raise AccountUnknownError("no such account")
        return a_trading_account()


def counts() -> MemoryOrderCounts:
    return MemoryOrderCounts(OneAccount())  # type: ignore[arg-type] # the one thing asked of it


async def count(kept: MemoryOrderCounts, *, orders: int = 0, at: timedelta = HOUR * 0) -> Count:
    """Count ``orders`` of a dollar, and return what is then counted."""
    found: list[Count] = []

    def examine(_: object, by_name: object) -> None:
        assert isinstance(by_name, dict)
        one = by_name[Name(ALICE)]
        for _one in range(orders):
            one.add(100)
        found.append(one)

    await kept.examine(frozenset({ALICE}), frozenset({Name(ALICE)}), examine, now=NOON + at)
    return found[0]


async def test_an_hour_a_day_and_the_busiest_hour_before_it_are_told_apart() -> None:
    kept = counts()
    await count(kept, orders=3)
    same = await count(kept, orders=2, at=HOUR / 2)
    assert (same.orders, same.cents, same.day_orders) == (5, 500, 5)

    later = await count(kept, orders=1, at=HOUR)
    assert (later.orders, later.day_orders, later.day_cents) == (1, 6, 600)
    assert later.top_orders == 0
    next_day = await count(kept, at=DAY)
    assert (next_day.orders, next_day.day_orders, next_day.all_orders) == (0, 0, 6)
    assert (next_day.top_orders, next_day.top_cents) == (5, 500)
    assert (await count(kept, at=30 * DAY)).top_orders == 5
    assert (await count(kept, at=31 * DAY)).top_orders == 0


async def test_what_is_old_is_forgotten() -> None:
    kept = counts()
    await count(kept, orders=3)

    await kept.forget(now=NOON + 30 * DAY)
    assert (await count(kept)).all_orders == 3
    await kept.forget(now=NOON + 31 * DAY)
    assert (await count(kept)).all_orders == 0


async def test_accounts_that_there_are_not_are_left_out() -> None:
    seen: list[tuple[object, object]] = []
    other = AccountId("acc_other")

    await counts().examine(
        frozenset({other}),
        frozenset({Name(other)}),
        lambda views, by_name: seen.append((views, by_name)),
        now=NOON,
    )

    assert seen == [({}, {})]
