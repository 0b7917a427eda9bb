"""The life of a destination: one enum, one transition table, one function.

    new → proposed → waiting → usable ⇄ lapsed → removed
     └→ unproved (imported from an older system, or proved by what was never the owner's)

What is not in the table does not happen. Nothing is usable that was not proved and waited for; what
lapsed takes a proof again, and is not gone; what is removed begins anew.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec

from twinlock.domain.errors import InvariantError
from twinlock.domain.ids import DestinationId


class Listing(StrEnum):
    """Where a destination stands. What a decision sees of it is ``facts.DestinationState``."""

    NEW = "new"
    PROPOSED = "proposed"  # somebody wants it listed, and proved nothing: a decision sees it as new
    UNPROVED = "unproved"
    WAITING = "waiting"
    USABLE = "usable"
    LAPSED = "lapsed"
    REMOVED = "removed"


class Step(StrEnum):
    """What happens to a destination."""

    IMPORT = "import"
    PROPOSE = "propose"
    PROVE = "prove"
    END = "end"  # vetoed, refused, or not finished in time
    WAIT = "wait"  # its wait is over
    USE = "use"
    FORGET = "forget"  # unused for too long
    DOUBT = "doubt"  # what proved it was never the owner's
    REMOVE = "remove"


TRANSITIONS: Mapping[tuple[Listing, Step], Listing] = MappingProxyType(
    {
        (Listing.NEW, Step.IMPORT): Listing.UNPROVED,
        **{
            (state, Step.PROPOSE): Listing.PROPOSED
            for state in (
                Listing.NEW,
                Listing.UNPROVED,
                Listing.USABLE,
                Listing.LAPSED,
                Listing.REMOVED,
            )
        },
        (Listing.PROPOSED, Step.PROVE): Listing.WAITING,
        (Listing.PROPOSED, Step.END): Listing.NEW,
        (Listing.WAITING, Step.END): Listing.NEW,
        (Listing.WAITING, Step.WAIT): Listing.USABLE,
        (Listing.USABLE, Step.USE): Listing.USABLE,
        (Listing.LAPSED, Step.USE): Listing.USABLE,
        (Listing.USABLE, Step.FORGET): Listing.LAPSED,
        **{
            (state, Step.DOUBT): Listing.UNPROVED
            for state in (Listing.WAITING, Listing.USABLE, Listing.LAPSED, Listing.UNPROVED)
        },
        **{
            (state, Step.REMOVE): Listing.REMOVED
            for state in (
                Listing.UNPROVED,
                Listing.WAITING,
                Listing.USABLE,
                Listing.LAPSED,
                Listing.REMOVED,
            )
        },
    }
)


def after(state: Listing, step: Step) -> Listing:
    """Return the state that follows. Raises InvariantError where nothing does."""
    found = TRANSITIONS.get((state, step))
    if found is None:
        raise InvariantError(f"what is {state.value} does not {step.value}")
    return found


def followed(steps: Iterable[Step]) -> Listing:
    """Return the state of what was new, after ``steps``."""
    state = Listing.NEW
    for step in steps:
        state = after(state, step)
    return state


class Former(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an account keeps of destinations that are off its list (see ``forgetting``).

    ``removed`` ones with the versions of their streams, that which changed last at the end;
    ``forgotten`` is the highest version of all that are not among them any more; ``looks`` are of
    what was proved and removed, the last removed at the end (see ``likeness``).
    """

    removed: tuple[tuple[DestinationId, int], ...] = ()
    forgotten: int = 0
    looks: str = ""


NO_FORMER = Former()
