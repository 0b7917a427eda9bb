import time
from collections.abc import Callable

import argon2
import pytest

from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.authenticators.passwords import normal_form
from twinlock.domain.errors import InvariantError
from twinlock.proofs import passwords

SALT = bytes(range(16))
PASSWORD = "correct horse battery staple"  # noqa: S105 - nobody's
ENCODED = passwords.hash_password(PASSWORD, salt=SALT)
RIGHT = passwords.CheckedPassword(outdated=False)


def fault_of(check: Callable[[], object]) -> ProofFault:
    with pytest.raises(ProofRefusedError) as refused:
        check()
    return refused.value.fault


def test_a_password_fits_its_hash() -> None:
    assert passwords.verify_password(ENCODED, PASSWORD) == RIGHT


@pytest.mark.parametrize(
    "wrong",
    ["", PASSWORD[:-1], PASSWORD + " ", PASSWORD.title(), "another password", PASSWORD + "\ud800"],
)
def test_nothing_else_does(wrong: str) -> None:
    assert fault_of(lambda: passwords.verify_password(ENCODED, wrong)) is ProofFault.PASSWORD_WRONG


@pytest.mark.requirement("O-30")
def test_the_hash_is_argon2id_with_our_parameters_and_the_salt_that_was_given() -> None:
    assert ENCODED.startswith("$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$")
    assert argon2.extract_parameters(ENCODED) == passwords.PARAMETERS
    assert argon2.PasswordHasher().verify(ENCODED, PASSWORD)


def test_another_salt_gives_another_hash() -> None:
    assert passwords.hash_password(PASSWORD, salt=bytes(16)) != ENCODED


def test_a_salt_has_16_bytes() -> None:
    with pytest.raises(InvariantError, match="16 bytes"):
        passwords.hash_password(PASSWORD, salt=bytes(15))


@pytest.mark.requirement("O-30")
def test_a_hash_made_with_other_parameters_still_verifies_and_says_so() -> None:
    weaker = argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
    encoded = weaker.hash(PASSWORD, salt=SALT)

    assert passwords.verify_password(encoded, PASSWORD).outdated


@pytest.mark.requirement("O-02")
@pytest.mark.parametrize(
    ("set_as", "typed_as"),
    [
        pytest.param("Zürich 2024!", "Zu\u0308rich 2024!", id="a letter and its mark apart"),
        pytest.param("ﬁnancial-freedom", "financial-freedom", id="a ligature"),
        pytest.param("パスワード一二三", "ﾊﾟｽﾜｰﾄﾞ一二三", id="half-width katakana"),
    ],
)
def test_another_spelling_of_the_same_text_fits(set_as: str, typed_as: str) -> None:
    encoded = passwords.hash_password(normal(set_as), salt=SALT)

    assert set_as != typed_as
    assert passwords.verify_password(encoded, typed_as) == RIGHT


@pytest.mark.parametrize(
    "fits",
    [
        pytest.param("x" * 256, id="256 characters"),
        pytest.param("\U0001f512" * 256, id="1024 bytes"),
        # U+1D160 becomes three characters: 85 of them are 255.
        pytest.param("\U0001d160" * 85, id="85 characters that are 255"),
    ],
)
def test_the_longest_password_fits_its_hash(fits: str) -> None:
    encoded = passwords.hash_password(normal(fits), salt=SALT)

    assert passwords.verify_password(encoded, fits) == RIGHT


def test_only_the_one_form_of_a_password_is_hashed() -> None:
    with pytest.raises(InvariantError, match="one form"):
        passwords.hash_password("ﬁnancial-freedom", salt=SALT)


def normal(password: str) -> str:
    found = normal_form(password)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "monstrous",
    [
        pytest.param("x" * 257, id="too long"),
        pytest.param("x" * 10_000_000, id="ten megabytes"),
        pytest.param("\ufdfa" * 256, id="too long once normalised"),
    ],
)
def test_what_could_never_have_been_set_is_wrong_without_any_work(monstrous: str) -> None:
    began = time.process_time()

    assert (
        fault_of(lambda: passwords.verify_password(ENCODED, monstrous)) is ProofFault.PASSWORD_WRONG
    )
    assert fault_of(lambda: passwords.burn(monstrous)) is ProofFault.PASSWORD_WRONG
    assert time.process_time() - began < cost_of(lambda: passwords.burn("wrong password"))


@pytest.mark.requirement("O-06")
def test_an_unknown_account_is_refused_like_a_wrong_password_at_the_same_cost() -> None:
    def known() -> object:
        return passwords.verify_password(ENCODED, "wrong password")

    assert fault_of(lambda: passwords.burn("wrong password")) is fault_of(known)
    assert argon2.extract_parameters(passwords.NOBODYS_HASH) == passwords.PARAMETERS
    # Processor time, and a factor of four: the check itself would be a factor of a thousand.
    assert cost_of(lambda: passwords.burn("wrong password")) > cost_of(known) / 4


def cost_of(check: Callable[[], object]) -> float:
    began = time.process_time()
    fault_of(check)
    return time.process_time() - began
