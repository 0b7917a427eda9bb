"""``twinlock demo``: four attack stories under four sets of rules, and one honest withdrawal.

It makes installations of its own, with keys, database and service, and removes them; what stays is
the evidence, in a directory that it names. It ends with exit code 1 when anything differs from what
the files of the stories expect, or could not be played.
"""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from twinlock.bootstrap.world import system_now
from twinlock.cli.console import program, result, say
from twinlock.cli.ranges import Json, console, to_the_end
from twinlock.domain.errors import BundleRefusedError
from twinlock.proofs.bundle_faults import BundleFault
from twinlock.proofs.bundles import VerifiedBundle
from twinlock.range.comparison import beside, holds
from twinlock.range.honest import AMOUNT, Honest, forged_refusal, verified, withdraw_honestly
from twinlock.range.player import Tell, play_story
from twinlock.range.profiles import BASELINE, DEFAULT, PROFILES, STRICT, TYPICAL, rules_of
from twinlock.range.reader import shipped_story
from twinlock.range.report import troubles
from twinlock.range.results import Status, StoryResult, told
from twinlock.range.stage import ASSET
from twinlock.range.story import Story
from twinlock.range.venue import open_service

STORIES = ("S01", "S02", "S07", "S15")
BESIDE = (BASELINE, TYPICAL, STRICT)
# Where the rules of 2024 lose everything. In S15 the server forgot to ask, which ours cannot.
LOST_THEN = ("S01", "S02", "S07")
EVIDENCE = Path("var/demo")
# What a changed payee must trip over: the entry commits to every byte of the payload.
FORGED_STEP, FORGED_FAULT = "openings", BundleFault.OPENING_WRONG
EXIT_DIFFERS = 1
Evidence = Annotated[Path, typer.Option("--evidence", help="Where the evidence is left.")]

INTRODUCTION = f"""\
Four ways in which customers of exchanges lost money, or could have. Here a thief tries each over
HTTP against a real service, by four sets of rules: those of 2024, in the column {BASELINE}; what is
usual now, in {TYPICAL}; and Twinlock's, in {DEFAULT} and {STRICT}. He has the passwords, codes and
cookies that the story gives him, and shows them for real. Beside him somebody honest does nearly
the same, and must not be stopped."""

READ_ON = """\
Read on in README.md, docs/range.md, docs/laws.md and docs/threat-model.md."""

