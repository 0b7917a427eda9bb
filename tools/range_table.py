"""Write the README's table of stories: what each took by which rules, and how soon it was stopped.

usage: python tools/range_table.py [STORY …]

Every story that comes along is played in memory under every profile: a few minutes. One whose
attack is stopped by what is not built here says nothing, and is named below the table instead.
"""

import asyncio
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import structlog
from doc_parts import table

from twinlock.domain.reasons import Reason
from twinlock.range.player import play_story
from twinlock.range.profiles import DEFAULT, PROFILES, rules_of
from twinlock.range.reader import shipped_names, shipped_story
from twinlock.range.results import Kind, PartResult, Status, StepResult, StoryResult
from twinlock.range.venue import open_world

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- range-table: `make range-table` -->\n", "<!-- /range-table -->\n"
HEAD = ("story", *PROFILES, f"the honest twin, `{DEFAULT}`")
Played = Mapping[str, StoryResult]  # One story, by profile.


async def play_all(names: Sequence[str]) -> dict[str, dict[str, StoryResult]]:
    """Play the attacks and twins of ``names`` under every profile."""
    kinds = frozenset({Kind.ATTACK, Kind.BENIGN})
    played: dict[str, dict[str, StoryResult]] = {name: {} for name in names}
    for profile in PROFILES:
        async with open_world(rules_of(profile)) as venue:
            for name in names:
                played[name][profile] = await play_story(venue, shipped_story(name), kinds=kinds)
    return played


def is_unbuilt(played: Played) -> bool:
    """Say whether something stops the attack, under some rules, by not being built."""
    return any(Reason.ACTION_NOT_BUILT in one.attack.stopped_by for one in played.values())


def row(name: str, played: Played) -> tuple[str, ...]:
    """Return the row of one story."""
    title = f"{name}: {shipped_story(name).title}"
    return (title, *(cell(played[one]) for one in PROFILES), twin_words(played[DEFAULT].twin))


def cell(story: StoryResult) -> str:
    """Return what was lost, or when the thief was stopped."""
    if story.lost_cents:
        return f"**US${story.lost_cents // 100:,} lost**"
    stopped = story.attack.stopped_after
    return "not stopped" if stopped is None else f"stopped after {length(stopped)}"


def twin_words(twin: PartResult) -> str:
    """Return what the honest twin had to do."""
    if twin.status is Status.NOT_PLAYABLE or not all(_was_played(one) for one in twin.steps):
        return "not playable yet"
    taps = "1 tap" if twin.taps == 1 else f"{twin.taps} taps"
    waits = f", waits {length(twin.waited)}" if twin.waited else ""
    refused = f", {twin.refusals} wrong refusals" if twin.refusals else ""
    return f"{taps}{waits}{refused}"


def _was_played(step: StepResult) -> bool:
    return step.stopped or (step.answer is not None and step.status is not Status.NOT_PLAYABLE)


def length(time: timedelta) -> str:
    """Return a length of time in words."""
    for unit, word in ((timedelta(days=1), "d"), (timedelta(hours=1), "h")):
        if time >= unit:
            return f"{time // unit} {word}"
    return f"{time // timedelta(minutes=1)} min"


def words(all_played: Mapping[str, Played]) -> str:
    """Return the table, and below it the stories that it leaves out."""
    unbuilt = [name for name, played in all_played.items() if is_unbuilt(played)]
    rows = [row(name, played) for name, played in all_played.items() if name not in unbuilt]
    left_out = f"\n\nNot in it, for they lean on what is not built: {', '.join(unbuilt)}."
    return table(HEAD, rows) + (left_out if unbuilt else "") + "\n"


def main() -> None:
    """Write the table into the README; of some stories, print it."""
    # What the service logs is no part of the table.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(file=sys.stderr))
    told = words(asyncio.run(play_all(sys.argv[1:] or shipped_names())))
    if sys.argv[1:]:
        print(told)
        return
    text = README.read_text("utf-8")
    between = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    README.write_text(between.sub(lambda _: f"{BEGIN}\n{told}\n{END}", text), "utf-8")


if __name__ == "__main__":
    main()
