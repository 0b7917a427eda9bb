"""The use cases of officers, and the keys that they sign with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

from twinlock.adapters import officers as officer_keys
from twinlock.adapters.settings import TokenPlace
from twinlock.adapters.sql.officers import SqlPlatformActs
from twinlock.adapters.system import SystemClock, SystemEntropy, own_clock
from twinlock.bootstrap.anchoring import anchored, follow_unless_busy
from twinlock.bootstrap.world import World
from twinlock.domain.canonical import b64url
from twinlock.domain.officers.statements import (
    NONCE_BYTES,
    SIGNED_BYTES_MOST,
    AnyAct,
    Signed,
    read_signed,
    statement_of,
)
from twinlock.ports import Clock
from twinlock.ports.keys import SigningKey
from twinlock.proofs.officers import sign
from twinlock.services.officers import Officers


@asynccontextmanager
async def open_officers(
    world: World, *, clock: Clock | None = None, for_a_wait: bool = False
) -> AsyncIterator[Officers]:
    """Open the use cases of officers, on a log that is the anchored one.

    What was said is anchored before it is told: a database that is put back from before a halt is
    not served.

    ``for_a_wait`` the clock is held against what this installation believes of it, so that no wait
    ends because somebody set it for the moment of one command. A halt asks no clock but its own.
    """
    own = own_clock(world.settings.data_dir / "clock-anchor.json")
    held = own if for_a_wait and clock is None else nullcontext(clock or SystemClock())
    async with held as trusted, anchored(world, trusted) as (kept, anchoring, keys):
        await anchoring.check()
        origin = world.settings.log_origin
        acts = SqlPlatformActs(kept.database, sealer=keys.sealer, clock=trusted, log_origin=origin)
        yield Officers(acts, clock=trusted, entropy=SystemEntropy(), log_origin=origin)
        await follow_unless_busy(anchoring)


def make_officer_key(path: Path, *, place: TokenPlace | None) -> str:
    """Make an officer's key, and return its public half (see ``adapters.officers``)."""
    return officer_keys.make_key(path, entropy=SystemEntropy(), place=place)


def token_place(module: Path | None, token: str | None, pin_file: Path | None) -> TokenPlace | None:
    """Return where an officer's token is: all three say so, or none does."""
    if module is None and token is None and pin_file is None:
        return None
    if module is None or token is None or pin_file is None:
        says = "a token is named by --module, --token and --pin-file together"
        raise officer_keys.OfficerKeyWrongError(says)
    return TokenPlace(module=module, label=token, pin_file=pin_file)


def open_officer_key(path: Path) -> SigningKey:
    """Return the officer's key that ``path`` holds, or names (see ``adapters.officers``)."""
    return officer_keys.open_key(path)


def sign_elsewhere(act: AnyAct, *, key: SigningKey, log: str) -> Signed:
    """Return ``act`` signed where there is no installation: for ``log``, for ten minutes."""
    statement = statement_of(
        act,
        officer=b64url(key.public),
        log=log,
        nonce=b64url(SystemEntropy().draw(NONCE_BYTES)),
        now=SystemClock().now(),
    )
    return sign(statement, key.sign)


def read_statement(path: Path) -> Signed:
    """Return what an officer signed elsewhere. Raises MalformedError."""
    with path.open("rb") as file:
        return read_signed(file.read(SIGNED_BYTES_MOST + 1).strip())
