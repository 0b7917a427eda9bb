"""Names of imported accounts: functions of the installation and of the reference in its old system.

So the same row read again names the same account, which is there or is not: nothing else has to be
remembered for a customer to be imported once, whatever stopped an import, and when.
"""

import hashlib

from twinlock.domain.canonical import tagged_hash
from twinlock.domain.ids import ENTROPY_BYTES, AccountId, account_id, tail


def imported_account_id(log_origin: str, reference: str) -> AccountId:
    """Return the id of the account that ``reference`` is imported as, in the log ``log_origin``."""
    named = tagged_hash("imported-account/v1", log_origin.encode(), reference.encode("utf-8"))
    return account_id(named[:16])


def parts_of(account: AccountId, count: int) -> tuple[str, ...]:
    """Return the ends of the ids of so many parts of an account: 26 characters each, no two alike.

    One hash gives all of them: an import makes millions.
    """
    seed = tagged_hash("imported-parts/v1", account.encode())
    drawn = hashlib.shake_256(seed).digest(ENTROPY_BYTES * count)
    return tuple(tail(drawn[at : at + ENTROPY_BYTES]) for at in range(0, len(drawn), ENTROPY_BYTES))
