"""The keyring: every secret that signs or seals, in files outside the database.

Always true (tests/integration/test_keyring_files.py):

* a keyring is loaded whole or refused: every role has a key, no file is open to others, a link, of
  another length, in another role's place, or one that we did not write;
* one key serves one role; the youngest key of a role makes, the older ones only read;
* a secret never stands in a repr or an error.

The directory has mode 0700 and one file of mode 0600 for each key, ``<role>-<id>.json``, in
canonical JSON: ``{"created_at", "id", "key"?, "public"?, "role"}``. ``key`` and ``public`` are 32
bytes in base64url; the id is a tagged hash of the role and the public key, or of the secret where
there is no public one (of 256 random bits a hash gives nothing away).
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from twinlock.adapters import private_files
from twinlock.domain import canonical
from twinlock.domain.errors import (
    FileUnsafeError,
    KeyringMissingError,
    KeyringWrongError,
    MalformedError,
    invariant,
)
from twinlock.ports import Entropy

KEY_BYTES = 32  # AES-256, HMAC-SHA-256 and an Ed25519 seed alike.
KEY_ID_BYTES = 8
MAX_FILE_BYTES = 1_024  # A key file has about 200.
MAX_KEYS = 64  # Ten rotations of each role and room; each is read at start-up.


class Role(StrEnum):
    """What a key is for; the value stands in its file and its id."""

    SEAL = "seal"  # wraps subjects' keys: AES-256-GCM
    LOG = "log"  # signs checkpoints: Ed25519
    AUTHORIZATION = "authorization"  # signs authorizations: Ed25519
    PLATFORM = "platform"  # hashes platform keys: HMAC-SHA-256
    INDEX = "index"  # names destinations blindly: HMAC-SHA-256
    ANSWERS = "answers"  # signs answers to platforms that sign: Ed25519
    PRICES = "prices"  # verifies the price list: Ed25519, somebody else's, public only


REQUIRED = (Role.SEAL, Role.LOG, Role.AUTHORIZATION, Role.PLATFORM, Role.INDEX, Role.ANSWERS)
_SIGNING = frozenset({Role.LOG, Role.AUTHORIZATION, Role.ANSWERS})
_NAME = re.compile(rf"(?P<role>{'|'.join(Role)})-(?P<id>[0-9a-f]{{{2 * KEY_ID_BYTES}}})\.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of one role. ``created_at`` is UTC; ``key_id`` has 16 hex digits.

    ``material`` is the secret (32 bytes), None for somebody else's key; ``public`` is the Ed25519
    public key (32 bytes), None for symmetric roles.
    """

    role: Role
    key_id: str
    created_at: datetime
    material: bytes | None = field(repr=False)
    public: bytes | None

    @property
    def secret(self) -> bytes:
        """Return the 32 secret bytes of a role that has them."""
        invariant(self.material is not None, f"we hold no secret for {self.role}")
        return self.material or b""

    def signer(self) -> Ed25519PrivateKey:
        """Return the private key of a signing role (30 µs: keep it)."""
        invariant(self.role in _SIGNING, f"a {self.role} key does not sign")
        return Ed25519PrivateKey.from_private_bytes(self.secret)


