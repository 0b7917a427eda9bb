"""What an API key may do is changed: narrowed at once, or widened after a wait.

What can change is how a key trades and from where it is used. Scopes, destinations and the sum that
may leave are what it was made for: whoever wants others makes another key. A list of networks is
never dropped: that, too, is another key.

Always true (tests/unit/domain/test_key_changes.py): what narrows lets a key do nothing that it
could not do before; a band exempts orders only once that was proved, and has waited.

Source: docs/laws.md, laws 3 and 5.
"""

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime
from math import ceil
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import replace

from twinlock.domain.account import Account, ApiKey, OpenAction
from twinlock.domain.actions import ApiKeyNarrow, ApiKeyWiden
from twinlock.domain.assurance import Factor, Level, level_shown
from twinlock.domain.bounds import API_KEY_BAND_BP_MOST, API_KEY_PAIRS_MOST
from twinlock.domain.catalogue import TRADE_SCOPE, ActionType
from twinlock.domain.drafts import (
    Cents,
    DraftForm,
    Place,
    ScopeUnknownError,
    Short,
    normal_network,
    parse,
)
from twinlock.domain.newcomers import proved_by
from twinlock.domain.own_effects import own
from twinlock.domain.sim_changes import sms_at

Change: TypeAlias = ApiKeyWiden | ApiKeyNarrow
NEVER = 2**32 - 1  # In POSIX seconds, in the year 2106: as long as any such number here.


class ApiKeyChangeDraft(DraftForm, frozen=True, kw_only=True):
    """What is left out is asked for as it stands."""

    api_key_id: Short
    """Its id, as ``GET /v1/accounts/{id}`` lists it."""
    ip_list: Annotated[tuple[Short, ...], Meta(max_length=20)] | UnsetType = UNSET
    """Addresses or networks that it may be used from; a list is never dropped."""
    pairs: Annotated[tuple[Place, ...], Meta(max_length=API_KEY_PAIRS_MOST)] | UnsetType = UNSET
    """With ``trade``: the pairs it trades; none: any liquid one."""
    price_band_bp: Annotated[int, Meta(ge=0, le=API_KEY_BAND_BP_MOST)] | UnsetType = UNSET
    """With ``trade``: how far from the middle, in basis points; 0: no band."""
    notional_daily_cents: Cents | UnsetType = UNSET
    """With ``trade``: US cents that it may trade a day (UTC); 0: no sum of its own."""


def changed(kind: str, draft: ApiKeyChangeDraft, key: ApiKey, account: Account) -> Change:
    """Return the payload of ``kind``, which widens or narrows ``key``.

    Raises:
        ScopeUnknownError: no network; a list that is dropped; terms of a key that does not trade.
    """
    form = ApiKeyWiden if kind == ActionType.API_KEY_WIDEN else ApiKeyNarrow
    payload = form(
        account=account.account_id,
        api_key_id=key.api_key_id,
        ip_list=_or(_networks(draft.ip_list), key.ip_list),
        pairs=_or(_sorted(draft.pairs), key.pairs),
        price_band_bp=_or(draft.price_band_bp, key.price_band_bp),
        notional_daily_cents=_or(draft.notional_daily_cents, key.notional_daily_cents),
    )
    if key.ip_list and not payload.ip_list:
        raise ScopeUnknownError("a key keeps its list of networks: make another one without")
    trades = payload.pairs or payload.price_band_bp or payload.notional_daily_cents
    if trades and TRADE_SCOPE not in key.scopes:
        raise ScopeUnknownError("pairs, a band and a sum to trade are of a key that may trade")
    return payload


def read_change(data: dict[str, Any]) -> ApiKeyChangeDraft:
    """Return the draft of a change. Raises MalformedError."""
    return parse(data, ApiKeyChangeDraft)


def _or(said: Any, stands: Any) -> Any:  # noqa: ANN401 - either is the field's own type
    return stands if said is msgspec.UNSET else said


def _networks(said: Sequence[str] | UnsetType) -> tuple[str, ...] | UnsetType:
    if isinstance(said, UnsetType):
        return said
    return tuple(sorted({normal_network(one) for one in said}))


def _sorted(said: Sequence[str] | UnsetType) -> tuple[str, ...] | UnsetType:
    return said if isinstance(said, UnsetType) else tuple(sorted(set(said)))


# --- What is narrower ---


def key_of(account: Account, payload: Change) -> ApiKey | None:
    """Return the key that ``payload`` would change, or None where it is not there."""
    keys = (one for one in account.api_keys if one.api_key_id == payload.api_key_id)
    return next(keys, None)


