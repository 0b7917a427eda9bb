"""Holds: timed stops on every exit.

A change to how an account is protected places a hold. It lapses by itself, and buys the customer
time to read the notice and object before money can leave.

Always true (tests/property/test_holds_properties.py):

* one more hold never lets money leave sooner; a lapsed hold changes nothing;
* no list of holds loses the one that ends last.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from twinlock.domain.bounds import HOLDS_MOST
from twinlock.domain.errors import invariant

PICKED = "picked"  # Because of this, and no action: by chance, or under duress (``duress``).


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """One timed stop, in force over ``placed_at <= t < ends_at`` (both UTC).

    ``because`` is the type of the action that placed it, "signal", or PICKED; it is written to the
    log.
    """

    because: str
    placed_at: datetime
    ends_at: datetime

    def __post_init__(self) -> None:
        invariant(self.placed_at.utcoffset() == timedelta(0), "placed_at is UTC")
        invariant(self.ends_at.utcoffset() == timedelta(0), "ends_at is UTC")
        invariant(self.placed_at < self.ends_at, "a hold has a positive length")

    def in_force(self, now: datetime) -> bool:
        """Say whether this hold stops an exit at ``now``."""
        return self.placed_at <= now < self.ends_at


def held_until(holds: Iterable[Hold], *, now: datetime) -> datetime | None:
    """Return when the last hold in force ends, or None when money may leave."""
    return max((hold.ends_at for hold in holds if hold.in_force(now)), default=None)


def place(holds: tuple[Hold, ...], hold: Hold) -> tuple[Hold, ...]:
    """Return ``holds`` with one more; lapsed ones go, and of too many those that end first."""
    live = [old for old in holds if old.ends_at > hold.placed_at]
    kept = sorted([*live, hold], key=lambda one: one.ends_at)[-HOLDS_MOST:]
    return tuple(kept)
