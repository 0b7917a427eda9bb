"""Asking the customer and taking the answer.

The cryptography of an answer is checked against the account as it was read, before the locks are
taken; under the lock the gate checks that what it was checked against still stands.

Always true (tests/integration/test_questions.py): whoever else asks about an action, a passkey's
question can be answered until its time is over.
"""

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from twinlock.domain.account import (
    Account,
    ActionUnknownError,
    Challenge,
    OpenAction,
    State,
)
from twinlock.domain.actions import (
    AnyPayload,
    ApiKeyCreate,
    ContactChange,
    payload_bytes,
    place_of,
)
from twinlock.domain.answers import Answered
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofRefusedError
from twinlock.domain.authenticators.model import (
    Authenticator,
    Passkey,
    factor_of,
)
from twinlock.domain.bounds import CHALLENGE_LIFETIME
from twinlock.domain.canonical import b64url, from_b64url
from twinlock.domain.commands import Ask, Prove, Right, Wrong
from twinlock.domain.decisions import Decided, Rules
from twinlock.domain.duress import check_offered, draws, is_offered, may_name
from twinlock.domain.errors import NotRepeatableError, TwinlockError
from twinlock.domain.events import ChallengeIssued, Event, SessionStarted
from twinlock.domain.gate import decide
from twinlock.domain.ids import ActionId, ChallengeId, ChannelId, account_of, tail
from twinlock.domain.members import may_agree, of_member
from twinlock.domain.notices import code_notice
from twinlock.domain.proving import CODES, SENT, unread
from twinlock.ports import (
    Clock,
    Committed,
    Entropy,
    Hasher,
    Idempotency,
    Policies,
    Sightings,
    Store,
    Work,
)
from twinlock.ports.keys import (
    BlindIndex,
)
from twinlock.ports.ruled import by_rules
from twinlock.ports.sign_ins import SignIns
from twinlock.proofs import codes, intents, passkeys
from twinlock.services.proving.checking import Checking, Reply, binding

# What a passkey of somebody's answers.
_SIGNED = (Factor.PASSKEY, Factor.TRUSTED_CONTACT, Factor.MEMBER)


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which proof the customer wants to give; ``channel_id`` is where a code goes."""

    factor: Factor
    channel_id: Annotated[str, Meta(max_length=64)] = ""


class Asked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The question as it was put. ``options`` are WebAuthn request options in JSON."""

    challenge_id: str
    factor: Factor
    expires_in_seconds: int
    answered: Answered
    options: dict[str, Any] | None = None


class AskedBefore(msgspec.Struct, frozen=True, kw_only=True):
    """A question that was put already, under this key or another, and that nobody has answered."""

    challenge_id: str
    factor: Factor
    expires_in_seconds: int
    options: dict[str, Any] | None

    def told(self, answered: Answered) -> Asked:
        """Return the question as it was put, with how its action stands now."""
        return Asked(
            challenge_id=self.challenge_id,
            factor=self.factor,
            expires_in_seconds=self.expires_in_seconds,
            answered=answered,
            options=self.options,
        )


class QuestionStandsError(TwinlockError):
    """A passkey's question stands and is put again: nobody outside is told of this."""

    code = "question_stands"
    status = 409

    def __init__(self, challenge: Challenge, *, now: datetime) -> None:
        super().__init__("this question stands already")
        self.challenge = challenge
        self.now = now


async def no_desk() -> bool:
    """Say that nobody hears of duress."""
    return False


