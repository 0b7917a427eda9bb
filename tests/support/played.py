"""What the gate itself answers to a thief: real commands, one by one, on an account of a state."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec.structs import replace

from twinlock.domain.account import Account, ApiKey, Session, State
from twinlock.domain.actions import AnyPayload, ContactChange, SessionStart
from twinlock.domain.assurance import Factor
from twinlock.domain.canonical import b64url
from twinlock.domain.commands import (
    Ask,
    EndSession,
    Propose,
    Prove,
    Right,
    SessionSignature,
    Spend,
)
from twinlock.domain.decisions import Decided, Decision, Rules
from twinlock.domain.events import HoldPlaced
from twinlock.domain.exits import Exit
from twinlock.domain.gate import decide
from twinlock.domain.ids import ChallengeId, ChannelId, SessionId, action_id
from twinlock.domain.listed import Destination
from twinlock.domain.money import Prices
from twinlock.domain.prover import enrolment
from twinlock.domain.prover.enrolment import NOW
from twinlock.domain.prover.probing import COOKIE, Shows, answer_of, factor_shown, question
from twinlock.domain.proving import AT_ONCE
from twinlock.domain.requirements import Answer, silence_until

_MAC = b64url(bytes(32))


@dataclass
class Played:
    """One action at the gate: what was answered to each command, and the state after the last."""

    account: Account
    payload: AnyPayload
    rules: Rules
    secret: str = ""
    destination: Destination | None = None
    cents: int = 0
    now: datetime = NOW
    answers: list[Decision] = field(default_factory=list)
    holds: list[timedelta] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.named = action_id(self.account.account_id, b"a thief's action")
        to = self.destination
        self.state = State(
            account=self.account,
            destination_id=None if to is None else to.destination_id,
            destination=to,
        )

    @property
    def open(self) -> bool:
        return any(one.action_id == self.named for one in self.state.account.actions)

    def run(self, command: Propose | Ask | Prove | Spend | EndSession) -> Decision:
        prices = None if self.rules.prices is None else self.rules.prices.cents
        rules = replace(self.rules, prices=Prices(as_of=self.now, cents=prices or {}))
        decided: Decided = decide(self.state, command, rules=rules, now=self.now)
        to = self.destination
        self.state = replace(
            decided.state,
            destination=to if decided.state.destination is None else decided.state.destination,
        )
        self.holds += [
            event.hold.ends_at - event.hold.placed_at
            for decision in decided.decisions
            for event in decision.events
            if isinstance(event, HoldPlaced)
        ]
        return decided.answer

    def propose(self, session: Session | str | None = None) -> Decision:
        """Propose it in a session that signs, that is only named (COOKIE), or in none."""
        signature = None
        if isinstance(session, Session):
            signature = SessionSignature(
                session_id=session.session_id, thumbprint=session.thumbprint, signed_at=self.now
            )
        elif session == COOKIE:
            named = enrolment.SESSION.session_id
            signature = SessionSignature(session_id=named, thumbprint="", signed_at=None)
        answer = self.run(
            Propose(
                action_id=self.named,
                payload=self.payload,
                veto_key=_MAC,
                secret=self.secret,
                claimed_cents=self.cents,
                session=signature,
            )
        )
        self.answers.append(answer)
        return answer

    def show(self, source: Shows) -> Decision:
        """Ask for the proof of ``source`` and show it."""
        assert not isinstance(source, str | Session)
        factor = factor_shown(source)
        assert factor is not None
        if factor not in AT_ONCE:
            action = self.state.account.action(self.named)
            asked = self.run(question(action, source, factor))
            if asked.fault is not None:
                self.answers.append(asked)
                return asked
        answer = self.run(
            Prove(
                action_id=self.named, proof=answer_of(source, factor, now=self.now), fresh="a" * 26
            )
        )
        self.answers.append(answer)
        return answer

    def confirm(self) -> Decision:
        """Return the code of the channel that it adds."""
        asked = Ask(
            action_id=self.named,
            challenge_id=ChallengeId("chl_new"),
            factor=Factor.CHANNEL_CODE,
            nonce=_MAC,
            channel_id=ChannelId(self.secret),
            code_mac=_MAC,
        )
        self.run(asked)
        code = Right(
            factor=Factor.CHANNEL_CODE,
            source=self.secret,
            against=_MAC,
            challenge_id=asked.challenge_id,
        )
        answer = self.run(Prove(action_id=self.named, proof=code, fresh="a" * 26))
        self.answers.append(answer)
        return answer

    def play(self, sources: Sequence[Shows]) -> Decision:
        """Propose it and show ``sources``, in their order but for a session's, until it is over."""
        sessions = [one for one in sources if isinstance(one, Session | str)]
        signs = not isinstance(self.payload, SessionStart)
        answer = self.propose(sessions[0] if sessions and signs else None)
        for source in sources:
            if self.open and answer.answer is not Answer.ALLOW and source not in sessions:
                answer = self.show(source)
        adds = isinstance(self.payload, ContactChange) and bool(self.payload.new_address)
        if adds and self.open and self.state.account.action(self.named).proved_at is not None:
            answer = self.confirm()
        return answer

    def again(self) -> bool:
        """Say whether it is carried out now: it leaves, or takes effect."""
        if not self.open:
            return self.answers[-1].answer is Answer.ALLOW
        if isinstance(self.payload, Exit):
            spent = Spend(action_id=self.named, spend_id="spend", fee_minor="0")
            return self.run(spent).answer is Answer.ALLOW
        self.run(EndSession(session_id=SessionId("ses_nobody")))
        return not self.open

    def minutes(self) -> int | None:
        """Return after how many minutes time alone carries it out, or None."""
        answer = self.answers[-1]
        if answer.answer is Answer.ALLOW:
            return 0
        until = silence_until(answer.requirement)
        return None if until is None else -(-(until - NOW) // timedelta(minutes=1))


def carries_out(played: Played, minute: int) -> tuple[bool, bool]:
    """Say whether what was played is carried out a minute before, and at, ``minute``."""
    before = False
    if minute:
        played.now = NOW + timedelta(minutes=minute - 1)
        before = played.again()
        played.now = NOW + timedelta(minutes=minute)
    return before, before or played.again()


def key_of(some: Iterable[Shows]) -> tuple[Shows, ...]:
    """Return proofs in the order in which they are shown: keys of an API last."""
    return tuple(sorted(some, key=lambda one: isinstance(one, ApiKey)))
