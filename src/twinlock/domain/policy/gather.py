"""From an account and an open action to the facts of one decision: a pure function."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from twinlock.domain.account import Account, ActionState, OpenAction, Shown, State
from twinlock.domain.actions import (
    BUILT,
    AccountErase,
    AnyPayload,
    ApiKeyCreate,
    AuthenticatorBind,
    AuthenticatorSuspend,
    ContactChange,
    DestinationAdd,
    LockLoosen,
    LockTighten,
    MemberAdd,
    NotBuilt,
    PasswordReset,
    SessionStart,
    TrustedContactAdd,
    class_of,
    place_of,
    type_of,
)
from twinlock.domain.ages import oldest_shown
from twinlock.domain.api_keys import by_keys_alone, key_use, lapsed, level_by_key
from twinlock.domain.assurance import KNOWN, Factor, Level
from twinlock.domain.authenticators.model import RecoveryCodes, device_bound, root
from twinlock.domain.bounds import (
    API_KEYS_MOST,
    AUTHENTICATORS_MOST,
    CONTACTS_MOST,
    KEY_ACTIONS_MOST,
    MAX_VALUE_CENTS,
    NEWCOMER_PERIOD,
    OPEN_ACTIONS_MOST,
)
from twinlock.domain.catalogue import ActionClass
from twinlock.domain.contested import of_contest
from twinlock.domain.exits import PlatformExit
from twinlock.domain.forgetting import is_full as no_place_left
from twinlock.domain.freezes import SUSPENSION, freezes_as, weak_root
from twinlock.domain.holds import held_until
from twinlock.domain.key_laws import by_api_key
from twinlock.domain.likeness import looks_alike
from twinlock.domain.members import concerns_members, fills, is_full, seen_by, with_members
from twinlock.domain.money import Prices
from twinlock.domain.newcomers import (
    code_root,
    doubted,
    is_newcomer,
)
from twinlock.domain.people import contact_facts
from twinlock.domain.policy.enrolled import (
    begun_with_both,
    keys_of_a_lock,
    rooted,
    roots_enrolled,
    standing,
)
from twinlock.domain.policy.facts import Facts, SessionState
from twinlock.domain.policy.leaving import day_of, destination_of, worth
from twinlock.domain.policy.narrow import is_narrow
from twinlock.domain.policy.owned import own_rules
from twinlock.domain.policy.targets import (
    bound_already,
    channel_left,
    channels_full,
    heard,
    level_against,
    password,
    replaced,
    speaks_for,
    target,
    target_gone,
    way_in_left,
)
from twinlock.domain.policy.version import Policy
from twinlock.domain.proving import confirmed, level_for
from twinlock.domain.room import fills_bytes, urgent
from twinlock.domain.screening import Screened, Screening
from twinlock.domain.signing_in import risk_fact, unusual_until
from twinlock.domain.successors import floor_imported
from twinlock.domain.unheard import unheard_until
from twinlock.domain.waits import begun, lapses_at


def gather(
    state: State,
    action: OpenAction,
    *,
    policy: Policy,
    prices: Prices | None,
    screening: Screening | None = None,
    now: datetime,
) -> Facts:
    """Return the facts of deciding ``action`` in ``state`` at ``now``."""
    facts = _on_ones_own(state, action, policy=policy, prices=prices, screening=screening, now=now)
    own, offers = seen_by(state, action).account, policy.statutes.offers(type_of(action.payload))
    if concerns_members(state.account, action.payload):
        own_shown = _without_keys(standing(own, action, offers))
        own_at = _proved_at(own, action, own_shown, offers=offers)
        facts = with_members(facts, state.account, action, own_at=own_at)
    return begun(begun_with_both(facts, own, action, offers), action)


def _on_ones_own(
    whole: State,
    action: OpenAction,
    *,
    policy: Policy,
    prices: Prices | None,
    screening: Screening | None,
    now: datetime,
) -> Facts:
    """Return the facts as they are of the member alone whose action it is."""
    state, payload = seen_by(whole, action), action.payload
    account, offers = state.account, policy.statutes.offers(type_of(payload))
    floor, shown = account.floor, standing(account, action, offers)
    with_roots = rooted(payload, shown, floor=floor)
    roots = tuple(sorted({one.root for one in with_roots if one.root}))
    destination, budget_left, used = destination_of(state, action, policy=policy, now=now)
    about = target(account, payload, whole=whole.account, now=now)
    facts = Facts(
        now=now,
        action=type_of(payload),
        action_class=class_of(payload),
        built=type_of(payload) in BUILT and not isinstance(payload, NotBuilt),
        opened_at=account.opened_at,
        proposed_at=action.proposed_at,
        proved_at=_proved_at(account, action, shown, offers=offers),
        promised_until=action.until,
        offered_until=action.offered_until,
        floor=floor,
        shown_level=level_against(account, payload, shown, now=now, offers=offers),
        shown_factors=tuple(sorted({one.factor for one in shown})),
        shown_roots=roots,
        roots_enrolled=roots_enrolled(account, payload, now=now),
        **_keys_of_a_lock(account, payload, policy=policy, now=now),
        shown_oldest_at=_oldest(account, payload, shown, about[0], now=now),
        shown_device_bound=_device_bound(account, shown),
        session=_session(account, action, shown),
        api_key=key_use(whole, action, shown, lapses=policy.statutes.key_lapses, now=now),
        narrow=is_narrow(account, roots, destination, whole=whole.account, floor=floor, now=now),
        way_in_left=way_in_left(account, payload, statutes=policy.statutes, now=now),
        too_many=_too_many(whole.account, account, action, policy=policy, now=now),
        bound_already=bound_already(whole.account, action),
        target_gone=target_gone(account, action, lapses=policy.statutes.key_lapses, now=now),
        channel_left=channel_left(account, payload, now=now, offers=offers),
        channel_confirmed=_channel_confirmed(action),
        older_enrolled=about[1] is None or speaks_for(account, payload, now=now, offers=offers),
        day_cents=day_of(account.spent, now=now, own=action.counted_on(now)),
        destination=destination,
        **(_of_the_account(state, now=now) | _of_sign_ins(account, action, shown, now=now)),
        **_of_the_place(state, action, policy=policy, screening=screening),
        budget_left_cents=budget_left,
        destination_day_cents=used,
        value_cents=worth(action, policy=policy, prices=prices, now=now),
        budget_cents=_budget(payload),
        target_level=about[0],
        target_bound_at=about[1],
        **(_new_key(payload) | _of_a_wait(whole.account, action, roots, policy=policy, now=now)),
        **(own_rules(account, payload) | contact_facts(account, action)),
        weak_freeze_at=_weak_stop(account, payload, shown, roots),
    )
    return _without_a_stray_key(facts, account, action, shown, offers=offers)


def _keys_of_a_lock(
    account: Account, payload: AnyPayload, *, policy: Policy, now: datetime
) -> dict[str, Any]:
    """Return what a lock of both keys reads, where there is one or one would be set."""
    if account.lock.both_keys or isinstance(payload, LockTighten | LockLoosen):
        return keys_of_a_lock(account, payload, policy.statutes, now=now)
    return {}


def _of_the_account(state: State, *, now: datetime) -> dict[str, Any]:
    account = state.account
    return {
        "platform_halted": state.halted_at is not None,
        "suspended_until": account.suspension.until(now),
        "enrolling": account.enrolling(now),
        "frozen_until": account.freeze.until,
        "frozen_at": account.freeze.set_at,
        "held_until": held_until(account.holds, now=now),
        "has_channel": bool(account.channels),
        "floor_imported": floor_imported(account),
        "destinations_required": account.destinations_required,
        "legal_hold": bool(account.legal_holds),
        "signalled": account.signals.warned(now),
        "last_exit_at": _last_exit(account),
        "rootless_until": _rootless_until(account, now=now),
    }


def _of_the_place(
    state: State, action: OpenAction, *, policy: Policy, screening: Screening | None
) -> dict[str, Any]:
    """Return what speaks against where value would go; what tightens is not screened.

    Whoever is on the list is taken off one's own at any time.
    """
    place = place_of(action.payload)
    if place is None or class_of(action.payload) is ActionClass.TIGHTENING:
        return {}
    screened = Screened.NONE if screening is None else screening.says(place.address)
    return {
        "unspoken": isinstance(action.payload, PlatformExit)
        and action.payload.exit not in policy.statutes.speaks_of,
        "look_alike": looks_alike(state.account, action),
        "screened": screened,
        "wanted_elsewhere": action.wanted_elsewhere,
    }


def _without_a_stray_key(
    facts: Facts,
    account: Account,
    action: OpenAction,
    shown: tuple[Shown, ...],
    *,
    offers: frozenset[Factor],
) -> Facts:
    """Return ``facts`` where an API key is used beyond its powers: no wait runs on it."""
    if facts.api_key is None or by_api_key(facts):
        return facts
    own = _without_keys(shown)
    return replace(facts, proved_at=_proved_at(account, action, own, offers=offers))


def _without_keys(shown: tuple[Shown, ...]) -> tuple[Shown, ...]:
    return tuple(one for one in shown if one.factor is not Factor.API_KEY)


def _channel_confirmed(action: OpenAction) -> bool:
    adds = isinstance(action.payload, ContactChange) and bool(action.payload.new_address)
    return not adds or confirmed(action)


def _proved_at(
    account: Account,
    action: OpenAction,
    shown: tuple[Shown, ...],
    *,
    offers: frozenset[Factor],
) -> datetime | None:
    """Return since when proofs that still stand reach today's floor, or None while they do not.

    Prevents: a wait that ran on a proof whose authenticator was removed meanwhile.
    """
    factors: list[Factor] = []
    needed = max(account.floor, Level.KNOWLEDGE)
    for one in shown:
        factors.append(one.factor)
        level = level_for(account, action.payload, factors, offers=offers)
        if max(level, level_by_key(account, one)) >= needed:
            return None if action.proved_at is None else max(action.proved_at, one.at)
    return None


def _oldest(
    account: Account,
    payload: AnyPayload,
    shown: tuple[Shown, ...],
    level: Level,
    *,
    now: datetime,
) -> datetime | None:
    """Return the age of what is heard; codes reset no password that is older than an undoing.

    Unless it was the password that is undone. Prevents: a hijacked mailbox that undoes the owner's
    new passkey, and resets the password next.
    """
    at = oldest_shown(account, heard(account, payload, shown, now=now), level)
    if at is None or not isinstance(payload, PasswordReset) or account.floor > Level.OUT_OF_BAND:
        return at
    old = password(account)
    if not account.undercut_at or old is None:
        return at
    if doubted(account, old.entry) and is_newcomer(old.bound_at, now=now):
        return at
    return max(at, datetime.fromtimestamp(account.undercut_at, tz=UTC))


def _session(account: Account, action: OpenAction, shown: Iterable[Shown]) -> SessionState:
    """Return what the session behind ``action`` is good for: for no exit, where a saved code is it.

    Prevents: what was signed in it while exits were held, and leaves when the hold is over.
    """
    if action.unsigned:
        return SessionState.UNSIGNED
    leaves = class_of(action.payload) is ActionClass.EXIT
    saved = [one.entry for one in account.authenticators if isinstance(one, RecoveryCodes)]
    for one in shown:
        session = account.session(one.source)
        if one.factor is Factor.SESSION and session is not None:
            spends = not leaves or set(saved).isdisjoint(session.by)
            return session.state(one.at) if spends else SessionState.NONE
    return SessionState.NONE


def _device_bound(account: Account, shown: Iterable[Shown]) -> bool:
    """Say whether one of the proofs is of a key that cannot leave its device (N-B04)."""
    bound = (account.authenticator(one.source) for one in shown)
    return any(one is not None and device_bound(one) for one in bound)


def _rootless_until(account: Account, *, now: datetime) -> datetime | None:
    """Return when something bound is a root again, or None where something is or nothing will be.

    What a password alone bound is none for 30 days.
    """
    live = [
        one
        for one in account.authenticators
        if not one.suspended(now) and not isinstance(one, RecoveryCodes)
    ]
    weak = account.floor <= Level.OUT_OF_BAND
    codes = [one for one in account.channels if weak and one.takes_codes]
    young = [one.bound_at for one in live if one.born_of == KNOWN]
    young += [one.bound_at for one in codes if one.known_only]
    if not young:
        return None
    roots = {root(one, now=now) for one in live} | {code_root(one, now=now) for one in codes}
    return min(young) + NEWCOMER_PERIOD if roots == {None} else None


def _too_many(
    account: Account, own: Account, action: OpenAction, *, policy: Policy, now: datetime
) -> bool:
    """Say whether there is no room. Freezing, and signing in to do so, always find some.

    ``own`` is ``account`` as what its member does is decided on: a new authenticator takes the
    place of their own, and of no other member's.
    """
    payload = action.payload
    crowded = len(account.actions) > OPEN_ACTIONS_MOST and not urgent(action)
    full = fills(account, action) or fills_bytes(account, action)
    if crowded or full or _too_many_by_keys(account, action):
        return True
    match payload:
        case AuthenticatorBind():
            rest = [one for one in account.authenticators if one is not replaced(own, payload)]
            return len(rest) >= AUTHENTICATORS_MOST
        case ContactChange():
            return channels_full(account, payload, now=now)
        case PasswordReset():
            return not password(own) and len(account.authenticators) >= AUTHENTICATORS_MOST
        case DestinationAdd():
            known = action.secret in account.destinations
            return no_place_left(account) and not known
        case TrustedContactAdd() | MemberAdd():
            return _too_many_people(account, payload)
        case ApiKeyCreate():
            gone = lapsed(account.api_keys, lapses=policy.statutes.key_lapses, now=now)
            return len(account.api_keys) - len(gone) >= API_KEYS_MOST
        case _:
            return False


def _too_many_people(account: Account, payload: TrustedContactAdd | MemberAdd) -> bool:
    if isinstance(payload, TrustedContactAdd):
        return len(account.contacts) >= CONTACTS_MOST
    return is_full(account) or len(account.authenticators) >= AUTHENTICATORS_MOST


def _too_many_by_keys(account: Account, action: OpenAction) -> bool:
    """Prevents: a stolen key whose small withdrawals take every place while exits wait."""
    if not by_keys_alone(account, action):
        return False
    others = (one for one in account.actions if one.action_id != action.action_id)
    return sum(by_keys_alone(account, one) for one in others) >= KEY_ACTIONS_MOST


def _budget(payload: AnyPayload) -> int:
    asked = payload.budget_cents if isinstance(payload, DestinationAdd) else 0
    return min(asked, MAX_VALUE_CENTS)


def _new_key(payload: AnyPayload) -> dict[str, Any]:
    """Return what a new API key may do; nothing where none is made."""
    if not isinstance(payload, ApiKeyCreate):
        return {}
    return {
        "scopes": payload.scopes,
        "ip_list": len(payload.ip_list),
        "key_destinations": len(payload.destinations),
        "key_daily_cents": min(payload.daily_cents, MAX_VALUE_CENTS),
    }


def _of_a_wait(
    account: Account, action: OpenAction, roots: tuple[str, ...], *, policy: Policy, now: datetime
) -> dict[str, Any]:
    """Return what law 5 asks of a change that waits: who objects, and whether word arrived."""
    unheard = {
        "unheard_until": unheard_until(account, action, roots=len(roots), now=now),
        "exit_open_until": _exit_open_until(account, action.payload, policy=policy),
    }
    return unheard | of_contest(account, action, now=now)


def _last_exit(account: Account) -> datetime | None:
    last = account.last_exit_at
    return datetime.fromtimestamp(last, tz=UTC) if last else None


def _exit_open_until(account: Account, payload: AnyPayload, *, policy: Policy) -> datetime | None:
    """Return when the last exit that is authorized, or that a standing proof is for, is over.

    Only erasing asks for it. Prevents: a platform key that only proposes, and has no erasure
    carried out for ever.
    """
    if not isinstance(payload, AccountErase):
        return None

    def on_its_way(one: OpenAction) -> bool:
        offers = policy.statutes.offers(type_of(one.payload))
        shown = standing(account, one, offers)
        proved = _proved_at(account, one, shown, offers=offers) is not None
        return one.state is ActionState.AUTHORIZED or proved

    exits = (one for one in account.actions if class_of(one.payload) is ActionClass.EXIT)
    return max(map(lapses_at, filter(on_its_way, exits)), default=None)


def _of_sign_ins(
    account: Account, action: OpenAction, shown: tuple[Shown, ...], *, now: datetime
) -> dict[str, Any]:
    payload = action.payload
    new = isinstance(payload, SessionStart) and not account.knows(payload.device, at=now)
    return {
        "new_device": new,
        "risk": risk_fact(account, action, shown),
        "unusual_until": unusual_until(account, now=now),
    }


def _weak_stop(
    account: Account, payload: AnyPayload, shown: tuple[Shown, ...], roots: tuple[str, ...]
) -> datetime | None:
    if isinstance(payload, AuthenticatorSuspend):
        return account.freeze.weak.get(SUSPENSION + weak_root(roots))
    return account.freeze.weak.get(freezes_as(roots, [one.factor for one in shown]))