class Proving:
    """The use cases of questions and answers."""

    def __init__(  # noqa: PLR0913 - each is one thing asked of the world
        self,
        store: Store,
        *,
        entropy: Entropy,
        clock: Clock,
        policies: Policies,
        blind: BlindIndex,
        sightings: Sightings | None = None,
        hasher: Hasher,
        rp: passkeys.RelyingParty,
        older: tuple[passkeys.RelyingParty, ...] = (),
        sign_ins: SignIns,
        picked_one_in: int = 0,
        has_desk: Callable[[], Awaitable[bool]] = no_desk,
    ) -> None:
        self._store = store
        self._entropy = entropy
        self._clock = clock
        self._policies = policies
        self._sign_ins = sign_ins
        self._blind = blind
        self._sightings = sightings
        self._checking = Checking(clock=clock, hasher=hasher, rp=rp, older=older)
        self._rp = rp
        self.picked_one_in = picked_one_in  # Of so many proofs one picks its account; 0: none does.
        self.has_desk = has_desk  # whether anybody would hear of duress

    async def offers_duress(self, payload: AnyPayload) -> bool:
        """Say whether an owner may name what ``payload`` binds as for duress."""
        asked = bool(self.picked_one_in) and may_name(payload)
        desk = asked and await self.has_desk()
        return is_offered(payload, one_in=self.picked_one_in, desk=desk)

    # --- Asking ---

    async def ask(
        self, action_id: ActionId, question: Question, *, actor: str, idempotency: Idempotency
    ) -> Asked | AskedBefore:
        """Put a question about an open action; a code goes out by its channel, once for its key.

        A passkey's question is put again while half of its time is left, and nothing is written:
        a key that was given one so is free to be used again.

        Raises:
            ActionUnknownError: the action is not open.
            IdempotencyConflictError: the key was used for something else.
            NotRepeatableError: the key's question was refused, answered, replaced, or is too old.
            ProofRefusedError: this question is not asked: below the floor, throttled, not bound.
        """
        account = await self._store.account(account_of(action_id))
        action = account.action(action_id)
        challenge_id = ChallengeId(f"chl_{tail(self._entropy.draw(16))}")
        nonce = self._entropy.draw(32)
        code = codes.new_code(self._entropy.draw(16)) if question.factor in SENT else ""
        channel = _channel(account, action, question)
        command = Ask(
            action_id=action_id,
            challenge_id=challenge_id,
            factor=question.factor,
            nonce=b64url(nonce),
            channel_id=channel,
            code_mac=self._code_mac(code, nonce, challenge_id, action) if code else "",
        )

        def run(state: State, now: datetime, rules: Rules) -> Decided:
            decided = decide(state, command, rules=rules, now=now)
            if _issues(decided):
                _check_none_stands(state.account.action(action_id), question.factor, now=now)
            if not code or channel is None or not _issues(decided):
                return decided
            letter = code_notice(action, code=code, channel=channel, at=now)
            return msgspec.structs.replace(decided, letters=(letter,))

        try:
            committed = await self._run(action, run, actor, idempotency, stands_for=challenge_id)
        except QuestionStandsError as stands:
            return self._again(account, action, stands.challenge, now=stands.now)
        if committed.repeated:
            return await self._asked_before(action_id, question.factor, committed.repeated)
        decision = committed.answer
        if decision.fault is not None:
            raise ProofRefusedError(decision.fault)
        return Asked(
            challenge_id=challenge_id,
            factor=question.factor,
            expires_in_seconds=int(CHALLENGE_LIFETIME.total_seconds()),
            answered=committed.answered,
            options=self._options(account, action, question.factor, nonce),
        )

    async def _asked_before(
        self, action_id: ActionId, factor: Factor, challenge_id: str
    ) -> AskedBefore:
        account = await self._store.account(account_of(action_id))
        action = account.action(action_id)
        now = self._clock.now(database_at=None)
        for one in action.challenges:
            if one.challenge_id == challenge_id and one.expires_at > now:
                return self._again(account, action, one, now=now)
        own = of_member(account, action.member_id)
        typed = {factor_of(one) for one in own.authenticators} - {Factor.PASSKEY}
        if factor in typed and unread(account, action, factor, now=now) is None:
            # No answer names this question, so none is kept: it is the same whenever it is put.
            return AskedBefore(
                challenge_id=challenge_id,
                factor=factor,
                expires_in_seconds=int(CHALLENGE_LIFETIME.total_seconds()),
                options=None,
            )
        raise NotRepeatableError("the question was refused, answered, replaced, or is too old")

    def _again(
        self, account: Account, action: OpenAction, asked: Challenge, *, now: datetime
    ) -> AskedBefore:
        nonce = from_b64url(asked.nonce, size=32)
        return AskedBefore(
            challenge_id=asked.challenge_id,
            factor=asked.factor,
            expires_in_seconds=int((asked.expires_at - now).total_seconds()),
            options=self._options(account, action, asked.factor, nonce),
        )

    def _code_mac(
        self, code: str, nonce: bytes, challenge_id: ChallengeId, action: OpenAction
    ) -> str:
        sealed = codes.seal(
            code,
            key=nonce,
            binding=binding(challenge_id, action),
            now=self._clock.now(database_at=None),
        )
        return b64url(sealed.mac)

    def _options(
        self, account: Account, action: OpenAction, factor: Factor, nonce: bytes
    ) -> dict[str, Any] | None:
        """Return the options of ``navigator.credentials.get`` as JSON (WebAuthn L3, 5.1.8)."""
        if factor not in _SIGNED:
            return None
        now = self._clock.now(database_at=None)
        live = (one for one in _asked(account, action, factor, now=now) if not one.suspended(now))
        known = [one for one in live if isinstance(one, Passkey)]
        # One question is for one site: ours, until all that is bound is of an older one.
        site = min((one.rp_id for one in known), default="")
        asked = (one for one in known if one.rp_id == site)
        return {
            "allowCredentials": [{"id": one.credential_id, "type": "public-key"} for one in asked],
            "challenge": b64url(intents.challenge(nonce, payload_bytes(action.payload))),
            "rpId": site or self._rp.rp_id,
            "timeout": int(CHALLENGE_LIFETIME.total_seconds() * 1000),
            "userVerification": "required",
        }

    # --- Answering ---

    async def prove(
        self,
        action_id: ActionId,
        reply: Reply,
        *,
        actor: str,
        idempotency: Idempotency,
        forced: bool = False,
    ) -> Answered | None:
        """Take the customer's answer, and decide; None where its key brought it in before.

        ``forced`` names what the action binds as for duress; only our own page can say so.

        Raises:
            DuressNotOfferedError: the action binds nothing that could be for duress, or nobody is
                picked here, or nobody would hear of it.
            ActionUnknownError: the action is not open.
            IdempotencyConflictError: the key was used for something else.
            MalformedError: ``ip`` is no address.
            ProofRefusedError: the answer does not count; the refusal stands in the log.
            UnavailableError: too much work waits.
        """
        account = await self._store.account(account_of(action_id))
        try:
            action = account.action(action_id)
        except ActionUnknownError:
            if await self._store.stands_for(account.account_id, idempotency) is None:
                raise
            return None
        if forced:
            desk = await self.has_desk()
            check_offered(action.payload, one_in=self.picked_one_in, desk=desk)
        if await self._hashed_before(account, reply, idempotency):
            return None
        proof = await self._proof(account, action, reply)
        command = self._command(action_id, proof, forced=forced)
        others = await self._wanted_elsewhere(account, action, proof)

        def run(state: State, now: datetime, rules: Rules) -> Decided:
            seen = msgspec.structs.replace(state, wanted_elsewhere=others)
            return decide(seen, command, rules=rules, now=now)

        committed = await self._run(action, run, actor, idempotency, stands_for=action_id)
        if committed.repeated:
            return None
        decision = committed.answer
        if decision.fault is not None:
            raise ProofRefusedError(decision.fault)
        self._learn(decision.events)
        return committed.answered

    async def _hashed_before(
        self, account: Account, reply: Reply, idempotency: Idempotency
    ) -> bool:
        """Say whether ``reply`` is a password that its key brought in before.

        Whatever else comes again costs nothing to check again, and is found where it is decided.
        Prevents: one form that is sent again and again, counts once, and costs a hashing each time;
        and guesses under a used key, which count as none.

        Raises:
            IdempotencyConflictError: the key was used for something else.
        """
        if reply.factor is not Factor.PASSWORD:
            return False
        return await self._store.stands_for(account.account_id, idempotency) is not None

    async def _wanted_elsewhere(
        self, account: Account, action: OpenAction, proof: Right | Wrong
    ) -> int:
        """Return at how many other accounts its destination was wanted, and note that it is here.

        It is noted first. Prevents: whoever proves at a hundred accounts in one moment, of which
        each is decided before any other is counted.
        """
        if self._sightings is None:
            return 0
        if isinstance(proof, Right):
            await self._sightings.note(account, action)
        return await self._sightings.elsewhere(account, action)

    async def _proof(self, account: Account, action: OpenAction, reply: Reply) -> Right | Wrong:
        # Prevents: guesses that are not read, and cost a password's hashing all the same.
        fault = unread(account, action, reply.factor, now=self._clock.now(database_at=None))
        if fault is not None:
            return Wrong(factor=reply.factor, fault=fault)
        try:
            return await self._checking.check(account, action, reply)
        except ProofRefusedError as refused:
            return Wrong(factor=reply.factor, fault=refused.fault)

    def _command(self, action_id: ActionId, proof: Right | Wrong, *, forced: bool) -> Prove:
        return Prove(
            action_id=action_id,
            proof=proof,
            fresh=tail(self._entropy.draw(16)),
            blind=b64url(self._entropy.draw(16)),
            drawn=draws(self._entropy.draw(8), one_in=self.picked_one_in),
            forced=forced,
        )

    def _learn(self, events: tuple[Event, ...]) -> None:
        for event in events:
            if isinstance(event, SessionStarted) and event.visit is not None:
                self._sign_ins.learn(event.visit)

    async def _run(
        self,
        action: OpenAction,
        run: Callable[[State, datetime, Rules], Decided],
        actor: str,
        idempotency: Idempotency,
        *,
        stands_for: str,
    ) -> Committed:
        place = place_of(action.payload)
        names = () if place is None else self._blind.names(place)
        marks = self._marks(action)
        return await by_rules(
            self._policies,
            lambda rules: self._store.run(
                Work(
                    account_id=account_of(action.action_id),
                    destination_id=names[0] if names else None,
                    also=names[1:],
                    decide=lambda state, now: run(state, now, rules),
                    actor=actor,
                    policy=rules.policy.name,
                    teller=self._policies.teller(),
                    marks=marks,
                    idempotency=idempotency,
                    action_id=stands_for,
                )
            ),
        )

    def _marks(self, action: OpenAction) -> tuple[bytes, ...]:
        """Return under which names a key is found that ``action`` makes: all keys', its own."""
        payload = action.payload
        if not isinstance(payload, ApiKeyCreate):
            return ()
        return tuple(self._blind.marks(one)[0] for one in sorted({"", payload.integrator}))


