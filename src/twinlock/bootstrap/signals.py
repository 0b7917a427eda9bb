"""Signals of other parties: the use cases, the polls beside the requests, the operator's file."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

from twinlock.adapters.beside import beside
from twinlock.adapters.settings import Settings
from twinlock.adapters.signals.keys import TransmitterKeys
from twinlock.adapters.signals.polling import POLL_SECONDS, Polls
from twinlock.adapters.signals.streams import StreamFile
from twinlock.adapters.webhooks.asking import HttpAsk
from twinlock.domain.bounds import SIGNAL_KEYS_BYTES_MOST
from twinlock.domain.ids import AccountId
from twinlock.domain.signal_streams import Stream, StreamRefusedError, check_stream
from twinlock.domain.webhooks.targets import parse_url
from twinlock.ports import Clock, Policies, Store
from twinlock.ports.signals import SignalIndex
from twinlock.proofs.sets import read_keys
from twinlock.services.signals import Signals


class Nobody:
    """The index of a store that has none, as the range's: no address leads to anybody."""

    async def accounts(self, address: str) -> tuple[AccountId, ...]:  # noqa: ARG002 - the port's
        """Return nobody."""
        return ()

    async def take(self, stream_id: str, day: date, *, most: int) -> bool:  # noqa: ARG002 - the port's
        """Count nothing: nobody is told of anything."""
        return False

    async def give_back(self, stream_id: str, day: date) -> None:
        """Count nothing less."""


NOBODY = Nobody()


def signal_use_cases(
    settings: Settings, store: Store, index: SignalIndex, *, clock: Clock, policies: Policies
) -> Signals:
    """Return the use cases of signals, with the keys of transmitters fetched as settings allow."""
    keys = TransmitterKeys(_ask(settings), seconds=time.monotonic)
    return Signals(store, keys=keys, index=index, clock=clock, policies=policies)


@asynccontextmanager
async def polling(settings: Settings, signals: Signals) -> AsyncIterator[None]:
    """Fetch signals from transmitters that do not push them, until the block ends."""
    polls = Polls(StreamFile(settings.data_dir), _ask(settings), signals.receive)
    async with beside("signals_wait", polls.look, pause=POLL_SECONDS):
        yield


def _ask(settings: Settings) -> HttpAsk:
    return HttpAsk(settings.webhook_reach, ca_file=settings.webhook_ca_file)


# --- What the operator does ---


def add_stream(settings: Settings, stream: Stream) -> None:
    """Believe one more transmitter.

    Raises:
        StreamRefusedError, SignalKeysRefusedError, WebhookUrlRefusedError: as they say.
    """
    for url in filter(None, (stream.keys_url, stream.poll_url)):
        parse_url(url, reach=settings.webhook_reach)
    if stream.keys:
        read_keys(stream.keys.encode())
    streams = StreamFile(settings.data_dir)
    streams.token_of(stream)
    streams.add(check_stream(stream))


def remove_stream(settings: Settings, stream_id: str) -> None:
    """Believe a transmitter no more. Raises StreamUnknownError."""
    StreamFile(settings.data_dir).remove(stream_id)


def listed_streams(settings: Settings) -> tuple[Stream, ...]:
    """Return every transmitter that is believed."""
    return StreamFile(settings.data_dir).listed()


def read_key_file(path: Path) -> str:
    """Return a key set of a file. Raises StreamRefusedError."""
    with path.open("rb") as file:
        data = file.read(SIGNAL_KEYS_BYTES_MOST + 1)
    try:
        return data.decode("ascii")
    except UnicodeDecodeError as error:
        raise StreamRefusedError("a key set is JSON in ASCII") from error
