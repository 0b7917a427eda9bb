"""The cryptography of answers, against the account as it was read; the gate looks again."""

from typing import Annotated, Any

from msgspec import Meta

from twinlock.domain.account import (
    Account,
    Challenge,
    OpenAction,
)
from twinlock.domain.actions import payload_bytes
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.authenticators.model import (
    Authenticator,
    Passkey,
    Password,
    RecoveryCodes,
    Totp,
)
from twinlock.domain.canonical import b64url, encode, from_b64url
from twinlock.domain.commands import Right
from twinlock.domain.discreet import Discreet
from twinlock.domain.errors import present
from twinlock.domain.ids import ChallengeId
from twinlock.domain.members import of_member
from twinlock.ports import (
    Clock,
    Hasher,
)
from twinlock.proofs import codes, intents, passkeys, recovery_codes, totp
from twinlock.proofs.api_keys import check_answer


class Reply(Discreet, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The customer's answer: ``response`` of a passkey or an API key, or a typed ``secret``.

    ``ip`` is where an API key was used from, as the platform saw it: IPv4 or IPv6.
    """

    HIDDEN = frozenset({"secret", "response", "ip"})

    factor: Factor
    challenge_id: Annotated[str, Meta(max_length=64)] = ""
    secret: Annotated[str, Meta(max_length=256)] = ""
    response: dict[str, Any] | None = None
    ip: Annotated[str, Meta(max_length=45)] = ""


class Checking:
    """Answers of each kind, held against what is bound."""

    def __init__(
        self,
        *,
        clock: Clock,
        hasher: Hasher,
        rp: passkeys.RelyingParty,
        older: tuple[passkeys.RelyingParty, ...],
    ) -> None:
        self._clock = clock
        self._hasher = hasher
        self._rp = rp
        self._older = older  # sites of older systems, for passkeys that were imported

    async def check(self, account: Account, action: OpenAction, reply: Reply) -> Right:
        """Return ``reply`` as a right answer. Raises ProofRefusedError: it is none."""
        if reply.factor is not Factor.MEMBER:
            account = of_member(account, action.member_id)
        match reply.factor:
            case Factor.PASSWORD:
                return await self._check_password(account, reply)
            case Factor.TOTP:
                return self._check_totp(account, reply)
            case Factor.RECOVERY_CODE:
                return _check_recovery_code(account, reply)
            case Factor.PASSKEY | Factor.TRUSTED_CONTACT | Factor.MEMBER:
                return self._check_passkey(account, action, reply)
            case Factor.EMAIL_CODE | Factor.SMS_CODE | Factor.CHANNEL_CODE:
                return self._check_code(action, reply)
            case Factor.API_KEY:
                return check_answer(account, action, reply.response, ip=reply.ip)
            case _:
                raise ProofRefusedError(ProofFault.WRONG_KIND)

    async def _check_password(self, account: Account, reply: Reply) -> Right:
        bound = next((one for one in account.authenticators if isinstance(one, Password)), None)
        # Prevents: telling by the clock, or by the fault, which accounts have no password.
        anew = await self._hasher.verify(None if bound is None else bound.verifier, reply.secret)
        bound = present(bound, "what fits a password is one")
        return Right(
            factor=Factor.PASSWORD,
            source=bound.authenticator_id,
            against=bound.verifier,
            rehashed=anew,
        )

    def _check_totp(self, account: Account, reply: Reply) -> Right:
        apps = [one for one in account.authenticators if isinstance(one, Totp)]
        now = self._clock.now(database_at=None)
        if not apps:  # Prevents: telling which accounts have an app.
            totp.burn(reply.secret, now=now)
        fault = ProofFault.CODE_WRONG
        for bound in apps:
            seed = from_b64url(bound.seed)
            try:
                step = totp.verify(seed, reply.secret, now=now, last_step=bound.last_step)
            except ProofRefusedError as refused:
                fault = refused.fault
                continue
            return Right(
                factor=Factor.TOTP,
                source=bound.authenticator_id,
                against=bound.seed,
                totp_step=step,
            )
        raise ProofRefusedError(fault)

    def _check_passkey(self, account: Account, action: OpenAction, reply: Reply) -> Right:
        challenge = _challenge(action, reply)
        nonce = from_b64url(challenge.nonce, size=32)
        assertion = passkeys.read_assertion(reply.response or {})
        every = (
            account.contacts if reply.factor is Factor.TRUSTED_CONTACT else account.authenticators
        )
        bound = _passkey(every, assertion.credential_id)
        checked = passkeys.check_on_sites(
            assertion,
            challenge=intents.challenge(nonce, payload_bytes(action.payload)),
            sites=self._sites_of(bound),
            passkey=passkeys.KnownPasskey(
                credential_id=assertion.credential_id,
                public_key=from_b64url(bound.public_key),
                backup_eligible=bound.backup_eligible,
                sign_count=bound.sign_count,
            ),
        )
        return Right(
            factor=reply.factor,
            source=bound.authenticator_id,
            against=bound.public_key,
            challenge_id=challenge.challenge_id,
            sign_count=checked.sign_count,
            backed_up=checked.backed_up,
            copied=checked.sign_count_regressed and not bound.backup_eligible,
            evidence=encode(
                {
                    "authenticator_data": b64url(assertion.authenticator_data),
                    "client_data": b64url(assertion.client_data),
                    "credential_id": bound.credential_id,
                    "nonce": challenge.nonce,
                    "signature": b64url(assertion.signature),
                }
            ),
        )

    def _sites_of(self, bound: Passkey) -> list[passkeys.RelyingParty]:
        """Return the sites on which ``bound`` may answer: one of ours on our one origin only.

        Prevents: script on an older system's pages, under our own RP ID, that collects consent.
        """
        if not bound.rp_id:
            return [self._rp]
        return [one for one in (self._rp, *self._older) if one.rp_id == bound.rp_id]

    def _check_code(self, action: OpenAction, reply: Reply) -> Right:
        challenge = _challenge(action, reply)
        channel_id = present(challenge.channel_id, "a code was sent to a channel")
        sealed = codes.SealedCode(
            mac=from_b64url(challenge.code_mac, size=32),
            sent_at=challenge.expires_at - codes.LIFETIME,
        )
        codes.verify(
            reply.secret,
            sealed=sealed,
            key=from_b64url(challenge.nonce, size=32),
            binding=binding(challenge.challenge_id, action),
            now=self._clock.now(database_at=None),
        )
        return Right(
            factor=reply.factor,
            source=channel_id,
            against=challenge.code_mac,
            challenge_id=challenge.challenge_id,
        )


def _check_recovery_code(account: Account, reply: Reply) -> Right:
    """Check a recovery code; where there is no set, it is wrong like any other."""
    bound = next((one for one in account.authenticators if isinstance(one, RecoveryCodes)), None)
    fitting = recovery_codes.verify(reply.secret, left=() if bound is None else bound.left)
    bound = present(bound, "a code that fits is of a set")
    return Right(factor=Factor.RECOVERY_CODE, source=bound.authenticator_id, against=fitting)


def binding(challenge_id: ChallengeId, action: OpenAction) -> codes.CodeBinding:
    """Return what a code is bound to: its question and its action's payload."""
    return codes.CodeBinding(
        challenge_id=challenge_id,
        action_id=action.action_id,
        payload_digest=from_b64url(action.digest, size=32),
    )


def _challenge(action: OpenAction, reply: Reply) -> Challenge:
    for challenge in action.challenges:
        if challenge.challenge_id == reply.challenge_id and challenge.factor is reply.factor:
            return challenge
    raise ProofRefusedError(ProofFault.CHALLENGE_GONE)


def _passkey(every: tuple[Authenticator, ...], credential_id: bytes) -> Passkey:
    wanted = b64url(credential_id)
    for bound in every:
        if isinstance(bound, Passkey) and bound.credential_id == wanted:
            return bound
    raise ProofRefusedError(ProofFault.AUTHENTICATOR_GONE)
