from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.errors import InvariantError
from twinlock.domain.ids import ActionId, ChallengeId
from twinlock.proofs import codes
from twinlock.proofs.codes import CodeBinding, SealedCode

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
KEY = bytes(range(16))
BINDING = CodeBinding(
    challenge_id=ChallengeId("chl_a"), action_id=ActionId("act_a"), payload_digest=bytes(32)
)
CODE = codes.new_code(bytes(range(16)))
SEALED = codes.seal(CODE, key=KEY, binding=BINDING, now=NOON)


def fault_of(
    code: str = CODE,
    *,
    sealed: SealedCode = SEALED,
    key: bytes = KEY,
    binding: CodeBinding = BINDING,
    now: datetime = NOON,
) -> ProofFault:
    with pytest.raises(ProofRefusedError) as refused:
        codes.verify(code, sealed=sealed, key=key, binding=binding, now=now)
    return refused.value.fault


def test_the_code_that_was_sent_proves_what_it_was_sent_for() -> None:
    assert codes.verify(CODE, sealed=SEALED, key=KEY, binding=BINDING, now=NOON) == BINDING


@pytest.mark.requirement("N-B06", "N-B16", "O-11")
@given(st.binary(min_size=16, max_size=16))
def test_a_code_is_eight_digits(entropy: bytes) -> None:
    code = codes.new_code(entropy)

    assert len(code) == 8
    assert code.isdecimal()


@pytest.mark.parametrize(
    ("number", "code"),
    [(0, "00000000"), (7, "00000007"), (10**8 - 1, "99999999"), (10**8, "00000000")],
)
def test_the_digits_are_the_random_number_modulo_a_hundred_million(number: int, code: str) -> None:
    assert codes.new_code(number.to_bytes(16, "big")) == code


@pytest.mark.requirement("O-11")
def test_no_code_is_likelier_than_another_by_more_than_one_part_in_2_to_the_101() -> None:
    numbers, rest = divmod(2**128, 10**8)  # `rest` codes have one number more than the others.

    assert 0 < rest < 10**8
    assert numbers >= 2**101


@pytest.mark.requirement("N-B06", "N-B16", "O-11")
@pytest.mark.parametrize(
    ("after", "accepted"),
    [
        pytest.param(timedelta(0), True, id="at once"),
        pytest.param(timedelta(minutes=10, microseconds=-1), True, id="just before ten minutes"),
        pytest.param(timedelta(minutes=10), False, id="at ten minutes"),
    ],
)
def test_a_code_is_good_for_less_than_ten_minutes(after: timedelta, accepted: bool) -> None:
    now = NOON + after

    if accepted:
        assert codes.verify(CODE, sealed=SEALED, key=KEY, binding=BINDING, now=now) == BINDING
    else:
        assert fault_of(now=now) is ProofFault.CODE_EXPIRED


def test_after_its_time_a_code_is_not_even_compared() -> None:
    assert fault_of("00000000", now=NOON + timedelta(minutes=10)) is ProofFault.CODE_EXPIRED


@pytest.mark.requirement("O-13", "P-06")
@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"challenge_id": ChallengeId("chl_b")}, id="another challenge"),
        pytest.param({"action_id": ActionId("act_b")}, id="another action"),
        pytest.param({"payload_digest": b"\x01" + bytes(31)}, id="another payload"),
    ],
)
def test_a_code_asked_for_one_thing_is_refused_for_another(other: dict[str, str | bytes]) -> None:
    binding = CodeBinding(
        **{
            "challenge_id": BINDING.challenge_id,
            "action_id": BINDING.action_id,
            "payload_digest": BINDING.payload_digest,
        }
        | other  # type: ignore[arg-type] # a table of one changed field each
    )

    assert fault_of(binding=binding) is ProofFault.CODE_WRONG


def test_moving_a_letter_between_the_names_gives_another_seal() -> None:
    ab_c = replace(BINDING, challenge_id=ChallengeId("ab"), action_id=ActionId("c"))
    a_bc = replace(BINDING, challenge_id=ChallengeId("a"), action_id=ActionId("bc"))

    sealed = codes.seal(CODE, key=KEY, binding=ab_c, now=NOON)
    assert fault_of(sealed=sealed, binding=a_bc) is ProofFault.CODE_WRONG


def test_a_code_is_refused_under_another_key() -> None:
    assert fault_of(key=bytes(16)) is ProofFault.CODE_WRONG


@given(st.integers(0, 10**8 - 1))
def test_no_other_code_fits(number: int) -> None:
    code = str(number).zfill(8)

    if code != CODE:
        assert fault_of(code) is ProofFault.CODE_WRONG


@pytest.mark.parametrize(
    "code",
    ["", CODE[:-1], CODE + "0", " " + CODE[1:], "+" + CODE[1:], "１２３４５６７８"],
    ids=[
        "empty",
        "seven digits",
        "nine digits",
        "a space",
        "a sign",
        "full-width digits",
    ],
)
def test_what_is_not_eight_plain_digits_is_malformed(code: str) -> None:
    assert fault_of(code) is ProofFault.MALFORMED


@pytest.mark.requirement("P-02")
def test_what_is_stored_does_not_hold_the_code() -> None:
    assert len(SEALED.mac) == 32
    assert CODE not in repr(SEALED)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        pytest.param(lambda: codes.new_code(bytes(15)), "16 random bytes", id="entropy"),
        pytest.param(
            lambda: codes.seal(CODE, key=bytes(15), binding=BINDING, now=NOON), "key", id="key"
        ),
        pytest.param(lambda: replace(BINDING, payload_digest=bytes(31)), "digest", id="digest"),
    ],
)
def test_short_random_bytes_keys_and_digests_are_our_own_mistake(
    broken: object, message: str
) -> None:
    assert callable(broken)
    with pytest.raises(InvariantError, match=message):
        broken()
