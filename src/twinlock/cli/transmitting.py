"""``twinlock signals send``: who may be told of accounts by signals (docs/signals.md)."""

import asyncio
from typing import Annotated

import typer

from twinlock.bootstrap.transmitting import (
    add_receiver,
    listed_receivers,
    listed_streams,
    remove_receiver,
)
from twinlock.bootstrap.world import prepare, settings_from_environment
from twinlock.cli.console import result, say
from twinlock.domain.transmitting.streams import ALL, KeptStream, Receiver, TokenAlgorithm

app = typer.Typer(help="Who may be told of accounts by signals.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(help="The receiver's name.")]
EVERYTHING = [ALL]
NOWHERE: list[str] = []


@app.command("add")
def add(
    name: Name,
    *,
    audience: Annotated[str, typer.Option(help="What it is called in tokens: their aud.")],
    events: Annotated[
        list[str],
        typer.Option("--events", help="A kind, such as account-disabled; repeat for more."),
    ] = EVERYTHING,
    push_to: Annotated[
        list[str],
        typer.Option("--push-to", help="https://host[:port] that tokens may be pushed to."),
    ] = NOWHERE,
    algorithm: Annotated[
        TokenAlgorithm,
        typer.Option(help="RS256 if it takes nothing else; that needs a signals-rsa key."),
    ] = TokenAlgorithm.EDDSA,
    as_json: Json = False,
) -> None:
    """Let a receiver make streams, and print its bearer token, this once."""
    receiver, token = add_receiver(
        settings_from_environment(),
        name,
        audience=audience,
        events=tuple(events),
        push_to=tuple(push_to),
        algorithm=algorithm,
    )
    say("the token is shown this once: hand it over out of band")
    result(_values(receiver) | {"token": token}, as_json=as_json, text=token)


@app.command("list")
def list_command(*, as_json: Json = False) -> None:
    """List who may make streams."""
    listed = listed_receivers(settings_from_environment())
    text = "\n".join(_in_words(one) for one in listed) or "nobody is told by signals yet"
    result([_values(one) for one in listed], as_json=as_json, text=text)


@app.command("remove")
def remove(name: Name, *, as_json: Json = False) -> None:
    """Tell a receiver nothing any more: its token opens nothing, its streams are forgotten."""

    async def run() -> int:
        return await remove_receiver(await prepare(settings_from_environment()), name)

    count = asyncio.run(run())
    text = f"{name} is told nothing any more; {count} of its streams are forgotten"
    result({"name": name, "streams": count}, as_json=as_json, text=text)


@app.command("streams")
def streams(*, as_json: Json = False) -> None:
    """List the streams that receivers made: what each does, and what waits for it."""

    async def run() -> tuple[KeptStream, ...]:
        return await listed_streams(await prepare(settings_from_environment()))

    kept = asyncio.run(run())
    names = {one.receiver_id: one.name for one in listed_receivers(settings_from_environment())}
    values = [_stream(one, names.get(one.stream.receiver_id, "nobody")) for one in kept]
    lines = [
        f"{one['id']}  {one['receiver']}  {one['status']}  {one['subjects']} accounts, "
        f"{one['waiting']} waiting, {one['dead']} dead"
        for one in values
    ]
    result(values, as_json=as_json, text="\n".join(lines) or "no stream was made yet")


def _values(one: Receiver) -> dict[str, object]:
    return {
        "algorithm": one.algorithm,
        "audience": one.audience,
        "events": one.events,
        "id": one.receiver_id,
        "name": one.name,
        "push_to": one.push_to,
    }


def _in_words(one: Receiver) -> str:
    ways = f"polls, or is pushed to {', '.join(one.push_to)}" if one.push_to else "polls"
    return f"{one.name}  {one.audience}\n  {ways}; {', '.join(one.events)}; {one.algorithm}"


def _stream(kept: KeptStream, receiver: str) -> dict[str, object]:
    health = kept.health
    return {
        "dead": kept.dead,
        "failing": None if health.failing_since is None else health.failing_since.isoformat(),
        "id": kept.stream.stream_id,
        "method": kept.stream.method.value,
        "receiver": receiver,
        "status": kept.status.value if health.disabled is None else health.disabled.value,
        "subjects": kept.subjects,
        "waiting": kept.waiting,
    }
