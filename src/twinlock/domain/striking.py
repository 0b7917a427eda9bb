"""What a decision ends of other open actions: each is vetoed before it, in its own decision."""

from twinlock.domain.account import OpenAction, State
from twinlock.domain.actions import AnyPayload, DestinationAdd, DestinationRemove
from twinlock.domain.api_keys import ended_with
from twinlock.domain.decisions import Decision
from twinlock.domain.events import ActionDone, ActionProposed, ApiKeyRevoked, NewcomerRepudiated
from twinlock.domain.newcomers import struck_by
from twinlock.domain.policy.gather import where


def struck(state: State, decision: Decision) -> tuple[OpenAction, ...]:
    """Return the open actions of ``state`` that cannot stand beside ``decision``.

    Prevents: an address that its owner removed while it waited, and that is listed the next day;
    what a thief proved with something that was repudiated since; and what a revoked key signed, in
    the place of what its owner wants.
    """
    account = state.account
    dead = [one.api_key_id for one in decision.events if isinstance(one, ApiKeyRevoked)]
    every = list(ended_with(account, dead))
    for event in decision.events:
        if isinstance(event, NewcomerRepudiated):
            every += (one for one in struck_by(account, event) if one not in every)
    if every:
        return tuple(one for one in every if one.action_id != decision.action_id)
    payload = _done(state, decision)
    if not isinstance(payload, DestinationRemove):
        return ()
    return tuple(
        one
        for one in account.actions
        if isinstance(one.payload, DestinationAdd) and where(one.payload) == where(payload)
    )


def _done(state: State, decision: Decision) -> AnyPayload | None:
    """Return the payload of what took effect, whether it stood open before or not."""
    if not any(isinstance(event, ActionDone) for event in decision.events):
        return None
    new = (one.action for one in decision.events if isinstance(one, ActionProposed))
    every = (*state.account.actions, *new)
    return next(one.payload for one in every if one.action_id == decision.action_id)
