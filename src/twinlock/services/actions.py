"""Proposing: from a draft to a payload, its secret and its destination, and the gate's answer.

A platform key proposes and never proves (law 2). What takes effect with a yes, such as the hash of
a new password, is derived here, before the locks are taken.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from twinlock.domain import drafts
from twinlock.domain.account import Account, Candidate, State
from twinlock.domain.actions import (
    BUILT,
    ActionType,
    AnyPayload,
    ApiKeyRevoke,
    AuthenticatorBind,
    FreezeLift,
    FreezeSet,
    NotBuilt,
    PasswordChange,
    PasswordReset,
    Place,
    SessionStart,
    payload_bytes,
    payload_digest,
    place_of,
)
from twinlock.domain.answers import Answered
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.authenticators.model import (
    Authenticator,
    Passkey,
    Password,
    RecoveryCodes,
    Totp,
    credential_of,
    placement_of,
)
from twinlock.domain.authenticators.passwords import Terms, terms
from twinlock.domain.canonical import b64url, encode, from_b64url, tagged_hash
from twinlock.domain.changes import CHANGES, NotFoundError, change, reset
from twinlock.domain.commands import Propose, SessionSignature
from twinlock.domain.decisions import Rules
from twinlock.domain.discreet import Discreet
from twinlock.domain.drafts import parse
from twinlock.domain.errors import MalformedError, SealBrokenError, present
from twinlock.domain.evaluation import Evaluated, Evaluation, check_device, draft_of, evaluated
from twinlock.domain.gate import decide
from twinlock.domain.ids import (
    ENTROPY_BYTES,
    AccountId,
    AuthenticatorId,
    ChallengeId,
    DestinationId,
    MemberId,
    account_of,
    action_id,
    tail,
)
from twinlock.domain.naming import name_of
from twinlock.domain.policy.facts import DestinationState
from twinlock.domain.policy.gather import state_of
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
from twinlock.proofs import passkeys, recovery_codes, totp
from twinlock.proofs.api_keys import read_public_key
from twinlock.proofs.device_keys import read_jwk
from twinlock.proofs.sessions import check_session

_SECRET: frozenset[str] = frozenset(
    {ActionType.AUTHENTICATOR_BIND, ActionType.PASSWORD_CHANGE, ActionType.PASSWORD_RESET}
)


class Proposal(Discreet, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody wants done, for a member of an account.

    ``value_cents`` is the platform's figure: it can only add. An account has one member so far, who
    is meant where none is named.
    """

    HIDDEN = frozenset({"payload"})

    account_id: Annotated[str, Meta(min_length=1, max_length=64)]
    type: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-z0-9_]+\.[a-z0-9_]+$")]
    payload: dict[str, Any] = msgspec.field(default_factory=dict)
    value_cents: drafts.Cents = 0
    session: SignedDraft | None = None
    member_id: Annotated[str, Meta(max_length=64)] = ""


class Repeated(msgspec.Struct, frozen=True, kw_only=True):
    """The idempotency key stands for an action already: look at it."""

    action_id: str


class Previewed(msgspec.Struct, frozen=True, kw_only=True):
    """The payload a proposal would have, and its digest: what a session's device signs."""

    payload: dict[str, Any]
    digest: str


