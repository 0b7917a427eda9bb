"""What an action is about: the authenticator or channel that it would change, its level and age.

Law 3 compares ages: who speaks against something, and what it is. All of it is our own record.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import assert_never

import msgspec

from twinlock.domain.account import Account, OpenAction, Shown
from twinlock.domain.actions import (
    AccountErase,
    AnyPayload,
    ApiKeyCreate,
    ApiKeyNarrow,
    ApiKeyWiden,
    AuthenticatorBind,
    AuthenticatorReactivate,
    AuthenticatorRemove,
    AuthenticatorRepudiate,
    AuthenticatorSuspend,
    ContactChange,
    ContactRepudiate,
    FreezeLift,
    MemberAdd,
    MemberRemove,
    PasswordChange,
    PasswordReset,
    TrustedContactAdd,
    TrustedContactRemove,
    type_of,
)
from twinlock.domain.ages import age_of
from twinlock.domain.api_keys import LONGEST, KeyLapses, lapses_at
from twinlock.domain.assurance import Factor, Level, floor_of, level_of
from twinlock.domain.authenticators.model import (
    Authenticator,
    Passkey,
    Password,
    RecoveryCodes,
    factor_of,
    root,
)
from twinlock.domain.bounds import CHANNELS_MOST
from twinlock.domain.catalogue import REPORTS, REPUDIATIONS, ActionType
from twinlock.domain.channels import Channel
from twinlock.domain.key_changes import key_of
from twinlock.domain.members import since
from twinlock.domain.newcomers import (
    doubted,
    is_newcomer,
    is_older,
    lets_in,
    newcomer,
    outranked,
    place_is_full,
    resting_on,
    somebody_left,
)
from twinlock.domain.people import contact_of, is_known
from twinlock.domain.policy.annotations import Ask
from twinlock.domain.policy.statute import outcomes
from twinlock.domain.policy.statutes import Statutes
from twinlock.domain.policy.varying import box_of, only
from twinlock.domain.proving import CODES, level_for
from twinlock.domain.successors import is_foreign

Target = tuple[Level, datetime | None]
NO_TARGET: Target = (Level.NONE, None)


def target(
    account: Account, payload: AnyPayload, *, whole: Account | None = None, now: datetime
) -> Target:
    """Return the level that changing it takes, and the age, of what the action is about.

    ``account`` is as one of several members sees it; ``whole`` all of it.

    A report takes no level, so that one factor is enough for it (SP 800-63B-4, 4.3). A suspension
    is as old as itself: whoever came after it does not end it. A freeze is as old as what set it.
    """
    match payload:
        case AuthenticatorRemove(authenticator_id=named):
            return _whole(account, account.authenticator(named))
        case PasswordChange() | AuthenticatorBind():
            return _whole(account, replaced(account, payload))
        case PasswordReset():
            # Prevents: learning from what is asked for whether there is a password.
            old = password(account)
            return account.floor, account.opened_at if old is None else old.bound_at
        case AuthenticatorReactivate() | FreezeLift():
            return _stop(account, payload, now=now)
        case ContactChange() | TrustedContactRemove() | MemberRemove():
            there = _there_since(account, payload)
            return NO_TARGET if there is None else (account.floor, there)
        case AuthenticatorSuspend() | AuthenticatorRepudiate() | ContactRepudiate():
            about = reported(account, payload)
            return NO_TARGET if about is None else (_against(account, payload), about.bound_at)
        case AccountErase():
            # Prevents: a thief's new passkey that destroys what the owner could have shown: with an
            # account go all of its authenticators, every member's.
            every = (account if whole is None else whole).authenticators
            return account.floor, min((one.bound_at for one in every), default=None)
        case _:
            return NO_TARGET


def _there_since(
    account: Account,
    payload: AuthenticatorRemove | ContactChange | TrustedContactRemove | MemberRemove,
) -> datetime | None:
    """Return since when what would go is there, or None."""
    found: Authenticator | Channel | None
    match payload:
        case MemberRemove(member_id=named):
            return since(account, named)
        case AuthenticatorRemove(authenticator_id=named):
            found = account.authenticator(named)
        case ContactChange(channel_id=named):
            found = account.channel(named)
        case TrustedContactRemove(contact_id=named):
            found = contact_of(account, named)
        case _:
            assert_never(payload)
    return None if found is None else found.bound_at


def _against(account: Account, payload: AnyPayload) -> Level:
    """Return the level that a report takes: none, unless it leaves nobody who is told.

    Then it is the floor that the older ones set which are left, and no password's. Prevents: a
    leaked old password that undoes a new passkey and with it the only channel there is, and does
    the rest in silence; and a thief's further key, or the owner's newer one, that asks for more.
    """
    found = reported(account, payload)
    undoes = isinstance(payload, AuthenticatorRepudiate)
    if found is None or not undoes or somebody_left(account, found.entry):
        return Level.NONE
    gone = resting_on(account, found.entry)
    left = (
        factor_of(one)
        for one in account.authenticators
        if one.entry not in gone and is_older(one.bound_at, found.bound_at)
    )
    return max(floor_of(left, has_channel=False), Level.POSSESSION)


def _stop(
    account: Account, payload: AuthenticatorReactivate | FreezeLift, *, now: datetime
) -> Target:
    """Return level and age of the suspension or the freeze that would end."""
    if isinstance(payload, FreezeLift):
        return account.floor, account.freeze.age(now=now)
    bound = account.authenticator(payload.authenticator_id)
    return NO_TARGET if bound is None else (account.floor, _suspended_at(bound))


def _suspended_at(bound: Authenticator) -> datetime | None:
    return None if bound.suspension is None else bound.suspension.at


def _whole(account: Account, bound: Authenticator | None) -> Target:
    """Return level and age of what would be removed or replaced.

    Of recovery codes the level is no more than the floor: else whoever lost them all, and has a
    password and codes only, could never have new ones.
    """
    if bound is None:
        return NO_TARGET
    level = level_of(factor_of(bound))
    saved = isinstance(bound, RecoveryCodes)
    return min(level, account.floor) if saved else level, bound.bound_at


def replaced(account: Account, payload: AnyPayload) -> Authenticator | None:
    """Return the authenticator whose place a new one would take, or None."""
    match payload:
        case PasswordChange():
            return password(account)
        case AuthenticatorBind(authenticator=Factor.RECOVERY_CODE):
            sets = (one for one in account.authenticators if isinstance(one, RecoveryCodes))
            return next(sets, None)
        case _:
            return None


def password(account: Account) -> Password | None:
    """Return the account's password, or None."""
    return next((one for one in account.authenticators if isinstance(one, Password)), None)


