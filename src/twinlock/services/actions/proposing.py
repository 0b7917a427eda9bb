"""Proposing: a draft is made ready, and the gate answers.

A platform key proposes and never proves (law 2).
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from twinlock.domain import drafts
from twinlock.domain.account import State
from twinlock.domain.actions import AnyPayload, SessionStart, payload_bytes, payload_digest
from twinlock.domain.answers import Answered
from twinlock.domain.canonical import b64url
from twinlock.domain.catalogue import ActionType
from twinlock.domain.commands import Propose, SessionSignature
from twinlock.domain.decisions import Rules
from twinlock.domain.discreet import Discreet
from twinlock.domain.errors import MalformedError, SealBrokenError, TwinlockError, present
from twinlock.domain.evaluation import Evaluated, Evaluation, check_resource, draft_of, evaluated
from twinlock.domain.gate import decide
from twinlock.domain.ids import (
    ENTROPY_BYTES,
    AccountId,
    MemberId,
    account_of,
    action_id,
)
from twinlock.domain.naming import name_of
from twinlock.domain.registered_exits import RegisteredExit
from twinlock.domain.risk.scoring import Noticed
from twinlock.domain.sessions import PROPOSAL, SignedDraft
from twinlock.ports import (
    Clock,
    Entropy,
    Hasher,
    Idempotency,
    Policies,
    Store,
    Work,
)
from twinlock.ports.keys import (
    BlindIndex,
)
from twinlock.ports.ruled import by_rules
from twinlock.ports.sign_ins import SignIns, Visitor
from twinlock.proofs import passkeys
from twinlock.proofs.sessions import check_session
from twinlock.services.actions.binding import Binding
from twinlock.services.actions.prepared import Prepared
from twinlock.services.actions.preparing import Preparing

_SECRET: frozenset[str] = frozenset(
    {
        ActionType.AUTHENTICATOR_BIND,
        ActionType.PASSWORD_CHANGE,
        ActionType.PASSWORD_RESET,
        ActionType.NOTICE_WORD_SET,
        ActionType.TRUSTED_CONTACT_ADD,
        ActionType.MEMBER_ADD,
    }
)

TYPE_FORM = r"\A[a-z0-9_]+\.[a-z0-9_]+\Z"


class Proposal(Discreet, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody wants done, for a member of an account.

    ``value_cents`` is the platform's figure, and ``visitor`` whom it sees sign in: both only add.
    Where no member is named the first one is meant, who is the only one of most accounts.
    """

    HIDDEN = frozenset({"payload"})

    account_id: Annotated[str, Meta(min_length=1, max_length=64)]
    type: Annotated[str, Meta(min_length=1, max_length=64, pattern=TYPE_FORM)]
    payload: dict[str, Any] = msgspec.field(default_factory=dict)
    value_cents: drafts.Cents = 0
    session: SignedDraft | None = None
    visitor: Visitor | None = None
    member_id: Annotated[str, Meta(max_length=64)] = ""


class Repeated(msgspec.Struct, frozen=True, kw_only=True):
    """The idempotency key stands for an action already: look at it."""

    action_id: str


class Previewed(msgspec.Struct, frozen=True, kw_only=True):
    """The payload a proposal would have, and its digest: what a session's device signs."""

    payload: dict[str, Any]
    digest: str


