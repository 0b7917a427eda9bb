"""S03, S04, S08 to S10, S12, S13, S16: the owner's halves of stories that staff has the other of.

What needs recovery, staff, disclosures or a browser is told as not playable, and nothing else is.
"""

import pytest
from support.ranges import check_readme, shipped

from twinlock.range.profiles import BASELINE, DEFAULT, PROFILES, TYPICAL
from twinlock.range.results import Kind, Status, StoryResult

# Parts that lean on what is not built: recovery and its reviewers (S03, S04, S16), disclosures and
# files (S08, S09), pages (S12), a history of deposits (S13).
NOT_YET = {
    "S03": {"m2", "m4", "benign_twin"},
    "S04": {"m2"},
    "S08": {"m1", "m2", "m3", "benign_twin"},
    "S09": {"m1", "m3", "m4", "benign_twin"},
    "S10": set(),
    "S12": {"m2"},
    "S13": {"m2"},
    "S16": {"attack", "m1", "m2", "m3", "benign_twin"},
}
LOST = {
    BASELINE: {"S04": 1_460_000_00, "S09": 1_000_000_00, "S10": 65_001_80, "S13": 49_999_950_00},
    TYPICAL: {"S09": 1_000_000_00, "S13": 49_999_950_00},
}


def parts(result: StoryResult, status: Status) -> set[str]:
    return {part.id or part.kind.value for part in result.parts if part.status is status}


@pytest.mark.parametrize("name", NOT_YET)
async def test_what_the_owner_can_do_is_played_and_kept(name: str) -> None:
    result = await shipped(name)

    assert parts(result, Status.NOT_PLAYABLE) == NOT_YET[name]
    assert parts(result, Status.FAILED) == set()
    assert result.lost_cents == 0


@pytest.mark.parametrize("profile", sorted(set(PROFILES) - {DEFAULT}))
@pytest.mark.parametrize("name", NOT_YET)
async def test_under_other_rules_it_is_played_as_far(name: str, profile: str) -> None:
    result = await shipped(name, profile=profile)

    assert parts(result, Status.NOT_PLAYABLE) <= NOT_YET[name]
    assert parts(result, Status.FAILED) == set()
    assert result.lost_cents == LOST.get(profile, {}).get(name, 0)


@pytest.mark.parametrize("name", NOT_YET)
async def test_the_readme_tells_how_it_went(name: str) -> None:
    await check_readme(name)


async def test_by_the_rules_of_2024_the_thief_sold_what_he_could_not_withdraw() -> None:
    then, now = await shipped("S04", profile=BASELINE), await shipped("S04")

    answers = {one.id: one.answer for one in then.attack.steps}
    assert (answers["a4"], answers["a5"]) == ("hold", "allow")
    assert {one.id: one.answer for one in now.attack.steps}["a5"] == "deny"


async def test_a_house_is_bought_after_a_limit_was_raised_days_ahead() -> None:
    twin = (await shipped("S12")).twin

    assert [one.answer for one in twin.steps] == ["hold", "allow"]
    assert (twin.taps, twin.waited.days, twin.refusals) == (2, 7, 0)
    assert twin.kind is Kind.BENIGN
