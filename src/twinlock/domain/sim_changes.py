"""A changed SIM: whoever had the number may have proved what codes by SMS proved (S02).

An open action loses such a proof (``Account.stands``). What outlives its action keeps the time of
the code, and falls by it: API keys and listed destinations, however late the report comes.

Always true (tests/property/test_sim_changes_properties.py): what falls stays fallen, since reports
only add; what was proved without the code stands.
"""

from collections.abc import Iterable
from datetime import datetime

from twinlock.domain.account import Account, OpenAction
from twinlock.domain.assurance import Factor, Level, level_shown


def sms_at(account: Account, action: OpenAction) -> datetime | None:
    """Return when the first code by SMS that proves ``action`` was shown, or None."""
    codes = (one for one in action.shown if one.factor is Factor.SMS_CODE)
    return min((one.at for one in codes if account.stands(one)), default=None)


def sms_fell(account: Account, proved_by: Iterable[Factor], shown_at: datetime | None) -> bool:
    """Say whether what a code by SMS of ``shown_at`` proved, beside the rest, is proved no more.

    By the most that the rest is worth on any floor. Prevents: what SMS had proved, good again when
    the floor sinks to where codes count.
    """
    if shown_at is None or account.sms_counts(shown_at):
        return False
    factors = set(proved_by)
    rest = factors - {Factor.SMS_CODE}
    return level_shown(rest, floor=Level.NONE) < level_shown(factors, floor=Level.NONE)
