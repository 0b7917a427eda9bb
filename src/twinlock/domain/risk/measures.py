"""How well scores tell thieves from owners: arithmetic on lists of scores.

Always true (tests/unit/domain/risk/test_measures.py): a higher score of a thief's, or a lower one
of an owner's, never makes a measure worse.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from math import ceil


def area(attacks: Iterable[float], honest: Sequence[float]) -> float | None:
    """Return the area under the ROC curve: how often a thief's score is the higher of two.

    Ties count half; None where there is nothing to compare. ``honest`` is sorted.
    """
    every = len(honest)
    won = count = 0.0
    for one in attacks:
        won += (bisect_left(honest, one) + bisect_right(honest, one)) / 2
        count += 1
    return won / (count * every) if count and every else None


def threshold(attacks: Sequence[float], rate: float) -> float:
    """Return the highest score from which on ``rate`` of all attacks are; ``attacks`` is sorted."""
    caught = max(1, ceil(rate * len(attacks)))
    return attacks[len(attacks) - caught]


def share_from(scores: Sequence[float], limit: float) -> float | None:
    """Return the share of ``scores``, which are sorted, that are ``limit`` or more."""
    return (len(scores) - bisect_left(scores, limit)) / len(scores) if scores else None


def middle_count(users: Iterable[Sequence[float]], limit: float, *, sign_ins: int) -> float | None:
    """Return the median of how often a user is asked again in the first ``sign_ins``.

    A user's first one has no score. Who signed in less often is left out; None where nobody did.
    """
    counts = sorted(
        sum(score >= limit for score in scores[: sign_ins - 1])
        for scores in users
        if len(scores) >= sign_ins - 1
    )
    half = len(counts) // 2
    return (counts[half] + counts[~half]) / 2 if counts else None
