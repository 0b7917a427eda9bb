"""Examining orders: a pure function of a batch, what is known of its accounts, and their counts.

Always true (tests/property/test_order_intents_properties.py):

* a frozen account's orders never pass, whatever right is named; cancelling does, with any right;
* whatever the platform says of the middle of the book only adds: without it no more passes;
  nor does more pass by a price list;
* no key's band lets an order pass that is far from the middle of a thin pair;
* what passes in a batch is counted as it would have been in batches of one.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec

from twinlock.domain.account import ApiKey
from twinlock.domain.api_keys import lapses_at, lies_in, normal_ip
from twinlock.domain.catalogue import TRADE_SCOPE
from twinlock.domain.errors import MalformedError
from twinlock.domain.key_changes import exempts_from
from twinlock.domain.money import Prices, is_fresh
from twinlock.domain.order_intents.model import (
    UNIT,
    Examined,
    Intent,
    IntentReason,
    Kind,
    Suggested,
    Verdict,
    scaled,
)
from twinlock.domain.order_intents.view import TradePermit, TradingView
from twinlock.domain.policy.facts import SessionState, Within
from twinlock.domain.policy.trading import TradingRules

WHOLE_BP = 10_000
PASSES = Examined(verdict=Verdict.PASS)


class Name(NamedTuple):
    """Whose orders are counted: an account's, or those of one key or one permit of it."""

    account_id: str
    source: str = ""


