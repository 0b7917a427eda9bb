"""``twinlock keys``: the keyring, and each key's way through it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Annotated, TypeVar

import msgspec
import typer

from twinlock.bootstrap.keys import key_rotation, make_keyring, rewrap_keys
from twinlock.bootstrap.prices import trust_price_key
from twinlock.bootstrap.rulebook import rule_book
from twinlock.bootstrap.ruling import book_in_force
from twinlock.bootstrap.trust import known_policies, trust_of
from twinlock.bootstrap.world import prepare, settings_from_environment
from twinlock.cli.console import result, say
from twinlock.domain.keys import KeyRecord, KeyState, Role
from twinlock.domain.trust import Trust
from twinlock.services.rotation import ListedKeyring, Rotation

T = TypeVar("T")
app = typer.Typer(help="The keyring.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
OneRole = Annotated[Role, typer.Argument(help="Whose key: docs/keys.md tells each role's.")]
AtOnce = Annotated[
    bool,
    typer.Option(
        "--at-once",
        help="Give those outside no time: for a key that leaked. Processes keep theirs.",
    ),
]
# Whom to tell between ``rotate`` and ``activate``, and how: the table of docs/keys.md.
_TRUSTED = "hand the new `twinlock keys trust` to every signer and auditor"
_PUBLISHED = "have platforms that sign their requests read /.well-known/jwks.json anew"
_FETCHED = "receivers of signals fetch /v1/ssf/jwks.json anew by themselves within a day"
_OWN = "put the keyring's files on every other machine that serves"
HINTS = {
    Role.LOG: (_TRUSTED, "have every witness do: twinlock witness add-log {vkey}"),
    Role.AUTHORIZATION: (_TRUSTED,),
    Role.ANSWERS: (_PUBLISHED,),
    Role.SIGNALS: (_FETCHED,),
    Role.SIGNALS_RSA: (_FETCHED,),
}
PROGRESS_EVERY = 10_000  # Rows between two lines of progress.


@app.command("init")
def init(*, as_json: Json = False) -> None:
    """Make a new keyring; an existing one is never overwritten.

    With TWINLOCK_PKCS11_MODULE the keys are made in the token.
    """
    settings = settings_from_environment()
    keyring = make_keyring(settings)
    say(f"keyring made in {settings.keyring_dir}; back it up where the database is not")
    if settings.token is not None:
        say(f"its keys lie in the token {settings.token.label!r}: back that up as well")
    result(
        {"directory": str(settings.keyring_dir), "fingerprint": keyring.fingerprint()},
        as_json=as_json,
        text=f"fingerprint {keyring.fingerprint()}",
    )


# A key may begin with a dash, and is no option then.
@app.command("trust-prices", context_settings={"ignore_unknown_options": True})
def trust_prices(
    public_key: Annotated[str, typer.Argument(help="What `twinlock prices keygen` printed.")],
    *,
    as_json: Json = False,
) -> None:
    """Believe the price lists of whoever holds the private half of this key; once is enough."""
    settings = settings_from_environment()
    key = trust_price_key(settings, public_key)
    say("every process that serves believes them within two seconds")
    if settings.price_file is None:
        say("TWINLOCK_PRICE_FILE is not set: it says where the signed list is")
    result(
        {"key_id": key.key_id, "public_key": str(key)},
        as_json=as_json,
        text=f"price lists signed by {key} are believed",
    )


@app.command("trust")
def trust(
    *,
    with_retired: Annotated[
        bool,
        typer.Option(
            "--with-retired", help="Name retired keys, too: for old evidence, never for a signer."
        ),
    ] = False,
    ahead: Annotated[
        bool,
        typer.Option(
            "--ahead",
            help="Name TWINLOCK_PROFILE's policy first, though another is served: before a change.",
        ),
    ] = False,
) -> None:
    """Print the trust file: what auditors and wallet signers pin. Hand it over out of band.

    It names the policy in force, then every earlier one that the database knows.
    """

    async def run() -> Trust:
        world = await prepare(settings_from_environment())
        book = rule_book(world.settings.profile) if ahead else await book_in_force(world)
        earlier = await known_policies(world, book=None if ahead else book)
        return trust_of(
            world.settings,
            world.keyring,
            book=book,
            earlier=earlier,
            with_retired=with_retired,
        )

    result(asyncio.run(run()), as_json=True, text="")


@app.command("list")
def list_keys(*, as_json: Json = False) -> None:
    """Tell every key's role, id and state; never a secret."""

    async def ask(rotation: Rotation) -> tuple[ListedKeyring, ...]:
        return rotation.listed()

    listed = _ask(ask)
    lines = [_line(one) for one in listed]
    result([_told(one.key, one.state) for one in listed], as_json=as_json, text="\n".join(lines))


