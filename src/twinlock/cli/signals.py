"""``twinlock signals``: whose signals are believed (docs/signals.md)."""

from pathlib import Path
from typing import Annotated

import typer

from twinlock.bootstrap.signals import add_stream, listed_streams, read_key_file, remove_stream
from twinlock.bootstrap.world import settings_from_environment
from twinlock.cli import transmitting
from twinlock.cli.console import result
from twinlock.domain.bounds import SIGNALS_A_DAY, SIGNALS_A_DAY_MOST
from twinlock.domain.signal_streams import ALL, Stream

app = typer.Typer(help="What other parties say, and are told.", no_args_is_help=True)
receive = typer.Typer(help="Whose signals are believed.", no_args_is_help=True)
app.add_typer(receive, name="receive")
app.add_typer(transmitting.app, name="send")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(help="The stream's name, as in /v1/signals/NAME.")]
EVERYTHING = [ALL]


@receive.command("add")
def add(  # noqa: PLR0913 - each is one thing that an operator says
    name: Name,
    *,
    issuer: Annotated[str, typer.Option(help="Who signs: the token's iss, exactly.")],
    audience: Annotated[str, typer.Option(help="What it calls us: the token's aud, exactly.")],
    jwks: Annotated[str, typer.Option(help="Its key set: a file, or https://… to fetch it from.")],
    events: Annotated[
        list[str],
        typer.Option("--events", help="A kind, such as recovery-activated; repeat for more."),
    ] = EVERYTHING,
    poll: Annotated[str, typer.Option(help="https://…, where its tokens are fetched.")] = "",
    token_file: Annotated[
        Path | None,
        typer.Option(help="Holds the bearer token that we show there, or that it must show us."),
    ] = None,
    daily_most: Annotated[
        int, typer.Option(min=1, max=SIGNALS_A_DAY_MOST, help="Signals in a day (UTC).")
    ] = SIGNALS_A_DAY,
    as_json: Json = False,
) -> None:
    """Believe a transmitter from now on; it pushes to /v1/signals/NAME, or is polled."""
    fetched = jwks.startswith(("https://", "http://"))
    stream = Stream(
        stream_id=name,
        issuer=issuer,
        audience=audience,
        keys="" if fetched else read_key_file(Path(jwks)),
        keys_url=jwks if fetched else "",
        events=tuple(events),
        poll_url=poll,
        token_file="" if token_file is None else str(token_file.absolute()),
        daily_most=daily_most,
    )
    add_stream(settings_from_environment(), stream)
    result(_values(stream), as_json=as_json, text=f"{name} is believed: {issuer}")


@receive.command("list")
def list_command(*, as_json: Json = False) -> None:
    """List whose signals are believed."""
    listed = listed_streams(settings_from_environment())
    text = "\n".join(_in_words(one) for one in listed) or "nobody's signals are believed yet"
    result([_values(one) for one in listed], as_json=as_json, text=text)


@receive.command("remove")
def remove(name: Name, *, as_json: Json = False) -> None:
    """Believe a transmitter no more; what its signals did ends by itself."""
    remove_stream(settings_from_environment(), name)
    result({"name": name}, as_json=as_json, text=f"{name} is believed no more")


def _values(one: Stream) -> dict[str, object]:
    return {
        "audience": one.audience,
        "daily_most": one.daily_most,
        "events": one.events,
        "issuer": one.issuer,
        "keys": one.keys_url or "file",
        "name": one.stream_id,
        "poll": one.poll_url,
        "token": bool(one.token_file),
    }


def _in_words(one: Stream) -> str:
    way = f"polled at {one.poll_url}" if one.poll_url else f"pushes to /v1/signals/{one.stream_id}"
    return "\n".join(
        (
            f"{one.stream_id}  {one.issuer}",
            f"  for {one.audience}; {way}; {', '.join(one.events)}",
            f"  keys from {one.keys_url or 'a file'}; {one.daily_most} a day at most",
        )
    )
