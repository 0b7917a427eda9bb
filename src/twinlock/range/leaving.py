"""Exits in the words of files: what is proposed when somebody wants value to leave, and its value.

Every exit of the catalogue is played. What a file says beside amount and place, such as whether a
buyer has paid or how far a price is from the middle, stands in what is signed.

Always true (tests/unit/range/test_leaving.py): a word that is not understood is never left out;
an exit leads where its words say, and to the same place as a destination of that name.
"""

from collections.abc import Mapping
from decimal import ROUND_UP, Decimal
from typing import Any, NamedTuple

from twinlock.domain.catalogue import ActionType
from twinlock.domain.exits import (
    BANK,
    CARD,
    LOAN,
    MARKET,
    PRODUCT,
    SUBACCOUNT,
    VENUE,
    asset_in_books,
)
from twinlock.domain.money import Asset, UnknownAssetError
from twinlock.range.customer import NotPlayableError
from twinlock.range.places import CHAINS, FIELDS, NETWORK, NETWORKS, WORDS, pair_of, pairs_of
from twinlock.range.stage import ASSET, Stage
from twinlock.range.story import Step
from twinlock.range.weather import CENTS
from twinlock.range.words import THIEVES

LOOKS = frozenset({"resembles", "same_first", "same_last"})
_ALL = LOOKS | {"amount", "destination", "asset", "via", "key", "from", "call"}
_MORE: dict[str, frozenset[str]] = {
    ActionType.WITHDRAWAL_CRYPTO: frozenset({"authorization", "network"}),
    ActionType.P2P_RELEASE: frozenset({"paid", "order"}),
    ActionType.CARD_PAY: frozenset({"merchant"}),
    ActionType.TRADE_UNUSUAL: frozenset(
        {"side", "price_to_mid", "times", "pairs", "counterparty", "sell", "buy"}
    ),
}
UNDERSTOOD: Mapping[str, frozenset[str]] = {
    kind: _ALL | set(WORDS.get(kind, ())) | _MORE.get(kind, frozenset()) for kind in NETWORKS
}
# Where an exit leads of which a file does not say it: what every customer has one of.
_UNNAMED = {
    SUBACCOUNT: "sub_1",
    CARD: "card_1",
    LOAN: "loan_1",
    MARKET: "thin",
    PRODUCT: "product_1",
}
FIAT = "USD"
_USED_BY = {  # By which exit a listed place is used.
    BANK: ActionType.WITHDRAWAL_FIAT,
    VENUE: ActionType.TRANSFER_INTERNAL,
    SUBACCOUNT: ActionType.TRANSFER_SUBACCOUNT,
    CARD: ActionType.CARD_PAY,
    LOAN: ActionType.LOAN_COLLATERAL,
    MARKET: ActionType.TRADE_UNUSUAL,
    PRODUCT: ActionType.STAKING_START,
}
_THEIRS = ("attacker", "lookalike", "mule", "thief", *(one.value for one in THIEVES))
_PLACES = ("destination", "counterparty", "to", "subaccount", "card", "merchant", "loan")
_ORIGINS = ("known_device", "new_device", "other_network")


class Leaves(NamedTuple):
    """The payload of an exit, and what the customer has less after it, in US cents."""

    payload: dict[str, Any]
    cents: int


def reaches_thief(step: Step) -> bool:
    """Say whether a thief's place gets what leaves by ``step``."""
    named = (str(step.given.get(word, "")) for word in _PLACES)
    return any(symbol.startswith(_THEIRS) for symbol in named)


def leaving(stage: Stage, step: Step) -> tuple[Leaves, ...]:
    """Return what ``step`` wants to leave: one payload, or one for each pair that it trades.

    Raises:
        NotPlayableError: a word of it has no meaning here.
    """
    if step.do != ActionType.TRADE_UNUSUAL:
        return (_one(stage, step),)
    return tuple(_trade(stage, step, pair) for pair in _pairs(step))


def _one(stage: Stage, step: Step) -> Leaves:
    given, asset = step.given, _asset(stage, step)
    crypto = step.do == ActionType.WITHDRAWAL_CRYPTO
    network = asset.network if crypto else NETWORKS[step.do]
    amount, cents = stage.amount(given.get("amount", "small"), asset)
    address = stage.places.address(_symbol(step, network), given, network=network)
    payload: dict[str, Any] = {"asset": asset.symbol, "amount": amount}
    if crypto:
        fee = CHAINS[network].max_fee
        payload |= {"network": network, "address": address, "max_fee": fee}
    elif step.do == ActionType.WITHDRAWAL_FIAT:
        payload["address"] = address
    else:
        payload[FIELDS[step.do][1]] = address
    # What is moved to a sub-account is the customer's still, and can be stolen from there.
    stays = step.do == ActionType.TRANSFER_SUBACCOUNT and not reaches_thief(step)
    return Leaves({**payload, **_terms(step, amount, asset)}, 0 if stays else cents)


def _asset(stage: Stage, step: Step) -> Asset:
    if step.do == ActionType.WITHDRAWAL_CRYPTO:
        named = step.given.get("network")
        if named is None:
            return stage.asset(str(step.given.get("asset", ASSET)))
        return stage.asset(str(step.given.get("asset", ASSET)), networks=(chain_of(named),))
    if step.do == ActionType.WITHDRAWAL_FIAT:
        return stage.asset(str(step.given.get("asset", FIAT)), networks=(BANK,))
    return in_books(stage, str(step.given.get("asset", ASSET)))


