"""Print the table of stories and profiles: what was lost, when it stopped, what the honest one did.

usage: python tools/range_table.py [STORY …]

Every story that comes along is played in memory under every profile: a few minutes.
"""

import asyncio
import sys
from collections.abc import Sequence
from datetime import timedelta

import structlog
from doc_parts import table

from twinlock.range.player import play_story
from twinlock.range.profiles import PROFILES, rules_of
from twinlock.range.reader import shipped_names, shipped_story
from twinlock.range.results import Kind, PartResult, Status, StepResult, StoryResult
from twinlock.range.venue import open_world

HEAD = ("story", "rules", "lost", "stopped after", "the honest twin")


async def play_all(names: Sequence[str]) -> list[StoryResult]:
    """Play the attacks and twins of ``names`` under every profile."""
    kinds = frozenset({Kind.ATTACK, Kind.BENIGN})
    played = []
    for profile in PROFILES:
        async with open_world(rules_of(profile)) as venue:
            played += [await play_story(venue, shipped_story(one), kinds=kinds) for one in names]
    return sorted(played, key=lambda one: one.id)


def row(story: StoryResult) -> tuple[str, ...]:
    """Return the row of one story under one profile."""
    stopped = story.attack.stopped_after
    return (
        story.id,
        story.profile,
        f"US${story.lost_cents // 100:,}",
        "not stopped" if stopped is None else length(stopped),
        twin_words(story.twin),
    )


def twin_words(twin: PartResult) -> str:
    """Return what the honest twin had to do."""
    if twin.status is Status.NOT_PLAYABLE or not all(_was_played(one) for one in twin.steps):
        return "not playable yet"
    return f"{twin.taps} taps, waits {length(twin.waited)}, {twin.refusals} wrong refusals"


def _was_played(step: StepResult) -> bool:
    return step.stopped or (step.answer is not None and step.status is not Status.NOT_PLAYABLE)


def length(time: timedelta) -> str:
    """Return a length of time in words."""
    for unit, word in ((timedelta(days=1), "d"), (timedelta(hours=1), "h")):
        if time >= unit:
            return f"{time // unit} {word}"
    return f"{time // timedelta(minutes=1)} min"


def main() -> None:
    """Print the table in Markdown."""
    # What the service logs is no part of the table.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(file=sys.stderr))
    played = asyncio.run(play_all(sys.argv[1:] or shipped_names()))
    print(table(HEAD, [row(one) for one in played]))


if __name__ == "__main__":
    main()
