"""``twinlock keys``: the keyring."""

import asyncio
from typing import Annotated

import typer

from twinlock.bootstrap import (
    known_policies,
    make_keyring,
    prepare,
    settings_from_environment,
    trust_of,
    trust_price_key,
)
from twinlock.bootstrap.rulebook import rule_book
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


# A key may begin with a dash, and is no option then.
@app.command("trust-prices", context_settings={"ignore_unknown_options": True})
def trust_prices(
    public_key: Annotated[str, typer.Argument(help="What `twinlock prices keygen` printed.")],
    *,
    as_json: Json = False,
) -> None:
    """Believe the price lists of whoever holds the private half of this key; once is enough."""
    settings = settings_from_environment()
    key = trust_price_key(settings, public_key)
    say("start the service again: keys are read once, when it starts")
    if settings.price_file is None:
        say("TWINLOCK_PRICE_FILE is not set: it says where the signed list is")
    result(
        {"key_id": key.key_id, "public_key": str(key)},
        as_json=as_json,
        text=f"price lists signed by {key} are believed",
    )


@app.command("trust")
def trust() -> None:
    """Print the trust file: what auditors and wallet signers pin. Hand it over out of band.

    It names the policy in force, then every earlier one that the database knows.
    """

    async def run() -> Trust:
        world = await prepare(settings_from_environment())
        earlier = await known_policies(world)
        return trust_of(
            world.settings, world.keyring, book=rule_book(world.settings.profile), earlier=earlier
        )

    result(asyncio.run(run()), as_json=True, text="")
