"""What a decision ends in: one action held against laws and policy, and the events that follow."""

from datetime import datetime

from msgspec.structs import replace

from twinlock.domain.account import Account, ActionState, OpenAction, State
from twinlock.domain.actions import (
    payload_bytes,
    type_of,
)
from twinlock.domain.assurance import Factor
from twinlock.domain.catalogue import ActionType
from twinlock.domain.decisions import Begun, Decision, Rules, authorize_facts
from twinlock.domain.effects import effects, session
from twinlock.domain.events import (
    ActionLapsed,
    ActionRefused,
    ActionVetoed,
    Event,
)
from twinlock.domain.ids import ActionId
from twinlock.domain.members import seen_by
from twinlock.domain.policy.facts import Facts
from twinlock.domain.policy.gather import gather
from twinlock.domain.reasons import Reason
from twinlock.domain.replay import apply_all
from twinlock.domain.requirements import (
    NOTHING,
    Answer,
    Never,
    Requirement,
    answer,
    reasons,
)
from twinlock.domain.successors import looks
from twinlock.domain.waits import held

VETO_ENTRY = "action.veto"  # The type of an entry that says no, or that a no is contested.


def decision_of(
    action: OpenAction,
    requirement: Requirement,
    *,
    events: tuple[Event, ...] = (),
    facts: Facts | None = None,
    said: Answer | None = None,
) -> Decision:
    """Return the decision on ``action`` whose answer is ``requirement``, or ``said``."""
    return Decision(
        kind=type_of(action.payload),
        action_id=action.action_id,
        answer=answer(requirement) if said is None else said,
        requirement=requirement,
        facts=facts,
        events=events,
        payload=payload_bytes(action.payload),
        digest=action.digest,
        proofs=tuple((one.factor.value, one.digest) for one in action.shown),
    )


def turned_down(decision: Decision, *, now: datetime) -> Decision:
    """Return ``decision``, by which its action is over."""
    refused = ActionRefused(
        at=now,
        action_id=ActionId(decision.action_id),
        reasons=reasons(decision.requirement),
    )
    return replace(decision, events=(*decision.events, refused))


def lapse(action: OpenAction, *, now: datetime) -> Decision:
    """Return the end of ``action``, whose time is over."""
    return decision_of(
        action,
        Never(code=Reason.AUTHORIZATION_EXPIRED),
        events=(ActionLapsed(at=now, action_id=action.action_id),),
    )


def facts_of(state: State, action: OpenAction, *, rules: Rules, now: datetime) -> Facts:
    """Return the facts of deciding ``action`` in ``state`` by ``rules``."""
    return gather(
        state,
        action,
        policy=rules.policy,
        prices=rules.prices,
        screening=rules.screening,
        now=now,
    )


def conclude(
    state: State,
    action: OpenAction,
    events: tuple[Event, ...],
    *,
    rules: Rules,
    now: datetime,
    fresh: str,
) -> Decision:
    """Decide ``action`` on the state after ``events``, and add what follows from the answer."""
    after = apply_all(state, events)
    action = after.account.action(action.action_id)
    facts = facts_of(after, action, rules=rules, now=now)
    missing = authorize_facts(facts, rules=rules)
    said = answer(missing)
    follows: tuple[Event, ...] = ()
    if said is Answer.ALLOW and action.state is ActionState.OPEN:
        follows = effects(after, action, facts, statutes=rules.policy.statutes, fresh=fresh)
    elif said is Answer.CHALLENGE and _may_look(after.account, action, fresh):
        looking = session(seen_by(after, action), action, read_only=True, fresh=fresh, now=now)
        follows, said = (looking,), Answer.READ_ONLY
    elif said is not Answer.DENY:
        follows = held(action, facts, missing, now=now)
    decision = decision_of(action, missing, events=(*events, *follows), facts=facts, said=said)
    return replace(decision, begun=Begun(state=state, events=events, after=after))


def _may_look(account: Account, action: OpenAction, fresh: str) -> bool:
    """Below the floor a password and a code open a session that can look, freeze and veto.

    So does an imported passkey; what it opens is as young as itself, and so vetoes nothing older.
    """
    if type_of(action.payload) != ActionType.SESSION_START or not fresh:
        return False
    standing = [one for one in action.shown if account.stands(one)]
    factors = {one.factor for one in standing}
    code = factors & {Factor.EMAIL_CODE, Factor.SMS_CODE, Factor.RECOVERY_CODE}
    imported = any(looks(account, one) for one in standing)
    return imported or bool(code and Factor.PASSWORD in factors)


def vetoed(action: OpenAction, *, by: str, root: str | None, now: datetime) -> Decision:
    """Return the end of ``action`` by the no of ``by``, whose root is ``root``."""
    ended = ActionVetoed(at=now, action_id=action.action_id, by=by, root=root)
    return replace(decision_of(action, NOTHING, events=(ended,)), kind=VETO_ENTRY)
