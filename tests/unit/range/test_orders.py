"""Orders are shown before they are placed, by the rights that a step lists, and judged by ours."""

from typing import Any

import pytest
from support.ranges import PASSKEY_ACCOUNT, answers, attack, step

HOME = "203.0.113.7"
SESSION = step("session.start", **{"with": {"from": "known_device"}}, proof=["passkey"])
MAKER = {
    "name": "maker",
    "scopes": ["trade"],
    "ip_list": [HOME],
    "pairs": "declared",
    "price_band": "declared",
    "last_used": "0d",
}
WITH_MAKER = PASSKEY_ACCOUNT | {"api_keys": [MAKER]}


def trades(**given: object) -> dict[str, Any]:
    return step("ungated.trade", at="1m", **{"with": given}, proof=["session"])


def by_maker(**given: object) -> dict[str, Any]:
    return trades(via="api_key", key="maker", **given) | {"proof": ["api_key"]}


async def codes_of(*steps: dict[str, Any], account: dict[str, Any]) -> list[tuple[str, ...]]:
    return [one.codes for one in (await attack(*steps, account=account)).steps]


async def test_a_maker_trades_all_day_in_its_pair_and_band() -> None:
    """The honest twin of S10: no rate is unusual for whoever declared what the key is for."""
    told = await answers(by_maker(pair="declared", times=5_000), account=WITH_MAKER)

    assert told == ["allow"]


async def test_beyond_its_pair_or_its_band_a_key_trades_nothing() -> None:
    codes = await codes_of(
        by_maker(pair="liquid"),
        by_maker(pair="declared", inside_band=False),
        account=WITH_MAKER,
    )

    assert codes == [("api_key_pair",), ("api_key_band",)]


async def test_whoever_never_traded_so_much_is_asked() -> None:
    part = await attack(SESSION, trades(times=200), account=PASSKEY_ACCOUNT)

    assert (part.steps[1].answer, part.steps[1].codes) == ("challenge", ("trade_rate",))


async def test_far_from_the_middle_of_a_thin_pair_one_order_is_asked_about() -> None:
    told = await answers(
        SESSION,
        trades(pair="thin"),
        trades(pair="thin", inside_band=False),
        trades(pair="liquid", inside_band=False),
        trades(pair="thin", price_to_mid=10, counterparty="attacker"),
        account=PASSKEY_ACCOUNT,
    )

    assert told[1:] == ["allow", "challenge", "allow", "challenge"]


async def test_a_copied_cookie_shows_no_order() -> None:
    """Prevents: S10. Without the key of its device a session has no ticket."""
    theft = step(
        "trade.unusual",
        at="1m",
        by="mallory",
        **{"with": {"pair": "thin", "price_to_mid": 10, "counterparty": "attacker"}},
        proof=["session@copied"],
    )

    assert (await codes_of(SESSION, theft, account=PASSKEY_ACCOUNT))[1] == ("proof_not_bound",)


async def test_a_key_that_nobody_made_shows_no_order() -> None:
    part = await attack(by_maker(pair="declared"), account=PASSKEY_ACCOUNT)

    assert part.steps[0].codes == ("api_key_gone",)


async def test_without_a_right_no_order_is_shown() -> None:
    part = await attack(trades() | {"proof": ["password"]}, account=PASSKEY_ACCOUNT)

    assert part.steps[0].codes == ("no_right",)


async def test_what_was_spent_for_unusual_orders_lets_them_pass() -> None:
    buys = step(
        "trade.unusual",
        at="1m",
        **{"with": {"pair": "old_pair", "times": 200, "side": "buy"}},
        proof=["session", "passkey"],
    )

    known = {"name": "old_pair", "signed": True, "age": "400d", "last_used": "5d"}
    account = PASSKEY_ACCOUNT | {"destinations": {"list": "optional", "entries": [known]}}

    part = await attack(SESSION, buys, account=account)

    assert part.steps[1].answer == "allow"
    assert not any("do not pass" in note for note in part.steps[1].notes)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"pair": "banana"}, id="no pair"),
        pytest.param({"pair": "BTC/PEAR"}, id="no price"),
        pytest.param({"side": "both"}, id="no side"),
        pytest.param({"amount": "much"}, id="no amount"),
    ],
)
async def test_what_has_no_meaning_is_not_played(given: dict[str, Any]) -> None:
    assert (await answers(SESSION, trades(**given), account=PASSKEY_ACCOUNT))[1] == "unplayed"


async def test_a_band_is_declared_or_basis_points() -> None:
    wide = step("api_key.create", **{"with": {"scopes": ["trade"], "price_band": "wide"}})

    assert await answers(wide, account=PASSKEY_ACCOUNT) == ["unplayed"]
