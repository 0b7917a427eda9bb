"""``twinlock policy``: what a security officer looks at before anything is decided by it."""

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from twinlock.bootstrap.backtest import effects_of
from twinlock.bootstrap.rulebook import checked_policy, profile_setting, rule_book
from twinlock.bootstrap.trust import served_policy
from twinlock.bootstrap.world import settings_from_environment
from twinlock.cli import policy_life
from twinlock.cli.backtest import backtest, facts
from twinlock.cli.console import result, say
from twinlock.cli.policy_diff import diff
from twinlock.cli.policy_effects import effect_notes, effect_table
from twinlock.cli.policy_table import policy_table
from twinlock.domain.canonical import decode
from twinlock.domain.policy.advice import Advice, advice, beside, notes

app = typer.Typer(help="Policies: the rules in Cedar.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
File = Annotated[Path, typer.Argument(help="A .cedar file, or the name of a profile.")]


app.command("diff")(diff)
app.command("backtest")(backtest)
app.command("facts")(facts)
policy_life.register(app)


@app.command("check")
def check(
    file: File,
    *,
    examples: Annotated[
        bool, typer.Option("--examples", help="Print what each rule does, with an example.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say whether a policy could be decided by; exit code 2 and a line on stderr if not.

    What it may say, and an officer seldom means, is told on stderr and under "warnings"; what each
    rule does beside the others and the laws, under "effects".
    """
    checked = checked_policy(file)
    policy, rules = checked.policy, checked.policy.statutes.rules
    usual = rule_book().policy.statutes
    found = _with_lines(advice(policy.statutes, usual=usual), checked.lines)
    known = _with_lines(notes(policy.statutes), checked.lines)
    differs = beside(policy.statutes, usual)
    does = effects_of(policy)
    for kind, some in (("warning", found), ("note", known)):
        for one in some:
            say(f"{kind}: {one.code}: {one.about}{_on_line(one)}: {one.says}")
    for line in effect_notes(does, checked.lines):
        say(line)
    for what, names in (("added", differs.added), ("changed", differs.changed)):
        if names:
            say(f"{what}, beside default: {', '.join(names)}")
    say(
        f"to decide by it have it activated: twinlock policy propose {file}; before there are "
        f"officers set TWINLOCK_PROFILE={profile_setting(file)} and start the service again"
    )
    counted = f"{len(policy.statutes.permits)} permits and {len(rules)} rules"
    summary = f"{counted}; digest {policy.name.digest}"
    result(
        {
            "beside_default": differs,
            "digest": policy.name.digest,
            "effects": does,
            "notes": known,
            "permits": sorted(policy.statutes.permits),
            "profile": policy.profile,
            "rules": [rule.rule_id for rule in rules],
            "warnings": found,
        },
        as_json=as_json,
        text="\n".join([*(effect_table(does) if examples else ()), summary]),
    )


def _with_lines(some: Iterable[Advice], lines: Mapping[str, int]) -> tuple[Advice, ...]:
    return tuple(replace(one, line=lines.get(one.about, 0)) for one in some)


def _on_line(one: Advice) -> str:
    return f", line {one.line}" if one.line else ""


@app.command("show")
def show(*, as_json: Json = False) -> None:
    """Print the rules of TWINLOCK_PROFILE's policy; say if another is served.

    With --json all of it, as its digest covers it.
    """
    settings = settings_from_environment()
    policy = rule_book(settings.profile).policy
    served = asyncio.run(served_policy(settings))
    if served not in (None, policy.name.digest):
        say(f"the service decides by another policy, of digest {served}")
    say(f"profile {policy.profile}, version {policy.name.version}, digest {policy.name.digest}")
    result(decode(policy.text), as_json=as_json, text=policy_table(policy.statutes))
