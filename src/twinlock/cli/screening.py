"""``twinlock screening``: what a list of sanctions says (docs/destinations.md)."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from twinlock.bootstrap.screening import check_screening_list
from twinlock.cli.console import result

app = typer.Typer(help="The list of sanctions.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def screening() -> None:
    """The list of sanctions."""


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="OFAC's sdn.xml, or a table with `address`.")],
    *,
    as_json: Json = False,
) -> None:
    """Read a list as the service would, and say what it names; 1 where it would be refused."""
    found = check_screening_list(file)
    named = ", ".join(f"{count} of {form}" for form, count in found.entries.items())
    renewed, until = (f"{at:%Y-%m-%d %H:%M} UTC" for at in (found.renewed_at, found.good_until))
    lines = [
        f"{sum(found.entries.values())} addresses: {named}",
        f"renewed at {renewed}, good until {until}",
    ]
    if found.stale:
        lines.append("it is too old: with it no address is clear, and nothing is sent")
    result(msgspec.to_builtins(found), as_json=as_json, text="\n".join(lines))
    raise typer.Exit(1 if found.stale else 0)