def reported(account: Account, payload: AnyPayload) -> Authenticator | Channel | None:
    """Return what a report is about, while it is there."""
    match payload:
        case (
            AuthenticatorSuspend(authenticator_id=named)
            | AuthenticatorRepudiate(authenticator_id=named)
        ):
            return account.authenticator(named)
        case ContactRepudiate(channel_id=named):
            found = newcomer(account, named)
            return found if isinstance(found, Channel) else None
        case _:
            return None


def level_against(
    account: Account,
    payload: AnyPayload,
    shown: Iterable[Shown],
    *,
    now: datetime,
    offers: frozenset[Factor],
) -> Level:
    """Return the level shown; of a report only by what may speak against its target at all.

    Prevents: a thief's new passkey beside a leaked password, to suspend the owner's for good; and a
    stolen key that suspends itself so that nobody at the floor is left.
    """
    about = reported(account, payload)
    own = getattr(about, "authenticator_id", "")
    speak = [
        one.factor
        for one in heard(account, payload, shown, now=now)
        if about is None
        or (one.source != own and _speaks(payload, age_of(account, one), about, now=now))
    ]
    return level_for(account, payload, speak, offers=offers)


def _speaks(
    payload: AnyPayload, at: datetime, about: Authenticator | Channel, *, now: datetime
) -> bool:
    if type_of(payload) in REPUDIATIONS:
        return is_older(at, about.bound_at)
    return not is_older(about.bound_at, at) or not is_newcomer(at, now=now)


