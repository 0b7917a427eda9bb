"""Why a proof was refused: a closed list, one sentence each.

Always true: a refused proof names exactly one fault, the first that the check met; a fault says
what was wrong with the answer and carries nothing of the answer itself.

Source: the checks in ``twinlock.proofs``; for passkeys WebAuthn Level 3, 7.1 and 7.2.
"""

from enum import StrEnum
from typing import ClassVar

from twinlock.domain.errors import TwinlockError


class ProofFault(StrEnum):
    """The first thing found wrong with an answer; the value is logged, so it never changes."""

    MALFORMED = "malformed"
    """The answer is not of the form that its standard gives it, or is larger than any real one."""

    WRONG_KIND = "wrong_kind"
    """It answers another question: a registration in place of an assertion, say, or a payment."""

    WRONG_CHALLENGE = "wrong_challenge"
    """It was made for another challenge, so for another action or another time."""

    WRONG_ORIGIN = "wrong_origin"
    """It was made on another site than the one where people prove."""

    CROSS_ORIGIN = "cross_origin"
    """It was made inside a page of another site."""

    WRONG_RP = "wrong_rp"
    """The authenticator signed for another relying party."""

    WRONG_CREDENTIAL = "wrong_credential"
    """It was made with another credential than the one that was asked."""

    WRONG_USER = "wrong_user"
    """The authenticator keeps the credential for another user."""

    USER_NOT_PRESENT = "user_not_present"
    """Nobody touched the authenticator."""

    USER_NOT_VERIFIED = "user_not_verified"
    """The authenticator did not check a PIN, a finger or a face."""

    BACKUP_FLAGS_CHANGED = "backup_flags_changed"
    """The backup flags contradict each other, or what they said when the passkey was bound."""

    ALGORITHM_NOT_ALLOWED = "algorithm_not_allowed"
    """The key is not ES256 on P-256, EdDSA on Ed25519 or RS256, written as WebAuthn writes it."""

    KEY_INVALID = "key_invalid"
    """The public key is off its curve, of small order, or too weak to prove anything."""

    ATTESTATION_REFUSED = "attestation_refused"
    """The attestation statement does not hold, or its format is not one that can be checked."""

    BAD_SIGNATURE = "bad_signature"
    """The signature does not verify under the bound key."""

    CODE_WRONG = "code_wrong"
    """The code is not the expected one."""

    CODE_EXPIRED = "code_expired"
    """The time of the code is over, whether it was right or wrong."""

    CODE_REPLAYED = "code_replayed"
    """The code was right, but it or a later one has been used already."""

    ALREADY_SHOWN = "already_shown"
    """The answer was right, and counts for this action already."""

    PASSWORD_WRONG = "password_wrong"  # noqa: S105 - the name of a fault
    """The password is not the one that was set, or no such account exists."""

    CHALLENGE_GONE = "challenge_gone"
    """The question was never asked for this action, is answered already, or its time is over."""

    AUTHENTICATOR_GONE = "authenticator_gone"
    """What answered is not bound to this account, or was replaced meanwhile."""

    SUSPENDED = "suspended"
    """It was reported lost or stolen, so for a while it answers nothing."""

    CHANNEL_NOT_READY = "channel_not_ready"
    """A new channel is sent its code once the change itself is proved, and only by that change."""

    AGREEMENT_NOT_NEEDED = "agreement_not_needed"
    """A trusted contact is asked about what leaves, above the owner's limit, once it is proved."""

    BELOW_FLOOR = "below_floor"
    """This method is weaker than the best authenticator bound, so it is not asked for."""

    IMPORTED = "imported"
    """It is of an older site: it signs in to look, and binds its successor, until there is one."""

    NOT_OFFERED = "not_offered"
    """Nobody proves this action by this method, by the laws or by the platform's policy."""

    CODES_LIMITED = "codes_limited"
    """As many codes were sent as in an hour or a day may be; the last one that was sent counts."""

    SIM_CHANGED = "sim_changed"
    """The platform said that the number's SIM changed: codes by SMS count nothing for a week."""

    CHANNEL_SIGNALLED = "channel_signalled"
    """Its provider said that somebody else may read this channel: its codes do not count now."""

    THROTTLED = "throttled"
    """Too many wrong answers; nothing that can be guessed is read for a while."""


class ProofRefusedError(TwinlockError):
    """A proof was given and does not hold; ``fault`` says why."""

    code: ClassVar[str] = "proof_refused"
    status: ClassVar[int] = 422

    def __init__(self, fault: ProofFault) -> None:
        super().__init__(f"the proof was refused: {fault}")
        self.fault = fault
