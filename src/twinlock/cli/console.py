"""How commands speak: results on stdout, everything else on stderr."""

import logging
import os
import shlex
import shutil
import sys
from pathlib import Path

import structlog
import typer

from twinlock.domain.canonical import encode
from twinlock.domain.errors import TwinlockError

NAME = "twinlock"  # Of the program, as it is installed.


def say(text: str) -> None:
    """Tell a person something that is not the result."""
    typer.echo(_shown(text), err=True)


def result(value: object, *, as_json: bool, text: str) -> None:
    """Print the result: canonical JSON, or words."""
    sys.stdout.write(encode(value).decode("utf-8") if as_json else _shown(text))
    sys.stdout.write("\n")
    sys.stdout.flush()  # Whether anybody reads it shows now, and not after the exit code.


def program() -> str:
    """Return what to type to start this program again, from the directory we are in."""
    started = Path(sys.argv[0])
    if not started.name.startswith(NAME):  # By ``python -m``, or inside another program.
        return f"{shlex.quote(_from_here(Path(sys.executable)))} -m {NAME}"
    if shutil.which(started.name) == str(started):
        return started.name
    return shlex.quote(_from_here(started))


def _from_here(path: Path) -> str:
    full, here = Path(os.path.abspath(path)), Path.cwd()  # noqa: PTH100 - resolve() follows the links of an environment
    return str(full.relative_to(here)) if full.is_relative_to(here) else str(full)


def log_to_stderr(level: str) -> None:
    """Log one line of JSON per event; our events carry ids and codes, never secrets.

    Prevents: structlog's own form, which prints the values of local variables with a traceback.
    """
    numeric = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )


def fail(error: TwinlockError) -> None:
    """Say what went wrong, with its stable code."""
    say(f"twinlock: {error} [{error.code}]")


def plain(text: str) -> str:
    """Return ``text`` in printable ASCII, everything else escaped.

    Prevents: escape sequences and reversed text, by which what we print writes its own verdict.
    """
    escaped = text.encode("ascii", "backslashreplace").decode("ascii")
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in escaped)


def _shown(text: str) -> str:
    """Return ``text`` in lines, with whatever else a terminal would obey escaped.

    Prevents: a name in a row of the database, or of a file, that writes over what else was told.
    """
    return "".join(
        one if one.isprintable() or one in "\n\t" else one.encode("unicode_escape").decode("ascii")
        for one in text
    )
