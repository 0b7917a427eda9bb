"""The owner's own lock: every exit and every loosening waits as long as the owner chose.

A lock is tightened at once and loosened only after its own delay. Nobody shortens it: not support,
not an officer, not the owner. With ``two_keys`` two independent roots spare an action the delay,
but for the one that loosens the lock. With ``both_keys`` nothing spares it, and two independent
roots are asked for beside it.

Source: what exchanges offer as a settings lock or withdrawal protection (docs/profiles.md).
"""

from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from twinlock.domain.bounds import LOCK_DAYS_MOST
from twinlock.domain.errors import invariant
from twinlock.domain.spans import Spans


class Lock(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """How many days everything waits, and whether two keys spare it, or are needed beside it.

    What was stored before ``both_keys`` has two elements, and reads as it did.
    """

    days: int
    two_keys: bool = False
    both_keys: bool = False

    def __post_init__(self) -> None:
        invariant(not (self.two_keys and self.both_keys), "two keys spare a wait, or stand beside")

    @property
    def delay(self) -> timedelta:
        """Return the length of the wait."""
        return timedelta(days=self.days)


OPEN = Lock(days=0)


def lock_of(days: int, *, two_keys: bool, both_keys: bool) -> Lock:
    """Return the lock that is asked for; of what would spare and ask for keys the stricter."""
    if not days:
        return OPEN
    return Lock(days=days, two_keys=two_keys and not both_keys, both_keys=both_keys)


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
    return old.days == 0 or _strictness(new) >= _strictness(old)


def tighter(one: Lock, other: Lock) -> Lock:
    """Return the lock that spares nobody anything that either of the two did not spare."""
    if not one.days or not other.days:
        return one if one.days else other
    stricter = max(one, other, key=_strictness)
    return replace(stricter, days=max(one.days, other.days))


def _strictness(lock: Lock) -> int:
    """Return how strict ``lock`` is about keys: they spare the wait, do nothing, or are needed."""
    return 2 if lock.both_keys else int(not lock.two_keys)
