"""Strategies for accounts in every state of enrolment, and for whatever can be asked of one."""

from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace
from support.cast import (
    ALICE,
    DAY,
    HOUR,
    INSTANT,
    LONG_AGO,
    MALLORYS_LAPTOP,
    NEW_ADDRESS,
    NOON,
    OLD_ADDRESS,
)
from support.facts import FOREVER, rarely
from support.gates import Gate
from support.policies import ordinary_policies
from support.worlds import (
    APP,
    DESKTOP,
    DESKTOP_KEY,
    EMAIL,
    FREEZE,
    LIFT,
    PASSWORD,
    ROAMING,
    SMS,
    SYNCED,
    a_destination,
    a_passkey,
    a_password,
    a_session,
    an_account,
    bind,
    change_contact,
    change_password,
    list_address,
    make_key,
    reactivate,
    remove,
    repudiate,
    reset_password,
    send,
    sign_in,
    suspend,
    unlist,
)

from twinlock.domain.account import Account
from twinlock.domain.actions import AnyPayload, ApiKeyNarrow, ApiKeyRevoke, ApiKeyWiden, NotBuilt
from twinlock.domain.authenticators.model import Authenticator, Password
from twinlock.domain.channels import Channel
from twinlock.domain.freezes import Freeze
from twinlock.domain.holds import Hold
from twinlock.domain.policy.version import Policy

ages = st.sampled_from([LONG_AGO, NOON - 31 * DAY, NOON - 29 * DAY, NOON - DAY])
SIGNING_IN_ALONE: tuple[Authenticator, ...] = (PASSWORD, SYNCED, ROAMING, DESKTOP_KEY)


@st.composite
def authenticators(draw: st.DrawFn) -> tuple[Authenticator, ...]:
    """Draw what is bound: at least one that signs in without another."""
    alone = draw(st.lists(st.sampled_from(SIGNING_IN_ALONE), min_size=1, unique=True))
    app = [APP] if draw(st.booleans()) else []
    return tuple(replace(one, bound_at=draw(ages)) for one in [*alone, *app])


@st.composite
def channels(draw: st.DrawFn) -> tuple[Channel, ...]:
    kinds = draw(st.lists(st.sampled_from([EMAIL, SMS, DESKTOP]), unique=True))
    return tuple(replace(one, bound_at=draw(ages)) for one in kinds)


destinations = st.builds(
    a_destination,
    st.just(OLD_ADDRESS),
    usable_at=st.none() | st.sampled_from([LONG_AGO, NOON - DAY, NOON + HOUR]),
    used_at=st.none() | st.sampled_from([NOON - 31 * DAY, NOON - 5 * DAY]),
    imported=st.booleans(),
    removed=st.booleans(),
    budget_cents=st.sampled_from([0, 100_00, 500_00]),
)


@st.composite
def accounts(draw: st.DrawFn) -> Account:
    """Draw an account: what is bound, where notices go, what stops it, who is signed in."""
    sessions = (a_session(read_only=draw(st.booleans())),) if draw(st.booleans()) else ()
    account = an_account(
        *draw(authenticators()),
        channels=draw(channels()),
        sessions=sessions,
        enrolling_until=draw(st.none() | st.just(NOON + HOUR)) if not sessions else None,
        destinations_required=draw(st.booleans()),
        opened_at=draw(ages),
    )
    frozen = draw(st.sampled_from([None, None, None, None, NOON + 72 * HOUR, FOREVER]))
    freeze = Freeze() if frozen is None else Freeze(until=frozen, set_at=NOON - HOUR)
    return replace(account, freeze=freeze, holds=draw(holds()))


@st.composite
def holds(draw: st.DrawFn) -> tuple[Hold, ...]:
    ends = draw(st.sampled_from([None, None, NOON + INSTANT, NOON + 3 * DAY]))
    if ends is None:
        return ()
    return (Hold(because="password.change", placed_at=NOON - HOUR, ends_at=ends),)


@st.composite
def gates(draw: st.DrawFn, policies: st.SearchStrategy[Policy] | None = None) -> Gate:
    listed = draw(st.lists(destinations, max_size=1))
    return Gate.of(draw(accounts()), *listed, policy=draw(policies or ordinary_policies()))


@st.composite
def calm_gates(draw: st.DrawFn) -> Gate:
    """Draw an account that nothing stops yet, with a destination it has used before."""
    listed = a_destination(budget_cents=draw(st.sampled_from([0, 100_00, 500_00])))
    session = a_session(read_only=draw(rarely))
    account = an_account(*draw(authenticators()), channels=(EMAIL, DESKTOP), sessions=(session,))
    return Gate.of(account, listed)


def asked_of(account: Account) -> st.SearchStrategy[tuple[AnyPayload, str]]:
    """Draw a payload that can be proposed in ``account``, and its secret."""
    bound: list[tuple[AnyPayload, str]] = [
        (about(one), "")
        for one in account.authenticators
        for about in (remove, suspend, reactivate, repudiate)
    ]
    changes: list[tuple[AnyPayload, str]]
    changes = [change_password()] if PASSWORD.authenticator_id in _names(account) else []
    changes.append(reset_password(old=_password(account)))
    number = account.chain.entries
    new = replace(EMAIL, address=f"alice{number}@example.com")
    changes += [change_contact(old, new, f"chn_{number}") for old in (None, *account.channels)]
    changes += [change_contact(old, None) for old in account.channels]
    bound += [(repudiate(one), "") for one in account.channels]
    addresses = (OLD_ADDRESS, NEW_ADDRESS)
    return st.sampled_from(
        [
            *((send(dollars, to=to), "") for dollars in (1, 600, 150_000) for to in addresses),
            *((list_address(to, budget_cents=10_00), "") for to in addresses),
            (unlist(OLD_ADDRESS), ""),
            (sign_in(), ""),
            (sign_in(MALLORYS_LAPTOP), ""),
            bind(a_passkey(f"aut_{account.chain.entries}")),
            *bound,
            *changes,
            (make_key("read", "trade"), "key_read"),
            (make_key("withdraw", ip_list=("::1",), destinations=("dst_1",)), "key_send"),
            (ApiKeyWiden(**_POWERS, pairs=("BTC/USDT",)), ""),
            (ApiKeyNarrow(**_POWERS, pairs=()), ""),
            (ApiKeyRevoke(account=ALICE, api_key_id="key_read"), ""),
            (FREEZE, ""),
            (LIFT, ""),
            (NotBuilt(account=ALICE, asked="recovery.open", digest=""), ""),
        ]
    )


_POWERS: dict[str, Any] = {
    "account": ALICE,
    "api_key_id": "key_read",
    "ip_list": ("203.0.113.0/28",),
    "price_band_bp": 50,
    "notional_daily_cents": 0,
}


def _password(account: Account) -> Password:
    """Return the password that a reset would replace, or one that it would bind."""
    held = (one for one in account.authenticators if isinstance(one, Password))
    return next(held, a_password(f"aut_{account.chain.entries}"))


def _names(account: Account) -> set[str]:
    return {one.authenticator_id for one in account.authenticators}
