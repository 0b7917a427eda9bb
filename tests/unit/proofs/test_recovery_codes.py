"""Recovery codes: what is shown, what is kept, and what people type."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.canonical import from_b64url
from twinlock.domain.errors import InvariantError, MalformedError
from twinlock.proofs import recovery_codes

ENTROPY = bytes(range(150))
CODES = recovery_codes.new_set(ENTROPY)
LEFT = tuple(map(recovery_codes.hash_code, CODES))


def fault_of(typed: str, left: tuple[str, ...] = LEFT) -> ProofFault:
    with pytest.raises(ProofRefusedError) as refused:
        recovery_codes.verify(typed, left=left)
    return refused.value.fault


@pytest.mark.requirement("N-B15", "O-11")
def test_a_set_has_ten_codes_of_120_bits_each() -> None:
    assert len(set(CODES)) == 10
    assert {len(code.replace("-", "")) * 5 for code in CODES} == {120}
    assert {len(group) for code in CODES for group in code.split("-")} == {4}


def test_a_code_shows_all_of_its_bytes_and_no_others() -> None:
    shown = recovery_codes.new_set(ENTROPY)
    letters = [code.replace("-", "") for code in shown]

    assert b"".join(base64.b32decode(one.upper()) for one in letters) == ENTROPY
    assert letters == [one.lower() for one in letters]
    assert shown[0] == "aaaq-eaye-auda-ocaj-bifq-ydio"


@pytest.mark.requirement("N-B15")
def test_of_a_code_a_hash_is_kept_that_only_this_code_fits() -> None:
    assert {len(from_b64url(one)) for one in LEFT} == {16}
    assert [recovery_codes.verify(code, left=LEFT) for code in CODES] == list(LEFT)
    assert not any(letters in kept for kept in LEFT for letters in CODES[0].split("-"))


@pytest.mark.requirement("N-B15")
def test_a_code_that_is_used_up_is_wrong_like_any_other() -> None:
    assert fault_of(CODES[3], LEFT[:3] + LEFT[4:]) is ProofFault.CODE_WRONG
    assert fault_of(CODES[0], ()) is ProofFault.CODE_WRONG


@pytest.mark.parametrize(
    "typed",
    [
        CODES[7].upper(),
        CODES[7].replace("-", ""),
        CODES[7].replace("-", " "),
        f"  {CODES[7].replace('-', ' - ')}\n",
        CODES[7].replace("o", "0").replace("l", "1").replace("b", "8"),
    ],
)
def test_how_a_code_is_typed_does_not_matter(typed: str) -> None:
    assert recovery_codes.verify(typed, left=LEFT) == LEFT[7]


def test_a_code_is_read_among_so_many_characters_and_no_more() -> None:
    typed = CODES[7].ljust(recovery_codes.TYPED_MOST)

    assert recovery_codes.verify(typed, left=LEFT) == LEFT[7]
    assert fault_of(f"{typed} ") is ProofFault.CODE_WRONG


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        CODES[0][:-1],
        CODES[0] + "a",
        CODES[0][:-1] + ("b" if CODES[0][-1] != "b" else "c"),
        CODES[0].replace("a", "а"),
        "a" * 1_000_000,
        " " * 65,
        "\ud800" * 24,
        "12345678",
    ],
)
def test_whatever_else_is_typed_is_wrong(wrong: str) -> None:
    assert fault_of(wrong) is ProofFault.CODE_WRONG


@given(st.text(max_size=70))
def test_any_text_fits_or_is_wrong(text: str) -> None:
    assert fault_of(text) is ProofFault.CODE_WRONG


@given(st.binary(min_size=150, max_size=150))
def test_what_is_packed_unpacks_to_the_hashes_of_its_codes(entropy: bytes) -> None:
    codes = recovery_codes.new_set(entropy)
    unpacked = recovery_codes.unpack(recovery_codes.pack(codes))

    assert unpacked == tuple(map(recovery_codes.hash_code, codes))


def test_a_set_of_another_size_is_none() -> None:
    with pytest.raises(InvariantError, match="150 random bytes"):
        recovery_codes.new_set(bytes(149))
    with pytest.raises(MalformedError):
        recovery_codes.unpack("AAAA")