class Count(msgspec.Struct, kw_only=True):
    """What was counted under one name: this hour, this day, and the busiest hour before this day.

    ``all_orders`` and ``all_cents`` are of every day that is kept.
    """

    orders: int = 0
    cents: int = 0
    day_orders: int = 0
    day_cents: int = 0
    top_orders: int = 0
    top_cents: int = 0
    all_orders: int = 0
    all_cents: int = 0

    def add(self, cents: int) -> None:
        """Count one order more."""
        self.orders += 1
        self.cents += cents
        self.day_orders += 1
        self.day_cents += cents
        self.all_orders += 1
        self.all_cents += cents


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch is examined by.

    ``tickets`` are the thumbprints whose signature verified, by account and session; ``prices`` is
    the signed list, if there is one.
    """

    rules: TradingRules
    views: Mapping[str, TradingView]
    permits: Mapping[str, TradePermit]
    tickets: Mapping[tuple[str, str], str]
    now: datetime
    prices: Prices | None = None


def names_of(intents: tuple[Intent, ...], permits: Mapping[str, TradePermit]) -> frozenset[Name]:
    """Return the names under which ``intents`` may count."""
    named = {Name(one.account_id) for one in intents}
    keys = (one for one in intents if one.api_key_id.startswith("key_"))  # Others are no keys' ids.
    named |= {Name(one.account_id, one.api_key_id) for one in keys}
    named |= {Name(permit.account_id, action_id) for action_id, permit in permits.items()}
    return frozenset(named)


def examine(
    intents: tuple[Intent, ...], known: Known, counts: Mapping[Name, Count]
) -> tuple[Examined, ...]:
    """Return the answers to ``intents``, in order; ``counts`` grow by what passes."""
    return tuple(_examined(one, known, counts) for one in intents)


def _examined(intent: Intent, known: Known, counts: Mapping[Name, Count]) -> Examined:
    view = known.views.get(intent.account_id)
    if view is None:
        return refused(IntentReason.ACCOUNT_UNKNOWN)
    why = _without_right(intent, view, known)
    if why is not None:
        return refused(why)
    if intent.kind is Kind.CANCEL:
        return PASSES  # Nothing is bought or sold by it.
    if intent.kind is Kind.ORDER and view.frozen(known.now):
        return refused(IntentReason.ACCOUNT_FROZEN)
    price, mid = scaled(intent.price), scaled(intent.mid)
    if intent.price and price is None:
        return refused(IntentReason.MALFORMED)
    return _judged(intent, view, known, counts, far=_distance(price, mid))


def refused(why: IntentReason) -> Examined:
    """Return a refusal."""
    return Examined(verdict=Verdict.REFUSE, why=(why,))


# --- The right to trade ---


def _without_right(intent: Intent, view: TradingView, known: Known) -> IntentReason | None:
    if bool(intent.session_id) == bool(intent.api_key_id):
        return IntentReason.NO_RIGHT
    if intent.session_id:
        return _without_session(intent, view, known)
    return _without_key(intent, view, known)


def _without_session(intent: Intent, view: TradingView, known: Known) -> IntentReason | None:
    """Prevents: a copied cookie, which names a session and has not the key of its device."""
    session = view.sessions.get(intent.session_id)
    state = SessionState.NONE if session is None else session.state(known.now)
    if session is None or state is SessionState.NONE:
        return IntentReason.SESSION_GONE
    if intent.kind is Kind.CANCEL:
        return None
    if state is SessionState.READ_ONLY:
        return IntentReason.SESSION_READ_ONLY
    signed_by = known.tickets.get((intent.account_id, intent.session_id))
    return None if signed_by == session.thumbprint else IntentReason.PROOF_NOT_BOUND


def _without_key(intent: Intent, view: TradingView, known: Known) -> IntentReason | None:
    key = view.keys.get(intent.api_key_id)
    if key is None:
        return IntentReason.KEY_GONE
    if key.api_key_id in view.stopped:
        return IntentReason.KEY_STOPPED
    if known.now >= lapses_at(key, lapses=known.rules.lapses):
        return IntentReason.KEY_LAPSED
    if TRADE_SCOPE not in key.scopes:
        return IntentReason.KEY_SCOPE
    return IntentReason.KEY_IP if _elsewhere(key, intent.ip) else None


def _elsewhere(key: ApiKey, ip: str) -> bool:
    try:
        return lies_in(key.ip_list, normal_ip(ip) if ip else "") is Within.OUTSIDE
    except MalformedError:
        return True


# --- What an order is ---


def _distance(price: int | None, mid: int | None) -> int | None:
    """Return how far ``price`` is from ``mid``, in basis points, up; None where nobody knows."""
    if price is None or mid is None:
        return None
    return -(-abs(price - mid) * WHOLE_BP // mid)


def _judged(
    intent: Intent,
    view: TradingView,
    known: Known,
    counts: Mapping[Name, Count],
    *,
    far: int | None,
) -> Examined:
    key, permit = view.keys.get(intent.api_key_id), _permit(intent, view, known, counts)
    beyond = None if key is None else _beyond(intent, key, known, counts, far=far)
    if beyond is not None:
        return refused(beyond)
    causes = _unusual(intent, view, known, counts, far=far)
    if causes and permit is None:
        told = Suggested(pair=intent.pair, side=intent.side, price=intent.price)
        return Examined(verdict=Verdict.ASK, why=causes, propose=told)
    counts[Name(intent.account_id)].add(intent.notional_cents)
    for source in (intent.api_key_id, intent.action_id if causes else ""):
        if source:
            counts[Name(intent.account_id, source)].add(intent.notional_cents)
    return PASSES


def _beyond(
    intent: Intent,
    key: ApiKey,
    known: Known,
    counts: Mapping[Name, Count],
    *,
    far: int | None,
) -> IntentReason | None:
    """Return what of the key's own powers does not reach so far; no permit widens a key."""
    if intent.pair not in (key.pairs or known.rules.liquid):
        return IntentReason.KEY_PAIR
    if key.price_band_bp and (far is None or far > key.price_band_bp):
        return IntentReason.KEY_BAND
    today = counts[Name(intent.account_id, key.api_key_id)].day_cents
    if key.notional_daily_cents and today + intent.notional_cents > key.notional_daily_cents:
        return IntentReason.KEY_NOTIONAL
    return None


