"""What was not proved has no wait yet, whichever way the proof falls short."""

from typing import Any

import pytest
from support.ranges import APP_ACCOUNT, PASSKEY_ACCOUNT, answers, attack, step

EVERY = {**PASSKEY_ACCOUNT, "authenticators": ["password", "totp", "passkey"]}
MALWARE = ["DEVICE_MALWARE"]


@pytest.mark.parametrize(
    ("do", "given"),
    [
        pytest.param("destination.add", {"destination": "attacker_addr"}, id="a destination"),
        pytest.param("contact.change", {"channel": "email"}, id="a channel"),
        pytest.param("limit.raise", {"to": "all"}, id="a limit"),
        pytest.param("freeze.lift", {}, id="a freeze"),
        pytest.param("authenticator.bind", {"authenticator": "hardware_key"}, id="a key"),
        pytest.param("password.reset", {}, id="a password"),
    ],
)
@pytest.mark.parametrize("proof", [[], ["session"], ["totp"], ["sms_code", "password"]])
async def test_what_loosens_asks_for_its_proof_before_any_wait_is_told(
    do: str, given: dict[str, Any], proof: list[str]
) -> None:
    part = await attack(
        step("freeze.set", proof=["passkey"]),
        step(do, at="1m", by="mallory", proof=proof, **{"with": given}),
        account=EVERY,
        capabilities=MALWARE,
    )

    [_, asked] = part.steps
    assert asked.answer in ("challenge", "deny")
    assert asked.waits is None


async def test_a_hold_that_runs_is_told_of_an_exit_whatever_it_lacks() -> None:
    said = await answers(
        step("password.change", proof=["password", "totp"]),
        step(
            "withdrawal.crypto",
            at="1m",
            proof=["session"],
            **{"with": {"amount": "small", "destination": "old_addr"}},
        ),
        account={**APP_ACCOUNT, "channels": ["email", "sms", "desktop"]},
    )

    assert said == ["allow", "hold"]


async def test_a_session_beside_the_proof_of_a_secret_stands_in_nobodys_way() -> None:
    said = await answers(
        step("password.change", proof=["session"]),
        step("password.change", at="1m", proof=["session", "totp", "password"]),
        step("password.change", at="2m", by="mallory", proof=["session@copied"]),
    )

    assert said == ["challenge", "allow", "deny"]


async def test_where_no_more_codes_are_sent_an_action_is_told_what_it_lacks_all_the_same() -> None:
    """S04: nine exits at one time, each with two codes, are held; codes are sent for the first."""
    codes = {"proof": ["sms_code", "email_code"]}
    part = await attack(
        step("session.start", proof=["password", "sms_code"], **{"with": {"from": "new_device"}}),
        *(step("card.pay", at="1h", **codes, **{"with": {"amount": "small"}}) for _ in range(7)),
        step("contact.change", at="1h", **codes, **{"with": {"channel": "email"}}),
        account={"authenticators": ["password"], "channels": ["email", "sms"]},
    )

    [_, *pays, changes] = part.steps
    assert {one.answer for one in pays} == {"hold"}
    assert all("exits_held" in one.codes for one in pays)
    assert pays[-1].notes[0] == "sms_code not shown: as many codes were sent as may be"
    assert changes.answer == "challenge"
