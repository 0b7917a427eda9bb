"""Passwords against the hashes of older systems, by kept libraries; and our own in their place.

Always true (tests/unit/proofs/test_foreign_passwords.py): what fits is what the older system took;
what bcrypt would have cut off or stopped at never decides; a password that fits is hashed anew as
ours, unless the older hash read only a part of it.

It may take half a second of a core: run it in a bounded pool, outside any transaction.

Source: the hashing libraries' own test vectors; RFC 7914, RFC 8018, RFC 9106.
"""

import base64
import hashlib
import hmac
import unicodedata
from typing import assert_never

import bcrypt
from argon2 import Type
from argon2.low_level import hash_secret_raw

from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.authenticators.foreign_hashes import ForeignHash, Scheme, read
from twinlock.domain.authenticators.passwords import normal_form
from twinlock.proofs import passwords

BCRYPT_BYTES = 72  # bcrypt reads no further.
_SCRYPT_MEMORY = 2 * 128 * 2**20  # Bytes: twice what a hash that is kept needs.


def check_password(encoded: str, password: str, *, salt: bytes) -> str:
    """Return what to keep in the place of ``encoded``, a hash that ``password`` fits, or "".

    ``salt`` are 16 random bytes for a new hash.

    Raises:
        ProofRefusedError: password_wrong.
    """
    if encoded.startswith(_OURS):
        passwords.verify_password(encoded, password)
        return ""
    known = read(encoded)
    normal = normal_form(password)
    if normal is None:
        raise ProofRefusedError(ProofFault.PASSWORD_WRONG)
    # Every spelling is tried whatever the first says; most passwords have but one.
    spellings = sorted({password, unicodedata.normalize("NFC", password), normal})
    fitting = [one for one in spellings if _fits(known, one.encode("utf-8", "surrogatepass"))]
    if not fitting:
        raise ProofRefusedError(ProofFault.PASSWORD_WRONG)
    cut = known.scheme is Scheme.BCRYPT and len(fitting[0].encode()) > BCRYPT_BYTES
    # Prevents: what was mistyped behind the seventy-second byte, taken for the password for ever.
    return "" if cut else passwords.hash_password(normal, salt=salt)


_OURS = passwords.NOBODYS_HASH[: passwords.NOBODYS_HASH.index("A")]  # Scheme and parameters.


def _fits(known: ForeignHash, typed: bytes) -> bool:
    if known.scheme is Scheme.BCRYPT and b"\0" in typed:
        return False  # Prevents: all that follows a NUL left unread, as bcrypt in C would.
    return hmac.compare_digest(derive(known, typed), known.digest)


def derive(known: ForeignHash, typed: bytes) -> bytes:
    """Return what ``known`` hashes ``typed`` to; both of bcrypt in its own letters."""
    first, *others = known.cost
    size = len(known.digest)
    match known.scheme:
        case Scheme.ARGON2ID | Scheme.ARGON2I:
            return hash_secret_raw(
                typed,
                known.salt,
                time_cost=first,
                memory_cost=others[0],
                parallelism=others[1],
                hash_len=size,
                type=Type.ID if known.scheme is Scheme.ARGON2ID else Type.I,
            )
        case Scheme.BCRYPT:
            return _bcrypt(known, typed[:BCRYPT_BYTES])
        case Scheme.BCRYPT_SHA256_HEX:
            return _bcrypt(known, hashlib.sha256(typed).hexdigest().encode("ascii"))
        case Scheme.BCRYPT_SHA256:
            return _bcrypt(known, base64.b64encode(hmac.digest(known.salt, typed, "sha256")))
        case Scheme.SCRYPT:
            return hashlib.scrypt(
                typed,
                salt=known.salt,
                n=2**first,
                r=others[0],
                p=others[1],
                maxmem=_SCRYPT_MEMORY,
                dklen=size,
            )
        case Scheme.PBKDF2_SHA256 | Scheme.PBKDF2_SHA512:
            name = known.scheme.removeprefix("pbkdf2-")
            return hashlib.pbkdf2_hmac(name, typed, known.salt, first, dklen=size)
        case _:
            assert_never(known.scheme)


def _bcrypt(known: ForeignHash, typed: bytes) -> bytes:
    settings = b"$2b$%02d$" % known.cost[0] + known.salt
    return bcrypt.hashpw(typed, settings)[len(settings) :]
