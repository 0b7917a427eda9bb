"""``twinlock policy show``: a table for people, and JSON as its digest covers it."""

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from support.policies import DEFAULT, STRICT, changed
from typer.testing import CliRunner

from twinlock.cli.main import app
from twinlock.cli.policy_table import laws_ask, lifted_by, policy_table
from twinlock.domain.assurance import Factor
from twinlock.domain.policy.annotations import Agree, Ask, Demand, Refuse, Wait
from twinlock.domain.reasons import Reason

REASON = Reason.PLATFORM_RULE
DAY = timedelta(days=1)


@pytest.mark.parametrize("policy", [DEFAULT, STRICT])
def test_every_permit_and_every_rule_has_a_line(policy: object) -> None:
    statutes = (DEFAULT if policy is DEFAULT else STRICT).statutes
    begins = [line.split()[0] for line in policy_table(statutes).splitlines() if line[:2] == "  "]

    assert begins == [
        "action",
        *sorted(statutes.permits),
        "rule",
        *(rule.rule_id for rule in statutes.rules),
    ]


def test_a_line_says_what_lifts_a_rule_and_what_the_laws_ask() -> None:
    cells = [line.split("  ") for line in policy_table(DEFAULT.statutes).splitlines()]
    told = {row[1]: [cell.strip() for cell in row[2:] if cell] for row in cells if len(row) > 1}

    assert told["exits.new_destination_waits"] == [
        "every exit",
        "1 day after the proof",
        "24 hours after the proof, or proofs of 2 roots",
        "destination_new",
    ]
    assert told["session.start"] == ["1 day", "anything bound", "–"]


def test_a_rule_of_many_facts_has_a_line_too() -> None:
    names = ("day_cents", "roots_shown", "roots_enrolled", "held_seconds", "budget_cents")
    wide = " && ".join(f"context.{name} != {step}" for name in names for step in range(1, 9))
    rule = (
        '@id("wide") @outcome("deny") @reason("platform_rule") '
        'forbid (principal, action == Action::"destination.add", resource) '
        f"when {{ {wide} }};"
    )
    policy = changed(DEFAULT, lambda text: f"{text}\n{rule}", name="mine")
    (found,) = [one for one in policy.statutes.rules if one.rule_id == "wide"]

    assert laws_ask(found) == "(it reads too many facts to say)"


@pytest.mark.parametrize(
    ("demand", "words"),
    [
        (Ask(reason=REASON, roots=1, factors=()), "a proof at the floor"),
        (Ask(reason=REASON, roots=2, factors=()), "proofs of 2 roots"),
        (
            Ask(reason=REASON, roots=1, factors=(Factor.PASSKEY, Factor.PASSWORD)),
            "a proof at the floor, passkey and password among them",
        ),
        (Wait(reason=REASON, length=2 * DAY, or_roots=0), "2 days after the proof"),
        (
            Wait(reason=REASON, length=DAY / 24, or_roots=2),
            "1 hour after the proof, or proofs of 2 roots",
        ),
        (
            Wait(reason=REASON, length=timedelta(seconds=61), or_roots=0),
            "61 seconds after the proof",
        ),
        (Agree(reason=REASON, count=2), "the approval of 2 drawn members of staff"),
        (
            Refuse(reason=REASON, ends_with_day=False, retained=9 * DAY),
            "9 days after the last exit",
        ),
        (Refuse(reason=REASON, ends_with_day=True), "the next day"),
        (Refuse(reason=REASON, ends_with_day=False), "nothing"),
    ],
)
def test_what_lifts_a_rule_is_told_in_words(demand: Demand, words: str) -> None:
    assert lifted_by(demand) == words


def test_people_see_a_table_and_programs_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TWINLOCK_DATA_DIR", str(tmp_path / "data"))
    shown = CliRunner().invoke(app, ["policy", "show"])
    whole = CliRunner().invoke(app, ["policy", "show", "--json"])

    assert shown.stdout == f"{policy_table(DEFAULT.statutes)}\n"
    assert msgspec.json.decode(whole.stdout) == msgspec.json.decode(DEFAULT.text)
    assert list(tmp_path.iterdir()) == []
