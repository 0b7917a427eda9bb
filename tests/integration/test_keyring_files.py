"""A keyring in real files: what is loaded, and every way in which it is refused."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from twinlock.adapters.keyring import ring as keyring
from twinlock.adapters.keyring.ring import REQUIRED, Role
from twinlock.adapters.system import SystemEntropy
from twinlock.domain import canonical
from twinlock.domain.errors import InvariantError, KeyringMissingError, KeyringWrongError

BORN = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 2, 1, tzinfo=UTC)
ENTROPY = SystemEntropy()
SIGNING = (Role.LOG, Role.AUTHORIZATION, Role.ANSWERS)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    keyring.create_all(tmp_path / "keys", entropy=ENTROPY, now=BORN)
    return tmp_path / "keys"


def the_file(directory: Path, role: Role) -> Path:
    (path,) = directory.glob(f"{role}-*.json")
    return path


def change(path: Path, **fields: object) -> None:
    """Rewrite a key file with other fields, canonically: None takes a field away."""
    content = json.loads(path.read_bytes()) | fields
    kept = {name: value for name, value in content.items() if value is not None}
    path.write_bytes(canonical.encode(kept))


def test_a_new_keyring_has_one_private_file_for_each_role(directory: Path) -> None:
    assert directory.stat().st_mode & 0o777 == 0o700
    assert len(list(directory.iterdir())) == len(REQUIRED)
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}


def test_a_keyring_loads_as_it_was_made(directory: Path) -> None:
    loaded = keyring.load(directory)

    for role in REQUIRED:
        key = loaded.current(role)
        assert (key.role, key.created_at, len(key.secret)) == (role, BORN, 32)
        assert loaded.keys(role) == (key,)
    assert loaded.keys(Role.PRICES) == ()


def test_signing_keys_sign_and_others_do_not(directory: Path) -> None:
    loaded = keyring.load(directory)

    for role in SIGNING:
        key = loaded.current(role)
        signer = key.signer()
        assert key.public is not None
        assert signer.public == key.public
        Ed25519PublicKey.from_public_bytes(key.public).verify(signer.sign(b"x"), b"x")
    for role in (Role.SEAL, Role.PLATFORM):
        assert loaded.current(role).public is None
        with pytest.raises(InvariantError, match="does not sign"):
            loaded.current(role).signer()


def test_no_secret_stands_in_a_repr(directory: Path) -> None:
    for role in REQUIRED:
        key = keyring.load(directory).current(role)
        assert repr(key.secret) not in repr(key)
        assert canonical.b64url(key.secret) not in repr(key)


def test_two_keyrings_share_no_key_and_no_fingerprint(directory: Path, tmp_path: Path) -> None:
    one = keyring.load(directory)
    two = keyring.create_all(tmp_path / "other", entropy=ENTROPY, now=BORN)

    assert one.fingerprint() != two.fingerprint()
    assert one.fingerprint() == keyring.load(directory).fingerprint()
    secrets = {ring.current(role).secret for ring in (one, two) for role in REQUIRED}
    assert len(secrets) == 2 * len(REQUIRED)


@pytest.mark.parametrize("role", REQUIRED)
def test_an_added_key_makes_and_the_old_one_reads(directory: Path, role: Role) -> None:
    before = keyring.load(directory)
    after = keyring.add(directory, role, entropy=ENTROPY, now=LATER)

    assert after.keys(role)[1:] == before.keys(role)
    assert after.current(role).created_at == LATER
    assert after.fingerprint() == before.fingerprint()


@pytest.mark.parametrize("role", REQUIRED)
def test_another_installations_key_changes_the_fingerprint(
    directory: Path, tmp_path: Path, role: Role
) -> None:
    before = keyring.load(directory)
    keyring.create_all(tmp_path / "other", entropy=ENTROPY, now=BORN)
    the_file(directory, role).unlink()
    foreign = the_file(tmp_path / "other", role)
    foreign.rename(directory / foreign.name)

    assert keyring.load(directory).fingerprint() != before.fingerprint()


@pytest.mark.parametrize("now", [BORN, BORN - timedelta(days=1)])
def test_an_added_key_must_be_the_youngest(directory: Path, now: datetime) -> None:
    with pytest.raises(KeyringWrongError, match="not older"):
        keyring.add(directory, Role.SEAL, entropy=ENTROPY, now=now)


def test_a_price_key_is_somebody_elses_and_public_only(directory: Path) -> None:
    public = keyring.load(directory).current(Role.LOG).public
    assert public is not None

    loaded = keyring.trust_prices(directory, public, now=LATER)

    (key,) = loaded.keys(Role.PRICES)
    assert (key.public, key.created_at) == (public, LATER)
    with pytest.raises(InvariantError, match="no secret"):
        _ = key.secret
    with pytest.raises(InvariantError, match="may have no"):
        loaded.current(Role.PRICES)
    with pytest.raises(InvariantError, match="not ours to make"):
        keyring.add(directory, Role.PRICES, entropy=ENTROPY, now=LATER)


def test_a_price_key_that_is_known_is_not_added_again(directory: Path) -> None:
    public = bytes(range(32))
    keyring.trust_prices(directory, public, now=LATER)

    again = keyring.trust_prices(directory, public, now=LATER + timedelta(days=1))

    assert [key.created_at for key in again.keys(Role.PRICES)] == [LATER]


def test_a_full_keyring_takes_no_key_more_and_still_loads(directory: Path) -> None:
    for number in range(keyring.MAX_KEYS - len(REQUIRED)):
        keyring.add(directory, Role.SEAL, entropy=ENTROPY, now=LATER + timedelta(days=number))

    with pytest.raises(KeyringWrongError, match="holds 256 keys"):
        keyring.trust_prices(directory, bytes(32), now=LATER)

    assert keyring.load(directory).keys(Role.PRICES) == ()


@pytest.mark.parametrize("size", [31, 33])
def test_a_price_key_of_another_length_is_refused(directory: Path, size: int) -> None:
    with pytest.raises(InvariantError, match="32 bytes"):
        keyring.trust_prices(directory, bytes(size), now=LATER)


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(BORN.replace(tzinfo=None), id="without a zone"),
        pytest.param(BORN.astimezone(timezone(timedelta(hours=1))), id="an hour east"),
    ],
)
def test_a_key_is_born_in_utc(tmp_path: Path, now: datetime) -> None:
    with pytest.raises(InvariantError, match="UTC"):
        keyring.create_all(tmp_path / "keys", entropy=ENTROPY, now=now)


def test_a_keyring_is_never_overwritten(directory: Path, tmp_path: Path) -> None:
    before = keyring.load(directory).fingerprint()

    with pytest.raises(KeyringWrongError, match="exists already"):
        keyring.create_all(directory, entropy=ENTROPY, now=LATER)

    assert keyring.load(directory).fingerprint() == before
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]


def test_a_keyring_may_be_made_in_an_empty_directory_and_after_a_killed_attempt(
    tmp_path: Path,
) -> None:
    (tmp_path / "keys").mkdir()
    killed = tmp_path / f".keys.{os.getpid()}.new"
    killed.mkdir()
    (killed / "seal-00.json").write_bytes(b"half")

    keyring.create_all(tmp_path / "keys", entropy=ENTROPY, now=BORN)

    assert [path.name for path in tmp_path.iterdir()] == ["keys"]


def test_no_keyring_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(KeyringMissingError, match="twinlock keys init") as refused:
        keyring.load(tmp_path / "keys")
    assert refused.value.code == "keyring_missing"


@pytest.mark.parametrize("role", REQUIRED)
def test_a_role_without_a_key_is_missing(directory: Path, role: Role) -> None:
    the_file(directory, role).unlink()

    with pytest.raises(KeyringMissingError, match=f"no {role} key"):
        keyring.load(directory)


@pytest.mark.parametrize("mode", [0o701, 0o710, 0o755, 0o770])
def test_an_open_directory_is_refused(directory: Path, mode: int) -> None:
    directory.chmod(mode)

    with pytest.raises(KeyringWrongError, match="open to others"):
        keyring.load(directory)


@pytest.mark.requirement("O-31")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
@pytest.mark.parametrize("role", REQUIRED)
def test_an_open_file_is_refused(directory: Path, role: Role, mode: int) -> None:
    the_file(directory, role).chmod(mode)

    with pytest.raises(KeyringWrongError, match="open to others"):
        keyring.load(directory)


def test_a_linked_directory_is_refused(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(directory)

    with pytest.raises(KeyringWrongError, match="not a directory of its own"):
        keyring.load(tmp_path / "link")


def test_a_linked_file_is_refused(directory: Path, tmp_path: Path) -> None:
    path = the_file(directory, Role.SEAL)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(KeyringWrongError, match="cannot be opened"):
        keyring.load(directory)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("what", ["directory", "file"])
def test_another_users_keyring_is_refused(directory: Path, what: str) -> None:
    os.chown(directory if what == "directory" else the_file(directory, Role.LOG), 65_534, -1)

    with pytest.raises(KeyringWrongError, match="belongs to user 65534"):
        keyring.load(directory)


@pytest.mark.parametrize("name", ["seal.json", "seal-12.json~", ".seal.json.new", "notes.txt"])
def test_a_stranger_in_the_directory_is_refused(directory: Path, name: str) -> None:
    (directory / name).write_bytes(b"")

    with pytest.raises(KeyringWrongError, match="does not belong"):
        keyring.load(directory)


def test_more_files_than_a_keyring_may_have_are_refused_unread(directory: Path) -> None:
    for number in range(253):
        (directory / f"seal-{number:016x}.json").touch()

    with pytest.raises(KeyringWrongError, match="more than 256"):
        keyring.load(directory)


def test_a_key_in_another_roles_place_is_refused(directory: Path) -> None:
    log, authorization, _ = (the_file(directory, role) for role in SIGNING)
    authorization.write_bytes(log.read_bytes())

    with pytest.raises(KeyringWrongError, match="another name or role"):
        keyring.load(directory)


def test_a_secret_relabelled_for_another_role_is_refused(directory: Path) -> None:
    change(the_file(directory, Role.PLATFORM), role="seal")

    with pytest.raises(KeyringWrongError, match="is not a key"):
        keyring.load(directory)


def test_one_secret_in_two_roles_is_refused(directory: Path) -> None:
    seal = keyring.load(directory).current(Role.SEAL).secret
    key_id = canonical.tagged_hash("key-id/v1", b"platform", seal)[:8].hex()
    path = the_file(directory, Role.PLATFORM)
    change(path, id=key_id, key=canonical.b64url(seal))
    path.rename(directory / f"platform-{key_id}.json")

    with pytest.raises(KeyringWrongError, match="serves two roles"):
        keyring.load(directory)


def test_two_keys_of_one_birth_are_refused(directory: Path) -> None:
    keyring.add(directory, Role.SEAL, entropy=ENTROPY, now=LATER)
    for path in directory.glob("seal-*.json"):
        change(path, created_at="2026-01-01T00:00:00Z")

    with pytest.raises(KeyringWrongError, match="none is the youngest"):
        keyring.load(directory)


OTHER = canonical.b64url(b"\x01" * 32)


@pytest.mark.parametrize(
    ("role", "fields"),
    [
        pytest.param(Role.SEAL, {"key": canonical.b64url(bytes(31))}, id="a short secret"),
        pytest.param(Role.SEAL, {"key": canonical.b64url(bytes(33))}, id="a long secret"),
        pytest.param(Role.SEAL, {"key": "!" * 43}, id="a secret that is not base64url"),
        pytest.param(Role.SEAL, {"key": OTHER}, id="another secret under this id"),
        pytest.param(Role.SEAL, {"key": None}, id="no secret"),
        pytest.param(Role.SEAL, {"public": OTHER}, id="a public key where none belongs"),
        pytest.param(Role.SEAL, {"id": "0" * 16}, id="another id"),
        pytest.param(Role.SEAL, {"role": "prices"}, id="a secret where none belongs"),
        pytest.param(Role.SEAL, {"role": "root"}, id="an unknown role"),
        pytest.param(Role.SEAL, {"extra": 1}, id="an unknown field"),
        pytest.param(Role.SEAL, {"created_at": None}, id="no birth"),
        pytest.param(Role.SEAL, {"created_at": 0}, id="a birth that is no instant"),
        pytest.param(Role.SEAL, {"key": None, "role": "prices"}, id="neither secret nor public"),
        pytest.param(Role.LOG, {"public": OTHER}, id="another public key"),
        pytest.param(Role.LOG, {"public": None}, id="no public key"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_no_key(
    directory: Path, role: Role, fields: dict[str, object]
) -> None:
    change(the_file(directory, role), **fields)

    with pytest.raises(KeyringWrongError, match="is not a key"):
        keyring.load(directory)


@pytest.mark.parametrize(
    "rewrite",
    [
        pytest.param(lambda data: data + b"\n", id="a newline after it"),
        pytest.param(lambda data: data.replace(b":", b": ", 1), id="a space in it"),
        pytest.param(lambda data: data.replace(b"00Z", b"00"), id="a birth without a zone"),
        pytest.param(lambda data: data.replace(b"00Z", b"00+00:00"), id="a zone spelled out"),
        pytest.param(lambda data: data.replace(b"00Z", b"00+01:00"), id="a birth elsewhere"),
        pytest.param(lambda data: data[:-1] + b',"role":"seal"}', id="a doubled key"),
    ],
)
def test_a_file_in_another_form_is_refused(
    directory: Path, rewrite: Callable[[bytes], bytes]
) -> None:
    path = the_file(directory, Role.SEAL)
    path.write_bytes(rewrite(path.read_bytes()))

    with pytest.raises(KeyringWrongError, match="canonical form"):
        keyring.load(directory)


@pytest.mark.parametrize("data", [b"", b"{", b"null", b"\xff", b'{"id":"\xff"}', b"[" * 200])
def test_bytes_that_are_no_json_object_are_no_key(directory: Path, data: bytes) -> None:
    the_file(directory, Role.SEAL).write_bytes(data)

    with pytest.raises(KeyringWrongError, match="is not a key"):
        keyring.load(directory)


def test_a_file_larger_than_any_key_is_refused(directory: Path) -> None:
    the_file(directory, Role.SEAL).write_bytes(b" " * 2_049)

    with pytest.raises(KeyringWrongError, match="larger than 2048"):
        keyring.load(directory)


def test_an_error_tells_no_secret(directory: Path) -> None:
    path = the_file(directory, Role.SEAL)
    secret = json.loads(path.read_bytes())["key"]
    change(path, id="0" * 16)

    with pytest.raises(KeyringWrongError) as refused:
        keyring.load(directory)

    assert secret not in str(refused.value)
    assert refused.value.__cause__ is None
