"""What an address resembles, in full: read only where that refuses it, and only to be shown."""

from msgspec.structs import replace

from twinlock.domain.account import Account
from twinlock.domain.actions import AnyPayload, place_of
from twinlock.domain.answers import Answered
from twinlock.domain.canonical import decode
from twinlock.domain.errors import present
from twinlock.domain.likeness import pending, resembles
from twinlock.domain.reasons import Reason
from twinlock.ports import Store


async def tell_resembled(store: Store, answered: Answered, payload: AnyPayload) -> Answered:
    """Return ``answered`` with what it was refused for resembling, if it was."""
    if all(why.code is not Reason.LOOK_ALIKE for why in answered.why):
        return answered
    return replace(answered, resembles=await resembled(store, payload))


async def resembled(store: Store, payload: AnyPayload) -> tuple[str, ...]:
    """Return the known addresses that the one in ``payload`` resembles, whole."""
    place = place_of(payload)
    if place is None:
        return ()
    account = await store.account(place.account)
    known = {one.address for one in pending(account)}
    known |= await _listed(store, account)
    known |= await _paid(store, account)
    return tuple(sorted(one for one in known if resembles(place.address, one)))


async def _listed(store: Store, account: Account) -> set[str]:
    found = [await store.destination(account.account_id, one) for one in account.destinations]
    return {one.address for one in found if one is not None}


async def _paid(store: Store, account: Account) -> set[str]:
    """Return what was paid without being listed: its address stands in the entry of the spend."""
    found = set()
    for number in account.paid.values():
        entry = present(await store.entry(account.account_id, number), "a spend has its entry")
        paid: dict[str, str] = decode(entry.kept.openings["payload"].value.encode("utf-8"))
        found.add(paid["address"])
    return found
