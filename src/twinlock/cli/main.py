"""``twinlock``: the commands, wired. Each does its work elsewhere."""

import sys
from typing import Annotated

import typer

from twinlock.cli import anchor, demo, keys, platform_keys, ranges, serve, verify
from twinlock.cli.console import fail
from twinlock.domain.errors import TwinlockError

app = typer.Typer(
    name="twinlock",
    help="The account-security layer for platforms that hold other people's money.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
app.command("migrate")(serve.migrate_command)
app.command("demo")(demo.demo)
app.command("verify")(verify.verify_command)
app.add_typer(anchor.app, name="anchor")
app.add_typer(keys.app, name="keys")
app.add_typer(platform_keys.app, name="platform-key")
app.add_typer(ranges.app, name="range")


@app.callback()
def _everywhere(
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as version_of  # noqa: PLC0415 - only when asked

        typer.echo(version_of("twinlock"))
        raise typer.Exit


def main() -> None:
    """Run one command; an error of ours is one line and exit code 2."""
    try:
        app()
    except TwinlockError as error:
        fail(error)
        sys.exit(2)
