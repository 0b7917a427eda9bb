"""The score of one sign-in, 0 … 100: a likelihood ratio, and what else was noticed.

    risk = 10 × (ln-ratio of IP and UA + what is added), cut to 0 … 100

The ratio is ``back_off``; what is added is chosen and not learnt, each at least 0, so that whatever
more is noticed never lowers a score. docs/risk.md says what was measured with it, and on what.

Always true (tests/property/test_risk_properties.py):

* a whole number from 0 to 100, whatever was counted and told;
* what cannot be read never scores less than what nobody has ever seen;
* what an account has shown more often never scores more for it.
"""

from datetime import datetime
from math import asin, cos, isfinite, log, radians, sin, sqrt

import msgspec

from twinlock.domain.bounds import RISK_MOST as MOST
from twinlock.domain.errors import invariant
from twinlock.domain.risk.back_off import Feature, ip_ratio, ua_ratio
from twinlock.domain.risk.counters import LEVELS
from twinlock.domain.risk.visits import (
    DEGREES,
    DOWN,
    HOURS,
    History,
    Visit,
    VisitFault,
    hour_of,
    hours_of,
    levels_of,
    path_of,
    rtts_of,
)

RAISED = 60  # From here on a sign-in is unlike the account's own: policies hold its exits.
HIGH = 85  # From here on it looks like somebody else's.
_PER_NAT = 10

# Nats added, each for a reason; a nat is a factor of 2.7 in how much likelier a thief is.
NEW_DEVICE = 2.0  # One in seven of the honest comes with a new device key, and each thief does.
IMPOSSIBLE_TRAVEL = 3.0  # Faster than a plane; a private network does it too, so no more.
HOSTING = 1.5  # A data centre or a private network, where the operator's file says so.
EACH_FAILURE = 0.5  # Of wrong answers in a row from devices like this one …
FAILURES_COUNTED = 5  # … as many as are free.
FAN_OUT_FROM = 4  # 2⁴ accounts at one address within the hour: an office has as many.
EACH_DOUBLING = 0.5  # Of accounts at one address beyond that.
DOUBLINGS_COUNTED = 6
LONG_AWAY = 1.0  # After 90 days, as a device that is known no more.
LONG_AWAY_SECONDS = 90 * 86_400
OTHER_RTT = 1.0  # A round trip twice as long or half as long as any before, or one kept back.
OLDER_BROWSER = 1.0  # Browsers are updated and hardly ever the other way.
STRANGE_HOUR_MOST = 1.0
EARTH_KM = 6_371.0
FAST_KM_H = 1_000.0  # A passenger aircraft's cruise.
NEAR_KM = 1_500.0  # Places are middles of countries and providers: off by as much.


class Noticed(msgspec.Struct, frozen=True, kw_only=True):
    """One sign-in with what others' sign-ins say of it; never kept.

    ``ip`` and ``ua`` are ``counters.steps`` of its paths. ``fan_out`` is how many accounts were
    asked for from its address lately.
    """

    visit: Visit
    ip: tuple[float, ...]
    ua: tuple[float, ...]
    hosting: bool = False
    fan_out: int = 0


def unread(*faults: VisitFault) -> Noticed:
    """Return a sign-in of which nothing can be read, as if nobody had ever seen the like."""
    never = (1.0, *(0.5,) * (LEVELS - 1))
    return Noticed(visit=Visit(faults=faults), ip=never, ua=never)


def risk_of(
    noticed: Noticed, history: History, *, new_device: bool, failures: int, now: datetime
) -> int:
    """Return the score of a sign-in to an account with ``history``, 0 … 100.

    Where something of our own is down it is RAISED at least, once the account has a history.
    """
    visit = noticed.visit
    nats = 0.0
    if history.at:
        ip = Feature(path_of(visit.ip), noticed.ip)
        ua = Feature(path_of(visit.ua), noticed.ua)
        nats = ip_ratio(ip, levels_of(history.ip)) + ua_ratio(ua, levels_of(history.ua))
        nats += _beside(noticed, history, new_device=new_device, now=now)
    nats += HOSTING if noticed.hosting else 0.0
    nats += EACH_FAILURE * min(failures, FAILURES_COUNTED) + _fan_out(noticed.fan_out)
    invariant(isfinite(nats), "a score is a number")
    risk = max(0, min(int(nats * _PER_NAT), MOST))
    down = history.at and not DOWN.isdisjoint(visit.faults)
    return max(risk, RAISED) if down else risk


def _beside(noticed: Noticed, history: History, *, new_device: bool, now: datetime) -> float:
    visit = noticed.visit
    away = now.timestamp() - history.at
    rtts = rtts_of(history)
    added = (
        (NEW_DEVICE, new_device),
        (IMPOSSIBLE_TRAVEL, too_fast(history, visit, seconds=away)),
        (LONG_AWAY, away > LONG_AWAY_SECONDS),
        (OTHER_RTT, bool(rtts) and visit.rtt not in rtts),
        (OLDER_BROWSER, bool(history.version) and visit.version < history.version),
    )
    return sum(nats for nats, so in added if so) + _strange_hour(hours_of(history), hour_of(now))


def too_fast(history: History, visit: Visit, *, seconds: float) -> bool:
    """Say whether nobody travels so far in so many seconds."""
    if history.place is None or visit.place is None:
        return False
    far = kilometres(history.place, visit.place) - NEAR_KM
    return far > max(seconds, 0.0) / 3_600 * FAST_KM_H and far > 0


def kilometres(one: tuple[int, int], other: tuple[int, int]) -> float:
    """Return the distance of two places in tenths of a degree, by the haversine."""
    (lat, lon), (lat2, lon2) = ((radians(at / DEGREES) for at in place) for place in (one, other))
    half = sin((lat2 - lat) / 2) ** 2 + cos(lat) * cos(lat2) * sin((lon2 - lon) / 2) ** 2
    return 2 * EARTH_KM * asin(min(sqrt(half), 1.0))


def _strange_hour(hours: tuple[int, ...], part: int) -> float:
    """Return up to a nat for a part of the week that the account hardly ever uses."""
    if not hours:
        return 0.0
    share = (hours[part] + 0.5) / (sum(hours) + 0.5 * HOURS)
    return min(max(-log(share * HOURS), 0.0), STRANGE_HOUR_MOST)


def _fan_out(accounts: int) -> float:
    doublings = accounts.bit_length() - 1 - FAN_OUT_FROM
    return EACH_DOUBLING * max(0, min(doublings, DOUBLINGS_COUNTED))
