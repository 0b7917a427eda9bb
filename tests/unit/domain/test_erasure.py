"""What the leaf of an erasure says, held against what is claimed of it."""

import json

import pytest
from support.cast import ALICE, BOB

from twinlock.domain.canonical import b64url, commit, encode
from twinlock.domain.entries import erased_value
from twinlock.domain.erasure import check_erased
from twinlock.domain.errors import LogDamagedError

SALT, OTHER = b"s" * 32, b"o" * 32


def leaf(kind: str = "account.erased", *, field: str = "erased") -> bytes:
    commitment = commit(SALT, "erased", erased_value(ALICE, 7))
    return encode({"at": 1, "c": {field: b64url(commitment)}, "t": kind})


def test_a_leaf_says_whose_erasure_it_is_and_of_how_many_entries() -> None:
    assert json.loads(erased_value(ALICE, 7)) == [ALICE, 7]
    check_erased(leaf(), ALICE, entries=7, salt=SALT)


@pytest.mark.parametrize(
    ("said", "account", "entries", "salt"),
    [
        (leaf(), BOB, 7, SALT),
        (leaf(), ALICE, 6, SALT),
        (leaf(), ALICE, 8, SALT),
        (leaf(), ALICE, 7, OTHER),
        (leaf(), ALICE, 7, b""),
        (leaf("account.erase"), ALICE, 7, SALT),
        (leaf(field="account"), ALICE, 7, SALT),
        (b"", ALICE, 7, SALT),
        (b"{}", ALICE, 7, SALT),
        (b'{"at":1,"c":{},"t":"account.erased"}', ALICE, 7, SALT),
        (b"\xff", ALICE, 7, SALT),
    ],
)
def test_a_leaf_that_says_anything_else_is_no_erasure(
    said: bytes, account: str, entries: int, salt: bytes
) -> None:
    with pytest.raises(LogDamagedError):
        check_erased(said, account, entries=entries, salt=salt)