@app.command("rotate")
def rotate(role: OneRole, *, as_json: Json = False) -> None:
    """Announce the next key of a role: everybody holds it, and nobody uses it yet."""
    key, vkey = _ask(partial(_announced, role))
    for line in HINTS.get(role, (_OWN,)):
        say(line.format(vkey=vkey))
    say(f"then, and not before: twinlock keys activate {role}")
    _tell(key, KeyState.NEXT, as_json=as_json)


@app.command("activate")
def activate(role: OneRole, *, at_once: AtOnce = False, as_json: Json = False) -> None:
    """Use the announced key of a role from now on; the one before it goes on reading."""
    key = _ask(lambda rotation: rotation.activate(role, at_once=at_once))
    if role is Role.SEAL:
        say("then: twinlock keys rewrap")
    say(f"the old one ends by: twinlock keys retire {role} KEY_ID")
    _tell(key, KeyState.CURRENT, as_json=as_json)


@app.command("retire")
def retire(
    role: OneRole,
    key_id: Annotated[str, typer.Argument(help="The key's id, of `twinlock keys list`.")],
    *,
    at_once: AtOnce = False,
    as_json: Json = False,
) -> None:
    """Destroy the secret of a key that nothing needs any more; its name stays."""
    key = _ask(lambda rotation: rotation.retire(role, key_id, at_once=at_once))
    if role is Role.LOG:
        say("a witness that was not told of the new key refuses from now on (`not_witnessed`)")
        say("have every witness do, if it did not yet: twinlock witness drop-key, of the old key")
    _tell(key, KeyState.RETIRED, as_json=as_json)


@app.command("rewrap")
def rewrap(*, as_json: Json = False) -> None:
    """Put every customer's key under the current seal key; processes may serve meanwhile.

    It runs as the owner of the tables (TWINLOCK_OWNER_URL), can be broken off at any time, and goes
    on where it was when it is started again.
    """
    last = 0

    def told(done: int) -> None:
        nonlocal last
        if done // PROGRESS_EVERY > last:
            last = done // PROGRESS_EVERY
            say(f"{done} rows are under the current key")

    async def run() -> dict[str, int]:
        world = await prepare(settings_from_environment())
        return (await rewrap_keys(world, told))._asdict()

    done = asyncio.run(run())
    result(
        done,
        as_json=as_json,
        text=f"{done['subjects']} customers' keys, {done['idempotency']} idempotency keys, "
        f"{done['heads']} heads and {done['erased']} marks of the erased were put under the "
        f"current key; {done['unowned']} keys are nobody's, as of the erased, and {done['broken']} "
        "rows are not ours: `twinlock audit` names them",
    )


async def _announced(role: Role, rotation: Rotation) -> tuple[KeyRecord, str]:
    key = await rotation.announce(role)
    return key, rotation.vkey(key) if role is Role.LOG else ""


def _ask(ask: Callable[[Rotation], Awaitable[T]]) -> T:
    async def run() -> T:
        async with key_rotation(await prepare(settings_from_environment())) as rotation:
            return await ask(rotation)

    return asyncio.run(run())


def _tell(key: KeyRecord, state: KeyState, *, as_json: bool) -> None:
    told = _told(key, state)
    result(told, as_json=as_json, text=_line(ListedKeyring(key=key, state=state)))


def _told(key: KeyRecord, state: KeyState) -> dict[str, object]:
    return {"state": state, **msgspec.structs.asdict(key)}


def _line(one: ListedKeyring) -> str:
    key = one.key
    where = "token" if key.in_token else "file"
    since = {
        KeyState.NEXT: ("announced", key.created_at),
        KeyState.RETIRED: ("retired", key.retired_at),
    }.get(one.state, ("used since", key.used_from))
    return f"{key.role:<14}{key.key_id}  {one.state:<8}  {where:<5}  {since[0]} {_at(since[1])}"


def _at(instant: datetime | None) -> str:
    return "" if instant is None else instant.strftime("%Y-%m-%dT%H:%M:%SZ")
