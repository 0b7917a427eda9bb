"""What the wallet is asked to sign: with which authorization, made by which proofs."""

from typing import Any

import pytest
from support.ranges import PASSKEY_ACCOUNT, attack, step

from twinlock.range.results import Status, StepResult


async def wallet(*proof: str, do: str = "withdrawal.crypto", **given: object) -> StepResult:
    """Play one step of the platform's, and return what became of it."""
    whole = {"call": "spend", "amount": "small", "destination": "old_addr", **given}
    words: dict[str, Any] = {"by": "platform", "proof": list(proof), "with": whole}
    part = await attack(step(do, **words), account=PASSKEY_ACCOUNT)
    return part.steps[0]


async def test_the_proof_that_is_listed_makes_the_authorization() -> None:
    found = await wallet("passkey", authorization="valid")

    assert (found.answer, found.status) == ("allow", Status.PASSED)


@pytest.mark.parametrize(
    ("proof", "said"),
    [
        pytest.param([], "challenge", id="none"),
        pytest.param(["password"], "challenge", id="one below the floor"),
        pytest.param(["passkey@other_action"], "challenge", id="one for another action"),
    ],
)
async def test_a_proof_that_authorizes_nothing_leaves_nothing_to_sign_with(
    proof: list[str], said: str
) -> None:
    found = await wallet(*proof, authorization="valid")

    assert found.status is Status.NOT_PLAYABLE
    assert found.notes == (f"the authorization that the step needs was not given: {said}",)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        pytest.param({"via": "a_friend"}, "via 'a_friend': not understood", id="a way"),
        pytest.param({"banana": 1}, "'banana': not understood", id="a fruit"),
        pytest.param({"call": "sign_blindly"}, "'sign_blindly': not understood", id="a call"),
        pytest.param({"call": "approve"}, "call: spend", id="an authorization for the gate"),
        pytest.param({"authorization": "odd"}, "'odd': not understood", id="an authorization"),
        pytest.param({"authorization": "absent"}, "does not leave", id="a proof of nothing"),
        pytest.param({"amount": "-5"}, "nothing could be authorized", id="less than nothing"),
        pytest.param({"do": "destination.add"}, "not understood", id="another action"),
    ],
)
async def test_words_are_understood_before_anything_is_signed(
    words: dict[str, Any], why: str
) -> None:
    found = await wallet("passkey", **{"authorization": "valid", **words})

    assert found.status is Status.NOT_PLAYABLE
    assert why in found.notes[0]


async def test_what_was_spent_before_is_not_signed_again_whatever_made_it() -> None:
    for proof in ("passkey", "passkey@spent"):
        found = await wallet(proof, authorization="spent_before")
        assert found.answer == "deny"
        assert "already_spent" in found.codes


async def test_a_proof_that_is_refused_leaves_an_authorization_absent() -> None:
    found = await wallet("passkey@other_action", authorization="absent")

    assert (found.answer, found.status) == ("deny", Status.PASSED)


async def test_where_nothing_is_said_of_it_the_proof_makes_the_authorization() -> None:
    assert (await wallet("passkey")).answer == "allow"
    assert (await wallet()).answer == "deny"


async def test_a_proof_that_the_rules_of_2024_do_not_ask_for_is_noted() -> None:
    given = {"call": "spend", "amount": "small", "destination": "old_addr"}
    words = {"with": {**given, "authorization": "valid"}, "proof": ["passkey@other_action"]}
    part = await attack(
        step("withdrawal.crypto", **words), account=PASSKEY_ACCOUNT, profile="baseline-2024"
    )

    assert part.steps[0].notes == ("passkey@other_action not shown: decided before",)


async def test_while_something_is_down_no_spend_but_a_valid_one_is_played() -> None:
    spend = {"call": "spend", "amount": "small", "destination": "old_addr"}
    part = await attack(
        step("event.dependency", **{"with": {"which": "clock", "state": "down"}}),
        step("withdrawal.crypto", **{"with": {**spend, "authorization": "absent"}}),
        step("event.dependency", **{"with": {"which": "prices", "state": "slow"}}),
        account=PASSKEY_ACCOUNT,
    )

    assert [one.status for one in part.steps[1:]] == [Status.NOT_PLAYABLE] * 2
