"""API keys: a key of the customer's servers, and what a payload that it signed is worth.

A key stands for the proof that signed its scopes, addresses, destinations and daily sum: it shows
their level, no root of its own, and nothing beyond them (law 3).

Always true (tests/property/test_api_key_properties.py): what a key shows was shown when it was
made, by proofs that the account's floor of today still accepts; without its creation, after its
revocation, and once what signed it was reported, it shows nothing, whatever follows; in one day no
more leaves by it than its sum (tests/property/test_api_key_sum_properties.py).
"""

import ipaddress
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from math import ceil

import msgspec
from msgspec.structs import replace

from twinlock.domain.account import Account, ApiKey, OpenAction, Shown, State
from twinlock.domain.actions import ApiKeyCreate, type_of
from twinlock.domain.assurance import BESIDE, Factor, Level, level_shown
from twinlock.domain.bounds import (
    API_KEY_UNBOUND_LIFETIME,
    API_KEY_UNUSED_LIFETIME,
    FLOOD_TOLD_EVERY,
    KEY_LAPSE_NOTICE,
    MAX_VALUE_CENTS,
)
from twinlock.domain.canonical import from_b64url, tagged_hash
from twinlock.domain.catalogue import TRADE_SCOPE, WITHDRAW_SCOPE
from twinlock.domain.errors import InvariantError, MalformedError
from twinlock.domain.exits import EXITS, Exit, leads_to
from twinlock.domain.ids import ActionId, ApiKeyId
from twinlock.domain.key_laws import stands_alone
from twinlock.domain.policy.facts import ApiKeyState, ApiKeyUse, Facts, Within
from twinlock.domain.sim_changes import sms_at, sms_fell

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Where an API key is read as a proof at all: a closed list. Nothing that loosens or tightens.
SIGNS = EXITS
ACTING = frozenset({TRADE_SCOPE, WITHDRAW_SCOPE})  # Scopes with which a key does more than look.


class KnownKey(msgspec.Struct, frozen=True, kw_only=True):
    """An API key of an account. ``usable_from``: it is not there before, and may never be."""

    key: ApiKey
    usable_from: datetime | None = None


def key_helps(action: OpenAction) -> bool:
    """Say whether an API key is read as a proof of ``action``."""
    return type_of(action.payload) in SIGNS


def made(account: Account, action: OpenAction, *, at: datetime, by: tuple[int, ...]) -> ApiKey:
    """Return the key that ``action`` makes of its payload at ``at``, by the entries ``by``."""
    payload = action.payload
    if not isinstance(payload, ApiKeyCreate):
        raise InvariantError("an API key is made by api_key.create")
    return ApiKey(
        api_key_id=ApiKeyId(action.secret),
        public_key=payload.public_key,
        scopes=payload.scopes,
        ip_list=payload.ip_list,
        destinations=payload.destinations,
        daily_cents=payload.daily_cents,
        pairs=payload.pairs,
        price_band_bp=payload.price_band_bp,
        notional_daily_cents=payload.notional_daily_cents,
        integrator=payload.integrator,
        created_at=at,
        by=by,
        entry=account.chain.entries,
        proved_by=tuple(sorted({one.factor for one in action.shown if account.stands(one)})),
        sms_at=sms_at(account, action),
    )


def known_keys(account: Account) -> tuple[KnownKey, ...]:
    """Return the keys of ``account``: those that are there, then those whose creation waits."""
    to_come = (
        KnownKey(key=made(account, action, at=action.until, by=()), usable_from=action.until)
        for action in account.keys_to_come
        if action.until is not None
    )
    return (*(KnownKey(key=key) for key in account.api_keys), *to_come)


def key_named(account: Account, public_key: str) -> KnownKey | None:
    """Return the key whose public key this is, or None."""
    return next((one for one in known_keys(account) if one.key.public_key == public_key), None)


def key_shown(account: Account, shown: Iterable[Shown]) -> tuple[KnownKey, Shown] | None:
    """Return the API key among proofs that stand, with its proof; an action is signed by one."""
    for one in shown:
        if one.factor is Factor.API_KEY:
            known = (key for key in known_keys(account) if key.key.api_key_id == one.source)
            found = next(known, None)
            return None if found is None else (found, one)
    return None


def by_keys_alone(account: Account, action: OpenAction) -> bool:
    """Say whether only an API key proves ``action``, of what stands: no fresh proof of people's."""
    standing = {one.factor for one in action.shown if account.stands(one)}
    return standing - BESIDE - {Factor.SESSION} == {Factor.API_KEY}


