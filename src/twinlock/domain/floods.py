"""Floods: so many messages in a short time that the one which counts is not seen among them.

A thief who cannot stop the word of a change buries it: by what he asks for in the account, which we
tell, or by thousands of other people's messages to the same mailbox, of which the platform may hear
and we do not. Both are a flood here. It lengthens each wait of a change that was proved by then,
once (``unheard``), and what changes nothing is told no more one by one.

Always true (tests/property/test_floods_properties.py): a flood is noticed with the message that
makes it one, whatever came before; an account that is told less than NOTICES_PER_HOUR_MOST in an
hour is in none; its owner hears of floods once in FLOOD_TOLD_EVERY.
"""

from datetime import datetime
from math import ceil

import msgspec

from twinlock.domain.bounds import FLOOD_TOLD_EVERY, FLOOD_WINDOW, NOTICES_PER_HOUR_MOST

_HOUR = int(FLOOD_WINDOW.total_seconds())
_DAY = int(FLOOD_TOLD_EVERY.total_seconds())


class Rings(msgspec.Struct, frozen=True, array_like=True):
    """How often an account was told something: ``count`` times in the hour from ``since``.

    ``entry`` is the account's entry that was told last: what one decision tells is one message.
    ``flood_at`` is when the last flood was at its height, and ``told_at`` when its owner last heard
    of one: in POSIX seconds, rounded up.
    """

    since: int = 0
    count: int = 0
    entry: int = -1
    flood_at: int = 0
    told_at: int = 0

    def flooded(self, now: datetime) -> bool:
        """Say whether a flood goes on at ``now``: it is over when an hour was quieter."""
        return bool(self.flood_at) and now.timestamp() < self.flood_at + _HOUR

    def since_flooded(self, at: datetime) -> bool:
        """Say whether a flood was noticed after ``at``, or so shortly before that it went on."""
        return self.flooded(at) or self.flood_at > at.timestamp()


def rung(rings: Rings, at: datetime, *, entry: int) -> Rings:
    """Return ``rings`` after one more message at ``at``, of the account's entry ``entry``.

    Prevents: many requests at once, all of which are decided in one instant, as one message.
    """
    now = ceil(at.timestamp())
    if entry == rings.entry:
        return rings
    goes_on = now < rings.since + _HOUR
    since, count = (rings.since, rings.count + 1) if goes_on else (now, 1)
    after = Rings(since, min(count, NOTICES_PER_HOUR_MOST), entry, rings.flood_at, rings.told_at)
    return after if count < NOTICES_PER_HOUR_MOST else under_flood(after, at)


def under_flood(rings: Rings, at: datetime) -> Rings:
    """Return ``rings`` where a flood is at its height at ``at``."""
    now = ceil(at.timestamp())
    told = now if now >= rings.told_at + _DAY else rings.told_at
    return msgspec.structs.replace(rings, flood_at=max(now, rings.flood_at), told_at=told)
