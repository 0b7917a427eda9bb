"""What no box can hold is refused, and not hashed."""

import pytest

from twinlock.domain.audit.openings import Committer, Keyed, read_hashes
from twinlock.domain.bounds import DOCUMENT_BYTES_MOST
from twinlock.domain.canonical import b64url
from twinlock.domain.errors import InvariantError, MalformedError

SALT = b64url(b"s" * 32)


def test_a_value_that_no_box_can_hold_is_refused() -> None:
    one = Committer(["payload"])

    assert one.commitments([SALT], [b"x" * DOCUMENT_BYTES_MOST])
    with pytest.raises(MalformedError):
        one.commitments([SALT], [b"x" * (DOCUMENT_BYTES_MOST + 1)])


@pytest.mark.parametrize("values", [[], [b"one"], [b"one", b"two", b"three"]])
def test_each_field_has_one_value(values: list[bytes]) -> None:
    two = Committer(["action", "payload"])

    assert len(two.commitments([SALT] * 2, [b"one", b"two"])) == 2
    with pytest.raises(ValueError, match="zip"):
        two.commitments([SALT] * 2, values)


@pytest.mark.parametrize("salt", ["", "A" * 42, "A" * 44, "A" * 42 + "=", "é" * 43, "A" * 42 + "B"])
def test_a_salt_that_is_none_is_refused(salt: str) -> None:
    with pytest.raises(MalformedError):
        read_hashes([salt])
    with pytest.raises(MalformedError):
        read_hashes([SALT, salt])


def test_two_wrong_lengths_do_not_make_two_right_ones() -> None:
    with pytest.raises(MalformedError):
        read_hashes([SALT[:-1], SALT + "A"])


def test_a_key_has_32_bytes() -> None:
    with pytest.raises(InvariantError):
        Keyed(b"short")
