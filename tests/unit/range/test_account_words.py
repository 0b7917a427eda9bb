"""Words of an account that are not built: told always, and no demand rests on them unnoticed."""

from typing import Any

import pytest
from support.ranges import PASSKEY_ACCOUNT, a_story, played, step

from twinlock.range.results import Status, StoryResult

WORDS: dict[str, Any] = {
    "subaccounts": 2,
    "trusted_contacts": 1,
    "enrolled_identity": ["chip"],
    "shared_roots": [["email", "sms"]],
}
FREEZE = step("freeze.set", proof=["passkey"])


async def demanded(
    demand: dict[str, Any], *, own: dict[str, Any] | None = None, **account: object
) -> StoryResult:
    """Play one demand of a story whose account has these words."""
    whole = {"id": "m1", "text": "so", "steps": [demand], "account": own or {}}
    return await played(a_story(must=[whole], account={**PASSKEY_ACCOUNT, **account}))


@pytest.mark.parametrize(
    ("word", "used"),
    [
        pytest.param(
            "trusted_contacts",
            step("withdrawal.crypto", **{"with": {"amount": "above_limit"}}),
            id="who must agree above the limit",
        ),
        pytest.param("trusted_contacts", {**FREEZE, "proof": ["trusted_contact"]}, id="a contact"),
        pytest.param("enrolled_identity", step("recovery.open", proof=["chip_live"]), id="a chip"),
        pytest.param("subaccounts", step("transfer.subaccount"), id="a part of the account"),
        pytest.param(
            "shared_roots",
            step("gift.send", by="mallory", proof=["sms_code", "email_code"]),
            id="one root",
        ),
    ],
)
async def test_a_demand_that_uses_such_a_word_rests_on_it(word: str, used: dict[str, Any]) -> None:
    rests = f"it rests on account.{word}, which is not built"
    result = await demanded(used, **{word: WORDS[word]})

    assert result.parts[1].status is Status.NOT_PLAYABLE
    assert rests in result.parts[1].notes
    assert rests not in (await demanded(used)).parts[1].notes
    assert result.attack.notes == ()


@pytest.mark.parametrize("word", sorted(WORDS))
async def test_such_a_word_is_told_and_stops_nothing_that_does_not_use_it(word: str) -> None:
    result = await demanded(FREEZE, **{word: WORDS[word]})

    assert result.parts[1].status is Status.PASSED
    assert all(
        part.without == (f"account.{word} is not built; played without",)
        for part in result.parts[:2]
    )


async def test_a_demand_rests_on_the_words_of_its_own_account() -> None:
    result = await demanded(FREEZE, own={"trusted_contacts": 1})

    assert result.parts[1].status is Status.NOT_PLAYABLE
    assert result.attack.without == ()
