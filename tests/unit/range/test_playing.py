"""One step at the gate: what is shown, what is refused, what leaves."""

from typing import Any

import pytest
from support.ranges import APP_ACCOUNT, PASSKEY_ACCOUNT, answers, attack, step

OLD = {"amount": "small", "destination": "old_addr"}
KEY_ACCOUNT = {**PASSKEY_ACCOUNT, "authenticators": ["password", "passkey", "hardware_key"]}


def withdrawal(*proof: str, **words: object) -> dict[str, Any]:
    given = {key: words.pop(key, OLD[key]) for key in OLD}
    return step("withdrawal.crypto", **{"with": given, "proof": list(proof), **words})


async def test_a_yes_counts_when_it_was_spent_and_is_lost_only_to_a_thief() -> None:
    part = await attack(
        withdrawal("passkey"),
        withdrawal("passkey", by="mallory"),
        account=PASSKEY_ACCOUNT,
    )

    assert [one.answer for one in part.steps] == ["allow", "allow"]
    assert [one.taken_cents for one in part.steps] == [0, 50_00]
    assert part.lost_cents == 50_00


async def test_what_goes_to_a_thiefs_place_is_lost_whoever_sends_it() -> None:
    part = await attack(
        step(
            "withdrawal.crypto",
            **{
                "with": {"amount": "small", "destination": "attacker_addr"},
                "proof": ["passkey", "hardware_key"],
            },
        ),
        account=KEY_ACCOUNT,
    )

    assert part.steps[0].answer == "hold"  # The profile waits for every new destination.
    assert part.lost_later_cents == 50_00


async def test_a_second_root_stands_behind_what_is_above_the_limit() -> None:
    said = await answers(
        withdrawal("passkey", amount="150000"),
        withdrawal("passkey", "hardware_key", amount="150000", at="1m"),
        account=KEY_ACCOUNT,
    )

    assert said == ["challenge", "allow"]  # The choice is between another root and a wait.


@pytest.mark.parametrize(
    ("account", "proof", "said"),
    [
        pytest.param(APP_ACCOUNT, ["totp"], "allow", id="the app"),
        pytest.param(APP_ACCOUNT, ["password"], "challenge", id="a password below the floor"),
        pytest.param(APP_ACCOUNT, ["email_code"], "challenge", id="a code that is not asked for"),
        pytest.param(APP_ACCOUNT, ["passkey"], "challenge", id="a passkey that is not there"),
        pytest.param(PASSKEY_ACCOUNT, ["passkey@other_action"], "deny", id="for another action"),
        pytest.param(PASSKEY_ACCOUNT, ["passkey@other_account"], "deny", id="another account's"),
        pytest.param(PASSKEY_ACCOUNT, ["passkey@spent"], "deny", id="used before"),
        pytest.param(APP_ACCOUNT, ["totp@other_action"], "deny", id="a code shown elsewhere"),
        pytest.param(APP_ACCOUNT, ["session"], "challenge", id="a session for more than a budget"),
        pytest.param(APP_ACCOUNT, ["session@copied"], "deny", id="a session that was copied"),
        pytest.param(APP_ACCOUNT, ["face_video"], "deny", id="a picture"),
        pytest.param(APP_ACCOUNT, ["totp@new"], "challenge", id="an app that nobody bound"),
        pytest.param(APP_ACCOUNT, ["sms_code@new"], "challenge", id="a number nobody changed"),
        pytest.param(APP_ACCOUNT, ["totp@duress"], "hold", id="under duress"),
        pytest.param(PASSKEY_ACCOUNT, ["passkey@duress"], "hold", id="a passkey, under duress"),
        pytest.param(APP_ACCOUNT, ["sms_code@duress"], "unplayed", id="a code, under duress"),
        pytest.param(APP_ACCOUNT, ["chip_live"], "unplayed", id="a chip"),
        pytest.param(APP_ACCOUNT, ["password@spent"], "unplayed", id="a password used before"),
        pytest.param(APP_ACCOUNT, ["session@duress"], "unplayed", id="a session, under duress"),
        pytest.param(APP_ACCOUNT, ["session@spent"], "deny", id="a session used before"),
        pytest.param(APP_ACCOUNT, ["session@other_action"], "deny", id="what a device signed"),
        pytest.param(APP_ACCOUNT, ["session@other_account"], "deny", id="somebody else's session"),
    ],
)
async def test_a_proof_is_worth_what_it_is_bound_to(
    account: dict[str, Any], proof: list[str], said: str
) -> None:
    assert await answers(withdrawal(*proof), account=account) == [said]


