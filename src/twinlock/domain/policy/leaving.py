"""What an exit is worth, and what is known of where it leads: facts of exits."""

from datetime import datetime, timedelta

from twinlock.domain.account import Account, OpenAction, State
from twinlock.domain.actions import DestinationAdd, DestinationRemove
from twinlock.domain.bounds import MAX_VALUE_CENTS
from twinlock.domain.canonical import b64url, tagged_mac
from twinlock.domain.exits import (
    BOOKS,
    AnyExit,
    Exit,
    WithdrawalCrypto,
    asset_in,
    leads_to,
    most_fee,
)
from twinlock.domain.limits import Spent
from twinlock.domain.listed import Destination
from twinlock.domain.listing import Listing, Step, after
from twinlock.domain.money import KNOWN_CENTS_MOST, Prices, minor_units, value_cents
from twinlock.domain.newcomers import still_proved
from twinlock.domain.policy.facts import DestinationState
from twinlock.domain.policy.version import Policy

_PLACE = 10  # characters of base64: 60 bits, so that no two places of an account ever meet


def worth(action: OpenAction, *, policy: Policy, prices: Prices | None, now: datetime) -> int:
    """Return what ``action`` lets leave, its highest fee included, in US cents; 0 if nothing."""
    payload = action.payload
    if not isinstance(payload, Exit):
        return 0
    amount = value_cents(
        asset_in(payload, policy.assets),
        minor_units(payload.amount_minor),
        prices=prices,
        claimed_cents=action.claimed_cents,
        now=now,
    )
    fee = _fee(payload, policy=policy, prices=prices, now=now)
    if MAX_VALUE_CENTS in (amount, fee):
        return MAX_VALUE_CENTS
    return min(amount + fee, KNOWN_CENTS_MOST)


def _fee(payload: AnyExit, *, policy: Policy, prices: Prices | None, now: datetime) -> int:
    """Return what the highest fee is worth: it leaves too, and whoever mines gets it.

    Prevents: a cent to a listed address, and a million in fees, on the session key alone.
    """
    highest = most_fee(payload)
    if highest == 0:
        return 0
    if isinstance(payload, WithdrawalCrypto):
        paid_in = policy.coin(payload.network)
    else:
        paid_in = asset_in(payload, policy.assets)
    return value_cents(paid_in, highest, prices=prices, claimed_cents=0, now=now)


def day_of(spent: Spent, *, now: datetime, own: int) -> int:
    """Return what left on ``now``'s day (UTC) but for ``own``, in US cents."""
    left = max(spent.cents - own, 0) if spent.day == now.date().isoformat() else 0
    return min(left, MAX_VALUE_CENTS)


def destination_of(
    state: State, action: OpenAction, *, policy: Policy, now: datetime
) -> tuple[DestinationState, int, int]:
    """Return what the destination is good for, what its budget leaves today, and what left.

    All that is not listed counts as one destination, what was removed too, and a place counts for
    all its memos, before it was listed and since. Prevents: an owner's limit for each, passed by
    listing none, on the day of a listing, by a list of references, or by all that was ever removed.
    """
    if not isinstance(action.payload, Exit):
        return DestinationState.NONE, 0, 0
    there = _left_where(state.account, action.payload, action, now=now)
    found = state.destination
    named = found is not None and where(found) == where(action.payload)
    if found is None or found.removed or not named:
        unlisted = action.counted_for(None, now)
        left = day_of(state.account.unlisted, now=now, own=unlisted)
        sums = min(max(left, there), MAX_VALUE_CENTS)
        if named:
            return DestinationState.REMOVED, 0, sums
        return _waiting_or_new(state.account, action.payload), 0, sums
    kind = state_of(state.account, found, lapse=policy.statutes.lapse, now=now)
    own = action.counted_for(found.destination_id, now)
    used = day_of(found.spent, now=now, own=own)
    budget_left = max(min(found.budget_cents, MAX_VALUE_CENTS) - used, 0)
    return kind, budget_left, min(max(used, there), MAX_VALUE_CENTS)


def _left_where(account: Account, payload: AnyExit, action: OpenAction, *, now: datetime) -> int:
    """Return what left today to where ``payload`` leads, but for ``action``'s own."""
    if account.sent_to.empty(at=now):
        return 0
    place = place_mac(account, payload)
    return account.sent_to.on(place, at=now) - counted_at(action, place, now)


def counted_at(action: OpenAction, place: str, at: datetime) -> int:
    """Return how many cents of the sum of ``place`` on the day of ``at`` are ``action``'s own."""
    return action.counted_on(at) if place == action.place else 0


def place_mac(account: Account, payload: AnyExit) -> str:
    """Return by what ``account`` counts the place to which ``payload`` leads, whatever its memo.

    On a chain that is the address, whichever network writes addresses so; in the platform's own
    books a name is another one in each of them. The key is the one of ``likeness``.
    """
    network, address, _ = leads_to(payload)
    return mac_of_place(account, network, address)


def mac_of_place(account: Account, network: str, address: str) -> str:
    """Return by what ``account`` counts ``address`` on ``network``."""
    books = network if network in BOOKS else ""
    key = account.chain.label_key.encode("utf-8")
    parts = (part.encode("utf-8") for part in (books, address))
    return b64url(tagged_mac(key, "place/v1", *parts))[:_PLACE]


def left_there(account: Account, payload: DestinationAdd, now: datetime) -> Spent:
    """Return what begins a new stream's sum of the day; nothing where nothing was forgotten.

    Prevents: a destination that is removed, forgotten and listed anew, to have its budget twice.
    """
    if not account.former.forgotten:
        return Spent()
    place = mac_of_place(account, payload.network, payload.address)
    return Spent().plus(account.sent_to.on(place, at=now), at=now)


def state_of(
    account: Account, found: Destination, *, lapse: timedelta, now: datetime
) -> DestinationState:
    """Return what a destination is good for; what something reported proved is as if unsigned."""
    kind = found.state(now=now, lapse=lapse)
    if kind is not DestinationState.REMOVED and not still_proved(account, found):
        return DestinationState(after(Listing(kind.value), Step.DOUBT).value)
    return kind


def where(one: AnyExit | DestinationAdd | DestinationRemove | Destination) -> tuple[str, str, str]:
    """Return where value would go: network, address and memo, every byte of them."""
    if isinstance(one, Exit):
        return leads_to(one)
    return one.network, one.address, one.memo


def _waiting_or_new(account: Account, payload: AnyExit) -> DestinationState:
    for other in account.actions:
        asked = other.payload
        if not isinstance(asked, DestinationAdd) or other.proved_at is None:
            continue
        if where(asked) == where(payload):
            return DestinationState.WAITING
    return DestinationState.NEW
