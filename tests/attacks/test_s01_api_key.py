"""S01: two codes make an API key that may withdraw.

Mallory has the password, the mailbox and the SMS of an account without an authenticator app. She
wants an API key that withdraws from anywhere to anywhere. She is stopped by law 3: such a key
cannot exist, whatever is shown for it. She leaves behind a sign-in that everybody was told of, and
a hold on every exit.
"""

import pytest
from support.ranges import said, shipped

from twinlock.domain.exits import EXITS
from twinlock.range.profiles import PROFILES
from twinlock.range.results import Status, StoryResult


def answers(result: StoryResult) -> dict[str, str]:
    return {step.id: said(step) for part in result.parts for step in part.steps}


async def test_the_key_cannot_exist_and_what_needs_it_is_stopped() -> None:
    result = await shipped("S01")

    assert result.lost_cents == result.leaked_cents == 0
    told = answers(result)
    assert [told[name] for name in ("a1", "a2", "a3", "a4", "a5")] == [
        "allow",
        "deny",
        "stopped",
        "stopped",
        "stopped",
    ]
    assert result.attack.stopped_by[:2] == ("api_key_ip_list", "api_key_destinations")
    assert [told[name] for name in ("m1a", "m1b", "m2a", "m2b")] == [
        "challenge",
        "deny",
        "deny",
        "deny",
    ]


async def test_the_owner_was_told_with_a_way_to_stop_it_before_anything_took_effect() -> None:
    result = await shipped("S01")
    demands = {part.id: part.check for part in result.parts if part.check is not None}

    exits = len(EXITS) - 1  # All but those that a platform registers: here it did not.
    assert (demands["m4"].looked_at, demands["m4"].status) == (2, Status.PASSED)
    assert (demands["n1"].looked_at, demands["n1"].status) == (3 * exits, Status.PASSED)


async def test_the_owner_has_a_key_that_reads_and_trades_at_once() -> None:
    twin = (await shipped("S01")).twin

    assert [step.answer for step in twin.steps] == ["allow", "allow"]
    assert (twin.taps, twin.refusals, twin.waited.total_seconds()) == (2, 0, 0)


async def test_by_the_rules_of_2024_the_key_was_made() -> None:
    result = await shipped("S01", profile="baseline-2024")

    told = answers(result)
    assert [told[name] for name in ("a1", "a2", "a3", "a4", "a5")] == ["allow"] * 5
    assert result.lost_cents == 1_000_000_00
    assert not any(step.differs_from_reported for step in result.attack.steps)


@pytest.mark.parametrize("profile", PROFILES)
async def test_everything_is_played_under_every_profile(profile: str) -> None:
    result = await shipped("S01", profile=profile)

    assert all(part.status is not Status.NOT_PLAYABLE for part in result.parts)
    assert all(part.status is not Status.FAILED for part in result.parts)


async def test_a_new_key_takes_over_the_holds_and_is_born_in_its_own() -> None:
    told = answers(await shipped("S01"))

    assert [told[name] for name in ("m3a", "m3b", "m3c", "m3d")] == [
        "allow",
        "hold",
        "hold",
        "hold",
    ]
