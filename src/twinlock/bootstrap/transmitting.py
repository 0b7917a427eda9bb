"""Signals to other parties: the use cases, the sending beside the requests, the operator's file."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry

from twinlock.adapters.keyring.register import KeyDirectory
from twinlock.adapters.keyring.signing import KeyringTokens
from twinlock.adapters.settings import Settings
from twinlock.adapters.sql.told_streams import SqlToldStreams
from twinlock.adapters.system import SystemClock, SystemEntropy
from twinlock.adapters.transmitting.pumps import Report, transmitting
from twinlock.adapters.transmitting.receivers import ReceiverFile, digest_of
from twinlock.adapters.webhooks.sending import HttpPost
from twinlock.bootstrap.anchoring import anchored
from twinlock.bootstrap.world import World
from twinlock.domain.canonical import b64url
from twinlock.domain.ids import tail
from twinlock.domain.transmitting.streams import (
    KeptStream,
    Receiver,
    ReceiverId,
    TokenAlgorithm,
    check_receiver,
)
from twinlock.ports import Clock
from twinlock.ports.transmitting import StreamShelf, TokenSigner
from twinlock.services.transmitting.managing import Transmitting
from twinlock.services.transmitting.sending import SignalSending

_TOKEN_BYTES = 32


def told_use_cases(
    settings: Settings, shelf: StreamShelf, *, signer: TokenSigner, clock: Clock
) -> Transmitting:
    """Return the use cases of receivers."""
    return Transmitting(
        shelf,
        receivers=ReceiverFile(settings.data_dir),
        signer=signer,
        issuer=settings.origin,
        reach=settings.webhook_reach,
        entropy=SystemEntropy(),
        clock=clock,
    )


@asynccontextmanager
async def telling_others(
    settings: Settings,
    shelf: SqlToldStreams,
    *,
    signer: TokenSigner,
    clock: Clock,
    registry: CollectorRegistry,
) -> AsyncIterator[None]:
    """Do this process's share of the sending until the block ends; count into ``registry``."""
    sending = SignalSending(
        shelf,
        receivers=ReceiverFile(settings.data_dir),
        signer=signer,
        issuer=settings.origin,
        post=HttpPost(settings.webhook_reach, ca_file=settings.webhook_ca_file),
        report=Report(registry),
        entropy=SystemEntropy(),
        clock=clock,
        seconds=asyncio.get_running_loop().time,
    )
    async with transmitting(shelf, sending, clock=clock):
        yield


# --- What the operator does ---


def add_receiver(
    settings: Settings,
    name: str,
    *,
    audience: str,
    events: tuple[str, ...],
    push_to: tuple[str, ...],
    algorithm: TokenAlgorithm = TokenAlgorithm.EDDSA,
) -> tuple[Receiver, str]:
    """Let one more receiver make streams; return it, and the token that is shown this once.

    Raises:
        ReceiverRefusedError, WebhookUrlRefusedError: as they say.
        SignalKeyMissingError: the keyring has no key in use by which its tokens could be signed.
    """
    entropy = SystemEntropy()
    token = f"ssft_{b64url(entropy.draw(_TOKEN_BYTES))}"
    receiver = Receiver(
        receiver_id=ReceiverId(f"rcv_{tail(entropy.draw(16))}"),
        name=name,
        audience=audience,
        token_digest=digest_of(token),
        events=events,
        push_to=push_to,
        algorithm=algorithm,
    )
    checked = check_receiver(receiver, reach=settings.webhook_reach)
    if algorithm is not TokenAlgorithm.EDDSA:  # Of that every keyring has a key.
        KeyringTokens(KeyDirectory(settings, entropy=entropy).load()).by(algorithm)
    ReceiverFile(settings.data_dir).add(checked)
    return checked, token


def listed_receivers(settings: Settings) -> tuple[Receiver, ...]:
    """Return every receiver that may make streams."""
    return ReceiverFile(settings.data_dir).listed()


async def remove_receiver(world: World, name: str) -> int:
    """Let a receiver make no streams, and forget those that it made; return how many.

    Its streams go first, and then those that it made meanwhile. Prevents: streams of nobody's,
    which no name leads to any more, where the database went down in between; and a receiver that
    stays, with its token, because somebody changed the row of a stream.

    Raises:
        ReceiverUnknownError: there is none of that name.
    """
    file = ReceiverFile(world.settings.data_dir)
    async with open_streams(world) as shelf:
        known = next((one for one in file.listed() if one.name == name), None)
        count = 0 if known is None else await shelf.remove_of(known.receiver_id)
        return count + await shelf.remove_of(file.remove(name).receiver_id)


async def listed_streams(world: World) -> tuple[KeptStream, ...]:
    """Return every stream that a receiver made."""
    async with open_streams(world) as shelf:
        return await shelf.listed(None)


@asynccontextmanager
async def open_streams(world: World) -> AsyncIterator[SqlToldStreams]:
    """Open where streams are kept, on a log that is the anchored one."""
    async with anchored(world, SystemClock()) as (kept, anchoring, _):
        await anchoring.check()
        yield SqlToldStreams(kept, entropy=SystemEntropy())