def heard(
    account: Account, payload: AnyPayload, shown: Iterable[Shown], *, now: datetime
) -> tuple[Shown, ...]:
    """Return what of ``shown`` is heard: no code of a channel that is too new to say "not me"."""
    return tuple(
        one
        for one in shown
        if one.factor not in CODES or not _too_new(account, payload, one.bound_at, now=now)
    )


def _too_new(account: Account, payload: AnyPayload, at: datetime, *, now: datetime) -> bool:
    about = reported(account, payload)
    if about is None or type_of(payload) not in REPUDIATIONS:
        return False
    return outranked(account, about.entry, at, now=now)


def speakers(
    account: Account, payload: AnyPayload, *, now: datetime, offers: frozenset[Factor]
) -> tuple[Authenticator | Channel, ...]:
    """Return what is enrolled and may speak for a report: older, able to answer, or able to read.

    Law 10: what nothing enrolled can give is not asked for. Recovery codes are not read for reports
    (docs/adr/0009-what-a-recovery-code-may-do.md).
    """
    about = reported(account, payload)
    answering = offers - {Factor.RECOVERY_CODE}
    live = (
        one
        for one in account.authenticators
        if factor_of(one) in answering and not one.suspended(now) and not is_foreign(one)
    )
    asked = offers if account.sms_counts(now) else offers - {Factor.SMS_CODE}
    kinds = {kind for factor, kind in CODES.items() if factor in asked}
    sent = (one for one in account.channels if one.kind in kinds)
    codes = (one for one in sent if not _too_new(account, payload, one.bound_at, now=now))
    every = (*live, *codes)
    return tuple(
        one for one in every if about is not None and _speaks(payload, one.bound_at, about, now=now)
    )


def speaks_for(
    account: Account, payload: AnyPayload, *, now: datetime, offers: frozenset[Factor]
) -> bool:
    """Say whether something enrolled may speak for a report; of anything else it is not asked."""
    if type_of(payload) not in REPORTS:
        return True
    return bool(speakers(account, payload, now=now, offers=offers))


def target_gone(
    account: Account, action: OpenAction, *, lapses: KeyLapses = LONGEST, now: datetime
) -> bool:
    """Say whether what the action names is not there, or not as it was named when it was signed.

    A key that lapsed is changed no more. Prevents: one that lapsed since it names no network, and
    works again once a session alone narrows it to the thief's.
    """
    payload = action.payload
    match payload:
        case AuthenticatorRemove() | TrustedContactRemove() | MemberRemove():
            return _there_since(account, payload) is None
        case AuthenticatorReactivate(authenticator_id=named):
            bound = account.authenticator(named)
            at = None if bound is None or not bound.suspended(now) else _suspended_at(bound)
            return at is None or action.proposed_at < at
        case PasswordChange() | PasswordReset():
            made: Authenticator = msgspec.json.decode(action.secret, type=Authenticator)
            old = password(account)
            if old is None:
                return isinstance(payload, PasswordChange)
            return old.authenticator_id != made.authenticator_id
        case ApiKeyWiden() | ApiKeyNarrow():
            key = key_of(account, payload)
            return key is None or now >= lapses_at(key, lapses=lapses)
        case ContactChange():
            return _channel_gone(account, payload)
        case _ if type_of(payload) in REPORTS:
            return _nothing_to_report(account, payload)
        case _:
            return False


def _channel_gone(account: Account, payload: ContactChange) -> bool:
    if not payload.channel_id:
        return False
    old = account.channel(payload.channel_id)
    return old is None or (old.kind, old.address) != (payload.old_kind, payload.old_address)


