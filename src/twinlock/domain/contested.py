"""Which change an action asks for, and who may decide a contest about it.

*The same change* is what a proposal would bring about, not how it is named: a label, a budget, an
amount, the sum of a limit, the days of a lock, a fresh credential or another exit to the same place
make no new one. The coarser it is the sooner a second veto becomes a contest, and a contest lets
nothing through.
"""

from datetime import datetime
from typing import Any

from twinlock.domain.account import Account, OpenAction, Shown
from twinlock.domain.actions import (
    AnyPayload,
    ApiKeyCreate,
    ApiKeyWiden,
    AuthenticatorBind,
    AuthenticatorReactivate,
    AuthenticatorRemove,
    ContactChange,
    MemberAdd,
    TrustedContactAdd,
    class_of,
    payload_bytes,
    place_of,
    type_of,
)
from twinlock.domain.assurance import Factor, Level, level_of
from twinlock.domain.authenticators.model import Authenticator, factor_of, root
from twinlock.domain.bounds import NEWCOMER_PERIOD
from twinlock.domain.canonical import b64url, tagged_hash
from twinlock.domain.catalogue import ActionClass, ActionType
from twinlock.domain.disputes import CHANGE_LETTERS, Contest, exits_held_until, instant, meets
from twinlock.domain.members import agreement, may_agree, of_member, takes_several
from twinlock.domain.newcomers import doubted, is_older

# What one proof alone decides a contest with. Codes and sessions are born of other things.
_DECIDING = (Factor.PASSKEY, Factor.TOTP)
# Of them an account has one each: whatever is asked for is the same change.
_WHOLE = (
    ActionType.PASSWORD_RESET,
    ActionType.FREEZE_LIFT,
    ActionType.ACCOUNT_ERASE,
    ActionType.LIMIT_RAISE,
    ActionType.LOCK_LOOSEN,
    ActionType.QUORUM_LOOSEN,
)


def change_of(payload: AnyPayload) -> str:
    """Return the name of the change that ``payload`` asks for, or "" where none is contested.

    Only what leaves and what loosens is: the rest takes effect at once, and vetoes of it kill.
    """
    cls = class_of(payload)
    if cls not in (ActionClass.EXIT, ActionClass.LOOSENING):
        return ""
    parts = (cls.value, *_meant(payload))
    named = tagged_hash("change/v1", *(part.encode() for part in parts))
    return b64url(named)[:CHANGE_LETTERS]


def _meant(payload: AnyPayload) -> tuple[str, ...]:
    place = place_of(payload)
    if place is not None:
        return place.network, place.address, place.memo
    kind = type_of(payload)
    match payload:
        case AuthenticatorBind(authenticator=factor):
            return kind, factor
        case (
            AuthenticatorRemove(authenticator_id=named)
            | AuthenticatorReactivate(authenticator_id=named)
            | ApiKeyWiden(api_key_id=named)
        ):
            return kind, named
        case ContactChange(channel_id=old, new_kind=new, new_address=address):
            return kind, old, new, address
        case ApiKeyCreate() | TrustedContactAdd() | MemberAdd():
            return (kind,)
        case _ if kind in _WHOLE:
            return (kind,)
        case _:
            return kind, b64url(payload_bytes(payload))


# --- Who may decide ---


def decides(account: Account, contest: Contest, shown: Shown) -> bool:
    """Say whether ``shown`` decides ``contest``: at the floor, of a third root, and old enough.

    Both sides had it at hand before: it was bound 30 days before the contest opened, or with the
    account. Where several members must agree another member decides, and no further key of who
    asks. Prevents: a contest that its own winner binds the judge for; and a thief with two keys of
    one member's, who takes every other member's no away for a month.
    """
    if shown.root is None:
        return False
    if shown.factor is not Factor.MEMBER and not _decides_alone(account, shown.factor):
        return False
    if doubted(account, shown.bound_entry):
        return False
    return _third(contest, shown.root) and _at_hand(account, contest, shown.bound_at)


def _decides_alone(account: Account, factor: Factor) -> bool:
    if takes_several(account):
        return False
    return factor in _DECIDING and level_of(factor) >= max(account.floor, Level.POSSESSION)


def _third(contest: Contest, named: str) -> bool:
    return not meets((named,), (*contest.asked, *contest.objected))


def _at_hand(account: Account, contest: Contest, bound_at: datetime) -> bool:
    old = bound_at + NEWCOMER_PERIOD <= instant(contest.opened_at)
    return old or not is_older(account.opened_at, bound_at)


def decidable(account: Account, action: OpenAction, *, now: datetime) -> bool:
    """Say whether something enrolled may decide the contest about ``action`` by proving it."""
    contest = account.disputes.contest
    if contest is None or contest.action_id != action.action_id:
        return False
    own = of_member(account, action.member_id)
    return any(_may_decide(own, contest, one, now=now) for one in own.authenticators) or any(
        decides(account, contest, agreement(one, at=now))
        for one in may_agree(account, action, now=now)
    )


def _may_decide(account: Account, contest: Contest, one: Authenticator, *, now: datetime) -> bool:
    named = root(one, now=now)
    if named is None or one.suspended(now):
        return False
    shown = Shown(
        source=one.authenticator_id,
        factor=factor_of(one),
        root=named,
        bound_at=one.bound_at,
        at=now,
        entry=0,
        bound_entry=one.entry,
    )
    return decides(account, contest, shown)


# --- What is contested ---


def contested_until(account: Account, action: OpenAction, *, now: datetime) -> datetime | None:
    """Return until when a contest about the change that ``action`` asks for stands, or None.

    What it is about never gets past it, however late somebody looks. Prevents: a change whose own
    wait is over, and that takes effect in the instant in which the contest runs out.
    """
    contest = account.disputes.contest
    if contest is None:
        return None
    ends = instant(contest.ends_at)
    if contest.action_id == action.action_id:
        return ends
    return ends if now < ends and change_of(action.payload) == contest.change else None


def of_contest(account: Account, action: OpenAction, *, now: datetime) -> dict[str, Any]:
    """Return what the facts say of the contest that stands, if one does."""
    if account.disputes.contest is None:
        return {}
    return {
        "contested_until": contested_until(account, action, now=now),
        "exits_contested_until": exits_held_until(account.disputes, now=now),
        "contest_open": decidable(account, action, now=now),
    }
