"""The owner's own limits: what may leave in a day, in all and to one destination.

They count every exit and every sub-account together. Lowering acts at once; raising waits, is
announced, and can be vetoed. A sum that was raised so has been silent for its whole wait, so it
stands for the second root that a platform's own limit asks for (law 4), for as long as nothing that
proved it is repudiated.

Always true (tests/property/test_limits_properties.py): no lowering lets more leave than before.
"""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from twinlock.domain.assurance import Factor
from twinlock.domain.spans import Spans


class Spent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What left or was authorized to leave on ``day`` (ISO date, UTC), in US cents."""

    day: str = ""
    cents: int = 0

    def plus(self, cents: int, *, at: datetime) -> "Spent":
        """Return the day's sum with ``cents`` more or less; a new day starts from zero."""
        day = at.date().isoformat()
        before = self.cents if self.day == day else 0
        return Spent(day=day, cents=max(before + cents, 0))


class Limits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Sums in US cents a day (UTC); None: as much as the platform lets leave.

    ``announced_cents`` is the highest sum a day that a raise announced and nobody vetoed; what
    stands between it and ``sms_at`` says what proved that raise, as a destination says it.
    ``before`` are the sums that stand again if that is repudiated, and ``raised_at`` when it was.
    """

    day_cents: int | None = None
    destination_cents: int | None = None
    announced_cents: int = 0
    by: tuple[int, ...] = ()
    behind: Spans = ()
    proved_by: tuple[Factor, ...] = ()
    sms_at: datetime | None = None
    before: tuple[int | None, int | None] | None = None
    raised_at: datetime | None = None


def as_high(new: int | None, old: int | None) -> bool:
    """Say whether ``new`` lets as much leave as ``old``; None is the highest."""
    if new is None:
        return True
    return old is not None and new >= old


def lowers(old: Limits, *, day_cents: int | None, destination_cents: int | None) -> bool:
    """Say whether these sums let no more leave than ``old`` in anything, and less in something."""
    pairs = ((day_cents, old.day_cents), (destination_cents, old.destination_cents))
    more = any(as_high(new, before) and new != before for new, before in pairs)
    return not more and any(new != before for new, before in pairs)


def lowered(old: Limits, *, day_cents: int | None, destination_cents: int | None) -> Limits:
    """Return ``old`` with lower sums; what was announced above them is announced no more."""
    announced = old.announced_cents
    if day_cents is not None:
        announced = min(announced, day_cents)
    return replace(
        old, day_cents=day_cents, destination_cents=destination_cents, announced_cents=announced
    )


def lowest(*sums: int | None) -> int | None:
    """Return the lowest of ``sums``; None is the highest."""
    return min((one for one in sums if one is not None), default=None)


def undone(limits: Limits) -> Limits:
    """Return the sums that stand again when what raised ``limits`` is repudiated.

    What was lowered since stays lowered. Prevents: an undoing that lets more leave than before it.
    """
    day, to = limits.before or (None, None)
    return Limits(
        day_cents=lowest(day, limits.day_cents),
        destination_cents=lowest(to, limits.destination_cents),
    )
