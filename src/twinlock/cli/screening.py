"""``twinlock screening``: what a list of sanctions says (docs/destinations.md)."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from twinlock.bootstrap.prices import make_price_key
from twinlock.bootstrap.screening import check_screening_list, sign_screening_list
from twinlock.cli.console import result, say

app = typer.Typer(help="The list of sanctions.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def screening() -> None:
    """The list of sanctions."""


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="OFAC's sdn.xml or sdn_advanced.xml, or a table.")],
    *,
    key: Annotated[str, typer.Option(help="The public key that must have signed it.")] = "",
    as_json: Json = False,
) -> None:
    """Read a list as the service would, and say what it names; 1 where it would be refused."""
    found = check_screening_list(file, key=key)
    named = ", ".join(f"{count} of {form}" for form, count in found.entries.items())
    renewed, until = (f"{at:%Y-%m-%d %H:%M} UTC" for at in (found.renewed_at, found.good_until))
    lines = [
        f"{sum(found.entries.values())} addresses: {named}",
        f"{'signed' if found.signed else 'renewed'} at {renewed}, good until {until}",
    ]
    if found.stale:
        lines.append("it is too old: with it no address is clear, and nothing is sent")
    result(msgspec.to_builtins(found), as_json=as_json, text="\n".join(lines))
    raise typer.Exit(1 if found.stale else 0)


@app.command("keygen")
def keygen(
    private_file: Annotated[Path, typer.Argument(help="Where the private key is put, mode 0600.")],
    *,
    as_json: Json = False,
) -> None:
    """Make the key of whoever signs lists, and print its public half: TWINLOCK_SCREENING_KEY."""
    key = make_price_key(private_file)
    say("keep the private key where lists are fetched and checked, not where the service runs")
    told = {"file": str(private_file), "public_key": str(key)}
    result(told, as_json=as_json, text=str(key))


@app.command("sign")
def sign(
    file: Annotated[Path, typer.Argument(help="A list that the service would read.")],
    *,
    key: Annotated[Path, typer.Option(help="The private key.")],
    as_json: Json = False,
) -> None:
    """Sign a list: the signature is put beside it, in FILE.jws. An old one is renewed so, too."""
    signed = sign_screening_list(file, key_file=key)
    text = f"{file}.jws is signed at {signed.signed_at:%Y-%m-%d %H:%M:%S} UTC"
    told = {"file": f"{file}.jws", "sha256": signed.sha256, "signed_at": signed.signed_at}
    result(msgspec.to_builtins(told), as_json=as_json, text=text)
