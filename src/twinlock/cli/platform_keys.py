"""``twinlock platform-key``: keys for the platform's servers."""

import asyncio
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from twinlock.bootstrap.serving import open_api
from twinlock.bootstrap.world import prepare, settings_from_environment
from twinlock.cli.console import result, say
from twinlock.domain.canonical import b64url
from twinlock.proofs.message_signatures import PEM_CHARACTERS_MOST, SigningKeyWrongError
from twinlock.services.platform_keys import ListedKey, Scope, key_id_of

app = typer.Typer(help="Keys for the platform's servers.", no_args_is_help=True)


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Scopes = Annotated[list[Scope], typer.Option("--scope", help="What it may do; repeat for more.")]
Networks = Annotated[
    list[str],
    typer.Option("--network", help="CIDR range it may be used from; repeat for more."),
]
SignedBy = Annotated[
    str,
    typer.Option(
        "--signed-by",
        help="Ed25519 public key, base64url or a PEM file: every request must be signed by it.",
    ),
]
Days = Annotated[int, typer.Option(min=1, max=400, help="Days until it expires.")]
_KEY = re.compile(r"[A-Za-z0-9_-]{43}")  # 32 bytes in base64url.
_OF_PATHS = frozenset("/.")  # In no key: base64url has neither.
DEFAULT_SCOPES: list[Scope] = [  # The one reads everything, the other ends others' work.
    one for one in Scope if one not in (Scope.EXPORT, Scope.REVOKE_KEYS)
]
LOOPBACK = ["127.0.0.0/8", "::1/128"]


@app.command("create")
def create(
    *,
    scope: Scopes = DEFAULT_SCOPES,
    network: Networks = LOOPBACK,
    days: Days = 365,
    signed_by: SignedBy = "",
    as_json: Json = False,
) -> None:
    """Make a key and print it, this once. To rotate, make a second one and revoke the first."""
    public = _public_key(signed_by) if signed_by else None

    async def run() -> tuple[str, dict[str, str]]:
        world = await prepare(settings_from_environment())
        async with open_api(world) as api:
            made = await api.use.keys.create(
                scopes=tuple(scope),
                networks=tuple(network),
                lifetime=timedelta(days=days),
                signed_by=public,
            )
            return made, {name: b64url(one) for name, one in api.answers.public_keys().items()}

    key, answered_by = asyncio.run(run())
    key_id = key_id_of(key)
    say("keep it where your servers keep secrets; it is not shown again")
    say(f"its middle part names it: {key_id}, by which `platform-key revoke` ends it")
    made: dict[str, object] = {"id": key_id, "key": key}
    if public is not None:
        say("every request under it must be signed; what answers them is signed by")
        for name, one in answered_by.items():
            say(f"  {name} {one}")
        made["answered_by"] = answered_by
    result(made, as_json=as_json, text=key)


def _public_key(text: str) -> str:
    """Return the text itself where it is a key, and else what a file of this name holds.

    Raises:
        SigningKeyWrongError: a file that is not there, is too long, or is no text.
    """
    if _KEY.fullmatch(text):
        return text
    try:
        with Path(text).open("rb") as file:
            return file.read(PEM_CHARACTERS_MOST + 1).decode("ascii")
    except FileNotFoundError as error:
        if _OF_PATHS & set(text):
            raise SigningKeyWrongError(f"there is no file {text}") from error
        return text
    except (OSError, ValueError) as error:
        raise SigningKeyWrongError("not a file that holds a public key") from error


@app.command("list")
def list_command(*, as_json: Json = False) -> None:
    """List the keys, the youngest first: what each may do, from where, and until when."""

    async def run() -> tuple[ListedKey, ...]:
        world = await prepare(settings_from_environment())
        async with open_api(world) as api:
            return await api.use.keys.listed()

    keys = asyncio.run(run())
    text = "\n".join(_in_words(one) for one in keys) or "no platform key was made yet"
    result([_shown(one) for one in keys], as_json=as_json, text=text)


def _shown(key: ListedKey) -> dict[str, object]:
    return {
        "id": key.key_id,
        "state": key.state,
        "scopes": key.scopes,
        "networks": key.networks,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "signed_by": key.signed_by or None,
    }


def _in_words(key: ListedKey) -> str:
    state = key.state.value
    state += "" if key.revoked_at is None else f" at {_at(key.revoked_at)}"
    return "\n".join(
        (
            f"{key.key_id}  {state}",
            f"  may {', '.join(key.scopes)}; from {', '.join(key.networks)}",
            f"  created {_at(key.created_at)}, expires {_at(key.expires_at)}",
            *([f"  requests are signed by {key.signed_by}"] if key.signed_by else []),
        )
    )


def _at(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"


@app.command("revoke")
def revoke(
    key: Annotated[str, typer.Argument(help="Its middle part, or the whole key.")],
    *,
    as_json: Json = False,
) -> None:
    """End a key for good, in every process within a second."""
    key_id = key_id_of(key)

    async def run() -> datetime:
        world = await prepare(settings_from_environment())
        async with open_api(world) as api:
            return await api.use.keys.revoke(key_id)

    ended = asyncio.run(run())
    say("it opens nothing any more, in every process within a second")
    result(
        {"id": key_id, "revoked_at": ended},
        as_json=as_json,
        text=f"{key_id} was revoked at {_at(ended)}",
    )
