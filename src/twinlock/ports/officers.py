"""What is asked of the platform's own chain in the log."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeAlias

import msgspec

from twinlock.domain.officers.platform import Platform, PlatformLeaf

Speak: TypeAlias = Callable[[Platform, datetime], PlatformLeaf]


class PlacedAct(msgspec.Struct, frozen=True, kw_only=True):
    """One leaf of the platform's, and its index in the log."""

    index: int
    leaf: PlatformLeaf


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """The platform as it stands, and every act that made it so, in order."""

    platform: Platform
    acts: tuple[PlacedAct, ...]


class PlatformActs(Protocol):
    """The platform's leaves: each was signed by an officer, and all of them are there."""

    async def read(self) -> Chain:
        """Return them all. Raises LogDamagedError, UnavailableError."""
        ...

    async def append(self, speak: Speak) -> Chain:
        """Append what ``speak`` says of the platform at a moment, and return all.

        Once it returns, whatever is decided later knows it. What ``speak`` raises appends nothing.

        Raises:
            LogDamagedError, UnavailableError: as they say; nothing was appended, or all of it.
        """
        ...
