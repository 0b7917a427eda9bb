"""An account at the gate, with anybody doing anything in any order; what must hold all along."""

import contextlib
from collections import Counter
from datetime import datetime, timedelta

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.cast import (
    ALICES_LAPTOP,
    DAY,
    HOUR,
    INSTANT,
    MALLORYS_LAPTOP,
    NEW_ADDRESS,
    OLD_ADDRESS,
)
from support.enrolments import asked_of, calm_gates, gates
from support.gates import Gate, Source, streams_of
from support.worlds import send, sign_in

from twinlock.domain.account import Account, ActionState, OpenAction, Shown, State
from twinlock.domain.actions import AnyPayload
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.model import Passkey, Totp
from twinlock.domain.bounds import (
    DOCUMENT_BYTES_MOST,
    FAILURES_MOST,
    NEWCOMER_PERIOD,
    OPEN_ACTIONS_MOST,
)
from twinlock.domain.canonical import encode
from twinlock.domain.catalogue import REPUDIATIONS, ActionType
from twinlock.domain.commands import EndSession, OpenAccount
from twinlock.domain.decisions import Decided, Decision
from twinlock.domain.errors import DocumentTooLargeError
from twinlock.domain.events import (
    ActionAuthorized,
    ActionDone,
    ActionSpent,
    ActionVetoed,
    AuthenticatorSuspended,
    ClosingEvent,
    NewcomerRepudiated,
)
from twinlock.domain.exits import WithdrawalCrypto
from twinlock.domain.forgetting import versions_of
from twinlock.domain.ids import DestinationId, SessionId
from twinlock.domain.listed import Destination
from twinlock.domain.newcomers import links
from twinlock.domain.replay import apply_all
from twinlock.domain.requirements import NOTHING, Answer
from twinlock.domain.stepping import advance

addresses = st.sampled_from([OLD_ADDRESS, NEW_ADDRESS])
amounts = st.sampled_from([1, 90, 600, 150_000])
CODES = {Factor.EMAIL_CODE, Factor.SMS_CODE}
pauses = st.sampled_from(
    [timedelta(0), timedelta(minutes=6), HOUR, 9 * HOUR, DAY, 3 * DAY, 31 * DAY]
)


