"""What is asked of signals: who may send them, by which keys, and whom an address leads to."""

from collections.abc import Mapping
from datetime import date
from typing import Protocol

from joserfc.jwk import Key

from twinlock.domain.ids import AccountId
from twinlock.domain.signal_streams import Stream


class SignalStreams(Protocol):
    """The streams that the operator configured."""

    def find(self, stream_id: str) -> Stream:
        """Return a stream. Raises StreamUnknownError."""
        ...

    def token_of(self, stream: Stream) -> str:
        """Return the bearer token that goes with a stream, or "". Raises StreamRefusedError."""
        ...


class SignalKeys(Protocol):
    """The keys of transmitters."""

    async def keys(self, stream: Stream, *, kid: str) -> Mapping[str, Key]:
        """Return the keys of a stream's issuer; an unknown ``kid`` may fetch them anew.

        Raises:
            SignalKeysStaleError: none that are fresh enough.
        """
        ...


class SignalIndex(Protocol):
    """Whom an address leads to, and how much a stream has said today."""

    async def accounts(self, address: str) -> tuple[AccountId, ...]:
        """Return accounts that had a channel at ``address`` when they last changed theirs."""
        ...

    async def take(self, stream_id: str, day: date, *, most: int) -> bool:
        """Count one more signal of a stream on ``day``; False, uncounted, where it had ``most``."""
        ...

    async def give_back(self, stream_id: str, day: date) -> None:
        """Count one less, of a signal that came to nothing. Raises UnavailableError."""
        ...
