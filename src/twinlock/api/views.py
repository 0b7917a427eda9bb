"""What the platform may see of an account: kinds, times and states; no secrets, no addresses."""

from datetime import datetime

import msgspec

from twinlock.domain.account import Account, Destination
from twinlock.domain.actions import type_of
from twinlock.domain.assurance import Level
from twinlock.domain.authenticators.model import Passkey, factor_of


class AuthenticatorView(msgspec.Struct, frozen=True, kw_only=True):
    """One bound authenticator. ``placement`` is where it lives in the worst case.

    ``suspended_until`` lies in the past where a suspension is over.
    """

    authenticator_id: str
    factor: str
    name: str
    bound_at: datetime
    placement: str
    suspended_until: datetime | None


class ChannelView(msgspec.Struct, frozen=True, kw_only=True):
    """One notice channel, without its address."""

    channel_id: str
    kind: str
    bound_at: datetime


class HoldView(msgspec.Struct, frozen=True, kw_only=True):
    """One hold on every exit."""

    because: str
    ends_at: datetime


class OpenView(msgspec.Struct, frozen=True, kw_only=True):
    """One action on its way."""

    action_id: str
    type: str
    state: str
    proposed_at: datetime
    until: datetime | None


class ApiKeyView(msgspec.Struct, frozen=True, kw_only=True):
    """One API key of the customer's."""

    api_key_id: str
    scopes: tuple[str, ...]
    ip_list: tuple[str, ...]
    destinations: tuple[str, ...]
    daily_cents: int


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """An account as the platform sees it."""

    account_id: str
    member_ids: tuple[str, ...]
    opened_at: datetime
    enrolling_until: datetime | None
    floor: str
    frozen_until: datetime | None
    authenticators: tuple[AuthenticatorView, ...]
    channels: tuple[ChannelView, ...]
    holds: tuple[HoldView, ...]
    actions: tuple[OpenView, ...]
    api_keys: tuple[ApiKeyView, ...]


class DestinationView(msgspec.Struct, frozen=True, kw_only=True):
    """One destination: who added it, when, and by which proofs. No action: imported, unproved."""

    destination_id: str
    network: str
    address: str
    memo: str
    label: str
    added_at: datetime
    added_by: str
    proved_by: tuple[str, ...]
    usable_at: datetime | None
    used_at: datetime | None
    budget_cents: int
    removed: bool


def view_account(account: Account) -> AccountView:
    """Return what the platform may see of ``account``."""
    return AccountView(
        account_id=account.account_id,
        member_ids=(account.member_id,),
        opened_at=account.opened_at,
        enrolling_until=account.enrolling_until,
        floor=Level(account.floor).name.lower(),
        frozen_until=account.freeze.until,
        authenticators=tuple(
            AuthenticatorView(
                authenticator_id=one.authenticator_id,
                factor=factor_of(one).value,
                name=one.name,
                bound_at=one.bound_at,
                placement=one.placement.value if isinstance(one, Passkey) else "",
                suspended_until=None if one.suspension is None else one.suspension.until,
            )
            for one in account.authenticators
        ),
        channels=tuple(
            ChannelView(channel_id=one.channel_id, kind=one.kind.value, bound_at=one.bound_at)
            for one in account.channels
        ),
        holds=tuple(HoldView(because=one.because, ends_at=one.ends_at) for one in account.holds),
        actions=tuple(
            OpenView(
                action_id=one.action_id,
                type=type_of(one.payload),
                state=one.state.value,
                proposed_at=one.proposed_at,
                until=one.until,
            )
            for one in account.actions
        ),
        api_keys=tuple(
            ApiKeyView(
                api_key_id=one.api_key_id,
                scopes=one.scopes,
                ip_list=one.ip_list,
                destinations=one.destinations,
                daily_cents=one.daily_cents,
            )
            for one in account.api_keys
        ),
    )


def view_destination(destination: Destination) -> DestinationView:
    """Return what the platform may see of ``destination``."""
    return DestinationView(
        destination_id=destination.destination_id,
        network=destination.network,
        address=destination.address,
        memo=destination.memo,
        label=destination.label,
        added_at=destination.added_at,
        added_by=destination.action_id or "",
        proved_by=tuple(one.value for one in destination.proved_by),
        usable_at=destination.usable_at,
        used_at=destination.used_at,
        budget_cents=destination.budget_cents,
        removed=destination.removed,
    )
