"""The keyring: every secret that signs or seals, outside the database, in files or in a token.

Always true (tests/integration/test_keyring_files.py, test_keyring_rotation.py):

* a keyring is loaded whole or refused: every role has a key that makes, no file is open to others,
  a link, of another length, in another role's place, or one that we did not write;
* one key serves one role; of a role's keys the one that was activated last makes, the older ones
  only read, and one that is only announced reads too, so that it can be activated anywhere;
* each change is whole or not there after a crash, and no two happen at once;
* a secret never stands in a repr or an error.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from twinlock.adapters import private_files
from twinlock.adapters.keyring import key_files
from twinlock.adapters.keyring.key_files import (
    DRAFT,
    HANDLE_BYTES,
    KEY_BYTES,
    KEY_ID_BYTES,
    NAME,
    NONCE_BYTES,
    Key,
    key_id_of,
)
from twinlock.domain import canonical
from twinlock.domain.errors import (
    FileUnsafeError,
    KeyringMissingError,
    KeyringWrongError,
    invariant,
)
from twinlock.domain.keys import OURS, REQUIRED, SIGNING, KeyRecord, Role, current_of, next_of
from twinlock.ports import (
    Entropy,
)
from twinlock.ports.keys import (
    KeyToken,
)

__all__ = ["KEY_BYTES", "KEY_ID_BYTES", "REQUIRED", "Key", "Keyring", "Role", "key_id_of"]

MAX_KEYS = 256  # Eight rotations of each role a year for five years; each is read at start-up.
LOCK_SECONDS = 5  # For another command that changes the keyring: 20 ms, an RSA key up to 1 s.


class Keyring:
    """Every key of one installation."""

    def __init__(self, keys: Iterable[Key]) -> None:
        held = sorted(keys, key=lambda key: key.created_at, reverse=True)
        self._all = {role: tuple(key for key in held if key.role is role) for role in Role}
        self._keys = {role: _in_order(keys) for role, keys in self._all.items()}
        _refuse_gaps(self._all, self._keys)

    def keys(self, role: Role) -> tuple[Key, ...]:
        """Return the keys of ``role`` that are in force: the one that makes first, then the others.

        The others only read: those that made before, the youngest first, and last one that is
        announced.
        """
        return self._keys[role]

    def all_keys(self, role: Role) -> tuple[Key, ...]:
        """Return the keys of ``role``, the youngest first, with those that are retired."""
        return self._all[role]

    def current(self, role: Role) -> Key:
        """Return the key of a required ``role`` that makes."""
        invariant(role in REQUIRED, f"a keyring may have no {role} key")
        return self._keys[role][0]

    def maker(self, role: Role) -> Key | None:
        """Return the key of ``role`` that makes, or None: of optional roles there may be none."""
        first = next(iter(self._keys[role]), None)
        return None if first is None or first.used_from is None else first

    def fingerprint(self) -> str:
        """Return the name of this installation's keys: a hash of the oldest id of each role.

        Adding a key keeps it, and so does retiring one, whose name stays; taking another
        installation's keyring changes it.
        """
        oldest = (self._all[role][-1].key_id.encode("ascii") for role in REQUIRED)
        return canonical.tagged_hash("keyring/v1", *oldest).hex()

    def follows(self, older: "Keyring") -> bool:
        """Say whether this is ``older`` as it may have become: no key is gone, or goes back.

        Prevents: a copy of the keyring from before a rotation, put back under a running process,
        which would then make things under a key that is retired and may be lost or stolen.
        """
        records = {key.key_id: key.record for role in Role for key in self._all[role]}
        return all(
            _grew(key.record, records.get(key.key_id))
            for role in Role
            for key in older.all_keys(role)
        )


def _grew(before: KeyRecord, now: KeyRecord | None) -> bool:
    if now is None:
        return False
    return (before.used_from is None or now.used_from is not None) and (
        before.retired_at is None or now.retired_at is not None
    )


def is_keyring(directory: Path) -> bool:
    """Say whether ``directory`` holds a key file: nothing else belongs there then."""
    return any(NAME.fullmatch(path.name) for path in directory.iterdir())


def stamp(directory: Path) -> tuple[tuple[str, int, int, int], ...]:
    """Return what changes when a key does: names, inodes, times and modes of all files."""
    found = ((path.name, path.lstat()) for path in _paths(directory))
    return tuple((name, at.st_ino, at.st_ctime_ns, at.st_mode) for name, at in found)


def load(directory: Path, token: KeyToken | None = None) -> Keyring:
    """Return the keyring in ``directory``; ``token`` holds those of its keys that lie in one.

    Raises:
        KeyringMissingError: no directory, or a role without a key.
        KeyringWrongError: a file or directory that is not as the module describes.
        TokenMissingError, TokenKeyWrongError, TokenUnavailableError: as they say.
    """
    if not os.path.lexists(directory):
        raise KeyringMissingError(f"no keyring at {directory}: make one with `twinlock keys init`")
    try:
        private_files.check_directory(directory, owner=os.geteuid())
        paths = _paths(directory)
        if len(paths) > MAX_KEYS:
            raise KeyringWrongError(f"{directory} holds more than {MAX_KEYS} files")
        return Keyring([key_files.read(path, token) for path in paths])
    except FileUnsafeError as error:
        raise KeyringWrongError(str(error)) from error


def _paths(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if not DRAFT.fullmatch(path.name))


def create_all(
    directory: Path, *, entropy: Entropy, now: datetime, token: KeyToken | None = None
) -> Keyring:
    """Make one key for each required role in the new ``directory``: all of them or none.

    With a ``token`` they are made there.

    Raises:
        KeyringWrongError: something stands there already; nothing is ever overwritten.
    """
    private_files.make_directory(directory.parent)
    draft = directory.with_name(f".{directory.name}.{os.getpid()}.new")
    if draft.exists():
        _discard(draft)  # What a killed process of the same number left.
    if directory.exists() and any(directory.iterdir()):  # Before a token makes what none will use.
        raise KeyringWrongError(f"{directory} exists already and is not empty")
    draft.mkdir(mode=private_files.PRIVATE_DIRECTORY)
    for role in REQUIRED:
        key_files.write(draft, _new_key(role, entropy=entropy, now=now, used_from=now, token=token))
    try:
        draft.replace(directory)  # Onto an empty directory only (rename(2)).
    except OSError as error:
        _discard(draft)
        raise KeyringWrongError(f"{directory} exists already and is not empty") from error
    private_files.sync_directory(directory.parent)
    return load(directory, token)


@contextmanager
def changing(directory: Path) -> Iterator[None]:
    """Keep every other command from changing this keyring; remove what a killed one left.

    Raises:
        FileBusyError: another one has been at it for five seconds.
        KeyringMissingError: there is no keyring.
    """
    if not directory.is_dir():
        raise KeyringMissingError(f"no keyring at {directory}: make one with `twinlock keys init`")
    lock = directory.with_name(f".{directory.name}.lock")
    with private_files.locked(lock, patience_seconds=LOCK_SECONDS):
        for path in directory.iterdir():
            if DRAFT.fullmatch(path.name):
                path.unlink()
        yield


def announce(
    directory: Path,
    role: Role,
    *,
    entropy: Entropy,
    now: datetime,
    token: KeyToken | None = None,
) -> Keyring:
    """Make a key that everybody holds and nobody uses yet; with a ``token``, there.

    Raises:
        KeyringWrongError: the role has a key that is not older than ``now``, or one that is
            announced already; or the keyring is full.
    """
    invariant(role in OURS, f"a {role} key is not ours to make")
    held = _room(directory, role, now=now, token=token)
    if next_of(key.record for key in held.all_keys(role)) is not None:
        raise KeyringWrongError(f"a {role} key is announced already")
    key_files.write(
        directory, _new_key(role, entropy=entropy, now=now, used_from=None, token=token)
    )
    return load(directory, token)


def activate(
    directory: Path, role: Role, *, now: datetime, token: KeyToken | None = None
) -> Keyring:
    """Let the announced key of ``role`` make; the older ones go on reading.

    Raises:
        KeyringWrongError: none is announced, or ``now`` lies before the last activation.
    """
    held = load(directory, token)
    waiting = next_of(key.record for key in held.all_keys(role))
    maker = held.maker(role)
    before = maker and maker.used_from
    if waiting is None or _at(now) <= (before or waiting.created_at):
        raise KeyringWrongError(f"no {role} key is announced that is younger than the current one")
    key = next(key for key in held.keys(role) if key.key_id == waiting.key_id)
    key_files.write(directory, _changed(key, used_from=now))
    return load(directory, token)


def retire(
    directory: Path, role: Role, key_id: str, *, now: datetime, token: KeyToken | None = None
) -> Keyring:
    """Destroy the secret of a key, in the file and in the token; its name and public half stay.

    Again for one that is retired it destroys what a killed command left in the token.

    Raises:
        KeyringWrongError: there is no such key, or it is the one that makes.
    """
    held = load(directory, token)
    key = next((key for key in held.all_keys(role) if key.key_id == key_id), None)
    if key is None or (role in OURS and key is held.maker(role)):
        raise KeyringWrongError(f"{key_id} is no {role} key that may go")
    if key.retired_at is None:
        key_files.write(directory, _changed(key, retired_at=_at(now)))
    if key.handle and token is not None:
        token.destroy(role, key.handle)
    return load(directory, token)


def add(
    directory: Path,
    role: Role,
    *,
    entropy: Entropy,
    now: datetime,
    token: KeyToken | None = None,
) -> Keyring:
    """Add a key that makes from now on, for whoever serves nobody yet; others announce first.

    Raises:
        KeyringWrongError: the keyring holds a key of this role that is not older than ``now``, or
            is full.
    """
    invariant(role in OURS, f"a {role} key is not ours to make")
    _room(directory, role, now=now, token=token)
    key_files.write(directory, _new_key(role, entropy=entropy, now=now, used_from=now, token=token))
    return load(directory, token)


def trust_prices(
    directory: Path, public: bytes, *, now: datetime, token: KeyToken | None = None
) -> Keyring:
    """Add the public key (32 bytes) of whoever signs the price list; a known one is there already.

    Raises:
        KeyringWrongError: the keyring holds a price key that is not older than ``now``, is full,
            or this very key was retired.
    """
    invariant(len(public) == KEY_BYTES, "an Ed25519 public key has 32 bytes")
    key_id = key_id_of(Role.PRICES, public)
    held = load(directory, token)
    if any(key.key_id == key_id for key in held.keys(Role.PRICES)):
        return held
    if any(key.key_id == key_id for key in held.all_keys(Role.PRICES)):
        raise KeyringWrongError(f"price key {key_id} was retired: nobody believes it again")
    _room(directory, Role.PRICES, now=now, token=token)
    key = Key(
        role=Role.PRICES,
        key_id=key_id,
        created_at=_at(now),
        used_from=now,
        material=None,
        public=public,
    )
    key_files.write(directory, key)
    return load(directory, token)


def _room(directory: Path, role: Role, *, now: datetime, token: KeyToken | None) -> Keyring:
    """Return the keyring when a key of ``role`` can be added to it at ``now``."""
    held = load(directory, token)
    if sum(len(held.all_keys(role)) for role in Role) >= MAX_KEYS:
        raise KeyringWrongError(f"{directory} holds {MAX_KEYS} keys: no more are read")
    born = [at for key in held.all_keys(role) for at in (key.created_at, key.used_from) if at]
    if born and _at(now) <= max(born):
        raise KeyringWrongError(f"the youngest {role} key is not older than the new one")
    return held


def _new_key(
    role: Role,
    *,
    entropy: Entropy,
    now: datetime,
    used_from: datetime | None,
    token: KeyToken | None,
) -> Key:
    if token is not None:
        return _new_in_token(role, token, entropy=entropy, now=_at(now), used_from=used_from)
    material = key_files.secret_of(role, entropy)
    public = key_files.public_of(role, material)
    return Key(
        role=role,
        key_id=key_id_of(role, public or material),
        created_at=_at(now),
        used_from=used_from,
        material=material,
        public=public,
    )


def _new_in_token(
    role: Role, token: KeyToken, *, entropy: Entropy, now: datetime, used_from: datetime | None
) -> Key:
    handle = entropy.draw(HANDLE_BYTES)
    public, wrapped, secret, known_by = None, b"", None, handle
    if role in SIGNING:
        public = known_by = token.make_signing(role, handle.hex()).public
    else:
        secret, nonce = entropy.draw(KEY_BYTES), entropy.draw(NONCE_BYTES)
        seal = token.make_seal(role, handle.hex())
        owner = key_files.owner_of(role, key_id_of(role, handle))
        wrapped = nonce + seal.wrap(secret, nonce=nonce, owner=owner)
    return Key(
        role=role,
        key_id=key_id_of(role, known_by),
        created_at=now,
        used_from=used_from,
        material=secret,
        public=public,
        handle=handle.hex(),
        wrapped=wrapped,
    )


def _changed(
    key: Key, *, used_from: datetime | None = None, retired_at: datetime | None = None
) -> Key:
    """Return ``key`` one step on in its life."""
    if retired_at is None:
        return replace(key, used_from=used_from)
    return replace(key, retired_at=retired_at, material=None, wrapped=b"")


def _at(now: datetime) -> datetime:
    invariant(now.utcoffset() == timedelta(0), "a key's birth is UTC")
    return now


def _discard(draft: Path) -> None:
    for path in draft.iterdir():
        path.unlink()
    draft.rmdir()


def _in_order(held: tuple[Key, ...]) -> tuple[Key, ...]:
    """Return those of one role's keys that are in force, the one that makes first."""
    live = [key for key in held if key.retired_at is None]
    used = [key for key in live if key.used_from is not None]
    used.sort(key=lambda key: key.used_from or key.created_at, reverse=True)
    return (*used, *(key for key in live if key.used_from is None))


def _refuse_gaps(all_keys: dict[Role, tuple[Key, ...]], keys: dict[Role, tuple[Key, ...]]) -> None:
    for role in OURS:
        needed = role in REQUIRED or any(key.used_from is not None for key in all_keys[role])
        if needed and current_of(key.record for key in keys[role]) is None:
            raise KeyringMissingError(f"the keyring has no {role} key")
    for role, held in all_keys.items():
        used = [key.used_from for key in held if key.used_from is not None]
        if len({key.created_at for key in held}) != len(held) or len(set(used)) != len(used):
            raise KeyringWrongError(f"two {role} keys were born at once: none is the youngest")
        if sum(key.used_from is None and key.retired_at is None for key in held) > 1:
            raise KeyringWrongError(f"two {role} keys are announced at once")
    secrets = [key.material for held in keys.values() for key in held if key.material]
    if len(set(secrets)) != len(secrets):
        raise KeyringWrongError("one secret serves two roles")
