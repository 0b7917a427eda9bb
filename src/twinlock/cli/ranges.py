"""``twinlock range``: attack stories and their honest twins, played against a service.

Exit codes of ``run``: 0 every expectation held and every word was played; 1 an expectation failed;
3 nothing failed, and something could not be played yet; 2 a file or an argument is wrong. What a
file expects holds under the profile ``default``; under a weaker one nothing is expected.
"""

import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, TypeVar

import structlog
import typer
import uvloop
from rich.console import Console

from twinlock.cli.attacking import attack
from twinlock.cli.console import result, say
from twinlock.range.attacking import Script
from twinlock.range.break_in import Played, played_out
from twinlock.range.found import distinct, scripts_of
from twinlock.range.player import play_story
from twinlock.range.profiles import BASELINE, DEFAULT, PROFILES, rules_of
from twinlock.range.reader import load_story, shipped_names, shipped_story
from twinlock.range.report import print_stories
from twinlock.range.results import Status, StoryResult, told, worst
from twinlock.range.story import Story
from twinlock.range.venue import open_service, open_world

EXIT_FAILED, EXIT_NOT_PLAYABLE = 1, 3
EXIT_TERMINATED = 128 + signal.SIGTERM
WIDTH_OF_A_PAGE = 80

T = TypeVar("T")
app = typer.Typer(help="Attack stories, played against a service.", no_args_is_help=True)
Files = Annotated[
    list[str],
    typer.Argument(help="Scenario files, or ids of stories that come with Twinlock."),
]
Profile = Annotated[str, typer.Option(help=f"Whose rules decide: {', '.join(PROFILES)}.")]
World = Annotated[bool, typer.Option("--world", help="In memory, without sockets and database.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
app.command("attack")(attack)


@app.command("run")
def run(
    files: Files, *, profile: Profile = DEFAULT, world: World = False, as_json: Json = False
) -> None:
    """Play attacks, demands and honest twins; say what was lost, and what stopped it."""
    rules_of(profile)
    stories = [read(name) for name in files]
    results = to_the_end(play(stories, profile, world=world))
    if as_json:
        result(told(results), as_json=True, text="")
    else:
        print_stories(console(), results)
    raise typer.Exit(exit_code(results))


@app.command("stories")
def stories(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """List the stories that come with Twinlock."""
    titles = {name: shipped_story(name).title for name in shipped_names()}
    result(
        [{"id": name, "title": title} for name, title in titles.items()],
        as_json=as_json,
        text="\n".join(f"{name}  {title}" for name, title in titles.items()),
    )


@app.command("attacks")
def attacks(*, profile: Profile = BASELINE, world: World = False, as_json: Json = False) -> None:
    """Take the money by each smallest set that the prover finds, and say whether it was so soon.

    Exit code 1 where one does not take it at the minute that it says.
    """
    say(f"asking the rules of {profile} what they ask for …")
    scripts = distinct(scripts_of(profile))
    played = to_the_end(break_in_each(scripts, profile, world=world))
    result(played, as_json=as_json, text="\n".join(map(str, played)))
    if any(one.not_as_found for one in played):
        raise typer.Exit(EXIT_FAILED)


async def break_in_each(
    scripts: tuple[Script, ...], profile: str, *, world: bool
) -> tuple[Played, ...]:
    """Play each of ``scripts`` at one venue, each on an account of its own."""
    opens = open_world if world else open_service
    async with opens(rules_of(profile)) as venue:
        return tuple([await played_out(venue, script) for script in scripts])


def read(name: str) -> Story:
    """Return the story in the file ``name``, or the one of that id that comes with Twinlock."""
    path = Path(name)
    return load_story(path) if path.exists() or path.suffix else shipped_story(name)


async def play(stories: list[Story], profile: str, *, world: bool) -> list[StoryResult]:
    """Play ``stories`` one after the other at one venue of their own."""
    say(f"starting {'a service in memory' if world else 'a service'} under {profile} …")
    opens = open_world if world else open_service
    async with opens(rules_of(profile)) as venue:
        return [await play_story(venue, story, tell=say) for story in stories]


def exit_code(results: list[StoryResult]) -> int:
    """Return the exit code that tells the worst of ``results``."""
    codes = {Status.FAILED: EXIT_FAILED, Status.NOT_PLAYABLE: EXIT_NOT_PLAYABLE}
    return codes.get(worst([one.status for one in results]), 0)


def console() -> Console:
    """Return where results are printed: as wide as the terminal, or as a page."""
    return Console(width=None if sys.stdout.isatty() else WIDTH_OF_A_PAGE, highlight=False)


def to_the_end(work: Coroutine[None, None, T]) -> T:
    """Run ``work``; SIGTERM and Ctrl-C end it with everything cleaned up behind it.

    The service's own log is kept out of the way: a refusal is no news here.
    """
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )

    async def stoppable() -> T:
        task = asyncio.current_task()
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(stoppable())
    except asyncio.CancelledError:
        raise typer.Exit(EXIT_TERMINATED) from None
