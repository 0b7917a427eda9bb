"""What counts of an account's authenticators for an action: what they showed, and what they could.

How many independent roots could be shown is a fact, and law 4 goes by it. What is bound and not
read for that action shows none. Prevents: a second root that is asked for, and that saved codes or
an imported passkey seem to have and never show (law 10).
"""

from datetime import datetime

from twinlock.domain.account import Account, OpenAction, Shown
from twinlock.domain.actions import AnyPayload, class_of, type_of
from twinlock.domain.assurance import BESIDE, Factor
from twinlock.domain.authenticators.model import Authenticator, RecoveryCodes, root
from twinlock.domain.catalogue import ActionClass
from twinlock.domain.proving import recovery_counts
from twinlock.domain.successors import counts, is_foreign, is_read


def standing(account: Account, action: OpenAction, offers: frozenset[Factor]) -> tuple[Shown, ...]:
    """Return the proofs that count: for what does not tighten only such as the policy offers.

    Prevents: what was proved by an app, and takes effect after the policy takes passkeys only.
    """
    tightens = class_of(action.payload) is ActionClass.TIGHTENING
    return tuple(
        one
        for one in action.shown
        if account.stands(one)
        and not account.muted(action, one)
        and one.factor not in BESIDE
        and (one.factor in offers or one.factor is Factor.SESSION or tightens)
        and counts(account, action.payload, one)
    )


def roots_enrolled(account: Account, payload: AnyPayload, *, now: datetime) -> int:
    """Return how many roots the authenticators have that are read for ``payload``."""
    live = (one for one in account.authenticators if not one.suspended(now))
    read = (one for one in live if _reads(account, payload, one))
    return len({root(one, now=now) for one in read} - {None})


def _reads(account: Account, payload: AnyPayload, one: Authenticator) -> bool:
    if isinstance(one, RecoveryCodes):
        return recovery_counts(type_of(payload), account.floor)
    return not is_foreign(one) or is_read(account, payload)
