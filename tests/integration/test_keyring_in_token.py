"""A keyring whose keys lie in a token: made, loaded, refused, rotated; and beside files."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.keyrings import the_file
from support.softhsm import SoftToken, make_token

from twinlock.adapters.boxes import NEW_KEY_ENTROPY_BYTES, OPENED_MOST, Sealer
from twinlock.adapters.keyring import ring as keyring
from twinlock.adapters.keyring.pkcs11 import Token
from twinlock.adapters.keyring.ring import REQUIRED, Role
from twinlock.adapters.keyring.signing import KeyringSigner, log_keys, trust
from twinlock.adapters.system import SystemEntropy
from twinlock.adapters.witnesses import read_policy
from twinlock.domain import canonical
from twinlock.domain.errors import (
    KeyringWrongError,
    SealBrokenError,
    TokenKeyWrongError,
    TokenMissingError,
    TokenUnavailableError,
)
from twinlock.domain.keys import SIGNING
from twinlock.domain.log.note import parse_note
from twinlock.ports.log import (
    Head,
)
from twinlock.proofs.notes import verify_checkpoint

BORN = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 2, 1, tzinfo=UTC)
LATEST = datetime(2026, 3, 1, tzinfo=UTC)
END = datetime(2026, 4, 1, tzinfo=UTC)
ENTROPY = SystemEntropy()
SYMMETRIC = [role for role in REQUIRED if role not in SIGNING]
ORIGIN = "log.example/twinlock"


@pytest.fixture
def soft(tmp_path: Path) -> SoftToken:
    return make_token(tmp_path)


@pytest.fixture
def token(soft: SoftToken) -> Token:
    return soft.opened()


@pytest.fixture
def directory(tmp_path: Path, token: Token) -> Path:
    keyring.create_all(tmp_path / "keys", entropy=ENTROPY, now=BORN, token=token)
    return tmp_path / "keys"


def change(path: Path, **fields: object) -> None:
    content = json.loads(path.read_bytes()) | fields
    kept = {name: value for name, value in content.items() if value is not None}
    path.write_bytes(canonical.encode(kept))


def test_a_keyring_in_a_token_loads_as_it_was_made(directory: Path, token: Token) -> None:
    held, again = keyring.load(directory, token), keyring.load(directory, token)

    assert held.fingerprint() == again.fingerprint()
    for role in REQUIRED:
        one, other = held.current(role), again.current(role)
        assert one.record == other.record
        assert (one.material, one.public) == (other.material, other.public)
        assert one.record.in_token
    assert {role for role in REQUIRED if held.current(role).material is None} == SIGNING - {
        Role.SIGNALS_RSA
    }


@pytest.mark.requirement("O-31")
def test_what_lies_in_the_files_is_worth_nothing_without_the_token(
    directory: Path, token: Token
) -> None:
    held = keyring.load(directory, token)
    text = "".join(path.read_text() for path in directory.iterdir())

    for role in SYMMETRIC:
        assert canonical.b64url(held.current(role).secret) not in text
        assert repr(held.current(role).secret) not in repr(held.current(role))
    with pytest.raises(TokenMissingError, match="TWINLOCK_PKCS11_MODULE"):
        keyring.load(directory)


def test_another_token_is_refused(directory: Path, tmp_path: Path) -> None:
    other = make_token(tmp_path).opened()
    with pytest.raises(TokenKeyWrongError, match="holds no"):
        keyring.load(directory, other)


@pytest.mark.parametrize("role", REQUIRED)
def test_a_key_that_is_gone_from_the_token_is_refused(
    directory: Path, token: Token, role: Role
) -> None:
    token.destroy(role, keyring.load(directory, token).current(role).handle)

    with pytest.raises(TokenKeyWrongError, match=f"holds no {role} key"):
        keyring.load(directory, token)


@pytest.mark.parametrize("role", SYMMETRIC)
def test_another_key_in_its_place_is_refused(directory: Path, token: Token, role: Role) -> None:
    handle = keyring.load(directory, token).current(role).handle
    token.destroy(role, handle)
    token.make_seal(role, handle)

    with pytest.raises(TokenKeyWrongError, match="is another one"):
        keyring.load(directory, token)


def test_another_signing_key_in_its_place_is_refused(directory: Path, token: Token) -> None:
    handle = keyring.load(directory, token).current(Role.LOG).handle
    token.destroy(Role.LOG, handle)
    token.make_signing(Role.LOG, handle)

    with pytest.raises(TokenKeyWrongError, match="is another one"):
        keyring.load(directory, token)


def test_a_wrapped_secret_of_another_role_is_refused(directory: Path, token: Token) -> None:
    """Both roles' files point at one key in the token: the secret is bound to its role and id."""
    seal, platform = the_file(directory, Role.SEAL), the_file(directory, Role.PLATFORM)
    wrapped = json.loads(platform.read_bytes())["wrapped"]
    change(seal, wrapped=wrapped)

    with pytest.raises(TokenKeyWrongError, match="is another one"):
        keyring.load(directory, token)


