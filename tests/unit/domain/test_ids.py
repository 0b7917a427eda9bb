import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cast import ALICE

from twinlock.domain.errors import InvariantError, MalformedError
from twinlock.domain.ids import account_id, account_of, action_id, parse_account_id, tail

ENTROPY = bytes(range(16))


def test_an_id_says_what_it_names_and_26_characters_more() -> None:
    assert account_id(ENTROPY) == f"acc_{tail(ENTROPY)}"
    assert len(tail(ENTROPY)) == 26


@given(st.binary(min_size=16, max_size=16))
def test_a_tail_is_base32_as_rfc_4648_writes_it(entropy: bytes) -> None:
    assert tail(entropy) == base64.b32encode(entropy).decode("ascii").rstrip("=").lower()


def test_an_action_carries_its_account() -> None:
    assert account_of(action_id(ALICE, ENTROPY)) == ALICE


def test_a_well_formed_account_id_is_read() -> None:
    assert parse_account_id(ALICE) == ALICE


@pytest.mark.parametrize("size", [0, 15, 17])
def test_an_id_takes_sixteen_random_bytes(size: int) -> None:
    with pytest.raises(InvariantError, match="16 random bytes"):
        tail(b"x" * size)


NO_ID = {
    "empty": "",
    "another kind": ALICE.replace("acc", "mem"),
    "upper case": ALICE.upper(),
    "one character short": ALICE[:-1],
    "one character long": ALICE + "a",
    "a digit outside base32": ALICE[:-1] + "1",
    "a line feed after it": ALICE + "\n",
    "a path": "acc_../../etc",
}


@pytest.mark.parametrize("text", NO_ID.values(), ids=NO_ID)
def test_what_is_no_account_id_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        parse_account_id(text)


@pytest.mark.parametrize("text", [*NO_ID.values(), ALICE, f"act_{ALICE}", "act__"])
def test_what_is_no_action_id_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        account_of(text)
