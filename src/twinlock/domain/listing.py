"""The life of a destination: one enum, one transition table, one function.

    new → proposed → waiting → usable ⇄ lapsed → removed
     └→ unproved (imported from an older system, or proved by what was never the owner's)

What is not in the table does not happen. Nothing is usable that was not proved and waited for; what
lapsed takes a proof again, and is not gone; what is removed begins anew.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from twinlock.domain.errors import InvariantError
from twinlock.domain.policy.facts import DestinationState

_S = DestinationState


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


TRANSITIONS: Mapping[tuple[DestinationState, Step], DestinationState] = MappingProxyType(
    {
        (_S.NEW, Step.IMPORT): _S.UNPROVED,
        **{
            (state, Step.PROPOSE): _S.PROPOSED
            for state in (_S.NEW, _S.UNPROVED, _S.USABLE, _S.LAPSED, _S.REMOVED)
        },
        (_S.PROPOSED, Step.PROVE): _S.WAITING,
        (_S.PROPOSED, Step.END): _S.NEW,
        (_S.WAITING, Step.END): _S.NEW,
        (_S.WAITING, Step.WAIT): _S.USABLE,
        (_S.USABLE, Step.USE): _S.USABLE,
        (_S.LAPSED, Step.USE): _S.USABLE,
        (_S.USABLE, Step.FORGET): _S.LAPSED,
        **{
            (state, Step.DOUBT): _S.UNPROVED
            for state in (_S.WAITING, _S.USABLE, _S.LAPSED, _S.UNPROVED)
        },
        **{
            (state, Step.REMOVE): _S.REMOVED
            for state in (_S.UNPROVED, _S.WAITING, _S.USABLE, _S.LAPSED, _S.REMOVED)
        },
    }
)


def after(state: DestinationState, step: Step) -> DestinationState:
    """Return the state that follows. Raises InvariantError where nothing does."""
    found = TRANSITIONS.get((state, step))
    if found is None:
        raise InvariantError(f"what is {state.value} does not {step.value}")
    return found


def followed(steps: Iterable[Step]) -> DestinationState:
    """Return the state of what was new, after ``steps``."""
    state = _S.NEW
    for step in steps:
        state = after(state, step)
    return state
