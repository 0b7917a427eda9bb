"""``twinlock anchor``: what the log is held to, outside the database."""

import asyncio
from typing import Annotated

import typer

from twinlock.bootstrap.anchoring import adopt_log
from twinlock.bootstrap.world import prepare, settings_from_environment
from twinlock.cli.console import result, say
from twinlock.domain.canonical import b64url
from twinlock.ports.log import (
    Head,
)

app = typer.Typer(help="What the log is held to, outside the database.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def _group() -> None:
    """Keep ``adopt`` a word of its own, though it is the only command so far."""


@app.command("adopt")
def adopt(*, as_json: Json = False) -> None:
    """Take the log as it stands, where its anchor is lost or this machine never had one.

    Compare the size and root that are printed with a checkpoint that you kept: an older database
    would be taken as well.
    """

    async def run() -> Head:
        return await adopt_log(await prepare(settings_from_environment()))

    head = asyncio.run(run())
    root = b64url(head.root)
    say("compare this with a checkpoint that you kept, before you serve it")
    result(
        {"size": head.size, "root": root}, as_json=as_json, text=f"{head.size} leaves, root {root}"
    )
