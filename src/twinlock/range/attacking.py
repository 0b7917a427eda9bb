"""Plays an attack that the prover found, at the gate itself: command by command, with a clock.

The prover says that a set of capabilities ends in a theft after so many minutes, and by which
steps. Here somebody takes those steps on a real account with ``gate.decide``: he proposes, is
asked, shows what the step takes and nothing else, waits, and spends. So the model and the code are
one where the last step is allowed at that minute, and not a minute sooner.

Nobody objects: whoever would is silenced by what the attack takes, or would come too late. The
owner signs in again on her own device whenever her session is over, and no oftener than it counts.

Always true (tests/integration/test_attacks_found.py): every minimal attack on
the weak profiles succeeds at its minute, and not one sooner.

Source: docs/range.md, "What the prover finds".
"""

from collections.abc import Iterator, Sequence
from copy import copy
from datetime import UTC, datetime
from itertools import permutations
from typing import NoReturn, TypeAlias

import msgspec
from msgspec.structs import replace

from twinlock.domain.account import Account, ActionUnknownError, ApiKey, Device, State
from twinlock.domain.actions import AnyPayload, ContactChange
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.model import Authenticator, RecoveryCodes, Totp
from twinlock.domain.bounds import NEWCOMER_PERIOD
from twinlock.domain.canonical import b64url
from twinlock.domain.catalogue import ActionType
from twinlock.domain.channels import Channel
from twinlock.domain.commands import (
    Ask,
    Command,
    EndSession,
    Propose,
    Prove,
    Right,
    SessionSignature,
    Spend,
)
from twinlock.domain.decisions import Decided, Decision, Rules
from twinlock.domain.errors import TwinlockError, present
from twinlock.domain.gate import decide
from twinlock.domain.ids import ActionId, ChallengeId, SessionId, action_id, tail
from twinlock.domain.listed import Destination
from twinlock.domain.policy.facts import SessionState
from twinlock.domain.prover import enrolment, moves
from twinlock.domain.prover.capabilities import Assumptions, Mean, means_of
from twinlock.domain.prover.closure import Attack
from twinlock.domain.prover.derived import Derived
from twinlock.domain.prover.enrolment import NOW, OWNER, Enrolment
from twinlock.domain.prover.model import MINUTE
from twinlock.domain.prover.moves import Gain
from twinlock.domain.prover.probing import answer_of, factor_shown, question
from twinlock.domain.prover.system import SIGNER, System
from twinlock.domain.proving import AT_ONCE
from twinlock.domain.requirements import Answer, reasons, silence_until
from twinlock.range.leaving_by import leaving_by

_AGES = NEWCOMER_PERIOD // MINUTE
_KEY = b64url(bytes(32))
SAVED_CODES = tuple(f"code {number}" for number in range(10))  # A sheet has ten.
_NOBODY = EndSession(session_id=SessionId("ses_nobody"))  # It settles what is due.
_NAMED = {
    Mean.PASSWORD: enrolment.PASSWORD.authenticator_id,
    Mean.TOTP: enrolment.APP.authenticator_id,
    Mean.PHONE_KEY: enrolment.PHONE_KEY.authenticator_id,
    Mean.BUILT_IN_KEY: enrolment.BUILT_IN_KEY.authenticator_id,
    Mean.ROAMING_KEY: enrolment.ROAMING_KEY.authenticator_id,
    Gain.KEY: moves.OWN_KEY.authenticator_id,
    Mean.SAVED_CODE: enrolment.SAVED.authenticator_id,
    Mean.READ_EMAIL: enrolment.CHANNELS[0].channel_id,
    Mean.READ_SMS: enrolment.CHANNELS[1].channel_id,
    Mean.TRADE_KEY: enrolment.TRADE_KEY.api_key_id,
    Mean.WITHDRAW_KEY: enrolment.WITHDRAW_KEY.api_key_id,
    Gain.API_KEY: moves.OWN_API_KEY.api_key_id,
}


Source: TypeAlias = Authenticator | Channel | ApiKey


class NotAsFoundError(TwinlockError):
    """The gate does otherwise than the prover says."""

    code = "attack_not_as_found"
    status = 500


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """One step that somebody takes: asked for at ``begins``, in effect at ``ends``, in minutes."""

    rule: Derived
    begins: int
    ends: int


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """An attack as a script: the state that it begins in, its deeds in order, and what it is for.

    ``action`` is the exit by which ``cents`` leave, of those that are answered alike.
    """

    state: Enrolment
    capabilities: tuple[str, ...]
    deeds: tuple[Deed, ...]
    action: str
    cents: int
    minutes: int
    budgets: tuple[int, ...] = (0,)

    @property
    def past_the_gate(self) -> bool:
        """Say whether it does not pass the gate at all: another program decides."""
        return any(deed.rule.action == SIGNER for deed in self.deeds)

    def __str__(self) -> str:
        """Return it in a line."""
        took = ", ".join(self.capabilities)
        return f"{self.state.name}: {took}: {self.cents} by {self.action} at {self.minutes}"


