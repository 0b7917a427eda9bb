"""What examining an order needs to know of an account: small, and of one version of it."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from twinlock.domain.account import Account, ApiKey, Session
from twinlock.domain.api_keys import day_number, stopped
from twinlock.domain.bounds import MAX_VALUE_CENTS, TRADE_PERMIT_LIFETIME
from twinlock.domain.disputes import instant
from twinlock.domain.entries import ClosedAction
from twinlock.domain.events import ActionSpent
from twinlock.domain.exits import TradeUnusual
from twinlock.domain.waits import effective_at


class TradingView(msgspec.Struct, frozen=True, kw_only=True):
    """An account as orders see it. ``stopped`` are keys whose making was reported since.

    ``both_keys``: the lock takes two roots, which no API key is. ``due`` is when each of the
    changes that wait may take effect.
    """

    account_id: str
    frozen_until: datetime | None
    held_until: datetime | None
    lock: timedelta
    both_keys: bool
    sessions: Mapping[str, Session]
    keys: Mapping[str, ApiKey]
    stopped: frozenset[str]
    due: tuple[datetime, ...] = ()

    def due_at(self, now: datetime) -> datetime | None:
        """Return when the last change that is due became so, or None where none is."""
        return max((one for one in self.due if one <= now), default=None)

    def frozen(self, now: datetime) -> bool:
        """Say whether the owner's freeze stands at ``now``."""
        return self.frozen_until is not None and now < self.frozen_until

    def held(self, now: datetime) -> bool:
        """Say whether a hold stands at ``now``."""
        return self.held_until is not None and now < self.held_until


def view_of(account: Account) -> TradingView:
    """Return ``account`` as orders see it."""
    ends = [one.ends_at for one in account.holds]
    contest = account.disputes.contest
    if contest is not None and contest.holds:
        ends.append(instant(contest.ends_at))
    if account.suspension.end is not None:  # It stops every exit, and so what a spent one permits.
        ends.append(account.suspension.end)
    waits = (effective_at(one) for one in account.actions)
    return TradingView(
        account_id=account.account_id,
        frozen_until=account.freeze.until,
        held_until=max(ends, default=None),
        lock=account.lock.delay,
        both_keys=account.lock.both_keys,
        sessions={one.session_id: one for one in account.sessions},
        keys={one.api_key_id: one for one in account.api_keys},
        stopped=frozenset(one.api_key_id for one in account.api_keys if stopped(account, one)),
        due=tuple(one for one in waits if one is not None),
    )


def used_today(key: ApiKey, now: datetime) -> bool:
    """Say whether the log knows of a use of ``key`` on ``now``'s day."""
    return max(key.used_on, key.spent[0]) >= day_number(now)


class TradePermit(msgspec.Struct, frozen=True, kw_only=True):
    """What a spent ``trade.unusual`` lets pass, until it lapses: ``cents`` in all."""

    account_id: str
    pair: str
    side: str
    price: str
    orders: int
    cents: int
    until: datetime


def permit_of(closed: ClosedAction | None) -> TradePermit | None:
    """Return what an action that is over lets pass, or None: it was not spent, or no trade.

    Where nobody knew what it is worth, that is the platform's own figure. Prevents: a consent to
    give one coin without a price, which counts as the highest sum there is, and lets that pass.
    """
    if closed is None or not isinstance(closed.ended, ActionSpent):
        return None
    payload = closed.action.payload
    if not isinstance(payload, TradeUnusual):
        return None
    worth = closed.ended.value_cents
    return TradePermit(
        account_id=payload.account,
        pair=payload.pair,
        side=payload.side,
        price=payload.price,
        orders=payload.orders,
        cents=closed.action.claimed_cents if worth == MAX_VALUE_CENTS else worth,
        until=closed.ended.at + TRADE_PERMIT_LIFETIME,
    )
