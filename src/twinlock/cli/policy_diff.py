"""``twinlock policy diff``: how two policies differ, in words and in what they answer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from twinlock.bootstrap.backtest import difference_of, named_policy
from twinlock.bootstrap.growth import attacks_between
from twinlock.cli.console import result, say
from twinlock.domain.exits import EXITS
from twinlock.domain.policy.diffing import ActionDifference, Difference, RuleChange
from twinlock.domain.policy.examples import answer_in_words, facts_in_words

DIFFERS = 1  # The exit code, as of diff(1): 0 where nothing differs, 2 where one cannot be read.
_NAME = typer.Argument(help="A .cedar file, the name of a profile, or the digest of a version.")


def diff(
    first: Annotated[Path, _NAME],
    second: Annotated[Path, _NAME],
    *,
    attacks: Annotated[
        bool, typer.Option(help="Tell which minimal attacks come and go: some twenty seconds.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say how SECOND differs from FIRST, with examples; exit 1 if it does.

    Facts of an example that are not told are as mild as they can be. Digests are looked up in the
    database.
    """
    one, other = named_policy(first), named_policy(second)
    found = difference_of(one, other)
    told: dict[str, object] = {name: getattr(found, name) for name in Difference.__struct_fields__}
    lines = [*_words(found), *_answers(found)]
    if attacks:
        say("asking both what thieves could do …")
        new, gone = attacks_between(one, other)
        told["attacks"] = {"new": new, "vanished": gone}
        lines += [
            *_attacks("new minimal attacks", new),
            *_attacks("vanished minimal attacks", gone),
        ]
    result(told, as_json=as_json, text="\n".join(lines) or "they say the same")
    if not found.none:
        raise typer.Exit(DIFFERS)


def _words(found: Difference) -> Iterator[str]:
    for one in found.rules:
        yield f"{one.what} {one.effect} {one.rule}{_also(one)}"
        if one.what == "changed":
            yield from (
                f"  @{said.name}: {said.was or 'none'} -> {said.is_ or 'none'}"
                for said in one.annotations
            )
    for asset in found.assets:
        yield f"changed asset {asset}"


def _also(one: RuleChange) -> str:
    parts_changed = [
        name for name, is_so in (("condition", one.condition), ("scope", one.scope)) if is_so
    ]
    return f": another {' and another '.join(parts_changed)}" if parts_changed else ""


def _answers(found: Difference) -> Iterator[str]:
    if found.rules and not found.actions:
        yield ""
        yield "no answer differs: what differs changes nothing beside the laws and the other rules"
    for one in found.actions:
        yield ""
        yield f"{_spoken(one)}: {_tried(one)}"
        for each in one.examples:
            yield f"  {', '.join(each.changes).replace('_', ' ')}: {facts_in_words(each.facts)}"
            yield f"    was {answer_in_words(each.first)}"
            yield f"    is  {answer_in_words(each.second)}"


def _spoken(one: ActionDifference) -> str:
    named = sorted(one.actions)
    return "every exit" if EXITS.issubset(named) else ", ".join(named)


def _tried(one: ActionDifference) -> str:
    cells = f"{one.cells:,} cells"
    if one.tried < one.cells:
        return f"{one.tried:,} of {cells} were tried, the same each time"
    return f"all {cells} were tried" + ("" if one.complete else "; sums may differ inside one")


def _attacks(title: str, some: tuple[str, ...]) -> Iterator[str]:
    if some:
        yield ""
        yield f"{title}: {len(some)}"
        yield from (f"  {one}" for one in some)
