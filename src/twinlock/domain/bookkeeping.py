"""From what was decided to what is written: entries, closed actions, notices, the new state.

Every store writes exactly this, in one transaction or not at all; the audit replays it.
"""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from twinlock.domain.account import State
from twinlock.domain.decisions import Decided
from twinlock.domain.entries import SALTS_BYTES, ClosedAction, Entry, Origin, closed, record
from twinlock.domain.errors import TwinlockError, invariant
from twinlock.domain.forgetting import is_former, versions_of
from twinlock.domain.ids import DestinationId
from twinlock.domain.notices import Notice, notices


class StateRolledBackError(TwinlockError):
    """A document that was sealed once and replaced since has been put back (law 9)."""

    code = "state_rolled_back"
    status = 503


class Booked(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one command changes."""

    state: State
    entries: tuple[Entry, ...]
    closed: tuple[ClosedAction, ...]
    notices: tuple[Notice, ...]


def check_current(state: State) -> State:
    """Return ``state`` when its destination is its account's, in the version that it knows.

    What is left of a forgotten one is not at hand.

    Raises:
        InvariantError: it is another account's.
        StateRolledBackError: an old row of the destination was put back, or the row is gone.
    """
    known = versions_of(state.account).get(state.destination_id or DestinationId(""))
    version = None if state.destination is None else state.destination.version
    if state.destination is not None:
        own = state.destination.account_id == state.account.account_id
        invariant(own, "a destination belongs to its account")
        if known is None and is_former(state.account, state.destination):
            return replace(state, destination=None)
    if known != version:
        raise StateRolledBackError("a destination is not the version its account knows")
    return state


def bookkeep(
    before: State, decided: Decided, *, origin: Origin, at: datetime, salts: bytes
) -> Booked:
    """Return what to write for ``decided``; ``salts`` are SALTS_BYTES for each decision."""
    invariant(len(salts) == SALTS_BYTES * len(decided.decisions), "fresh salts for every entry")
    chain = before.account.chain
    entries: list[Entry] = []
    ended: list[ClosedAction] = []
    told: list[Notice] = []
    states = (before, *decided.states)
    for place, decision in enumerate(decided.decisions):
        own_salts = salts[place * SALTS_BYTES : (place + 1) * SALTS_BYTES]
        over = closed(states[place], decision, number=chain.entries, policy=origin.policy)
        ended += [over] if over is not None else []
        told += notices(
            states[place].account,
            what=decision.kind,
            action_id=decision.action_id,
            events=decision.events,
        )
        entry, chain = record(decision, chain, origin=origin, at=at, salts=own_salts)
        entries.append(entry)
    account = replace(decided.state.account, chain=chain)
    return Booked(
        state=replace(decided.state, account=account),
        entries=tuple(entries),
        closed=tuple(ended),
        notices=(*told, *decided.letters),
    )
