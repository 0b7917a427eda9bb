"""Transmitters' keys: from the operator's file, or fetched from where they publish them.

Always true (tests/integration/test_signal_polling.py): a key that is published is found by its id
within a minute; one that is published no more verifies nothing an hour later; keys that could not
be fetched for a day verify nothing at all; however many unknown ids are shown, one fetch a minute
goes out for an issuer.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import NamedTuple

from joserfc.jwk import Key

from twinlock.adapters.webhooks.asking import HttpAsk, NotAnsweredError
from twinlock.domain.bounds import SIGNAL_KEYS_BYTES_MOST
from twinlock.domain.signal_streams import Stream
from twinlock.proofs.sets import (
    SignalKeysRefusedError,
    SignalKeysStaleError,
    read_keys,
)

FRESH_SECONDS = 3_600.0  # A key that its owner withdrew is believed no longer.
STALE_SECONDS = 86_400.0  # As long as an issuer's server may be down.
AGAIN_SECONDS = 60.0  # Between two fetches, whatever comes: nobody makes us flood somebody else.
OK = 200


class _Fetched(NamedTuple):
    keys: Mapping[str, Key]
    at: float


class TransmitterKeys:
    """The keys of one process. Implements ``ports.SignalKeys``."""

    def __init__(self, ask: HttpAsk, *, seconds: Callable[[], float]) -> None:
        self._ask = ask
        self._seconds = seconds
        self._fetched: dict[str, _Fetched] = {}
        self._tried: dict[str, float] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def keys(self, stream: Stream, *, kid: str) -> Mapping[str, Key]:
        """Return the keys of a stream's issuer; an unknown ``kid`` may fetch them anew.

        Raises:
            SignalKeysStaleError: none that are fresh enough.
        """
        if stream.keys:
            return _read(stream.keys.encode())
        url = stream.keys_url
        async with self._locks.setdefault(url, asyncio.Lock()):
            known = self._fetched.get(url)
            if known is None or self._age(known) > FRESH_SECONDS or kid not in known.keys:
                await self._fetch(url)
        known = self._fetched.get(url)
        if known is None or self._age(known) > STALE_SECONDS:
            raise SignalKeysStaleError("the issuer's keys could not be fetched")
        return known.keys

    def _age(self, known: _Fetched) -> float:
        return self._seconds() - known.at

    async def _fetch(self, url: str) -> None:
        """Fetch a key set, unless it was tried a moment ago; what fails changes nothing."""
        now = self._seconds()
        if now < self._tried.get(url, float("-inf")) + AGAIN_SECONDS:
            return
        self._tried[url] = now
        try:
            replied = await self._ask.ask(url, most=SIGNAL_KEYS_BYTES_MOST)
            if replied.status == OK:
                self._fetched[url] = _Fetched(read_keys(replied.body), now)
        except (NotAnsweredError, SignalKeysRefusedError):
            return


def _read(data: bytes) -> Mapping[str, Key]:
    try:
        return read_keys(data)
    except SignalKeysRefusedError as error:
        raise SignalKeysStaleError(str(error)) from error
