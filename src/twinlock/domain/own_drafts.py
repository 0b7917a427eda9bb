"""Drafts of limits, locks and quorums: what owners want to set, beside what is set."""

from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from twinlock.domain.account import Account
from twinlock.domain.actions import (
    AnyPayload,
    LimitLower,
    LimitRaise,
    LockLoosen,
    LockTighten,
    QuorumLoosen,
    QuorumTighten,
)
from twinlock.domain.bounds import LOCK_DAYS_MOST
from twinlock.domain.catalogue import ActionType
from twinlock.domain.drafts import Cents, DraftForm, QuorumDraft, parse
from twinlock.domain.errors import MalformedError
from twinlock.domain.quorums import Quorum, is_quorum

L = TypeVar("L", LockTighten, LockLoosen)
OWN: frozenset[str] = frozenset(
    {
        ActionType.LIMIT_RAISE,
        ActionType.LIMIT_LOWER,
        ActionType.LOCK_TIGHTEN,
        ActionType.LOCK_LOOSEN,
        ActionType.QUORUM_TIGHTEN,
        ActionType.QUORUM_LOOSEN,
    }
)


class LimitDraft(DraftForm, frozen=True, kw_only=True):
    """What is left out is asked for as it stands; ``null`` sets no limit of the owner's."""

    day_cents: Cents | UnsetType | None = UNSET
    """US cents that may leave a day (UTC), by all exits and sub-accounts together; left out: as it
    stands when this is asked for, in each of the three."""
    destination_cents: Cents | UnsetType | None = UNSET
    """US cents that may leave a day to one destination."""
    agreement_cents: Cents | UnsetType | None = UNSET
    """US cents a day above which a trusted contact agrees; ``null``: to nothing."""


class LockTightenDraft(DraftForm, frozen=True, kw_only=True):
    """How long all that leaves or loosens waits from now on."""

    days: Annotated[int, Meta(ge=1, le=LOCK_DAYS_MOST)]
    """For how many days."""
    two_keys: bool = False
    """Whether two independent authenticators, shown together, spare all but its loosening that."""
    both_keys: bool = False
    """Whether two are needed beside the wait, which begins when both are shown; not ``two_keys``
    too."""


class LockLoosenDraft(DraftForm, frozen=True, kw_only=True):
    """How long it waits once the lock's own delay is over."""

    days: Annotated[int, Meta(ge=0, le=LOCK_DAYS_MOST)]
    """For how many days; 0 ends the lock."""
    two_keys: bool = False
    """Whether two independent authenticators, shown together, spare all but its loosening that."""
    both_keys: bool = False
    """Whether two are needed beside the wait, which begins when both are shown; not ``two_keys``
    too."""


def own(kind: str, data: dict[str, Any], account: Account) -> AnyPayload:
    """Return the payload of ``kind``, one of OWN. Raises MalformedError."""
    match kind:
        case ActionType.LOCK_TIGHTEN:
            return _lock(LockTighten, parse(data, LockTightenDraft), account)
        case ActionType.LOCK_LOOSEN:
            return _lock(LockLoosen, parse(data, LockLoosenDraft), account)
        case ActionType.QUORUM_TIGHTEN | ActionType.QUORUM_LOOSEN:
            return _quorum(kind, parse(data, QuorumDraft), account)
        case _:
            return _limits(kind, parse(data, LimitDraft), account)


def _lock(form: type[L], draft: LockTightenDraft | LockLoosenDraft, account: Account) -> L:
    if draft.two_keys and draft.both_keys:
        raise MalformedError("two keys spare a lock's wait, or both are needed beside it: choose")
    return form(
        account=account.account_id,
        days=draft.days,
        two_keys=draft.two_keys,
        both_keys=draft.both_keys,
    )


def _quorum(kind: str, draft: QuorumDraft, account: Account) -> QuorumTighten | QuorumLoosen:
    form = QuorumTighten if kind == ActionType.QUORUM_TIGHTEN else QuorumLoosen
    two, three = draft.two_cents, draft.three_cents
    if not is_quorum(Quorum(two_cents=two, three_cents=three)):
        raise MalformedError("three members agree above no smaller sum than two do")
    return form(account=account.account_id, two_cents=two, three_cents=three)


def _limits(kind: str, draft: LimitDraft, account: Account) -> LimitRaise | LimitLower:
    form = LimitRaise if kind == ActionType.LIMIT_RAISE else LimitLower
    day, to, agreed = draft.day_cents, draft.destination_cents, draft.agreement_cents
    limits = account.limits
    return form(
        account=account.account_id,
        day_cents=limits.day_cents if day is msgspec.UNSET else day,
        destination_cents=limits.destination_cents if to is msgspec.UNSET else to,
        agreement_cents=limits.agreement_cents if agreed is msgspec.UNSET else agreed,
    )
