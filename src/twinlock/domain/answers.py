"""What the edge is told: an answer with its reasons, its ends, and what would lift it (law 10)."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from twinlock.domain.account import ActionState, OpenAction
from twinlock.domain.actions import payload_bytes, type_of
from twinlock.domain.authorization import AUTHORIZATION_TYPE, Issued, claims
from twinlock.domain.decisions import Decided, Decision
from twinlock.domain.entries import ClosedAction, Kept, facts_digest
from twinlock.domain.errors import InvariantError
from twinlock.domain.events import (
    ActionAuthorized,
    ActionDone,
    ActionLapsed,
    ActionRefused,
    ActionSpent,
    ActionVetoed,
    ClosingEvent,
    NewcomerRepudiated,
    SessionStarted,
)
from twinlock.domain.members import agreed_by
from twinlock.domain.people import agreement_path
from twinlock.domain.policy.version import Policy
from twinlock.domain.reasons import EXPLANATIONS, Reason
from twinlock.domain.requirements import (
    Answer,
    Requirement,
    answer,
    ask_again_at,
    weightiest_first,
)


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """One reason in words."""

    code: Reason
    sentence: str
    ends: str
    way_on: str


class Answered(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The gate's answer about one action.

    ``requirement`` is the tree of what is missing, ``until`` when its waits are over and its
    refusals have lapsed (UTC), None where one of them never does; ``state`` says where the action
    stands. ``authorization`` is the JWS of a yes to an exit; ``index`` is the decision's place in
    the log; ``session_id`` names a session that began. ``resembles`` are the known addresses that
    the one asked for begins and ends like, whole. ``agreement`` is the path of the page on
    which another member or a trusted contact agrees, where one must; ``agreed_by`` names the
    members who did.
    """

    action_id: str
    type: str
    answer: Answer
    digest: str
    state: str
    requirement: Requirement | None = None
    why: tuple[Why, ...] = ()
    until: datetime | None = None
    fault: str = ""
    session_id: str = ""
    authorization: str = ""
    index: int | None = None
    payload: dict[str, Any] | None = None
    resembles: tuple[str, ...] = ()
    agreement: str = ""
    agreed_by: tuple[str, ...] = ()


class Teller(msgspec.Struct, frozen=True, kw_only=True):
    """How answers are signed: the policy in force, the log's name, and the key behind ``sign``."""

    policy: Policy
    log_origin: str
    sign: Callable[[bytes, str], str]


def explain(requirement: Requirement) -> tuple[Why, ...]:
    """Return the reasons in ``requirement`` in words; what decides the answer comes first."""
    return explain_reasons(weightiest_first(requirement))


def tell(decided: Decided, *, index: int, teller: Teller) -> Answered:
    """Return what to tell of the decision that answers, which is entry ``index`` of the log."""
    decision = decided.answer
    missing = decision.requirement
    allowed = decision.answer is Answer.ALLOW
    session = next((one for one in decision.events if isinstance(one, SessionStarted)), None)
    action = _action(decided)
    return Answered(
        action_id=decision.action_id,
        type=decision.kind,
        answer=decision.answer,
        digest=decision.digest,
        state=_state_after(decided),
        requirement=None if allowed else missing,
        why=() if allowed else explain(missing),
        until=ask_again_at(missing),
        fault=decision.fault.value if decision.fault is not None else "",
        session_id="" if session is None else session.session.session_id,
        authorization=_authorization(decision, index=index, teller=teller),
        index=index,
        agreement="" if action is None else agreement_path(action, missing),
        agreed_by=() if action is None else agreed_by(action),
    )


def _action(decided: Decided) -> OpenAction | None:
    named = decided.answer.action_id
    return next((one for one in decided.state.account.actions if one.action_id == named), None)


def _authorization(decision: Decision, *, index: int, teller: Teller) -> str:
    event = next((one for one in decision.events if isinstance(one, ActionAuthorized)), None)
    if event is None or decision.facts is None:
        return ""
    issued = Issued(
        log_origin=teller.log_origin,
        policy=teller.policy.name,
        facts=facts_digest(decision.facts_bytes),
        index=index,
        at=event.at,
    )
    signed = claims(issued, action_id=decision.action_id, payload=decision.payload)
    return teller.sign(signed, AUTHORIZATION_TYPE)


def spend_claims(closed: ClosedAction, index: int, kept: Kept, *, log_origin: str) -> bytes:
    """Return the claims of a spend that is committed at ``index``; the same bytes each time."""
    ended = closed.ended
    if not isinstance(ended, ActionSpent):
        raise InvariantError("only a spend is rendered as one")
    issued = Issued(
        log_origin=log_origin,
        policy=closed.policy,
        facts=msgspec.json.decode(kept.openings["facts"].value),
        index=index,
        at=ended.at,
    )
    payload = payload_bytes(closed.action.payload)
    spend = ended.spend_id, ended.fee_minor
    return claims(issued, action_id=closed.action.action_id, payload=payload, spend=spend)


def _state_after(decided: Decided) -> str:
    decision = decided.answer
    for event in reversed(decision.events):
        if isinstance(event, ClosingEvent):
            return ended_as(event)
        if isinstance(event, NewcomerRepudiated):
            return "done"
    left = (one for one in decided.state.account.actions if one.action_id == decision.action_id)
    return next((one.state for one in left), ActionState.OPEN).value


def ended_as(event: ClosingEvent) -> str:
    """Return in one word how an action ended."""
    match event:
        case ActionSpent():
            return "spent"
        case ActionDone():
            return "done"
        case ActionRefused():
            return "refused"
        case ActionLapsed():
            return "lapsed"
        case _:
            return "vetoed"


def tell_open(action: OpenAction, missing: Requirement) -> Answered:
    """Return how an open action stands, without deciding anything."""
    said = answer(missing)
    return Answered(
        action_id=action.action_id,
        type=type_of(action.payload),
        answer=said,
        digest=action.digest,
        state=action.state.value,
        requirement=None if said is Answer.ALLOW else missing,
        why=explain(missing),
        until=ask_again_at(missing),
        payload=_value(action),
        agreement=agreement_path(action, missing),
        agreed_by=agreed_by(action),
    )


def tell_closed(closed: ClosedAction) -> Answered:
    """Return how an action ended."""
    action, ended = closed.action, closed.ended
    good = isinstance(ended, ActionSpent | ActionDone)
    return Answered(
        action_id=action.action_id,
        type=type_of(action.payload),
        answer=Answer.ALLOW if good else Answer.DENY,
        digest=action.digest,
        state=ended_as(ended),
        why=explain_reasons(_ended_by(ended)),
        payload=_value(action),
        agreed_by=agreed_by(action),
    )


def _ended_by(event: ClosingEvent) -> tuple[Reason, ...]:
    match event:
        case ActionRefused(reasons=codes):
            return codes
        case ActionVetoed():
            return (Reason.VETOED,)
        case ActionLapsed():
            return (Reason.AUTHORIZATION_EXPIRED,)
        case _:
            return ()


def explain_reasons(codes: tuple[Reason, ...]) -> tuple[Why, ...]:
    """Return reasons in words by their codes."""
    return tuple(Why(code=code, **EXPLANATIONS[code]._asdict()) for code in codes)


def _value(action: OpenAction) -> dict[str, Any]:
    value: dict[str, Any] = msgspec.json.decode(payload_bytes(action.payload))
    return value
