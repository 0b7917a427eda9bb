"""What counts of an account's authenticators for an action: what they showed, and what they could.

How many independent roots could be shown is a fact, and law 4 goes by it. What is bound and not
read for that action shows none. Prevents: a second root that is asked for, and that saved codes or
an imported passkey seem to have and never show (law 10).
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from twinlock.domain.account import Account, OpenAction, Shown
from twinlock.domain.actions import AnyPayload, LockTighten, class_of, type_of
from twinlock.domain.assurance import BESIDE, Factor, Level
from twinlock.domain.authenticators.model import (
    Authenticator,
    RecoveryCodes,
    SuspensionKind,
    factor_of,
    root,
)
from twinlock.domain.both_keys import TWO, second_root, weakens
from twinlock.domain.bounds import NEWCOMER_PERIOD
from twinlock.domain.catalogue import ALARMS, ActionClass, ActionType
from twinlock.domain.policy.facts import Facts
from twinlock.domain.policy.statutes import Statutes
from twinlock.domain.proving import recovery_counts
from twinlock.domain.requirements import Prove
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


def rooted(payload: AnyPayload, shown: Iterable[Shown], *, floor: Level) -> tuple[Shown, ...]:
    """Return what of ``shown`` has a root.

    Codes have none where anything stronger is bound (law 4). Prevents: a code shown before a
    security key was bound, counted as the second root beside it.
    """
    weak = floor > Level.OUT_OF_BAND and type_of(payload) not in ALARMS
    none = (Factor.EMAIL_CODE, Factor.SMS_CODE) if weak else ()
    return tuple(one for one in shown if one.root and one.factor not in none)


def roots_enrolled(account: Account, payload: AnyPayload, *, now: datetime) -> int:
    """Return how many roots the authenticators have that are read for ``payload``."""
    live = (one for one in account.authenticators if not one.suspended(now))
    read = (one for one in live if _reads(account, payload, one))
    return len({root(one, now=now) for one in read} - {None})


def keys_of_a_lock(
    account: Account, payload: AnyPayload, statutes: Statutes, *, now: datetime
) -> dict[str, Any]:
    """Return how many roots a lock of both keys counts, and from when it asks for one.

    Only what the policy takes for ``payload``; to set one, what it takes to loosen one. What was
    reported lost for good counts for NEWCOMER_PERIOD, and what ends by itself as if it were there.
    Where something was repudiated meanwhile two count for so long, whatever is left: nobody knows
    any more whose it was.
    """
    setting = isinstance(payload, LockTighten)
    offers = statutes.offers(ActionType.LOCK_LOOSEN if setting else type_of(payload))
    read = [
        (found, _counts_until(one))
        for one in account.authenticators
        if factor_of(one) in offers and _reads(account, payload, one)
        if (found := root(one, now=now)) is not None
    ]

    def roots_at(at: datetime) -> int:
        return len({found for found, until in read if until is None or until > at})

    fell = datetime.fromtimestamp(account.fell_at, tz=UTC) + NEWCOMER_PERIOD
    ends = sorted(until for _, until in read if until is not None and until > now)
    one_from = next((at for at in (now, *ends) if roots_at(at) < TWO), None)
    if one_from is None:
        return {"roots_bound": roots_at(now)}
    one_from = max(one_from, fell)
    if one_from <= now:
        return {"roots_bound": roots_at(now)}
    return {"roots_bound": max(roots_at(now), TWO), "one_root_from": one_from}


def _counts_until(one: Authenticator) -> datetime | None:
    lost = one.suspension
    if lost is None or lost.kind is not SuspensionKind.FOR_GOOD:
        return None
    return lost.at + NEWCOMER_PERIOD


def begun_with_both(
    facts: Facts, account: Account, action: OpenAction, offers: frozenset[Factor]
) -> Facts:
    """Return ``facts`` by which nothing is proved before all roots are shown that a lock takes.

    So every wait begins with the second, and whoever has one key has nobody told of any. Prevents:
    a wait that one stolen key began, and that is over when the other one is shown.
    """
    if facts.proved_at is None or not facts.lock.both_keys or not weakens(facts):
        return facts
    if isinstance(second_root(facts), Prove):
        return replace(facts, proved_at=None)
    if len(facts.shown_roots) < TWO:
        return facts
    first: dict[str | None, datetime] = {}
    for one in rooted(action.payload, standing(account, action, offers), floor=account.floor):
        first.setdefault(one.root, one.at)
    _, second, *_ = sorted(first.values())
    return replace(facts, proved_at=max(facts.proved_at, second))


def _reads(account: Account, payload: AnyPayload, one: Authenticator) -> bool:
    if isinstance(one, RecoveryCodes):
        return recovery_counts(type_of(payload), account.floor)
    return not is_foreign(one) or is_read(account, payload)
