"""``twinlock database``: the embedded database, beside the service that runs on it."""

from typing import Annotated

import typer

from twinlock.bootstrap.world import settings_from_environment, stop_database
from twinlock.cli.console import result

app = typer.Typer(help="The embedded database.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def _group() -> None:
    """Keep ``stop`` a word of its own, though it is the only command so far."""


@app.command("stop")
def stop(*, as_json: Json = False) -> None:
    """Stop the embedded database, which outlives the service; nothing that it holds is lost.

    End every `twinlock serve` first: it would start the database again, as does each command that
    needs it.
    """
    settings = settings_from_environment()
    made = settings.postgres_dir.exists()
    stopped = stop_database(settings)
    state = "stopped" if stopped else "was not running" if made else "was never made"
    result(
        {"directory": str(settings.postgres_dir), "made": made, "stopped": stopped},
        as_json=as_json,
        text=f"the embedded database in {settings.postgres_dir} {state}",
    )
