"""Traces of API keys: which of them can still do something."""

from typing import Any

import pytest
from support.ranges import PASSKEY_ACCOUNT, attack, step

from twinlock.range.results import Status

HOME = ["203.0.113.7"]
BOT = {"name": "bot", "scopes": ["trade"], "ip_list": HOME}
SWEEP = {"name": "sweep", "scopes": ["withdraw"], "ip_list": HOME, "destinations": ["old_addr"]}
PAUSED = {"expect": ["allow"], "leaves": ["key_paused"]}


def account(*keys: dict[str, Any]) -> dict[str, Any]:
    return {**PASSKEY_ACCOUNT, "api_keys": list(keys)}


@pytest.mark.parametrize(
    ("rests", "keys"),
    [
        pytest.param(step("freeze.set", proof=["session"]), (BOT, SWEEP), id="a freeze"),
        pytest.param(step("api_key.revoke", proof=["session"]), (BOT,), id="it is gone"),
        pytest.param(step("password.change", proof=["passkey"]), (SWEEP,), id="its exits are held"),
        pytest.param(
            step(
                "authenticator.suspend",
                proof=["email_code"],
                **{"with": {"authenticator": "passkey"}},
            ),
            (BOT,),
            id="what signed it was stolen",
        ),
    ],
)
async def test_a_key_rests_when_nothing_can_be_done_with_it(
    rests: dict[str, Any], keys: tuple[dict[str, Any], ...]
) -> None:
    [done] = (await attack({**rests, **PAUSED}, account=account(*keys))).steps

    assert (done.status, done.notes) == (Status.PASSED, ())


@pytest.mark.parametrize(
    ("named", "why"),
    [
        pytest.param({"key": "sweep"}, (), id="the one that is named"),
        pytest.param({"key": "bot"}, ("key_paused is missing: bot works",), id="the other one"),
        pytest.param({}, ("key_paused is missing: bot works",), id="any"),
    ],
)
async def test_a_key_that_trades_works_on_while_exits_are_held(
    named: dict[str, str], why: tuple[str, ...]
) -> None:
    told = step("api_key.revoke", at="1m", proof=["session"], **{"with": {"key": "third"}})
    held = step("password.change", proof=["passkey"])
    third = {**BOT, "name": "third"}
    looked = step(
        "ungated.balance_read", at="2m", proof=["session"], always=["key_paused"], **{"with": named}
    )

    part = await attack(held, told, looked, account=account(BOT, SWEEP, third))

    assert part.steps[-1].notes == why
    assert part.steps[-1].status is (Status.FAILED if why else Status.PASSED)


async def test_an_account_without_keys_has_none_that_could_rest() -> None:
    [done] = (await attack(step("freeze.set", proof=["session"], **PAUSED))).steps

    assert done.status is Status.NOT_PLAYABLE
    assert done.notes == ("key_paused: the account has no API key",)
