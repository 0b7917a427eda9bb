"""Money: whole numbers of minor units, and what they are worth in US cents.

Always true (tests/property/test_money.py):

* parsing what was formatted gives the same number; nothing is ever rounded to a smaller value;
* an unknown or stale price makes a value the highest there is (law 1).
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import ClassVar

import msgspec

from twinlock.domain.addresses import AddressForm
from twinlock.domain.bounds import MAX_UINT256, MAX_VALUE_CENTS
from twinlock.domain.errors import TwinlockError

_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,77})(?:\.([0-9]{1,36}))?", re.ASCII)
_WHOLE = re.compile(r"0|[1-9][0-9]{0,77}", re.ASCII)
PRICE_LIFETIME = timedelta(minutes=15)  # An hour-old price of a falling coin is a wrong limit.
MAX_PRICE_CENTS = 10**12
# Prevents: a figure of the platform's that makes a known value unknown, for which no limit holds.
KNOWN_CENTS_MOST = MAX_VALUE_CENTS - 1


class AmountError(TwinlockError):
    """Not an amount of this asset: its form, sign, size or number of decimals."""

    code: ClassVar[str] = "amount_refused"
    status: ClassVar[int] = 422


class UnknownAssetError(TwinlockError):
    """The active policy version does not name this asset on this network."""

    code: ClassVar[str] = "asset_unknown"
    status: ClassVar[int] = 422


class NetworkUnknownError(TwinlockError):
    """The active policy version does not name this network."""

    code = "network_unknown"
    status = 422


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """One asset on one network; contract and decimals belong to the policy version.

    ``contract`` is empty for the network's own coin; ``form`` is how its network writes addresses:
    where none is stated, nothing is sent there.
    """

    symbol: str
    network: str
    decimals: int
    contract: str = ""
    form: AddressForm | None = None


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """A signed price list: US cents for one whole unit of each asset, at ``as_of`` (UTC)."""

    as_of: datetime
    cents: Mapping[str, int]


def minor_units(text: str) -> int:
    """Return the number that a decimal string of minor units says, such as ``"1500000"``.

    Raises:
        AmountError: not the one form of a whole number from 0 to 2^256 − 1.
    """
    if not _WHOLE.fullmatch(text) or int(text) > MAX_UINT256:
        raise AmountError("minor units are a whole number of at most 256 bits")
    return int(text)


def parse_amount(text: str, *, decimals: int) -> int:
    """Return minor units for a decimal string of whole units, such as ``"1.5"``.

    Raises:
        AmountError: not plain digits with at most one point, more decimals than the asset has,
            or beyond 2^256 − 1. Zero and signs are refused: nothing moves nothing.
    """
    amount = parse_amount_or_zero(text, decimals=decimals)
    if amount == 0:
        raise AmountError("an amount is more than zero")
    return amount


def parse_amount_or_zero(text: str, *, decimals: int) -> int:
    """Return minor units as ``parse_amount`` does, and allow zero (a fee may be nothing)."""
    found = _DECIMAL.fullmatch(text)
    if found is None:
        raise AmountError("an amount is digits with at most one decimal point")
    whole, fraction = found[1], found[2] or ""
    if len(fraction) > decimals:
        raise AmountError(f"this asset has {decimals} decimals")
    amount = int(whole + fraction.ljust(decimals, "0"))
    if amount > MAX_UINT256:
        raise AmountError("an amount fits in 256 bits")
    return amount


def format_amount(amount_minor: int, *, decimals: int) -> str:
    """Return the shortest decimal string of ``amount_minor``."""
    digits = str(amount_minor).rjust(decimals + 1, "0")
    whole, fraction = digits[: len(digits) - decimals], digits[len(digits) - decimals :]
    return f"{whole}.{fraction}".rstrip("0").rstrip(".")


def is_fresh(prices: Prices, *, now: datetime) -> bool:
    """Say whether a list still says what things are worth, and not what they will be."""
    return timedelta(0) <= now - prices.as_of <= PRICE_LIFETIME


def value_cents(
    asset: Asset, amount_minor: int, *, prices: Prices | None, claimed_cents: int, now: datetime
) -> int:
    """Return what the amount is worth, in US cents, rounded up.

    The higher of the signed price list and the platform's figure counts (law 1): the platform's
    word can only add requirements. No price, or one older than PRICE_LIFETIME or from the future,
    counts as the most there is, and nothing else does: what is known counts as less.
    """
    if prices is None or not is_fresh(prices, now=now):
        return MAX_VALUE_CENTS
    price = prices.cents.get(asset.symbol)
    if price is None or not 0 < price <= MAX_PRICE_CENTS:
        return MAX_VALUE_CENTS
    unit: int = 10**asset.decimals
    listed = -(-amount_minor * price // unit)
    return min(max(listed, claimed_cents), KNOWN_CENTS_MOST)
