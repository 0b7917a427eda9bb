"""``twinlock api-keys``: customers' API keys, all of one integrator at once."""

import asyncio
import sys
from typing import Annotated

import typer

from twinlock.bootstrap.serving import open_api
from twinlock.bootstrap.world import prepare, settings_from_environment
from twinlock.cli.console import result, say
from twinlock.services.integrators import Integrators, RevokedPage, check_name

ACTOR = "operator:command"
NOT_ALL = 1  # The exit code where some accounts must be tried again.
app = typer.Typer(help="Customers' API keys.", no_args_is_help=True)


@app.callback()
def api_keys() -> None:
    """Keep ``revoke`` a command of its own."""


@app.command("revoke")
def revoke(
    *,
    integrator: Annotated[str, typer.Option("--integrator", help="Whose keys end.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """End every API key that was made for one integrator, on all accounts; each owner is told.

    It may be broken off at any time, and goes on with the rest when it is run again.
    """
    check_name(integrator)

    async def run() -> list[RevokedPage]:
        world = await prepare(settings_from_environment())
        async with open_api(world) as api:
            return await _all_pages(api.use.integrators, integrator)

    pages = asyncio.run(run())
    keys, failed = sum(one.keys for one in pages), [one for page in pages for one in page.failed]
    for one in failed:
        say(f"not done, run it again: {one}")
    told = {"integrator": integrator, "keys": keys, "failed": failed}
    result(told, as_json=as_json, text=f"{keys} keys of {integrator} ended")
    if failed:
        raise typer.Exit(NOT_ALL)


async def _all_pages(use: Integrators, integrator: str) -> list[RevokedPage]:
    pages, after = list[RevokedPage](), ""
    length = await use.count(integrator)
    with typer.progressbar(length=length, label="accounts", file=sys.stderr) as bar:
        while not pages or after:
            pages.append(await use.revoke(integrator, actor=ACTOR, after=after))
            after = pages[-1].after
            bar.update(pages[-1].accounts)
    return pages
