"""Copies of a state in which one part is another: what ``replay.apply`` is written in."""

from typing import Any

from msgspec.structs import replace

from twinlock.domain.account import Destination, State
from twinlock.domain.ids import ActionId


def with_account(state: State, **changes: Any) -> State:  # noqa: ANN401 - msgspec checks the fields
    """Return ``state`` with an account of which ``changes`` are true."""
    return replace(state, account=replace(state.account, **changes))


def with_action(whole: State, action_id: ActionId, /, **changes: Any) -> State:  # noqa: ANN401 - msgspec checks them
    """Return ``whole`` with an open action ``action_id`` of which ``changes`` are true."""
    actions = tuple(
        replace(one, **changes) if one.action_id == action_id else one
        for one in whole.account.actions
    )
    return with_account(whole, actions=actions)


def with_destination(state: State, destination: Destination) -> State:
    """Return ``state`` with ``destination`` at hand, whose version the account names."""
    versions = {**state.account.destinations, destination.destination_id: destination.version}
    return replace(with_account(state, destinations=versions), destination=destination)