def script_of(system: System, goal: str, attack: Attack, *, exits: Sequence[str] = ()) -> Script:
    """Return the script of an ``attack`` on ``goal``; it leaves by one of ``exits``, or the first.

    It is played in the first of its states.
    """
    _, action, cents = goal.split(":")
    first = (attack.states & -attack.states).bit_length() - 1
    held = system.held(attack)
    given = {mean.value for one in held for mean in means_of(one, assumed=Assumptions())}
    deeds: list[Deed] = []
    since: dict[str, int] = dict.fromkeys(given, 0)
    for step in attack.path:
        rule = system.origins[step.rule]
        begins = max((since[atom] for atom in rule.body if atom in since), default=0)
        since[rule.head] = min(step.minute, since.get(rule.head, step.minute))
        if rule.action and rule.head not in given:
            deeds.append(Deed(rule=rule, begins=begins, ends=step.minute))
    number = attack.capabilities + attack.minutes + attack.states.bit_count()
    some = exits or (action,)
    return Script(
        state=system.states[first],
        capabilities=tuple(one.value for one in held),
        deeds=tuple(deeds),
        action=some[number % len(some)],
        cents=int(cents),
        minutes=attack.minutes,
        budgets=(*system.sums, 0),
    )


def account_at_first(state: Enrolment, planted: Destination | None) -> Account:
    """Return the account of ``state`` as it stands before anybody does anything."""
    bound = tuple(
        replace(one, left=SAVED_CODES) if isinstance(one, RecoveryCodes) else one
        for one in state.authenticators
    )
    owners = enrolment.SESSION
    known = Device(thumbprint=owners.thumbprint, since=enrolment.OLD, seen_at=NOW)
    account = enrolment.account_of(state)
    return replace(
        enrolment.with_contact(account) if state.contact else account,
        authenticators=(enrolment.PASSWORD, *bound),
        devices=(known,),
        api_keys=state.keys,
        lock=state.lock,
        destinations={} if planted is None else {planted.destination_id: planted.version},
    )


