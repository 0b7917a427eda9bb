"""``twinlock``: the commands, wired. Each does its work elsewhere.

Whatever a command could not do is one line on stderr with a code of docs/errors.md, and exit code 2
(tests/integration/test_commands.py); a traceback is a bug of ours.
"""

import sys
from typing import Annotated

import typer

from twinlock.cli import (
    anchor,
    audit,
    database,
    demo,
    keys,
    platform_keys,
    policy,
    prices,
    ranges,
    records,
    serve,
    verify,
    webhooks,
    witness,
)
from twinlock.cli.console import fail, log_to_stderr
from twinlock.domain.errors import TwinlockError

CANNOT = 2  # The exit code; 1 is the "no" of a check.


class SystemRefusedError(TwinlockError):
    """The operating system refused a command a file, a directory or an address."""

    code = "system_refused"


app = typer.Typer(
    name="twinlock",
    help="The account-security layer for platforms that hold other people's money.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 it is done; 1 what was checked does not hold; 2 it could not be done, "
    "and a line on stderr says why, with a code of docs/errors.md; 3 a word could not be played.",
)
app.command("serve")(serve.serve)
app.command("migrate")(serve.migrate_command)
app.command("demo")(demo.demo)
app.command("verify")(verify.verify_command)
app.command("erase-due")(records.erase_due)
app.command("export")(records.export)
app.command("audit")(audit.audit_command)
app.add_typer(anchor.app, name="anchor")
app.add_typer(database.app, name="database")
app.add_typer(keys.app, name="keys")
app.add_typer(records.legal_hold, name="legal-hold")
app.add_typer(platform_keys.app, name="platform-key")
app.add_typer(policy.app, name="policy")
app.add_typer(prices.app, name="prices")
app.add_typer(ranges.app, name="range")
app.add_typer(webhooks.app, name="webhook")
app.add_typer(witness.app, name="witness")


def _tell_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version as version_of  # noqa: PLC0415 - only when asked

        typer.echo(version_of("twinlock"))
        raise typer.Exit


@app.callback()
def _everywhere(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_tell_version,
            is_eager=True,  # Before a command is missed.
            help="Print the version and stop.",
        ),
    ] = False,
) -> None:
    """Take the options that stand before any command."""


def main() -> None:
    """Run one command; an error of ours, or of the system, is one line and exit code 2."""
    log_to_stderr("warning")
    try:
        app()
    except TwinlockError as error:
        fail(error)
        sys.exit(CANNOT)
    except OSError as error:
        fail(SystemRefusedError(f"{error.strerror or error}: {error.filename or 'no file'}"))
        sys.exit(CANNOT)
