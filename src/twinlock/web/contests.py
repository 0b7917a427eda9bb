"""What a page says of a contest before somebody says no once more."""

from datetime import datetime

import msgspec

from twinlock.domain.account import Account
from twinlock.domain.bounds import CONTEST_LENGTH
from twinlock.domain.contests import Meaning
from twinlock.domain.disputes import instant


class ContestTold(msgspec.Struct, frozen=True, kw_only=True):
    """A contest that stands, or that the next no opens, and until when it lasts at most."""

    stands: bool
    ends_at: datetime


def contest_told(account: Account, meaning: Meaning, *, now: datetime) -> ContestTold | None:
    """Return what is to be told of a contest, or None where a no is simply one."""
    contest = account.disputes.contest
    if meaning is Meaning.STANDS and contest is not None:
        return ContestTold(stands=True, ends_at=instant(contest.ends_at))
    if meaning is Meaning.OPENS:
        return ContestTold(stands=False, ends_at=now + CONTEST_LENGTH)
    return None
