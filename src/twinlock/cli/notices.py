"""``twinlock notices``: the messages to customers that nobody tries any more."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import msgspec
import typer

from twinlock.bootstrap.notices import open_dead_letters
from twinlock.bootstrap.world import prepare, settings_from_environment, system_now
from twinlock.cli.console import result
from twinlock.domain.parcels import Dead
from twinlock.ports.notices import DeadLetters

T = TypeVar("T")
SHOWN_MOST = 200  # The newest; the metric counts all.

app = typer.Typer(help="Messages to customers that did not go out.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("dead")
def dead(*, as_json: Json = False) -> None:
    """List the newest messages that are not tried any more, and why: no address and no text."""
    listed = _run(lambda letters: letters.listed(most=SHOWN_MOST))
    text = "\n".join(map(_in_words, listed)) or "no message is dead"
    result([msgspec.to_builtins(one) for one in listed], as_json=as_json, text=text)


@app.command("retry")
def retry(*, as_json: Json = False) -> None:
    """Try all dead messages again: once their carrier is there, or set up."""
    count = _run(lambda letters: letters.revive(now=system_now()))
    result({"revived": count}, as_json=as_json, text=f"{count} dead messages are tried again")


def _run(ask: Callable[[DeadLetters], Awaitable[T]]) -> T:
    async def run() -> T:
        world = await prepare(settings_from_environment())
        async with open_dead_letters(world) as letters:
            return await ask(letters)

    return asyncio.run(run())


def _in_words(one: Dead) -> str:
    tried = "once" if one.attempts == 1 else f"{one.attempts} times"
    what = "does not open" if one.kind is None else f"{one.kind.value} by {one.channel}"
    return f"{one.at}  {one.name}  {what}: {one.fault}, tried {tried}"
