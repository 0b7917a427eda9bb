"""What a witness keeps: its key, the logs that it watches, the head of each, and what it refused.

Below one directory, mode 0700::

    key                        its private key, in the form that C2SP's tools write
    logs/<name>/keys           the log's keys, one vkey a line; <name> is SHA-256 of the origin
    logs/<name>/head           the last checkpoint that was cosigned (``HeadFile``)
    logs/<name>/refused/…      submissions that were signed by the log and refused all the same

Any number of processes may use it at once. A log that is added is watched from the next request on.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from twinlock.domain.errors import MalformedError, TwinlockError, UntrustedNoteError
from twinlock.domain.log.checkpoint import Checkpoint, parse_checkpoint
from twinlock.domain.log.note import (
    KeyType,
    SignedNote,
    VerifierKey,
    parse_note,
    parse_vkey,
)
from twinlock.domain.log.submission import origin_name
from twinlock.domain.log.text import check_name, from_base64, to_base64, to_lines
from twinlock.proofs.notes import verifier_key, verify_cosignatures, verify_note
from twinlock.witness import files
from twinlock.witness.files import HeadFile, WitnessDamagedError
from twinlock.witness.judge import Known, check_beginning

KEYS_MOST = 8  # Of one log at once: two while it changes its key, and some that came before.
LOGS_MOST = 10_000  # A directory of so many is still listed in a moment.
REFUSED_MOST = 100  # Kept of each kind and log: the first ones, which nobody can push out later.

_PRIVATE = "PRIVATE+KEY+"
_SEED_BYTES = 32
_NAME = re.compile(r"[0-9a-f]{64}")  # Of a log's directory; no path leads out of it.


class WitnessMissingError(TwinlockError):
    """There is no witness in this directory: make one with ``twinlock witness init``."""

    code = "witness_missing"
    status = 503


class WitnessExistsError(TwinlockError):
    """There is a witness in this directory already, or it watches this log: nothing was changed."""

    code = "witness_exists"
    status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whom a witness signs as."""

    name: str
    secret: Ed25519PrivateKey = field(repr=False)

    @property
    def key(self) -> VerifierKey:
        """The public half, as logs and verifiers are told it."""
        return verifier_key(self.name, self.secret, KeyType.ED25519_COSIGNATURE)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedLog:
    """A log that a witness watches; each of ``keys`` bears its origin as its name."""

    origin: str
    keys: tuple[VerifierKey, ...]


def make_witness(directory: Path, *, name: str) -> Identity:
    """Make a witness with a new key in ``directory``.

    Raises:
        MalformedError: ``name`` cannot name a key.
        WitnessExistsError: there is one.
        FileUnsafeError: the directory is not ours alone.
    """
    identity = Identity(name=check_name(name), secret=Ed25519PrivateKey.generate())
    files.make_directory(directory)
    files.make_directory(directory / "logs")
    try:
        files.write(directory / "key", _write_identity(identity), replace=False)
    except FileExistsError as error:
        raise WitnessExistsError(f"{directory} holds a witness's key already") from error
    return identity


def _write_identity(identity: Identity) -> bytes:
    typed = bytes((KeyType.ED25519_COSIGNATURE,)) + identity.secret.private_bytes_raw()
    named = f"{identity.name}+{identity.key.key_id.hex()}"
    return f"{_PRIVATE}{named}+{to_base64(typed)}\n".encode()


def _read_identity(data: bytes) -> Identity:
    [line] = to_lines(data)
    name, _, rest = line.removeprefix(_PRIVATE).partition("+")
    key_id, _, encoded = rest.partition("+")
    typed = from_base64(encoded, size=1 + _SEED_BYTES)
    if not line.startswith(_PRIVATE) or typed[0] != KeyType.ED25519_COSIGNATURE:
        raise MalformedError("not a witness's private key")
    secret = Ed25519PrivateKey.from_private_bytes(typed[1:])
    identity = Identity(name=check_name(name), secret=secret)
    if key_id != identity.key.key_id.hex():
        raise MalformedError("a key's id is not its own")
    return identity


