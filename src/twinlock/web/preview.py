"""What a customer may show, and what would follow: tried on a copy, by the gate's own rules.

No rule stands here. Each proof that the account could give is put on a copy of the state as the
gate would put it, and laws and statutes say what is still missing then. Nothing is kept of it.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import combinations

import msgspec
from msgspec.structs import replace

from twinlock.domain.account import ActionState, OpenAction, Shown, State
from twinlock.domain.actions import ContactChange, type_of
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.authenticators.model import factor_of, root
from twinlock.domain.channels import Channel
from twinlock.domain.commands import Ask
from twinlock.domain.concluding import facts_of
from twinlock.domain.decisions import judge_facts
from twinlock.domain.effects import effects
from twinlock.domain.events import HoldPlaced, ProofAccepted
from twinlock.domain.ids import ChallengeId, ChannelId
from twinlock.domain.members import of_member
from twinlock.domain.people import INVITED
from twinlock.domain.proving import CODES, against, ask, reaches_floor, recovery_helps
from twinlock.domain.replay import apply
from twinlock.domain.requirements import (
    STRENGTH,
    AllOf,
    Answer,
    Prove,
    Requirement,
    answer,
    leaves,
    silence_until,
    waits_until,
)
from twinlock.domain.throttle import closed_until
from twinlock.services.looking import Standing

# What is asked for first: what signs, then what needs no second thing beside it.
ORDER = (
    Factor.PASSKEY,
    Factor.TOTP,
    Factor.PASSWORD,
    Factor.EMAIL_CODE,
    Factor.SMS_CODE,
    Factor.CHANNEL_CODE,
)
_NAME = "preview".ljust(26, "a")  # Stands for the names that a yes would draw.


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What is missing now, what may be shown, and what would be missing after it.

    ``offers`` are factors in the order in which to offer them; ``together`` says that one alone is
    not enough, ``then_asks`` that one more proof is needed then, or spares a wait, ``then_agrees``
    that another member or a trusted contact must agree then. ``instead`` may
    be shown where the usual thing is lost: a recovery code, with the password. ``hold`` is how
    long nothing leaves the account once the action took effect. ``guesses_from`` is when codes and
    passwords are read again after too many wrong ones; datetime.max: only after a proof that cannot
    be guessed.
    """

    missing: Requirement
    offers: tuple[Factor, ...] = ()
    together: bool = False
    instead: tuple[Factor, ...] = ()
    then: Requirement
    then_asks: bool = False
    then_agrees: bool = False
    hold: timedelta | None = None
    guesses_from: datetime | None = None


def preview(standing: Standing) -> Preview:
    """Return what may be shown for an open action, and what would follow."""
    state, action = standing.state, standing.action
    missing = _missing(standing, state)
    closed = closed_until(state.account.throttle_of(standing.action), now=standing.now)
    if action.state is ActionState.AUTHORIZED or answer(missing) is Answer.DENY:
        return Preview(missing=missing, then=missing, guesses_from=closed)
    ways = _ways(standing, missing)
    offered = {one.factor for way in ways for one in way}
    after, then = _best(standing, ways)
    return Preview(
        missing=missing,
        offers=tuple(factor for factor in ORDER if factor in offered),
        together=any(len(way) > 1 for way in ways),
        instead=_instead(standing, missing),
        then=then,
        then_asks=bool(_wanted(then)),
        then_agrees=any(isinstance(one, Prove) and _is_agreement(one) for one in leaves(then)),
        hold=_hold(standing, after, then),
        guesses_from=closed,
    )


def _missing(standing: Standing, state: State) -> Requirement:
    rules = standing.rules
    action = state.account.action(standing.action.action_id)
    facts = facts_of(state, action, rules=rules, now=standing.now)
    return judge_facts(facts, rules=rules)


def _wanted(missing: Requirement) -> set[Prove]:
    """Return the proofs that bring it nearer.

    A proof that would spare one wait, while another runs as long anyway, brings nothing.
    """
    must = waits_until(missing)
    parts = missing.parts if isinstance(missing, AllOf) else (missing,)
    return {
        leaf
        for part in parts
        if not _runs_anyway(part, must)
        for leaf in leaves(part)
        if isinstance(leaf, Prove) and not _is_agreement(leaf)
    }


def _is_agreement(leaf: Prove) -> bool:
    """Say whether ``leaf`` is somebody else's to give."""
    return not set(INVITED).isdisjoint(leaf.factors)


def _runs_anyway(part: Requirement, must: datetime | None) -> bool:
    alone = silence_until(part)
    return alone is not None and must is not None and alone <= must


def _ways(standing: Standing, missing: Requirement) -> list[tuple[Shown, ...]]:
    """Return the proofs that lift a demand by themselves, or else the pairs that do together."""
    wanted = _wanted(missing)
    could = [one for one in _could_show(standing) if one.factor is not Factor.RECOVERY_CODE]
    for size in (1, 2) if wanted else ():
        found = [way for way in combinations(could, size) if _lifts(standing, wanted, way)]
        if found:
            return found
    return []


def _lifts(standing: Standing, wanted: set[Prove], way: tuple[Shown, ...]) -> bool:
    return bool(wanted - _wanted(_missing(standing, _after(standing, way))))


