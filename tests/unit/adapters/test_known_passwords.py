"""Common and breached passwords: what is found, and a file that cannot be trusted."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import pytest

from twinlock.adapters.hashing import ThreadHasher
from twinlock.adapters.known_passwords import BreachedFileError, KnownPasswords, common_passwords
from twinlock.adapters.system import SystemEntropy
from twinlock.domain.authenticators.passwords import (
    PasswordRefusedError,
    PasswordRule,
    Terms,
    looked_up,
    normal_form,
)
from twinlock.proofs import passwords

GOOD = "correct horse battery staple"
BREACHED = [f"breached password {number}" for number in range(300)]


def sha1(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest().upper()


def listed(path: Path, breached: Iterable[str], *, end: str = "\r\n", sort: bool = True) -> Path:
    """Write a file as "Pwned Passwords" is published, its lines of different lengths."""
    digests = [sha1(one) for one in breached]
    digests = sorted(digests) if sort else digests
    lines = [f"{digest}:{10 ** (index % 9)}" for index, digest in enumerate(digests)]
    path.write_bytes(end.join([*lines, ""]).encode())
    return path


def check(known: KnownPasswords, password: str) -> str:
    normal = normal_form(password)
    assert normal is not None
    return known.check(password, normal=normal)


def rule_of(known: KnownPasswords, password: str) -> PasswordRule:
    with pytest.raises(PasswordRefusedError) as refused:
        check(known, password)
    return refused.value.fault


@pytest.mark.requirement("O-02")
def test_the_list_that_we_ship_is_large_and_in_its_form() -> None:
    common = common_passwords()

    assert len(common) > 15_000
    assert {one for one in common if looked_up(one) != one or len(one) < 8} == set()


@pytest.mark.requirement("O-02")
@pytest.mark.parametrize(
    "common", ["password1", "PASSWORD1", "Password123", "iloveyou1", "qwertyuiop", "1q2w3e4r5t"]
)
def test_a_common_password_is_refused_whatever_its_capitals(common: str) -> None:
    assert rule_of(KnownPasswords(), common) is PasswordRule.COMMON
    assert rule_of(KnownPasswords(), common * 2) is PasswordRule.COMMON


def test_another_password_passes_as_it_is_compared() -> None:
    assert check(KnownPasswords(), GOOD) == GOOD
    assert check(KnownPasswords(), "ﬁnancial-freedom") == "financial-freedom"


@pytest.mark.requirement("O-02")
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("count", [1, 2, 3, 17, 300])
def test_a_breached_password_is_found_wherever_it_stands(
    tmp_path: Path, end: str, count: int
) -> None:
    known = KnownPasswords(listed(tmp_path / "breached.txt", BREACHED[:count], end=end))

    assert {rule_of(known, one) for one in BREACHED[:count]} == {PasswordRule.BREACHED}
    assert check(known, GOOD) == GOOD


def test_a_last_line_needs_no_end_and_small_digits_count(tmp_path: Path) -> None:
    path = listed(tmp_path / "breached.txt", BREACHED)
    path.write_bytes(path.read_bytes().rstrip().lower())
    known = KnownPasswords(path)

    assert {rule_of(known, one) for one in BREACHED} == {PasswordRule.BREACHED}


def test_a_breach_knows_a_password_as_it_was_typed_and_as_it_is_compared(tmp_path: Path) -> None:
    typed, compared = "ﬁnancial-freedom", "Ｌong enough here"
    known = KnownPasswords(listed(tmp_path / "breached.txt", [typed, "Long enough here"]))

    assert rule_of(known, typed) is PasswordRule.BREACHED
    assert rule_of(known, compared) is PasswordRule.BREACHED


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(b"", id="an empty file"),
        pytest.param(b"\n", id="an empty line"),
        pytest.param(b"5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8\n", id="a hash without its count"),
        pytest.param(b"8846F7EAEE8FB117AD06BDD830B7586C:9\n", id="NTLM hashes"),
        pytest.param(b"\x1f\x8b\x08\x00" + bytes(60), id="a compressed file"),
        pytest.param(b"5" * 1_000_000, id="a line without an end"),
    ],
)
def test_a_file_of_another_form_is_refused_at_the_start(tmp_path: Path, damaged: bytes) -> None:
    path = tmp_path / "breached.txt"
    path.write_bytes(damaged)

    with pytest.raises(BreachedFileError):
        KnownPasswords(path)


def test_a_file_that_is_not_there_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(BreachedFileError, match="cannot be read"):
        KnownPasswords(tmp_path / "nowhere.txt")


def test_a_file_that_is_gone_later_lets_no_password_pass(tmp_path: Path) -> None:
    path = listed(tmp_path / "breached.txt", BREACHED)
    known = KnownPasswords(path)
    path.unlink()

    with pytest.raises(BreachedFileError):
        check(known, GOOD)


def test_a_line_that_was_damaged_lets_no_password_pass_that_may_stand_there(tmp_path: Path) -> None:
    path = listed(tmp_path / "breached.txt", BREACHED)
    known = KnownPasswords(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:150], b"X" + lines[150][1:], *lines[151:]]))

    with pytest.raises(BreachedFileError, match="another form"):
        check(known, GOOD)


@pytest.mark.parametrize("count", [2, 3, 300])
def test_a_file_that_is_not_sorted_by_hash_is_refused_at_the_start(
    tmp_path: Path, count: int
) -> None:
    backwards = sorted(BREACHED[:count], key=sha1, reverse=True)

    with pytest.raises(BreachedFileError, match="not sorted"):
        KnownPasswords(listed(tmp_path / "breached.txt", backwards, sort=False))


# --- Beside the event loop ---


async def test_only_a_fit_and_unknown_password_is_hashed(tmp_path: Path) -> None:
    known = KnownPasswords(listed(tmp_path / "breached.txt", [GOOD]))
    hasher = ThreadHasher(SystemEntropy(), known)
    held_to = Terms(least=8)

    for refused, rule in ((GOOD, "breached"), ("password1", "common"), ("short", "too_short")):
        with pytest.raises(PasswordRefusedError) as told:
            await hasher.hash(refused, held_to)
        assert told.value.fault == rule
    encoded = await hasher.hash("ﬁnancial-freedom", held_to)
    assert not passwords.verify_password(encoded, "financial-freedom").outdated
