"""New authenticators, passwords and words: what will be kept of them, and what of it is signed.

What takes effect with a yes, such as the hash of a new password, is derived here, before the locks
are taken.
"""

from typing import Any

import msgspec

from twinlock.domain import drafts, notice_words
from twinlock.domain.account import Account, Candidate
from twinlock.domain.actions import (
    AnyPayload,
    AuthenticatorBind,
    MemberAdd,
    NoticeWordSet,
    PasswordChange,
    PasswordReset,
    TrustedContactAdd,
)
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
from twinlock.domain.authenticators.passwords import Terms, is_named, terms
from twinlock.domain.canonical import b64url, encode, from_b64url, tagged_hash
from twinlock.domain.changes import NotFoundError, reset
from twinlock.domain.drafts import parse
from twinlock.domain.duress import sealed
from twinlock.domain.errors import MalformedError
from twinlock.domain.ids import AccountId, AuthenticatorId, ChallengeId, MemberId, tail
from twinlock.domain.members import of_member
from twinlock.domain.notice_words import NoticeWordRefusedError, NoticeWordRule
from twinlock.domain.people import is_known
from twinlock.ports import Clock, Entropy, Hasher, Store
from twinlock.proofs import passkeys, recovery_codes, totp
from twinlock.services.actions.prepared import Prepared


