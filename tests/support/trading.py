"""One account that trades, and orders of it, without a service."""

from collections.abc import Mapping

from msgspec.structs import replace
from support.cast import ALICE, DAY, NOON
from support.worlds import SYNCED, an_account

from twinlock.domain.account import Account, ApiKey, OpenAction, Session
from twinlock.domain.actions import FreezeSet
from twinlock.domain.bounds import TRADE_PERMIT_LIFETIME
from twinlock.domain.ids import ActionId, ApiKeyId, MemberId, SessionId
from twinlock.domain.order_intents.judging import Count, Known, Name, examine
from twinlock.domain.order_intents.model import Examined, Intent
from twinlock.domain.order_intents.view import TradePermit, TradingView, view_of
from twinlock.domain.policy.trading import TradingRules

HOME, LIQUID, THIN = "203.0.113.7", "BTC/USDT", "QTUM/BTC"
RULES = TradingRules(liquid=frozenset({LIQUID}))
PERMIT = "act_permit"
SESSION = Session(
    session_id=SessionId("ses_alice"),
    member_id=MemberId("mem_alice"),
    thumbprint="thumbprint",
    started_at=NOON,
    seen_at=NOON,
    bound_at=NOON,
)
KEY = ApiKey(
    api_key_id=ApiKeyId("key_maker"),
    public_key="K" * 43,
    scopes=("read", "trade"),
    ip_list=(f"{HOME}/32",),
    destinations=(),
    daily_cents=0,
    created_at=NOON - 2 * DAY,
    pairs=(LIQUID, THIN),
    price_band_bp=100,
)


def a_trading_account() -> Account:
    """Return Alice's account, with a session and a key that trades."""
    action = OpenAction(
        action_id=ActionId(PERMIT),
        member_id=MemberId("mem_alice"),
        payload=FreezeSet(account=ALICE),
        digest="",
        proposed_at=NOON,
        lapses_at=NOON + DAY,
        veto_key="",
    )
    return replace(an_account(SYNCED), sessions=(SESSION,), api_keys=(KEY,), actions=(action,))


def an_order(**changes: object) -> Intent:
    """Return an order of Alice's session in a liquid pair, at the middle."""
    order = Intent(
        account_id=ALICE,
        pair=LIQUID,
        side="buy",
        notional_cents=100,
        price="100",
        mid="100",
        session_id=SESSION.session_id,
    )
    return replace(order, **changes)


def known(account: Account | None = None, **changes: object) -> Known:
    """Return what is known of Alice: her account, a permit, and her device's ticket."""
    permit = TradePermit(
        account_id=ALICE,
        pair=THIN,
        side="buy",
        price="10",
        orders=2,
        cents=1_000_00,
        until=NOON + TRADE_PERMIT_LIFETIME,
    )
    made = Known(
        rules=RULES,
        views={ALICE: view_of(account or a_trading_account())},
        permits={PERMIT: permit},
        tickets={(ALICE, SESSION.session_id): SESSION.thumbprint},
        now=NOON,
    )
    return replace(made, **changes)


def counted(**counts: Count) -> dict[Name, Count]:
    """Return counts of nothing under all of Alice's names."""
    names = (Name(ALICE), Name(ALICE, KEY.api_key_id), Name(ALICE, PERMIT))
    return {name: Count() for name in names}


def examined(
    intent: Intent,
    *,
    account: Account | None = None,
    view: TradingView | None = None,
    counts: Mapping[Name, Count] | None = None,
    **changes: object,
) -> Examined:
    """Return the answer to one order."""
    what = known(account, **changes)
    if view is not None:
        what = replace(what, views={ALICE: view})
    [answer] = examine((intent,), what, {**counted(), **(counts or {})})
    return answer
