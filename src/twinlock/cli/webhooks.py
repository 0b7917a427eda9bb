"""``twinlock webhook``: where outcomes are pushed to."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Annotated, TypeVar

import typer

from twinlock.bootstrap.webhooks import open_webhooks
from twinlock.bootstrap.world import prepare, settings_from_environment
from twinlock.cli.console import result, say
from twinlock.domain.webhooks.endpoints import OVERLAP_MOST, parse_webhook_id
from twinlock.domain.webhooks.outcomes import ALL
from twinlock.services.webhooks.endpoints import ListedWebhook, ShownSecret, Tried, Webhooks

T = TypeVar("T")
NOT_TAKEN = 1  # The exit code of a trial that was not taken.
BROKEN = 1  # The exit code of a list in which somebody changed an endpoint.
_NONE = {False: "no webhook was added yet", True: "no webhook opens"}

app = typer.Typer(help="Where outcomes are pushed to.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Id = Annotated[str, typer.Argument(help="The webhook's id, wh_…")]
Events = Annotated[
    list[str],
    typer.Option("--events", help="Types it is told of, such as action.*; repeat for more."),
]
Hours = Annotated[
    int,
    typer.Option(
        min=0,
        max=int(OVERLAP_MOST.total_seconds()) // 3600,
        help="How long the older secrets sign beside the new one.",
    ),
]
Reports = Annotated[
    bool,
    typer.Option(
        "--reports",
        help="It says what became of each message to a customer: silence means that none arrived.",
    ),
]
EVERYTHING = [ALL]


@app.command("add")
def add(
    url: Annotated[str, typer.Argument(help="https://…, where messages are sent to.")],
    *,
    events: Events = EVERYTHING,
    reports: Reports = False,
    as_json: Json = False,
) -> None:
    """Register an endpoint and print its secret, this once; it is told of what comes now."""
    shown = _run(lambda webhooks: webhooks.add(url, patterns=tuple(events), reports=reports))
    _show(shown, as_json=as_json)


@app.command("list")
def list_command(*, as_json: Json = False) -> None:
    """List the endpoints, the oldest first; exit code 1 says that one is not what we sealed."""
    listed, broken = _run(lambda webhooks: webhooks.listed())
    text = "\n".join(_in_words(one) for one in listed)
    result([_values(one) for one in listed], as_json=as_json, text=text or _NONE[bool(broken)])
    for named in broken:
        say(f"{named} is not what we sealed, and is told nothing: remove it, and add it anew")
    if broken:
        raise typer.Exit(BROKEN)


@app.command("rotate")
def rotate(webhook: Id, *, overlap_hours: Hours = 24, as_json: Json = False) -> None:
    """Give an endpoint a new secret and print it, this once; meanwhile both sign each message."""
    webhook_id, overlap = parse_webhook_id(webhook), timedelta(hours=overlap_hours)
    shown = _run(lambda webhooks: webhooks.rotate(webhook_id, overlap=overlap))
    say(f"the older secrets sign for {overlap_hours} hours more")
    _show(shown, as_json=as_json)


@app.command("remove")
def remove(webhook: Id, *, as_json: Json = False) -> None:
    """Forget an endpoint, with all that waits for it."""
    webhook_id = parse_webhook_id(webhook)
    _run(lambda webhooks: webhooks.remove(webhook_id))
    result({"id": webhook_id}, as_json=as_json, text=f"{webhook_id} was removed")


@app.command("enable")
def enable(webhook: Id, *, as_json: Json = False) -> None:
    """Send again to an endpoint that was disabled, from where it stands."""
    webhook_id = parse_webhook_id(webhook)
    _run(lambda webhooks: webhooks.enable(webhook_id))
    result({"id": webhook_id}, as_json=as_json, text=f"{webhook_id} is sent to again")


@app.command("replay")
def replay(
    webhook: Id,
    *,
    since: Annotated[
        int | None,
        typer.Option("--from", min=0, help="Send all from this index of the log again."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Send again under the same ids: the dead messages, or everything from an index of the log."""
    webhook_id = parse_webhook_id(webhook)

    async def ask(webhooks: Webhooks) -> int:
        if await webhooks.is_disabled(webhook_id):
            say("it is disabled: nothing is sent to it before `twinlock webhook enable`")
        if since is None:
            return await webhooks.revive(webhook_id)
        await webhooks.replay(webhook_id, start=since)
        return 0

    count = _run(ask)
    if since is None:
        text = f"{count} dead messages are tried again"
        result({"id": webhook_id, "revived": count}, as_json=as_json, text=text)
        return
    text = f"all from entry {since} is sent again"
    result({"id": webhook_id, "from": since}, as_json=as_json, text=text)


@app.command("test")
def trial(webhook: Id, *, as_json: Json = False) -> None:
    """Send a message that tells of nothing, once; exit code 1 says that it was not taken."""
    webhook_id = parse_webhook_id(webhook)
    tried = _run(lambda webhooks: webhooks.trial(webhook_id))
    result(
        {
            "delivered": tried.fault is None,
            "fault": tried.fault,
            "id": webhook_id,
            "message_id": tried.message_id,
            "status": tried.status,
        },
        as_json=as_json,
        text=_went(tried),
    )
    if tried.fault is not None:
        raise typer.Exit(NOT_TAKEN)


def _run(ask: Callable[[Webhooks], Awaitable[T]]) -> T:
    async def run() -> T:
        world = await prepare(settings_from_environment())
        async with open_webhooks(world) as webhooks:
            return await ask(webhooks)

    return asyncio.run(run())


def _show(shown: ShownSecret, *, as_json: bool) -> None:
    say("keep the secret where your servers keep secrets; it is not shown again")
    result(
        {"id": shown.webhook_id, "public_key": shown.public_key, "secret": shown.secret},
        as_json=as_json,
        text=f"{shown.webhook_id}\nsecret {shown.secret}\npublic key {shown.public_key}",
    )


def _values(one: ListedWebhook) -> dict[str, object]:
    return {
        "added_at": one.added_at,
        "behind": one.behind,
        "dead": one.dead,
        "disabled": one.disabled,
        "events": one.patterns,
        "failing_since": one.failing_since,
        "id": one.webhook_id,
        "origin": one.origin,
        "position": one.position,
        "reports": one.reports,
        "retries": one.retries,
        "secrets": one.secrets,
    }


def _in_words(one: ListedWebhook) -> str:
    state = "" if one.disabled is None else f"  disabled: {one.disabled.value}"
    since = "" if one.failing_since is None else f", failing since {_at(one.failing_since)}"
    reports = "; says what became of messages to customers" if one.reports else ""
    return "\n".join(
        (
            f"{one.webhook_id}  {one.origin}{state}",
            f"  is told of {', '.join(one.patterns)}; added {_at(one.added_at)}{reports}",
            f"  at entry {one.position}, {one.behind} behind{since}",
            f"  {one.retries} to be tried again, {one.dead} dead",
        )
    )


def _went(tried: Tried) -> str:
    if tried.fault is None:
        return f"{tried.message_id} was taken, with status {tried.status}"
    status = f", status {tried.status}" if tried.status else ""
    return f"{tried.message_id} was not taken: {tried.fault.value}{status}"


def _at(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"
