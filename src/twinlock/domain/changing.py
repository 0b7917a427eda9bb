"""Copies of a state in which one part is another: what ``replay.apply`` is written in."""

from datetime import datetime
from math import ceil
from typing import Any

from msgspec.structs import replace

from twinlock.domain.account import State
from twinlock.domain.authenticators.model import Authenticator, built_in
from twinlock.domain.forgetting import naming, versions_of
from twinlock.domain.ids import ActionId
from twinlock.domain.listed import Destination


def with_account(state: State, **changes: Any) -> State:  # noqa: ANN401 - msgspec checks the fields
    """Return ``state`` with an account of which ``changes`` are true."""
    return replace(state, account=replace(state.account, **changes))


def with_left(state: State, left: tuple[Authenticator, ...], *, at: datetime) -> State:
    """Return ``state`` where ``left`` are the authenticators that nobody removed at ``at``."""
    account = state.account
    shed = any(built_in(one) for one in account.authenticators if one not in left)
    when = ceil(at.timestamp()) if shed else account.shed_at
    return with_account(state, authenticators=left, shed_at=when)


def with_action(whole: State, action_id: ActionId, /, **changes: Any) -> State:  # noqa: ANN401 - msgspec checks them
    """Return ``whole`` with an open action ``action_id`` of which ``changes`` are true."""
    actions = tuple(
        replace(one, **changes) if one.action_id == action_id else one
        for one in whole.account.actions
    )
    return with_account(whole, actions=actions)


def with_destination(state: State, destination: Destination) -> State:
    """Return ``state`` with ``destination`` at hand, whose version the account names."""
    return replace(state, account=naming(state.account, destination), destination=destination)


def with_listed(state: State, new: Destination) -> State:
    """Return ``state`` with ``new`` listed, which is not at hand.

    What is at hand may be what the account forgets for it: then nothing is at hand any more, and
    it is written as it stands.
    """
    account, at_hand = naming(state.account, new), state.destination
    gone = versions_of(state.account).keys() - versions_of(account)
    state = replace(state, account=account, listed=(*state.listed, new))
    if at_hand is None or at_hand.destination_id not in gone:
        return state
    return replace(state, destination=None, listed=(*state.listed, at_hand))
