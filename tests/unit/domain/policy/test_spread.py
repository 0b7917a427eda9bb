"""Spreads of lengths: the middle one, the one of 95, and the longest."""

import pytest

from twinlock.domain.policy.spread import Spread, spread


def test_of_nothing_there_is_none() -> None:
    assert spread({}) is None


@pytest.mark.parametrize(
    ("seconds", "median", "p95", "most"),
    [
        ({5: 1}, 5, 5, 5),
        ({1: 1, 2: 1}, 1, 2, 2),
        ({3: 2, 1: 1}, 3, 3, 3),
        ({1: 95, 100: 5}, 1, 1, 100),
        ({1: 94, 100: 6}, 1, 100, 100),
        (dict.fromkeys(range(1, 101), 1), 50, 95, 100),
    ],
)
def test_lengths_are_told_by_three(
    seconds: dict[int, int], median: int, p95: int, most: int
) -> None:
    assert spread(seconds) == Spread(
        count=sum(seconds.values()), median_seconds=median, p95_seconds=p95, most_seconds=most
    )
