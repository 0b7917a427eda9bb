"""What was refused outright: asked for, nothing shown for it, and refused in the same decision.

Its owner hears of it all the same, for it may be what a thief tries first: whoever reads the mail
asks for an API key that may withdraw. One word a day, however many there are.
Prevents: what would move value or weaken protection, tried until it passes, and nobody hears of it.
"""

from datetime import UTC, datetime

from twinlock.domain.account import Account, OpenAction
from twinlock.domain.actions import class_of, type_of
from twinlock.domain.bounds import FLOOD_TOLD_EVERY
from twinlock.domain.catalogue import ActionClass, ActionType

_TOLD = (ActionClass.EXIT, ActionClass.LOOSENING, ActionClass.ACCESS)


def attempt_to_tell(account: Account, action: OpenAction, *, now: datetime) -> bool:
    """Say whether the owner is told that ``action``, for which nothing was shown, was refused."""
    dangerous = class_of(action.payload) in _TOLD
    signs_in = type_of(action.payload) == ActionType.SESSION_START  # Anybody asks for that.
    last = datetime.fromtimestamp(account.attempt_told_at, tz=UTC)
    return dangerous and not signs_in and not action.shown and now >= last + FLOOD_TOLD_EVERY