def chain_of(word: object) -> str:
    """Return the chain that a word names. Raises NotPlayableError: none is made here."""
    if word not in CHAINS:
        raise NotPlayableError(f"the network {word!r}: places here are on {', '.join(CHAINS)}")
    return str(word)


def in_books(stage: Stage, symbol: str) -> Asset:
    """Return an asset as the books keep it. Raises NotPlayableError: there is none."""
    try:
        return asset_in_books(symbol, stage.policy.assets)
    except UnknownAssetError as why:
        raise NotPlayableError(f"the asset {symbol!r} is not in this policy version") from why


def _symbol(step: Step, network: str) -> str:
    """Return the symbol of the place that an exit leads to. Raises NotPlayableError: none."""
    for word in ("destination", *WORDS.get(step.do, ())):
        if word in step.given:
            return str(step.given[word])
    if network not in _UNNAMED:
        raise NotPlayableError(f"{step.do} names no destination")
    return _UNNAMED[network]


def _terms(step: Step, amount: str, asset: Asset) -> dict[str, Any]:
    """Return what is signed beside amount and place."""
    given = step.given
    match step.do:
        case ActionType.P2P_RELEASE:
            paid = given.get("paid", True)
            received = f"{amount} {asset.symbol} by bank" if paid else "nothing"
            return {"order": str(given.get("order", f"order-{step.id}")), "received": received}
        case ActionType.CARD_PAY:
            return {"merchant": str(given.get("merchant", ""))}
        case ActionType.TRANSFER_SUBACCOUNT if given.get("from", _ORIGINS[0]) not in _ORIGINS:
            return {"source": str(given["from"])}
        case _:
            return {}


# --- Trades ---


def _pairs(step: Step) -> tuple[str, ...]:
    """Return the pairs that a step trades: the one it names, and as many more as it says.

    Raises:
        NotPlayableError: there are not so many here.
    """
    many = step.given.get("pairs", 1)
    if not isinstance(many, int):
        return pairs_of(many)
    first = pair_of(str(step.given.get("pair", _UNNAMED[MARKET])))
    more = [one for one in _THIN if one != first]
    if many > len(more) + 1:
        raise NotPlayableError(f"pairs: {many}: there are {len(more) + 1} here")
    return (first, *more[: many - 1])


# Of the assets that every policy version here has: nobody trades these for each other.
_THIN = ("XRP/USDT", "TRX/USDT", "XRP/ETH", "TRX/ETH", "XRP/BTC", "TRX/BTC", "TRX/XRP")


def _trade(stage: Stage, step: Step, pair: str) -> Leaves:
    """Return the orders of one pair; an amount is that of each order, and ``all`` that of all."""
    given = step.given
    base, quote = pair.split("/", 1)
    side = str(given.get("side", "buy"))
    if side not in ("buy", "sell"):
        raise NotPlayableError(f"side: {side!r}: buy or sell")
    price = price_of(pair, given.get("price_to_mid", 1))
    asset = in_books(stage, str(given.get("asset", quote if side == "buy" else base)))
    orders = max(1, int(given.get("times", 1)) // len(_pairs(step)))
    amount, cents = stage.amount(given.get("amount", "small"), asset)
    times = 1 if given.get("amount") == "all" else orders
    payload = {
        "asset": asset.symbol,
        "amount": f"{Decimal(amount) * times:f}",
        "pair": pair,
        "side": side,
        "price": price,
        "orders": orders,
    }
    return Leaves(payload, cents * times)


def price_of(pair: str, to_mid: object = 1) -> str:
    """Return the price of ``pair``, so many times the middle of its book, as a plain decimal.

    A coin that no price list names is worth a dollar: of its middle the gate hears from the venue.

    Raises:
        NotPlayableError: what is paid with has no price here.
    """
    base, quote = pair.split("/", 1)
    if not base or quote not in CENTS:
        raise NotPlayableError(f"the pair {pair!r} has no price here")
    price = Decimal(CENTS.get(base, UNLISTED_CENTS)) / CENTS[quote] * Decimal(str(to_mid))
    return f"{price.quantize(_FINEST).normalize():f}"


UNLISTED_CENTS = 100
_FINEST = Decimal(1).scaleb(-12)
_COARSEST = Decimal(1).scaleb(-6)  # Of coins: TRX has six places.


# --- What was used before the first step ---


def small_exit(network: str, address: str, units: int) -> tuple[str, dict[str, Any]]:
    """Return the exit that sends ``units`` dollars to a place, and its payload."""
    if network in CHAINS:
        chain = CHAINS[network]
        sent = {"asset": ASSET, "amount": str(units)}
        if network != NETWORK:
            coins = (Decimal(units * 100) / CENTS[chain.coin]).quantize(_COARSEST, ROUND_UP)
            sent = {"asset": chain.coin, "amount": f"{coins:f}"}
        place = {"network": network, "address": address, "max_fee": chain.max_fee}
        return ActionType.WITHDRAWAL_CRYPTO, sent | place
    kind = _USED_BY[network]
    payload: dict[str, Any] = {"asset": ASSET, "amount": str(units)}
    if network == BANK:
        payload |= {"asset": FIAT, "address": address}
    elif network == MARKET:
        payload |= {"pair": address, "side": "buy", "price": "1"}
    else:
        payload[FIELDS[kind][1]] = address
    return kind, payload
