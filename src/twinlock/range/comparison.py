"""Two replays of one story side by side: what was then, and what is now."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from twinlock.range.report import (
    answer_of,
    because,
    deed_of,
    dollars,
    length,
    remarks,
    stopped,
    troubles,
    twin_line,
)
from twinlock.range.results import PartResult, Status, StepResult, StoryResult


def side_by_side(now: StoryResult, then: StoryResult) -> RenderableType:
    """Return one table of both; ``then`` is the weaker profile."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("after", no_wrap=True)
    table.add_column("the thief", min_width=29)
    table.add_column(then.profile, min_width=13)
    table.add_column(now.profile, min_width=24)
    pairs = zip(now.attack.steps, then.attack.steps, strict=True)
    for here, there in pairs:
        table.add_row(length(here.after), deed_of(here), answer_of(there), _now(here))
    table.add_row("", Text("lost", style="bold"), _lost(then.attack), _lost(now.attack))
    return Group(
        Text.assemble((f"{now.id}  ", "bold"), (now.title, "bold")),
        Padding(table, (0, 0, 0, 2)),
        Padding(Group(*_lines(now, then)), (0, 0, 1, 2)),
    )


def _now(step: StepResult) -> Text:
    said = answer_of(step)
    if step.codes:
        said.append(f"\n{because(step.codes)}", style="dim")
    return said


def _lost(attack: PartResult) -> Text:
    style = "bold red" if attack.lost_cents else "bold green"
    return Text(dollars(attack.lost_cents), style=style)


def _lines(now: StoryResult, then: StoryResult) -> Iterable[Text]:
    yield Text(f"{stopped(now.attack)}: {now.attack.stopped_because}")
    last = now.attack.steps[-1]
    if last.sentence and last.sentence != now.attack.stopped_because:
        yield Text(f"and at the exit: {last.sentence}")
    demands = now.parts[1:-1]
    held = sum(part.status is Status.PASSED for part in demands)
    yield Text(f"demands of the story that hold: {held} of {len(demands)}")
    for part in demands:
        yield from (Text(f"  {line}", style="yellow") for line in troubles(part))
    for line in dict.fromkeys((*remarks(now), *remarks(then))):
        yield Text(f"  {line}", style="dim")
    yield Text(f"the honest twin then: {twin_line(then.twin)}")
    yield Text(f"the honest twin now:  {twin_line(now.twin)}")
