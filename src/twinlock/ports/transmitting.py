"""What is asked of signals to others: who may be told, and where streams and tokens are kept."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Protocol

import msgspec

from twinlock.domain.ids import AccountId
from twinlock.domain.transmitting.streams import (
    Attempted,
    ClaimedStream,
    Followed,
    KeptStream,
    Queued,
    Receiver,
    ReceiverId,
    StreamId,
    StreamStatus,
    TokenAlgorithm,
    ToldStream,
    Waiting,
)
from twinlock.domain.webhooks.endpoints import Fault, Health
from twinlock.domain.webhooks.outcomes import LogEntry


class Receivers(Protocol):
    """The receivers that the operator named."""

    def showing(self, token: str) -> Receiver:
        """Return whose bearer token this is. Raises ReceiverTokenRefusedError."""
        ...

    def find(self, receiver_id: ReceiverId) -> Receiver:
        """Return a receiver. Raises ReceiverUnknownError."""
        ...


class TokenKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key by which tokens verify; ``public`` is an Ed25519 key, or of RS256 the modulus."""

    algorithm: TokenAlgorithm
    key_id: str
    public: bytes


class TokenSigning(Protocol):
    """The key that signs tokens now by one algorithm."""

    @property
    def algorithm(self) -> TokenAlgorithm:
        """The algorithm."""
        ...

    @property
    def key_id(self) -> str:
        """The name of the key."""
        ...

    def sign(self, base: bytes) -> bytes:
        """Return the signature of ``base``, the same one each time."""
        ...


class TokenSigner(Protocol):
    """Signs tokens, and says by which keys they verify."""

    def by(self, algorithm: TokenAlgorithm) -> TokenSigning:
        """Return what signs by ``algorithm`` now. Raises SignalKeyMissingError: nothing does."""
        ...

    def public_keys(self) -> tuple[TokenKey, ...]:
        """Return every key by which what was signed may be verified, or soon will."""
        ...


class StreamShelf(Protocol):
    """Where streams, their subjects and what waits for them are kept."""

    async def add(self, stream: ToldStream, *, most: int) -> bool:
        """Keep a new stream; it is told of what is decided from now on.

        False, and nothing is kept: its receiver has ``most`` of them.
        """
        ...

    async def listed(self, receiver_id: ReceiverId | None) -> tuple[KeptStream, ...]:
        """Return the streams of a receiver, or all of them, the oldest first."""
        ...

    async def read(self, stream_id: StreamId) -> KeptStream:
        """Return a stream. Raises ToldStreamUnknownError."""
        ...

    async def replace(self, stream: ToldStream, *, version: int) -> None:
        """Keep ``stream`` in place of what was read at ``version``.

        Raises:
            ToldStreamUnknownError: it is gone, or was replaced meanwhile.
        """
        ...

    async def remove(self, stream_id: StreamId) -> None:
        """Forget a stream, its subjects and what waits. Raises ToldStreamUnknownError."""
        ...

    async def set_status(self, stream_id: StreamId, status: StreamStatus, *, reason: str) -> None:
        """Change what a stream does; one that was disabled begins at the end of the log.

        Raises:
            ToldStreamUnknownError: there is none.
        """
        ...

    async def add_subject(self, stream_id: StreamId, subject: Followed, *, now: datetime) -> None:
        """Tell a stream of an account; of an account that is not known, nothing is kept."""
        ...

    async def remove_subject(self, stream_id: StreamId, account: AccountId) -> None:
        """Tell a stream of an account no more; what waits of it is forgotten."""
        ...

    async def verify(
        self, stream_id: StreamId, token: Waiting, *, now: datetime, before: datetime
    ) -> bool:
        """Keep a token that says nothing but that it came.

        False: one came after ``before``, or as many wait as may.
        """
        ...

    async def take(
        self, stream_id: StreamId, *, taken: Collection[str], refused: Mapping[str, str], most: int
    ) -> tuple[tuple[Waiting, ...], bool]:
        """Forget what was ``taken``, keep what was ``refused`` as dead, and return what waits.

        ``most`` at once, the oldest first; and whether there is more.
        """
        ...

    async def claim(
        self, *, now: datetime, apart: tuple[StreamId, ...], most: int
    ) -> tuple[ClaimedStream, ...]:
        """Return streams that have something to be done; nobody else is given one meanwhile."""
        ...

    async def subjects(
        self, stream_id: StreamId, accounts: Collection[AccountId]
    ) -> Mapping[AccountId, Followed]:
        """Return those of ``accounts`` that a stream is told of."""
        ...

    async def queue(
        self,
        claimed: ClaimedStream,
        tokens: Iterable[Queued],
        *,
        position: int,
        gone: Collection[str],
        now: datetime,
    ) -> bool:
        """Keep tokens, and that the stream was told of all before ``position``: both, or neither.

        ``gone`` were erased. Return False, and change nothing, when the claim is not ours any more.
        """
        ...

    async def due(
        self, claimed: ClaimedStream, *, now: datetime, most: int
    ) -> tuple[tuple[Waiting, int], ...]:
        """Return tokens to be pushed at ``now``, each with how often it was tried."""
        ...

    async def settle(
        self,
        claimed: ClaimedStream,
        *,
        health: Health,
        sent: Collection[str],
        tried: Collection[Attempted],
        done: bool,
    ) -> bool:
        """Keep how pushing went; with ``done`` give the claim back. False: it is not ours."""
        ...

    async def entries(self, *, start: int, count: int) -> tuple[LogEntry, ...]:
        """Return the committed entries from index ``start``, at most ``count``."""
        ...


class TransmitReport(Protocol):
    """What operators are told of pushes: no URL, no account."""

    def tried(self, stream_id: StreamId, jti: str, *, fault: Fault | None, status: int) -> None:
        """Tell of one attempt."""
        ...

    def dead(self, stream_id: StreamId, jti: str) -> None:
        """Tell of a token that is not sent any more."""
        ...
