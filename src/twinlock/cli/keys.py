"""``twinlock keys``: the keyring."""

import asyncio
from typing import Annotated

import typer

from twinlock.bootstrap import (
    known_policies,
    make_keyring,
    prepare,
    rule_book,
    settings_from_environment,
    trust_of,
)
from twinlock.cli.console import result, say
from twinlock.domain.trust import Trust

app = typer.Typer(help="The keyring.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("init")
def init(*, as_json: Json = False) -> None:
    """Make a new keyring; an existing one is never overwritten."""
    settings = settings_from_environment()
    keyring = make_keyring(settings)
    say(f"keyring made in {settings.keyring_dir}; back it up where the database is not")
    result(
        {"directory": str(settings.keyring_dir), "fingerprint": keyring.fingerprint()},
        as_json=as_json,
        text=keyring.fingerprint(),
    )


@app.command("trust")
def trust() -> None:
    """Print the trust file: what auditors and wallet signers pin. Hand it over out of band.

    It names the policy in force, then every earlier one that the database knows.
    """

    async def run() -> Trust:
        world = await prepare(settings_from_environment())
        earlier = await known_policies(world)
        return trust_of(world.settings, world.keyring, book=rule_book(), earlier=earlier)

    result(asyncio.run(run()), as_json=True, text="")