def _nothing_to_report(account: Account, payload: AnyPayload) -> bool:
    about = reported(account, payload)
    return about is None or (type_of(payload) in REPUDIATIONS and doubted(account, about.entry))


def bound_already(account: Account, action: OpenAction) -> bool:
    """Say whether what would be bound is bound: one thing, one address, under another name too."""
    payload = action.payload
    if isinstance(payload, ContactChange):
        new = (payload.new_kind, payload.new_address)
        return any((one.kind, one.address) == new for one in account.channels)
    if isinstance(payload, ApiKeyCreate):
        return any(one.public_key == payload.public_key for one in account.api_keys)
    if not isinstance(payload, AuthenticatorBind | TrustedContactAdd | MemberAdd):
        return False
    made: Authenticator = msgspec.json.decode(action.secret, type=Authenticator)
    return is_known(account, made)


def channels_full(account: Account, payload: ContactChange, *, now: datetime) -> bool:
    """Say whether there is no room for one more channel, or for one more in the same place."""
    old = account.channel(payload.channel_id)
    if not payload.new_address:
        return False
    if old is None:
        return len(account.channels) >= CHANNELS_MOST
    return place_is_full(old, now=now)


def channel_left(
    account: Account, payload: AnyPayload, *, now: datetime, offers: frozenset[Factor]
) -> bool:
    """Say whether somebody can still be told of what happens (SP 800-63B-4, 4.6).

    What bound the only channel may be undone all the same, where something older could show what
    that takes: the account is then as it was before there was one.
    """
    if isinstance(payload, ContactRepudiate):
        about = reported(account, payload)
        return about is None or somebody_left(account, about.entry)
    if isinstance(payload, AuthenticatorRepudiate):
        least = _against(account, payload)
        older = speakers(account, payload, now=now, offers=offers)
        return least is Level.NONE or any(
            level_of(factor_of(one)) >= least for one in older if not isinstance(one, Channel)
        )
    if not isinstance(payload, ContactChange) or payload.new_address:
        return True
    return any(one.channel_id != payload.channel_id for one in account.channels)


def way_in_left(
    account: Account, payload: AnyPayload, *, statutes: Statutes, now: datetime
) -> bool:
    """Say whether somebody can still sign in: an app or recovery codes alone are not enough.

    Nor is what the policy takes no sign-in by. Prevents: the last passkey removed where a sign-in
    takes one, so that its owner never gets in again, nor binds another.
    """
    if not isinstance(payload, AuthenticatorRemove):
        return True
    gone = payload.authenticator_id
    rest = [one for one in account.authenticators if one.authenticator_id != gone]
    if account.members:  # Each of several members signs in with a passkey, and with nothing less.
        rest = [one for one in rest if isinstance(one, Passkey)]
    return gets_in(rest, statutes=statutes, always=True, now=now)


def gets_in(
    bound: Iterable[Authenticator], *, statutes: Statutes, always: bool, now: datetime
) -> bool:
    """Say whether somebody with no more than ``bound`` signs in by what the policy takes.

    ``always``: from whatever device, and however unlike the account's own a sign-in is.
    """
    action = ActionType.SESSION_START
    offers = statutes.offers(action) or frozenset(Factor)  # Where nobody signs in, they prove.
    live = [one for one in bound if not one.suspended(now) and factor_of(one) in offers]
    asks = [rule for rule in statutes.of(action) if isinstance(rule.demand, Ask)]
    if not any(map(lets_in, live)) or not asks:
        return any(map(lets_in, live))
    all_shown = {
        **box_of(action),
        "enrolling": only(False),  # noqa: FBT003 - the value of a fact
        "proved": only(True),  # noqa: FBT003 - the value of a fact
        "factors": only(frozenset(factor_of(one).value for one in live)),
        "roots_shown": only(len({root(one, now=now) for one in live} - {None})),
    }
    found = [outcomes(rule, all_shown) for rule in asks]
    return all(one == {False} if always else False in one for one in found)
