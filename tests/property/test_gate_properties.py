"""What the gate promises for any account in any state of enrolment."""

from collections.abc import Iterator
from datetime import datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.cast import DAY, HOUR, MALLORYS_LAPTOP
from support.enrolments import asked_of, gates
from support.gates import Gate, Source, factor_shown
from support.worlds import FREEZE, a_passkey, bind, list_address, sign_in

from twinlock.domain.account import Account
from twinlock.domain.actions import AnyPayload, class_of, type_of
from twinlock.domain.assurance import Level
from twinlock.domain.authenticators.model import root
from twinlock.domain.bounds import DOCUMENT_BYTES_MOST
from twinlock.domain.canonical import encode
from twinlock.domain.catalogue import REPORTS, ActionClass
from twinlock.domain.channels import Channel
from twinlock.domain.commands import EndSession
from twinlock.domain.decisions import Decision
from twinlock.domain.errors import DocumentTooLargeError
from twinlock.domain.events import ActionDone, ActionHeld
from twinlock.domain.ids import AuthenticatorId, SessionId
from twinlock.domain.policy.targets import speakers
from twinlock.domain.proving import level_for
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import (
    AllOf,
    Answer,
    AnyOf,
    Never,
    Prove,
    Requirement,
    all_of,
    waits_until,
)

ROUNDS = 8


# --- Doing what is listed, with what the account has ---


def chosen(missing: Requirement, data: st.DataObject) -> Iterator[Requirement]:
    match missing:
        case AllOf(parts=parts):
            for part in parts:
                yield from chosen(part, data)
        case AnyOf(options=options):
            yield from chosen(data.draw(st.sampled_from(options)), data)
        case _:
            yield missing


def payload_reports(payload: AnyPayload) -> bool:
    return type_of(payload) in REPORTS


def sources(account: Account, *, reports: bool = False) -> list[Source]:
    codes = [one for one in account.channels if one.takes_codes]
    weak = account.floor <= Level.OUT_OF_BAND or reports
    return [*account.authenticators, *(codes if weak else [])]


def root_shown(source: Source, *, now: datetime) -> str | None:
    return source.root if isinstance(source, Channel) else root(source, now=now)


def enough(some: list[Source], need: Prove, gate: Gate, payload: AnyPayload) -> bool:
    account = gate.account
    factors = [factor_shown(one) for one in some]
    roots = {root_shown(one, now=gate.now) for one in some} - {None}
    offers = gate.policy.statutes.offers(type_of(payload))
    level = level_for(account, payload, factors, offers=offers)
    if need.code is Reason.OLDER_NEEDED:
        heard = speakers(account, payload, now=gate.now, offers=offers)
        return any(one in heard for one in some)
    if payload_reports(payload):  # A word of an older one is enough, whatever it shows.
        level = Level.KNOWLEDGE if some else Level.NONE
    return (
        level >= need.level
        and (need.roots == 1 or len(roots) >= need.roots)
        and set(need.factors) <= set(factors)
    )


def show(gate: Gate, action: str, need: Prove, data: st.DataObject) -> Decision:
    """Show proofs, in any order, until ``need`` is met; fail if the account has not got them."""
    payload = gate.action(action).payload
    if need.code is Reason.CHANNEL_UNCONFIRMED:
        assert gate.ask_channel(action).fault is None
        return gate.answer_channel(action)
    by = {one.source for one in gate.action(action).shown if gate.account.stands(one)}
    every = sources(gate.account, reports=payload_reports(payload))
    have = [one for one in every if name_of(one) in by]
    left = data.draw(st.permutations([one for one in every if one not in have]))
    decision = None
    while not enough(have, need, gate, payload):
        if not left:
            pytest.fail(f"nothing enrolled gives {need}")
        source = left.pop()
        have.append(source)
        decision = gate.prove(action, source)
        assert decision.fault is None
        if not gate.is_open(action):
            return decision
    assert decision is not None, f"{need} is asked for, and shown already"
    return decision


def name_of(source: Source) -> str:
    return source.channel_id if isinstance(source, Channel) else source.authenticator_id


def poke(gate: Gate, action: str) -> Decision:
    """Let somebody look: an exit is spent, and anything at all settles a change that is due."""
    payload = gate.action(action).payload
    if class_of(payload) is ActionClass.EXIT:
        return gate.spend(action)
    gate.run(EndSession(session_id=SessionId("ses_nobody")), at_hand=gate.where(payload))
    _, decided, _ = gate.book[-1]
    about = [one for one in decided.decisions if one.action_id == action]
    return about[-1] if about else decided.answer


