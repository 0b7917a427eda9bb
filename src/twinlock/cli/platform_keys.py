"""``twinlock platform-key``: keys for the platform's servers."""

import asyncio
from datetime import timedelta
from typing import Annotated

import typer

from twinlock.bootstrap import open_api, prepare, rule_book, settings_from_environment
from twinlock.cli.console import result, say
from twinlock.domain.ids import PlatformKeyId
from twinlock.services.platform_keys import Scope

app = typer.Typer(help="Keys for the platform's servers.", no_args_is_help=True)


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Scopes = Annotated[list[Scope], typer.Option("--scope", help="What it may do; repeat for more.")]
Networks = Annotated[
    list[str],
    typer.Option("--network", help="CIDR range it may be used from; repeat for more."),
]
Days = Annotated[int, typer.Option(min=1, max=400, help="Days until it expires.")]
DEFAULT_SCOPES = list(Scope)
LOOPBACK = ["127.0.0.0/8", "::1/128"]


@app.command("create")
def create(
    *,
    scope: Scopes = DEFAULT_SCOPES,
    network: Networks = LOOPBACK,
    days: Days = 365,
    as_json: Json = False,
) -> None:
    """Make a key and print it, this once. To rotate, make a second one and revoke the first."""

    async def run() -> str:
        world = await prepare(settings_from_environment())
        async with open_api(world, book=rule_book()) as api:
            return await api.use.keys.create(
                scopes=tuple(scope), networks=tuple(network), lifetime=timedelta(days=days)
            )

    key = asyncio.run(run())
    say("keep it where your servers keep secrets; it is not shown again")
    result({"key": key}, as_json=as_json, text=key)


@app.command("revoke")
def revoke(key_id: str) -> None:
    """End a key at once, by the middle part of its text."""

    async def run() -> None:
        world = await prepare(settings_from_environment())
        async with open_api(world, book=rule_book()) as api:
            await api.use.keys.revoke(PlatformKeyId(key_id))

    asyncio.run(run())
    say("revoked")
