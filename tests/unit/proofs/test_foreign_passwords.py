"""Passwords against older systems' hashes: vectors of others, and the traps of bcrypt."""

import base64
import hashlib

import argon2
import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.authenticators.foreign_hashes import read, write
from twinlock.proofs import passwords
from twinlock.proofs.foreign_passwords import BCRYPT_BYTES, check_password

SALT = bytes(range(16))
PASSWORD = "correct horse battery staple"  # noqa: S105 - of nobody
CHEAP = bcrypt.gensalt(8)
LEAST = 1_000


def checked(encoded: str, password: str) -> str:
    return check_password(write(read(encoded)), password, salt=SALT)


def is_wrong(encoded: str, password: str) -> bool:
    with pytest.raises(ProofRefusedError) as refused:
        checked(encoded, password)
    return refused.value.fault is ProofFault.PASSWORD_WRONG


# Made by those systems themselves, of the password "password".
VECTORS = {
    "passlib pbkdf2": "$pbkdf2-sha256$2000$dI7RWmvN2TtHqHWulRLCeA"
    "$9XSjcwQChRFtMY1wkCB0NDgA43VeDeG4U4jAnCWUR2A",
    "passlib pbkdf2 of 512": "$pbkdf2-sha512$2000$RiiFcA7BGANAaO1dq3WOMQ"
    "$EVORQYRG1EJDoXOBN0zmLw5y48xqHLPWBvmfOZu4hWlwu3SnU1ZptonQ7T./HBSR1BPuJOn0xcsG5bfz9vgzKg",
    "passlib scrypt": "$scrypt$ln=12,r=8,p=1$+j8nhFAqZewdY6yV8v5/rw"
    "$0f+ZPjZcAlCshDMSfcqnVIIIBx/KpbiYOso6PAMDqwI",
    "passlib bcrypt_sha256": "$bcrypt-sha256$v=2,t=2b,r=12$n79VH.0Q2TMWmt3Oqt9uku"
    "$Kq4Noyk3094Y2QlB8NdRT8SvGiI4ft2",
    "Django argon2": "argon2$argon2id$v=19$m=102400,t=2,p=8$cjA4RmduS3hyaEdDaGpRUjNwQTBiag"
    "$G4Q75dJfytpA/oTFfa8VnAW0+G5tggEhkpWoYI75cyc",
    "Django bcrypt_sha256": "bcrypt_sha256$$2b$08$XoVs0d0hsgaXolRZkPUHAO"
    "v04JAkFPdOHOEZEFubDsPqH3Zs/fSdK",
    "Django bcrypt": "bcrypt$$2b$08$rAAuyF8JqWRGPcwqnbV2s.plZV32RJGJfMd7.qqAI7EseL6imbR/W",
    "Django scrypt": "scrypt$16384$sxJ6Z6qzNZbuNORx1i0WlM$8$5"
    "$T9XF+TaUzfePeoP4cB7bq7zgRAivaSViVu2s2xD8hwZPjkEhhLz2+Tb5UohPn2Nsv5IAGH0rdXCJOzgLLp1tRw==",
    "Django pbkdf2": "pbkdf2_sha256$2000$WEYHHEZPHIoHwYvmyNTqBv"
    "$raK8ehvaTSkniLH6HFvsib0E950hC6kXW38vuGl14/Y=",
    "Werkzeug scrypt": "scrypt:32768:8:1$riI0mThiaH7CzTKL"
    "$a79ad64fd3da0de35c8b31cf74af1f241620b94d0fb0b27444378e3da1775fdf"
    "5c3183de1c6af18d0eef0856bb15606d5e3a36925a48d3c8fac761c9c4aefa5b",
    "Werkzeug pbkdf2": "pbkdf2:sha256:2000$sFhDILx5lwQaIq0U"
    "$cf8d3816300a3eed332b4469ea282c47f999cf60f8cbc378f66814dc142e68a8",
}


@pytest.mark.parametrize("encoded", VECTORS.values(), ids=VECTORS.keys())
def test_a_hash_of_another_library_fits_its_password(encoded: str) -> None:
    anew = checked(encoded, "password")

    assert passwords.verify_password(anew, "password").outdated is False
    assert is_wrong(encoded, "Password")


