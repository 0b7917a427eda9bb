"""A refusal names the line of the rule that it is about."""

import json
import os
from pathlib import Path

import cedarpy
import pytest
from support.policies import permits

from twinlock.adapters.policies import compile_policy, load, shipped
from twinlock.adapters.policy_lines import Rule, first_refused, line_of, rules_of
from twinlock.domain.policy.annotations import PolicyFault, PolicyRefusedError

ODD = r"""// A comment; with "quotes" and // more
@id("a;1") @source("// no comment; \" still a word")
permit (principal, action, resource);  // ; another
/* */"""
TRICKY = """
// first ; comment "

@id("one") @source("a // b; c \\" d")
permit (principal, action == Action::"freeze.set", resource); @id("two") // end ;
permit (principal, action == Action::"freeze.lift", resource)
; // last
@id("three") forbid (principal == ?principal, action, resource)
when { 4 - 2 > 1 };
"""
GOOD = "\n".join(permits())
LAST = GOOD.count("\n") + 2  # The first line behind the permits.


def refused(text: str) -> PolicyRefusedError:
    with pytest.raises(PolicyRefusedError) as error:
        compile_policy(text, profile="test")
    return error.value


def test_rules_are_found_whatever_stands_in_comments_and_strings() -> None:
    assert [rule.line for rule in rules_of(TRICKY)] == [4, 5, 8]
    assert [line_of(TRICKY, f"policy{n}") for n in range(4)] == [4, 5, 8, 0]
    assert line_of(TRICKY, "a name") == 0
    assert [rule.line for rule in rules_of(ODD)] == [2, 4]
    assert list(rules_of("")) == list(rules_of("// nothing;")) == []


@pytest.mark.parametrize("text", [TRICKY, shipped("default"), shipped("strict")])
def test_the_nth_rule_is_cedars_nth(text: str) -> None:
    parsed = json.loads(cedarpy.policies_to_json_str(text))
    by_place = {**parsed["staticPolicies"], **parsed["templates"]}
    rules = list(rules_of(text))

    assert len(rules) == len(by_place)
    for number, rule in enumerate(rules):
        alone = json.loads(cedarpy.policies_to_json_str(rule.text))
        assert by_place[f"policy{number}"] in (
            *alone["staticPolicies"].values(),
            *alone["templates"].values(),
        )


def test_only_a_rule_that_does_not_parse_is_named() -> None:
    assert first_refused(TRICKY, cedarpy.policies_to_json_str) == Rule(0, "")
    assert first_refused(f"{TRICKY}forbid (", cedarpy.policies_to_json_str) == Rule(10, "forbid (")


DENY = '@outcome("deny") @reason("platform_rule")'
EXITS = 'forbid (principal, action in Action::"exits", resource)'


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (f'@id("x") {DENY} {EXITS}\n@id("y") {DENY} {EXITS};', "unreadable: line {line}: "),
        (f'@id("x) {DENY} {EXITS};', "unreadable: line {line}: "),
        (f"{DENY} {EXITS};", "id_missing: line {line}: a rule has no @id"),
        (
            f'@id("freeze.set.permit") {DENY} {EXITS};',
            "id_twice: freeze.set.permit, line {line}: two rules have one @id",
        ),
        (
            f'@id("x") {DENY} {EXITS} when {{ 5 < context.day_cent }};',
            "invalid: x, line {line}: 'day_cent' is not a fact; did you mean day_cents?",
        ),
        (
            f'@id("x") {DENY} {EXITS} when {{ ["a"].contains(context.qqqq) }};',
            "invalid: x, line {line}: 'qqqq' is not a fact",
        ),
        (
            '@id("x") permit (principal, action == Action::"withdrawal.cripto", resource);',
            "invalid: x, line {line}: 'withdrawal.cripto' is not an action; did you mean with",
        ),
        (
            f'@id("x") {DENY} {EXITS} when {{ context.day_cents > "5" }};',
            "invalid: x, line {line}: a word stands where a whole number belongs",
        ),
        (
            '@id("x") forbid (principal == ?principal, action, resource) when { context.shoe };',
            "invalid: x, line {line}: 'shoe' is not a fact",
        ),
        (
            f'@id("x") {DENY} {EXITS} when {{ context.value_cents >= 0 }};',
            "out_of_range: x, line {line}: ",
        ),
        (
            '@id("x") @outcome("deny") permit (principal, action, resource);',
            "scope: x, line {line}: ",
        ),
    ],
)
def test_a_refusal_names_the_line_on_which_its_rule_begins(rule: str, told: str) -> None:
    error = refused(f"{GOOD}\n{rule}\n")

    assert error.line == LAST
    assert str(error).startswith(told.format(line=LAST))


def test_a_refusal_of_the_whole_names_no_line() -> None:
    assert str(refused("")).startswith("tightening: whatever")


def test_a_byte_order_mark_is_named() -> None:
    """Prevents: "invalid token" for what an editor wrote and nobody sees."""
    error = refused(f"\ufeff{GOOD}")

    assert error.fault is PolicyFault.UNREADABLE
    assert "byte order mark" in str(error)


@pytest.mark.parametrize(
    "unseen",
    ["\r", "\0", "\x0b", "\x1b", "\x85", "\u2028", "\u2029", "\u202e", "\u200f", "\u2066"],
)
def test_a_text_that_looks_otherwise_than_it_is_read_is_refused(unseen: str) -> None:
    """Prevents: a rule behind a carriage return in what two officers took for a comment."""
    error = refused(f'{GOOD}\n// note{unseen}@id("x") {DENY} {EXITS};\n')

    assert error.fault is PolicyFault.UNREADABLE
    assert error.line == LAST
    assert f"U+{ord(unseen):04X}" in str(error)


@pytest.mark.parametrize("comment", ["// ü, 漢字, \U0001f468\u200d\U0001f469\r\n\t", "//\xa0\r\n"])
def test_other_letters_and_line_ends_of_windows_are_taken(comment: str) -> None:
    text = f'{GOOD}\r\n{comment}@id("x") {DENY} {EXITS};\r\n'

    policy, _ = compile_policy(text, profile="test")
    assert [rule.rule_id for rule in policy.statutes.rules] == ["x"]


@pytest.mark.parametrize("name", ["mine", "mine.txt", "Default", ""])
def test_what_serve_would_not_take_is_not_checked_either(name: str, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text(GOOD, "utf-8")
    (tmp_path / "mine.txt").write_text(GOOD, "utf-8")
    with pytest.raises(PolicyRefusedError, match=r"nor does it end with \.cedar"):
        load(str(tmp_path / name))


@pytest.mark.parametrize("name", [b"\xff", b"a\nb", b"\x1b[2J", "\u202exx".encode()])
def test_a_file_is_called_by_what_can_be_printed(name: bytes, tmp_path: Path) -> None:
    """Prevents: a name of a profile that no log can say, and a traceback in the place of a no."""
    path = tmp_path / os.fsdecode(name + b".cedar")
    path.write_text(GOOD, "utf-8")
    with pytest.raises(PolicyRefusedError, match="printable"):
        load(str(path))


def test_a_file_may_have_spaces_and_letters_of_any_language_in_its_name(tmp_path: Path) -> None:
    path = tmp_path / "unsere Regeln, Stand März.cedar"
    path.write_text(GOOD, "utf-8")

    policy, _ = load(str(path))
    assert policy.profile == path.stem
