"""Password hashes of older systems: read from any usual spelling, bounded, kept in one form.

Always true (tests/unit/domain/authenticators/test_foreign_hashes.py): what is read and written is
read again as the same; a hash that costs more than COSTS_MOST allows, or is too weak to keep,
is refused before anybody computes anything; a refusal holds nothing of the hash.

Kept are ``$argon2id$``, ``$argon2i$``, ``$2b$``, ``$bcrypt-sha256$`` (passlib's second version),
``$bcrypt-sha256-hex$`` (Django's), ``$scrypt$``, ``$pbkdf2-sha256$`` and ``$pbkdf2-sha512$``.

Source: the PHC string format; RFC 9106, RFC 7914, RFC 8018; Django's and passlib's own spellings.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, NoReturn, assert_never

from twinlock.domain.discreet import Discreet
from twinlock.domain.errors import TwinlockError

HASH_LETTERS_MOST = 512  # The longest spelling of a hash of 64 bytes under a salt of 64 has 280.
_SALT_BYTES = range(8, 64 + 1)  # SP 800-132, 5.1 asks for 16; many kept eight.
_DIGEST_BYTES = range(16, 64 + 1)  # Less could be met by chance; more adds nothing.


class Scheme(StrEnum):
    """How an older system hashed a password."""

    ARGON2ID = "argon2id"
    ARGON2I = "argon2i"
    BCRYPT = "bcrypt"
    BCRYPT_SHA256 = "bcrypt-sha256"  # passlib: HMAC-SHA-256 under the salt, in base64, then bcrypt
    BCRYPT_SHA256_HEX = "bcrypt-sha256-hex"  # Django: SHA-256 in hexadecimal digits, then bcrypt
    SCRYPT = "scrypt"
    PBKDF2_SHA256 = "pbkdf2-sha256"
    PBKDF2_SHA512 = "pbkdf2-sha512"


class HashFault(StrEnum):
    """Why a hash of an older system is not taken; the value is told, so it never changes."""

    UNKNOWN = "password_hash_unknown"
    """No scheme that we know. MD5, SHA-1 and other plain hashes are none for passwords."""

    MALFORMED = "password_hash_malformed"
    """It begins like a scheme that we know, and goes on otherwise."""

    COSTLY = "password_hash_costly"
    """Checking it would keep a core or much memory busy for longer than a sign-in may."""

    WEAK = "password_hash_weak"
    """Salt, digest or cost are so small that the hash protects nothing."""


class ForeignHashError(TwinlockError):
    """A password hash of an older system is not taken; ``fault`` says why."""

    code: ClassVar[str] = "password_hash_refused"
    status: ClassVar[int] = 422

    def __init__(self, fault: HashFault) -> None:
        super().__init__(f"the password hash is not taken: {fault}")
        self.fault = fault


class ForeignHash(Discreet, frozen=True, kw_only=True):
    """A hash as it is computed again.

    ``cost`` is passes, KiB and lanes of argon2; bcrypt's logarithm; log N, r and p of scrypt; the
    iterations of PBKDF2. bcrypt's ``salt`` and ``digest`` are its own 22 and 31 letters.
    """

    HIDDEN = frozenset({"salt", "digest"})

    scheme: Scheme
    cost: tuple[int, ...]
    salt: bytes
    digest: bytes


# What checking may cost. Each is about half a second of one core (measured on the machine of
# docs/performance.md), twice what careful installations ask for; two threads check at once.
ARGON2_KIB_MOST = 131_072  # 128 MiB; Django's own is 100.
ARGON2_KIB_PASSES_MOST = 524_288  # Memory times passes: time.
ARGON2_LANES_MOST = 16
BCRYPT_LOG_MOST = 13  # Each further step doubles the time; ten to twelve is usual.
SCRYPT_MEMORY_MOST = 2**20  # N times r: 128 MiB.
SCRYPT_WORK_MOST = 2**20  # N times r times p.
PBKDF2_SHA256_MOST = 2_000_000  # Django 6.0 asks for 1,200,000.
PBKDF2_SHA512_MOST = 1_000_000  # OWASP asks for 210,000.
# What it must cost at least to be worth keeping until the owner signs in.
ARGON2_KIB_LEAST = 1_024
BCRYPT_LOG_LEAST = 8
SCRYPT_LOG_LEAST = 10
PBKDF2_LEAST = 1_000  # RFC 8018, 4.2


def refuse(fault: HashFault) -> NoReturn:
    """Refuse a hash.

    Raises:
        ForeignHashError: always.
    """
    raise ForeignHashError(fault)


def read(text: str) -> ForeignHash:
    """Return the hash in any spelling that we know.

    Raises:
        ForeignHashError: with the first fault found.
    """
    if len(text) > HASH_LETTERS_MOST or not text.isascii():
        refuse(HashFault.MALFORMED)
    for prefix, reader in _READERS.items():
        if text.startswith(prefix):
            return _bounded(reader(text))
    refuse(HashFault.UNKNOWN)


def write(known: ForeignHash) -> str:
    """Return the one form in which a hash is kept; ``read`` reads it."""
    first, *others = known.cost
    match known.scheme:
        case Scheme.ARGON2ID | Scheme.ARGON2I:
            cost = f"v=19$m={others[0]},t={first},p={others[1]}"
            return f"${known.scheme}${cost}${_b64(known.salt)}${_b64(known.digest)}"
        case Scheme.BCRYPT:
            return f"$2b${first:02}${known.salt.decode()}{known.digest.decode()}"
        case Scheme.BCRYPT_SHA256_HEX:
            return f"$bcrypt-sha256-hex$2b${first:02}${known.salt.decode()}{known.digest.decode()}"
        case Scheme.BCRYPT_SHA256:
            tail = f"{known.salt.decode()}${known.digest.decode()}"
            return f"$bcrypt-sha256$v=2,t=2b,r={first}${tail}"
        case Scheme.SCRYPT:
            cost = f"ln={first},r={others[0]},p={others[1]}"
            return f"$scrypt${cost}${_b64(known.salt)}${_b64(known.digest)}"
        case Scheme.PBKDF2_SHA256 | Scheme.PBKDF2_SHA512:
            return f"${known.scheme}$i={first}${_b64(known.salt)}${_b64(known.digest)}"
        case _:
            assert_never(known.scheme)


# --- Bounds ---


def _bounded(known: ForeignHash) -> ForeignHash:
    most, least = _BOUNDS[known.scheme]
    if not most(_work(known)):
        refuse(HashFault.COSTLY)
    if known.scheme is Scheme.SCRYPT and known.cost[0] >= 16 * known.cost[1]:
        refuse(HashFault.MALFORMED)  # RFC 7914, 2: N is less than 2^(128 * r / 8).
    bcrypt = known.scheme in _BCRYPT
    sizes = len(known.salt) in _SALT_BYTES and len(known.digest) in _DIGEST_BYTES
    if not least(known.cost) or not (bcrypt or sizes):
        refuse(HashFault.WEAK)
    return known


def _work(known: ForeignHash) -> tuple[int, ...]:
    """Return what checking costs. PBKDF2 iterates for each block of its digest (RFC 8018, 5.2)."""
    block = _BLOCKS.get(known.scheme)
    if block is None:
        return known.cost
    return (known.cost[0] * max(1, -(-len(known.digest) // block)),)


def _argon2_most(cost: tuple[int, ...]) -> bool:
    passes, kib, lanes = cost
    small = kib <= ARGON2_KIB_MOST and lanes <= ARGON2_LANES_MOST
    return small and passes * kib <= ARGON2_KIB_PASSES_MOST


def _argon2_least(cost: tuple[int, ...]) -> bool:
    passes, kib, lanes = cost
    return kib >= max(ARGON2_KIB_LEAST, 8 * lanes) and passes > 0 and lanes > 0  # RFC 9106, 3.1


def _scrypt_most(cost: tuple[int, ...]) -> bool:
    log, block, lanes = cost
    if log > SCRYPT_MEMORY_MOST.bit_length():  # Prevents: a power that takes minutes to compute.
        return False
    memory: int = (1 << log) * block
    return memory <= SCRYPT_MEMORY_MOST and memory * lanes <= SCRYPT_WORK_MOST


def _scrypt_least(cost: tuple[int, ...]) -> bool:
    log, block, lanes = cost
    return log >= SCRYPT_LOG_LEAST and block > 0 and lanes > 0


_Within = Callable[[tuple[int, ...]], bool]
_BLOCKS: Mapping[Scheme, int] = MappingProxyType(
    {Scheme.PBKDF2_SHA256: 32, Scheme.PBKDF2_SHA512: 64}  # bytes
)
_BCRYPT = (Scheme.BCRYPT, Scheme.BCRYPT_SHA256, Scheme.BCRYPT_SHA256_HEX)
_BOUNDS: Mapping[Scheme, tuple[_Within, _Within]] = MappingProxyType(
    {
        **dict.fromkeys((Scheme.ARGON2ID, Scheme.ARGON2I), (_argon2_most, _argon2_least)),
        **dict.fromkeys(
            _BCRYPT,
            (lambda cost: cost[0] <= BCRYPT_LOG_MOST, lambda cost: cost[0] >= BCRYPT_LOG_LEAST),
        ),
        Scheme.SCRYPT: (_scrypt_most, _scrypt_least),
        Scheme.PBKDF2_SHA256: (
            lambda cost: cost[0] <= PBKDF2_SHA256_MOST,
            lambda cost: cost[0] >= PBKDF2_LEAST,
        ),
        Scheme.PBKDF2_SHA512: (
            lambda cost: cost[0] <= PBKDF2_SHA512_MOST,
            lambda cost: cost[0] >= PBKDF2_LEAST,
        ),
    }
)


# --- Spellings ---

_NUMBER = r"[1-9][0-9]{0,9}"
_SALT64 = r"[./A-Za-z0-9]{22}"
_DIGEST64 = r"[./A-Za-z0-9]{31}"
_BCRYPT_LETTERS = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_SALT_BITS, _DIGEST_BITS = 0x30, 0x3C  # Of the last letter: 22 hold 128 bits, and 31 hold 184.
_B64 = r"[A-Za-z0-9+/.]+={0,2}"
_ARGON2 = re.compile(
    rf"\$(?P<scheme>argon2id|argon2i)\$v=19\$m=({_NUMBER}),t=({_NUMBER}),p=({_NUMBER})"
    rf"\$(?P<salt>{_B64})\$(?P<digest>{_B64})"
)
_BCRYPT_FORM = re.compile(rf"\$2[aby]\$([0-9]{{2}})\$({_SALT64})({_DIGEST64})")
_BCRYPT_MAC = re.compile(rf"\$bcrypt-sha256\$v=2,t=2b,r=({_NUMBER})\$({_SALT64})\$({_DIGEST64})")
_SCRYPT_PHC = re.compile(
    rf"\$scrypt\$ln=({_NUMBER}),r=({_NUMBER}),p=({_NUMBER})\$({_B64})\$({_B64})"
)
_SCRYPT_DJANGO = re.compile(
    rf"scrypt\$({_NUMBER})\$([!-#%-~]+)\$({_NUMBER})\$({_NUMBER})\$({_B64})"
)
_SCRYPT_WERKZEUG = re.compile(
    rf"scrypt:({_NUMBER}):({_NUMBER}):({_NUMBER})\$([!-#%-~]+)\$([0-9a-f]+)"
)
_PBKDF2 = re.compile(
    rf"\$pbkdf2-(sha256|sha512)\$(?:i=)?({_NUMBER})(?:,l=[0-9]{{1,3}})?\$({_B64})\$({_B64})"
)
_PBKDF2_DJANGO = re.compile(rf"pbkdf2_(sha256|sha512)\$({_NUMBER})\$([!-#%-~]+)\$({_B64})")
_PBKDF2_WERKZEUG = re.compile(rf"pbkdf2:(sha256|sha512):({_NUMBER})\$([!-#%-~]+)\$([0-9a-f]+)")


def _matched(form: re.Pattern[str], text: str) -> re.Match[str]:
    found = form.fullmatch(text)
    return found if found is not None else refuse(HashFault.MALFORMED)


def _argon2(text: str) -> ForeignHash:
    found = _matched(_ARGON2, text)
    kib, passes, lanes = (int(found[at]) for at in (2, 3, 4))
    return ForeignHash(
        scheme=Scheme(found["scheme"]),
        cost=(passes, kib, lanes),
        salt=_bytes(found["salt"]),
        digest=_bytes(found["digest"]),
    )


def _bcrypt(text: str, scheme: Scheme = Scheme.BCRYPT) -> ForeignHash:
    log, salt, digest = _matched(_BCRYPT_FORM, text).groups()
    return _of_bcrypt(scheme, log, salt, digest)


def _of_bcrypt(scheme: Scheme, log: str, salt: str, digest: str) -> ForeignHash:
    """Stray bits behind salt and digest are dropped, as every bcrypt does that takes them.

    Prevents: a salt of 22 random letters, as many made it, at which checking breaks.
    """
    whole = _without_stray(salt, _SALT_BITS)
    if scheme is Scheme.BCRYPT_SHA256 and whole != salt:
        refuse(HashFault.MALFORMED)  # The letters themselves are a key there.
    salt, digest = whole, _without_stray(digest, _DIGEST_BITS)
    return ForeignHash(scheme=scheme, cost=(int(log),), salt=salt.encode(), digest=digest.encode())


def _without_stray(text: str, bits: int) -> str:
    return text[:-1] + _BCRYPT_LETTERS[_BCRYPT_LETTERS.index(text[-1]) & bits]


def _bcrypt_mac(text: str) -> ForeignHash:
    log, salt, digest = _matched(_BCRYPT_MAC, text).groups()
    return _of_bcrypt(Scheme.BCRYPT_SHA256, log, salt, digest)


def _scrypt_phc(text: str) -> ForeignHash:
    log, block, lanes, salt, digest = _matched(_SCRYPT_PHC, text).groups()
    cost = int(log), int(block), int(lanes)
    return ForeignHash(scheme=Scheme.SCRYPT, cost=cost, salt=_bytes(salt), digest=_bytes(digest))


def _scrypt(number: str, block: str, lanes: str, salt: str, digest: bytes) -> ForeignHash:
    size = int(number)
    if size & (size - 1):
        refuse(HashFault.MALFORMED)  # RFC 7914, 2: a power of two.
    cost = size.bit_length() - 1, int(block), int(lanes)
    return ForeignHash(scheme=Scheme.SCRYPT, cost=cost, salt=salt.encode(), digest=digest)


def _scrypt_django(text: str) -> ForeignHash:
    number, salt, block, lanes, digest = _matched(_SCRYPT_DJANGO, text).groups()
    return _scrypt(number, block, lanes, salt, _bytes(digest))


def _scrypt_werkzeug(text: str) -> ForeignHash:
    number, block, lanes, salt, digest = _matched(_SCRYPT_WERKZEUG, text).groups()
    return _scrypt(number, block, lanes, salt, _hex(digest))


def _pbkdf2_of(name: str, iterations: str, salt: bytes, digest: bytes) -> ForeignHash:
    return ForeignHash(
        scheme=Scheme(f"pbkdf2-{name}"), cost=(int(iterations),), salt=salt, digest=digest
    )


def _pbkdf2(text: str) -> ForeignHash:
    name, iterations, salt, digest = _matched(_PBKDF2, text).groups()
    return _pbkdf2_of(name, iterations, _bytes(salt), _bytes(digest))


def _pbkdf2_django(text: str) -> ForeignHash:
    name, iterations, salt, digest = _matched(_PBKDF2_DJANGO, text).groups()
    return _pbkdf2_of(name, iterations, salt.encode(), _bytes(digest))


def _pbkdf2_werkzeug(text: str) -> ForeignHash:
    name, iterations, salt, digest = _matched(_PBKDF2_WERKZEUG, text).groups()
    return _pbkdf2_of(name, iterations, salt.encode(), _hex(digest))


# By how each begins; the longer of two comes first.
_READERS: Mapping[str, Callable[[str], ForeignHash]] = MappingProxyType(
    {
        "$argon2": _argon2,
        "argon2$argon2": lambda text: _argon2(text.removeprefix("argon2")),  # Django
        "$bcrypt-sha256-hex$": lambda text: _bcrypt(
            text.removeprefix("$bcrypt-sha256-hex"), Scheme.BCRYPT_SHA256_HEX
        ),
        "$bcrypt-sha256$": _bcrypt_mac,
        "bcrypt_sha256$$": lambda text: _bcrypt(
            text.removeprefix("bcrypt_sha256$"), Scheme.BCRYPT_SHA256_HEX
        ),
        "bcrypt$$": lambda text: _bcrypt(text.removeprefix("bcrypt$")),
        "$2": _bcrypt,
        "$scrypt$": _scrypt_phc,
        "scrypt$": _scrypt_django,
        "scrypt:": _scrypt_werkzeug,
        "$pbkdf2-": _pbkdf2,
        "pbkdf2_": _pbkdf2_django,
        "pbkdf2:": _pbkdf2_werkzeug,
    }
)


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii").rstrip("=")


def _bytes(text: str) -> bytes:
    """Return the bytes of base64, padded or not, in which passlib writes "." for "+"."""
    plain = text.rstrip("=").replace(".", "+")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error:
        refuse(HashFault.MALFORMED)


def _hex(text: str) -> bytes:
    if len(text) % 2:
        refuse(HashFault.MALFORMED)
    return bytes.fromhex(text)