@given(gates(), st.data())
def test_doing_exactly_what_the_answer_lists_ends_in_a_yes(gate: Gate, data: st.DataObject) -> None:
    """Or in a no that says nothing lifts it. Nothing else is done, and nothing twice."""
    payload, secret = data.draw(asked_of(gate.account))
    signed = [gate.signs(one) for one in gate.account.sessions]
    session = data.draw(st.sampled_from([None, *signed]))
    decision = gate.propose(payload, secret, session=session)
    carried_through(gate, decision, data)


def carried_through(gate: Gate, decision: Decision, data: st.DataObject) -> bool:
    """Do exactly what ``decision`` lists, and say whether it ended in a yes."""
    action = decision.action_id
    for _ in range(ROUNDS):
        if decision.answer is Answer.ALLOW:
            return True
        todo = list(chosen(decision.requirement, data))
        if any(isinstance(one, Never) for one in todo):
            assert decision.answer is Answer.DENY
            return False
        needs = [one for one in todo if isinstance(one, Prove)]
        if needs:
            decision = show(gate, action, needs[0], data)
        else:
            gate.wait_until(waits_until(all_of(*todo)) or gate.now)
            decision = poke(gate, action)
    pytest.fail(f"still missing: {decision.requirement}")


@pytest.mark.requirement("N-B01")
@given(gates(), st.data())
def test_every_account_can_bind_a_passkey(gate: Gate, data: st.DataObject) -> None:
    """Whatever is bound already; a freeze stops it, as it stops whatever loosens."""
    assume(gate.account.freeze.until is None)
    payload, secret = bind(a_passkey("aut_one_more"))

    assert carried_through(gate, gate.propose(payload, secret), data)
    assert gate.account.authenticator(AuthenticatorId("aut_one_more")) is not None
    assert gate.account.floor is Level.PHISHING_RESISTANT


# --- Taking effect ---


def everything(gate: Gate) -> Iterator[tuple[Decision, datetime]]:
    for _, decided, at in gate.book:
        for decision in decided.decisions:
            yield decision, at


@pytest.mark.requirement("O-21", "N-B20")
@given(gates(), st.data())
def test_a_change_takes_effect_after_a_day_that_was_told(gate: Gate, data: st.DataObject) -> None:
    payload, secret = data.draw(
        asked_of(gate.account).filter(lambda one: class_of(one[0]) is ActionClass.LOOSENING)
    )
    assume(gate.account.enrolling_until is None)
    decision = gate.propose(payload, secret)
    assume(gate.is_open(decision.action_id))
    for source in data.draw(st.permutations(sources(gate.account))):
        gate.wait(data.draw(st.sampled_from([0, 1, 2])) * DAY / 100)
        if gate.is_open(decision.action_id):
            gate.prove(decision.action_id, source)
    for _ in range(4):
        gate.wait(data.draw(st.sampled_from([1, 24, 72])) * HOUR)
        gate.run(EndSession(session_id=None), at_hand=gate.where(payload))

    own = [(one, at) for one, at in everything(gate) if one.action_id == decision.action_id]
    told = [event for one, _ in own for event in one.events if isinstance(event, ActionHeld)]
    for one, at in own:
        if any(isinstance(event, ActionDone) for event in one.events):
            assert told
            assert at >= max(event.until for event in told)
            assert at - told[0].at >= DAY


# --- Room ---


@given(gates(), st.data())
def test_no_number_of_proposals_and_questions_keeps_the_owner_from_freezing_or_signing_in(
    gate: Gate, data: st.DataObject
) -> None:
    proof = data.draw(st.sampled_from(gate.account.authenticators))
    for _ in range(data.draw(st.integers(0, 12))):
        payload, secret = data.draw(
            st.one_of(
                asked_of(gate.account),
                st.just((list_address("a" * 128), "")),
                st.just((sign_in(MALLORYS_LAPTOP), "")),
            )
        )
        try:
            noise = gate.propose(payload, secret).action_id
            for source in sources(gate.account) * 2:
                if gate.is_open(noise):
                    gate.ask(noise, source)
        except DocumentTooLargeError:
            continue
    for payload in (FREEZE, sign_in()):
        asked = gate.propose(payload)
        assert gate.is_open(asked.action_id)
        assert gate.prove(asked.action_id, proof).fault is None
    assert len(encode(gate.account)) < DOCUMENT_BYTES_MOST
    assert gate.account.freeze.until is not None