def _asked(
    account: Account, action: OpenAction, factor: Factor, *, now: datetime
) -> Iterable[Authenticator]:
    """Return whose passkeys may answer: another member's, a contact's, or those of who asks."""
    if factor is Factor.MEMBER:
        return may_agree(account, action, now=now)
    if factor is Factor.TRUSTED_CONTACT:
        return account.contacts
    return of_member(account, action.member_id).authenticators


def _channel(account: Account, action: OpenAction, question: Question) -> ChannelId | None:
    """Return the channel that was named, the new one, or the first of the fitting kind."""
    if question.factor is Factor.CHANNEL_CODE:
        return ChannelId(action.secret) if isinstance(action.payload, ContactChange) else None
    kind = CODES.get(question.factor)
    fitting = (one.channel_id for one in account.channels if one.kind is kind)
    return ChannelId(question.channel_id) if question.channel_id else next(fitting, None)


def _issues(decided: Decided) -> bool:
    return any(isinstance(event, ChallengeIssued) for event in decided.answer.events)


def _check_none_stands(action: OpenAction, factor: Factor, *, now: datetime) -> None:
    """Check that no passkey's question stands that has half of its time left.

    Under the lock, so that each new one is half a life younger than the one before it, and the
    third comes when the first is over.
    Prevents: whoever may ask, and asks until the one that the owner is answering is pushed out.

    Raises:
        QuestionStandsError: with the question that stands.
    """
    if factor not in _SIGNED:
        return
    for one in action.challenges:
        if one.factor is factor and one.expires_at - now >= CHALLENGE_LIFETIME / 2:
            raise QuestionStandsError(one, now=now)