class _Prepared(Discreet, frozen=True, kw_only=True):
    """A draft made ready: its payload, what takes effect with it, and the stream it names.

    ``names`` are all that the destination's stream may go by. Where ``secret`` is one of them, it
    is whichever the account knows the destination by, once it is locked.
    """

    HIDDEN = frozenset({"secret"})

    payload: AnyPayload
    secret: str = ""
    names: tuple[DestinationId, ...] = ()
    candidate_id: ChallengeId | None = None


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
    ) -> None:
        self._store = store
        self._entropy = entropy
        self._clock = clock
        self._policies = policies
        self._blind = blind
        self._hasher = hasher
        self._rp = rp

    async def preview(self, proposal: Proposal, *, named: AccountId) -> Previewed:
        """Return what would be signed, without proposing it.

        Raises:
            MalformedError: what takes effect is a secret, so its payload differs each time.
            AmountError, AddressError, UnknownAssetError, NotFoundError: as ``propose`` does.
        """
        if proposal.type in _SECRET:
            raise MalformedError("this payload commits to a secret and cannot be previewed")
        prepared = await self._prepare(proposal, named, self._policies.rules())
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
        proposal = Proposal(account_id=named, type=asked.action.name, payload=draft)
        prepared = await self._prepare(proposal, named, rules)
        check_device(asked, prepared.payload)
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
        rules = self._policies.rules()
        prepared = await self._prepare(proposal, named, rules)
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

    def _streams(self, payload: AnyPayload) -> tuple[DestinationId, ...]:
        return self._blind.names(present(place_of(payload), "this payload names a destination"))

    # --- From drafts to payloads ---

    async def _prepare(self, proposal: Proposal, named: AccountId, rules: Rules) -> _Prepared:
        if proposal.type not in BUILT:
            digest = b64url(tagged_hash("draft/v1", encode(proposal.payload)))
            return _Prepared(payload=NotBuilt(account=named, asked=proposal.type, digest=digest))
        if proposal.type in CHANGES:
            account = await self._store.account(named)
            fresh = tail(self._entropy.draw(16))
            payload, secret = change(proposal.type, proposal.payload, account, fresh=fresh)
            return _Prepared(payload=payload, secret=secret)
        prepare = _PREPARE[ActionType(proposal.type)]
        return await prepare(self, proposal.payload, named, rules)

    async def _withdrawal(self, data: dict[str, Any], named: AccountId, rules: Rules) -> _Prepared:
        draft = parse(data, drafts.WithdrawalCryptoDraft)
        payload = drafts.withdrawal(draft, named, rules.policy)
        return _Prepared(payload=payload, names=self._streams(payload))

    async def _session_start(self, data: dict[str, Any], named: AccountId, _: Rules) -> _Prepared:
        device = read_jwk(parse(data, drafts.SessionStartDraft).device)
        return _Prepared(payload=SessionStart(account=named, device=device.thumbprint()))

    async def _bind(self, data: dict[str, Any], named: AccountId, _: Rules) -> _Prepared:
        draft = parse(data, drafts.AuthenticatorBindDraft)
        account = await self._store.account(named)
        made, credential = await self._authenticator(draft, account)
        payload = AuthenticatorBind(
            account=named,
            authenticator=draft.authenticator,
            credential=credential,
            name=draft.name,
        )
        return _Prepared(
            payload=payload,
            secret=encode(made).decode("utf-8"),
            candidate_id=ChallengeId(draft.candidate_id) if draft.candidate_id else None,
        )

    async def _authenticator(
        self, draft: drafts.AuthenticatorBindDraft, account: Account
    ) -> tuple[Authenticator, str]:
        """Return the authenticator as it will be bound, and what of it the customer signs."""
        common: dict[str, Any] = {
            "authenticator_id": AuthenticatorId(f"aut_{tail(self._entropy.draw(16))}"),
            "member_id": account.member_id,
            "bound_at": self._clock.now(database_at=None),
            "entry": 0,
            "name": draft.name,
        }
        match draft.authenticator:
            case Factor.PASSWORD:
                if any(isinstance(one, Password) for one in account.authenticators):
                    raise MalformedError("a password is changed by password.change")
                verifier = await self._hasher.hash(draft.password, self._terms(account))
                return Password(verifier=verifier, **common), _secret_digest(verifier)
            case Factor.TOTP:
                seed = self._candidate(account, draft, Factor.TOTP).secret
                now = self._clock.now(database_at=None)
                step = totp.verify(from_b64url(seed), draft.code, now=now, last_step=0)
                return Totp(seed=seed, last_step=step, **common), _secret_digest(seed)
            case Factor.PASSKEY:
                return self._passkey(draft, account, common)
            case Factor.RECOVERY_CODE:
                packed = self._candidate(account, draft, Factor.RECOVERY_CODE).secret
                left = recovery_codes.unpack(packed)
                recovery_codes.verify(draft.code, left=left)  # Who types one has kept them.
                return RecoveryCodes(left=left, **common), _secret_digest(packed)
            case _:
                raise MalformedError("an authenticator is password, totp, passkey or recovery_code")

    def _terms(self, account: Account) -> Terms:
        """Return what a new password of this account is held to."""
        stronger = any(not isinstance(one, Password) for one in account.authenticators)
        labels = self._rp.rp_id.split(".")
        return terms(
            alone=not stronger,
            service=("twinlock", *(labels[:-1] or labels)),
            contacts=(channel.address for channel in account.channels),
        )

    def _passkey(
        self, draft: drafts.AuthenticatorBindDraft, account: Account, common: dict[str, Any]
    ) -> tuple[Passkey, str]:
        candidate = self._candidate(account, draft, Factor.PASSKEY)
        bound = passkeys.verify_registration(
            draft.response or {}, challenge=from_b64url(candidate.secret), rp=self._rp
        )
        made = Passkey(
            credential_id=b64url(bound.credential_id),
            public_key=b64url(bound.public_key),
            backup_eligible=bound.backup_eligible,
            backed_up=bound.backed_up,
            sign_count=bound.sign_count,
            placement=placement_of(
                backup_eligible=bound.backup_eligible, transports=bound.transports
            ),
            **common,
        )
        bound_ids = {
            one.credential_id for one in account.authenticators if isinstance(one, Passkey)
        }
        if made.credential_id in bound_ids:
            raise ProofRefusedError(ProofFault.WRONG_CREDENTIAL)
        return made, credential_of(made)

    def _candidate(
        self, account: Account, draft: drafts.AuthenticatorBindDraft, factor: Factor
    ) -> Candidate:
        now = self._clock.now(database_at=None)
        for candidate in account.candidates:
            named = candidate.candidate_id == draft.candidate_id
            if named and candidate.factor is factor and candidate.expires_at > now:
                return candidate
        raise ProofRefusedError(ProofFault.CHALLENGE_GONE)

    async def _change_password(self, data: dict[str, Any], named: AccountId, _: Rules) -> _Prepared:
        draft = parse(data, drafts.PasswordChangeDraft)
        account = await self._store.account(named)
        old = next((one for one in account.authenticators if isinstance(one, Password)), None)
        if old is None:
            raise NotFoundError("this account has no password")
        verifier = await self._hasher.hash(draft.password, self._terms(account))
        made = msgspec.structs.replace(old, verifier=verifier)
        payload = PasswordChange(account=named, verifier=_secret_digest(verifier))
        return _Prepared(payload=payload, secret=encode(made).decode("utf-8"))

    async def _reset_password(self, data: dict[str, Any], named: AccountId, _: Rules) -> _Prepared:
        """Hash as for an account that has a password: neither words nor time tell whether."""
        draft = parse(data, drafts.PasswordResetDraft)
        account = await self._store.account(named)
        verifier = await self._hasher.hash(draft.password, self._terms(account))
        made = reset(account, verifier, fresh=tail(self._entropy.draw(16)))
        payload = PasswordReset(account=named, verifier=_secret_digest(verifier))
        return _Prepared(payload=payload, secret=encode(made).decode("utf-8"))

    async def _add_destination(
        self, data: dict[str, Any], named: AccountId, rules: Rules
    ) -> _Prepared:
        draft = parse(data, drafts.DestinationAddDraft)
        payload = drafts.destination_add(draft, named, rules.policy)
        names = self._streams(payload)
        return _Prepared(payload=payload, secret=names[0], names=names)

    async def _remove_destination(
        self, data: dict[str, Any], named: AccountId, rules: Rules
    ) -> _Prepared:
        draft = parse(data, drafts.DestinationRemoveDraft)
        payload = drafts.destination_remove(draft, named, rules.policy)
        names = self._streams(payload)
        return _Prepared(payload=payload, secret=names[0], names=names)

    async def _create_api_key(
        self, data: dict[str, Any], named: AccountId, rules: Rules
    ) -> _Prepared:
        draft = parse(data, drafts.ApiKeyCreateDraft)
        read_public_key(draft.public_key)
        wheres = (
            drafts.normal_where(one.network, one.address, one.memo, rules.policy)
            for one in draft.destinations
        )
        places = (
            Place(account=named, network=one.network, address=one.address, memo=one.memo)
            for one in wheres
        )
        named_ids = [await self._usable(named, place, rules) for place in places]
        payload = drafts.api_key_create(
            draft,
            named,
            networks=tuple(sorted({drafts.normal_network(one) for one in draft.ip_list})),
            destinations=tuple(sorted(set(named_ids))),
        )
        return _Prepared(payload=payload, secret=f"key_{tail(self._entropy.draw(16))}")

    async def _usable(self, named: AccountId, place: Place, rules: Rules) -> DestinationId:
        """Return the name of a destination that a key may name: proved, waited for, used of late.

        Prevents: a key for an address that somebody proposed, imported or removed.
        """
        now, lapse = self._clock.now(database_at=None), rules.policy.statutes.lapse
        account = await self._store.account(named)
        where = name_of(account, self._blind.names(place))
        found = await self._store.destination(named, where)
        state = None if found is None else state_of(account, found, lapse=lapse, now=now)
        # A listing that has waited is settled together with this proposal.
        due = (one.secret for one in account.actions if one.until is not None and one.until <= now)
        if state is not DestinationState.USABLE and where not in due:
            raise NotFoundError("an API key names destinations that are usable")
        return where

    async def _revoke_api_key(self, data: dict[str, Any], named: AccountId, _: Rules) -> _Prepared:
        draft = parse(data, drafts.ApiKeyRevokeDraft)
        account = await self._store.account(named)
        if all(key.api_key_id != draft.api_key_id for key in account.api_keys):
            raise NotFoundError("this account has no such API key")
        return _Prepared(payload=ApiKeyRevoke(account=named, api_key_id=draft.api_key_id))

    async def _set_freeze(self, data: dict[str, Any], named: AccountId, _: Rules) -> _Prepared:
        parse(data, drafts.EmptyDraft)
        return _Prepared(payload=FreezeSet(account=named))

    async def _lift_freeze(self, data: dict[str, Any], named: AccountId, _: Rules) -> _Prepared:
        parse(data, drafts.EmptyDraft)
        return _Prepared(payload=FreezeLift(account=named))


