"""What a replay found, for people: one table a story, and one line for each story at the end.

Tables are plain where the output is no terminal; machines read ``--json`` instead.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from twinlock.range.results import Later, PartResult, Status, StepResult, StoryResult
from twinlock.range.words import Person

CODES_SHOWN = 2  # The strongest reasons come first; --json has all of them.
PARTS = "All parts: the attack, each demand and the honest twin, each on an account of its own."
HONEST = "the honest twin, who does alike in good faith"
MARKS = {
    Status.PASSED: Text("ok", style="green"),
    Status.PLAYED: Text("-", style="dim"),
    Status.NOT_PLAYABLE: Text("not playable", style="yellow"),
    Status.FAILED: Text("FAILED", style="bold red"),
}
# Mallory and Ivan steal; a reader of the output has not met them.
WHO = {Person.MALLORY.value: "thief", Person.IVAN.value: "insider", Person.ALICE.value: "owner"}
_UNITS = (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("min", timedelta(minutes=1)))


def length(span: timedelta) -> str:
    """Return a length as people say it, in its largest two units: ``3 d 4 h``."""
    said = []
    for unit, size in _UNITS:
        count, span = divmod(span, size)
        said += [f"{count} {unit}"] if count else []
    seconds = int(span.total_seconds())
    said += [f"{seconds} s"] if seconds and not said else []
    return " ".join(said[:2]) or "0 min"


def dollars(cents: int) -> str:
    """Return US cents as people write dollars."""
    whole, rest = divmod(cents, 100)
    return f"US${whole:,}" + (f".{rest:02d}" if rest else "")


def because(codes: Sequence[str]) -> str:
    """Return the strongest reasons, and how many more there are."""
    shown = "\n".join(codes[:CODES_SHOWN])
    more = len(codes) - CODES_SHOWN
    return f"{shown}\nand {more} more" if more > 0 else shown


def who(person: str) -> str:
    """Return who acts, by their part: the file's cast has names."""
    return WHO.get(person, person)


def answer_of(step: StepResult) -> Text:
    """Return a step's answer; a yes to a thief stands out."""
    if step.stopped:
        return Text("stopped", style="green")
    if step.answer is None:
        return Text("–", style="dim")
    style = "bold red" if step.taken_cents else ""
    said = Text(step.answer.value, style=style)
    if step.waits is not None:
        said.append(f"\n{length(step.waits)}", style="dim")
    return said


def deed_of(step: StepResult) -> Text:
    """Return who does what and shows which proofs."""
    return deed(step, by=step.by)


def deed(step: StepResult, *, by: str) -> Text:
    """Return what is done and which proofs are shown; of nobody where ``by`` is empty."""
    text = Text.assemble((f"{who(by)}: " if by else "", "dim"), step.do)
    if step.proof:
        text.append(f"\n  {', '.join(step.proof)}", style="dim")
    return text


def story_table(result: StoryResult) -> RenderableType:
    """Return one story as it went under its profile."""
    return Group(
        Text(f"{result.id}  {result.title}", style="bold"),
        Text(_headline(result)),
        Padding(_attack_table(result.attack), (0, 0, 0, 2)),
        Padding(Group(*_lines(result)), (0, 0, 1, 2)),
    )


def _headline(result: StoryResult) -> str:
    attack = result.attack
    stake = f"profile {result.profile} · {dollars(result.value_cents)} at stake"
    return f"{stake} · lost {dollars(attack.lost_cents)} · {stopped(attack)}"


def stopped(attack: PartResult) -> str:
    """Return when the thief was stopped."""
    if attack.stopped_after is None:
        return "not stopped" if attack.lost_cents else "nothing to stop was played"
    return f"stopped after {length(attack.stopped_after)}"


def _attack_table(attack: PartResult) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name, width in (("step", 4), ("after", 5), ("what", 28), ("answer", 9), ("because", 22)):
        table.add_column(name, min_width=width)
    for step in attack.steps:
        mark = (
            Text("\n") if step.status is Status.PASSED else Text.assemble("\n", MARKS[step.status])
        )
        reason = (
            Text(because(step.codes)) if step.codes else Text("; ".join(step.notes), style="dim")
        )
        if step.status is Status.FAILED:
            reason = Text.assemble(reason, mark, f": {'; '.join(step.notes)}")
        table.add_row(step.id, length(step.after), deed_of(step), answer_of(step), reason)
    return table


