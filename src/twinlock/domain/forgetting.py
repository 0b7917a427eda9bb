"""Which destinations an account names, in which version, and which it forgets to make room.

A destination is a stream of its own, and its account names the version that counts: so no old row
of it can be put back (ADR 1). What was removed keeps its name and its place for that, until a new
destination needs the place: then the one that was removed, or changed since, longest ago is
forgotten. Its row stays where it is and counts for nothing, and ``forgotten`` is the highest
version that any such row ever had. Whatever is listed later begins above it: also the same
destination, with a proof and a wait of its own.

Always true (tests/property/test_forgetting_properties.py): an account names DESTINATIONS_MOST at
most; nothing that is listed is forgotten; and no row of a former life ever is the version that an
account names.
"""

from collections.abc import Iterable

from msgspec.structs import replace

from twinlock.domain.account import Account, OpenAction
from twinlock.domain.actions import DestinationAdd
from twinlock.domain.bounds import DESTINATIONS_MOST
from twinlock.domain.ids import DestinationId
from twinlock.domain.listed import Destination


def versions_of(account: Account) -> dict[DestinationId, int]:
    """Return the version of each destination that ``account`` names: listed, or removed."""
    return {**account.destinations, **dict(account.former.removed)}


def is_full(account: Account) -> bool:
    """Say whether nothing new can be listed: what is removed gives way, what is listed does not."""
    return len(account.destinations) >= DESTINATIONS_MOST


def first_version(account: Account) -> int:
    """Return the version that a stream begins with which ``account`` does not name."""
    return account.former.forgotten + 1


def is_former(account: Account, found: Destination) -> bool:
    """Say whether ``found``, which ``account`` does not name, is what is left of a forgotten one.

    Anything above is none: it was named, and the account is not the one that named it.
    """
    return found.version <= account.former.forgotten


def naming(account: Account, destination: Destination) -> Account:
    """Return ``account`` with ``destination`` named as it is, and without what gives way to it."""
    name, version = destination.destination_id, destination.version
    removed = tuple(one for one in account.former.removed if one[0] != name)
    listed = {one: known for one, known in account.destinations.items() if one != name}
    if destination.removed:
        removed = (*removed, (name, version))
    else:
        listed[name] = version
    forgotten = account.former.forgotten
    if removed and len(listed) + len(removed) > DESTINATIONS_MOST:
        (_, last), *rest = removed
        removed, forgotten = tuple(rest), max(forgotten, last)
    former = replace(account.former, removed=removed, forgotten=forgotten)
    return replace(account, destinations=listed, former=former)


def may_come_back(account: Account) -> Iterable[DestinationId]:
    """Return what waits to be listed of which a row of a former life may stand, or may soon."""
    if not account.former.removed and not account.former.forgotten:
        return ()
    waiting = (one for one in account.actions if _waits(one))
    return tuple(DestinationId(one.secret) for one in waiting)


def _waits(action: OpenAction) -> bool:
    return isinstance(action.payload, DestinationAdd) and action.proved_at is not None
