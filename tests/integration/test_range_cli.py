"""``twinlock range``: what it prints, and the exit code that tells the worst of it."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.ranges import step, story_text
from typer.testing import CliRunner, Result

from twinlock.cli.main import app
from twinlock.domain.errors import TwinlockError

FREEZE = step("freeze.set", proof=["password"])


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["range", *words])


def a_file(directory: Path, **words: object) -> str:
    path = directory / "story.yaml"
    path.write_bytes(story_text(**words))
    return str(path)


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        pytest.param([{**FREEZE, "expect": ["allow"]}], 0, id="as expected"),
        pytest.param([{**FREEZE, "expect": ["deny"]}], 1, id="otherwise"),
        pytest.param([step("event.case_opened")], 3, id="not playable"),
        pytest.param(
            [step("event.case_opened"), {**FREEZE, "id": "x2", "expect": ["deny"]}], 1, id="both"
        ),
    ],
)
def test_the_exit_code_tells_the_worst(
    tmp_path: Path, steps: list[dict[str, Any]], code: int
) -> None:
    assert run("run", a_file(tmp_path, steps=steps), "--world").exit_code == code


def test_under_a_weaker_profile_nothing_is_expected(tmp_path: Path) -> None:
    path = a_file(tmp_path, steps=[{**FREEZE, "expect": ["deny"]}])

    assert run("run", path, "--world", "--profile", "baseline-2024").exit_code == 0


def test_a_story_is_told_on_a_page_and_progress_beside_it(tmp_path: Path) -> None:
    result = run("run", a_file(tmp_path), "--world")

    assert "T01  a story for a test" in result.stdout
    assert "the honest twin" in result.stdout
    assert "T01 under default: attack" in result.stderr
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_json_is_one_value_on_stdout(tmp_path: Path) -> None:
    result = run("run", a_file(tmp_path), "--world", "--json")

    [story] = msgspec.json.decode(result.stdout)
    assert story["parts"][0]["steps"][0]["answer"] == "allow"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        pytest.param(["run", "absent.yaml"], "scenario_refused", id="a file that is not there"),
        pytest.param(["run", "S98"], "scenario_refused", id="a story that is not there"),
        pytest.param(["run", "S02", "--profile", "x"], "profile_unknown", id="a profile"),
    ],
)
def test_what_is_not_there_is_refused_before_anything_starts(words: list[str], code: str) -> None:
    error = run(*words).exception

    assert isinstance(error, TwinlockError)
    assert error.code == code


def test_a_file_that_would_break_a_replay_is_refused_with_its_place(tmp_path: Path) -> None:
    path = a_file(tmp_path, steps=[{**FREEZE, "at": "999999d"}])

    error = run("run", path, "--world").exception

    assert isinstance(error, TwinlockError)
    assert error.code == "scenario_refused"
    assert str(error).startswith("story.yaml: step x1: ")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(
            {"steps": [step("api_key.create", **{"with": {"scopes": 5}})]},
            "api_key.create with: Expected `array`",
            id="a parameter",
        ),
        pytest.param(
            {"steps": [step("event.veto", **{"with": {"of": ["x0"]}})]},
            "event.veto with: Expected `str`",
            id="an objection to several",
        ),
        pytest.param(
            {"must": [{"id": "m1", "text": "so", "check": {"name": "exactly_once", "of": 5}}]},
            "$.of",
            id="a check",
        ),
    ],
)
def test_what_has_another_form_than_is_known_is_told_and_all_else_is_played(
    tmp_path: Path, words: dict[str, Any], says: str
) -> None:
    done = run("run", a_file(tmp_path, **words), "--world", "--json")

    assert done.exit_code == 3
    assert says in done.stdout
    [story] = msgspec.json.decode(done.stdout)
    assert story["parts"][-1]["status"] == "passed"


def test_what_differs_from_what_was_reported_is_told_and_fails_nothing(tmp_path: Path) -> None:
    path = a_file(tmp_path, steps=[{**FREEZE, "reported": "deny"}])
    words = ("run", path, "--world", "--profile", "baseline-2024")
    told, plain = run(*words), run(*words, "--json")

    assert (told.exit_code, plain.exit_code) == (0, 0)
    assert "x1 was reported deny, and is allow here" in told.stdout
    [story] = msgspec.json.decode(plain.stdout)
    assert story["parts"][0]["steps"][0]["differs_from_reported"] is True


@pytest.mark.parametrize(("story", "code"), [("S15", 0), ("S12", 3)])
def test_the_story_that_the_demo_names_plays_in_full_and_another_does_not(
    story: str, code: int
) -> None:
    assert run("run", story, "--world").exit_code == code


def test_of_several_stories_every_part_is_counted_and_said_to_be(tmp_path: Path) -> None:
    path = a_file(tmp_path)

    told = run("run", path, path, "--world").stdout

    assert "2 of 2 passed" in told
    assert "All parts: the attack, each demand and the honest twin" in told


def test_the_stories_are_listed_for_programs_too() -> None:
    listed = msgspec.json.decode(run("stories", "--json").stdout)
    lines = run("stories").stdout.splitlines()

    assert [f"{one['id']}  {one['title']}" for one in listed] == lines


def test_the_stories_that_come_along_are_listed() -> None:
    listed = run("stories").stdout.splitlines()

    told = [1, 2, 3, 4, 7, 8, 9, 10, 12, 13, 15, 16]
    assert [line[:3] for line in listed] == [f"S{number:02}" for number in told]