_Prepare: TypeAlias = Callable[[Actions, dict[str, Any], AccountId, Rules], Awaitable[_Prepared]]
_PREPARE: dict[ActionType, _Prepare] = {
    ActionType.WITHDRAWAL_CRYPTO: Actions._withdrawal,  # noqa: SLF001 - one table of this class
    ActionType.SESSION_START: Actions._session_start,  # noqa: SLF001 - as above
    ActionType.AUTHENTICATOR_BIND: Actions._bind,  # noqa: SLF001 - as above
    ActionType.PASSWORD_CHANGE: Actions._change_password,  # noqa: SLF001 - as above
    ActionType.PASSWORD_RESET: Actions._reset_password,  # noqa: SLF001 - as above
    ActionType.DESTINATION_ADD: Actions._add_destination,  # noqa: SLF001 - as above
    ActionType.DESTINATION_REMOVE: Actions._remove_destination,  # noqa: SLF001 - as above
    ActionType.API_KEY_CREATE: Actions._create_api_key,  # noqa: SLF001 - as above
    ActionType.API_KEY_REVOKE: Actions._revoke_api_key,  # noqa: SLF001 - as above
    ActionType.FREEZE_SET: Actions._set_freeze,  # noqa: SLF001 - as above
    ActionType.FREEZE_LIFT: Actions._lift_freeze,  # noqa: SLF001 - as above
}


def _session(
    signed: SignedDraft | None, payload: AnyPayload, idempotency_key: str
) -> SessionSignature | None:
    if signed is None:
        return None
    digest = payload_digest(payload_bytes(payload))
    return check_session(signed, purpose=PROPOSAL, name=idempotency_key, digest=digest)


def _known(command: Propose, prepared: _Prepared, state: State) -> Propose:
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


def _secret_digest(secret: str) -> str:
    """Return what the customer signs of a secret: a digest of its stored form."""
    return b64url(tagged_hash("secret/v1", secret.encode("utf-8")))
