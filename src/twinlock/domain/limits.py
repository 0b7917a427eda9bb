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

from twinlock.domain.actions import LimitLower, LimitRaise
from twinlock.domain.assurance import Factor
from twinlock.domain.bounds import SENT_TO_MOST
from twinlock.domain.spans import Spans

_REST = ""  # The name of what is kept under no name of its own.


class Spent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What left or was authorized to leave on ``day`` (ISO date, UTC), in US cents."""

    day: str = ""
    cents: int = 0

    def plus(self, cents: int, *, at: datetime) -> "Spent":
        """Return the day's sum with ``cents`` more or less; a new day starts from zero."""
        day = at.date().isoformat()
        before = self.cents if self.day == day else 0
        return Spent(day=day, cents=max(before + cents, 0))


class SentTo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What left or was authorized on ``day`` (ISO date, UTC) to each place, in US cents.

    Places are short MACs (``policy.leaving.place_mac``). Of more than SENT_TO_MOST on one day the
    rest, by the name of none, count as one.
    """

    day: str = ""
    cents: dict[str, int] = {}

    def empty(self, *, at: datetime) -> bool:
        """Say whether nothing counts on the day of ``at``."""
        return self.day != at.date().isoformat()

    def on(self, place: str, *, at: datetime) -> int:
        """Return what counts for ``place`` on the day of ``at``."""
        if self.empty(at=at):
            return 0
        return self.cents.get(place, self.cents.get(_REST, 0))

    def plus(self, place: str, cents: int, *, at: datetime) -> "SentTo":
        """Return the day's sums with ``cents`` more or less to ``place``."""
        day = at.date().isoformat()
        before = self.cents if self.day == day else {}
        full = len(before) >= SENT_TO_MOST and place not in before
        named = _REST if full else place
        return SentTo(day=day, cents={**before, named: max(before.get(named, 0) + cents, 0)})


class Limits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Sums in US cents a day (UTC); None: as much as the platform lets leave.

    Above ``agreement_cents`` a trusted contact agrees, where there is one; None: to nothing.
    ``announced_cents`` is the highest sum a day that a raise announced and nobody vetoed; what
    stands between it and ``sms_at`` says what proved that raise, as a destination says it.
    ``before`` and ``agreement_before`` are the sums that stand again if that is repudiated, and
    ``raised_at`` when it was.
    """

    day_cents: int | None = None
    destination_cents: int | None = None
    agreement_cents: int | None = None
    announced_cents: int = 0
    by: tuple[int, ...] = ()
    behind: Spans = ()
    proved_by: tuple[Factor, ...] = ()
    sms_at: datetime | None = None
    before: tuple[int | None, int | None] | None = None
    agreement_before: int | None = None
    raised_at: datetime | None = None


def as_high(new: int | None, old: int | None) -> bool:
    """Say whether ``new`` lets as much leave as ``old``; None is the highest."""
    if new is None:
        return True
    return old is not None and new >= old


def sums(limits: Limits | LimitRaise | LimitLower) -> tuple[int | None, ...]:
    """Return every sum of ``limits``, or of what would be set, in one order."""
    return limits.day_cents, limits.destination_cents, limits.agreement_cents


def lowers(old: Limits, new: LimitRaise | LimitLower) -> bool:
    """Say whether ``new`` lets no more leave than ``old`` in anything, and less in something."""
    pairs = tuple(zip(sums(new), sums(old), strict=True))
    more = any(as_high(one, before) and one != before for one, before in pairs)
    return not more and any(one != before for one, before in pairs)


def lowered(old: Limits, new: LimitLower) -> Limits:
    """Return ``old`` with lower sums; what was announced above them is announced no more."""
    announced = old.announced_cents
    if new.day_cents is not None:
        announced = min(announced, new.day_cents)
    return replace(
        old,
        day_cents=new.day_cents,
        destination_cents=new.destination_cents,
        agreement_cents=new.agreement_cents,
        announced_cents=announced,
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
        agreement_cents=lowest(limits.agreement_before, limits.agreement_cents),
    )
