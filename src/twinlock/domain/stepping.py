"""The steps of one command: decisions in their order, each with the state that it leaves."""

from msgspec.structs import replace

from twinlock.domain.account import State
from twinlock.domain.decisions import Decided, Decision
from twinlock.domain.replay import apply_all


class Steps:
    """What was decided so far; ``state`` is what the last of it left."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._decisions: list[Decision] = []
        self._states: list[State] = []

    def take(self, decision: Decision | None) -> None:
        """Add ``decision``, where there is one."""
        if decision is not None:
            self.add(decision, following(self.state, decision))

    def add(self, decision: Decision, after: State) -> None:
        """Add ``decision``, which leaves ``after``: what ``following`` said of it."""
        self._decisions.append(decision)
        self._states.append(after)
        self.state = after

    def decided(self) -> Decided:
        """Return all of it."""
        return Decided(decisions=tuple(self._decisions), states=tuple(self._states))


def following(state: State, decision: Decision) -> State:
    """Return what ``decision`` leaves of ``state``, with its entry counted."""
    begun, events = decision.begun, decision.events
    if begun is not None and begun.state is state and events[: len(begun.events)] == begun.events:
        return advance(apply_all(begun.after, events[len(begun.events) :]))
    return advance(apply_all(state, events))


def advance(state: State) -> State:
    """Return ``state`` with one more entry counted; every decision is one."""
    chain = state.account.chain
    account = replace(state.account, chain=replace(chain, entries=chain.entries + 1))
    return replace(state, account=account)