class _File(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    created_at: datetime
    id: str
    role: Role
    key: str | None = None
    public: str | None = None


class Keyring:
    """Every key of one installation."""

    def __init__(self, keys: Iterable[Key]) -> None:
        youngest_first = sorted(keys, key=lambda key: key.created_at, reverse=True)
        self._keys = {
            role: tuple(key for key in youngest_first if key.role is role) for role in Role
        }
        _refuse_gaps(self._keys)

    def keys(self, role: Role) -> tuple[Key, ...]:
        """Return the keys of ``role``, the one that makes first, then those that only read."""
        return self._keys[role]

    def current(self, role: Role) -> Key:
        """Return the key of a required ``role`` that makes."""
        invariant(role in REQUIRED, f"a keyring may have no {role} key")
        return self._keys[role][0]

    def fingerprint(self) -> str:
        """Return the name of this installation's keys: a hash of the oldest id of each role.

        Adding a key keeps it; removing the oldest of a role, or taking another installation's
        keyring, changes it.
        """
        oldest = (self._keys[role][-1].key_id.encode("ascii") for role in REQUIRED)
        return canonical.tagged_hash("keyring/v1", *oldest).hex()


def is_keyring(directory: Path) -> bool:
    """Say whether ``directory`` holds a key file: nothing else belongs there then."""
    return any(_NAME.fullmatch(path.name) for path in directory.iterdir())


def load(directory: Path) -> Keyring:
    """Return the keyring in ``directory``.

    Raises:
        KeyringMissingError: no directory, or a role without a key.
        KeyringWrongError: a file or directory that is not as the module describes.
    """
    if not os.path.lexists(directory):
        raise KeyringMissingError(f"no keyring at {directory}: make one with `twinlock keys init`")
    try:
        private_files.check_directory(directory, owner=os.geteuid())
        paths = sorted(directory.iterdir())
        if len(paths) > MAX_KEYS:
            raise KeyringWrongError(f"{directory} holds more than {MAX_KEYS} files")
        return Keyring([_read(path) for path in paths])
    except FileUnsafeError as error:
        raise KeyringWrongError(str(error)) from error


def create_all(directory: Path, *, entropy: Entropy, now: datetime) -> Keyring:
    """Make one key for each required role in the new ``directory``: all of them or none.

    Raises:
        KeyringWrongError: something stands there already; nothing is ever overwritten.
    """
    private_files.make_directory(directory.parent)
    draft = directory.with_name(f".{directory.name}.{os.getpid()}.new")
    if draft.exists():
        _discard(draft)  # What a killed process of the same number left.
    draft.mkdir(mode=private_files.PRIVATE_DIRECTORY)
    for role in REQUIRED:
        _write(draft, _new_key(role, entropy=entropy, now=now))
    try:
        draft.replace(directory)  # Onto an empty directory only (rename(2)).
    except OSError as error:
        _discard(draft)
        raise KeyringWrongError(f"{directory} exists already and is not empty") from error
    private_files.sync_directory(directory.parent)
    return load(directory)


def add(directory: Path, role: Role, *, entropy: Entropy, now: datetime) -> Keyring:
    """Add a key that makes from now on; the older ones of its role go on reading.

    Raises:
        KeyringWrongError: the keyring holds a key of this role that is not older than ``now``, or
            is full.
    """
    return _add(directory, _new_key(role, entropy=entropy, now=now))


def trust_prices(directory: Path, public: bytes, *, now: datetime) -> Keyring:
    """Add the public key (32 bytes) of whoever signs the price list; a known one is there already.

    Raises:
        KeyringWrongError: the keyring holds a price key that is not older than ``now``, or is full.
    """
    invariant(len(public) == KEY_BYTES, "an Ed25519 public key has 32 bytes")
    key_id = key_id_of(Role.PRICES, public)
    held = load(directory)
    if any(key.key_id == key_id for key in held.keys(Role.PRICES)):
        return held
    key = Key(role=Role.PRICES, key_id=key_id, created_at=_at(now), material=None, public=public)
    return _add(directory, key)


def _add(directory: Path, key: Key) -> Keyring:
    held = load(directory)
    if sum(len(held.keys(role)) for role in Role) >= MAX_KEYS:
        raise KeyringWrongError(f"{directory} holds {MAX_KEYS} keys: no more are read")
    known = held.keys(key.role)
    if known and key.created_at <= known[0].created_at:
        raise KeyringWrongError(f"the youngest {key.role} key is not older than the new one")
    _write(directory, key)
    return load(directory)


def _new_key(role: Role, *, entropy: Entropy, now: datetime) -> Key:
    invariant(role in REQUIRED, f"a {role} key is not ours to make")
    material = entropy.draw(KEY_BYTES)
    public = _public(role, material)
    key_id = key_id_of(role, public or material)
    return Key(role=role, key_id=key_id, created_at=_at(now), material=material, public=public)


def _at(now: datetime) -> datetime:
    invariant(now.utcoffset() == timedelta(0), "a key's birth is UTC")
    return now


def _public(role: Role, material: bytes) -> bytes | None:
    if role not in _SIGNING:
        return None
    return Ed25519PrivateKey.from_private_bytes(material).public_key().public_bytes_raw()


def key_id_of(role: Role, known_by: bytes) -> str:
    """Return the id of a key by what it is known by: its public key, or else its secret."""
    return canonical.tagged_hash("key-id/v1", role.encode("ascii"), known_by)[:KEY_ID_BYTES].hex()


def _write(directory: Path, key: Key) -> None:
    file = _File(
        created_at=key.created_at,
        id=key.key_id,
        role=key.role,
        key=None if key.material is None else canonical.b64url(key.material),
        public=None if key.public is None else canonical.b64url(key.public),
    )
    private_files.write(directory / f"{key.role}-{key.key_id}.json", canonical.encode(file))


def _discard(draft: Path) -> None:
    for path in draft.iterdir():
        path.unlink()
    draft.rmdir()


def _read(path: Path) -> Key:
    named = _NAME.fullmatch(path.name)
    if named is None:
        raise KeyringWrongError(f"{path} does not belong into a keyring")
    data = private_files.read(path, limit=MAX_FILE_BYTES)
    try:
        file = msgspec.json.decode(data, type=_File)
        key = _parse(file)
    except (msgspec.MsgspecError, MalformedError):
        # Without its cause: that may quote the secret.
        raise KeyringWrongError(f"{path} is not a key") from None
    if canonical.encode(file) != data or key.created_at.utcoffset() != timedelta(0):
        raise KeyringWrongError(f"{path} is not in canonical form")
    if (key.role, key.key_id) != (named["role"], named["id"]):
        raise KeyringWrongError(f"{path} holds the key of another name or role")
    return key


def _parse(file: _File) -> Key:
    """Return the key of ``file``, its id and public key recomputed."""
    material = None if file.key is None else canonical.from_b64url(file.key, size=KEY_BYTES)
    public = None if file.public is None else canonical.from_b64url(file.public, size=KEY_BYTES)
    ours = file.role in REQUIRED
    if ours != (material is not None):
        raise MalformedError("a secret where none belongs, or none where one does")
    if material is not None and public != _public(file.role, material):
        raise MalformedError("the public key is another one's")
    known_by = public or material
    if known_by is None or file.id != key_id_of(file.role, known_by):
        raise MalformedError("the id is another key's")
    return Key(
        role=file.role,
        key_id=file.id,
        created_at=file.created_at,
        material=material,
        public=public,
    )


def _refuse_gaps(keys: dict[Role, tuple[Key, ...]]) -> None:
    for role in REQUIRED:
        if not keys[role]:
            raise KeyringMissingError(f"the keyring has no {role} key")
    for role, held in keys.items():
        if len({key.created_at for key in held}) != len(held):
            raise KeyringWrongError(f"two {role} keys were born at once: none is the youngest")
    secrets = [key.material for held in keys.values() for key in held if key.material]
    if len(set(secrets)) != len(secrets):
        raise KeyringWrongError("one secret serves two roles")
