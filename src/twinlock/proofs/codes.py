"""Codes sent by e-mail or SMS: eight digits, bound to one challenge, one action and its payload.

Always true (tests/unit/proofs/test_codes.py): a code asked for one action fits no other; after ten
minutes it fits nothing; what is stored gives no code away without its key.

That a code is used once, and how often one may guess, is the state's business: see
``domain.throttle``. An e-mail code is never a factor (N-B05).

Source: SP 800-63B-4, 3.1.3.2 (N-B06); ASVS 5.0.0, V6.5 and V6.6 (O-11, O-13).
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.canonical import tagged_mac
from twinlock.domain.errors import invariant
from twinlock.domain.ids import ActionId, ChallengeId

LIFETIME = timedelta(minutes=10)  # SP 800-63B-4, 3.1.3.2: at most.
DIGITS = 8  # 26 bits: SP 800-63B-4 asks for six digits, ASVS for 20 bits.
ENTROPY_BYTES = 16
KEY_BYTES = 16  # At least.
DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeBinding:
    """What a code is for. ``payload_digest`` is the 32-byte digest of the action's payload."""

    challenge_id: ChallengeId
    action_id: ActionId
    payload_digest: bytes

    def __post_init__(self) -> None:
        invariant(len(self.payload_digest) == DIGEST_BYTES, "a payload digest has 32 bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedCode:
    """What is stored of a code that was sent at ``sent_at`` (UTC); ``mac`` has 32 bytes."""

    mac: bytes
    sent_at: datetime

    @property
    def expires_at(self) -> datetime:
        """The first instant at which the code is good no more (UTC)."""
        return self.sent_at + LIFETIME


def new_code(entropy: bytes) -> str:
    """Return eight digits for 16 random bytes.

    2^128 is taken modulo 10^8: no code is likelier than another by more than one part in 2^101
    (the simple modular method of SP 800-90A Rev. 1, A.5.3, which asks for 64 bits to spare).
    """
    invariant(len(entropy) == ENTROPY_BYTES, "a code takes 16 random bytes")
    return str(int.from_bytes(entropy, "big") % 10**DIGITS).zfill(DIGITS)


def seal(code: str, *, key: bytes, binding: CodeBinding, now: datetime) -> SealedCode:
    """Return what to store of ``code``. ``key`` is random, of this challenge alone, and sealed."""
    return SealedCode(mac=_mac(code, key=key, binding=binding), sent_at=now)


def verify(
    code: str, *, sealed: SealedCode, key: bytes, binding: CodeBinding, now: datetime
) -> CodeBinding:
    """Return what ``code`` proves: ``binding``, when it is the code that was sent for it.

    Raises:
        ProofRefusedError: malformed, code_expired, code_wrong.
    """
    if len(code) != DIGITS or not (code.isascii() and code.isdecimal()):
        raise ProofRefusedError(ProofFault.MALFORMED)
    if now >= sealed.expires_at:
        raise ProofRefusedError(ProofFault.CODE_EXPIRED)
    if not hmac.compare_digest(_mac(code, key=key, binding=binding), sealed.mac):
        raise ProofRefusedError(ProofFault.CODE_WRONG)
    return binding


def _mac(code: str, *, key: bytes, binding: CodeBinding) -> bytes:
    invariant(len(key) >= KEY_BYTES, "a code's key has at least 16 bytes")
    return tagged_mac(
        key,
        "sent-code/v1",
        binding.challenge_id.encode("ascii"),
        binding.action_id.encode("ascii"),
        binding.payload_digest,
        code.encode("ascii"),
    )
