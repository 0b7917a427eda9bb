"""Checks as files ask for them: what cannot be walked is refused or told, and never walked."""

from typing import Any

import pytest
from support.ranges import checked, step, story_text

from twinlock.range.asked import as_read
from twinlock.range.reader import ScenarioRefusedError, read_story
from twinlock.range.results import Status

OF_X1: dict[str, object] = {"name": "notice_before_effect", "of": ["x1"]}
FLOOR: dict[str, object] = {"name": "same_floor_on_all_paths", "paths": "all_but_tightening"}
LEAVES: dict[str, object] = {"name": "no_value_leaves"}
HELD: dict[str, object] = {"name": "every_exit_held"}
ONCE: dict[str, object] = {"name": "exactly_once", "of": "x1"}
ENTRY: dict[str, object] = {"name": "entry_provable", "of": "destinations"}


def refused(check: dict[str, Any]) -> str:
    demand = {"id": "m1", "text": "so", "check": check}
    with pytest.raises(ScenarioRefusedError) as caught:
        read_story(story_text(must=[demand]), name="S99.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("check", "says"),
    [
        pytest.param({**OF_X1, "of": []}, "$.of", id="of no step"),
        pytest.param({**OF_X1, "of": 5}, "$.of", id="of a number"),
        pytest.param({"name": "notice_before_effect"}, "`of`", id="of nothing"),
        pytest.param({**OF_X1, "channels": []}, "$.channels", id="on no channel"),
        pytest.param({**FLOOR, "refuse": []}, "$.refuse", id="nothing refused"),
        pytest.param({**FLOOR, "refuse": [[]]}, "$.refuse[0]", id="no proof refused"),
        pytest.param({**FLOOR, "refuse": [["banana"]]}, "'banana' is not a proof", id="a fruit"),
        pytest.param({**FLOOR, "paths": ["all"], "refuse": [["totp"]]}, "'all' is not", id="paths"),
        pytest.param({**FLOOR, "paths": [], "refuse": [["totp"]]}, "$.paths", id="no path"),
        pytest.param({**FLOOR, "refuse": [["totp"]], "floor_from": 1}, "floor_from", id="a floor"),
        pytest.param({**HELD, "after": []}, "$.after", id="after nothing"),
        pytest.param({**HELD, "after": 5}, "$.after", id="after a number"),
        pytest.param({**HELD, "after": ["typo"]}, "'typo' is not an action", id="after a typo"),
        pytest.param(
            {**HELD, "after": ["freeze.set"], "exits": ["session.start"]},
            "'session.start' is not an exit",
            id="no exit",
        ),
        pytest.param({**LEAVES, "exits": []}, "$.exits", id="no exits"),
        pytest.param({**LEAVES, "exits": ["typo.exit"]}, "'typo.exit' is not", id="an odd exit"),
        pytest.param({**LEAVES, "by": "zed"}, "$.by", id="by nobody"),
        pytest.param({**LEAVES, "within": "6 hours"}, "'6 hours' is not a length", id="a length"),
        pytest.param({**LEAVES, "within": "6h", "until": "hold_end"}, "only one", id="two ends"),
        pytest.param({**LEAVES, "proofs": ["banana"]}, "'banana' is not a proof", id="a proof"),
        pytest.param({**LEAVES, "proofs": []}, "$.proofs", id="no proofs"),
        pytest.param({**ONCE, "parallel": "many"}, "$.parallel", id="many times"),
        pytest.param({**ONCE, "parallel": 1}, "$.parallel", id="one time"),
        pytest.param({**ENTRY, "shows": 5}, "$.shows", id="a number shown"),
        pytest.param({**ENTRY, "shows": ["banana"]}, "'banana'", id="a fruit shown"),
        pytest.param({**ENTRY, "shows": []}, "asks what an entry shows", id="nothing shown"),
    ],
)
async def test_a_check_of_another_form_is_not_playable_and_says_why(
    check: dict[str, Any], says: str
) -> None:
    said = await checked(check, step("freeze.set"))

    assert (said.name, said.status) == (check["name"], Status.NOT_PLAYABLE)
    [why] = said.not_playable
    assert says in why


@pytest.mark.parametrize(
    ("check", "says"),
    [
        pytest.param({**OF_X1, "of": ["a99"]}, "notice_before_effect of a99", id="no such step"),
        pytest.param({**ONCE, "of": "nothing"}, "exactly_once of nothing", id="once of nothing"),
    ],
)
def test_a_check_of_a_step_that_there_is_not_is_refused_with_its_place(
    check: dict[str, Any], says: str
) -> None:
    message = refused(check)

    assert message.startswith("S99.yaml: m1: ")
    assert says in message


def test_a_check_looks_at_steps_of_its_own_part_where_that_has_any() -> None:
    own: dict[str, Any] = {"id": "m1", "text": "so", "steps": [step("freeze.set", id="m1a")]}

    read_story(story_text(must=[{**own, "check": {**ONCE, "of": "m1a"}}]), name="S99.yaml")
    with pytest.raises(ScenarioRefusedError, match="m1: exactly_once of x1, which is no step"):
        read_story(story_text(must=[{**own, "check": ONCE}]), name="S99.yaml")


def test_a_check_that_nothing_here_can_make_takes_any_parameters() -> None:
    check = {"name": "no_reach", "capabilities": ["SMS_RECEIVE"], "targets": {"any": True}}

    demand = {"id": "m1", "text": "so", "check": check}
    assert read_story(story_text(must=[demand]), name="S99.yaml").must[0].check is not None


@pytest.mark.parametrize("check", [LEAVES, {"name": "sum_binds"}, {**OF_X1, "channels": "all"}])
async def test_what_a_check_says_besides_is_told_and_the_rest_of_the_file_is_played(
    check: dict[str, Any],
) -> None:
    said = await checked({**check, "banana": 1, "unread": ["mine"]}, step("freeze.set"))

    assert said.status is Status.NOT_PLAYABLE
    assert [one for one in said.not_playable if "not understood" in one] == [
        f"{check['name']} with 'banana': not understood here",
        f"{check['name']} with 'unread': not understood here",
    ]


@pytest.mark.parametrize("check", ["so", ["so"], {"name": 5}, {"name": "banana"}, {}])
def test_a_check_of_no_form_is_left_to_be_refused(check: object) -> None:
    assert as_read(check) == check
