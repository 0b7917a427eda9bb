"""``twinlock keys``: the keyring."""

from typing import Annotated

import typer

from twinlock.bootstrap import (
    load_keyring,
    make_keyring,
    rule_book,
    settings_from_environment,
    trust_of,
)
from twinlock.cli.console import result, say

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
    """Print the trust file: what auditors and wallet signers pin. Hand it over out of band."""
    settings = settings_from_environment()
    found = trust_of(settings, load_keyring(settings), book=rule_book())
    result(found, as_json=True, text="")
