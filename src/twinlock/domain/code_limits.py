"""How many codes are sent: to whoever has shown nothing, to whoever knows a password, to the owner.

Always true (tests/unit/domain/test_code_limits.py): no order of questions sends more than so many
in an hour, or in a day; strangers use up half of them at most, and a leaked password not all.

Source: SP 800-63B-4, 3.1.3.2; requirement N-B06.
"""

from datetime import UTC, datetime, timedelta

from twinlock.domain.account import Account, OpenAction
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.bounds import (
    CODES_PER_DAY_MOST,
    CODES_PER_HOUR_MOST,
    CODES_STRANGE_PER_DAY_MOST,
    CODES_STRANGE_PER_HOUR_MOST,
    CODES_UNPROVED_PER_DAY_MOST,
    CODES_UNPROVED_PER_HOUR_MOST,
    FLOOD_TOLD_EVERY,
)


def codes_from(account: Account, action: OpenAction, *, now: datetime) -> datetime:
    """Return from when on one more code may be sent; ``now`` where none must be waited for."""
    hour, day = _codes_most(account, action)
    limits = (hour, timedelta(hours=1)), (day, timedelta(days=1))
    sent = [datetime.fromtimestamp(at, tz=UTC) for at in sorted(account.codes_sent)]
    ends = (sent[-most] + window for most, window in limits if len(sent) >= most)
    return max((now, *ends))


def _codes_most(account: Account, action: OpenAction) -> tuple[int, int]:
    """Return how many codes of an hour, and of a day, may be sent before this one.

    Prevents: a stranger who uses up the owner's codes, who has shown nothing and gets at most half;
    and whoever has a leaked password, and uses up all of each day, so that the owner, who has
    nothing stronger, never signs in again.
    """
    if account.from_known_device(action) or action.proved_at is not None:
        return CODES_PER_HOUR_MOST, CODES_PER_DAY_MOST
    if any(account.stands(one) for one in action.shown):
        return CODES_STRANGE_PER_HOUR_MOST, CODES_STRANGE_PER_DAY_MOST
    return CODES_UNPROVED_PER_HOUR_MOST, CODES_UNPROVED_PER_DAY_MOST


def flood_to_tell(account: Account, fault: ProofFault, *, now: datetime) -> bool:
    """Say whether the owner is told of a flood of codes: once a day, however many are asked for."""
    told_at = datetime.fromtimestamp(account.flood_told_at, tz=UTC)
    return fault is ProofFault.CODES_LIMITED and now >= told_at + FLOOD_TOLD_EVERY
