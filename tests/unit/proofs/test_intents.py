import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinlock.domain.canonical import tagged_hash
from twinlock.domain.errors import InvariantError
from twinlock.proofs.intents import challenge

nonces = st.binary(min_size=16, max_size=40)
payloads = st.binary(max_size=40)


def test_a_challenge_is_the_tagged_hash_of_nonce_and_payload() -> None:
    nonce, payload = bytes(range(16)), b'{"amount":"1"}'

    assert challenge(nonce, payload) == tagged_hash("intent/v1", nonce, payload)
    assert challenge(nonce, payload).hex() == (
        "4696dd5ff29f06fb0c1094860c21b0cb93e997fc4ca5b749213259f662d3df13"
    )


@pytest.mark.requirement("O-14", "P-02")
@given(nonces, payloads, nonces, payloads)
def test_two_questions_never_share_a_challenge(
    nonce: bytes, payload: bytes, other_nonce: bytes, other_payload: bytes
) -> None:
    same = challenge(nonce, payload) == challenge(other_nonce, other_payload)

    assert same == ((nonce, payload) == (other_nonce, other_payload))


def test_moving_a_byte_from_the_payload_into_the_nonce_changes_the_challenge() -> None:
    assert challenge(bytes(16) + b"a", b"b") != challenge(bytes(16), b"ab")


@pytest.mark.requirement("O-14")
def test_a_nonce_of_16_bytes_is_the_shortest() -> None:
    assert len(challenge(bytes(16), b"{}")) == 32
    with pytest.raises(InvariantError, match="at least 16 bytes"):
        challenge(bytes(15), b"{}")