def narrows(account: Account, payload: ApiKeyNarrow) -> bool:
    """Say whether the key may do nothing more with it than without, and less in something."""
    key = key_of(account, payload)
    if key is None:
        return True  # What is not there is told as gone.
    parts = (
        _within(payload.ip_list, key.ip_list),
        _some_of(payload.pairs, key.pairs),
        _as_low(payload.price_band_bp, key.price_band_bp),
        _as_low(payload.notional_daily_cents, key.notional_daily_cents),
    )
    return all(parts) and _powers(payload) != _powers(key)


def _some_of(new: tuple[str, ...], old: tuple[str, ...]) -> bool:
    """Say whether ``new`` are some of the pairs ``old``.

    Prevents: a thin pair, named as less than "any liquid one"; and "any", as less than some.
    """
    return new == old or (bool(new) and set(old).issuperset(new))


def _within(new: tuple[str, ...], old: tuple[str, ...]) -> bool:
    """Say whether every network of ``new`` lies in one of ``old``; none at all is everywhere."""
    if not old:
        return True
    known = [ipaddress.ip_network(one) for one in old]
    return bool(new) and all(
        any(_lies_in(ipaddress.ip_network(one), other) for other in known) for one in new
    )


_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


def _lies_in(one: _Network, other: _Network) -> bool:
    if isinstance(one, ipaddress.IPv4Network):
        return isinstance(other, ipaddress.IPv4Network) and one.subnet_of(other)
    return isinstance(other, ipaddress.IPv6Network) and one.subnet_of(other)


def _as_low(new: int, old: int) -> bool:
    """Say whether ``new`` bounds as much as ``old``; 0 bounds nothing."""
    return not old or 0 < new <= old


def _powers(one: ApiKey | Change) -> tuple[object, ...]:
    return one.ip_list, one.pairs, one.price_band_bp, one.notional_daily_cents


# --- What takes effect ---


def narrowed(key: ApiKey, payload: ApiKeyNarrow, *, proved: bool, at: datetime) -> ApiKey:
    """Return ``key`` with less; where its band comes to exempt orders by it, that waits anew.

    Without a proof at the floor it never does. Prevents: a stolen session that gives a stolen key a
    band, or binds it to the thief's network, so that a day later it trades as fast as it likes.
    """
    new = _with_powers(key, payload)
    declared = exempts(key) and key.declared_at != NEVER
    if declared or not exempts(new):
        return new
    return replace(new, declared_at=ceil(at.timestamp()) if proved else NEVER)


def widened(account: Account, key: ApiKey, action: OpenAction) -> ApiKey:
    """Return ``key`` with what ``action``, whose wait is over, asks for.

    It stands for the weaker of what made and what widened it, and stops with either.
    """
    payload = own(action, ApiKeyWiden)
    shown = tuple(sorted({one.factor for one in action.shown if account.stands(one)}))
    proofs = ((shown, sms_at(account, action)), (key.proved_by, key.sms_at))
    weaker = min(proofs, key=lambda one: (level_shown(one[0], floor=account.floor), *_falls(*one)))
    by = tuple(sorted({*key.by, *proved_by(account, action)}))
    at = 0 if key.declared_at == NEVER else key.declared_at  # What widens has been proved.
    return replace(
        _with_powers(key, payload), by=by, proved_by=weaker[0], sms_at=weaker[1], declared_at=at
    )


def _falls(proved_by: tuple[Factor, ...], shown_at: datetime | None) -> tuple[Level, datetime]:
    """Return what is least for whatever falls soonest when a SIM card turns out to be changed.

    Prevents: a key made with a stolen number, which a code from a mailbox keeps when it is widened.
    """
    rest = level_shown(set(proved_by) - {Factor.SMS_CODE}, floor=Level.NONE)
    return rest, shown_at or datetime.max.replace(tzinfo=UTC)


def _with_powers(key: ApiKey, payload: Change) -> ApiKey:
    return replace(
        key,
        ip_list=payload.ip_list or key.ip_list,  # Asked for before there was one, too.
        pairs=payload.pairs,
        price_band_bp=payload.price_band_bp,
        notional_daily_cents=payload.notional_daily_cents,
    )


def exempts(key: ApiKey) -> bool:
    """Say whether the key's band may exempt its orders: it is declared, and bound."""
    return bool(key.pairs and key.price_band_bp and key.ip_list)


def exempts_from(key: ApiKey) -> datetime | None:
    """Return since when the key's band may exempt its orders, its wait apart; None: it may not."""
    if not exempts(key):
        return None
    return max(key.created_at, datetime.fromtimestamp(key.declared_at, tz=UTC))