async def test_a_code_to_a_channel_that_nobody_changed_is_read_by_nobody() -> None:
    account = {"authenticators": ["password"], "channels": ["email", "sms"]}
    part = await attack(
        step(
            "session.start",
            by="mallory",
            **{"with": {"from": "new_device"}},
            proof=["password", "email_code@new"],
        ),
        account=account,
    )

    assert part.steps[0].answer == "challenge"
    assert part.steps[0].notes == ("email_code@new: nothing of the kind came to be",)


async def test_a_marked_proof_that_was_not_shown_is_noted() -> None:
    account = {**PASSKEY_ACCOUNT, "destinations": {"list": "required"}}
    part = await attack(
        withdrawal("passkey@other_action", destination="attacker_addr"),
        account=account,
    )

    assert part.steps[0].answer == "deny"
    assert part.steps[0].notes == ("passkey@other_action not shown: decided before",)


async def test_a_code_counts_for_the_action_it_was_sent_for() -> None:
    account = {"authenticators": ["password"], "channels": ["email", "desktop"]}
    part = await attack(
        step("password.change", proof=["password", "email_code@other_action"]),
        step("password.change", at="1m", proof=["password", "email_code"]),
        account=account,
    )

    assert [one.answer for one in part.steps] == ["deny", "allow"]
    assert part.steps[0].codes == ("code_wrong",)


async def test_what_is_left_over_after_a_yes_is_not_shown() -> None:
    part = await attack(withdrawal("passkey", "password"), account=PASSKEY_ACCOUNT)

    assert (part.steps[0].answer, part.taps) == ("allow", 1)


async def test_below_the_floor_an_action_asks_for_a_proof_and_tells_no_wait() -> None:
    part = await attack(
        step(
            "destination.add",
            **{"with": {"destination": "new_addr"}, "proof": ["sms_code"]},
        )
    )

    [found] = part.steps
    assert (found.answer, found.waits) == ("challenge", None)
    assert found.codes[0] == "below_floor"
    assert found.sentence.startswith("This method is weaker")


async def test_what_a_policy_does_not_offer_is_not_told_as_weaker() -> None:
    part = await attack(
        step(
            "destination.add",
            **{"with": {"destination": "new_addr"}, "proof": ["sms_code"]},
        ),
        profile="strict",
    )

    [found] = part.steps
    assert (found.answer, found.waits) == ("challenge", None)
    assert found.codes[0] == "not_offered"
    assert found.sentence == "Nobody proves this action by this method, so nobody asks for it."


async def test_reasons_that_nothing_lifts_come_first() -> None:
    part = await attack(withdrawal("session@copied", destination="new_addr", amount="all"))

    assert part.steps[0].codes[0] == "proof_not_bound"


async def test_a_new_password_is_the_one_that_works_afterwards() -> None:
    said = await answers(
        step("password.change", proof=["password", "totp"]),
        step(
            "session.start", at="1m", **{"with": {"from": "known_device"}}, proof=["password@new"]
        ),
        step(
            "session.start", at="2m", **{"with": {"from": "new_device"}}, proof=["password", "totp"]
        ),
    )

    assert said == ["allow", "challenge", "allow"]


async def test_an_authenticator_that_was_bound_works_when_its_wait_is_over() -> None:
    said = await answers(
        step("authenticator.bind", **{"with": {"authenticator": "passkey"}}, proof=["totp"]),
        step("freeze.set", at="1m", proof=["passkey@new"]),
        step("freeze.set", at="wait:x1", proof=["passkey@new"]),
        account=APP_ACCOUNT,
    )

    assert said == ["hold", "deny", "allow"]


