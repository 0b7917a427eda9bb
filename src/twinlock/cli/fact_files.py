"""Files of facts: past decisions that were exported by ``twinlock policy facts``."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import BinaryIO

from twinlock.domain.entries import leaf_time
from twinlock.domain.policy.backtesting import NotReplayedError, Snapshot, read_leaf
from twinlock.domain.policy.fact_lines import (
    LINE_BYTES_MOST,
    FactLineError,
    PolicyLine,
    read_line,
)

LINES = 2_000  # Given at once.


class FactFile:
    """Past decisions in a file. Implements ``ports.SnapshotSource``."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._texts: dict[str, bytes] = {}
        self._size = file.seek(0, 2)

    async def snapshots(
        self,
        since: datetime | None,
        until: datetime | None,
        *,
        advance: Callable[[int, int], None],
    ) -> AsyncIterator[Sequence[Snapshot]]:
        """Give every entry of the file from ``since`` on and before ``until``, some at a time.

        An entry whose time cannot be read is given.

        Raises:
            FactLineError: a line is none; or entries were taken out, or stand there twice.
        """
        self._file.seek(0)
        page: list[Snapshot] = []
        number = 0
        expected: int | None = None
        while data := self._file.readline(LINE_BYTES_MOST + 2):
            number += 1
            line = read_line(data.rstrip(b"\n"), number=number)
            if isinstance(line, PolicyLine):
                self._texts[line.policy] = bytes(line.text)
            else:
                _check_next(line.place, expected, number=number)
                expected = line.place + 1
                if _within(line, since, until):
                    page.append(line)
            if len(page) >= LINES:
                yield page
                page = []
                advance(self._file.tell(), self._size)
        yield page
        advance(self._size, self._size)

    async def policy(self, digest: str) -> bytes | None:
        """Return the whole text of a policy that stood above what it decided, or None."""
        return self._texts.get(digest)


def _check_next(place: int, expected: int | None, *, number: int) -> None:
    """Prevents: decisions that somebody took out, so that nothing would have changed."""
    if expected not in (None, place):
        raise FactLineError(f"line {number} is of entry {place}, and entry {expected} comes next")


def _within(one: Snapshot, since: datetime | None, until: datetime | None) -> bool:
    if since is None and until is None:
        return True
    try:
        at = read_leaf(one.leaf).at
    except NotReplayedError:
        return True
    after = since is None or at >= leaf_time(since)
    return after and (until is None or at < leaf_time(until))
