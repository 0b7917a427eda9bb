"""The one gate: propose → requirements → prove · wait → authorize → spend.

``decide`` is the only function that says yes to anything. It settles what is due in the account,
then answers the command; both are decisions, each with its events and one entry in the log.

Always true (tests/property/test_gate_properties.py):

* an exit is authorized, and a change takes effect, only in a decision in which no law and no
  statute misses anything;
* doing exactly what the answer lists allows the action, or lists something that lies later;
* replaying the events gives the state the gate saw.
"""

from datetime import datetime

from msgspec.structs import replace

from twinlock.domain.account import Account, ActionUnknownError, OpenAction, Shown, State
from twinlock.domain.actions import (
    AccountErase,
    DestinationAdd,
    SessionStart,
    payload_bytes,
    payload_digest,
    type_of,
)
from twinlock.domain.api_keys import by_keys_alone, carrier
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.authorization import SPEND_ENTRY
from twinlock.domain.bounds import SIGHTINGS_COUNTED
from twinlock.domain.code_limits import flood_to_tell
from twinlock.domain.commands import (
    Ask,
    Command,
    Erase,
    FreezeByLink,
    Propose,
    Prove,
    Repudiate,
    Spend,
    Veto,
    Wrong,
)
from twinlock.domain.concluding import (
    conclude,
    decision_of,
    facts_of,
    lapse,
    turned_down,
    vetoed,
)
from twinlock.domain.contests import say_no, verdict
from twinlock.domain.decisions import Decided, Decision, Rules, judge_facts
from twinlock.domain.duress import pick, under_seal
from twinlock.domain.effects import listed_for, may_list
from twinlock.domain.entries import ERASED_ENTRY
from twinlock.domain.errors import TwinlockError, present
from twinlock.domain.events import (
    ActionDone,
    ActionHeld,
    ActionProposed,
    ActionSpent,
    ChallengeIssued,
    Event,
    ProofAccepted,
    ProofRefused,
)
from twinlock.domain.exits import Exit, most_fee
from twinlock.domain.freeze_links import asked_before, asked_for, freezer
from twinlock.domain.members import lifetime_of, of_member
from twinlock.domain.money import minor_units
from twinlock.domain.of_accounts import of_account
from twinlock.domain.outside_events import AccountErased, CodesFlooded
from twinlock.domain.policy.leaving import place_mac
from twinlock.domain.proposals import check_proposal
from twinlock.domain.proving import (
    ask,
    device_asks,
    fault_told,
    judge,
    reaches_floor,
    session_shown,
    why_not,
)
from twinlock.domain.reasons import Reason
from twinlock.domain.rehashing import rehashed
from twinlock.domain.repudiations import repudiate
from twinlock.domain.requirements import (
    NOTHING,
    Answer,
    Never,
    answer,
    reasons,
)
from twinlock.domain.room import check_room, crowded_out, gives_way, grows, outgrown
from twinlock.domain.signalling import copy_events
from twinlock.domain.signing_in import scored
from twinlock.domain.stepping import Steps, following
from twinlock.domain.striking import struck
from twinlock.domain.waits import effective_at, lapses_at


class NotErasableError(TwinlockError):
    """Only what asks for an erasure is carried out as one."""

    code = "not_erasable"
    status = 409


class NotSpendableError(TwinlockError):
    """Only an exit is spent; everything else takes effect in the gate."""

    code = "not_spendable"
    status = 409


# Why a change that is due never takes effect: not even when something else is lifted.
_NO_PLACE = frozenset({Reason.ALREADY_BOUND, Reason.TARGET_GONE})


def decide(state: State, command: Command, *, rules: Rules, now: datetime) -> Decided:
    """Settle what is due in ``state``, then answer ``command``.

    Raises:
        ActionUnknownError: the command names an action that is not open.
        NotSpendableError: the action is no exit.
        DocumentTooLargeError: the account is full; see ``room``.
    """
    own = getattr(command, "action_id", None)
    steps = Steps(state)
    over = _settle_all(steps, own, rules=rules, now=now)
    if _asks_anew(steps.state, command, now=now):
        steps.take(_make_room(steps.state, now=now))
    decision = _said(steps.state, command, over=over, rules=rules, now=now)
    after = following(steps.state, decision)
    if _strike(steps, decision, after, own=own, now=now):  # They move the number of its entry.
        decision = _said(steps.state, command, over=over, rules=rules, now=now)
        after = following(steps.state, decision)
    crowd = crowded_out(after.account, decision.action_id, now=now)
    grown = grows(after.account, command)
    if grown:
        crowd += outgrown(after.account, decision.action_id, now=now)
    for one in crowd:
        steps.take(lapse(one, now=now))
    if crowd:
        decision = _said(steps.state, command, over=over, rules=rules, now=now)
        after = following(steps.state, decision)
    if grown and crowd:
        check_room(after.account)
    steps.add(decision, after)
    return steps.decided()