def _lines(result: StoryResult) -> Iterable[RenderableType]:
    later = [one for one in result.attack.later if one.taken_cents]
    for one in later:
        yield Text(_patient(one), style="yellow")
    yield _demands(result)
    for part in result.parts:
        yield from (Text(line, style="dim") for line in troubles(part))
    yield from (Text(line, style="dim") for line in remarks(result))
    for part in result.parts:
        check = "" if part.check is None else f" ({part.check.name})"
        lines = (f"{_name(part)}: {line}{check}" for line in looked_at(part))
        yield from (Text(line, style="dim") for line in lines)
    if result.attack.stopped_because:
        yield Text(f"stopped by: {result.attack.stopped_because}")
    yield Text(f"{HONEST}: {twin_line(result.twin)}")


def _patient(one: Later) -> str:
    taken = dollars(one.taken_cents)
    return f"if nobody objects: {taken} leaves after {length(one.after)} ({one.step})"


def _demands(result: StoryResult) -> Text:
    line = Text("demands: ")
    for part in result.parts[1:-1]:
        line.append(f"{part.id} ")
        line.append(MARKS[part.status])
        line.append("  ")
    return line


def _name(part: PartResult) -> str:
    return part.id or part.kind.value.replace("_", " ")


def troubles(part: PartResult) -> list[str]:
    """Return what of a part failed or could not be played, with the reason."""
    name = _name(part)
    bad = [one for one in part.steps if one.status in (Status.FAILED, Status.NOT_PLAYABLE)]
    found = [f"{one.id} {MARKS[one.status].plain}: {'; '.join(one.notes)}" for one in bad]
    if part.check is not None:
        wrong = "FAILED" if part.check.status is Status.FAILED else "would have failed"
        found += [f"{name} FAILED: {one}" for one in part.check.failed]
        found += [f"{name} {wrong}: {one}" for one in part.check.wrong]
        found += [f"{name} not playable: {one}" for one in part.check.not_playable]
    found += [f"{name}: {note}" for note in part.notes]
    return found


def remarks(result: StoryResult) -> list[str]:
    """Return what people must know of a replay that neither failed nor could not be played.

    What the accounts were played without, what was not shown, and where a weaker profile answered
    otherwise than was reported.
    """
    found = list(dict.fromkeys(note for part in result.parts for note in part.without))
    for part in result.parts:
        fine = (one for one in part.steps if one.status in (Status.PASSED, Status.PLAYED))
        found += [
            f"{one.id}: {'; '.join(one.notes)}" for one in fine if one.notes and not one.stopped
        ]
        found += [_otherwise(one) for one in part.steps if one.differs_from_reported]
    return found


def looked_at(part: PartResult) -> list[str]:
    """Return how much the check of a part looked at, and what it could not."""
    check = part.check
    if check is None or not check.looked_at:
        return []
    tried = "1 case tried" if check.looked_at == 1 else f"{check.looked_at} cases tried"
    return ["; ".join((tried, *check.notes))]


def _otherwise(step: StepResult) -> str:
    answer = "stopped" if step.answer is None else step.answer.value
    reported = "" if step.reported is None else step.reported.value
    return f"{step.id} was reported {reported}, and is {answer} here"


def twin_line(twin: PartResult) -> str:
    """Return what the honest twin had to do."""
    waits = f"waits {length(twin.waited)}" if twin.waited else "waits for nothing"
    refused = f"{twin.refusals} wrong refusals" if twin.refusals else "no wrong refusal"
    taps = "1 tap" if twin.taps == 1 else f"{twin.taps} taps"
    ends = {Status.NOT_PLAYABLE: "; partly not playable", Status.FAILED: "; FAILED"}
    return f"{taps}, {waits}, {refused}{ends.get(twin.status, '')}"


def summary_table(results: Sequence[StoryResult]) -> Table:
    """Return one line for each story; its parts are the attack, each demand, the twin."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("story", "profile", "lost", "stopped after", "all parts", "honest twin"):
        table.add_column(name)
    for one in results:
        attack = one.attack
        after = "-" if attack.stopped_after is None else length(attack.stopped_after)
        table.add_row(
            one.id,
            one.profile,
            Text(dollars(one.lost_cents), style="red" if one.lost_cents else "green"),
            after,
            _counts(one.parts),
            f"{one.twin.taps} taps, {length(one.twin.waited)}",
        )
    return table


def _counts(parts: Sequence[PartResult]) -> Text:
    counted = {status: sum(part.status is status for part in parts) for status in Status}
    return Text("\n").join(
        Text(
            f"{counted[status]} of {len(parts)} {status.value.replace('_', ' ')}",
            style=MARKS[status].style,
        )
        for status in (Status.PASSED, Status.PLAYED, Status.NOT_PLAYABLE, Status.FAILED)
        if counted[status]
    )


def print_stories(console: Console, results: Sequence[StoryResult]) -> None:
    """Print every story, then one line for each."""
    for result in results:
        console.print(story_table(result))
    if len(results) > 1:
        console.print(summary_table(results))
        console.print(Text(PARTS, style="dim"))
