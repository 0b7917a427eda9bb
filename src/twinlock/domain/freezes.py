"""Freezes: the owner's own stop, and what remembers that it was pulled with less than the floor.

Always true (tests/property/test_freezes_properties.py): set again, a freeze never ends sooner; set
again below the floor for no longer, it ends no lift that waits.
"""

from datetime import datetime

import msgspec

from twinlock.domain.bounds import WEAK_FREEZE_EVERY

SUSPENSION = "suspend:"  # Before the root, where a suspension below the floor is remembered.


class Freeze(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The owner's own stop. ``until`` is datetime.max for a freeze that only a lift ends.

    ``set_at`` is when it was last set: only a lift asked for later ends it. ``weak`` remembers
    when a stop below the floor was last made: a freeze by its root, a suspension by ``suspend:``
    and its root.
    """

    until: datetime | None = None
    set_at: datetime | None = None
    weak: dict[str, datetime] = {}


def longer(freeze: Freeze, *, until: datetime, at: datetime, weak_root: str) -> Freeze:
    """Return ``freeze`` until ``until`` at least; ``weak_root`` is set if it is below the floor.

    Set again at the floor it stops every lift that was asked for before; set again with less it
    does not. Prevents: a thief's lift that outlives the owner's second freeze, and a lift that
    anybody can stop for ever.
    """
    weak = with_weak(freeze.weak, weak_root, at=at) if weak_root else freeze.weak
    if freeze.until is not None and freeze.until >= until:
        set_at = freeze.set_at if weak_root else at
        return Freeze(until=freeze.until, set_at=set_at, weak=weak)
    return Freeze(until=until, set_at=at, weak=weak)


def with_weak(weak: dict[str, datetime], name: str, *, at: datetime) -> dict[str, datetime]:
    """Return ``weak`` with one more stop below the floor; what counts no more is forgotten."""
    recent = {root: last for root, last in weak.items() if at - last < WEAK_FREEZE_EVERY}
    return {**recent, name: at}
