"""Spans of an account's entries: single ones told apart, and of too many some with all between.

Always true (tests/property/test_newcomers_properties.py): no entry that was added is ever missing;
what lies outside all that was added is never among them.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import TypeAlias

Spans: TypeAlias = tuple[tuple[int, int], ...]  # The first and the last entry of each, in order.


def spans_of(entries: Iterable[int]) -> Spans:
    """Return ``entries``, each a span of its own."""
    return tuple((entry, entry) for entry in sorted(set(entries)))


def meet(some: Spans, others: Spans) -> bool:
    """Say whether an entry lies in both."""
    return any(first <= end and start <= last for first, last in some for start, end in others)


def joined(*every: Spans, most: int, apart: Iterable[int] = ()) -> Spans:
    """Return all of ``every`` as ``most`` spans; of too many two neighbours count as one.

    They are those with the fewest entries of ``apart`` between them, the oldest first.
    """
    kept = sorted({span for spans in every for span in spans})
    between = sorted(apart)
    while len(kept) > most:
        gaps = [
            sum(one[1] < entry < other[0] for entry in between) for one, other in pairwise(kept)
        ]
        at = gaps.index(min(gaps))
        first, last = kept[at], kept[at + 1]
        kept[at : at + 2] = [(first[0], max(first[1], last[1]))]
    return tuple(kept)