WITHDRAWAL = """\
And one honest withdrawal, to a place that the customer proved two days ago."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """All that the demo found."""

    played: tuple[StoryResult, ...]  # each story under each profile
    honest: Honest
    verified: VerifiedBundle
    forged: BundleRefusedError | None


def demo(*, evidence: Evidence = EVIDENCE, as_json: Json = False) -> None:
    """Play four attack stories, spend one honest withdrawal, verify its evidence offline."""
    out = console()
    if not as_json:
        out.print(Padding(Text(" ".join(INTRODUCTION.split())), (1, 0)))
    with _telling() as tell:
        shown = to_the_end(_play(tell))
    leave(shown.honest, evidence)
    different = differences(shown)
    if as_json:
        result(_found(shown, evidence, different), as_json=True, text="")
    else:
        show(out, shown, evidence)
    if different:
        raise typer.Exit(EXIT_DIFFERS)


async def _play(tell: Tell) -> Shown:
    stories = [shipped_story(name) for name in STORIES]
    played = {profile: await _beside(profile, stories, tell) for profile in BESIDE}
    tell(f"a service with a database of its own, under {DEFAULT}")
    async with open_service(rules_of(DEFAULT)) as venue:
        played[DEFAULT] = [await play_story(venue, one, tell=tell) for one in stories]
        tell("an honest withdrawal")
        honest = await withdraw_honestly(venue, at=system_now())
    return Shown(
        played=tuple(one for profile in PROFILES for one in played[profile]),
        honest=honest,
        verified=verified(honest),
        forged=forged_refusal(honest),
    )


async def _beside(profile: str, stories: list[Story], tell: Tell) -> list[StoryResult]:
    """Play the stories by other rules."""
    tell(f"a service with a database of its own, under {profile}")
    async with open_service(rules_of(profile)) as venue:
        return [await play_story(venue, one, tell=tell) for one in stories]


def _found(shown: Shown, evidence: Path, different: list[str]) -> dict[str, object]:
    """Return all of it as one value of JSON."""
    forged = shown.forged
    return {
        "stories": told(shown.played),
        "evidence": str(evidence),
        "verified": [{"step": one.name, "says": one.says} for one in shown.verified.steps],
        "forged": None if forged is None else {"step": forged.name, "fault": forged.fault},
        "differences": different,
    }


def differences(shown: Shown) -> list[str]:
    """Return what is not as the files say: under our rules, and as reported under those of then."""
    found = [line for story in shown.played for line in _not_as_it_should(story)]
    for story in shown.played:
        if story.profile in (DEFAULT, STRICT) and (story.lost_cents or story.leaked_cents):
            found.append(f"{story.id} lost money under {story.profile}")
        if story.profile == STRICT:
            found += [f"{story.id} {one.id} is weaker" for one in story.parts if not holds(one)]
        if story.profile == BASELINE and story.id in LOST_THEN:
            found += _not_as_reported(story)
    return found + _unshown(shown.verified, shown.forged)


def _not_as_reported(story: StoryResult) -> list[str]:
    found = [
        f"{story.id} {step.id} was reported {step.reported.value}, and is {step.answer}"
        for step in story.attack.steps
        if step.reported is not None and step.answer is not step.reported
    ]
    if not story.attack.lost_cents:
        found.append(f"{story.id} lost nothing under {BASELINE}")
    return found


def _not_as_it_should(story: StoryResult) -> list[str]:
    """Return what of a story failed, or could not be played."""
    found: list[str] = []
    for part in story.parts:
        if part.status not in (Status.FAILED, Status.NOT_PLAYABLE):
            continue
        lines = troubles(part) or [f"{part.id or part.kind.value} {part.status.value}"]
        found += [f"{story.id} {one}" for one in lines]
    return found


def _unshown(verified: VerifiedBundle, forged: BundleRefusedError | None) -> list[str]:
    """Return what the evidence does not show, and whether a forgery was refused for its reason."""
    found = []
    if not verified.spent:
        found.append("the evidence does not show a spend")
    if not verified.assertions:
        found.append("the evidence holds no assertion of the customer's")
    if forged is None:
        found.append("the forged bundle was not refused")
    elif (forged.name, forged.fault) != (FORGED_STEP, FORGED_FAULT):
        found.append(f"the forged bundle was refused at {forged.name} for {forged.fault}")
    return found


# --- Telling ---


def show(out: Console, shown: Shown, evidence: Path) -> None:
    """Print the stories beside each other, the withdrawal, what differs, and where to go on."""
    for name in STORIES:
        out.print(beside([one for one in shown.played if one.id == name], ours=DEFAULT))
    _tell_withdrawal(out, shown, evidence)
    for one in differences(shown):
        out.print(Text(f"differs: {one}", style="bold red"))
    _tell_where_next(out, evidence)


@contextmanager
def _telling() -> Iterator[Tell]:
    """Give a way to say what goes on: one changing line on a terminal, plain lines elsewhere."""
    err = Console(stderr=True, highlight=False)
    if not err.is_terminal:
        yield say
        return
    with err.status("starting …") as status:
        yield lambda text: status.update(f"{text} …")


def _tell_withdrawal(out: Console, shown: Shown, evidence: Path) -> None:
    honest, seen = shown.honest, shown.verified
    out.print(Rule(style="dim"))
    out.print(Padding(Text(WITHDRAWAL), (1, 0)))
    spent = f"entry {seen.index} of the log; the wallet's signer cleared it, once"
    lines = [
        ("asked", f"{AMOUNT} {ASSET} to {honest.address}"),
        ("answer", f"{honest.asked.answer.value}: {honest.asked.why[0].sentence}"),
        ("tap", f"{honest.proved.answer.value}: her passkey signed exactly this payload"),
        ("spend", f"{honest.spent.state}: {spent}"),
    ]
    _rows(out, lines)
    out.print(
        Padding(Text("Verified offline, with the bundle and the trust file only:"), (1, 0, 0, 0))
    )
    _rows(out, [(f"{one.number:>2} {one.name}", one.says) for one in seen.steps])
    _tell_forgery(out, shown.forged)
    out.print(Text(f"\n{len(honest.bundle):,} bytes of evidence are in {evidence}/"))


def _tell_forgery(out: Console, refused: BundleRefusedError | None) -> None:
    out.print(Padding(Text("The same bundle with the thief's address in it:"), (1, 0, 0, 0)))
    if refused is None:
        out.print(Text("  verified, which must not be", style="bold red"))
        return
    _rows(out, [(f"{refused.step:>2} {refused.name}", f"refused: {refused.says}")])


def _rows(out: Console, rows: list[tuple[str, str]], *, width: int = 16) -> None:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim", min_width=width)
    table.add_column()
    for name, says in rows:
        table.add_row(name, Text(says))
    out.print(Padding(table, (0, 0, 0, 2)))


def _tell_where_next(out: Console, evidence: Path) -> None:
    out.print(Rule(style="dim"))
    start, files = program(), shlex.quote(str(evidence))
    for what, command in (
        ("verify it", f"{start} verify {files}/bundle.json --trust {files}/trust.json"),
        ("see a forgery refused", f"{start} verify {files}/forged.json --trust {files}/trust.json"),
        ("play one of them again, step by step", f"{start} range run S15"),
        ("list them with what each demands", f"{start} range stories"),
    ):
        # A command stands on one line, however long: it is there to be copied.
        out.print(Text(f"  {what}:", style="dim"))
        out.print(Text(f"    {command}"), soft_wrap=True)
    out.print(Padding(Text(READ_ON), (1, 0, 0, 2)))


def leave(honest: Honest, evidence: Path) -> None:
    """Leave the evidence, which holds no secret."""
    evidence.mkdir(parents=True, exist_ok=True)
    files = {"bundle": honest.bundle, "forged": honest.forged, "trust": honest.trust}
    for name, data in files.items():
        (evidence / f"{name}.json").write_bytes(data + b"\n")