def made(password: bytes) -> dict[str, str]:
    """Return the hash of ``password`` in each scheme, by the plainest means there are."""
    salted = base64.b64encode(SALT).decode().rstrip("=")

    def b64(data: bytes) -> str:
        return base64.b64encode(data).decode().rstrip("=")

    lazy = argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
    old = argon2.PasswordHasher(1, 1024, 1, type=argon2.Type.I)
    hexed = hashlib.sha256(password).hexdigest().encode()
    scrypt = hashlib.scrypt(password, salt=SALT, n=1024, r=8, p=1)
    pbkdf2 = hashlib.pbkdf2_hmac("sha256", password, SALT, LEAST)
    return {
        "argon2id": lazy.hash(password),
        "argon2i": old.hash(password),
        "bcrypt": bcrypt.hashpw(password[:BCRYPT_BYTES], CHEAP).decode(),
        "django": "bcrypt_sha256$" + bcrypt.hashpw(hexed, CHEAP).decode(),
        "scrypt": f"$scrypt$ln=10,r=8,p=1${salted}${b64(scrypt)}",
        "pbkdf2": f"$pbkdf2-sha256${LEAST}${salted}${b64(pbkdf2)}",
    }


@settings(max_examples=10)
@given(st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=40))
def test_whatever_was_typed_then_fits_and_is_ours_afterwards(password: str) -> None:
    for encoded in made(password.encode()).values():
        cut = encoded.startswith("$2b$") and len(password.encode()) > BCRYPT_BYTES
        anew = checked(encoded, password)
        assert (anew == "") is cut
        assert cut or not passwords.verify_password(anew, password).outdated
        assert is_wrong(encoded, password + "x") or cut


@pytest.mark.parametrize("name", made(b"x"))
def test_another_spelling_of_the_same_text_fits(name: str) -> None:
    encoded = made("\N{LATIN SMALL LETTER E WITH ACUTE}t\N{LATIN SMALL LETTER E}".encode())[name]

    assert checked(encoded, "e\N{COMBINING ACUTE ACCENT}te")
    assert is_wrong(encoded, "ete")


def test_what_bcrypt_never_read_is_not_kept_as_the_password() -> None:
    long = "a" * BCRYPT_BYTES
    encoded = made((long + "tail").encode())["bcrypt"]

    assert checked(encoded, long + "tail") == ""
    assert checked(encoded, long + "liat") == ""  # As the older system took it.
    assert checked(encoded, long) != ""
    assert is_wrong(encoded, long[1:] + "tail")


def test_a_letter_that_is_cut_in_two_at_the_end_is_compared_as_it_was() -> None:
    password = "a" * (BCRYPT_BYTES - 1) + "\N{LATIN SMALL LETTER E WITH ACUTE}"

    assert checked(made(password.encode())["bcrypt"], password) == ""


@pytest.mark.parametrize("salt_ends", "/AXvz9")
@pytest.mark.parametrize("digest_adds", [0, 1, 3])
def test_a_bcrypt_hash_with_stray_bits_fits_its_password(salt_ends: str, digest_adds: int) -> None:
    """Older programs drew 22 letters for a salt; of the last one bcrypt reads two bits."""
    letters = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    ends = letters[letters.index(salt_ends) & 0x30]
    right = bcrypt.hashpw(PASSWORD.encode(), b"$2b$08$" + b"A" * 21 + ends.encode()).decode()
    last = letters[letters.index(right[-1]) + digest_adds]
    stray = f"{right[:28]}{salt_ends}{right[29:-1]}{last}"

    assert checked(stray, PASSWORD)
    assert checked(f"bcrypt${stray}", PASSWORD)
    assert is_wrong(stray, "another password")


def test_bcrypt_stops_at_no_nul() -> None:
    encoded = bcrypt.hashpw(b"short", CHEAP).decode()

    assert is_wrong(encoded, "short\0 and whatever follows")
    assert checked(encoded, "short")


def test_a_password_that_is_too_long_for_anything_is_wrong() -> None:
    assert is_wrong(made(b"x")["pbkdf2"], "x" * 257)


def test_half_a_surrogate_is_wrong_and_breaks_nothing() -> None:
    assert is_wrong(made(b"x")["pbkdf2"], "\ud800")


def test_our_own_hash_stays() -> None:
    ours = passwords.hash_password(PASSWORD, salt=SALT)

    assert check_password(ours, PASSWORD, salt=SALT) == ""
    with pytest.raises(ProofRefusedError):
        check_password(ours, PASSWORD + "x", salt=SALT)


def test_our_hash_of_older_parameters_is_made_anew() -> None:
    older = argon2.PasswordHasher(time_cost=1, memory_cost=1024).hash(PASSWORD)

    anew = check_password(older, PASSWORD, salt=SALT)

    assert passwords.verify_password(anew, PASSWORD).outdated is False