def _settle_all(steps: Steps, own: str | None, *, rules: Rules, now: datetime) -> bool:
    """Settle every action but the command's ``own``; say whether that one ended meanwhile."""
    over = False
    for action in steps.state.account.actions:
        if action.action_id == own or action not in steps.state.account.actions:
            continue
        decision = _settle(steps.state, action, rules=rules, now=now)
        if decision is None:
            continue
        after = following(steps.state, decision)
        ended = _strike(steps, decision, after, own=own, now=now)
        over = over or own in ended
        if ended:
            steps.take(_settle(steps.state, action, rules=rules, now=now))
        else:
            steps.add(decision, after)
    return over


def _strike(
    steps: Steps, decision: Decision, after: State, *, own: str | None, now: datetime
) -> frozenset[str]:
    """End what cannot stand beside ``decision``, before it; ``after`` is what it would leave.

    Return what ended. The command's ``own`` action is answered last, and told that it is over.
    """
    every = struck(steps.state, decision, after.account)
    for one in every:
        if one.action_id != own:
            by = decision.action_id or decision.kind
            steps.take(vetoed(one, by=by, root=None, now=now))
    return frozenset(one.action_id for one in every)


def _said(state: State, command: Command, *, over: bool, rules: Rules, now: datetime) -> Decision:
    """Return the answer to ``command``, whose action may be over by now."""
    own = getattr(command, "action_id", None)
    if over and own is not None:
        gone = decision_of(state.account.action(own), Never(code=Reason.TARGET_GONE))
        return turned_down(gone, now=now)
    return _lapsed(state, own, now=now) or _answer(state, command, rules=rules, now=now)


def _answer(state: State, command: Command, *, rules: Rules, now: datetime) -> Decision:
    match command:
        case Propose():
            return _propose(state, command, rules=rules, now=now)
        case Ask():
            return _ask(state, command, rules=rules, now=now)
        case Prove():
            return _prove(state, command, rules=rules, now=now)
        case Veto():
            return say_no(state, command, now=now)
        case Repudiate() | FreezeByLink():
            return _object(state, command, rules=rules, now=now)
        case Spend():
            return _spend(state, command, rules=rules, now=now)
        case Erase():
            return _erase(state, command, rules=rules, now=now)
        case _:
            return of_account(state, command, now=now)


# --- Settling: nobody has to end a wait ---


def _lapsed(state: State, action_id: str | None, *, now: datetime) -> Decision | None:
    for action in state.account.actions:
        if action.action_id == action_id and lapses_at(action) <= now:
            return lapse(action, now=now)
    return None


def _asks_anew(state: State, command: Command, *, now: datetime) -> bool:
    """Say whether ``command`` opens an action; a link that was tapped before opens none."""
    if not isinstance(command, FreezeByLink):
        return isinstance(command, Propose)
    channel = state.account.channel(command.channel_id)
    return channel is None or asked_before(state.account, channel, now=now) is None


def _make_room(state: State, *, now: datetime) -> Decision | None:
    action = gives_way(state.account, now=now)
    return None if action is None else lapse(action, now=now)


def _settle(state: State, action: OpenAction, *, rules: Rules, now: datetime) -> Decision | None:
    """Decide a waiting change again when its time has come, and let go what nobody finished.

    A change that has waited takes effect however late somebody looks; one that what stands there
    leaves no place for is over. Prevents: a second binding of a thief's key, which is done as soon
    as the first is undone.
    """
    if _due(state, action, now=now):
        decision = conclude(state, action, (), rules=rules, now=now, fresh="")
        if decision.answer is Answer.ALLOW or any(map(_longer, decision.events)):
            return decision
        if not _NO_PLACE.isdisjoint(reasons(decision.requirement)):
            return turned_down(decision, now=now)
    return lapse(action, now=now) if lapses_at(action) <= now else None


