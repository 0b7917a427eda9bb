"""Saved codes in stories: a set of the owner's, what one of them is read for, and once."""

from typing import Any

import pytest
from support.ranges import APP_ACCOUNT, PASSKEY_ACCOUNT, answers, attack, step

from twinlock.range.account_words import SAVED

WITH_DESKTOP = {**APP_ACCOUNT, "channels": ["email", "sms", "desktop"]}
SAVING = {**WITH_DESKTOP, "authenticators": ["password", "totp", "recovery_code"]}
BOTH = ["password", "recovery_code"]


def sign_in(*proof: str, **words: object) -> dict[str, Any]:
    return step("session.start", **{"with": {"from": "new_device"}, "proof": list(proof), **words})


@pytest.mark.parametrize("account", [SAVING, WITH_DESKTOP])
async def test_a_thief_with_the_password_and_a_saved_code_gets_in_and_nothing_out(
    account: dict[str, Any],
) -> None:
    part = await attack(
        sign_in(*BOTH, by="mallory", leaves=["exits_held", "notice_old_channels"]),
        step(
            "withdrawal.crypto",
            at="1m",
            by="mallory",
            proof=["recovery_code"],
            **{"with": {"amount": "all", "destination": "attacker_addr"}},
        ),
        sign_in("password", "recovery_code@spent", at="2m", by="mallory"),
        sign_in("password", "recovery_code@other_account", at="3m", by="mallory"),
        account=account,
        capabilities=["PASSWORD", "RECOVERY_CODE"],
    )

    assert [one.answer for one in part.steps] == ["allow", "challenge", "deny", "deny"]
    assert part.steps[2].codes == part.steps[3].codes == ("code_wrong",)
    assert part.lost_later_cents == 0
    assert part.without == (() if account is SAVING else (SAVED,))


async def test_a_code_that_nobody_used_is_used_first_where_a_spent_one_is_shown() -> None:
    assert await answers(sign_in("password", "recovery_code@spent"), account=SAVING) == ["deny"]


async def test_where_a_passkey_is_bound_a_saved_code_looks_and_freezes() -> None:
    said = await answers(
        sign_in(*BOTH),
        step("freeze.set", at="1m", proof=["recovery_code"]),
        step("freeze.lift", at="2m", proof=BOTH),
        account=PASSKEY_ACCOUNT,
    )

    assert said == ["read_only", "allow", "challenge"]


async def test_a_saved_code_is_the_same_for_every_action() -> None:
    assert await answers(sign_in("recovery_code@other_action"), account=SAVING) == ["unplayed"]


async def test_a_new_set_is_of_no_use_before_its_wait_is_over() -> None:
    said = await answers(
        step("authenticator.bind", proof=["totp"], **{"with": {"authenticator": "recovery_code"}}),
        sign_in("password", "recovery_code@new", at="1m"),
        sign_in("password", "recovery_code@new", at="wait:x1"),
    )

    assert said == ["hold", "deny", "allow"]
