"""Two replays of one story side by side, for somebody who has read nothing else: then, and now.

Answers are words here and reasons sentences; codes and names of checks stand in the range's own
report and in ``--json``.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from types import MappingProxyType

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from twinlock.range.report import (
    MARKS,
    deed,
    dollars,
    length,
    looked_at,
    remarks,
    stopped,
    troubles,
    twin_line,
)
from twinlock.range.results import PartResult, StepResult, StoryResult
from twinlock.range.words import Outcome, Person

ANSWERS: Mapping[Outcome, str] = MappingProxyType(
    {
        Outcome.ALLOW: "allowed",
        Outcome.READ_ONLY: "may only look",
        Outcome.CHALLENGE: "more proof, please",
        Outcome.HOLD: "must wait",
        Outcome.REVIEW: "people decide",
        Outcome.DENY: "refused",
        Outcome.NO_EFFECT: "nothing happens",
        Outcome.DONE: "done",
    }
)


def side_by_side(now: StoryResult, then: StoryResult) -> RenderableType:
    """Return one table of both; ``then`` is the weaker profile."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("after", no_wrap=True)
    table.add_column("the thief tries, with", min_width=22)
    table.add_column(then.profile, min_width=13)
    table.add_column(now.profile, min_width=29)
    pairs = zip(now.attack.steps, then.attack.steps, strict=True)
    for here, there in pairs:
        table.add_row(length(here.after), _deed(here), _answer(there), _now(here))
    table.add_row("", Text("lost", style="bold"), _lost(then.attack), _lost(now.attack))
    return Group(
        Text.assemble((f"{now.id}  ", "bold"), (now.title, "bold")),
        Padding(table, (0, 0, 0, 2)),
        Padding(Group(*_lines(now, then)), (0, 0, 1, 2)),
    )


def _deed(step: StepResult) -> Text:
    """Return what was tried; the column's head says by whom, but where it is somebody else."""
    return deed(step, by="" if step.by == Person.MALLORY else step.by)


def _answer(step: StepResult) -> Text:
    if step.answer is None:
        return Text("stopped before" if step.stopped else "not played", style="dim")
    return Text(ANSWERS[step.answer], style="bold red" if step.taken_cents else "")


def _now(step: StepResult) -> Text:
    said = _answer(step)
    if step.waits is not None:
        said.append(f", {length(step.waits)}")
    if step.sentence:
        said.append(f"\n{step.sentence}", style="dim")
    more = len(step.codes) - 1
    if more > 0:
        said.append(f" And {more} more reason{'s' if more > 1 else ''}.", style="dim")
    return said


def _lost(attack: PartResult) -> Text:
    style = "bold red" if attack.lost_cents else "bold green"
    return Text(dollars(attack.lost_cents), style=style)


def _lines(now: StoryResult, then: StoryResult) -> Iterable[RenderableType]:
    at_once = now.attack.stopped_after == timedelta(0)
    for line in dict.fromkeys((*remarks(now), *remarks(then))):
        yield Text(line, style="dim")
    yield Text(f"With Twinlock: {'stopped at once' if at_once else stopped(now.attack)}.")
    yield Text("\nWhat else must hold, each tried on a new account:")
    for part in now.parts[1:-1]:
        yield _row(MARKS[part.status], part)
        yield from (Text(f"    {line}", style="dim") for line in looked_at(part))
        yield from (Text(f"    {line}", style="yellow") for line in troubles(part))
    yield Text("\nAnd somebody honest, who does nearly the same:")
    yield _row(Text("-"), now.twin)
    yield Text(f"    then: {twin_line(then.twin)}\n    now:  {twin_line(now.twin)}")


def _row(mark: Text, part: PartResult) -> Table:
    row = Table.grid(padding=(0, 1, 0, 0))
    row.add_column(no_wrap=True)
    row.add_column()
    row.add_row(Text.assemble("  ", mark), Text(" ".join(part.text.split())))
    return row