def _longer(event: Event) -> bool:
    return isinstance(event, ActionHeld) and event.lengthened


def _due(state: State, action: OpenAction, *, now: datetime) -> bool:
    """A destination that was listed before waits for its own stream to be at hand."""
    ends = effective_at(action)
    if ends is None or ends > now:
        return False
    return not isinstance(action.payload, DestinationAdd) or may_list(state, action)


# --- Answering ---


def _propose(state: State, command: Propose, *, rules: Rules, now: datetime) -> Decision:
    check_proposal(state.account, command, now=now)
    payload, session = command.payload, command.session
    member = command.member_id or state.account.member_id
    by_device = isinstance(payload, SessionStart) and device_asks(payload, session, now=now)
    if isinstance(payload, SessionStart):
        session = None  # Who signs in claims no session yet.
    own = of_member(state.account, member)
    shown = None if session is None else session_shown(own, session, now=now)
    visit, risk = scored(state.account, payload, command.noticed, by_device=by_device, now=now)
    action = OpenAction(
        action_id=command.action_id,
        member_id=member,
        payload=payload,
        digest=payload_digest(payload_bytes(payload)),
        proposed_at=now,
        lapses_at=now + lifetime_of(state.account),
        veto_key=command.veto_key,
        claimed_cents=command.claimed_cents,
        session_id=None if session is None else session.session_id,
        unsigned=session is not None and shown is None,
        device_signed=by_device,
        visit=visit,
        risk=risk,
        secret=command.secret,
    )
    proposed = ActionProposed(at=now, action=action, candidate_id=command.candidate_id)
    events: tuple[Event, ...] = (proposed,)
    if shown is not None:
        events += (ProofAccepted(at=now, action_id=action.action_id, shown=shown),)
    decision = conclude(state, action, events, rules=rules, now=now, fresh="")
    evidence = session.evidence if shown is not None and session is not None else b""
    if decision.answer is Answer.DENY:
        decision = turned_down(decision, now=now)
    return replace(decision, evidence=evidence)


def _ask(state: State, command: Ask, *, rules: Rules, now: datetime) -> Decision:
    """Put a question. What is not asked counts as no wrong answer; no question is a yes."""
    account, action = state.account, state.account.action(command.action_id)
    asked = ask(
        account,
        action,
        command,
        offers=rules.policy.statutes.offers(type_of(action.payload)),
        helps=rules.codes,
        now=now,
    )
    if isinstance(asked, ProofFault):
        told = (CodesFlooded(at=now),) if flood_to_tell(account, asked, now=now) else ()
        return _refused(account, action, asked, *told, now=now)
    facts = facts_of(state, action, rules=rules, now=now)
    issued = ChallengeIssued(at=now, action_id=action.action_id, challenge=asked)
    missing = judge_facts(facts, rules=rules)
    said = Answer.CHALLENGE if missing == NOTHING else answer(missing)
    return decision_of(action, missing, events=(issued,), facts=facts, said=said)


def _refused(
    account: Account, action: OpenAction, fault: ProofFault, *events: Event, now: datetime
) -> Decision:
    never = why_not(account, action, fault, now=now)
    return replace(decision_of(action, never, events=events), fault=fault)


def _prove(state: State, command: Prove, *, rules: Rules, now: datetime) -> Decision:
    account, action = state.account, state.account.action(command.action_id)
    proof, offers = command.proof, rules.policy.statutes.offers(type_of(action.payload))
    if proof.factor not in offers:
        proof = Wrong(factor=proof.factor, fault=ProofFault.NOT_OFFERED)
    if isinstance(proof, Wrong):
        return _wrong(account, action, proof, now=now)
    shown = judge(account, action, proof, now=now)
    if isinstance(shown, ProofFault):
        return _wrong(account, action, Wrong(factor=proof.factor, fault=shown), now=now)
    accepted = ProofAccepted(
        at=now,
        action_id=action.action_id,
        shown=shown,
        challenge_id=proof.challenge_id,
        proved=reaches_floor(of_member(account, action.member_id), action, shown, offers=offers),
        totp_step=proof.totp_step,
        sign_count=proof.sign_count,
        backed_up=proof.backed_up,
        used_code=proof.against if proof.factor is Factor.RECOVERY_CODE else "",
        wanted_elsewhere=min(state.wanted_elsewhere, SIGHTINGS_COUNTED),
    )
    accepted = under_seal(account, action, accepted, command)
    events: tuple[Event, ...] = (
        accepted,
        *rehashed(account, proof, now=now),
        *verdict(account, action, shown, now=now),
        *pick(account, shown, drawn=command.drawn, now=now),
        *copy_events(account, copied=proof.copied, now=now),
    )
    decision = conclude(state, action, events, rules=rules, now=now, fresh=command.fresh)
    if decision.answer is Answer.DENY and proof.factor is Factor.API_KEY:
        decision = _beyond_its_powers(account, action, decision, shown, now=now)
    if decision.fault is not None:
        return decision
    return replace(decision, evidence=proof.evidence)