class Binding:
    """Drafts of an authenticator to bind, and of a password to set."""

    def __init__(
        self,
        store: Store,
        *,
        entropy: Entropy,
        clock: Clock,
        hasher: Hasher,
        rp: passkeys.RelyingParty,
    ) -> None:
        self._store = store
        self._entropy = entropy
        self._clock = clock
        self._hasher = hasher
        self._rp = rp

    async def _own(self, named: AccountId, member: str) -> Account:
        """Return the account as what ``member`` does is decided on; "": its first member."""
        account = await self._store.account(named)
        return of_member(account, MemberId(member) if member else account.member_id)

    async def bind(self, data: dict[str, Any], named: AccountId, member: str) -> Prepared:
        """Return the binding that a draft asks for, with the authenticator as it will be kept.

        Raises:
            MalformedError: it is no draft of a binding.
            ProofRefusedError: the candidate is gone, or what was shown of it is wrong.
            PasswordRefusedError: the password may not be set.
        """
        draft = parse(data, drafts.AuthenticatorBindDraft)
        account = await self._own(named, member)
        made, credential = await self._authenticator(draft, account)
        payload = AuthenticatorBind(
            account=named,
            authenticator=draft.authenticator,
            credential=credential,
            name=draft.name,
        )
        return Prepared(
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
                seed = self._candidate(account, draft.candidate_id, Factor.TOTP).secret
                now = self._clock.now(database_at=None)
                step = totp.verify(from_b64url(seed), draft.code, now=now, last_step=0)
                made = Totp(seed=seed, last_step=step, seal=self._seal(), **common)
                return made, _secret_digest(seed)
            case Factor.PASSKEY:
                return self._passkey(draft, account, common)
            case Factor.RECOVERY_CODE:
                packed = self._candidate(account, draft.candidate_id, Factor.RECOVERY_CODE).secret
                left = recovery_codes.unpack(packed)
                recovery_codes.verify(draft.code, left=left)  # Who types one has kept them.
                return RecoveryCodes(left=left, **common), _secret_digest(packed)
            case _:
                raise MalformedError("an authenticator is password, totp, passkey or recovery_code")

    def _terms(self, account: Account, *, alone: bool = False) -> Terms:
        """Return what a new password is held to; ``alone`` whatever else this account has.

        Beside saved codes it may still be all that somebody shows: no sign-in asks for one.
        """
        stronger = any(isinstance(one, Passkey | Totp) for one in account.authenticators)
        labels = self._rp.rp_id.split(".")
        return terms(
            alone=alone or not stronger,
            service=("twinlock", *(labels[:-1] or labels)),
            contacts=(channel.address for channel in account.channels),
        )

    def _passkey(
        self, draft: drafts.AuthenticatorBindDraft, account: Account, common: dict[str, Any]
    ) -> tuple[Passkey, str]:
        candidate = self._candidate(account, draft.candidate_id, Factor.PASSKEY)
        made = self._registered(draft.response or {}, candidate, {**common, "seal": self._seal()})
        bound_ids = {
            one.credential_id for one in account.authenticators if isinstance(one, Passkey)
        }
        if made.credential_id in bound_ids:
            raise ProofRefusedError(ProofFault.WRONG_CREDENTIAL)
        return made, credential_of(made)

    def _seal(self) -> str:
        """Return what is said of a new authenticator so far: that it is for nothing special."""
        return sealed(b64url(self._entropy.draw(16)), rings=False, names=False)

    def _registered(
        self, response: dict[str, Any], candidate: Candidate, common: dict[str, Any]
    ) -> Passkey:
        """Return the passkey that ``response`` registers for ``candidate``."""
        bound = passkeys.verify_registration(
            response, challenge=from_b64url(candidate.secret), rp=self._rp
        )
        return Passkey(
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

    async def add_contact(self, data: dict[str, Any], named: AccountId, _: str) -> Prepared:
        """Return the trusted contact that a draft adds, with its passkey.

        Raises:
            MalformedError: it is no draft of one.
            ProofRefusedError: the invitation is over, or the passkey is somebody's here already.
        """
        draft = parse(data, drafts.TrustedContactAddDraft)
        account = await self._store.account(named)
        candidate = self._candidate(account, draft.candidate_id, Factor.TRUSTED_CONTACT)
        made = self._invited(draft.response, candidate, account, kind="con")
        payload = TrustedContactAdd(
            account=named,
            name=candidate.name,
            credential=credential_of(made),
            first=not account.contacts,
        )
        return _joins(payload, made, candidate)

    async def add_member(self, data: dict[str, Any], named: AccountId, _: str) -> Prepared:
        """Return the member that a draft adds, with their first passkey.

        Raises:
            MalformedError: it is no draft of one.
            ProofRefusedError: the invitation is over, or the passkey is somebody's here already.
        """
        draft = parse(data, drafts.MemberAddDraft)
        account = await self._store.account(named)
        candidate = self._candidate(account, draft.candidate_id, Factor.MEMBER)
        made = self._invited(draft.response, candidate, account, kind="aut")
        payload = MemberAdd(
            account=named,
            member_id=made.member_id,
            name=candidate.name,
            credential=credential_of(made),
        )
        return _joins(payload, made, candidate)

    def _invited(
        self, response: dict[str, Any], candidate: Candidate, account: Account, *, kind: str
    ) -> Passkey:
        """Return the passkey that another person, a member of their own, has made."""
        entropy = self._entropy.draw(32)
        common: dict[str, Any] = {
            "authenticator_id": AuthenticatorId(f"{kind}_{tail(entropy[:16])}"),
            "member_id": MemberId(f"mem_{tail(entropy[16:])}"),
            "bound_at": self._clock.now(database_at=None),
            "entry": 0,
            "name": candidate.name,
        }
        made = self._registered(response, candidate, common)
        if is_known(account, made):
            raise ProofRefusedError(ProofFault.WRONG_CREDENTIAL)
        return made

    async def set_word(self, data: dict[str, Any], named: AccountId, _: str) -> Prepared:
        """Return the setting of a word for messages that a draft asks for.

        Raises:
            NoticeWordRefusedError: it breaks a rule, or is made of names that others know.
        """
        text = notice_words.fit(parse(data, drafts.NoticeWordSetDraft).word)
        if is_named(text, self._terms(await self._store.account(named))):
            raise NoticeWordRefusedError(NoticeWordRule.PREDICTABLE)
        secret = notice_words.packed(text, salt=tail(self._entropy.draw(16)))
        payload = NoticeWordSet(account=named, commitment=notice_words.commitment(secret))
        return Prepared(payload=payload, secret=secret)

    def _candidate(self, account: Account, candidate_id: str, factor: Factor) -> Candidate:
        now = self._clock.now(database_at=None)
        for candidate in account.candidates:
            named = candidate.candidate_id == candidate_id
            if named and candidate.factor is factor and candidate.expires_at > now:
                return candidate
        raise ProofRefusedError(ProofFault.CHALLENGE_GONE)

    async def change_password(
        self, data: dict[str, Any], named: AccountId, member: str
    ) -> Prepared:
        """Return the change that a draft asks for, with the new password hashed.

        Raises:
            NotFoundError: this account has no password.
            PasswordRefusedError: the new one may not be set.
        """
        draft = parse(data, drafts.PasswordChangeDraft)
        account = await self._own(named, member)
        old = next((one for one in account.authenticators if isinstance(one, Password)), None)
        if old is None:
            raise NotFoundError("this account has no password")
        verifier = await self._hasher.hash(draft.password, self._terms(account))
        made = msgspec.structs.replace(old, verifier=verifier)
        payload = PasswordChange(account=named, verifier=_secret_digest(verifier))
        return Prepared(payload=payload, secret=encode(made).decode("utf-8"))

    async def reset_password(self, data: dict[str, Any], named: AccountId, member: str) -> Prepared:
        """Hash as for an account with only a password: no word and no time tells whether it is."""
        draft = parse(data, drafts.PasswordResetDraft)
        account = await self._own(named, member)
        verifier = await self._hasher.hash(draft.password, self._terms(account, alone=True))
        made = reset(account, verifier, fresh=tail(self._entropy.draw(16)))
        payload = PasswordReset(account=named, verifier=_secret_digest(verifier))
        return Prepared(payload=payload, secret=encode(made).decode("utf-8"))


def _joins(payload: AnyPayload, made: Passkey, candidate: Candidate) -> Prepared:
    return Prepared(
        payload=payload,
        secret=encode(made).decode("utf-8"),
        candidate_id=candidate.candidate_id,
    )


def _secret_digest(secret: str) -> str:
    """Return what the customer signs of a secret: a digest of its stored form."""
    return b64url(tagged_hash("secret/v1", secret.encode("utf-8")))
