"""Recovery codes: saved on the day when all is well, for the day when the usual way is lost.

Always true (tests/unit/proofs/test_recovery_codes.py): a code has 120 random bits, is told once and
kept as a hash only; what people mistype for another letter still fits.

Nothing but a hash is needed: with 120 bits there is nothing to try out, by whoever reads it. So no
flood of wrong codes keeps a core busy, as one of wrong passwords could.

Source: SP 800-63B-4, 3.1.2.2 (from 112 bits on a plain hash) and 4.2.1.1 (saved recovery codes);
RFC 4648, 6 (base 32).
"""

import base64
import hmac

from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.bounds import RECOVERY_CODE_BITS, RECOVERY_CODES
from twinlock.domain.canonical import b64url, from_b64url, tagged_hash
from twinlock.domain.errors import invariant

CODE_BYTES = RECOVERY_CODE_BITS // 8
LETTERS = RECOVERY_CODE_BITS // 5  # Of base 32; no padding.
_GROUP = 4  # As people read numbers aloud.
HASH_BYTES = 16  # As many as a thief would have to try; all of one set fit in an account.
_MISTAKEN = str.maketrans("018", "olb")  # No digit of these is in the alphabet.
TYPED_MOST = 64  # Characters: 24 letters and whatever parts them.


def new_set(entropy: bytes) -> tuple[str, ...]:
    """Return the codes of a new set, as they are shown, for 150 random bytes."""
    invariant(len(entropy) == CODE_BYTES * RECOVERY_CODES, "a set takes 150 random bytes")
    parts = (entropy[at : at + CODE_BYTES] for at in range(0, len(entropy), CODE_BYTES))
    return tuple(_shown(base64.b32encode(part).decode("ascii").lower()) for part in parts)


def hash_code(code: str) -> str:
    """Return what is kept of a code, as it was shown or typed: 16 bytes, base64url.

    Raises:
        ProofRefusedError: code_wrong, for what no code can be.
    """
    parted = "".join(code.replace("-", " ").split()) if len(code) <= TYPED_MOST else ""
    letters = parted.lower().translate(_MISTAKEN)
    if len(letters) != LETTERS or not letters.isascii():
        raise ProofRefusedError(ProofFault.CODE_WRONG)
    return b64url(tagged_hash("recovery-code/v1", letters.encode("ascii"))[:HASH_BYTES])


def verify(code: str, *, left: tuple[str, ...]) -> str:
    """Return the one of the hashes in ``left`` that ``code`` fits; all of them are compared.

    Raises:
        ProofRefusedError: code_wrong.
    """
    hashed = hash_code(code)
    fitting = [one for one in left if hmac.compare_digest(one, hashed)]
    if not fitting:
        raise ProofRefusedError(ProofFault.CODE_WRONG)
    return fitting[0]


def pack(codes: tuple[str, ...]) -> str:
    """Return the hashes of a set in one text, for what is offered and not bound yet."""
    return b64url(b"".join(from_b64url(hash_code(code), size=HASH_BYTES) for code in codes))


def unpack(packed: str) -> tuple[str, ...]:
    """Return the hashes that ``pack`` put into one text."""
    whole = from_b64url(packed, size=HASH_BYTES * RECOVERY_CODES)
    return tuple(b64url(whole[at : at + HASH_BYTES]) for at in range(0, len(whole), HASH_BYTES))


def _shown(letters: str) -> str:
    return "-".join(letters[at : at + _GROUP] for at in range(0, len(letters), _GROUP))
