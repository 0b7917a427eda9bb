"""``twinlock witness``: run a witness of somebody's log. It needs no service and no database.

Its directory is ``$XDG_DATA_HOME/twinlock-witness``, as root ``/var/lib/twinlock-witness``, unless
``--dir`` names another one.
"""

import os
import re
import signal
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn, cast

import platformdirs
import typer
import uvicorn

from twinlock.cli.console import log_to_stderr, result, say
from twinlock.cli.listening import BoundedProtocol, refuse_taken
from twinlock.domain.errors import MalformedError
from twinlock.domain.log.note import MAX_NOTE_BYTES, VerifierKey, parse_note, parse_vkey
from twinlock.domain.log.trust import MAX_POLICY_BYTES, parse_trust_policy
from twinlock.witness.app import WitnessApp
from twinlock.witness.ledger import Ledger, WatchedLog, make_witness
from twinlock.witness.serving import Witness

CONNECTIONS_MOST = 256  # At once; one more is told 503.
KEEP_ALIVE_SECONDS = 75  # Logs come every second or so, and keep their connection.
DRAIN_SECONDS = 5

app = typer.Typer(help="Run a witness of somebody's log.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Directory = Annotated[
    Path | None, typer.Option("--dir", help="Where it keeps its files.", show_default=False)
]


def _directory(named: Path | None) -> Path:
    if named is not None:
        return named
    if os.geteuid() == 0:
        return Path("/var/lib/twinlock-witness")
    return platformdirs.user_data_path("twinlock-witness")


@app.command("init")
def init(
    name: Annotated[
        str, typer.Option("--name", help="Its name: a URL without scheme, like witness.example/w1.")
    ],
    *,
    directory: Directory = None,
    as_json: Json = False,
) -> None:
    """Make a witness with a key of its own, and print the key that logs and verifiers need."""
    where = _directory(directory)
    vkey = str(make_witness(where, name=name).key)
    say(f"made in {where}; never put an older copy back: it would cosign a second history")
    result({"directory": str(where), "key": vkey, "name": name}, as_json=as_json, text=vkey)


# A key may begin with a dash, and is no option then.
@app.command("add-log", context_settings={"ignore_unknown_options": True})
def add_log(
    vkeys: Annotated[
        list[str] | None, typer.Argument(help="The log's key, or its keys.", show_default=False)
    ] = None,
    *,
    policy: Annotated[
        Path | None, typer.Option("--policy", help="A C2SP trust policy: all of its logs.")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="One that you know to be right, to begin from."),
    ] = None,
    directory: Directory = None,
    as_json: Json = False,
) -> None:
    """Watch a log; a running witness watches it from the next request on.

    Without a checkpoint the first one that is submitted is believed.
    """
    ledger = Ledger.open(_directory(directory))
    keys = [parse_vkey(one) for one in vkeys or ()]
    if policy is not None:
        keys += [log.key for log in parse_trust_policy(_read(policy, MAX_POLICY_BYTES)).logs]
    beginning = None if checkpoint is None else parse_note(_read(checkpoint, MAX_NOTE_BYTES))
    groups = _by_origin(keys)
    if not groups or (beginning is not None and len(groups) > 1):
        raise MalformedError("name one log, or several without a checkpoint")
    added = [ledger.add_log(group, beginning=beginning) for group in groups]
    result(
        {"logs": [_told(log) for log in added]},
        as_json=as_json,
        text="\n".join(log.origin for log in added),
    )


@app.command("drop-key", context_settings={"ignore_unknown_options": True})
def drop_key(
    vkeys: Annotated[list[str], typer.Argument(help="Keys of one log.", show_default=False)],
    *,
    directory: Directory = None,
    as_json: Json = False,
) -> None:
    """Believe a key of a log no more, as before it is retired; the log keeps its others."""
    left = Ledger.open(_directory(directory)).drop_keys(tuple(map(parse_vkey, vkeys)))
    result(_told(left), as_json=as_json, text="\n".join(map(str, left.keys)))


def _by_origin(keys: Iterable[VerifierKey]) -> list[tuple[VerifierKey, ...]]:
    groups: dict[str, tuple[VerifierKey, ...]] = {}
    for key in keys:
        groups[key.name] = (*groups.get(key.name, ()), key)
    return list(groups.values())


def _read(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise MalformedError(f"{path} has more than {most} bytes")
    return data


def _told(log: WatchedLog) -> dict[str, object]:
    return {"keys": [str(key) for key in log.keys], "origin": log.origin}


@app.command("show")
def show(*, directory: Directory = None, as_json: Json = False) -> None:
    """Tell the witness's key, and of each log how far it is and when that was cosigned."""
    ledger = Ledger.open(_directory(directory))
    told, lines = [], [str(ledger.identity.key)]
    for log in ledger.logs():
        known = ledger.known(log)
        size = None if known is None else known.checkpoint.size
        at = None if known is None else known.cosigned_at
        told.append({**_told(log), "cosigned_at": at, "size": size})
        lines.append(f"{log.origin}: {size if size is not None else 'nothing yet'}")
    value = {"key": str(ledger.identity.key), "logs": told}
    result(value, as_json=as_json, text="\n".join(lines))


@app.command("serve")
def serve(
    *,
    host: Annotated[str, typer.Option("--host", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65_535)] = 8090,
    prefix: Annotated[str, typer.Option("--prefix", help="Of every path, like /witness.")] = "",
    log_level: Annotated[str, typer.Option("--log-level")] = "info",
    directory: Directory = None,
) -> None:
    """Serve logs and monitors, until SIGTERM."""
    if prefix and not re.fullmatch(r"(?:/[A-Za-z0-9._~-]+)+", prefix):
        raise MalformedError("a prefix is like /witness")
    if log_level not in ("debug", "info", "warning", "error"):
        raise MalformedError("a log level is debug, info, warning or error")
    log_to_stderr(log_level)
    ledger = Ledger.open(_directory(directory))
    say(f"{ledger.identity.key} on http://{host}:{port}{prefix}")
    run(WitnessApp(Witness(ledger, now=now), prefix=prefix), host=host, port=port)


def now() -> datetime:
    """Return this machine's time (UTC)."""
    return datetime.now(UTC)  # noqa: TID251 - a program of its own, without the service's clock


def run(application: WitnessApp, *, host: str, port: int) -> None:
    """Serve ``application`` until SIGTERM, which is no failure. Raises ListenRefusedError."""
    refuse_taken(host, port)  # The server would end with the code that is the "no" of a check.
    signal.signal(signal.SIGTERM, _end_well)
    uvicorn.run(
        cast("Any", application),  # Its types of ASGI are stricter than the standard's.
        host=host,
        port=port,
        http=BoundedProtocol,
        loop="uvloop",
        lifespan="off",
        limit_concurrency=CONNECTIONS_MOST,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )


def _end_well(_: int, __: FrameType | None) -> NoReturn:
    raise SystemExit(0)