def _instead(standing: Standing, missing: Requirement) -> tuple[Factor, ...]:
    """Return a recovery code and what it needs beside it, where that lifts a demand."""
    account, action, wanted = standing.state.account, standing.action, _wanted(missing)
    offers = standing.rules.policy.statutes.offers(type_of(action.payload))
    if Factor.RECOVERY_CODE not in offers or not recovery_helps(account, action):
        return ()
    could = tuple(_could_show(standing))
    saved = [one for one in could if one.factor is Factor.RECOVERY_CODE]
    beside = [one for one in could if one.factor is Factor.PASSWORD]
    for way in (saved, [*beside, *saved]) if saved else ():
        if _lifts(standing, wanted, tuple(way)):
            return tuple(one.factor for one in way)
    return ()


def _best(standing: Standing, ways: list[tuple[Shown, ...]]) -> tuple[State, Requirement]:
    """Return the state after the way that leads furthest, and what is missing then."""
    tried = [(way, _after(standing, way)) for way in ways or [()]]
    ends = [(way, after, _missing(standing, after)) for way, after in tried]

    def rank(end: tuple[tuple[Shown, ...], State, Requirement]) -> tuple[int, ...]:
        return STRENGTH[answer(end[2])], *(ORDER.index(one.factor) for one in end[0])

    _, after, then = min(ends, key=rank)
    return after, then


def _could_show(standing: Standing) -> Iterator[Shown]:
    """Give every proof that the account could make for this action and has not made yet."""
    account, action, now = standing.state.account, standing.action, standing.now
    used = {one.source for one in action.shown if account.stands(one)}
    for bound in of_member(account, action.member_id).authenticators:
        live = against(bound) and not bound.suspended(now)
        if bound.authenticator_id not in used and live:
            yield Shown(
                source=bound.authenticator_id,
                factor=factor_of(bound),
                root=root(bound, now=now),
                bound_at=bound.bound_at,
                at=now,
                entry=account.chain.entries,
            )
    if _confirms_channel(standing):
        yield Shown(
            source=action.secret,
            factor=Factor.CHANNEL_CODE,
            root=None,
            bound_at=action.proposed_at,
            at=now,
            entry=account.chain.entries,
        )
    for factor, channel in _asked_by_code(standing):
        if channel.channel_id not in used:
            yield Shown(
                source=channel.channel_id,
                factor=factor,
                root=channel.root,
                bound_at=channel.bound_at,
                at=now,
                entry=account.chain.entries,
            )


def _confirms_channel(standing: Standing) -> bool:
    """Say whether the gate would send a code to the channel that would be added."""
    name = ChannelId(standing.action.secret)
    return isinstance(standing.action.payload, ContactChange) and _would_ask(
        standing, Factor.CHANNEL_CODE, name
    )


def _asked_by_code(standing: Standing) -> Iterator[tuple[Factor, Channel]]:
    """Give the channels to which the gate would send a code for this action (law 4)."""
    account = standing.state.account
    for factor, kind in CODES.items():
        for channel in account.channels:
            if channel.kind is kind and _would_ask(standing, factor, channel.channel_id):
                yield factor, channel


def _would_ask(standing: Standing, factor: Factor, channel: ChannelId) -> bool:
    """Say whether the gate would ask; having asked too often is no reason not to offer it."""
    question = Ask(
        action_id=standing.action.action_id,
        challenge_id=ChallengeId(f"chl_{_NAME}"),
        factor=factor,
        nonce="",
        channel_id=channel,
        code_mac=_NAME,
    )
    offers = standing.rules.policy.statutes.offers(type_of(standing.action.payload))
    asked = ask(standing.state.account, standing.action, question, offers=offers, now=standing.now)
    for_a_while = (ProofFault.THROTTLED, ProofFault.CODES_LIMITED)
    return asked in for_a_while or not isinstance(asked, ProofFault)


def _after(standing: Standing, way: Iterable[Shown]) -> State:
    """Return the state as it would be with the proofs of ``way`` accepted now."""
    state = standing.state
    offers = standing.rules.policy.statutes.offers(type_of(standing.action.payload))
    for shown in way:
        action = state.account.action(standing.action.action_id)
        accepted = ProofAccepted(
            at=standing.now,
            action_id=action.action_id,
            shown=shown,
            proved=reaches_floor(
                of_member(state.account, action.member_id), action, shown, offers=offers
            ),
        )
        state = apply(state, accepted)
    return state


def _hold(standing: Standing, after: State, then: Requirement) -> timedelta | None:
    """Return for how long nothing leaves once the action took effect, or None."""
    if answer(then) is Answer.DENY:
        return None
    action: OpenAction = after.account.action(standing.action.action_id)
    rules, now = standing.rules, standing.now
    facts = facts_of(after, action, rules=rules, now=now)
    at = waits_until(then) or now
    events = effects(
        after, action, replace(facts, now=at), statutes=rules.policy.statutes, fresh=_NAME
    )
    placed = (event.hold for event in events if isinstance(event, HoldPlaced))
    return next((hold.ends_at - hold.placed_at for hold in placed), None)
