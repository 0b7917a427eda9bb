"""Words of an account that are not built: told always, and no demand rests on them unnoticed."""

from typing import Any

import pytest
from support.ranges import PASSKEY_ACCOUNT, a_story, played, step

from twinlock.range.account_words import SUBACCOUNTS, taken_with
from twinlock.range.results import Status, StoryResult
from twinlock.range.words import Capability

WORDS: dict[str, Any] = {
    "enrolled_identity": ["chip"],
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
        pytest.param("enrolled_identity", step("recovery.open", proof=["chip_live"]), id="a chip"),
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
    result = await demanded(FREEZE, own={"enrolled_identity": ["chip"]})

    assert result.parts[1].status is Status.NOT_PLAYABLE
    assert result.attack.without == ()


async def test_a_part_of_the_account_is_the_platforms_and_moving_value_to_it_is_an_exit() -> None:
    move = step("transfer.subaccount", **{"with": {"amount": "small", "to": "sub_1"}})
    result = await demanded(move | {"expect": ["hold"], "proof": ["passkey"]}, subaccounts=2)

    assert result.parts[1].status is Status.PASSED
    assert result.parts[1].without == (SUBACCOUNTS,)


@pytest.mark.parametrize(
    ("held", "roots", "taken"),
    [
        pytest.param(["SMS_RECEIVE"], [["email", "sms"]], True, id="the telephone"),
        pytest.param(["EMAIL_FULL"], [["email", "sms"]], True, id="the mailbox"),
        pytest.param(["SMS_RECEIVE"], [], False, id="two roots"),
        pytest.param(["PASSWORD"], [["email", "sms"]], False, id="neither"),
    ],
)
def test_whoever_took_one_channel_of_a_root_has_taken_all(
    held: list[str], roots: list[list[str]], taken: bool
) -> None:
    story = a_story(account={**PASSKEY_ACCOUNT, "shared_roots": roots}, capabilities=held)
    both = {Capability.EMAIL_FULL, Capability.SMS_RECEIVE}

    had = taken_with(story.account, frozenset(story.capabilities))

    assert (both <= had) is taken
    assert frozenset(story.capabilities) <= had


def test_what_shares_a_root_with_what_was_taken_is_taken_however_many_roots_there_are() -> None:
    roots = [["totp", "passkey"], ["sms", "totp"], ["desktop", "hardware_key"]]
    story = a_story(
        account={**PASSKEY_ACCOUNT, "shared_roots": roots}, capabilities=["SMS_RECEIVE"]
    )

    had = taken_with(story.account, frozenset(story.capabilities))

    assert had == {Capability.SMS_RECEIVE, Capability.TOTP_SEED, Capability.PASSKEY_PROVIDER}
