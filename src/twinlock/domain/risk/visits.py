"""Visits: what is kept of a sign-in, and what an account remembers of its own.

Neither holds an address or a user agent: nodes are named by hashes, and a place on earth is the
middle of a country, or what an operator's file tells to 11 km. It is personal data all the same, so
it stands in the account's sealed document and events, and goes with the account's key.

Always true (tests/property/test_risk_properties.py): a history has HISTORY_BYTES_MOST bytes at
most, however many sign-ins made it.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

import msgspec

from twinlock.domain.canonical import b64url, tagged_hash
from twinlock.domain.errors import invariant
from twinlock.domain.risk.back_off import Seen
from twinlock.domain.risk.counters import LEVELS, UNKNOWN, Path

NODE_LETTERS = 4  # 24 bits: of an account's few nodes one in a million looks like another.
# Nodes of an account kept at each level, coarse to fine; of more the one seen longest ago goes.
IP_KEPT = (2, 3, 3, 4)
UA_KEPT = (2, 2, 2, 3)
RTT_KEPT = 3
TIMES_MOST = 63  # Of one node: what is beyond makes no difference. One letter.
HISTORY_BYTES_MOST = 256  # Of the account's document: all that there is room for beside the rest.
HOURS = 12  # Four hours each, of working days and of weekends.
RTT_MOST = 16  # Powers of two of milliseconds: a minute.
VERSION_MOST = 9_999  # Of a browser.
DEGREES = 10  # A place is counted in tenths of a degree: 11 km.
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_BETWEEN = "."  # Two levels.


class VisitFault(StrEnum):
    """What could not be read of a sign-in; it counts as the riskiest of its kind."""

    NOT_TOLD = "not_told"  # the platform told of earlier ones, and says nothing of this one
    IP_MISSING = "ip_missing"
    IP_MALFORMED = "ip_malformed"
    IP_NOT_PUBLIC = "ip_not_public"
    IP_UNKNOWN = "ip_unknown"
    UA_MISSING = "ua_missing"
    UA_MALFORMED = "ua_malformed"
    UA_TOO_LONG = "ua_too_long"
    LOOKUP_DOWN = "lookup_down"  # ours: a file or a parser
    COUNTS_DOWN = "counts_down"  # ours: how often others were seen


DOWN = frozenset({VisitFault.LOOKUP_DOWN, VisitFault.COUNTS_DOWN})


class Visit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A sign-in as it is kept: ``ip`` and ``ua`` are paths, one node after the other.

    ``place`` is latitude and longitude in tenths of a degree; ``rtt`` a power of two of
    milliseconds, 0 where none was told; ``version`` the browser's, 0 where none is known.
    """

    ip: str = ""
    ua: str = ""
    place: tuple[int, int] | None = None
    rtt: int = 0
    version: int = 0
    faults: tuple[VisitFault, ...] = ()

    def __post_init__(self) -> None:
        whole = all(
            len(path) % NODE_LETTERS == 0 and len(path) <= LEVELS * NODE_LETTERS
            for path in (self.ip, self.ua)
        )
        invariant(whole, "a path is whole nodes")
        sizes = 0 <= self.rtt <= RTT_MOST and 0 <= self.version <= VERSION_MOST
        invariant(sizes, "a visit is in range")


class History(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an account's own sign-ins looked like, the last seen last.

    ``ip`` and ``ua`` are their levels, coarse to fine: nodes, each with one letter that says how
    often. So is ``rtt``, whose names have one letter; ``hours`` has one for each part of the week.
    ``at`` is the last sign-in, in POSIX seconds.
    """

    ip: str = ""
    ua: str = ""
    rtt: str = ""
    hours: str = ""
    place: tuple[int, int] | None = None
    version: int = 0
    at: int = 0


def path_of(joined: str) -> Path:
    """Return the path of its nodes' letters; what is missing at its end is unknown."""
    nodes = [joined[at : at + NODE_LETTERS] for at in range(0, len(joined), NODE_LETTERS)]
    return (*nodes, *(UNKNOWN,) * (LEVELS - len(nodes)))


def hour_of(at: datetime) -> int:
    """Return the part of the week, 0 … 11: four hours (UTC) of a working day or of a weekend."""
    weekend = at.weekday() >= 5  # noqa: PLR2004 - Saturday
    return at.hour // 4 + (HOURS // 2 if weekend else 0)


def joined(*values: str) -> str:
    """Return the nodes' letters of ``values``, coarse to fine; what follows an unknown one is none.

    A node stands for its value and all coarser ones. No key is in it: it is for sealed documents,
    where a change of keys must not make strangers of all customers.
    """
    letters = ""
    for depth, value in enumerate(values, start=1):
        if value == UNKNOWN:
            break
        digest = tagged_hash("sign-in-node/v1", *(one.encode() for one in values[:depth]))
        letters += b64url(digest)[:NODE_LETTERS]
    return letters


def levels_of(text: str) -> tuple[Seen, ...]:
    """Return what was seen at each level of ``text``; nothing yet is nothing at each."""
    levels = tuple(map(seen_in, text.split(_BETWEEN)))
    return levels if len(levels) == LEVELS else ((),) * LEVELS


def seen_in(text: str, letters: int = NODE_LETTERS) -> Seen:
    """Return the names in ``text``, so many letters each, and how often each was seen."""
    starts = range(0, len(text), letters + 1)
    return tuple((text[at : at + letters], _LETTERS.index(text[at + letters])) for at in starts)


def rtts_of(history: History) -> dict[int, int]:
    """Return which round trips the account had, as powers of two, and how often."""
    return {_LETTERS.index(name): times for name, times in seen_in(history.rtt, 1)}


def hours_of(history: History) -> tuple[int, ...]:
    """Return how often each part of the week was used; nothing where none was yet."""
    return tuple(map(_LETTERS.index, history.hours))


def remember(history: History, visit: Visit, *, at: datetime) -> History:
    """Return ``history`` with one more sign-in of the account's own."""
    rtt = _one_more(seen_in(history.rtt, 1), _LETTERS[visit.rtt], RTT_KEPT)
    return History(
        ip=remember_path(history.ip, path_of(visit.ip), IP_KEPT),
        ua=remember_path(history.ua, path_of(visit.ua), UA_KEPT),
        rtt=rtt if visit.rtt else history.rtt,
        hours=_hours(hours_of(history), hour_of(at)),
        place=visit.place or history.place,
        version=visit.version or history.version,
        at=int(at.timestamp()),
    )


def remember_path(text: str, path: Path, kept: Iterable[int]) -> str:
    """Return the levels of ``text`` with ``path`` once more, so many nodes of each at most."""
    return _BETWEEN.join(
        _one_more(seen, node, most)
        for seen, node, most in zip(levels_of(text), path, kept, strict=True)
    )


def _one_more(seen: Seen, name: str, most: int) -> str:
    """Return ``seen`` with ``name`` once more, and last; what is unknown adds nothing."""
    after = dict(seen)
    times = after.pop(name, 0)
    if name != UNKNOWN:
        after[name] = min(times + 1, TIMES_MOST)
    kept = list(after.items())[-most:]
    return "".join(f"{node}{_LETTERS[times]}" for node, times in kept)


def _hours(hours: tuple[int, ...], part: int) -> str:
    counted = hours or (0,) * HOURS
    return "".join(_LETTERS[min(n + (at == part), TIMES_MOST)] for at, n in enumerate(counted))
