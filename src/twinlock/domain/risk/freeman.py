"""Freeman's model, to compare with: sub-features are weighed and summed, and nothing backs off.

    S = [(1/|U|) / (n_u/n)] · Π over IP and UA of  p(x) / p(x | u)

Each p is a weighted sum over sub-features. The weights are constants of das-group/rba-algorithm
(MIT). Nothing is decided by it; ``twinlock risk eval`` measures both.

Source: Freeman et al., NDSS 2016; Wiefling et al., "What's in Score for Website Users", 2021.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

# Fine to coarse: address, ASN, country; full string, browser, OS, device type.
IP_WEIGHTS = (0.6, 0.3, 0.1)
UA_WEIGHTS = (0.5386653840551359, 0.2680451498625666, 0.18818295100109536, 0.0051065150812021525)
NEVER_SEEN = 4.0  # The ratio where the account has shown no part of it.

Values: TypeAlias = tuple[Hashable, ...]  # Of one feature's sub-features, fine to coarse.


class Tallies(NamedTuple):
    """How often each value was seen, a mapping for each sub-feature, fine to coarse."""

    of_all: Sequence[Mapping[Any, int]]  # by values
    of_user: Sequence[Mapping[Any, int]]  # by values


class Sizes(NamedTuple):
    """How many sign-ins, users, and sign-ins of this user there are so far."""

    sign_ins: int
    users: int
    own: int


def score(features: Sequence[tuple[Values, Tallies, Sequence[float]]], sizes: Sizes) -> float:
    """Return Freeman's score, of ``features`` with their tallies and weights; 1 is neutral.

    Before the first sign-in of all, of users, or of this user, that count is taken as one.
    """
    sign_ins, users, own = (max(one, 1) for one in sizes)
    risk = sign_ins / (users * own)
    for values, tallies, weights in features:
        risk *= ratio(values, tallies, weights, sizes=sizes)
    return risk


def ratio(values: Values, tallies: Tallies, weights: Sequence[float], *, sizes: Sizes) -> float:
    """Return p(x) / p(x | u) of one feature."""
    parts = range(len(values))
    share = sum(weights[at] * _of_all(values, at, tallies, sizes) for at in parts)
    seen = (tallies.of_user[at].get(values[at], 0) for at in parts)
    own = sum(weight * times for weight, times in zip(weights, seen, strict=True))
    return share * max(sizes.own, 1) / own if own else NEVER_SEEN


def _of_all(values: Values, at: int, tallies: Tallies, sizes: Sizes) -> float:
    """Return the smoothed share of one sub-feature's value among all sign-ins."""
    coarser = 1 + sum(map(len, tallies.of_all[at + 1 :]))
    sign_ins = max(sizes.sign_ins, 1)
    held_back = sign_ins + coarser
    times = tallies.of_all[at].get(values[at], 0)
    if not times:
        return 1 / held_back
    return times / held_back  # times / sign_ins · (1 − coarser / held_back)
