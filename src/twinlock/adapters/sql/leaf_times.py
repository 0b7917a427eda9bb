"""Leaves by their times: which is the first one that is not before an instant.

Leaves stand in the order of their times (``twinlock audit`` checks it), so the first one of a time
is found by halving, and nothing before it is read.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import asyncpg

from twinlock.adapters.sql.connections import Database
from twinlock.domain.entries import leaf_time
from twinlock.domain.errors import LogDamagedError

Fetch: TypeAlias = Callable[..., Awaitable[list[Any]]]

_READ_SIZE = "SELECT size FROM head WHERE cell = 1"
_READ_TIME = """
SELECT (convert_from(entry, 'UTF8')::json->>'at')::bigint FROM leaf WHERE cell = 1
   AND leaf_index = $1
"""

# When these leaves came; one that says no time is no leaf.
_READ_TIMES = """
SELECT leaf_index, (convert_from(entry, 'UTF8')::json->>'at')::bigint AS at FROM leaf
 WHERE cell = 1 AND leaf_index = ANY($1::bigint[])
"""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SqlLeafTimes:
    """The times of entries. Implements ``LeafTimes``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def times(self, indexes: tuple[int, ...]) -> Mapping[int, datetime]:
        """Return the instant of each of these entries.

        Raises:
            LogDamagedError: one of them is gone, or says no time.
        """
        rows = await self._database.read(lambda db: db.fetch(_READ_TIMES, list(indexes)))
        found = {row["leaf_index"]: row["at"] for row in rows}
        if set(found) != set(indexes) or None in found.values():
            raise LogDamagedError("a leaf is gone, or says no time")
        return {index: _EPOCH + timedelta(milliseconds=at) for index, at in found.items()}


async def size_of_log(fetch: Fetch) -> int:
    """Return how many leaves there are."""
    return int((await fetch(_READ_SIZE))[0]["size"])


async def first_leaf(fetch: Fetch, at: datetime) -> int:
    """Return the index of the first leaf that is not before ``at``, or the log's size.

    Prevents: whatever stands behind a leaf that somebody removed, left out without a word.

    Raises:
        LogDamagedError: a leaf that it looks at is gone, or says no time.
    """
    low, high, wanted = 0, await size_of_log(fetch), leaf_time(at)
    while low < high:
        middle = (low + high) // 2
        if await _time_of(fetch, middle) < wanted:
            low = middle + 1
        else:
            high = middle
    return low


async def _time_of(fetch: Fetch, index: int) -> int:
    try:
        rows = await fetch(_READ_TIME, index)
    except asyncpg.DataError as error:
        raise LogDamagedError(f"leaf {index} is not of the form of one") from error
    if not rows or rows[0][0] is None:
        raise LogDamagedError(f"leaf {index} is gone, or says no time")
    return int(rows[0][0])
