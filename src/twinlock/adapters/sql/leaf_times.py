"""Leaves by their times: which is the first one that is not before an instant.

Leaves stand in the order of their times (``twinlock audit`` checks it), so the first one of a time
is found by halving, and nothing before it is read.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeAlias

from twinlock.domain.entries import leaf_time

Fetch: TypeAlias = Callable[..., Awaitable[list[Any]]]

_READ_SIZE = "SELECT size FROM head WHERE cell = 1"
_READ_TIME = """
SELECT (convert_from(entry, 'UTF8')::json->>'at')::bigint FROM leaf WHERE cell = 1
   AND leaf_index = $1
"""


async def size_of_log(fetch: Fetch) -> int:
    """Return how many leaves there are."""
    return int((await fetch(_READ_SIZE))[0]["size"])


async def first_leaf(fetch: Fetch, at: datetime) -> int:
    """Return the index of the first leaf that is not before ``at``, or the log's size."""
    low, high, wanted = 0, await size_of_log(fetch), leaf_time(at)
    while low < high:
        middle = (low + high) // 2
        rows = await fetch(_READ_TIME, middle)
        if rows and rows[0][0] < wanted:
            low = middle + 1
        else:
            high = middle
    return low
