from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twinlock.adapters.boxes import Sealer, SubjectKey
from twinlock.adapters.keyring import ring as keyring
from twinlock.adapters.keyring.ring import Role
from twinlock.adapters.system import SystemEntropy
from twinlock.domain.bounds import DOCUMENT_BYTES_MOST
from twinlock.domain.errors import DocumentTooLargeError, InvariantError, SealBrokenError

BORN = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 2, 1, tzinfo=UTC)
RANDOM = bytes(range(44))
NONCE = bytes(range(12))
ALICE, BOB = "acc_alice", "acc_bob"
KEY = SubjectKey(bytes(range(32)))
PLACE = ("account", ALICE, 7)

names = st.text(max_size=8)
places = st.tuples(names, names, st.integers(0, 2**64 - 1))


def seal(plaintext: bytes, place: tuple[str, str, int] = PLACE, nonce: bytes = NONCE) -> bytes:
    kind, row_id, version = place
    return KEY.seal(plaintext, kind=kind, row_id=row_id, version=version, nonce=nonce)


def unseal(box: bytes, place: tuple[str, str, int] = PLACE) -> bytes:
    kind, row_id, version = place
    return KEY.open(box, kind=kind, row_id=row_id, version=version)


@pytest.fixture
def sealer(tmp_path: Path) -> Sealer:
    return Sealer(keyring.create_all(tmp_path / "keys", entropy=SystemEntropy(), now=BORN))


@given(st.binary(max_size=200), places)
def test_what_was_sealed_opens_in_its_place(plaintext: bytes, place: tuple[str, str, int]) -> None:
    assert unseal(seal(plaintext, place), place) == plaintext


@given(places, places)
def test_a_box_opens_nowhere_else(
    place: tuple[str, str, int], elsewhere: tuple[str, str, int]
) -> None:
    if place == elsewhere:
        return
    with pytest.raises(SealBrokenError):
        unseal(seal(b"x", place), elsewhere)


def test_kind_and_id_do_not_run_into_each_other() -> None:
    with pytest.raises(SealBrokenError):
        unseal(seal(b"x", ("ab", "c", 1)), ("a", "bc", 1))


