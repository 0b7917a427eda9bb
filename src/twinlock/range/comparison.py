"""Replays of one story beside each other, for somebody who has read nothing else: four rule books.

Answers are words here and reasons sentences; codes and names of checks stand in the range's own
report and in ``--json``.
"""

from collections.abc import Iterable, Mapping, Sequence
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
        Outcome.READ_ONLY: "may look",
        Outcome.CHALLENGE: "prove more",
        Outcome.HOLD: "waits",
        Outcome.REVIEW: "people decide",
        Outcome.DENY: "refused",
        Outcome.NO_EFFECT: "nothing",
        Outcome.DONE: "done",
    }
)
# How far an answer keeps somebody off; as far as the file of a story expects is enough.
_STRICTNESS: Mapping[Outcome, int] = MappingProxyType(
    {
        Outcome.ALLOW: 0,
        Outcome.DONE: 0,
        Outcome.READ_ONLY: 1,
        Outcome.CHALLENGE: 2,
        Outcome.HOLD: 3,
        Outcome.REVIEW: 4,
        Outcome.DENY: 5,
        Outcome.NO_EFFECT: 5,
    }
)
# What a terminal of 80 columns has room for.
DEED_WIDTH, ANSWER_WIDTH = 19, 12


def beside(results: Sequence[StoryResult], *, ours: str) -> RenderableType:
    """Return one table of all ``results``, one column a profile; ``ours`` is told in full."""
    now = next(one for one in results if one.profile == ours)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("after", no_wrap=True)
    table.add_column("the thief tries, with", width=DEED_WIDTH)
    for one in results:
        table.add_column(one.profile.replace("-", "\n"), width=ANSWER_WIDTH)
    for steps in zip(*(one.attack.steps for one in results), strict=True):
        table.add_row(length(steps[0].after), _deed(steps[0]), *map(_answer, steps))
    table.add_row("", Text("lost", style="bold"), *(_lost(one.attack) for one in results))
    return Group(
        Text.assemble((f"{now.id}  ", "bold"), (now.title, "bold")),
        Padding(table, (0, 0, 0, 2)),
        Padding(Group(*_lines(now, results)), (0, 0, 1, 2)),
    )


def _deed(step: StepResult) -> Text:
    """Return what was tried; the column's head says by whom, but where it is somebody else."""
    return deed(step, by="" if step.by == Person.MALLORY else step.by)


def _answer(step: StepResult) -> Text:
    if step.answer is None:
        return Text("stopped" if step.stopped else "not played", style="dim")
    said = Text(ANSWERS[step.answer], style="bold red" if step.taken_cents else "")
    if step.waits is not None:
        said.append(f" {length(step.waits)}")
    return said


def _lost(attack: PartResult) -> Text:
    style = "bold red" if attack.lost_cents else "bold green"
    return Text(dollars(attack.lost_cents), style=style)


def _lines(now: StoryResult, results: Sequence[StoryResult]) -> Iterable[RenderableType]:
    for line in dict.fromkeys(line for one in (now, *results) for line in remarks(one)):
        yield Text(line, style="dim")
    at_once = now.attack.stopped_after == timedelta(0)
    why = f": {now.attack.stopped_because}" if now.attack.stopped_because else "."
    when = "stopped at once" if at_once else stopped(now.attack)
    yield Text(f"With Twinlock ({now.profile}): {when}{why}")
    yield Text("\nWhat else must hold, each tried on a new account:")
    for part in now.parts[1:-1]:
        yield _row(MARKS[part.status], part)
        yield from (Text(f"    {line}", style="dim") for line in looked_at(part))
        yield from (Text(f"    {line}", style="yellow") for line in troubles(part))
        yield from (Text(f"    {line}", style="dim") for line in _missing(part, results))
    yield Text("\nAnd somebody honest, who does nearly the same:")
    yield _row(Text("-"), now.twin)
    for one in results:
        yield Text(f"    {one.profile}: {twin_line(one.twin)}")


def _missing(part: PartResult, results: Sequence[StoryResult]) -> Iterable[str]:
    """Yield by which other rules this does not hold: there it is told, and counts as nothing."""
    without = [
        one.profile
        for one in results
        for other in one.parts
        if (other.kind, other.id) == (part.kind, part.id) and not holds(other)
    ]
    if without:
        yield f"does not hold under {', '.join(without)}"


def holds(part: PartResult) -> bool:
    """Say whether a demand holds: all was answered as its file expects, or more strictly."""
    answered = (one for one in part.steps if one.answer is not None)
    strict = all(_at_least(one.answer, one.expect) for one in answered)
    return strict and not (part.check is not None and part.check.wrong)


def _at_least(answer: Outcome | None, expected: Iterable[Outcome]) -> bool:
    return answer is None or _STRICTNESS[answer] >= min(_STRICTNESS[one] for one in expected)


def _row(mark: Text, part: PartResult) -> Table:
    row = Table.grid(padding=(0, 1, 0, 0))
    row.add_column(no_wrap=True)
    row.add_column()
    row.add_row(Text.assemble("  ", mark), Text(" ".join(part.text.split())))
    return row
