"""How commands speak: results on stdout, everything else on stderr."""

import sys

import typer

from twinlock.domain.canonical import encode
from twinlock.domain.errors import TwinlockError


def say(text: str) -> None:
    """Tell a person something that is not the result."""
    typer.echo(text, err=True)


def result(value: object, *, as_json: bool, text: str) -> None:
    """Print the result: canonical JSON, or words."""
    sys.stdout.write(encode(value).decode("utf-8") if as_json else text)
    sys.stdout.write("\n")


def fail(error: TwinlockError) -> None:
    """Say what went wrong, with its stable code."""
    say(f"twinlock: {error} [{error.code}]")
