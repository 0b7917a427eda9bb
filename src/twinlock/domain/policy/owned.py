"""What the owner set, and whether a payload tightens it: facts of limits and locks."""

from typing import Any

from twinlock.domain.account import Account
from twinlock.domain.actions import (
    AnyPayload,
    ApiKeyNarrow,
    LimitLower,
    LockLoosen,
    LockTighten,
    QuorumTighten,
    TrustedContactAdd,
)
from twinlock.domain.bounds import MAX_VALUE_CENTS
from twinlock.domain.key_changes import narrows
from twinlock.domain.limits import lowers
from twinlock.domain.locks import OPEN, Lock, lock_of, tightens
from twinlock.domain.newcomers import still_proved
from twinlock.domain.quorums import Quorum
from twinlock.domain.quorums import tightens as quorum_tightens


def own_rules(account: Account, payload: AnyPayload) -> dict[str, Any]:
    """Return the facts that stand for the owner's own rules, by their names."""
    limits = account.limits
    asked = _lock_asked(payload)
    announced = limits.announced_cents if still_proved(account, limits) else 0
    return {
        "own_day_cents": limits.day_cents,
        "own_destination_cents": limits.destination_cents,
        "announced_cents": min(announced, MAX_VALUE_CENTS),
        "lock": account.lock,
        "tightens": _tightens(account, payload),
        "asked_lock_days": asked.days,
        "asked_both_keys": asked.both_keys,
    }


def _lock_asked(payload: AnyPayload) -> Lock:
    if not isinstance(payload, LockTighten | LockLoosen):
        return OPEN
    return lock_of(payload.days, two_keys=payload.two_keys, both_keys=payload.both_keys)


def _tightens(account: Account, payload: AnyPayload) -> bool:
    match payload:
        case LimitLower():
            return lowers(account.limits, payload)
        case TrustedContactAdd(first=first):
            return not (first and account.contacts)
        case QuorumTighten(two_cents=two, three_cents=three):
            return quorum_tightens(Quorum(two_cents=two, three_cents=three), account.quorum)
        case ApiKeyNarrow():
            return narrows(account, payload)
        case LockTighten():
            return tightens(_lock_asked(payload), account.lock)
        case _:
            return True
