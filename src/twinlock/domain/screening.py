"""Screening: addresses on a list of sanctions, to which nothing is sent and none is listed.

Always true (tests/unit/domain/test_screening.py): where a list is asked for and none is in force,
no address is clear. Prevents: a list that cannot be read, taken for an empty one.
"""

from enum import StrEnum

import msgspec

from twinlock.domain.errors import TwinlockError


class ScreeningListWrongError(TwinlockError):
    """The list of sanctions is of no known form, cut off, or not signed: put it in place anew."""

    code = "screening_list_wrong"
    status = 422


class Screened(StrEnum):
    """What a list says of where value would go."""

    NONE = "none"  # nothing is screened here: no list is asked for, or nothing goes anywhere
    CLEAR = "clear"
    LISTED = "listed"
    UNKNOWN = "unknown"  # a list is asked for, and none is in force


class Screening(msgspec.Struct, frozen=True, kw_only=True):
    """The list in force: addresses in their one form. ``in_force`` is False where there is none."""

    in_force: bool
    addresses: frozenset[str] = frozenset()

    def says(self, address: str) -> Screened:
        """Return what the list says of ``address``, in its one form."""
        if not self.in_force:
            return Screened.UNKNOWN
        return Screened.LISTED if address in self.addresses else Screened.CLEAR


NO_LIST = Screening(in_force=False)
