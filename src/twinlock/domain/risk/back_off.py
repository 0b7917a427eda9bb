"""The back-off likelihood ratio: how much likelier a thief's sign-in looks like this than ours.

    score = Σ over IP and UA of  ln P_att(x) − ln P_user(x)

``P_user`` starts at the share of ``x`` among all sign-ins, and moves from coarse to fine towards
what this account has shown: with n sign-ins of T different values at a level, λ = n / (n + T) of it
is what was seen there. ``P_att`` for an address is a mixture of a thief anywhere, one in the
account's country, and one at its usual provider; for a user agent a thief is like everybody.

Source: Freeman et al., NDSS 2016 (the ratio); Witten and Bell 1991 (λ); docs/risk.md.
"""

from collections.abc import Sequence
from math import log, prod
from typing import NamedTuple, TypeAlias

from twinlock.domain.risk.counters import LEVELS, UNKNOWN, Path

ANYWHERE, IN_THE_COUNTRY, AT_THE_PROVIDER = 0.5, 0.3, 0.2  # Of a thief's addresses; they sum to 1.
COUNTRY, PROVIDER = 0, 1  # Levels of an IP's path.

Seen: TypeAlias = tuple[tuple[str, int], ...]  # Nodes of one level and how often, of one account.


class Feature(NamedTuple):
    """One feature of one sign-in: its path, and ``counters.steps`` of it among all sign-ins."""

    path: Path
    likely: tuple[float, ...]


def below(feature: Feature, level: int) -> float:
    """Return how likely what is finer than ``level`` is, given the node there."""
    return prod(feature.likely[level + 1 :])


def of_account(feature: Feature, own: Sequence[Seen]) -> float:
    """Return how likely the account itself shows ``feature``; ``own`` has one entry a level."""
    likely = prod(feature.likely)
    for level, node in enumerate(feature.path):
        seen = own[level]
        total = sum(times for _, times in seen)
        if not total:
            continue
        share = total / (total + len(seen))
        times = 0 if node == UNKNOWN else dict(seen).get(node, 0)
        likely = share * (times / total) * below(feature, level) + (1 - share) * likely
    return likely


def usual(seen: Seen) -> str:
    """Return the node seen most often, the last of equals; UNKNOWN where there is none."""
    return max(reversed(seen), key=lambda one: one[1], default=(UNKNOWN, 0))[0]


def of_a_thief(feature: Feature, own: Sequence[Seen]) -> float:
    """Return how likely a thief shows this address: from anywhere, the country, the provider."""
    country, provider = feature.path[COUNTRY], feature.path[PROVIDER]
    likely = ANYWHERE * prod(feature.likely)
    if country != UNKNOWN and country == usual(own[COUNTRY]):
        likely += IN_THE_COUNTRY * below(feature, COUNTRY)
    if provider != UNKNOWN and provider == usual(own[PROVIDER]):
        likely += AT_THE_PROVIDER * below(feature, PROVIDER)
    return likely


def ip_ratio(feature: Feature, own: Sequence[Seen]) -> float:
    """Return ln P_att − ln P_user of an address, in nats; 0 where the account showed none yet."""
    if not any(own):
        return 0.0
    if UNKNOWN in feature.path:
        return max(_ip_ratio(one, own) for one in _worst(feature, own))
    return _ip_ratio(feature, own)


def ua_ratio(feature: Feature, own: Sequence[Seen]) -> float:
    """Return the same of a user agent."""
    if not any(own):
        return 0.0
    return log(prod(feature.likely)) - log(of_account(feature, own))


def _ip_ratio(feature: Feature, own: Sequence[Seen]) -> float:
    return log(of_a_thief(feature, own)) - log(of_account(feature, own))


def _worst(feature: Feature, own: Sequence[Seen]) -> tuple[Feature, ...]:
    """Return what an address that is not known to its end may be: it counts as the riskiest.

    Prevents: a thief who has an address that is listed nowhere, because it scores less than one in
    the owner's own country.
    """
    known = feature.path[: feature.path.index(UNKNOWN)]
    near = usual(own[COUNTRY]), usual(own[PROVIDER])
    guesses = {known, *(known + near[len(known) : depth] for depth in (1, 2))}
    return tuple(
        Feature(path=guess + (UNKNOWN,) * (LEVELS - len(guess)), likely=feature.likely)
        for guess in guesses
    )