class Machine(RuleBasedStateMachine):
    """Rules are what customers, thieves, the platform and time do."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate()
        self.first: dict[DestinationId, Destination] = {}
        self.checked = 0
        self.ended: Counter[str] = Counter()
        self.spent: Counter[str] = Counter()
        self.vetoed: set[str] = set()

    @initialize(gate=calm_gates() | gates())
    def open(self, gate: Gate) -> None:
        self.gate, self.first = gate, dict(gate.destinations)
        gate.run(OpenAccount(account=gate.account))

    # --- What people do ---

    def some(self, data: st.DataObject) -> OpenAction:
        return data.draw(st.sampled_from(self.gate.account.actions))

    def a_source(self, data: st.DataObject) -> Source:
        account = self.gate.account
        codes = [one for one in account.channels if one.takes_codes]
        return data.draw(st.sampled_from([*account.authenticators, *codes]))

    def propose(self, payload: AnyPayload, secret: str, *, signed: bool, claimed: int = 0) -> str:
        sessions = self.gate.account.sessions if signed else ()
        session = self.gate.signs(sessions[-1]) if sessions else None
        try:
            decision = self.gate.propose(payload, secret, session=session, claimed_cents=claimed)
        except DocumentTooLargeError:
            return ""
        return decision.action_id

    @rule(dollars=amounts, to=addresses, signed=st.booleans(), claimed=st.sampled_from([0, 10**9]))
    def ask_to_send(self, dollars: int, to: str, signed: bool, claimed: int) -> None:
        self.propose(send(dollars, to=to), "", signed=signed, claimed=claimed)

    @rule(data=st.data(), signed=st.booleans())
    def ask_for_a_change(self, data: st.DataObject, signed: bool) -> None:
        self.propose(*data.draw(asked_of(self.gate.account)), signed=signed)

    @rule(
        data=st.data(),
        device=st.sampled_from([ALICES_LAPTOP, MALLORYS_LAPTOP]),
        signer=st.sampled_from([ALICES_LAPTOP, MALLORYS_LAPTOP, ""]),
    )
    def sign_in(self, data: st.DataObject, device: str, signer: str) -> None:
        signed = self.gate.device_signs(signer) if signer else None
        action = self.gate.propose(sign_in(device), session=signed).action_id
        assert self.gate.action(action).device_signed == (signer == device)
        self.show(action, self.a_source(data))

    def show(self, action: str, *sources: Source) -> None:
        with contextlib.suppress(DocumentTooLargeError):
            for source in sources:
                if self.gate.is_open(action):
                    self.gate.prove(action, source)

    def has_actions(self) -> bool:
        return bool(self.gate.account.actions)

    @precondition(has_actions)
    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        with contextlib.suppress(DocumentTooLargeError):
            self.gate.ask(self.some(data).action_id, self.a_source(data))

    @precondition(has_actions)
    @rule(data=st.data())
    def prove(self, data: st.DataObject) -> None:
        self.show(self.some(data).action_id, self.a_source(data))

    @precondition(has_actions)
    @rule(data=st.data())
    def prove_with_all_there_is(self, data: st.DataObject) -> None:
        action = self.some(data).action_id
        codes = (one for one in self.gate.account.channels if one.takes_codes)
        self.show(action, *self.gate.account.authenticators, *codes)

    @precondition(has_actions)
    @rule(data=st.data(), factor=st.sampled_from(Factor))
    def guess(self, data: st.DataObject, factor: Factor) -> None:
        with contextlib.suppress(DocumentTooLargeError):
            self.gate.wrong(self.some(data).action_id, factor)

    @precondition(has_actions)
    @rule(data=st.data())
    def veto(self, data: st.DataObject) -> None:
        channel = data.draw(st.sampled_from([None, *self.gate.account.channels]))
        self.gate.veto(self.some(data).action_id, channel)

    @precondition(has_actions)
    @rule(data=st.data())
    def ask_and_answer_the_new_channel(self, data: st.DataObject) -> None:
        action = self.some(data).action_id
        with contextlib.suppress(DocumentTooLargeError):
            asked = self.gate.ask_channel(action)
            if asked.fault is None and self.gate.is_open(action):
                self.gate.answer_channel(action)

    @rule(data=st.data())
    def say_that_it_was_not_me(self, data: st.DataObject) -> None:
        account = self.gate.account
        targets: list[str] = [one.authenticator_id for one in account.authenticators]
        targets += [link.channel_id for one in account.channels for link in links(one)]
        speakers = [link for one in account.channels for link in links(one)]
        target = data.draw(st.sampled_from([*targets, "aut_nobody"]))
        self.gate.repudiate(
            "act_over", target=target, channel=data.draw(st.sampled_from([None, *speakers]))
        )

    def has_exits(self) -> bool:
        return bool(self.exits())

    def exits(self) -> list[str]:
        actions = self.gate.account.actions
        return [one.action_id for one in actions if isinstance(one.payload, WithdrawalCrypto)]

    @precondition(has_exits)
    @rule(data=st.data())
    def spend(self, data: st.DataObject) -> None:
        self.gate.spend(data.draw(st.sampled_from(self.exits())))

    @precondition(has_actions)
    @rule(data=st.data(), early=st.sampled_from([timedelta(0), timedelta(0), INSTANT]))
    def carry_through(self, data: st.DataObject, early: timedelta) -> None:
        chosen = self.some(data)
        payload, action = chosen.payload, chosen.action_id
        self.show(action, *self.gate.account.authenticators)
        if not self.gate.is_open(action):
            return
        self.gate.wait_until((self.gate.action(action).until or self.gate.now) - early)
        if isinstance(payload, WithdrawalCrypto):
            self.gate.spend(action)
        else:
            nobody = EndSession(session_id=SessionId("ses_nobody"))
            self.gate.run(nobody, at_hand=self.gate.where(payload))

    @rule()
    def end_all_sessions(self) -> None:
        self.gate.run(EndSession(session_id=None))

    @rule(pause=pauses)
    def time_passes(self, pause: timedelta) -> None:
        self.gate.wait(pause)

    @precondition(has_actions)
    @rule(data=st.data(), early=st.sampled_from([timedelta(0), INSTANT]))
    def time_passes_until_what_was_told(self, data: st.DataObject, early: timedelta) -> None:
        action = self.some(data)
        self.gate.wait_until((action.until or self.gate.now) - early)

    @rule(up=st.booleans())
    def prices_come_and_go(self, up: bool) -> None:
        self.gate.prices_up = up

    # --- What must hold ---

    @invariant()
    def every_new_decision_is_sound(self) -> None:
        for before, decided, at in self.gate.book[self.checked :]:
            self.check(before, decided, at)
        self.checked = len(self.gate.book)

    def check(self, before: State, decided: Decided, at: datetime) -> None:
        state = before
        for decision in decided.decisions:
            seen = [one for one in decision.events if not isinstance(one, ClosingEvent)]
            for event in decision.events:
                if isinstance(event, ActionAuthorized | ActionDone | ActionSpent):
                    assert decision.requirement == NOTHING
                    assert decision.answer is Answer.ALLOW
                if isinstance(event, ActionAuthorized | ActionSpent):
                    may_leave(state, apply_all(state, tuple(seen)), decision.action_id, at)
                if isinstance(event, ClosingEvent):
                    self.ended[event.action_id] += 1
                self.spent[decision.action_id] += isinstance(event, ActionSpent)
                if isinstance(event, ActionVetoed):
                    self.vetoed.add(event.action_id)
            assert decision.kind == "action.veto" or not (
                decision.action_id in self.vetoed and decision.answer is Answer.ALLOW
            )
            after = advance(apply_all(state, decision.events))
            floor_stands(state, after, decision, at)
            suspensions_are_bounded(state, decision, at)
            state = after

    @invariant()
    def nothing_ends_twice_and_nothing_is_spent_twice(self) -> None:
        assert all(count == 1 for count in self.ended.values())
        assert all(count <= 1 for count in self.spent.values())

    @invariant()
    def the_document_is_small_and_reads_back(self) -> None:
        document = encode(self.gate.account)

        assert len(document) < DOCUMENT_BYTES_MOST
        assert msgspec.json.decode(document, type=Account) == self.gate.account
        assert len(self.gate.account.actions) <= OPEN_ACTIONS_MOST + 1
        assert self.gate.account.throttle.failures <= FAILURES_MOST

    def teardown(self) -> None:
        if not self.gate.book:
            return
        account, streams = self.gate.book[0][0].account, dict(self.first)
        for before, decided, _ in self.gate.book:
            at_hand = before.destination_id
            state = State(
                account=account,
                destination_id=at_hand,
                destination=streams.get(at_hand) if at_hand else None,
            )
            for decision in decided.decisions:
                state = advance(apply_all(state, decision.events))
            account = state.account
            streams |= streams_of(state)
        assert account == self.gate.account
        assert streams == self.gate.destinations
        assert versions_of(account) == {name: one.version for name, one in streams.items()}


# --- When money may leave, worked out once more and in another way ---


def may_leave(before: State, after: State, named: str, at: datetime) -> None:
    """Check that ``named`` may leave; ``after`` knows the proof that came with the decision."""
    account, action = before.account, after.account.action(named)
    assert account.freeze.until is None or account.freeze.until <= at
    assert not any(hold.placed_at <= at < hold.ends_at for hold in account.holds)
    assert account.enrolling_until is None or account.enrolling_until <= at
    shown = {one.factor for one in action.shown if still_bound(account, one)}
    assert at_the_floor(account, shown) or small_enough(before, action, shown, at)


def floor_stands(before: State, after: State, decision: Decision, at: datetime) -> None:
    """Check that the floor sinks by a removal that has waited, or by what a newcomer had raised."""
    was, is_ = before.account, after.account
    if is_.floor >= was.floor:
        return
    if decision.kind in (ActionType.AUTHENTICATOR_REMOVE, ActionType.CONTACT_CHANGE):
        action = was.action(decision.action_id)
        assert action.until is not None
        assert action.until <= at
        return
    assert decision.kind in REPUDIATIONS
    repudiated = next(one for one in decision.events if isinstance(one, NewcomerRepudiated))
    assert at < repudiated.since + NEWCOMER_PERIOD
    older = [one for one in was.authenticators if one.bound_at < repudiated.since]
    kept = {one.authenticator_id for one in is_.authenticators}
    stood = [one for one in older if not set(one.by) & set(repudiated.entries)]
    assert {one.authenticator_id for one in stood} <= kept


def suspensions_are_bounded(before: State, decision: Decision, at: datetime) -> None:
    """Check that nothing is suspended for good but by something else that reaches the floor."""
    facts = decision.facts
    for event in decision.events:
        if not isinstance(event, AuthenticatorSuspended) or not event.for_good:
            continue
        assert facts is not None
        if decision.kind == ActionType.AUTHENTICATOR_SUSPEND:
            assert facts.shown_level >= before.account.floor
        bound = before.account.authenticator(event.authenticator_id)
        assert bound is not None
        assert at >= bound.bound_at


def still_bound(account: Account, shown: Shown) -> bool:
    own = account.authenticator(shown.source)
    if own is not None and own.suspension is not None and shown.at <= own.suspension.at:
        return False
    bound: set[tuple[str, datetime]]
    bound = {(one.authenticator_id, one.bound_at) for one in account.authenticators}
    bound |= {(one.channel_id, one.bound_at) for one in account.channels}
    bound |= {(one.session_id, one.started_at) for one in account.sessions}
    return (shown.source, shown.bound_at) in bound


def at_the_floor(account: Account, shown: set[Factor]) -> bool:
    if any(isinstance(one, Passkey) for one in account.authenticators):
        return Factor.PASSKEY in shown
    if any(isinstance(one, Totp) for one in account.authenticators):
        return Factor.TOTP in shown
    coded = any(one.takes_codes for one in account.channels)
    return Factor.PASSWORD in shown and (not coded or bool(shown & CODES))


def small_enough(state: State, action: OpenAction, shown: set[Factor], at: datetime) -> bool:
    listed, payload = state.destination, action.payload
    if Factor.SESSION not in shown or listed is None or listed.removed:
        return False
    assert isinstance(payload, WithdrawalCrypto)
    today = listed.spent.cents if listed.spent.day == at.date().isoformat() else 0
    counted = action.state is ActionState.AUTHORIZED
    more = 0 if counted else int(payload.amount_minor) // 10**4
    return today + more <= listed.budget_cents


TestMachine = Machine.TestCase