class Thief:
    """Whoever takes the deeds of a script, on the account of its state. ``minute`` is his clock."""

    def __init__(self, script: Script, *, rules: Rules) -> None:
        self.script = script
        self.minute = 0
        self._rules = rules
        self._leaving = leaving_by(script.action, script.cents, policy=rules.policy)
        planted = script.state.planted
        self._there = replace(self._leaving.listed, imported=True) if planted else None
        self._account = account_at_first(script.state, self._there)
        self._due: frozenset[int] = frozenset()
        self._drawn = 0
        self._sign_in: Deed | None = None

    def play(self) -> Decision:
        """Take every deed, and return the answer to the last: the spend, at its minute.

        Raises:
            NotAsFoundError: a deed is not done, or not in effect at its minute; or the theft is
                allowed a minute sooner.
        """
        *before, last = in_order(self.script.deeds)
        while before and before[0].begins < last.ends:
            self._take(before.pop(0))
        asked = ""
        if last.begins < last.ends:
            self._until(last.begins)
            asked = self._leave(last)
        if last.ends:
            self._check_sooner(last, asked)
        for deed in before:
            self._take(deed)
        return self._spend_at(last.ends, last, asked)

    def _spend_at(self, minute: int, last: Deed, asked: str) -> Decision:
        self._until(minute)
        return self._spend(asked or self._leave(last))

    def _check_sooner(self, last: Deed, asked: str) -> None:
        other = copy(self)
        try:
            early = other._spend_at(last.ends - 1, last, asked)  # noqa: SLF001 - a copy of this
        except NotAsFoundError:
            return  # What it takes is not there yet.
        if early.answer is Answer.ALLOW:
            raise NotAsFoundError(f"{self.script}: it leaves a minute sooner")

    # --- The clock ---

    @property
    def now(self) -> datetime:
        """Return the instant of ``minute``."""
        return NOW + self.minute * MINUTE

    def _until(self, minute: int) -> None:
        """Go on to ``minute``; look at the account whenever a wait in it is over."""
        for due in sorted(one for one in self._due if one <= minute):
            self.minute = due
            self._run(_NOBODY)
        self._due = frozenset(one for one in self._due if one > minute)
        self.minute = minute

    def _run(self, command: Command) -> Decision:
        named = self._leaving.listed.destination_id
        state = State(account=self._account, destination_id=named, destination=self._there)
        prices = present(self._rules.prices, "what things are worth is known")
        rules = replace(self._rules, prices=replace(prices, as_of=self.now))
        decided = decide(state, command, rules=rules, now=self.now)
        self._account = decided.state.account
        self._there = _listed(decided, self._there)
        return decided.answer

    # --- What is done ---

    def _take(self, deed: Deed) -> None:
        """Have a change take effect when its wait is over, and see that it does."""
        self._until(deed.begins)
        if deed.rule.action == ActionType.SESSION_START:
            self._sign_in = deed
        answered = self._change(deed)
        ends = deed.begins
        if answered.answer is Answer.HOLD:
            until = present(silence_until(answered.requirement), "time alone ends this wait")
            ends = -(-(until - NOW) // MINUTE)
            self._due |= {ends}
        elif answered.answer is not Answer.ALLOW:
            self._fail(
                deed, f"is answered {answered.answer.value}: {reasons(answered.requirement)}"
            )
        if deed.ends - ends not in (0, _AGES):
            self._fail(deed, f"is in effect at {ends}")

    def _change(self, deed: Deed) -> Decision:
        """Propose a change, show what it takes, and return the last answer."""
        answered = None
        for payload, secret in self._payloads(deed.rule):
            action, answered = self._propose(deed, payload, secret)
            if answered.answer is not Answer.DENY:
                break
        else:
            self._fail(deed, "is denied")
        answered = self._show(deed, action, answered)
        if isinstance(payload, ContactChange) and answered.answer is not Answer.ALLOW:
            answered = self._confirm(action)
        return answered

    def _payloads(self, rule: Derived) -> Iterator[tuple[AnyPayload, str]]:
        """Give what may be asked for, the best first, with the secret that takes effect."""
        match rule.action:
            case ActionType.SESSION_START:
                yield moves.SIGN_IN, ""
            case ActionType.PASSWORD_RESET:
                yield moves.RESET, moves.RESET_SECRET
            case ActionType.AUTHENTICATOR_BIND:
                yield moves.BIND, moves.BIND_SECRET
            case ActionType.CONTACT_CHANGE:
                beside = "channel for" not in rule.head
                old = None if beside else self._account.channels[0]
                yield moves.change_of(old), moves.OWN_CHANNEL.channel_id
            case ActionType.API_KEY_CREATE:
                yield moves.MAKE_KEY, moves.OWN_API_KEY.api_key_id
            case ActionType.TRUSTED_CONTACT_REMOVE:
                yield moves.REMOVE_CONTACT, ""
            case ActionType.DESTINATION_ADD:
                to = self._leaving.listed
                add = replace(
                    moves.listing(budget_cents=0),
                    network=to.network,
                    address=to.address,
                    memo=to.memo,
                )
                for budget in self.script.budgets:
                    yield replace(add, budget_cents=budget), to.destination_id
            case _:
                raise NotAsFoundError(f"{self.script}: {rule.action} is no change")

    def _leave(self, last: Deed) -> ActionId:
        """Ask for the exit, and show what it takes; its answer is that of the spend."""
        action, answered = self._propose(last, self._leaving.payload, "")
        if answered.answer is not Answer.DENY:
            self._show(last, action, answered)
        return action

    def _spend(self, action: str) -> Decision:
        self._drawn += 1
        command = Spend(action_id=ActionId(action), spend_id=f"spend-{self._drawn}", fee_minor="0")
        try:
            return self._run(command)
        except ActionUnknownError as gone:
            raise NotAsFoundError(f"{self.script}: the exit is over: {gone}") from gone

    # --- What is said to the gate ---

    def _propose(self, deed: Deed, payload: AnyPayload, secret: str) -> tuple[ActionId, Decision]:
        session = self._signature(deed)
        action = action_id(OWNER, self._draw())
        proposal = Propose(
            action_id=action, payload=payload, veto_key=_KEY, session=session, secret=secret
        )
        return action, self._run(proposal)

    def _signature(self, deed: Deed) -> SessionSignature | None:
        """Return what a session of those that the deed takes signs, or names."""
        body = deed.rule.body
        if Mean.COOKIE in body:
            return SessionSignature(
                session_id=enrolment.SESSION.session_id, thumbprint="", signed_at=None
            )
        if Mean.DEVICE in body:
            self._owner_signs_in()
            return self._signed_by(enrolment.SESSION.thumbprint)
        if Gain.SESSION not in body:
            return None
        if self._signed_by(moves.OWN_SESSION.thumbprint) is None and self._sign_in is not None:
            self._change(self._sign_in)
        return self._signed_by(moves.OWN_SESSION.thumbprint)

    def _owner_signs_in(self) -> None:
        """Have the owner signed in on her own device, with the oldest that she has."""
        others = tuple(
            one for one in self._account.sessions if one.session_id != enrolment.SESSION.session_id
        )
        hers = replace(enrolment.SESSION, started_at=self.now - MINUTE, seen_at=self.now)
        self._account = replace(self._account, sessions=(hers, *others))

    def _signed_by(self, thumbprint: str) -> SessionSignature | None:
        for one in self._account.sessions:
            if one.thumbprint == thumbprint and one.state(self.now) is SessionState.FULL:
                return SessionSignature(
                    session_id=one.session_id, thumbprint=thumbprint, signed_at=self.now
                )
        return None

    def _show(self, deed: Deed, action: ActionId, answered: Decision) -> Decision:
        """Show all that the deed takes in the order that ends soonest, and return the last answer.

        A wait that was told to one proof is not taken back by the next.
        """
        sources, best = self._sources(deed), None
        for order in permutations(sources):
            other = copy(self)
            said = other._show_in(order, deed, action, answered)  # noqa: SLF001 - a copy of this
            ends = _waits(said, self.now)
            if best is None or ends < best[0]:
                best = ends, said, other
            if ends <= NOW + deed.ends * MINUTE:
                break
        _, said, other = present(best, "there is one order at least")
        vars(self).update(vars(other))
        return said

    def _show_in(
        self, sources: Sequence[Source], deed: Deed, action: ActionId, answered: Decision
    ) -> Decision:
        for source in sources:
            factor = present(factor_shown(source), "a source is shown as something")
            if source is enrolment.CONTACT:
                factor = Factor.TRUSTED_CONTACT
            if factor not in AT_ONCE:
                asked = self._run(question(self._account.action(action), source, factor))
                if asked.fault is not None:
                    self._fail(deed, f"{factor.value} is not asked: {asked.fault.value}")
            right = answer_of(source, factor, now=self.now)
            if isinstance(source, Totp):
                right = replace(right, totp_step=max(right.totp_step, source.last_step + 1))
            if isinstance(source, ApiKey) and source.ip_list:
                right = replace(right, ip=source.ip_list[0].partition("/")[0])
            answered = self._run(Prove(action_id=action, proof=right, fresh=tail(self._draw())))
            if answered.fault is not None:
                self._fail(deed, f"{factor.value} is refused: {answered.fault.value}")
        return answered

    def _sources(self, deed: Deed) -> list[Source]:
        account, sources = self._account, list[Source]()
        for mean, named in _NAMED.items():
            if mean not in deed.rule.body:
                continue
            keys = (one for one in account.api_keys if one.api_key_id == named)
            found = account.authenticator(named) or account.channel(named) or next(keys, None)
            if found is None:
                self._fail(deed, f"there is no {mean.value}")
            sources.append(found)
        return [*sources, *((enrolment.CONTACT,) if Mean.CONTACT in deed.rule.body else ())]

    def _confirm(self, action: ActionId) -> Decision:
        """Return the code that the new channel got: it is his own."""
        named = moves.OWN_CHANNEL.channel_id
        asked = Ask(
            action_id=action,
            challenge_id=ChallengeId("chl_new"),
            factor=Factor.CHANNEL_CODE,
            nonce=_KEY,
            channel_id=named,
            code_mac=_KEY,
        )
        self._run(asked)
        right = Right(
            factor=Factor.CHANNEL_CODE,
            source=named,
            against=_KEY,
            challenge_id=asked.challenge_id,
        )
        return self._run(Prove(action_id=action, proof=right, fresh=tail(self._draw())))

    def _draw(self) -> bytes:
        self._drawn += 1
        return self._drawn.to_bytes(16, "big")

    def _fail(self, deed: Deed, why: str) -> NoReturn:
        raise NotAsFoundError(f"{self.script}: {deed.rule.action} at {deed.begins} {why}")


def _waits(said: Decision, now: datetime) -> datetime:
    if said.answer is Answer.ALLOW:
        return now
    return silence_until(said.requirement) or datetime.max.replace(tzinfo=UTC)


def in_order(deeds: Sequence[Deed]) -> list[Deed]:
    """Return ``deeds`` by when they begin; what takes a channel away after all that may read it."""
    left, found = sorted(deeds, key=lambda deed: deed.begins), []
    while left:
        made = {deed.rule.head for deed in left}
        ready = [
            one for one in left if one.begins == left[0].begins and made.isdisjoint(one.rule.body)
        ]
        reads = [one for one in ready if one.rule.action != ActionType.CONTACT_CHANGE]
        found.append((reads or ready or left)[0])
        left.remove(found[-1])
    return found


def _listed(decided: Decided, before: Destination | None) -> Destination | None:
    """Return the thief's destination as it is after all of ``decided``."""
    last = decided.state
    return next(iter(last.listed), last.destination or before)
