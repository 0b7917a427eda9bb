"""The one role that an installation may lack: its RSA key is made, used and ended as all others."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from support.keyrings import the_file
from support.softhsm import make_token

from twinlock.adapters.keyring import ring as keyring
from twinlock.adapters.keyring.ring import REQUIRED, Role, key_id_of
from twinlock.adapters.keyring.rsa_keys import check_signature
from twinlock.adapters.keyring.signing import KeyringTokens
from twinlock.adapters.system import SystemEntropy
from twinlock.domain import canonical
from twinlock.domain.errors import (
    InvariantError,
    KeyringMissingError,
    KeyringWrongError,
    TokenKeyWrongError,
)
from twinlock.domain.transmitting.streams import SignalKeyMissingError, TokenAlgorithm

RSA = Role.SIGNALS_RSA
BORN = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 2, 1, tzinfo=UTC)
LATEST = datetime(2026, 3, 1, tzinfo=UTC)
END = datetime(2026, 4, 1, tzinfo=UTC)
ENTROPY = SystemEntropy()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    keyring.create_all(tmp_path / "keys", entropy=ENTROPY, now=BORN)
    return tmp_path / "keys"


def announce(directory: Path, *, now: datetime = LATER) -> keyring.Keyring:
    return keyring.announce(directory, RSA, entropy=ENTROPY, now=now)


def change(path: Path, **fields: object) -> None:
    content = json.loads(path.read_bytes()) | fields
    kept = {name: value for name, value in content.items() if value is not None}
    path.write_bytes(canonical.encode(kept))


def signing_key(held: keyring.Keyring) -> str:
    return KeyringTokens(held).by(TokenAlgorithm.RS256).key_id


def test_a_new_keyring_has_none_and_signs_nothing_by_rs256(directory: Path) -> None:
    held = keyring.load(directory)

    assert held.all_keys(RSA) == ()
    assert held.maker(RSA) is None
    assert {one.algorithm for one in KeyringTokens(held).public_keys()} == {TokenAlgorithm.EDDSA}
    with pytest.raises(SignalKeyMissingError, match="keys rotate signals-rsa"):
        signing_key(held)
    with pytest.raises(InvariantError, match="may have no"):
        held.current(RSA)


def test_a_key_is_announced_used_succeeded_and_retired(directory: Path) -> None:
    """The keyring's name stays throughout, and each step follows from the one before."""
    steps = [keyring.load(directory), announce(directory)]
    first = steps[-1].keys(RSA)[0]
    assert KeyringTokens(steps[-1]).public_keys()[-1].public == first.public
    with pytest.raises(SignalKeyMissingError):
        signing_key(steps[-1])

    steps.append(keyring.activate(directory, RSA, now=LATER + timedelta(minutes=1)))
    assert signing_key(steps[-1]) == first.key_id
    steps.append(announce(directory, now=LATEST))
    assert signing_key(steps[-1]) == first.key_id
    steps.append(keyring.activate(directory, RSA, now=END))
    second = signing_key(steps[-1])
    assert [key.key_id for key in steps[-1].keys(RSA)] == [second, first.key_id]

    with pytest.raises(KeyringWrongError, match="may go"):
        keyring.retire(directory, RSA, second, now=END)
    text = canonical.b64url(first.secret)
    assert text in the_file(directory, RSA).read_text()
    steps.append(keyring.retire(directory, RSA, first.key_id, now=END))

    assert text not in the_file(directory, RSA).read_text()
    told = [one.key_id for one in KeyringTokens(steps[-1]).public_keys()]
    assert second in told
    assert first.key_id not in told
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}
    assert {one.fingerprint() for one in steps} == {steps[0].fingerprint()}
    assert all(new.follows(old) for old, new in pairwise(steps))
    assert not any(old.follows(new) for old, new in pairwise(steps))


def test_a_loaded_key_signs_what_its_public_half_verifies_and_is_not_shown(
    directory: Path,
) -> None:
    (key,) = keyring.add(directory, RSA, entropy=ENTROPY, now=LATER).keys(RSA)
    assert key.public is not None

    check_signature(key.public, key.signer().sign(b"x"), b"x")

    assert key.signer().public == key.public
    assert (len(key.secret), len(key.public)) == (384, 384)
    assert the_file(directory, RSA).stat().st_size < 1_400
    assert repr(key.secret) not in repr(key)
    assert canonical.b64url(key.secret) not in repr(key)


def test_a_first_key_is_withdrawn_and_another_takes_its_place(directory: Path) -> None:
    (first,) = announce(directory).keys(RSA)
    keyring.retire(directory, RSA, first.key_id, now=LATER)
    announce(directory, now=LATEST)

    held = keyring.activate(directory, RSA, now=END)

    assert signing_key(held) != first.key_id


