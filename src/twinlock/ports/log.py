"""What is asked of the log: heads, who signs and cosigns them, and the anchor that holds it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import msgspec

from twinlock.domain.errors import invariant
from twinlock.domain.log.merkle import HASH_BYTES


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The committed end of the log: its size and its root (32 bytes)."""

    size: int
    root: bytes


class SignedHead(msgspec.Struct, frozen=True, kw_only=True):
    """A head with its signed note: with the cosignatures of a quorum, where one is asked for."""

    head: Head
    note: bytes


class LogSigner(Protocol):
    """Signs what has been committed, and nothing else."""

    @property
    def log_origin(self) -> str:
        """The log's name."""
        ...

    def authorization(self, claims: bytes, kind: str) -> str:
        """Return the JWS over canonical ``claims``; the same one each time."""
        ...

    def checkpoint(self, head: Head) -> bytes:
        """Return the signed note of a committed head."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A signed checkpoint: its tree's size in leaves, its root (32 bytes) and its note verbatim."""

    size: int
    root: bytes
    checkpoint: str

    def __post_init__(self) -> None:
        invariant(self.size >= 0, "a tree has no fewer than 0 leaves")
        invariant(len(self.root) == HASH_BYTES, "a root has 32 bytes")


class Anchors(Protocol):
    """Where the last signed checkpoint is kept, out of the database's reach."""

    async def read(self) -> Anchor | None:
        """Return the anchor, or None before the first one."""
        ...

    async def advance(self, new: Anchor, *, expected_size: int | None) -> None:
        """Replace the anchor of ``expected_size`` by ``new``, durably; wait for nobody.

        Raises:
            AnchorMovedError: another size stands there, or ``new`` goes back, or forks.
            FileBusyError: another process is at it.
        """
        ...


class PublishedHeads(Protocol):
    """The heads of the log that may be shown."""

    async def covering(self, size: int) -> SignedHead:
        """Return the newest that may be shown; wait a moment where it has fewer leaves.

        ``size`` is one that the log has.

        Raises:
            NotWitnessedError: none of so many leaves has a quorum's cosignatures yet.
            LogDamagedError: the log is not to be trusted.
        """
        ...

    async def check_keeps_up(self) -> None:
        """Check that what is committed now will soon be shown, as far as is known.

        Raises:
            NotWitnessedError: the last who waited for it waited in vain.
        """
        ...


class LeafTimes(Protocol):
    """When entries of the log came, by the operator's own clock."""

    async def times(self, indexes: tuple[int, ...]) -> Mapping[int, datetime]:
        """Return the instant (UTC) of each of these entries. Raises LogDamagedError."""
        ...


class WitnessAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a witness answered over HTTP; the body is whole and of a bounded size."""

    status: int
    body: bytes


class WitnessCalls(Protocol):
    """Witnesses over the network, by their names in the trust policy."""

    async def submit(self, witness: str, submission: bytes) -> WitnessAnswer:
        """Submit a checkpoint. Raises WitnessSilentError."""
        ...

    async def shown(self, witness: str, origin: str) -> WitnessAnswer:
        """Return what a witness shows of a log to monitors. Raises WitnessSilentError."""
        ...


class CosignedNotes(Protocol):
    """Where the newest cosigned checkpoint is kept between two lives of a process."""

    async def read(self) -> bytes | None:
        """Return it, or None before the first."""
        ...

    async def keep(self, note: bytes, *, size: int) -> None:
        """Keep the note of a tree of ``size`` leaves, unless a larger one is kept."""
        ...


class AnchoredLog(Protocol):
    """The log, for whoever holds it to its anchor, or to its witnesses."""

    async def head(self) -> Head:
        """Return the committed end of the log. Raises LogDamagedError."""
        ...

    async def checked_head(self) -> Head:
        """Return it once its last tiles agree. Raises LogDamagedError."""
        ...

    async def tiles(self, wanted: tuple[tuple[int, int], ...]) -> Mapping[tuple[int, int], bytes]:
        """Return the tiles (level, number) that exist, each as long as it has grown."""
        ...

    def check_trusted(self) -> None:
        """Return unless the log is distrusted. Raises LogDamagedError."""
        ...

    def distrust(self, why: str) -> None:
        """Decide nothing more and give out no head, until this process is started again."""
        ...
