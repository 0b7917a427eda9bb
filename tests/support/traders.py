"""Customers of the tests who trade: their orders, their keys' and their sessions'."""

from typing import Any

from support.owned_keys import HOME, KEY
from support.service import Customer

from twinlock.domain.order_intents.model import TRADE, ticket_digest

LIQUID, THIN = "BTC/USDT", "QTUM/BTC"
MAKER: dict[str, Any] = {
    "public_key": KEY.public_key,
    "scopes": ["read", "trade"],
    "ip_list": [HOME],
    "pairs": [LIQUID, THIN],
    "price_band_bp": 100,
    "integrator": "example-bot",
}


def order(account_id: str, **changes: object) -> dict[str, Any]:
    """Return an order in a liquid pair, at the middle."""
    return {
        "account_id": account_id,
        "pair": LIQUID,
        "side": "buy",
        "notional_cents": 10_00,
        "price": "60000",
        "mid": "60000",
        **changes,
    }


def ticket(who: Customer, **changes: object) -> dict[str, Any]:
    """Return what the customer's device signs so that its session trades."""
    digest = ticket_digest(who.account_id)
    signed = who.signed(digest, purpose=TRADE, name=who.account_id)
    return {"account_id": who.account_id, **signed, **changes}


async def make_key(who: Customer, **changes: object) -> str:
    """Make a key that trades, and return its id."""
    made = await who.propose("api_key.create", {**MAKER, **changes})
    await who.with_passkey(made.action_id)
    seen = await who.client.account(who.account_id)
    public_key = changes.get("public_key", KEY.public_key)
    return str(
        next(one for one in seen["api_keys"] if one["public_key"] == public_key)["api_key_id"]
    )


async def by_session(who: Customer, **changes: object) -> dict[str, Any]:
    """Have one order of the customer's session examined."""
    asked = order(who.account_id, session_id=who.session_id, **changes)
    [answer] = await who.client.examine([asked], tickets=[ticket(who)])
    return answer


async def by_key(who: Customer, key: str, **changes: object) -> dict[str, Any]:
    """Have one order of the customer's API key examined."""
    asked = order(who.account_id, **{"api_key_id": key, "ip": HOME, **changes})
    [answer] = await who.client.examine([asked])
    return answer
