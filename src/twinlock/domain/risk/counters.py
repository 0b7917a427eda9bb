"""Counters: how often each value of a feature was seen, as a tree from coarse to fine.

A *path* names one value by its nodes, coarse first: a country, a network's owner in it, a /24 of
that owner's, an address. A node's name is unique in its tree, so a path ends where its last node
says. An empty name is a value that nobody knows, and never equals another.

Always true (tests/property/test_risk_properties.py): every probability lies in (0, 1], whatever
was counted, so that no score is infinite or no number.
"""

from collections.abc import Mapping, MutableMapping
from typing import NamedTuple, TypeAlias

ROOT = ""  # What all paths begin at: its count is that of all sign-ins.
LEVELS = 4  # Of a path. IP: country, ASN, /24 (/48), address. UA: device, OS, browser, string.
UNKNOWN = ""

Path: TypeAlias = tuple[str, ...]
NOBODY_KNOWS: Path = (UNKNOWN,) * LEVELS


class Counters(NamedTuple):
    """Counts of nodes, and how many different ones were seen below each. ROOT is among them."""

    counts: Mapping[str, int]
    children: Mapping[str, int]


def count(path: Path, counts: MutableMapping[str, int], children: MutableMapping[str, int]) -> None:
    """Count ``path`` once more; what lies below an unknown node is not counted."""
    counts[ROOT] = counts.get(ROOT, 0) + 1
    parent = ROOT
    for node in path:
        if node == UNKNOWN:
            return
        before = counts.get(node, 0)
        if not before:
            children[parent] = children.get(parent, 0) + 1
        counts[node] = before + 1
        parent = node


def steps(path: Path, seen: Counters, *, root: str = ROOT) -> tuple[float, ...]:
    """Return for each level of ``path`` how likely its node is below the one before it.

    ``root`` is where the path begins, where several trees stand in one. Additive smoothing by ½;
    below a node that nobody saw each step halves. Their product is the probability of ``path``
    among all sign-ins.
    """
    parent = root
    likely: list[float] = []
    for node in path:
        below = 0 if parent == UNKNOWN and likely else seen.counts.get(parent, 0)
        if likely and not below:
            likely.append(0.5)
        else:
            found = 0 if node == UNKNOWN else seen.counts.get(node, 0)
            likely.append((found + 0.5) / (below + 0.5 * (seen.children.get(parent, 0) + 1)))
        parent = node
    return tuple(min(one, 1.0) for one in likely)
