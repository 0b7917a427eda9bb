"""Hashes of older systems: every usual spelling, one form, and bounds before any work."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinlock.domain.authenticators.foreign_hashes import (
    ARGON2_KIB_LEAST,
    ARGON2_KIB_MOST,
    ARGON2_KIB_PASSES_MOST,
    ARGON2_LANES_MOST,
    BCRYPT_LOG_LEAST,
    BCRYPT_LOG_MOST,
    PBKDF2_LEAST,
    PBKDF2_SHA256_MOST,
    PBKDF2_SHA512_MOST,
    SCRYPT_LOG_LEAST,
    ForeignHash,
    ForeignHashError,
    HashFault,
    Scheme,
    read,
    write,
)

SALT, DIGEST = bytes(range(16)), bytes(range(32))
SALT64, DIGEST64 = "abcdefghijklmnopqrstuu", "./ABCDEFGHIJKLMNOPQRSTUVWXYZaba"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


def ab64(data: bytes) -> str:
    return b64(data).replace("+", ".")


S, D = b64(SALT), b64(DIGEST)
SPELLINGS = {
    f"$argon2id$v=19$m=65536,t=3,p=4${S}${D}": (Scheme.ARGON2ID, (3, 65536, 4)),
    f"$argon2i$v=19$m=4096,t=3,p=1${S}${D}": (Scheme.ARGON2I, (3, 4096, 1)),
    f"argon2$argon2id$v=19$m=102400,t=2,p=8${S}${D}": (Scheme.ARGON2ID, (2, 102400, 8)),
    f"$2b$12${SALT64}{DIGEST64}": (Scheme.BCRYPT, (12,)),
    f"$2a$10${SALT64}{DIGEST64}": (Scheme.BCRYPT, (10,)),
    f"$2y$11${SALT64}{DIGEST64}": (Scheme.BCRYPT, (11,)),
    f"bcrypt$$2b$12${SALT64}{DIGEST64}": (Scheme.BCRYPT, (12,)),
    f"bcrypt_sha256$$2b$12${SALT64}{DIGEST64}": (Scheme.BCRYPT_SHA256_HEX, (12,)),
    f"$bcrypt-sha256$v=2,t=2b,r=12${SALT64}${DIGEST64}": (Scheme.BCRYPT_SHA256, (12,)),
    f"$scrypt$ln=16,r=8,p=1${S}${D}": (Scheme.SCRYPT, (16, 8, 1)),
    f"$pbkdf2-sha256$29000${ab64(SALT)}${ab64(DIGEST)}": (Scheme.PBKDF2_SHA256, (29000,)),
    f"$pbkdf2-sha512$i=210000,l=32${S}${D}": (Scheme.PBKDF2_SHA512, (210000,)),
}
IN_TEXT = {  # Those whose salt is its own text.
    f"scrypt$16384$somesaltofdjango$8$1${D}=": (Scheme.SCRYPT, (14, 8, 1)),
    f"scrypt:32768:8:1$somesaltofdjango${DIGEST.hex()}": (Scheme.SCRYPT, (15, 8, 1)),
    f"pbkdf2_sha256$870000$somesaltofdjango${D}=": (Scheme.PBKDF2_SHA256, (870000,)),
    f"pbkdf2:sha512:210000$somesaltofdjango${DIGEST.hex()}": (Scheme.PBKDF2_SHA512, (210000,)),
}


@pytest.mark.parametrize(("text", "known"), SPELLINGS.items(), ids=str)
def test_a_usual_spelling_is_read(text: str, known: tuple[Scheme, tuple[int, ...]]) -> None:
    found = read(text)

    assert (found.scheme, found.cost) == known
    assert found.salt in (SALT, SALT64.encode())
    assert found.digest in (DIGEST, DIGEST64.encode())


@pytest.mark.parametrize(("text", "known"), IN_TEXT.items(), ids=str)
def test_a_salt_in_text_is_its_own_bytes(text: str, known: tuple[Scheme, tuple[int, ...]]) -> None:
    found = read(text)

    assert (found.scheme, found.cost) == known
    assert (found.salt, found.digest) == (b"somesaltofdjango", DIGEST)


@pytest.mark.parametrize("text", [*SPELLINGS, *IN_TEXT])
def test_what_is_kept_is_read_as_the_same(text: str) -> None:
    assert read(write(read(text))) == read(text)
    assert write(read(write(read(text)))) == write(read(text))


def fault(text: str) -> HashFault:
    with pytest.raises(ForeignHashError) as refused:
        read(text)
    return refused.value.fault


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "$1$salt$hash",
        "$6$rounds=5000$salt$hash",
        "md5$salt$hash",
        "{SSHA}abc",
        "sha1$salt$hash",
        "plaintext",
    ],
)
def test_a_plain_or_foreign_hash_is_unknown(text: str) -> None:
    assert fault(text) is HashFault.UNKNOWN


@pytest.mark.parametrize(
    "text",
    [
        f"$argon2d$v=19$m=65536,t=3,p=4${S}${D}",
        f"$argon2id$v=16$m=65536,t=3,p=4${S}${D}",
        f"$argon2id$v=19$m=65536,t=0,p=4${S}${D}",
        f"$argon2id$v=19$m=65536,t=3,p=4$*${D}",
        f"$argon2id$v=19$m=65536,t=3,p=4$a=b${D}",
        f"$2x$12${SALT64}{DIGEST64}",
        f"$2b$12${SALT64}{DIGEST64[:-1]}",
        f"$2b$1${SALT64}{DIGEST64}",
        f"$bcrypt-sha256$2b,12${SALT64}${DIGEST64}",
        f"scrypt$16383$salt$8$1${D}",
        f"scrypt:32768:8:1$saltsalt${DIGEST.hex()[:-1]}",
        f"$scrypt$ln=16,r=1,p=1${S}${D}",
        f"$bcrypt-sha256$v=2,t=2b,r=12${SALT64[:-1]}v${DIGEST64}",
        f"$pbkdf2-sha1$29000${S}${D}",
        f"$pbkdf2-sha256$-1${S}${D}",
        f"$pbkdf2-sha256$29000$AAAAA${D}",
        f"pbkdf2_sha256$0$salt${D}",
        f"$2b$12${SALT64}{DIGEST64}\0",
        f"$2b$12${SALT64}{DIGEST64[:-1]}\N{LATIN SMALL LETTER E WITH ACUTE}",
        "$2b$12$" + "a" * 600,
    ],
)
def test_what_begins_like_one_and_is_none_is_malformed(text: str) -> None:
    assert fault(text) is HashFault.MALFORMED


def argon2(kib: int, passes: int = 1, lanes: int = 1, salt: str = S, digest: str = D) -> str:
    return f"$argon2id$v=19$m={kib},t={passes},p={lanes}${salt}${digest}"


def bcrypt(log: int) -> str:
    return f"$2b${log:02}${SALT64}{DIGEST64}"


def pbkdf2(iterations: int, name: str = "sha256") -> str:
    return f"$pbkdf2-{name}${iterations}${S}${D}"


@pytest.mark.parametrize(
    ("within", "beyond"),
    [
        (argon2(ARGON2_KIB_MOST), argon2(ARGON2_KIB_MOST + 1)),
        (
            argon2(65536, ARGON2_KIB_PASSES_MOST // 65536),
            argon2(65536, ARGON2_KIB_PASSES_MOST // 65536 + 1),
        ),
        (argon2(4096, 1, ARGON2_LANES_MOST), argon2(4096, 1, ARGON2_LANES_MOST + 1)),
        (bcrypt(BCRYPT_LOG_MOST), bcrypt(BCRYPT_LOG_MOST + 1)),
        (pbkdf2(PBKDF2_SHA256_MOST), pbkdf2(PBKDF2_SHA256_MOST + 1)),
        (pbkdf2(PBKDF2_SHA512_MOST, "sha512"), pbkdf2(PBKDF2_SHA512_MOST + 1, "sha512")),
        (f"$scrypt$ln=17,r=8,p=1${S}${D}", f"$scrypt$ln=17,r=9,p=1${S}${D}"),
        (f"$scrypt$ln=16,r=8,p=2${S}${D}", f"$scrypt$ln=16,r=8,p=3${S}${D}"),
        (f"$scrypt$ln=19,r=2,p=1${S}${D}", f"$scrypt$ln=4000000000,r=1,p=1${S}${D}"),
        (
            f"$pbkdf2-sha256${PBKDF2_SHA256_MOST // 2}${S}${b64(DIGEST * 2)}",
            f"$pbkdf2-sha256${PBKDF2_SHA256_MOST // 2 + 1}${S}${b64(DIGEST * 2)}",
        ),
        (pbkdf2(1000), pbkdf2(2**31)),
    ],
)
def test_a_hash_that_costs_too_much_is_refused(within: str, beyond: str) -> None:
    assert read(within).cost
    assert fault(beyond) is HashFault.COSTLY


@pytest.mark.parametrize(
    ("within", "below"),
    [
        (argon2(ARGON2_KIB_LEAST), argon2(ARGON2_KIB_LEAST - 1)),
        (bcrypt(BCRYPT_LOG_LEAST), bcrypt(BCRYPT_LOG_LEAST - 1)),
        (pbkdf2(PBKDF2_LEAST), pbkdf2(PBKDF2_LEAST - 1)),
        (
            f"$scrypt$ln={SCRYPT_LOG_LEAST},r=8,p=1${S}${D}",
            f"$scrypt$ln={SCRYPT_LOG_LEAST - 1},r=8,p=1${S}${D}",
        ),
        (argon2(4096, salt=b64(SALT[:8])), argon2(4096, salt=b64(SALT[:7]))),
        (argon2(4096, digest=b64(DIGEST[:16])), argon2(4096, digest=b64(DIGEST[:15]))),
        (argon2(4096, digest=b64(DIGEST * 2)), argon2(4096, digest=b64(DIGEST * 2 + b"x"))),
    ],
)
def test_a_hash_that_protects_nothing_is_refused(within: str, below: str) -> None:
    assert read(within).cost
    assert fault(below) is HashFault.WEAK


def found_or_fault(text: str) -> ForeignHash | HashFault:
    try:
        return read(text)
    except ForeignHashError as refused:
        return refused.fault


def holds(found: ForeignHash | HashFault) -> bool:
    return isinstance(found, HashFault) or read(write(found)) == found


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused_with_a_fault(text: str) -> None:
    assert holds(found_or_fault(text))


@given(st.sampled_from([*SPELLINGS, *IN_TEXT]), st.integers(0, 200), st.characters(codec="ascii"))
def test_a_spelling_with_another_letter_is_read_or_refused(text: str, at: int, other: str) -> None:
    assert holds(found_or_fault(text[:at] + other + text[at + 1 :]))


def test_a_refusal_and_a_hash_show_nothing_of_it() -> None:
    found = read(argon2(4096))

    assert isinstance(found, ForeignHash)
    assert str(DIGEST) not in repr(found)
    with pytest.raises(ForeignHashError) as refused:
        read(argon2(ARGON2_KIB_MOST + 1))
    assert D not in str(refused.value)
