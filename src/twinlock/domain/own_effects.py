"""What the owner sets: limits and locks, and what they fall back to if that was never the owner.

Each change takes the place of the one before it. So each that weakens keeps what stands again if it
is undone: what stood before it; or, where the one before it could still be undone itself, no more
than what that kept.

Always true (tests/unit/domain/test_own_effects.py): undoing lets no more leave, and nothing leave
sooner, than what it undoes.

Source: docs/laws.md, laws 3 and 5.
"""

from datetime import datetime
from typing import TypeAlias, TypeVar

from twinlock.domain.account import Account, OpenAction, State
from twinlock.domain.actions import LimitLower, LimitRaise, LockLoosen, LockTighten, NoticeWordSet
from twinlock.domain.catalogue import Payload
from twinlock.domain.errors import InvariantError
from twinlock.domain.events import Event, LimitsSet, LockSet, NoticeWordChanged
from twinlock.domain.limits import Limits, lowered, lowest
from twinlock.domain.locks import Eased, Lock, lock_of, tighter
from twinlock.domain.newcomers import behind, bound, is_newcomer, stood_on
from twinlock.domain.notice_words import NoticeWord, opened
from twinlock.domain.policy.facts import Facts
from twinlock.domain.sim_changes import sms_at

P = TypeVar("P", bound=Payload)
Sums: TypeAlias = tuple[int | None, int | None]


def sums_kept(account: Account, *, now: datetime) -> Sums:
    """Return the sums that stand again if a raise that takes effect now is undone."""
    limits = account.limits
    kept, at = limits.before, limits.raised_at
    if kept is None or at is None or _settled(account, limits, at=at, now=now):
        return limits.day_cents, limits.destination_cents
    return lowest(kept[0], limits.day_cents), lowest(kept[1], limits.destination_cents)


def agreement_kept(account: Account, *, now: datetime) -> int | None:
    """Return the sum above which a contact agrees again if a raise that takes effect is undone."""
    limits = account.limits
    if limits.raised_at is None or _settled(account, limits, at=limits.raised_at, now=now):
        return limits.agreement_cents
    return lowest(limits.agreement_before, limits.agreement_cents)


def lock_kept(account: Account, *, now: datetime) -> Lock:
    """Return the lock that stands again if a loosening that takes effect now is undone."""
    eased = account.eased
    if eased is None or _settled(account, eased, at=eased.at, now=now):
        return account.lock
    return tighter(eased.before, account.lock)


def _settled(
    account: Account, one: Limits | Eased | NoticeWord, *, at: datetime, now: datetime
) -> bool:
    """Say whether nothing that proved ``one``, which took effect at ``at``, can be repudiated now.

    Whatever proved it was bound by then. What is gone, or stood on newcomers, counts as young.
    """
    if not is_newcomer(at, now=now):
        return True
    old = {each.entry for each in bound(account) if not is_newcomer(each.bound_at, now=now)}
    return not one.behind and old.issuperset(one.by)


def own(action: OpenAction, form: type[P]) -> P:
    """Return the payload of an action, which is of the form that its type has."""
    if not isinstance(action.payload, form):
        raise InvariantError("an action has the payload of its type")
    return action.payload


def raise_limits(state: State, action: OpenAction, facts: Facts, _: str) -> tuple[Event, ...]:
    """Let as much leave as was signed, and keep what stands again if that is undone."""
    payload = own(action, LimitRaise)
    limits = Limits(
        day_cents=payload.day_cents,
        destination_cents=payload.destination_cents,
        agreement_cents=payload.agreement_cents,
        announced_cents=payload.day_cents or 0,
        by=stood_on(state.account, action),
        behind=behind(state.account, action, now=facts.now),
        proved_by=facts.shown_factors,
        sms_at=sms_at(state.account, action),
        before=sums_kept(state.account, now=facts.now),
        agreement_before=agreement_kept(state.account, now=facts.now),
        raised_at=facts.now,
    )
    return (LimitsSet(at=facts.now, limits=limits),)


def lower_limits(state: State, action: OpenAction, facts: Facts, _: str) -> tuple[Event, ...]:
    """Let less leave; what stands again after an undoing is no more than that."""
    payload = own(action, LimitLower)
    limits = lowered(state.account.limits, payload)
    return (LimitsSet(at=facts.now, limits=limits),)


def tighten_lock(state: State, action: OpenAction, facts: Facts, _: str) -> tuple[Event, ...]:
    """Have everything wait longer; the last loosening may still be undone."""
    lock = _lock_of(own(action, LockTighten))
    return (LockSet(at=facts.now, lock=lock, eased=state.account.eased),)


def loosen_lock(state: State, action: OpenAction, facts: Facts, _: str) -> tuple[Event, ...]:
    """Have everything wait as was signed, and keep what stands again if that is undone."""
    account = state.account
    eased = Eased(
        before=lock_kept(account, now=facts.now),
        at=facts.now,
        by=stood_on(account, action),
        behind=behind(account, action, now=facts.now),
    )
    return (LockSet(at=facts.now, lock=_lock_of(own(action, LockLoosen)), eased=eased),)


def set_word(state: State, action: OpenAction, facts: Facts, _: str) -> tuple[Event, ...]:
    """Have messages hold the word that was signed, and keep the one that stands again if undone."""
    account = state.account
    word = NoticeWord(
        text=opened(action.secret, own(action, NoticeWordSet).commitment),
        set_at=facts.now,
        before=_word_kept(account, now=facts.now),
        by=stood_on(account, action),
        behind=behind(account, action, now=facts.now),
    )
    return (NoticeWordChanged(at=facts.now, word=word),)


def _word_kept(account: Account, *, now: datetime) -> str:
    """Return the word that stands again if one that is set now is undone.

    Prevents: a thief who sets two, one after the other, so that an undoing leaves the first.
    """
    word = account.notice_word
    if word is None:
        return ""
    return word.text if _settled(account, word, at=word.set_at, now=now) else word.before


def _lock_of(payload: LockTighten | LockLoosen) -> Lock:
    return lock_of(payload.days, two_keys=payload.two_keys, both_keys=payload.both_keys)
