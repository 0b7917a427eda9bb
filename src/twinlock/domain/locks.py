"""The owner's own lock: every exit and every loosening waits as long as the owner chose.

A lock is tightened at once and loosened only after its own delay. Nobody shortens it: not support,
not an officer, not the owner. With ``two_keys`` two independent roots spare an action the delay,
but for the one that loosens the lock.

Source: what exchanges offer as a settings lock or withdrawal protection (docs/profiles.md).
"""

from datetime import datetime, timedelta

import msgspec

from twinlock.domain.bounds import LOCK_DAYS_MOST
from twinlock.domain.spans import Spans


class Lock(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """How many days everything waits, and whether two keys spare it."""

    days: int
    two_keys: bool = False

    @property
    def delay(self) -> timedelta:
        """Return the length of the wait."""
        return timedelta(days=self.days)


OPEN = Lock(days=0)


class Eased(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The last loosening of a lock: what stood before it, when it took effect, and what proved it.

    ``by`` and ``behind`` are as a destination says them.
    """

    before: Lock
    at: datetime
    by: tuple[int, ...] = ()
    behind: Spans = ()


def tightens(new: Lock, old: Lock) -> bool:
    """Say whether ``new`` is a lock that spares nobody anything that ``old`` did not."""
    if not 0 < new.days <= LOCK_DAYS_MOST or new.days < old.days or new == old:
        return False
    return old.days == 0 or old.two_keys or not new.two_keys


def tighter(one: Lock, other: Lock) -> Lock:
    """Return the lock that spares nobody anything that either of the two did not spare."""
    if not one.days or not other.days:
        return one if one.days else other
    return Lock(days=max(one.days, other.days), two_keys=one.two_keys and other.two_keys)