def ended_with(account: Account, dead: Iterable[ApiKeyId]) -> tuple[OpenAction, ...]:
    """Return the open actions that nothing but one of the keys ``dead`` proves."""
    gone = set(dead)
    named = (one for one in account.actions if any(shown.source in gone for shown in one.shown))
    return tuple(one for one in named if by_keys_alone(account, one))


def refusal_to_tell(account: Account, *, now: datetime) -> bool:
    """Say whether the owner is told of a use beyond a key's powers: once a day, however many."""
    return now >= datetime.fromtimestamp(account.key_told_at, tz=UTC) + FLOOD_TOLD_EVERY


def carrier(account: Account, action: OpenAction, facts: Facts) -> ApiKeyId | None:
    """Return the key without which ``action`` would not be allowed, or None where none is needed.

    By the proofs that stand. Prevents: a revoked key's proof, charged in the place of another's.
    """
    if facts.api_key is None or stands_alone(facts):
        return None
    found = key_shown(account, (one for one in action.shown if account.stands(one)))
    return None if found is None else found[0].key.api_key_id


def level_of_key(account: Account, key: ApiKey) -> Level:
    """Return what the proofs that made ``key`` are worth by today's floor; stopped, nothing."""
    if stopped(account, key):
        return Level.NONE
    return level_shown(key.proved_by, floor=account.floor)


def level_by_key(account: Account, shown: Shown) -> Level:
    """Return the level that a proof shows by standing for others; NONE of what is no API key."""
    found = key_shown(account, (shown,))
    return Level.NONE if found is None else level_of_key(account, found[0].key)


def stopped(account: Account, key: ApiKey) -> bool:
    """Say whether something that signed ``key`` was reported lost, stolen or swapped, at any time.

    Prevents: a phone that was taken, and the key that was made with it, which goes on.
    """
    return key.stopped or sms_fell(account, key.proved_by, key.sms_at)


def stopped_with(keys: Iterable[ApiKey], entry: int) -> tuple[ApiKey, ...]:
    """Return ``keys``; those that the thing bound by ``entry`` signed are stopped for good.

    Prevents: a key that starts again when what was reported is found, removed or replaced.
    """
    return tuple(replace(key, stopped=True) if entry in key.by else key for key in keys)


# --- How long a key lives ---


class KeyLapses(msgspec.Struct, frozen=True, kw_only=True):
    """After how long a key lapses: bound to no address since it was made; or not used."""

    unbound: timedelta = API_KEY_UNBOUND_LIFETIME
    unused: timedelta = API_KEY_UNUSED_LIFETIME


LONGEST = KeyLapses()


def lapses_at(key: ApiKey, *, lapses: KeyLapses) -> datetime:
    """Return when ``key`` lapses, if it is not used before; a lapsed one proves nothing.

    A use counts until the end of its day (UTC). Prevents: a key that was made for a trial years
    ago, and is found in an old repository.
    """
    used = max(key.used_on, key.spent[0])
    last = max(key.created_at, _EPOCH + timedelta(days=used + 1)) if used else key.created_at
    unused = last + lapses.unused
    if key.ip_list or ACTING.isdisjoint(key.scopes):
        return unused
    return min(unused, key.created_at + lapses.unbound)


def lapsed(keys: Iterable[ApiKey], *, lapses: KeyLapses, now: datetime) -> tuple[ApiKey, ...]:
    """Return those of ``keys`` that have lapsed: each keeps its place until another wants it."""
    return tuple(key for key in keys if now >= lapses_at(key, lapses=lapses))


def ends_soon(
    keys: Iterable[ApiKey], *, lapses: KeyLapses, now: datetime
) -> tuple[tuple[ApiKeyId, datetime], ...]:
    """Return which of ``keys`` lapse within KEY_LAPSE_NOTICE and when, the first one last.

    Those are left out whose owner was told of that end.
    """
    ends = ((key, lapses_at(key, lapses=lapses)) for key in keys)
    soon = (
        (key.api_key_id, end)
        for key, end in ends
        if now < end <= now + KEY_LAPSE_NOTICE and key.lapse_told < end.timestamp()
    )
    return tuple(sorted(soon, key=lambda one: one[1], reverse=True))


def told_of(keys: Iterable[ApiKey], named: ApiKeyId, *, until: datetime) -> tuple[ApiKey, ...]:
    """Return ``keys``; of the one named its owner was told that it lapses at ``until``."""
    seconds = ceil(until.timestamp())
    return tuple(
        replace(one, lapse_told=seconds) if one.api_key_id == named else one for one in keys
    )


def used_on(keys: Iterable[ApiKey], named: ApiKeyId, *, at: datetime) -> tuple[ApiKey, ...]:
    """Return ``keys``; the one named was used on ``at``'s day."""
    day = day_number(at)
    return tuple(replace(key, used_on=day) if key.api_key_id == named else key for key in keys)


