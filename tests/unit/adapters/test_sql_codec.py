"""Boxes of the store: each opens as what it was sealed as, or is refused."""

import pytest
from support.cast import ALICE, MEMBER, NEW_ADDRESS, NOON

from twinlock.adapters.boxes import NONCE_BYTES, SubjectKey
from twinlock.adapters.sql import codec
from twinlock.adapters.sql.codec import Place
from twinlock.adapters.system import SystemEntropy
from twinlock.domain.account import Account, Chain
from twinlock.domain.canonical import b64url
from twinlock.domain.errors import DocumentTooLargeError, SealBrokenError
from twinlock.domain.ids import DestinationId
from twinlock.domain.listed import Destination

KEY = SubjectKey(bytes(range(32)))
ENTROPY = SystemEntropy()
ACCOUNT = Account(
    account_id=ALICE,
    member_id=MEMBER,
    opened_at=NOON,
    chain=Chain(label_key=b64url(bytes(32))),
)
DESTINATION = Destination(
    destination_id=DestinationId("dst_a"),
    account_id=ALICE,
    version=1,
    network="ethereum",
    address=NEW_ADDRESS,
    memo="",
    added_at=NOON,
)


@pytest.mark.parametrize("value", [ACCOUNT, DESTINATION])
def test_a_stream_opens_as_what_it_was_sealed_as(value: Account | Destination) -> None:
    place = Place(kind=codec.kind_of(value), row_id="row", version=3)

    box = codec.seal(KEY, value, place, entropy=ENTROPY)

    assert codec.unseal_stream(KEY, box, place) == value


def test_what_no_command_locks_is_no_stream() -> None:
    place = Place(kind="action", row_id="row", version=1)
    box = codec.seal(KEY, ACCOUNT, place, entropy=ENTROPY)

    with pytest.raises(SealBrokenError, match="no command locks"):
        codec.unseal_stream(KEY, box, place)


@pytest.mark.parametrize(
    "sealed",
    [
        pytest.param({}, id="no fields"),
        pytest.param({"account_id": 7}, id="a wrong type"),
        pytest.param([], id="no object"),
    ],
)
def test_what_was_sealed_in_another_form_is_refused(sealed: object) -> None:
    """What a newer version of Twinlock sealed, and an older one reads."""
    place = Place(kind="account", row_id="row", version=1)
    box = codec.seal(KEY, sealed, place, entropy=ENTROPY)

    with pytest.raises(SealBrokenError, match="form"):
        codec.unseal_stream(KEY, box, place)


@pytest.mark.parametrize(
    "sealed",
    [
        pytest.param(b"[" * 17_000, id="brackets"),
        pytest.param(b'{"more":' + b"[" * 17_000, id="brackets in a field"),
        pytest.param(b'{"account_id":"\xff"}', id="no text"),
    ],
)
def test_bytes_that_no_value_has_are_refused(sealed: bytes) -> None:
    """Prevents: one sealed row at which an audit breaks before it says a word."""
    place = Place(kind="account", row_id="row", version=1)
    box = KEY.seal(
        sealed,
        kind=place.kind,
        row_id=place.row_id,
        version=place.version,
        nonce=ENTROPY.draw(NONCE_BYTES),
    )

    with pytest.raises(SealBrokenError, match="form"):
        codec.unseal_stream(KEY, box, place)


def test_what_is_too_large_is_not_sealed() -> None:
    with pytest.raises(DocumentTooLargeError):
        codec.seal(KEY, "x" * 30_000, codec.letter_place("serial"), entropy=ENTROPY)


def test_a_letter_opens_under_its_own_serial_only() -> None:
    box = codec.seal(KEY, {}, codec.letter_place("one"), entropy=ENTROPY)

    with pytest.raises(SealBrokenError):
        codec.unseal(KEY, box, codec.NOTICE, codec.letter_place("another"))
