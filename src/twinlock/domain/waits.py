"""Which waits are told, and when an open action lapses.

Always true (tests/property/test_gate_properties.py): nothing takes effect after a wait that was not
told, for a wait is longer than an untold action lives; and the first that is told of an action
begins no sooner (tests/attacks/test_untold_waits.py).
"""

from datetime import datetime

from msgspec.structs import replace

from twinlock.domain.account import ActionState, OpenAction
from twinlock.domain.actions import AccountErase, class_of
from twinlock.domain.bounds import (
    AUTHORIZATION_LIFETIME,
    ERASURE_LIFETIME,
    OPEN_ACTION_LIFETIME,
)
from twinlock.domain.catalogue import ActionClass
from twinlock.domain.events import ActionHeld
from twinlock.domain.policy.facts import Facts
from twinlock.domain.requirements import Requirement, silence_until, waits_until


def lapses_at(action: OpenAction) -> datetime:
    """Return when ``action`` is over if nobody finishes it."""
    if action.state is ActionState.AUTHORIZED and action.authorized_at is not None:
        return action.authorized_at + AUTHORIZATION_LIFETIME
    return action.lapses_at


def effective_at(action: OpenAction) -> datetime | None:
    """Return when the wait that a change was told is over, if it waits for nobody else.

    Exits wait for their own spend, and an erasure for whoever may erase. A wait that a second root
    would have spared is over in its time as well.
    """
    payload = action.payload
    if class_of(payload) is ActionClass.EXIT or isinstance(payload, AccountErase):
        return None
    return action.until or action.offered_until


def held(
    action: OpenAction, facts: Facts, missing: Requirement, *, now: datetime
) -> tuple[ActionHeld, ...]:
    """Return what is told of the waits in ``missing``, as far as it was not told before.

    Nothing is told before the proof: a stranger's proposal rings no bell. A yes that must wait
    after all is no yes any more, and is told again.
    """
    must, alone = waits_until(missing), silence_until(missing)
    if facts.proved_at is None and alone is None:
        return ()
    again = action.state is ActionState.AUTHORIZED
    told = []
    if must is not None and _later(must, action.until):
        unheard = facts.unheard_until is not None and must >= facts.unheard_until
        held_on = _told(action, must, choice=False, now=now)
        told.append(replace(held_on, lengthened=unheard))
    if alone is not None and _later(alone, must) and (again or _later(alone, action.offered_until)):
        told.append(_told(action, alone, choice=True, now=now))
    return tuple(told)


def begun(facts: Facts, action: OpenAction) -> Facts:
    """Return ``facts`` by which no wait of ``action`` began before it was told (law 4).

    Prevents: a proof while something else refuses for some hours, after which half of the wait is
    over that nobody had heard of.
    """
    if facts.proved_at in (None, facts.now) or not begins_told(action):
        return facts
    return replace(facts, proved_at=facts.now)


def begins_told(action: OpenAction) -> bool:
    """Say whether what is told next of ``action`` is the first of its waits, and begins then.

    A yes that must wait after all was announced by its yes.
    """
    told = action.until is not None or action.offered_until is not None
    return not told and action.state is ActionState.OPEN


def _later(until: datetime, told: datetime | None) -> bool:
    return told is None or until > told


def _told(action: OpenAction, until: datetime, *, choice: bool, now: datetime) -> ActionHeld:
    erasing = isinstance(action.payload, AccountErase)
    lifetime = ERASURE_LIFETIME if erasing else OPEN_ACTION_LIFETIME
    return ActionHeld(
        at=now,
        action_id=action.action_id,
        until=until,
        lapses_at=max(until + lifetime, action.lapses_at),
        choice=choice,
    )
