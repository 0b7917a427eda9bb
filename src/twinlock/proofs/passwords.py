"""Passwords: argon2id with our own parameters, and the same work for accounts that do not exist.

Always true (tests/unit/proofs/test_passwords.py): a password is told by its hash only; one that is
typed in another Unicode spelling of the same text still fits; asking about an unknown account
costs what asking about a known one costs.

Hashing takes 20 ms of one core and 19 MiB: run it in a bounded pool, outside any transaction. What
may be set at all stands in ``domain.authenticators.passwords``.

Source: OWASP Password Storage Cheat Sheet (argon2id); RFC 9106; SP 800-63B-4, 3.1.1.2.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

from argon2 import Parameters, Type, extract_parameters
from argon2.exceptions import VerificationError
from argon2.low_level import ARGON2_VERSION, hash_secret, verify_secret

from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.authenticators.passwords import normal_form
from twinlock.domain.errors import invariant

SALT_BYTES = 16  # RFC 9106, 3.1

PARAMETERS = Parameters(
    type=Type.ID,  # Against graphics cards like argon2d, against side channels like argon2i.
    version=ARGON2_VERSION,
    salt_len=SALT_BYTES,
    hash_len=32,
    time_cost=2,
    memory_cost=19 * 1024,  # KiB. OWASP's second choice: 46 MiB would let few run at once.
    parallelism=1,  # One request, one core.
)

# For accounts that do not exist: what it compares is thrown away. A test holds it to PARAMETERS.
NOBODYS_HASH = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + "A" * 43


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedPassword:
    """The password was right. ``outdated``: hash it again now, as PARAMETERS have changed."""

    outdated: bool


def hash_password(normal: str, *, salt: bytes) -> str:
    """Return the encoded hash of a new password in its one form; ``salt`` is 16 random bytes."""
    invariant(len(salt) == SALT_BYTES, "a salt has 16 bytes")
    invariant(normal_form(normal) == normal, "what is hashed is in its one form")
    encoded = hash_secret(
        normal.encode("utf-8"),
        salt,
        time_cost=PARAMETERS.time_cost,
        memory_cost=PARAMETERS.memory_cost,
        parallelism=PARAMETERS.parallelism,
        hash_len=PARAMETERS.hash_len,
        type=PARAMETERS.type,
    )
    return encoded.decode("ascii")


def verify_password(encoded: str, password: str) -> CheckedPassword:
    """Return what is to be known when ``password`` fits ``encoded``, a hash from our own store.

    Raises:
        ProofRefusedError: password_wrong.
    """
    try:
        verify_secret(encoded.encode("ascii"), _typed(password), PARAMETERS.type)
    except VerificationError as error:
        raise ProofRefusedError(ProofFault.PASSWORD_WRONG) from error
    return CheckedPassword(outdated=extract_parameters(encoded) != PARAMETERS)


def burn(password: str) -> NoReturn:
    """Do the work of ``verify_password`` for an account that does not exist, and refuse likewise.

    Prevents: telling by the clock which e-mail addresses have an account.

    Raises:
        ProofRefusedError: password_wrong, always.
    """
    with suppress(ProofRefusedError):
        verify_password(NOBODYS_HASH, password)
    raise ProofRefusedError(ProofFault.PASSWORD_WRONG)


def _typed(password: str) -> bytes:
    """Return the bytes to compare, of whatever was typed.

    The least length is not asked here: it may have been another when the password was set. What is
    too long, or half a surrogate pair, was never set, and so fits nothing.
    """
    normal = normal_form(password)
    if normal is None:
        raise ProofRefusedError(ProofFault.PASSWORD_WRONG)
    return normal.encode("utf-8", "surrogatepass")