def _beyond_its_powers(
    account: Account, action: OpenAction, decision: Decision, shown: Shown, *, now: datetime
) -> Decision:
    """Answer an API key's signature that is worth nothing; it ends what nobody else stands behind.

    Prevents: a key that only trades, and keeps places by signing what others are asked about.
    """
    if not behind(action, now=now):
        return turned_down(decision, now=now)
    if by_keys_alone(account, replace(action, shown=(*action.shown, shown))):
        stray = Wrong(factor=shown.factor, fault=ProofFault.BELOW_FLOOR)
        return _wrong(account, action, stray, now=now)
    return decision


def behind(action: OpenAction, *, now: datetime) -> bool:
    """Say whether somebody stands behind ``action``: who has shown something, or is being asked.

    Prevents: a key's stray signature that ends what its owner is just about to prove.
    """
    return bool(action.shown) or any(one.expires_at > now for one in action.challenges)


def _wrong(account: Account, action: OpenAction, wrong: Wrong, *, now: datetime) -> Decision:
    fault = fault_told(account, action, wrong, now=now)
    refused = ProofRefused(at=now, action_id=action.action_id, factor=wrong.factor, fault=fault)
    return _refused(account, action, fault, refused, now=now)


def _object(
    state: State, command: Repudiate | FreezeByLink, *, rules: Rules, now: datetime
) -> Decision:
    if isinstance(command, Repudiate):
        return repudiate(state, command, statutes=rules.policy.statutes, now=now)
    channel = freezer(state.account, command.channel_id, told_at=command.told_at)
    if channel is None:
        raise ActionUnknownError("this link leads to nothing any more")
    again = asked_before(state.account, channel, now=now)
    if again is not None:
        return conclude(state, again, (), rules=rules, now=now, fresh="")
    action, events = asked_for(state.account, command, channel, now=now)
    return conclude(state, action, events, rules=rules, now=now, fresh="")


def _spend(state: State, command: Spend, *, rules: Rules, now: datetime) -> Decision:
    """Decide an exit again; a yes is the spend, an entry of its own type, and ends the action."""
    action = state.account.action(command.action_id)
    payload = action.payload
    if not isinstance(payload, Exit):
        raise NotSpendableError("only an exit is spent")
    decision = conclude(state, action, (), rules=rules, now=now, fresh="")
    if decision.answer is not Answer.ALLOW:
        return decision
    if minor_units(command.fee_minor) > most_fee(payload):
        return decision_of(action, Never(code=Reason.FEE_TOO_HIGH), facts=decision.facts)
    facts = present(decision.facts, "what is spent was decided on facts")
    spent = ActionSpent(
        at=now,
        action_id=action.action_id,
        spend_id=command.spend_id,
        fee_minor=command.fee_minor,
        value_cents=facts.value_cents,
        destination_id=listed_for(state, payload),
        api_key_id=carrier(state.account, action, facts),
        place=place_mac(state.account, payload),
    )
    # Prevents: the entry of a mere yes, passed off as a spend by a stolen key, past a freeze.
    return replace(decision, kind=SPEND_ENTRY, events=(*decision.events, spent))


def _erase(state: State, command: Erase, *, rules: Rules, now: datetime) -> Decision:
    """Decide an erasure again; a yes is the last entry of the account, and of a type of its own."""
    action = state.account.action(command.action_id)
    if not isinstance(action.payload, AccountErase):
        raise NotErasableError("only an erasure erases")
    decision = conclude(state, action, (), rules=rules, now=now, fresh="")
    if decision.answer is not Answer.ALLOW:
        return decision
    ends = AccountErased(at=now), ActionDone(at=now, action_id=action.action_id)
    return replace(decision, kind=ERASED_ENTRY, events=(*decision.events, *ends))
