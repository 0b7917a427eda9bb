"""``twinlock policy diff`` and what ``check`` says of each rule, on files."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.policies import STRICT, with_rules
from typer.testing import CliRunner

from twinlock.cli.main import app
from twinlock.domain.errors import TwinlockError

pytestmark = pytest.mark.timeout(400)  # Seconds where nothing else runs.

WAIT = (
    '@id("house.wait") @outcome("hold") @reason("platform_waits") @hold_seconds("{0}")\n'
    'forbid (principal, action == Action::"destination.add", resource)\n'
    "unless {{ context.held_seconds >= {0} }};"
)
DENY = '@outcome("deny") @reason("platform_rule")'


def a_file(path: Path, *rules: str) -> str:
    path.write_text(with_rules(*rules), "utf-8")
    return str(path)


def told(*words: str) -> tuple[int, Any]:
    run = CliRunner().invoke(app, ["policy", *words, "--json"])
    return run.exit_code, msgspec.json.decode(run.stdout)


def test_two_names_of_one_policy_do_not_differ() -> None:
    run = CliRunner().invoke(app, ["policy", "diff", "default", "default"])

    code, found = told("diff", "strict", "strict")

    assert (run.exit_code, run.stdout) == (0, "they say the same\n")
    assert (code, found["rules"], found["first"]) == (0, [], STRICT.name.digest)


def test_a_longer_wait_is_told_with_an_example(tmp_path: Path) -> None:
    first = a_file(tmp_path / "first.cedar", WAIT.format(172_800))
    second = a_file(tmp_path / "second.cedar", WAIT.format(259_200))
    run = CliRunner().invoke(app, ["policy", "diff", "--no-attacks", first, second])
    code, found = told("diff", "--no-attacks", first, second)

    assert run.exit_code == code == 1
    assert run.stdout.startswith(
        "changed forbid house.wait: another condition\n  @hold_seconds: 172800 -> 259200\n\n"
        "destination.add: all 126 cells were tried\n"
    )
    assert "  longer: nothing shown yet\n    was hold, prove (phishing resistant), wait 48" in (
        run.stdout
    )
    assert "attacks" not in run.stdout
    assert "attacks" not in found
    (action,) = found["actions"]
    assert action["actions"] == ["destination.add"]
    assert {one["first"]["wait_seconds"] for one in action["examples"]} >= {172_800}


def test_many_exits_are_one_and_what_was_not_tried_is_said() -> None:
    run = CliRunner().invoke(app, ["policy", "diff", "--no-attacks", "default", "strict"])

    assert run.exit_code == 1
    assert " cells were tried, the same each time" in run.stdout
    assert "added forbid any.phishing_resistant" in run.stdout
    assert "removed forbid narrow.exits.not_today" in run.stdout


def test_a_rule_about_every_exit_is_told_so(tmp_path: Path) -> None:
    rule = f'@id("a") {DENY} forbid (principal, action in Action::"exits", resource)'
    when = "when {{ context.day_cents + context.value_cents > {} }};"
    first = a_file(tmp_path / "first.cedar", rule + when.format(500))
    second = a_file(tmp_path / "second.cedar", rule + when.format(600))
    run = CliRunner().invoke(app, ["policy", "diff", "--no-attacks", first, second])

    assert "\nevery exit: all " in run.stdout
    assert "; sums may differ inside one" in run.stdout


def test_a_rule_that_changes_nothing_is_told_in_words_alone(tmp_path: Path) -> None:
    first = a_file(tmp_path / "first.cedar", WAIT.format(172_800))
    second = a_file(
        tmp_path / "second.cedar", WAIT.format(172_800).replace("house.wait", "house.other")
    )
    run = CliRunner().invoke(app, ["policy", "diff", "--no-attacks", first, second])

    assert run.exit_code == 1
    assert "no answer differs" in run.stdout


def refused(*words: str) -> TwinlockError:
    run = CliRunner().invoke(app, ["policy", *words])
    assert isinstance(run.exception, TwinlockError)
    return run.exception


BROKEN = {
    "unreadable": "permit (",
    "invalid: a": f'@id("a") {DENY} forbid (principal, action, resource) when {{ context.rich }};',
    "invalid: b": (
        f'@id("b") {DENY} forbid (principal, action, resource) when {{ context.narrow > 1 }};'
    ),
    "annotation: c": f'@id("c") @color("red") {DENY} forbid (principal, action, resource);',
    "id_twice: d": f'@id("d") {DENY} forbid (principal, action, resource);' * 2,
    "overflow: e": (
        f'@id("e") {DENY} forbid (principal, action == Action::"card.pay", resource)'
        " when { context.value_cents * 9000000 * 9000000 > 5 };"
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_what_cannot_be_decided_by_is_refused_by_every_command(fault: str, tmp_path: Path) -> None:
    file = a_file(tmp_path / "mine.cedar", BROKEN[fault])
    facts = tmp_path / "facts.jsonl"
    facts.write_bytes(b"")
    commands = (
        ("check", file),
        ("diff", "default", file),
        ("diff", file, "default"),
        ("backtest", file, "--facts", str(facts)),
    )
    for words in commands:
        error = refused(*words)
        assert error.code == "policy_refused"
        assert str(error).startswith(fault)


@pytest.mark.parametrize("name", ["nothing.cedar", "mine.txt", "defualt"])
def test_a_name_of_no_policy_is_refused(name: str) -> None:
    assert refused("diff", name, "default").code == "policy_refused"


# --- check ---


def test_check_tells_what_each_rule_does(tmp_path: Path) -> None:
    file = a_file(
        tmp_path / "mine.cedar",
        WAIT.format(86_400),
        f'@id("a.dead") {DENY} forbid (principal, action in Action::"exits", resource) '
        "when { context.new_device };",
        f'@id("a.live") {DENY} forbid (principal, action == Action::"card.pay", resource) '
        "when { context.value_cents > 5 };",
        f'@id("an.odd") {DENY} forbid (principal, action == Action::"card.pay", resource) '
        "when { !context.has_channel && !context.narrow };",
    )
    code, found = told("check", file)
    states = {one["rule"]: one["state"] for one in found["effects"]}
    run = CliRunner().invoke(app, ["policy", "check", "--examples", file])

    assert code == run.exit_code == 0
    assert states == {
        "a.dead": "dead",
        "a.live": "live",
        "an.odd": "unseen",
        "house.wait": "shadowed",
    }
    assert "warning: never_matches: a.dead, line" in run.stderr
    shadowed = "note: shadowed: whatever it matches, as much is asked for without it, by "
    assert re.search(rf"{shadowed}loosening_waits[a-z_, ]*: .*house\.wait \(line \d+\)", run.stderr)
    assert "note: unseen: no facts were found that it matches (" in run.stderr
    assert " cells): an.odd (line " in run.stderr
    assert (
        "a.live: live: it alone decides, for one\n  card.pay: value_cents US$0.06\n" in run.stdout
    )
    assert "    without it challenge, prove (phishing resistant) (proof_needed)\n" in run.stdout
    assert "    with it    deny (platform_rule, proof_needed)\n" in run.stdout
    assert run.stdout.endswith(f"digest {found['digest']}\n")


def test_the_profiles_that_we_ship_have_no_rule_that_nobody_can_speak_of() -> None:
    for name in ("default", "strict"):
        states = {one["state"] for one in told("check", name)[1]["effects"]}
        assert states <= {"live", "shadowed"}


def test_rules_that_the_same_ones_hide_are_told_on_one_line() -> None:
    run = CliRunner().invoke(app, ["policy", "check", "default"])

    told = [line for line in run.stderr.splitlines() if line.startswith("note: shadowed: ")]
    assert len(told) == len({line.partition(": ")[2].rpartition(": ")[0] for line in told})
    assert sum(line.count(" (line ") for line in told) > len(told)