async def test_everything_that_is_built_can_be_proposed() -> None:
    said = await answers(
        step("session.start", **{"with": {"from": "known_device"}}, proof=["passkey"]),
        step(
            "destination.add", at="1m", **{"with": {"destination": "new_addr"}}, proof=["passkey"]
        ),
        step(
            "destination.remove",
            at="2m",
            **{"with": {"destination": "old_addr"}},
            proof=["session"],
        ),
        step(
            "api_key.create",
            at="3m",
            **{"with": {"scopes": ["read"], "ip_list": ["203.0.113.7"]}},
            proof=["passkey"],
        ),
        step("api_key.revoke", at="4m", **{"with": {"key": "x4"}}, proof=["session"]),
        step(
            "authenticator.remove",
            at="5m",
            **{"with": {"authenticator": "hardware_key"}},
            proof=["passkey"],
        ),
        step("freeze.set", at="6m", proof=["password"]),
        step("freeze.lift", at="7m", proof=["passkey"]),
        account=KEY_ACCOUNT,
    )

    assert said == ["allow", "hold", "allow", "allow", "allow", "hold", "allow", "hold"]


async def test_what_is_not_built_is_proposed_and_refused() -> None:
    said = await answers(
        step(
            "recovery.open", **{"with": {"amount": "small", "scores": {"face": 1.0}, "to": ["bob"]}}
        ),
        step("unknown.exit", **{"with": {"amount": "small"}}),
        step("recovery.open", proof=["document_image"]),
    )

    assert said == ["deny", "deny", "deny"]


@pytest.mark.parametrize("asset", ["BTC", "TRX"])
async def test_a_coin_leaves_on_its_own_chain(asset: str) -> None:
    known = {"name": "vault", "signed": True, "age": "400d", "last_used": "5d"}
    account = PASSKEY_ACCOUNT | {"destinations": {"list": "optional", "entries": [known]}}
    pays = {"destination": "vault", "asset": asset, "amount": "small"}

    part = await attack(
        step("withdrawal.crypto", **{"with": pays}, proof=["passkey"]),
        step("withdrawal.crypto", at="1m", by="mallory", **{"with": pays | {"destination": "new"}}),
        account=account,
    )

    assert [one.answer for one in part.steps] == ["allow", "hold"]


@pytest.mark.parametrize(
    ("do", "words"),
    [
        pytest.param("withdrawal.crypto", {"with": {"amount": "small"}}, id="no destination"),
        pytest.param("withdrawal.crypto", {"with": {**OLD, "memo": "x"}}, id="a parameter"),
        pytest.param("withdrawal.crypto", {"with": {**OLD, "asset": "USDC"}}, id="an asset"),
        pytest.param("withdrawal.crypto", {"with": {**OLD, "via": "a_friend"}}, id="a way"),
        pytest.param("withdrawal.crypto", {"with": {**OLD, "call": "sign_blindly"}}, id="a call"),
        pytest.param("withdrawal.crypto", {"with": {**OLD, "asset": "USD"}}, id="a network"),
        pytest.param("session.start", {"with": {"from": "the_moon"}}, id="a place"),
        pytest.param(
            "authenticator.bind", {"with": {"authenticator": "nose"}}, id="an authenticator"
        ),
        pytest.param(
            "authenticator.bind", {"with": {"authenticator": "password"}}, id="a second password"
        ),
        pytest.param(
            "authenticator.remove", {"with": {"authenticator": "passkey"}}, id="one not bound"
        ),
        pytest.param("api_key.revoke", {}, id="a key that is not there"),
    ],
)
async def test_a_word_that_cannot_be_played_is_not_played(do: str, words: dict[str, Any]) -> None:
    part = await attack(step(do, **words))

    assert part.steps[0].answer is None
    assert part.steps[0].notes
    assert part.status == "not_playable"


async def test_a_thief_below_the_floor_has_a_session_that_can_only_look() -> None:
    said = await answers(
        step(
            "session.start",
            by="mallory",
            **{"with": {"from": "new_device"}},
            proof=["password", "sms_code"],
        ),
        withdrawal("session", by="mallory", at="1m", amount="1"),
    )

    assert said == ["read_only", "challenge"]


async def test_a_withdrawal_of_another_asset_is_worth_its_price() -> None:
    part = await attack(
        step(
            "withdrawal.crypto",
            by="mallory",
            **{"with": {"asset": "ETH", "amount": "0.1", "destination": "old_addr"}},
            proof=["passkey"],
        ),
        account=PASSKEY_ACCOUNT,
    )

    assert part.lost_cents == 300_00
