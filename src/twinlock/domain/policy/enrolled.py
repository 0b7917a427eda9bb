"""How many independent roots an account could show for an action: a fact, and law 4 by it.

What is bound and not read for that action shows none. Prevents: a second root that is asked for,
and that saved codes or an imported passkey seem to have and never show (law 10).
"""

from datetime import datetime

from twinlock.domain.account import Account
from twinlock.domain.actions import AnyPayload, type_of
from twinlock.domain.authenticators.model import Authenticator, RecoveryCodes, root
from twinlock.domain.proving import recovery_counts
from twinlock.domain.successors import is_foreign, is_read


def roots_enrolled(account: Account, payload: AnyPayload, *, now: datetime) -> int:
    """Return how many roots the authenticators have that are read for ``payload``."""
    live = (one for one in account.authenticators if not one.suspended(now))
    read = (one for one in live if _reads(account, payload, one))
    return len({root(one, now=now) for one in read} - {None})


def _reads(account: Account, payload: AnyPayload, one: Authenticator) -> bool:
    if isinstance(one, RecoveryCodes):
        return recovery_counts(type_of(payload), account.floor)
    return not is_foreign(one) or is_read(account, payload)