class Ledger:
    """The directory of one witness."""

    def __init__(self, directory: Path, identity: Identity) -> None:
        self._logs = directory / "logs"
        self.identity = identity

    @classmethod
    def open(cls, directory: Path) -> "Ledger":
        """Open the witness in ``directory``.

        Raises:
            WitnessMissingError: there is none.
            FileUnsafeError: somebody else could read or change it.
            WitnessDamagedError: its key is not one that ``make_witness`` wrote.
        """
        if not directory.exists():
            raise WitnessMissingError(f"{directory} does not exist")
        files.check_directory(directory)
        data = files.read(directory / "key")
        if data is None:
            raise WitnessMissingError(f"{directory} holds no key")
        try:
            identity = _read_identity(data)
        except (MalformedError, ValueError) as error:
            raise WitnessDamagedError(f"{directory / 'key'} is no witness's key") from error
        files.check_directory(directory / "logs")
        return cls(directory, identity)

    # --- Logs ---

    def add_log(self, keys: tuple[VerifierKey, ...], *, beginning: SignedNote | None) -> WatchedLog:
        """Watch the log whose ``keys`` these are, or add keys to those of a log that is watched.

        ``beginning`` is a checkpoint that the operator knows to be right. Without one, the first
        that is submitted is believed.

        Raises:
            MalformedError: the keys are not one log's, too many, or the witness's own.
            UntrustedNoteError: the log did not sign ``beginning``.
            WitnessExistsError: ``beginning`` comes too late: the log is watched already.
        """
        origin = _one_origin(keys, own=self.identity.key)
        directory = self._logs / origin_name(origin)
        started = None if beginning is None else check_beginning(beginning, keys)
        with files.locked(self._logs / "lock"):
            old = self.log(origin)
            if old is not None and started is not None:
                raise WitnessExistsError(f"{origin} is watched already")
            if old is None and len(self._names()) >= LOGS_MOST:
                raise MalformedError(f"a witness watches at most {LOGS_MOST} logs")
            known = () if old is None else old.keys
            merged = tuple(dict.fromkeys((*known, *keys)))
            if len(merged) > KEYS_MOST:
                raise MalformedError(f"a log has at most {KEYS_MOST} keys here")
            files.make_directory(directory)
            HeadFile.make(directory / "head")
            if started is not None:
                with HeadFile.opened(directory / "head") as head:
                    head.get()
                    head.put(started.note.encode())
            # Last: from here on the log is watched.
            self._write_keys(directory, merged)
        return WatchedLog(origin=origin, keys=merged)

    def drop_keys(self, keys: tuple[VerifierKey, ...]) -> WatchedLog:
        """Believe these keys of a log no more; the others go on.

        Prevents: a key that was retired, and is found in an old backup, which still makes us
        cosign a history of its own.

        Raises:
            MalformedError: the keys are not one log's, not known here, or all that it has; or the
                head that we stand by is nobody's but theirs.
        """
        origin = _one_origin(keys, own=self.identity.key)
        directory = self._logs / origin_name(origin)
        with files.locked(self._logs / "lock"):
            old = self.log(origin)
            if old is None or not set(keys) <= set(old.keys):
                raise MalformedError(f"{origin} has no such key here")
            left = WatchedLog(origin=origin, keys=tuple(key for key in old.keys if key not in keys))
            if not left.keys:
                raise MalformedError("a log keeps one key: add the next one first")
            try:
                self.known(left)
            except WitnessDamagedError as error:
                raise MalformedError("we cosigned nothing yet of what another key signs") from error
            self._write_keys(directory, left.keys)
        return left

    def _write_keys(self, directory: Path, keys: tuple[VerifierKey, ...]) -> None:
        files.write(directory / "keys", "".join(f"{key}\n" for key in keys).encode())

    def log(self, origin: str) -> WatchedLog | None:
        """Return the log of this origin, or None where nobody told us to watch it.

        Raises:
            WitnessDamagedError, FileUnsafeError: its keys are not what we wrote.
        """
        return self._log(origin_name(origin), origin=origin)

    def logs(self) -> Iterator[WatchedLog]:
        """Yield every log that is watched."""
        for name in self._names():
            found = self._log(name)
            if found is not None:
                yield found

    def _names(self) -> list[str]:
        return sorted(one.name for one in os.scandir(self._logs) if one.name != "lock")

    def _log(self, name: str, *, origin: str | None = None) -> WatchedLog | None:
        path = self._logs / name / "keys"
        data = files.read(path)
        if data is None:
            return None
        try:
            keys = tuple(map(parse_vkey, to_lines(data)))
            found = WatchedLog(origin=_one_origin(keys, own=self.identity.key), keys=keys)
        except MalformedError as error:
            raise WitnessDamagedError(f"{path} is not what we wrote") from error
        if origin_name(found.origin) != name or (origin or found.origin) != found.origin:
            raise WitnessDamagedError(f"{path} is another log's")
        return found

    # --- Heads ---

    def known(self, log: WatchedLog) -> Known | None:
        """Return the head that we stand by, or None before the first."""
        with self.holding(log) as held:
            return held.known

    def shown(self, name: str) -> bytes | None:
        """Return for monitors what we cosigned last of the log ``name``, 64 hex digits, or None."""
        log = self._log(name) if _NAME.fullmatch(name) else None
        known = None if log is None else self.known(log)
        return None if known is None or known.cosigned_at is None else known.note.encode()

    @contextmanager
    def holding(self, log: WatchedLog) -> "Iterator[HeldHead]":
        """Hold the head of a log alone until the block ends.

        Raises:
            FileBusyError, FileUnsafeError: as they say.
            WitnessDamagedError: it is not what we wrote.
        """
        path = self._logs / origin_name(log.origin) / "head"
        with HeadFile.opened(path) as file:
            record = file.get()
            known = None if record is None else self._read_head(record, log, path)
            yield HeldHead(file, known)

    def _read_head(self, record: bytes, log: WatchedLog, path: Path) -> Known:
        """Prevents: a head that somebody else put there, to make us cosign his history."""
        own = self.identity.key
        try:
            note = parse_note(record)
            head = parse_checkpoint(note.text)
            cosigned_at = verify_cosignatures(note, [own]).get(own)
            if cosigned_at is None:
                verify_note(note, log.keys)
        except (MalformedError, UntrustedNoteError) as error:
            raise WitnessDamagedError(f"{path} holds no head that we wrote") from error
        if head.origin != log.origin:
            raise WitnessDamagedError(f"{path} is the head of another log")
        return Known(note=note, checkpoint=head, cosigned_at=cosigned_at)

    # --- Evidence ---

    def keep_refused(self, log: WatchedLog, head: Checkpoint, body: bytes, *, kind: str) -> bool:
        """Keep a submission that the log signed and that we refused; say whether it was new.

        One file for each size and root, and at most REFUSED_MOST of a kind. Prevents: a full disk.
        """
        directory = self._logs / origin_name(log.origin) / "refused"
        files.make_directory(directory)
        path = directory / f"{kind}-{head.size}-{head.root.hex()}"
        kept = [one.name for one in os.scandir(directory) if one.name.startswith(f"{kind}-")]
        if path.name in kept or len(kept) >= REFUSED_MOST:
            return False
        try:
            files.write(path, body, replace=False)
        except FileExistsError:
            return False  # Another process kept the same one.
        return True


class HeldHead:
    """A log's head while it is held; ``known`` is what it is."""

    def __init__(self, file: HeadFile, known: Known | None) -> None:
        self._file = file
        self.known = known

    def put(self, note: SignedNote) -> None:
        """Stand by ``note`` from now on; it is on disk when this returns."""
        self._file.put(note.encode())


def _one_origin(keys: tuple[VerifierKey, ...], *, own: VerifierKey) -> str:
    """Return the origin that all of ``keys`` name."""
    origins = {key.name for key in keys}
    if len(origins) != 1 or any(key.key_type is not KeyType.ED25519 for key in keys):
        raise MalformedError("these are not the keys of one log")
    if any(key.public_key == own.public_key for key in keys):
        raise MalformedError("a witness's key is no log's")
    return origins.pop()
