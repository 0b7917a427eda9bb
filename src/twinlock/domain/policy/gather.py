"""From an account and an open action to the facts of one decision: a pure function."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from twinlock.domain.account import Account, Destination, OpenAction, Shown, State
from twinlock.domain.actions import (
    BUILT,
    AccountErase,
    ActionClass,
    AnyPayload,
    ApiKeyCreate,
    AuthenticatorBind,
    AuthenticatorRemove,
    DestinationAdd,
    DestinationRemove,
    FreezeSet,
    NotBuilt,
    PasswordChange,
    SessionStart,
    WithdrawalCrypto,
    class_of,
    type_of,
)
from twinlock.domain.assurance import PHONE, Factor, Level, level_of, level_shown
from twinlock.domain.authenticators.model import (
    Authenticator,
    Password,
    RecoveryCodes,
    Totp,
    device_bound,
    factor_of,
    root,
    same,
)
from twinlock.domain.bounds import (
    API_KEYS_MOST,
    AUTHENTICATORS_MOST,
    DESTINATIONS_MOST,
    MAX_VALUE_CENTS,
    OPEN_ACTIONS_MOST,
)
from twinlock.domain.holds import held_until
from twinlock.domain.money import Prices, UnknownAssetError, minor_units, value_cents
from twinlock.domain.policy.facts import DestinationState, Facts, SessionState
from twinlock.domain.policy.version import Policy
from twinlock.domain.room import urgent
from twinlock.domain.waits import lapses_at


def gather(
    state: State, action: OpenAction, *, policy: Policy, prices: Prices | None, now: datetime
) -> Facts:
    """Return the facts of deciding ``action`` in ``state`` at ``now``."""
    account, payload = state.account, action.payload
    floor = account.floor
    shown = tuple(one for one in action.shown if account.stands(one))
    factors = tuple(one.factor for one in shown)
    roots = _roots(payload, shown, floor=floor)
    own = action.counted_on(now)
    destination, budget_left, used = _destination(state, action, policy=policy, now=now)
    target = _target(account, payload)
    return Facts(
        now=now,
        action=type_of(payload),
        action_class=class_of(payload),
        built=type_of(payload) in BUILT and not isinstance(payload, NotBuilt),
        opened_at=account.opened_at,
        proposed_at=action.proposed_at,
        proved_at=_proved_at(action, shown, floor=floor),
        promised_until=action.until,
        offered_until=action.offered_until,
        floor=floor,
        shown_level=level_shown(factors, floor=floor),
        shown_factors=tuple(sorted(set(factors))),
        shown_roots=roots,
        roots_enrolled=len({root(one, now=now) for one in account.authenticators} - {None}),
        shown_oldest_at=min(
            (one.bound_at for one in shown if level_of(one.factor) >= target[0]), default=None
        ),
        shown_device_bound=_device_bound(account, shown),
        session=_session(account, action, shown),
        enrolling=account.enrolling(now),
        frozen_until=account.freeze.until,
        frozen_at=account.freeze.set_at,
        held_until=held_until(account.holds, now=now),
        narrow=_narrow(account, roots, floor=floor, now=now),
        has_channel=bool(account.channels),
        way_in_left=_way_in_left(account, payload),
        too_many=_too_many(account, action),
        bound_already=_bound_already(account, action),
        day_cents=_day(account.spent.day, account.spent.cents, now=now, own=own),
        destination=destination,
        destinations_required=account.destinations_required,
        budget_left_cents=budget_left,
        destination_day_cents=used,
        value_cents=_value(action, policy=policy, prices=prices, now=now),
        new_device=_new_device(account, payload, now=now),
        budget_cents=_budget(payload),
        target_level=target[0],
        target_bound_at=target[1],
        scopes=payload.scopes if isinstance(payload, ApiKeyCreate) else (),
        ip_list=len(payload.ip_list) if isinstance(payload, ApiKeyCreate) else 0,
        key_destinations=len(payload.destinations) if isinstance(payload, ApiKeyCreate) else 0,
        last_exit_at=account.last_exit_at,
        exit_open_until=_exit_open_until(account),
        legal_hold=bool(account.legal_holds),
        weak_freeze_at=_weak_freeze(account, roots),
    )


def _roots(payload: AnyPayload, shown: tuple[Shown, ...], *, floor: Level) -> tuple[str, ...]:
    """Return the roots shown. Codes add none where anything stronger is bound (law 4).

    Prevents: a code shown before a security key was bound, counted as the second root beside it.
    """
    weak = floor > Level.OUT_OF_BAND and not isinstance(payload, FreezeSet)
    none = (Factor.EMAIL_CODE, Factor.SMS_CODE) if weak else ()
    return tuple(sorted({one.root for one in shown if one.root and one.factor not in none}))


def _proved_at(action: OpenAction, shown: tuple[Shown, ...], *, floor: Level) -> datetime | None:
    """Return since when proofs that still stand reach today's floor, or None while they do not.

    Prevents: a wait that ran on a proof whose authenticator was removed meanwhile.
    """
    factors: list[Factor] = []
    for one in shown:
        factors.append(one.factor)
        level = level_shown(factors, floor=floor)
        if level >= max(floor, Level.KNOWLEDGE):
            return None if action.proved_at is None else max(action.proved_at, one.at)
    return None


def _session(account: Account, action: OpenAction, shown: Iterable[Shown]) -> SessionState:
    if action.unsigned:
        return SessionState.UNSIGNED
    for one in shown:
        session = account.session(one.source)
        if one.factor is Factor.SESSION and session is not None:
            return session.state(one.at)
    return SessionState.NONE


def _device_bound(account: Account, shown: Iterable[Shown]) -> bool:
    """Say whether one of the proofs is of a key that cannot leave its device (N-B04)."""
    bound = (account.authenticator(one.source) for one in shown)
    return any(one is not None and device_bound(one) for one in bound)


def _narrow(account: Account, roots: tuple[str, ...], *, floor: Level, now: datetime) -> bool:
    """No channel outside the roots that prove: silence is then no root of its own (law 4).

    Until a root is shown, any that could reach the floor alone may be the one that proves; showing
    one more root never makes an account narrow.
    """
    strong = (one for one in account.authenticators if level_of(factor_of(one)) >= floor)
    could = {root(one, now=now) or PHONE for one in strong} or {PHONE}

    def heard(name: str) -> bool:
        return any(channel.root != name.partition(":")[0] for channel in account.channels)

    two = bool(account.channels) and len(roots) > 1
    return not (two or any(map(heard, roots)) or all(map(heard, could)))


def _too_many(account: Account, action: OpenAction) -> bool:
    """Say whether there is no room. Freezing, and signing in to do so, always find some."""
    payload = action.payload
    if len(account.actions) > OPEN_ACTIONS_MOST and not urgent(action):
        return True
    match payload:
        case AuthenticatorBind():
            rest = [one for one in account.authenticators if one is not _replaced(account, payload)]
            return len(rest) >= AUTHENTICATORS_MOST
        case DestinationAdd():
            known = action.secret in account.destinations
            return len(account.destinations) >= DESTINATIONS_MOST and not known
        case ApiKeyCreate():
            return len(account.api_keys) >= API_KEYS_MOST
        case _:
            return False


def _bound_already(account: Account, action: OpenAction) -> bool:
    if not isinstance(action.payload, AuthenticatorBind):
        return False
    made: Authenticator = msgspec.json.decode(action.secret, type=Authenticator)
    return any(same(one, made) for one in account.authenticators)


def _way_in_left(account: Account, payload: AnyPayload) -> bool:
    """Say whether somebody can still sign in: an app or recovery codes alone are not enough."""
    gone = payload.authenticator_id if isinstance(payload, AuthenticatorRemove) else ""
    rest = (one for one in account.authenticators if one.authenticator_id != gone)
    return not gone or any(not isinstance(one, Totp | RecoveryCodes) for one in rest)


def _budget(payload: AnyPayload) -> int:
    asked = payload.budget_cents if isinstance(payload, DestinationAdd) else 0
    return min(asked, MAX_VALUE_CENTS)


def _value(action: OpenAction, *, policy: Policy, prices: Prices | None, now: datetime) -> int:
    payload = action.payload
    if not isinstance(payload, WithdrawalCrypto):
        return 0
    asset = policy.asset(payload.asset, payload.network)
    if (payload.contract, payload.decimals) != (asset.contract, asset.decimals):
        # Prevents: a payload that calls another token by the name of a cheap one.
        raise UnknownAssetError("contract and decimals are not those of this policy version")
    amount = value_cents(
        asset,
        minor_units(payload.amount_minor),
        prices=prices,
        claimed_cents=action.claimed_cents,
        now=now,
    )
    return min(amount + _fee(payload, policy=policy, prices=prices, now=now), MAX_VALUE_CENTS)


def _fee(payload: WithdrawalCrypto, *, policy: Policy, prices: Prices | None, now: datetime) -> int:
    """Return what the highest fee is worth: it leaves too, and whoever mines gets it.

    Prevents: a cent to a listed address, and a million in fees, on the session key alone.
    """
    highest = minor_units(payload.max_fee_minor)
    if highest == 0:
        return 0
    coin = policy.coin(payload.network)
    return value_cents(coin, highest, prices=prices, claimed_cents=0, now=now)


def _day(day: str, cents: int, *, now: datetime, own: int) -> int:
    left = max(cents - own, 0) if day == now.date().isoformat() else 0
    return min(left, MAX_VALUE_CENTS)


def _destination(
    state: State, action: OpenAction, *, policy: Policy, now: datetime
) -> tuple[DestinationState, int, int]:
    """Return what the destination is good for, what its budget leaves today, and what left."""
    if not isinstance(action.payload, WithdrawalCrypto):
        return DestinationState.NONE, 0, 0
    found = state.destination
    if found is None or where(found) != where(action.payload):
        return _waiting_or_new(state.account, action.payload), 0, 0
    kind = found.state(now=now, lapse=policy.statutes.lapse)
    own = action.counted_on(now)
    used = _day(found.spent.day, found.spent.cents, now=now, own=own)
    return kind, max(min(found.budget_cents, MAX_VALUE_CENTS) - used, 0), used


def where(
    one: WithdrawalCrypto | DestinationAdd | DestinationRemove | Destination,
) -> tuple[str, str, str]:
    """Return where value would go: network, address and memo, every byte of them."""
    return one.network, one.address, one.memo


def _waiting_or_new(account: Account, payload: WithdrawalCrypto) -> DestinationState:
    for other in account.actions:
        asked = other.payload
        if not isinstance(asked, DestinationAdd) or other.proved_at is None:
            continue
        if where(asked) == where(payload):
            return DestinationState.WAITING
    return DestinationState.NEW


def _target(account: Account, payload: AnyPayload) -> tuple[Level, datetime | None]:
    """Return level and age of the authenticator that would be removed or replaced.

    Of recovery codes the level is no more than the floor: else whoever lost them all, and has a
    password and codes only, could never have new ones.
    """
    if isinstance(payload, AccountErase):
        return _all_of_them(account)
    bound = _replaced(account, payload)
    if isinstance(payload, AuthenticatorRemove):
        bound = account.authenticator(payload.authenticator_id)
    if bound is None:
        return Level.NONE, None
    level = level_of(factor_of(bound))
    saved = isinstance(bound, RecoveryCodes)
    return min(level, account.floor) if saved else level, bound.bound_at


def _all_of_them(account: Account) -> tuple[Level, datetime | None]:
    """Return the level of the best authenticator and the age of the oldest: an erasure removes all.

    Prevents: a thief's new passkey that destroys what the owner could have shown (law 3).
    """
    ages = (one.bound_at for one in account.authenticators)
    return account.floor, min(ages, default=None)


def _replaced(account: Account, payload: AnyPayload) -> Authenticator | None:
    """Return the authenticator whose place a new one would take, or None."""
    kind: type[Authenticator]
    match payload:
        case PasswordChange():
            kind = Password
        case AuthenticatorBind(authenticator=Factor.RECOVERY_CODE):
            kind = RecoveryCodes
        case _:
            return None
    return next((one for one in account.authenticators if isinstance(one, kind)), None)


def _exit_open_until(account: Account) -> datetime | None:
    """Return when the last exit that somebody asked for, and nobody finished, is over."""
    exits = (one for one in account.actions if class_of(one.payload) is ActionClass.EXIT)
    return max(map(lapses_at, exits), default=None)


def _new_device(account: Account, payload: AnyPayload, *, now: datetime) -> bool:
    return isinstance(payload, SessionStart) and not account.knows(payload.device, at=now)


def _weak_freeze(account: Account, roots: tuple[str, ...]) -> datetime | None:
    return account.freeze.weak.get(weak_root(roots))


def weak_root(roots: tuple[str, ...]) -> str:
    """Return the name under which a freeze below the floor is remembered."""
    return roots[0] if roots else "knowledge"
