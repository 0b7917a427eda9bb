"""The end of the log as one process knows it: sealed by us, and never other than it was.

The head row has a MAC under a seal key. Prevents: a tree that somebody without a key of ours wrote,
the database's owner or a thief with the application's role, and that we would sign.

An older head has a MAC too. Prevents: a whole database put back while we serve. What this process
has seen, in any of its connections, is a prefix of whatever it believes afterwards.

Always true (tests/integration/test_store_log_tampering.py, test_store_rollback.py): a head is
believed only if its MAC is ours and its tree begins with every tree that was believed before it;
once the log is distrusted, no head is.
"""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import asyncpg

from twinlock.adapters.boxes import Sealer
from twinlock.adapters.sql.tree import Edge
from twinlock.domain.errors import LogDamagedError, SealBrokenError
from twinlock.domain.log.merkle import HASH_BYTES, Frontier

_TAG = "head/v1"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)  # What PostgreSQL keeps of an instant.


class _HeadRow(NamedTuple):
    """A row of ``head`` without its MAC."""

    cell: int
    size: int
    edge: bytes
    at: datetime
    platform: bytes = b""

    def parts(self) -> tuple[bytes, ...]:
        """Return what the MAC is over: of the platform nothing, where it has no officers."""
        numbers = (self.cell, self.size, (self.at - _EPOCH) // _MICROSECOND)
        cell, size, at = (number.to_bytes(8, "big", signed=True) for number in numbers)
        return cell, size, self.edge, at, *filter(None, (self.platform,))


# What the first migration writes, which has no key: as good as an empty database.
_FIRST = _HeadRow(cell=1, size=0, edge=b"", at=_EPOCH)


class Watch:
    """What one process knows of the log's end; its reading and writing connections share it.

    ``seen`` is the largest tree that it believed, and ``edge`` the right edge that it wrote last.
    """

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self._checked: tuple[_HeadRow, bytes] | None = None
        self._distrusted = ""
        self.seen = Frontier()
        self.edge: Edge | None = None

    def distrust(self, why: str) -> None:
        """Believe no head any more, until the process is started again."""
        self._distrusted = why

    def check_trusted(self) -> None:
        """Return unless the log is distrusted. Raises LogDamagedError."""
        if self._distrusted:
            raise LogDamagedError(self._distrusted)

    def seal(self, frontier: Frontier, *, at: datetime, platform: bytes) -> bytes:
        """Return the MAC for the head row of ``frontier``, beside what stands of the platform."""
        edge = frontier.to_bytes()
        row = _HeadRow(cell=1, size=frontier.size, edge=edge, at=at, platform=platform)
        mac = self._sealer.mac(_TAG, *row.parts())
        self._checked = row, mac
        return mac

    def frontier_of(self, head: asyncpg.Record | None) -> Frontier:
        """Return the frontier that the head row holds, whether or not it is the latest.

        Raises:
            LogDamagedError: there is no such row, or it is not one that we wrote.
        """
        if head is None:
            raise LogDamagedError("the head of the log is gone")
        row = _HeadRow(*(head[name] for name in _HeadRow._fields))
        if (row, head["mac"]) != self._checked:
            self._check(row, head["mac"])
        if len(row.edge) != HASH_BYTES * row.size.bit_count():
            raise LogDamagedError("the head of the log does not fit its size")
        return Frontier.from_bytes(row.size, row.edge)

    def _check(self, row: _HeadRow, mac: bytes) -> None:
        if not mac and row == _FIRST:
            return
        try:
            self._sealer.check_mac(mac, _TAG, *row.parts())
        except SealBrokenError as error:
            raise LogDamagedError(f"the head of the log is not ours: {error}") from error
        self._checked = row, mac

    def see(self, frontier: Frontier) -> Frontier:
        """Note a head whose growth was checked, and return the largest that was ever noted.

        A slow reader learns so of what a faster one read meanwhile: heads are given out in order.
        """
        if frontier.size > self.seen.size:
            self.seen = frontier
        return self.seen

    def wrote(self, edge: Edge) -> None:
        """Note the edge of a tree that this process committed."""
        self.edge = edge
        self.see(edge.frontier)
