"""What the platform lets people do beside the gate: whoever shows a right that is alive."""

from typing import Any

import pytest
from support.ranges import PASSKEY_ACCOUNT, answers, attack, step

HOME = "203.0.113.7"
SESSION = step("session.start", **{"with": {"from": "known_device"}}, proof=["passkey"])
TRADER = {"scopes": ["read", "trade"], "ip_list": [HOME]}
BY_KEY: dict[str, Any] = {"with": {"via": "api_key"}, "proof": ["api_key"]}
UNGATED = ["ungated.trade", "ungated.order_cancel", "ungated.deposit", "ungated.balance_read"]


def create(**given: object) -> dict[str, Any]:
    return step("api_key.create", **{"with": TRADER | given}, proof=["passkey"])


async def said(*steps: dict[str, Any], profile: str = "default") -> list[str]:
    return await answers(*steps, account=PASSKEY_ACCOUNT, profile=profile)


@pytest.mark.parametrize("do", UNGATED)
async def test_without_a_right_nothing_is_done(do: str) -> None:
    assert await said(step(do), step(do, proof=["password"])) == ["deny", "deny"]


@pytest.mark.parametrize("do", UNGATED)
async def test_a_session_and_a_key_that_trades_give_the_right(do: str) -> None:
    told = await said(
        SESSION, create(), step(do, at="1m", proof=["session"]), step(do, at="2m", **BY_KEY)
    )

    assert told == ["allow"] * 4


@pytest.mark.parametrize("copied", ["default", "baseline-2024"])
async def test_a_copied_session_trades_by_the_rules_of_2024_alone(copied: str) -> None:
    """Prevents: S10. A session's cookie without its device key is no session."""
    theft = step("ungated.trade", by="mallory", at="1m", proof=["session@copied"])

    told = await said(SESSION, theft, profile=copied)

    assert told == ["allow", "deny" if copied == "default" else "allow"]


@pytest.mark.parametrize("mark", ["spent", "other_action", "other_account"])
@pytest.mark.parametrize("profile", ["default", "typical-2026"])
async def test_what_a_session_signed_for_something_else_trades_nothing(
    mark: str, profile: str
) -> None:
    trade = step("ungated.trade", at="1m", proof=[f"session@{mark}"])

    assert await said(SESSION, trade, profile=profile) == ["allow", "deny"]


@pytest.mark.parametrize(
    ("scopes", "told"),
    [
        (["read"], ["deny", "deny", "allow", "allow"]),
        (["trade"], ["allow", "allow", "allow", "allow"]),
    ],
)
async def test_a_key_does_what_its_scopes_say(scopes: list[str], told: list[str]) -> None:
    doing = [step(do, at="1m", **BY_KEY) for do in UNGATED]

    assert (await said(create(scopes=scopes), *doing))[1:] == told


async def test_a_copied_key_is_used_from_elsewhere_and_refused() -> None:
    part = await attack(
        create(),
        step("ungated.trade", at="1m", **{"with": {"via": "api_key"}}, proof=["api_key@copied"]),
        account=PASSKEY_ACCOUNT,
    )

    assert part.steps[1].codes == ("api_key_ip",)


async def test_a_key_that_was_revoked_or_never_made_gives_no_right() -> None:
    part = await attack(
        create(),
        step("api_key.revoke", at="1m", proof=["passkey"]),
        step("ungated.trade", at="2m", **BY_KEY),
        step("ungated.trade", at="2m", by="mallory", **BY_KEY),
        account=PASSKEY_ACCOUNT,
    )

    assert [one.codes for one in part.steps[2:]] == [("api_key_gone",)] * 2


async def test_a_session_that_ended_gives_no_right() -> None:
    part = await attack(
        step("password.reset", proof=["passkey"]),
        SESSION | {"at": "1430m"},
        create() | {"at": "1441m"},  # Whatever is asked of the gate settles what is due.
        step("ungated.trade", at="1442m", proof=["session"]),
        account=PASSKEY_ACCOUNT,
    )

    assert part.steps[3].codes == ("session_gone",)


async def test_a_key_is_stopped_with_what_made_it() -> None:
    part = await attack(
        create(),
        step(
            "authenticator.suspend",
            at="1m",
            **{"with": {"authenticator": "passkey"}},
            proof=["password"],
        ),
        step("ungated.trade", at="2m", **BY_KEY),
        account=PASSKEY_ACCOUNT,
    )

    assert part.steps[2].codes == ("api_key_stopped",)


async def test_under_a_freeze_orders_are_cancelled_and_none_is_made() -> None:
    """Law 5: cancelling stays open under any freeze."""
    told = await said(
        SESSION,
        step("freeze.set", at="1m", proof=["passkey"]),
        step("ungated.trade", at="2m", proof=["session"]),
        step("ungated.order_cancel", at="2m", proof=["session"]),
    )

    assert told[2:] == ["deny", "allow"]


@pytest.mark.parametrize(
    "words",
    [
        pytest.param({"with": {"banana": 1}}, id="a fruit"),
        pytest.param({"with": {"via": "a_friend"}}, id="a way"),
        pytest.param({"with": {"pair": "plums"}}, id="no pair"),
        pytest.param({"with": {"price_to_mid": 0}}, id="no price"),
        pytest.param({"proof": ["session@duress"]}, id="a session's mark"),
        pytest.param({"proof": ["api_key@spent"]}, id="a key's mark"),
    ],
)
async def test_what_is_no_ordinary_trade_is_not_played(words: dict[str, Any]) -> None:
    assert (await said(SESSION, step("ungated.trade", **words)))[1] == "unplayed"
