"""Freezes: the owner's own stop, and what remembers that it was pulled with less than the floor.

Always true (tests/property/test_freezes_properties.py): set again, a freeze never ends sooner; set
again below the floor for no longer, it ends no lift that waits; and it is as old as whatever set
what still runs of it, or older.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace

from twinlock.domain.assurance import PHONE, Factor
from twinlock.domain.bounds import WEAK_FREEZE_EVERY, WEAK_FREEZE_LENGTH

MAILBOX = "mailbox"
# What shows that somebody has the phone, or its number, and not just a mailbox.
_OF_THE_PHONE = frozenset({Factor.SMS_CODE, Factor.TOTP, Factor.RECOVERY_CODE, Factor.PASSKEY})
SUSPENSION = "suspend:"  # Before the root, where a suspension below the floor is remembered.


def weak_root(roots: tuple[str, ...]) -> str:
    """Return the name under which a stop below the floor is remembered: keys of a kind share one.

    Prevents: a name for each of many keys, until the document is full and no freeze fits in.
    """
    return roots[0].partition(":")[0] if roots else "knowledge"


def freezes_as(roots: tuple[str, ...], factors: Iterable[Factor]) -> str:
    """Return the name under which a freeze below the floor is remembered.

    A mailbox counts as its own, though it may be read on the phone. Prevents: whoever reads one
    mailbox, and uses up month after month the freeze of whoever has the phone.
    """
    name = weak_root(roots)
    return MAILBOX if name == PHONE and _OF_THE_PHONE.isdisjoint(factors) else name


def for_ever(now: datetime) -> datetime:
    """Return the instant that stands for "until somebody ends it"."""
    return datetime.max.replace(tzinfo=now.tzinfo, microsecond=0)


class Freeze(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The owner's own stop. ``until`` is datetime.max for a freeze that only a lift ends.

    ``set_at`` is when it was last set: only a lift asked for later ends it. ``weak`` remembers
    when a stop below the floor was last made: a freeze by its root, a suspension by ``suspend:``
    and its root. ``bound_at`` is the age of the oldest that set it at the floor, ``weak_bound_at``
    of the oldest that set it with less: in POSIX seconds, which are shorter than a date.
    """

    until: datetime | None = None
    set_at: datetime | None = None
    weak: dict[str, datetime] = {}
    bound_at: int = 0
    weak_bound_at: int = 0

    def age(self, *, now: datetime) -> datetime | None:
        """Return when the oldest was bound that set what still runs of it, or None."""
        weak = self.weak_bound_at if self.runs_below_the_floor(now) else 0
        ages = [age for age in (self.bound_at, weak) if age]
        return datetime.fromtimestamp(min(ages), tz=UTC) if ages else None

    def runs_below_the_floor(self, now: datetime) -> bool:
        """Say whether a freeze that was set with less than the floor would still run."""
        set_at = (at for name, at in self.weak.items() if not name.startswith(SUSPENSION))
        return any(now < at + WEAK_FREEZE_LENGTH for at in set_at)


def longer(
    freeze: Freeze,
    *,
    until: datetime,
    at: datetime,
    weak_root: str,
    bound_at: datetime | None = None,
) -> Freeze:
    """Return ``freeze`` until ``until`` at least; ``weak_root`` is set if it is below the floor.

    ``bound_at`` is the age of what sets it.

    Set again at the floor it stops every lift that was asked for before; set again with less it
    does not. Prevents: a thief's lift that outlives the owner's second freeze, and a lift that
    anybody can stop for ever.
    """
    freeze = _aged(freeze, bound_at, at=at, weak=bool(weak_root))
    weak = with_weak(freeze.weak, weak_root, at=at) if weak_root else freeze.weak
    if freeze.until is not None and freeze.until >= until:
        set_at = freeze.set_at if weak_root else at
        return replace(freeze, set_at=set_at, weak=weak)
    return replace(freeze, until=until, set_at=at, weak=weak)


def _aged(freeze: Freeze, bound_at: datetime | None, *, at: datetime, weak: bool) -> Freeze:
    """Return ``freeze`` as old as the older of what set it and what sets it at ``at``.

    Prevents: a thief's new key that sets the owner's freeze once more, so that it counts as its own
    and the key lifts it; and a leaked old password whose freeze is as old after its 72 hours.
    """
    if bound_at is None:
        return freeze
    age = int(bound_at.timestamp())
    if not weak:
        return replace(freeze, bound_at=min(age, freeze.bound_at or age))
    before = freeze.weak_bound_at if freeze.runs_below_the_floor(at) else 0
    return replace(freeze, weak_bound_at=min(age, before or age))


def with_weak(weak: dict[str, datetime], name: str, *, at: datetime) -> dict[str, datetime]:
    """Return ``weak`` with one more stop below the floor; what counts no more is forgotten."""
    recent = {root: last for root, last in weak.items() if at - last < WEAK_FREEZE_EVERY}
    return {**recent, name: at}