@given(st.data(), st.binary(min_size=1, max_size=50))
def test_no_bit_of_a_box_may_change(data: st.DataObject, plaintext: bytes) -> None:
    box = bytearray(seal(plaintext))
    place = data.draw(st.integers(0, len(box) - 1))
    box[place] ^= 1 << data.draw(st.integers(0, 7))

    with pytest.raises(SealBrokenError):
        unseal(bytes(box))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda box: b"", id="empty"),
        pytest.param(lambda box: box[:27], id="shorter than nonce and tag"),
        pytest.param(lambda box: box[:-1], id="cut"),
        pytest.param(lambda box: box + b"\0", id="longer"),
        pytest.param(lambda box: bytes(12 + DOCUMENT_BYTES_MOST + 17), id="longer than any"),
    ],
)
def test_a_box_of_another_length_is_broken(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(SealBrokenError) as refused:
        unseal(change(seal(b"plaintext")))
    assert refused.value.code == "seal_broken"

    assert unseal(seal(bytes(DOCUMENT_BYTES_MOST))) == bytes(DOCUMENT_BYTES_MOST)
    with pytest.raises(DocumentTooLargeError, match=str(DOCUMENT_BYTES_MOST)):
        seal(bytes(DOCUMENT_BYTES_MOST + 1))


def test_another_subjects_key_opens_nothing() -> None:
    other = SubjectKey(bytes(32))

    with pytest.raises(SealBrokenError):
        other.open(seal(b"x"), kind="account", row_id=ALICE, version=7)


def test_a_negative_version_is_nothing_that_we_sealed() -> None:
    assert unseal(seal(b"x", ("account", ALICE, 0)), ("account", ALICE, 0)) == b"x"
    with pytest.raises(SealBrokenError):
        unseal(seal(b"x"), ("account", ALICE, -1))
    with pytest.raises(InvariantError, match="negative"):
        seal(b"x", ("account", ALICE, -1))


@pytest.mark.parametrize("size", [0, 11, 13])
def test_a_nonce_of_another_length_is_our_bug(size: int) -> None:
    with pytest.raises(InvariantError, match="12 bytes"):
        seal(b"x", nonce=bytes(size))


@pytest.mark.parametrize("size", [16, 31, 33])
def test_a_subjects_key_of_another_length_is_our_bug(size: int) -> None:
    with pytest.raises(InvariantError, match="32 bytes"):
        SubjectKey(bytes(size))


def test_a_new_key_is_wrapped_and_opens_what_it_seals(sealer: Sealer) -> None:
    wrapped = sealer.new_subject_key(ALICE, random=RANDOM)
    box = sealer.open_subject_key(ALICE, wrapped).seal(
        b"x", kind="account", row_id=ALICE, version=1, nonce=NONCE
    )

    again = sealer.open_subject_key(ALICE, wrapped)
    assert len(wrapped) == 68
    assert again.open(box, kind="account", row_id=ALICE, version=1) == b"x"
    assert RANDOM[:32] not in wrapped


def test_a_wrapped_key_is_nobody_elses(sealer: Sealer) -> None:
    with pytest.raises(SealBrokenError):
        sealer.open_subject_key(BOB, sealer.new_subject_key(ALICE, random=RANDOM))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # the sealer has no state
@given(st.integers(0, 67), st.integers(0, 7))
def test_no_bit_of_a_wrapped_key_may_change(sealer: Sealer, place: int, bit: int) -> None:
    wrapped = bytearray(sealer.new_subject_key(ALICE, random=RANDOM))
    wrapped[place] ^= 1 << bit

    with pytest.raises(SealBrokenError):
        sealer.open_subject_key(ALICE, bytes(wrapped))


@pytest.mark.parametrize("size", [0, 7, 8, 67, 69])
def test_a_wrapped_key_of_another_length_is_broken(sealer: Sealer, size: int) -> None:
    wrapped = sealer.new_subject_key(ALICE, random=RANDOM) + b"\0"

    with pytest.raises(SealBrokenError):
        sealer.open_subject_key(ALICE, wrapped[:size])


@pytest.mark.parametrize("size", [43, 45])
def test_a_new_key_takes_44_random_bytes(sealer: Sealer, size: int) -> None:
    with pytest.raises(InvariantError, match="44 random bytes"):
        sealer.new_subject_key(ALICE, random=bytes(size))


def test_after_a_rotation_old_keys_still_open_and_new_ones_are_wrapped_anew(
    tmp_path: Path,
) -> None:
    entropy = SystemEntropy()
    before = Sealer(keyring.create_all(tmp_path / "keys", entropy=entropy, now=BORN))
    old = before.new_subject_key(ALICE, random=RANDOM)

    after = Sealer(keyring.add(tmp_path / "keys", Role.SEAL, entropy=entropy, now=LATER))

    after.open_subject_key(ALICE, old)
    with pytest.raises(SealBrokenError, match="under this keyring"):
        before.open_subject_key(ALICE, after.new_subject_key(ALICE, random=RANDOM))


def test_another_installations_keyring_opens_nothing(sealer: Sealer, tmp_path: Path) -> None:
    other = keyring.create_all(tmp_path / "other", entropy=SystemEntropy(), now=BORN)

    with pytest.raises(SealBrokenError):
        Sealer(other).open_subject_key(ALICE, sealer.new_subject_key(ALICE, random=RANDOM))


# --- Rows that stay in clear ---


@pytest.mark.parametrize(
    ("tag", "parts"),
    [
        pytest.param("head/v1", (b"a", b"c"), id="another value"),
        pytest.param("head/v1", (b"ab",), id="parts that join to the same bytes"),
        pytest.param("head/v1", (b"b", b"a"), id="another order"),
        pytest.param("idempotency/v1", (b"a", b"b"), id="another purpose"),
    ],
)
def test_a_mac_is_for_exactly_its_parts(sealer: Sealer, tag: str, parts: tuple[bytes, ...]) -> None:
    mac = sealer.mac("head/v1", b"a", b"b")
    sealer.check_mac(mac, "head/v1", b"a", b"b")

    with pytest.raises(SealBrokenError):
        sealer.check_mac(mac, tag, *parts)


def test_a_mac_under_an_older_key_still_holds_and_under_a_foreign_one_never(
    tmp_path: Path, sealer: Sealer
) -> None:
    entropy = SystemEntropy()
    before = Sealer(keyring.create_all(tmp_path / "other", entropy=entropy, now=BORN))
    mac = before.mac("head/v1", b"a")
    after = Sealer(keyring.add(tmp_path / "other", Role.SEAL, entropy=entropy, now=LATER))

    after.check_mac(mac, "head/v1", b"a")
    assert after.mac("head/v1", b"a") != mac
    for foreign in (sealer.mac("head/v1", b"a"), b"", mac[:8]):
        with pytest.raises(SealBrokenError):
            after.check_mac(foreign, "head/v1", b"a")
