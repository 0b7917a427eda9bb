"""Transmitters' keys: from the operator's file, or fetched from where they publish them.

Always true (tests/integration/test_signal_polling.py): a key that is published is found by its id
within a minute, and meanwhile no token is refused for it; one that is published no more verifies
nothing an hour later; keys that could not be fetched for a day verify nothing at all; however many
unknown ids are shown, one fetch a minute goes out for an issuer.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import NamedTuple

import structlog
from joserfc.jwk import Key

from twinlock.adapters.webhooks.asking import HttpAsk, NotAnsweredError
from twinlock.domain.bounds import SIGNAL_KEYS_BYTES_MOST
from twinlock.domain.signal_streams import Stream
from twinlock.proofs.sets import (
    ID_LENGTH_MOST,
    SignalKeysRefusedError,
    SignalKeysStaleError,
    read_keys,
)

FRESH_SECONDS = 3_600.0  # A key that its owner withdrew is believed no longer.
STALE_SECONDS = 86_400.0  # As long as an issuer's server may be down.
AGAIN_SECONDS = 60.0  # Between two fetches, whatever comes: nobody makes us flood somebody else.
SOUGHT_MOST = 1_000  # Ids that are remembered, of 256 characters each.
OK = 200
_log = structlog.get_logger(__name__)


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
        self._sought: dict[tuple[str, str], float] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def keys(self, stream: Stream, *, kid: str) -> Mapping[str, Key]:
        """Return the keys of a stream's issuer; an unknown ``kid`` may fetch them anew.

        Raises:
            SignalKeysStaleError: none that are fresh enough, or none since this ``kid`` came up.
        """
        if stream.keys:
            return _read(stream.keys.encode())
        url, at = stream.keys_url, self._seconds()
        async with self._locks.setdefault(url, asyncio.Lock()):
            known = self._fetched.get(url)
            if known is None or self._age(known) > FRESH_SECONDS or kid not in known.keys:
                await self._fetch(stream)
        known = self._fetched.get(url)
        if known is None or self._age(known) > STALE_SECONDS:
            raise SignalKeysStaleError("the issuer's keys could not be fetched")
        if kid not in known.keys and known.at < self._sought_since(url, kid, at):
            raise SignalKeysStaleError("the issuer's keys were not fetched since this one came up")
        return known.keys

    def _sought_since(self, url: str, kid: str, at: float) -> float:
        """Return since when a key is looked for in vain: that there is none is known later only.

        Prevents: a signal under a new key that is refused for good, since a minute has not passed
        from the last fetch, as when a stranger names unknown keys each minute.
        """
        if not 0 < len(kid) <= ID_LENGTH_MOST:
            return float("-inf")
        if len(self._sought) >= SOUGHT_MOST:
            self._sought.clear()
        return self._sought.setdefault((url, kid), at)

    def _age(self, known: _Fetched) -> float:
        return self._seconds() - known.at

    async def _fetch(self, stream: Stream) -> None:
        """Fetch a key set, unless it was tried a moment ago; what fails changes nothing.

        The log is told why: of keys that are a day old nobody hears that they are not new.
        """
        url, now = stream.keys_url, self._seconds()
        if now < self._tried.get(url, float("-inf")) + AGAIN_SECONDS:
            return
        self._tried[url] = now
        try:
            replied = await self._ask.ask(url, most=SIGNAL_KEYS_BYTES_MOST)
            if replied.status != OK:
                _log.warning("signal_keys_wait", stream=stream.stream_id, status=replied.status)
                return
            self._fetched[url] = _Fetched(read_keys(replied.body), now)
        except (NotAnsweredError, SignalKeysRefusedError) as error:
            named = stream.stream_id
            _log.warning("signal_keys_wait", stream=named, code=error.code, text=str(error))


def _read(data: bytes) -> Mapping[str, Key]:
    try:
        return read_keys(data)
    except SignalKeysRefusedError as error:
        raise SignalKeysStaleError(str(error)) from error
