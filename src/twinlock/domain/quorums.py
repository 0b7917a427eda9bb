"""Quorums: who the members of an account are, and how many of them what leaves takes.

Always true (tests/property/test_members_properties.py): more that leaves never takes fewer members;
what tightens a quorum takes no fewer for any sum.
"""

from datetime import datetime

import msgspec

from twinlock.domain.ids import MemberId


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """Another person on an account beside its first member, as the others know them."""

    member_id: MemberId
    name: str
    joined_at: datetime


class Quorum(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The sums a day (UTC), in US cents, above which two or three members agree; None: none does.

    Whatever weakens protection takes as many members as the highest of them.
    """

    two_cents: int | None = None
    three_cents: int | None = None

    @property
    def most(self) -> int:
        """Return how many members the most that may leave takes, and whatever weakens."""
        return self.members_for(None)

    def members_for(self, cents: int | None) -> int:
        """Return how many members agree to ``cents`` a day; None: to any sum."""
        for count, above in ((3, self.three_cents), (2, self.two_cents)):
            if above is not None and (cents is None or cents > above):
                return count
        return 1


ANYONE = Quorum()


def is_quorum(quorum: Quorum) -> bool:
    """Say whether the sums make sense: three members agree to no less than two do."""
    two, three = quorum.two_cents, quorum.three_cents
    if any(one is not None and one < 0 for one in (two, three)):
        return False
    return three is None or (two is not None and two <= three)


def tightens(new: Quorum, old: Quorum) -> bool:
    """Say whether ``new`` takes no fewer members than ``old`` for any sum, and more for some."""
    pairs = ((new.two_cents, old.two_cents), (new.three_cents, old.three_cents))
    less = any(was is not None and (now is None or now > was) for now, was in pairs)
    return not less and new != old