def _unusual(
    intent: Intent,
    view: TradingView,
    known: Known,
    counts: Mapping[Name, Count],
    *,
    far: int | None,
) -> tuple[IntentReason, ...]:
    rules = known.rules
    thin = intent.pair not in rules.liquid
    is_far = far is None or far > rules.far_bp or _is_off_the_list(intent, known)
    if thin and is_far:
        return (IntentReason.TRADE_FAR,)
    if _exempt(intent, view, known):
        return ()
    causes = (IntentReason.TRADE_FAR,) if is_far and rules.far_anywhere else ()
    count = counts[Name(intent.account_id)]
    fast = intent.kind is Kind.ORDER and _never_seen(count, intent.notional_cents, rules)
    return (*causes, IntentReason.TRADE_RATE) if fast else causes


def _is_off_the_list(intent: Intent, known: Known) -> bool:
    """Say whether more is given than the signed price list says, and as far is allowed beyond it.

    Whole cents may be one more or less. Prevents: whoever makes the middle of a thin pair with two
    orders of their own, and trades with themselves right there.
    """
    price, prices = scaled(intent.price), known.prices
    if price is None or prices is None or not is_fresh(prices, now=known.now):
        return False
    if intent.kind is not Kind.ORDER:  # Law 5: whoever gets out while prices fall is not held up.
        return False
    first, _, second = intent.pair.partition("/")
    base, quote = prices.cents.get(first, 0), prices.cents.get(second, 0)
    if min(base, quote) <= 0:  # It is not on the list, or the list says what cannot be meant.
        return False
    far = known.rules.far_bp
    if intent.side == "buy":
        return price * (quote - 1) * WHOLE_BP > (base + 1) * UNIT * (WHOLE_BP + far)
    return price * (quote + 1) * WHOLE_BP < (base - 1) * UNIT * (WHOLE_BP - far)


def _never_seen(count: Count, cents: int, rules: TradingRules) -> bool:
    """Say whether this hour, with one order more, outdoes all of the days before this one.

    The busiest hour of earlier days, and not of this one: what a thief trades today does not make
    what he trades next look usual.
    """
    orders = max(rules.orders_an_hour, rules.times_busiest * count.top_orders)
    most = max(rules.notional_an_hour_cents, rules.times_busiest * count.top_cents)
    return count.orders + 1 > orders or count.cents + cents > most


def _exempt(intent: Intent, view: TradingView, known: Known) -> bool:
    """Say whether the key's band speaks for this order: declared, waited for, bound, unheld.

    That the order lies in it was seen before. Under the owner's lock it waits as long as whatever
    loosens does, and under one of both keys it speaks for nothing. Prevents: a key that a thief
    made today, or within the month of a lock; and one that took a single root.
    """
    key = view.keys.get(intent.api_key_id)
    since = None if key is None else exempts_from(key)
    if since is None or view.both_keys:
        return False
    waited = known.now >= since + max(known.rules.exempt_after, view.lock)
    return waited and not view.held(known.now)


def _permit(
    intent: Intent, view: TradingView, known: Known, counts: Mapping[Name, Count]
) -> TradePermit | None:
    """Return the spent ``trade.unusual`` that lets this very order pass, or None."""
    permit = known.permits.get(intent.action_id)
    stopped = view.frozen(known.now) or view.held(known.now)
    if permit is None or stopped or known.now >= permit.until:
        return None
    named = (permit.account_id, permit.pair, permit.side)
    price, bound = scaled(intent.price), scaled(permit.price)
    if named != (intent.account_id, intent.pair, intent.side) or price is None or bound is None:
        return None
    if price > bound if intent.side == "buy" else price < bound:
        return None
    used = counts[Name(intent.account_id, intent.action_id)]
    left = permit.cents - used.all_cents
    fits = used.all_orders < permit.orders and intent.notional_cents <= left
    return permit if fits else None
