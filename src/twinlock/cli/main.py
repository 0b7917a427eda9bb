"""``twinlock``: the commands, wired. Each does its work elsewhere.

Whatever a command could not do is one line on stderr with a code of docs/errors.md, and exit code 2
(tests/integration/test_commands.py); a traceback is a bug of ours, and ends with 2 as well.
"""

import os
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from importlib import import_module
from types import MappingProxyType
from typing import Annotated, NoReturn, cast

import typer
from typer.core import TyperCommand, TyperGroup

from twinlock.cli.console import fail, log_to_stderr
from twinlock.domain.errors import TwinlockError

CANNOT = 2  # The exit code; 1 is the "no" of a check.


class SystemRefusedError(TwinlockError):
    """The operating system refused a command a file, a directory or an address."""

    code = "system_refused"


# Where each command is. It is loaded when it is asked for: all of them together take a second.
COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "serve": "serve:serve",
        "migrate": "serve:migrate_command",
        "demo": "demo:demo",
        "verify": "verify:verify_command",
        "erase-due": "records:erase_due",
        "export": "records:export",
        "halt": "officers:halt",
        "resume": "officers:resume",
        "suspend": "officers:suspend",
        "release": "officers:release",
        "audit": "audit:audit_command",
        "anchor": "anchor:app",
        "api-keys": "api_keys:app",
        "cosigner": "cosigner:app",
        "database": "database:app",
        "import": "importing:import_command",
        "keys": "keys:app",
        "legal-hold": "records:legal_hold",
        "platform-key": "platform_keys:app",
        "policy": "policy:app",
        "prices": "prices:app",
        "prove": "prove:prove",
        "range": "ranges:app",
        "reconcile": "reconciling:reconcile_command",
        "notices": "notices:app",
        "officers": "officers:app",
        "risk": "risk:app",
        "screening": "screening:app",
        "signals": "signals:app",
        "webhook": "webhooks:app",
        "witness": "witness:app",
    }
)


class Commands(TyperGroup):
    """The commands of the program, each loaded when it is asked for."""

    def list_commands(self, _: object) -> list[str]:
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, _: object, cmd_name: str) -> TyperCommand | TyperGroup | None:
        """Return a command, or None if there is none of that name."""
        place = COMMANDS.get(cmd_name)
        return None if place is None else _loaded(cmd_name, *place.split(":"))


def _loaded(name: str, module: str, attribute: str) -> TyperCommand | TyperGroup:
    found = getattr(import_module(f"twinlock.cli.{module}"), attribute)
    if isinstance(found, typer.Typer):
        group = typer.main.get_group(found)
        group.name = name
        return group
    alone = typer.Typer()
    alone.command(name)(found)
    return cast("TyperCommand", typer.main.get_command(alone))


app = typer.Typer(
    name="twinlock",
    cls=Commands,
    help="The account-security layer for platforms that hold other people's money.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 it is done; 1 what was checked does not hold; 2 it could not be done, "
    "and a line on stderr says why, with a code of docs/errors.md; 3 a word could not be played.",
)


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
    except SystemExit as ended:
        # Prevents: the code 1 with which the libraries end where nobody reads on, or where what
        # somebody sends to us broke off.
        if isinstance(ended.__context__, typer.Abort):
            sys.exit(CANNOT)
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
        _end(partial(fail, SystemRefusedError("broken pipe: nobody reads on")))
    except TwinlockError as error:
        _end(partial(fail, error))
    except OSError as error:
        told = SystemRefusedError(f"{error.strerror or error}: {error.filename or 'no file'}")
        _end(partial(fail, told))
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - the outermost edge of a command: our bug
        # Prevents: a halt that broke, and whose code says that one officer agreed; a check that
        # broke, and whose code says that what it checked does not hold.
        _end(traceback.print_exc)


def _end(tell: Callable[[], None]) -> NoReturn:
    """Tell why, if anybody reads it, and end with the one code."""
    with suppress(OSError):
        tell()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # The interpreter would try it again, and end with a code of its own.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(CANNOT)
