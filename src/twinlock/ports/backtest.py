"""What is asked of whoever holds past decisions: entries with their facts, and policies."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Protocol

from twinlock.domain.policy.backtesting import Snapshot


class SnapshotSource(Protocol):
    """Past decisions in the log's order, all of them as of one moment."""

    def snapshots(
        self,
        since: datetime | None,
        until: datetime | None,
        *,
        advance: Callable[[int, int], None],
    ) -> AsyncIterator[Sequence[Snapshot]]:
        """Give every entry from ``since`` on and before ``until``, some at a time.

        ``advance`` is told how much of how much was read. Raises UnavailableError.
        """
        ...

    async def policy(self, digest: str) -> bytes | None:
        """Return the whole text of a policy that decided, or None. Raises UnavailableError."""
        ...
