from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cast import INSTANT, NOON

from twinlock.domain.bounds import MAX_UINT256, MAX_VALUE_CENTS
from twinlock.domain.money import (
    KNOWN_CENTS_MOST,
    MAX_PRICE_CENTS,
    PRICE_LIFETIME,
    AmountError,
    Asset,
    Prices,
    format_amount,
    minor_units,
    parse_amount,
    parse_amount_or_zero,
    value_cents,
)

TETHER = Asset(symbol="USDT", network="ethereum", decimals=6)
amounts = st.integers(1, MAX_UINT256)
decimals = st.integers(0, 30)


def listed(price: int, *, age: timedelta = timedelta(0)) -> Prices:
    return Prices(as_of=NOON - age, cents={"USDT": price})


def worth(minor: int, prices: Prices | None, *, claimed: int = 0, asset: Asset = TETHER) -> int:
    return value_cents(asset, minor, prices=prices, claimed_cents=claimed, now=NOON)


@given(amounts, decimals)
def test_parsing_what_was_formatted_gives_the_same_number(amount: int, places: int) -> None:
    text = format_amount(amount, decimals=places)

    assert parse_amount(text, decimals=places) == amount
    assert Fraction(text) == Fraction(amount, 10**places)


@pytest.mark.parametrize(
    ("minor", "places", "text"),
    [
        (1_500_000, 6, "1.5"),
        (10_000_000, 6, "10"),
        (1, 6, "0.000001"),
        (0, 6, "0"),
        (100, 0, "100"),
    ],
)
def test_an_amount_is_written_as_shortly_as_can_be(minor: int, places: int, text: str) -> None:
    assert format_amount(minor, decimals=places) == text


@given(st.text())
def test_whatever_parses_is_a_positive_number_of_256_bits(text: str) -> None:
    try:
        amount = parse_amount(text, decimals=6)
    except AmountError:
        return
    assert 0 < amount <= MAX_UINT256


@given(amounts, st.integers(1, MAX_PRICE_CENTS), decimals)
def test_nothing_is_ever_rounded_to_a_smaller_value(amount: int, price: int, places: int) -> None:
    asset = Asset(symbol="USDT", network="ethereum", decimals=places)
    exact = Fraction(amount * price, 10**places)
    value = worth(amount, listed(price), asset=asset)

    assert exact <= value < exact + 1 or exact > value == KNOWN_CENTS_MOST


@given(amounts, st.integers(), st.integers(1, 10**6))
def test_the_platforms_figure_can_only_add(amount: int, claimed: int, price: int) -> None:
    alone = worth(amount, listed(price))

    assert alone <= worth(amount, listed(price), claimed=claimed) < MAX_VALUE_CENTS


@pytest.mark.parametrize(
    "prices",
    [
        pytest.param(None, id="no list at all"),
        pytest.param(Prices(as_of=NOON, cents={"BTC": 100}), id="this asset is not on it"),
        pytest.param(listed(0), id="it says nothing is worth nothing"),
        pytest.param(listed(-1), id="it says less than nothing"),
        pytest.param(listed(MAX_PRICE_CENTS + 1), id="it says more than can be meant"),
        pytest.param(listed(1, age=PRICE_LIFETIME + INSTANT), id="it is too old"),
        pytest.param(listed(1, age=-INSTANT), id="it is from the future"),
    ],
)
def test_an_unknown_value_counts_as_the_highest(prices: Prices | None) -> None:
    assert worth(1, prices) == MAX_VALUE_CENTS


@pytest.mark.parametrize("age", [timedelta(0), PRICE_LIFETIME])
@pytest.mark.parametrize("price", [1, MAX_PRICE_CENTS])
def test_a_fresh_price_counts_to_its_last_instant(age: timedelta, price: int) -> None:
    assert worth(1, listed(price, age=age)) == -(-price // 10**6)


@pytest.mark.parametrize(
    ("text", "minor"),
    [("1", 1_000_000), ("0.000001", 1), ("1.5", 1_500_000), ("0.5", 500_000), ("0", 0)],
)
def test_an_amount_is_a_plain_decimal(text: str, minor: int) -> None:
    assert parse_amount_or_zero(text, decimals=6) == minor


MALFORMED = {
    "empty": "",
    "a sign": "-1",
    "a plus": "+1",
    "an exponent": "1e3",
    "a space": " 1",
    "a line feed after it": "1\n",
    "an underscore": "1_000",
    "a comma": "1,5",
    "a leading zero": "01",
    "a bare point": ".5",
    "a trailing point": "1.",
    "digits of another script": "١",
    "one decimal too many": "0.0000001",
    "beyond 256 bits": str(MAX_UINT256),
    "far too long": "9" * 79,
    "not a number": "NaN",
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(AmountError):
        parse_amount_or_zero(text, decimals=6)


def test_nothing_moves_nothing() -> None:
    with pytest.raises(AmountError, match="more than zero"):
        parse_amount("0.0", decimals=6)


@given(st.integers(0, MAX_UINT256))
def test_minor_units_have_one_form(number: int) -> None:
    assert minor_units(str(number)) == number


@pytest.mark.parametrize(
    "text",
    ["", "-1", "+1", "01", "1.0", "1_0", " 1", "1\n", "１", "1e3", str(MAX_UINT256 + 1)],
)
def test_minor_units_in_another_form_are_refused(text: str) -> None:
    with pytest.raises(AmountError):
        minor_units(text)
