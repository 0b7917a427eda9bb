"""What an account's list of destinations says: who, when, by what, and what each is good for.

An entry names the entries of the log that listed it and that bound what proved it, so that whoever
asks "who added this address" is shown a proof that stands without us (S07).
"""

from datetime import datetime, timedelta

import msgspec

from twinlock.domain.account import Account, OpenAction
from twinlock.domain.actions import DestinationAdd
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.model import factor_of
from twinlock.domain.ids import ActionId, DestinationId
from twinlock.domain.listed import Destination
from twinlock.domain.listing import Listing
from twinlock.domain.newcomers import as_proved, stood_on
from twinlock.domain.policy.leaving import state_of


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """What proved it: bound by entry ``entry``. Without an id it is not bound any more."""

    entry: int
    authenticator_id: str = ""
    factor: Factor | None = None
    name: str = ""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One destination as it stands. ``until`` ends its state by itself: a wait, or its use.

    ``entry`` is the entry that listed it; ``keys`` and ``proved_by`` are what proved it.
    """

    destination_id: DestinationId
    network: str
    address: str
    memo: str
    label: str
    state: Listing
    until: datetime | None
    added_at: datetime
    action_id: ActionId | None
    entry: int | None
    proved_by: tuple[Factor, ...]
    keys: tuple[Key, ...]
    imported: bool
    usable_at: datetime | None
    used_at: datetime | None
    budget_cents: int


def listing(
    account: Account, known: tuple[Destination, ...], *, lapse: timedelta, now: datetime
) -> tuple[Listed, ...]:
    """Return ``known``, which are the account's, and what is proposed or waits to be among them."""
    return (
        *(_known(account, one, lapse=lapse, now=now) for one in known),
        *(
            _asked(account, one, one.payload)
            for one in account.actions
            if isinstance(one.payload, DestinationAdd)
        ),
    )


def _known(account: Account, one: Destination, *, lapse: timedelta, now: datetime) -> Listed:
    state = Listing(state_of(account, one, lapse=lapse, now=now).value)
    counted = as_proved(account, one)
    ends = {
        Listing.WAITING: one.usable_at,
        Listing.USABLE: one.lapses_at(lapse),
    }
    return Listed(
        destination_id=one.destination_id,
        network=one.network,
        address=one.address,
        memo=one.memo,
        label=one.label,
        state=state,
        until=ends.get(state),
        added_at=one.added_at,
        action_id=one.action_id,
        entry=None if one.imported else one.entry,
        proved_by=counted.proved_by,
        keys=_keys(account, one.by),
        imported=one.imported,
        usable_at=counted.usable_at,
        used_at=one.used_at,
        budget_cents=one.budget_cents,
    )


def _asked(account: Account, action: OpenAction, payload: DestinationAdd) -> Listed:
    proved = action.proved_at is not None
    return Listed(
        destination_id=DestinationId(action.secret),
        network=payload.network,
        address=payload.address,
        memo=payload.memo,
        label=payload.label,
        state=Listing.WAITING if proved else Listing.PROPOSED,
        until=action.until if proved else action.lapses_at,
        added_at=action.proposed_at,
        action_id=action.action_id,
        entry=None,
        proved_by=tuple(one.factor for one in action.shown),
        keys=_keys(account, stood_on(account, action)),
        imported=False,
        usable_at=action.until,
        used_at=None,
        budget_cents=payload.budget_cents,
    )


def _keys(account: Account, entries: tuple[int, ...]) -> tuple[Key, ...]:
    bound = {one.entry: one for one in account.authenticators}
    return tuple(
        Key(
            entry=entry,
            authenticator_id=bound[entry].authenticator_id,
            factor=factor_of(bound[entry]),
            name=bound[entry].name,
        )
        if entry in bound
        else Key(entry=entry)
        for entry in entries
    )
