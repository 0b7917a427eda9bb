"""``twinlock policy check``: what it refuses, and what it warns of."""

from pathlib import Path

import msgspec
import pytest
from support.policies import DEFAULT
from typer.testing import CliRunner

from twinlock.adapters.policies import shipped
from twinlock.cli.main import app
from twinlock.domain.policy.annotations import PolicyRefusedError

LONGER = shipped("default").replace(
    '@id("exits.new_destination_waits") @outcome("hold") @reason("destination_new") '
    '@hold_seconds("86400")',
    '@id("exits.new_destination_waits") @outcome("hold") @reason("destination_new") '
    '@hold_seconds("172800")',
)


def test_a_profile_that_we_ship_is_named_as_the_setting_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(app, ["policy", "check", "default"])

    assert told.exit_code == 0
    assert "set TWINLOCK_PROFILE=default and" in told.stderr
    assert "warning" not in told.stderr
    assert DEFAULT.name.digest in told.stdout


def test_warnings_stand_on_stderr_and_in_the_json(tmp_path: Path) -> None:
    start = LONGER.index('@id("exits.new_destination_waits")')
    longer = LONGER[:start] + LONGER[start:].replace(
        "held_seconds >= 86400", "held_seconds >= 172800", 1
    )
    mine = tmp_path / "mine.cedar"
    mine.write_text(longer, "utf-8")
    told = CliRunner().invoke(app, ["policy", "check", "--json", str(mine)])
    found = msgspec.json.decode(told.stdout)

    assert told.exit_code == 0
    assert f"set TWINLOCK_PROFILE={mine} and" in told.stderr
    assert {one["code"] for one in found["warnings"]} == {"listing_is_sooner", "state_is_sooner"}
    assert "warning: listing_is_sooner: destination.add: it waits 24 hours" in told.stderr
    assert "changed, beside default: exits.new_destination_waits\n" in told.stderr
    assert found["beside_default"] == {
        "added": [],
        "changed": ["exits.new_destination_waits"],
        "missing": [],
    }


def test_a_refusal_names_rule_and_line(tmp_path: Path) -> None:
    mine = tmp_path / "mine.cedar"
    mine.write_text(shipped("default").replace("> 50000 }", "> 99999999999999 }", 1), "utf-8")
    told = CliRunner().invoke(app, ["policy", "check", str(mine)])

    assert isinstance(told.exception, PolicyRefusedError)
    assert "out_of_range: exits.budget_is_small, line " in str(told.exception)


def test_a_rule_that_never_matches_is_told_with_its_line(tmp_path: Path) -> None:
    """What an officer wrote: ``new_device`` is known of a sign-in only."""
    mine = tmp_path / "mine.cedar"
    deny = '@outcome("deny") @reason("platform_rule")'
    mine.write_text(
        f'{shipped("default")}@id("house.new_device") {deny}\n'
        'forbid (principal, action in Action::"exits", resource)\n'
        "when { context.new_device };\n"
        f'@id("house.any") {deny} forbid (principal, action, resource)\n'
        'when { context.class != "tightening" && context.new_device };\n',
        "utf-8",
    )
    line = shipped("default").count("\n") + 1
    told = CliRunner().invoke(app, ["policy", "check", "--json", str(mine)])
    found = msgspec.json.decode(told.stdout)

    assert told.exit_code == 0
    assert found["warnings"] == [
        {
            "code": "never_matches",
            "about": "house.new_device",
            "line": line,
            "says": "it can never match every exit, for which new_device is always false",
        }
    ]
    assert f"warning: never_matches: house.new_device, line {line}: it can" in told.stderr
    assert [(one["code"], one["line"]) for one in found["notes"]] == [("matches_some", line + 3)]
    assert f"note: matches_some: house.any, line {line + 3}: it can match session.start" in (
        told.stderr
    )


def test_help_is_plain_text() -> None:
    assert "``" not in CliRunner().invoke(app, ["policy", "check", "--help"]).stdout