def test_a_first_key_is_not_used_from_before_it_was_there(directory: Path) -> None:
    with pytest.raises(KeyringWrongError, match="no signals-rsa key is announced"):
        keyring.activate(directory, RSA, now=LATER)
    announce(directory)
    for now in (LATER, BORN):
        with pytest.raises(KeyringWrongError, match="announced that is younger"):
            keyring.activate(directory, RSA, now=now)


def test_a_role_that_made_once_is_never_without_a_key_that_makes(directory: Path) -> None:
    (first,) = keyring.add(directory, RSA, entropy=ENTROPY, now=LATER).keys(RSA)
    keyring.add(directory, RSA, entropy=ENTROPY, now=LATEST)
    keyring.retire(directory, RSA, first.key_id, now=END)
    the_file(directory, RSA, number=1).unlink()

    with pytest.raises(KeyringMissingError, match="no signals-rsa key"):
        keyring.load(directory)


# --- Files that no command wrote ---


def test_a_damaged_file_is_no_key(directory: Path) -> None:
    keyring.add(directory, RSA, entropy=ENTROPY, now=LATER)
    path = the_file(directory, RSA)
    whole, content = path.read_bytes(), json.loads(path.read_bytes())
    secret = canonical.from_b64url(content["key"])
    for fields in (
        {"key": canonical.b64url(bytes([secret[0] ^ 1]) + secret[1:])},
        {"key": canonical.b64url(secret[:-1] + bytes([secret[-1] ^ 2]))},
        {"key": canonical.b64url(secret[192:] + secret[:192])},
        {"key": canonical.b64url(secret[:-1])},
        {"key": canonical.b64url(secret[:32])},
        {"key": None},
        {"public": canonical.b64url(b"\xff" * 384)},
        {"public": content["public"][:43]},
        {"public": None},
        {"role": "signals"},
        {"retired_at": "2026-02-01T00:00:00Z"},
        {"id": "0" * 16},
    ):
        path.write_bytes(whole)
        change(path, **fields)
        with pytest.raises(KeyringWrongError, match=r"is not a key|another name") as refused:
            keyring.load(directory)
        assert content["key"][:40] not in str(refused.value)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(KeyringWrongError, match="is not a key"):
        keyring.load(directory)
    path.write_bytes(whole)
    path.chmod(0o640)
    with pytest.raises(KeyringWrongError, match="open to others"):
        keyring.load(directory)
    path.chmod(0o600)
    keyring.load(directory)


def test_a_key_of_another_size_is_refused_though_all_else_fits(directory: Path) -> None:
    keyring.add(directory, RSA, entropy=ENTROPY, now=LATER)
    numbers = rsa.generate_private_key(65_537, 2_048).private_numbers()
    p, q = max(numbers.p, numbers.q), min(numbers.p, numbers.q)
    for size in (128, 192):  # As short as it is, and as long as ours.
        public = (p * q).to_bytes(2 * size, "big")
        path, key_id = the_file(directory, RSA), key_id_of(RSA, public)
        secret = p.to_bytes(size, "big") + q.to_bytes(size, "big")
        change(path, id=key_id, key=canonical.b64url(secret), public=canonical.b64url(public))
        path.rename(directory / f"{RSA}-{key_id}.json")
        with pytest.raises(KeyringWrongError, match="is not a key"):
            keyring.load(directory)


# --- In a token ---


def test_in_a_token_its_life_is_the_same(tmp_path: Path, directory: Path) -> None:
    token = make_token(tmp_path).opened()
    before = keyring.load(directory).fingerprint()
    keyring.announce(directory, RSA, entropy=ENTROPY, now=LATER, token=token)
    held = keyring.activate(directory, RSA, now=LATEST, token=token)
    (first,) = held.keys(RSA)
    assert first.record.in_token
    assert first.material is None
    assert first.public is not None

    check_signature(first.public, KeyringTokens(held).by(TokenAlgorithm.RS256).sign(b"x"), b"x")

    minute = timedelta(minutes=1)
    keyring.announce(directory, RSA, entropy=ENTROPY, now=LATEST + minute, token=token)
    keyring.activate(directory, RSA, now=END, token=token)
    held = keyring.retire(directory, RSA, first.key_id, now=END, token=token)
    assert held.fingerprint() == before
    assert signing_key(held) != first.key_id
    with pytest.raises(TokenKeyWrongError, match="holds no signals-rsa key"):
        token.signing(RSA, first.handle, public=first.public)

    handle = held.keys(RSA)[0].handle
    with pytest.raises(TokenKeyWrongError, match="is another one"):
        token.signing(RSA, handle, public=first.public)
    with pytest.raises(TokenKeyWrongError, match="is another one"):
        token.signing(RSA, handle, public=bytes(384))
    token.destroy(RSA, handle)
    with pytest.raises(TokenKeyWrongError, match="holds no signals-rsa key"):
        keyring.load(directory, token)


def test_no_other_role_is_optional() -> None:
    assert set(Role) - set(REQUIRED) == {RSA, Role.PRICES}