# --- What one use of a key is worth ---


def key_use(
    state: State,
    action: OpenAction,
    shown: Iterable[Shown],
    *,
    lapses: KeyLapses = LONGEST,
    now: datetime,
) -> ApiKeyUse | None:
    """Return how the API key that signed ``action`` is used by it, or None where none did."""
    account = state.account
    found = key_shown(account, shown)
    if found is None:
        return None
    (known, proof), key = found, found[0].key
    live = ApiKeyState.LIVE if known.usable_from is None else ApiKeyState.WAITING
    if now >= lapses_at(key, lapses=lapses):
        live = ApiKeyState.LAPSED
    spent = spent_on(key, now) - taken(action, key.api_key_id, at=now)
    daily = min(key.daily_cents, MAX_VALUE_CENTS)
    return ApiKeyUse(
        state=ApiKeyState.STOPPED if stopped(account, key) else live,
        usable_from=known.usable_from,
        level=level_of_key(account, key),
        scopes=key.scopes,
        ip=Within.OUTSIDE if proof.ip is None else proof.ip,
        destination=_destination(state, action, key),
        daily_cents=daily,
        left_cents=max(daily - spent, 0),
    )


def taken(action: OpenAction, named: ApiKeyId, *, at: datetime) -> int:
    """Return how many cents of the sum of ``at``'s day of the key ``named`` are this action's own.

    What really was charged, and to which key. Prevents: an action that others had authorized, taken
    off a sum in which it never counted.
    """
    key, day, cents = action.charge or (named, 0, 0)
    return cents if (key, day) == (named, day_number(at)) else 0


def spent_on(key: ApiKey, at: datetime) -> int:
    """Return how many cents ``key`` let leave on ``at``'s day (UTC)."""
    day, cents = key.spent
    return cents if day == day_number(at) else 0


def charge_of(
    action: OpenAction, named: ApiKeyId, cents: int, *, at: datetime
) -> tuple[ApiKeyId, int, int]:
    """Return what ``action``, worth ``cents``, takes of the key's sum of ``at``'s day in all.

    Prevents: a price that falls between authorization and spend, and gives the difference back.
    """
    return named, day_number(at), max(cents, taken(action, named, at=at))


def charged(
    account: Account, action: OpenAction, named: ApiKeyId, cents: int, *, at: datetime
) -> tuple[ApiKey, ...]:
    """Return the keys of ``account`` after ``action`` took ``charge_of`` the sum of the one named.

    In the place of what it took of that before.
    """
    _, day, in_all = charge_of(action, named, cents, at=at)
    more = in_all - taken(action, named, at=at)
    return tuple(
        replace(key, spent=(day, spent_on(key, at) + more)) if key.api_key_id == named else key
        for key in account.api_keys
    )


def day_number(at: datetime) -> int:
    """Return the day of ``at`` (UTC), counted from 1970."""
    return (at - _EPOCH).days


def _destination(state: State, action: OpenAction, key: ApiKey) -> Within:
    if not key.destinations:
        return Within.ANY
    to, payload = state.destination, action.payload
    if to is None or not isinstance(payload, Exit):
        return Within.OUTSIDE
    same = (to.network, to.address, to.memo) == leads_to(payload)
    return Within.INSIDE if same and to.destination_id in key.destinations else Within.OUTSIDE


# --- What is signed ---


def message(action_id: ActionId, *, digest: str) -> bytes:
    """Return the 32 bytes that an API key signs for an action that was proposed.

    ``digest`` is that of its payload, base64url. An action is proposed once, so its id is all that
    makes a signature fresh.
    """
    return tagged_hash("api-key/v1", action_id.encode("ascii"), from_b64url(digest, size=32))


# --- Addresses ---


def normal_ip(text: str) -> str:
    """Return the one form of an IP address; IPv4 inside IPv6 is the IPv4 it is.

    Raises:
        MalformedError: it is none.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise MalformedError("ip is an IPv4 or IPv6 address") from error
    if "%" in text:
        raise MalformedError("an address of the internet has no zone")
    mapped = getattr(address, "ipv4_mapped", None)
    return str(address if mapped is None else mapped)


def lies_in(ip_list: Iterable[str], ip: str) -> Within:
    """Say whether ``ip``, in its one form, lies in one of the networks; none told lies in none."""
    networks = [ipaddress.ip_network(one) for one in ip_list]
    if not networks:
        return Within.ANY
    address = ipaddress.ip_address(ip) if ip else None
    inside = address is not None and any(address in network for network in networks)
    return Within.INSIDE if inside else Within.OUTSIDE
