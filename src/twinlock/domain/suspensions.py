"""A stop of one account that an officer set: what an account remembers of it.

It ends by itself after SUSPENSION_LENGTH, and the next begins SUSPENSION_EVERY after it at the
earliest, whoever sets it. So officers stop an account for no more than 14 days in 90, however many
of them agree (law 5: a no is not a weapon).

Source: design laws 5 and 7; docs/officers.md.
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec.structs import replace

from twinlock.domain.bounds import (
    AGREEMENT_LIFETIME,
    OFFICERS_AGREEING,
    SPEND_LIFETIME,
    SUSPENSION_EVERY,
    SUSPENSION_LENGTH,
)

SUSPEND_ENTRY, RELEASE_ENTRY = "account.suspend", "account.release"
_MILLISECOND = timedelta(milliseconds=1)
# So long after a spend a signer may take its authorization, also one whose clock is behind.
_TAKEN_FOR = 2 * SPEND_LIFETIME


class AccountSuspension(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The last suspension of an account, over or not; ``set_at`` and ``ends_at`` are in POSIX ms.

    ``by`` is the officer who set it, ``agreed`` when (ms) others said that it may end.
    """

    set_at: int = 0
    ends_at: int = 0
    by: str = ""
    agreed: dict[str, int] = {}

    @property
    def end(self) -> datetime | None:
        """Return when it ends, or ended; None where there was none."""
        return _instant(self.ends_at) if self.set_at else None

    def until(self, now: datetime) -> datetime | None:
        """Return when it ends, or None where it does not stop anything at ``now``."""
        end = self.end
        return end if end is not None and now < end else None

    def next_at(self) -> datetime | None:
        """Return when the next one may begin, or None where there was none."""
        return _instant(self.set_at) + SUSPENSION_EVERY if self.set_at else None


NO_SUSPENSION = AccountSuspension()


def _instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def keeps_back(one: AccountSuspension, *, spent_at: datetime, now: datetime) -> bool:
    """Say whether what was spent at ``spent_at`` is not signed at ``now``, since money may leave.

    Prevents: a theft of the minutes before an officer spoke, whose wallet asks for the spend once
    more, or for its evidence. What is older is signed as ever: nobody pays on it.
    """
    return one.until(now) is not None and now < spent_at + _TAKEN_FOR


def suspended(*, by: str, at: datetime) -> AccountSuspension:
    """Return the suspension that ``by`` sets at ``at``."""
    ends = _milliseconds(at + SUSPENSION_LENGTH)
    return AccountSuspension(set_at=_milliseconds(at), ends_at=ends, by=by)


def agreed(one: AccountSuspension, *, by: str, at: datetime) -> AccountSuspension:
    """Return ``one`` after ``by``, who did not set it, agreed at ``at`` that it ends."""
    hour, now = AGREEMENT_LIFETIME / _MILLISECOND, _milliseconds(at)
    still = {name: when for name, when in one.agreed.items() if now - when < hour}
    return replace(one, agreed={**still, by: now})


def is_released(one: AccountSuspension, *, officers: Collection[str]) -> bool:
    """Say whether as many of ``officers`` agreed as it takes."""
    return sum(name in officers for name in one.agreed) >= OFFICERS_AGREEING


def released(one: AccountSuspension, *, at: datetime) -> AccountSuspension:
    """Return ``one`` as it ended at ``at``."""
    return replace(one, ends_at=min(one.ends_at, _milliseconds(at)), agreed={})