class Actions:
    """The use cases before proof."""

    def __init__(  # noqa: PLR0913 - each is one thing asked of the world
        self,
        store: Store,
        *,
        entropy: Entropy,
        clock: Clock,
        policies: Policies,
        blind: BlindIndex,
        hasher: Hasher,
        rp: passkeys.RelyingParty,
        sign_ins: SignIns,
        registered: Mapping[str, RegisteredExit],
    ) -> None:
        self._store = store
        self._entropy = entropy
        self._clock = clock
        self._policies = policies
        self._sign_ins = sign_ins
        binding = Binding(store, entropy=entropy, clock=clock, hasher=hasher, rp=rp)
        self._preparing = Preparing(
            store, binding, entropy=entropy, clock=clock, blind=blind, registered=registered
        )

    async def preview(self, proposal: Proposal, *, named: AccountId) -> Previewed:
        """Return what would be signed, without proposing it.

        Raises:
            MalformedError: what takes effect is a secret, so its payload differs each time.
            AmountError, AddressError, UnknownAssetError, NotFoundError: as ``propose`` does.
        """
        if proposal.type in _SECRET:
            raise MalformedError("this payload commits to a secret and cannot be previewed")
        rules = self._policies.rules()
        prepared = await self._preparing.prepare(proposal.type, proposal.payload, named, rules)
        data = payload_bytes(prepared.payload)
        return Previewed(payload=msgspec.json.decode(data), digest=payload_digest(data))

    async def evaluate(self, asked: Evaluation, *, named: AccountId) -> Evaluated:
        """Return what the gate would say to a proposal right now, and keep nothing of it.

        Raises:
            MalformedError: it is no proposal of this kind; or it would carry a secret, which does
                not belong into a question.
            AccountUnknownError and what ``propose`` raises: as they say.
        """
        draft, context = draft_of(asked), asked.context
        if asked.action.name in _SECRET:
            raise MalformedError("this action carries a secret: propose it")
        rules = self._policies.rules()
        prepared = await self._preparing.prepare(asked.action.name, draft, named, rules)
        check_resource(asked, prepared.payload)
        command = Propose(
            action_id=action_id(named, bytes(ENTROPY_BYTES)),  # It names nothing: no draw is lost.
            payload=prepared.payload,
            veto_key="",
            claimed_cents=context.value_cents,
            session=_session(context.session, prepared.payload, context.idempotency_key),
            secret=prepared.secret,
        )
        account = await self._store.account(named)
        where = name_of(account, prepared.names) if prepared.names else None
        state = State(
            account=account,
            destination_id=where,
            destination=None if where is None else await self._store.destination(named, where),
            halted_at=await self._store.halted_at(),
        )
        now = self._clock.now(database_at=None)
        known = _known(command, prepared, state)
        return evaluated(decide(state, known, rules=rules, now=now))

    async def propose(
        self, proposal: Proposal, *, named: AccountId, actor: str, idempotency: Idempotency
    ) -> Answered | Repeated:
        """Propose an action; repeated under its key it is the same one.

        Raises:
            MalformedError: a payload that is not of its type's form.
            AmountError, AddressError, UnknownAssetError, NotFoundError, ProofRefusedError:
                a payload that means nothing here.
            PasswordRefusedError: a new password that may not be set.
            SealBrokenError: the key stands for another account's action.
        """
        return await by_rules(
            self._policies,
            lambda rules: self._propose(
                proposal, rules, named=named, actor=actor, idempotency=idempotency
            ),
        )

    async def _propose(
        self,
        proposal: Proposal,
        rules: Rules,
        *,
        named: AccountId,
        actor: str,
        idempotency: Idempotency,
    ) -> Answered | Repeated:
        try:
            prepared = await self._preparing.prepare(
                proposal.type, proposal.payload, named, rules, member=proposal.member_id
            )
        except TwinlockError:
            # Prevents: a candidate that its own proposal used up, told as gone to who repeats it.
            found = await self._store.stands_for(named, idempotency)
            if found is None:
                raise
            return _repeated(found, named)
        action = action_id(named, self._entropy.draw(16))
        command = Propose(
            action_id=action,
            member_id=MemberId(proposal.member_id) if proposal.member_id else None,
            payload=prepared.payload,
            veto_key=b64url(self._entropy.draw(32)),
            claimed_cents=proposal.value_cents,
            session=_session(proposal.session, prepared.payload, idempotency.key),
            secret=prepared.secret,
            candidate_id=prepared.candidate_id,
            noticed=self._noticed(proposal, prepared.payload, named),
        )
        committed = await self._store.run(
            Work(
                account_id=named,
                destination_id=prepared.names[0] if prepared.names else None,
                also=prepared.names[1:],
                decide=lambda state, now: decide(
                    state, _known(command, prepared, state), rules=rules, now=now
                ),
                actor=actor,
                policy=rules.policy.name,
                idempotency=idempotency,
                action_id=action,
                teller=self._policies.teller(),
            )
        )
        if committed.decided is None:
            return _repeated(committed.repeated, named)
        return committed.answered

    def _noticed(self, proposal: Proposal, payload: AnyPayload, named: AccountId) -> Noticed | None:
        """Return what the platform tells of a sign-in. Raises MalformedError."""
        if proposal.visitor is None:
            return None
        if not isinstance(payload, SessionStart):
            raise MalformedError("a visitor is told of with session.start only")
        return self._sign_ins.notice(proposal.visitor, account=named)


def _session(
    signed: SignedDraft | None, payload: AnyPayload, idempotency_key: str
) -> SessionSignature | None:
    if signed is None:
        return None
    digest = payload_digest(payload_bytes(payload))
    return check_session(signed, purpose=PROPOSAL, name=idempotency_key, digest=digest)


def _known(command: Propose, prepared: Prepared, state: State) -> Propose:
    """Return ``command`` for the name by which the account knows its destination."""
    if prepared.secret not in prepared.names:
        return command
    known = present(state.destination_id, "the destination's stream is at hand")
    return msgspec.structs.replace(command, secret=known)


def _repeated(found: str, named: AccountId) -> Repeated:
    """Prevents: one customer's action shown to another, whatever the store says of a key."""
    if account_of(found) != named:
        raise SealBrokenError("an idempotency key stands for another account's action")
    return Repeated(action_id=found)
