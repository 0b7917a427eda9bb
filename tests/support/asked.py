"""Open actions with proofs already shown, and the facts of deciding them."""

from datetime import datetime
from typing import Any

from msgspec.structs import replace
from support.cast import (
    ALICE,
    DAY,
    HOUR,
    MEMBER,
    NOON,
)
from support.worlds import (
    a_destination,
    an_account,
    rules_of,
)

from twinlock.domain import ids
from twinlock.domain.account import Account, OpenAction, Shown, State
from twinlock.domain.actions import AnyPayload
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.model import Authenticator, factor_of, root
from twinlock.domain.channels import Channel
from twinlock.domain.policy.facts import Facts
from twinlock.domain.policy.gather import gather

KNOWN = a_destination()


def an_action(
    payload: AnyPayload,
    *sources: Authenticator | Channel | str,
    **changes: Any,  # noqa: ANN401 - any of the fields
) -> OpenAction:
    """Return an open action with proofs of ``sources``, shown an hour apart from NOON on."""
    action = OpenAction(
        action_id=ids.action_id(ALICE, b"one open action."),
        member_id=MEMBER,
        payload=payload,
        digest="",
        proposed_at=NOON,
        lapses_at=NOON + DAY,
        veto_key="",
        proved_at=NOON if sources else None,
        shown=tuple(shown(one, NOON + place * HOUR) for place, one in enumerate(sources)),
    )
    return replace(action, **changes)


def shown(source: Authenticator | Channel | str, at: datetime) -> Shown:
    if isinstance(source, str):
        return Shown(source=source, factor=Factor.SESSION, root=None, bound_at=NOON, at=at, entry=0)
    if isinstance(source, Channel):
        return Shown(
            source=source.channel_id,
            factor=Factor.EMAIL_CODE,
            root=source.root,
            bound_at=source.bound_at,
            at=at,
            entry=0,
        )
    return Shown(
        source=source.authenticator_id,
        factor=factor_of(source),
        root=root(source, now=at),
        bound_at=source.bound_at,
        at=at,
        entry=0,
    )


def facts_of(
    action: OpenAction,
    account: Account | None = None,
    *,
    now: datetime = NOON,
    **hand: Any,  # noqa: ANN401 - what is at hand
) -> Facts:
    base = account or an_account()
    state = State(account=replace(base, actions=(*base.actions, action)), **hand)
    rules = rules_of(now=now)
    return gather(state, action, policy=rules.policy, prices=rules.prices, now=now)


def at_hand(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any of the fields
    listed = replace(KNOWN, **changes)
    return {"destination_id": listed.destination_id, "destination": listed}
