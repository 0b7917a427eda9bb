"""What is asked of an installation that is audited, and of those who check its parts."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from twinlock.domain.audit.parts import Checked, Extent, Part
from twinlock.domain.audit.tree import Hashes


class AuditSource(Protocol):
    """What an audit looks at, all of it as of one moment."""

    @property
    def extent(self) -> Extent:
        """How much there is."""
        ...

    @property
    def hashes(self) -> Hashes:
        """The hashes of all leaves that the crew has read, in the log's order."""
        ...

    def unclaimed(self) -> Iterator[int]:
        """Yield the leaves that no account of those that were checked has as its entry."""
        ...

    async def tiles(self, level: int, first: int, last: int) -> Mapping[int, bytes]:
        """Return the stored tiles of ``level`` from ``first`` on and before ``last``."""
        ...


class AuditCrew(Protocol):
    """Those who check the parts of an audit, each for itself."""

    def check(self, parts: Sequence[Part]) -> AsyncIterator[Checked]:
        """Yield what was checked of each part, in the order in which they are done."""
        ...


class AuditTask(Protocol):
    """What one member of the crew is handed, in this process or in another: it can be pickled."""

    def begin(self) -> AbstractAsyncContextManager[Callable[[Part], Awaitable[Checked]]]:
        """Open what a member needs, and lend what checks one part after the other."""
        ...
