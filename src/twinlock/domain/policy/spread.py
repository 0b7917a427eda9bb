"""Spread: how lengths are distributed, told by three of them."""

from collections.abc import Mapping
from itertools import accumulate

import msgspec


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Of so many lengths the middle one, the one that 95 of 100 do not exceed, and the longest."""

    count: int
    median_seconds: int
    p95_seconds: int
    most_seconds: int


def spread(seconds: Mapping[int, int]) -> Spread | None:
    """Return the spread of lengths in seconds, each with how often it is there; None of none.

    Of an even number the middle one is the shorter of two (nearest rank).
    """
    count = sum(seconds.values())
    if not count:
        return None
    return Spread(
        count=count,
        median_seconds=_at(seconds, -(-count // 2)),
        p95_seconds=_at(seconds, -(-count * 95 // 100)),
        most_seconds=max(seconds),
    )


def _at(seconds: Mapping[int, int], rank: int) -> int:
    """Return the length of ``rank``, counted from 1, shortest first."""
    lengths = sorted(seconds)
    ranks = accumulate(seconds[length] for length in lengths)
    return next(length for length, last in zip(lengths, ranks, strict=True) if last >= rank)