def test_a_token_that_is_gone_is_told(directory: Path, token: Token, soft: SoftToken) -> None:
    with soft.gone(), pytest.raises((TokenUnavailableError, TokenKeyWrongError)):
        keyring.load(directory, token)
    assert keyring.load(directory, token).current(Role.LOG).handle


@pytest.mark.parametrize("role", REQUIRED)
def test_a_role_moves_from_a_file_into_the_token_and_on(
    tmp_path: Path, token: Token, role: Role
) -> None:
    directory = tmp_path / "files"
    old = keyring.create_all(directory, entropy=ENTROPY, now=BORN).current(role)
    before = keyring.load(directory).fingerprint()

    keyring.announce(directory, role, entropy=ENTROPY, now=LATER, token=token)
    moved = keyring.activate(directory, role, now=LATEST, token=token)
    assert moved.current(role).handle
    assert not moved.keys(role)[1].handle
    keyring.retire(directory, role, old.key_id, now=LATEST, token=token)
    there = moved.current(role)
    keyring.add(directory, role, entropy=ENTROPY, now=END, token=token)
    held = keyring.retire(directory, role, there.key_id, now=END, token=token)

    assert held.fingerprint() == before
    assert held.current(role).handle != there.handle
    with pytest.raises(TokenKeyWrongError):
        token.signing(role, there.handle, public=there.public or bytes(32))
    # A command that ended before it told the token is finished by the next one.
    again = keyring.retire(directory, role, there.key_id, now=END, token=token)
    assert [one.record for one in again.all_keys(role)] == [
        one.record for one in held.all_keys(role)
    ]


def test_a_keyring_is_never_made_over_another_one_in_the_token_either(
    directory: Path, token: Token
) -> None:
    before = keyring.load(directory, token).fingerprint()
    with pytest.raises(KeyringWrongError):
        keyring.create_all(directory, entropy=ENTROPY, now=LATER, token=token)
    assert keyring.load(directory, token).fingerprint() == before


def test_boxes_and_rows_are_sealed_as_with_files(directory: Path, token: Token) -> None:
    sealer = Sealer(keyring.load(directory, token))
    random = ENTROPY.draw(NEW_KEY_ENTROPY_BYTES)

    wrapped = sealer.new_subject_key("acc_a", random=random)
    box = sealer.open_subject_key("acc_a", wrapped).seal(
        b"x", kind="account", row_id="acc_a", version=1, nonce=bytes(12)
    )

    assert len(wrapped) == 68
    again = Sealer(keyring.load(directory, token)).open_subject_key("acc_a", wrapped)
    assert again.open(box, kind="account", row_id="acc_a", version=1) == b"x"
    with pytest.raises(SealBrokenError):
        sealer.open_subject_key("acc_b", wrapped)
    mac = sealer.mac("head/v1", b"row")
    Sealer(keyring.load(directory, token)).check_mac(mac, "head/v1", b"row")


def test_a_subjects_key_is_unwrapped_once_for_each_subject_and_wrapping(
    directory: Path, token: Token, soft: SoftToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twinlock.adapters.boxes.OPENED_MOST", 2)
    sealer = Sealer(keyring.load(directory, token))
    wrapped = {
        name: sealer.new_subject_key(name, random=ENTROPY.draw(NEW_KEY_ENTROPY_BYTES))
        for name in ("acc_a", "acc_b", "acc_c")
    }
    for name, one in wrapped.items():
        sealer.open_subject_key(name, one)
    with soft.gone():
        for name in ("acc_b", "acc_c", "acc_b"):
            sealer.open_subject_key(name, wrapped[name])
        with pytest.raises(TokenUnavailableError):
            sealer.open_subject_key("acc_a", wrapped["acc_a"])
        with pytest.raises(TokenUnavailableError):
            sealer.open_subject_key("acc_a", wrapped["acc_b"])
    assert OPENED_MOST > 2


def test_checkpoints_of_a_token_are_what_anybody_verifies(directory: Path, token: Token) -> None:
    held = keyring.load(directory, token)
    head = Head(size=3, root=bytes(32))

    note = KeyringSigner(held, log_origin=ORIGIN).checkpoint(head)

    told = trust(
        held,
        log_policy=read_policy(
            None, logs=log_keys(held, log_origin=ORIGIN), url="http://localhost"
        ),
        rp_id="localhost",
        origin="http://localhost",
        policies=(),
    )
    found = verify_checkpoint(parse_note(note), told.log_policy, origin=ORIGIN)
    assert found.checkpoint.size == 3
    assert KeyringSigner(held, log_origin=ORIGIN).checkpoint(head) == note


def test_a_copied_directory_works_with_the_same_token(
    directory: Path, token: Token, tmp_path: Path
) -> None:
    shutil.copytree(directory, tmp_path / "copy")

    copied = keyring.load(tmp_path / "copy", token)
    assert copied.fingerprint() == keyring.load(directory, token).fingerprint()
