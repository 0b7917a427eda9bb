"""Steps while what decisions lean on is down, and steps of another customer."""

from typing import Any

import pytest
from support.ranges import APP_ACCOUNT, PASSKEY_ACCOUNT, answers, attack, step

ADD = step("destination.add", proof=["passkey"], **{"with": {"destination": "new_addr"}})


def weather(which: str, state: str = "down", **words: object) -> dict[str, Any]:
    given = {"with": {"which": which, "state": state}}
    return step("event.dependency", by="world", **given, **words)


@pytest.mark.parametrize(
    ("which", "said"),
    [
        pytest.param("database", "deny", id="nothing is known"),
        pytest.param("clock", "deny", id="no time is known"),
        pytest.param("prices", "hold", id="a listing has no price"),
        pytest.param("price_feed", "hold", id="by another name"),
        pytest.param("each_in_turn", "hold", id="the mildest of all"),
    ],
)
async def test_what_cannot_be_decided_is_a_no_and_the_weather_clears(which: str, said: str) -> None:
    heard = await answers(
        weather(which),
        ADD | {"at": "1m"},
        weather(which, "up", at="2m"),
        ADD | {"at": "3m"},
        account=PASSKEY_ACCOUNT,
    )

    assert heard == ["done", said, "done", "hold"]


async def test_what_needs_no_gate_is_refused_as_well_while_nobody_answers() -> None:
    part = await attack(
        weather("database"),
        step("ungated.trade", at="1m", proof=["session"]),
        step("session.start", at="2m", proof=["password", "totp"]),
    )

    assert [one.answer for one in part.steps] == ["done", "deny", "deny"]
    assert part.steps[1].codes == part.steps[2].codes == ("database down: unavailable",)


async def test_another_customer_acts_on_an_account_of_his_own() -> None:
    part = await attack(
        step("freeze.set", by="bob", proof=["password"]),
        step("ungated.trade", at="1m", by="bob", proof=["session"]),
        step("ungated.trade", at="1m", proof=["session"]),
        step("destination.add", at="2m", proof=["totp"], **{"with": {"destination": "new_addr"}}),
        step("event.veto", at="3m", by="bob", **{"with": {"of": "x4"}}),
        account={**APP_ACCOUNT, "channels": ["email", "sms", "desktop"]},
    )

    assert [one.answer for one in part.steps] == ["allow", "deny", "allow", "hold", "deny"]
