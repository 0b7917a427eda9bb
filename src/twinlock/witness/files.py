"""The files of a witness: private, whole after a crash, and one writer at a time.

Always true (tests/unit/witness/test_witness_files.py):

* nobody else may read or change them, or the witness stops;
* a head file holds the last record that was put, or, after a crash in the middle of putting one,
  the record before: that one was answered by nobody's yes;
* a head file that holds neither, or is gone, is damaged, and never an empty one.

A head file has two places, of which the older one is overwritten: one flush of one page, where a
new file under an old name would flush the directory too (on a busy ext4 a third to a seventh of the
time at the median, in two runs of 300).
"""

import fcntl
import hashlib
import os
import shlex
import stat
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import get_ident

from twinlock.domain.errors import FileBusyError, FileUnsafeError, TwinlockError

_PRIVATE_DIRECTORY = 0o700
_PRIVATE_FILE = 0o600
_OTHERS_RIGHTS = 0o077
_FILE_BYTES_MOST = 65_536
_POLL_SECONDS = 0.002  # What a record takes to be put, about.
_PATIENCE_SECONDS = 2.0  # A log asks again; a process that is stopped holds nobody up for longer.

PLACE_BYTES = 16_384
_PLACES = 2
_HEADER = struct.Struct(">8sQI")  # Magic, number of the record, length of what it holds.
_MAGIC = b"TLWHEAD1"
_DIGEST_BYTES = 32
RECORD_BYTES_MOST = PLACE_BYTES - _HEADER.size - _DIGEST_BYTES


class WitnessDamagedError(TwinlockError):
    """A file of the witness is not what it wrote: put it back, or begin again with a new key."""

    code = "witness_damaged"
    status = 503


def make_directory(path: Path) -> None:
    """Make ``path``, mode 0700, and its parents where they are missing.

    Raises:
        FileUnsafeError: it exists and is somebody else's, or open to others, or a link.
    """
    path.mkdir(mode=_PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    check_directory(path)


def check_directory(path: Path) -> None:
    """Refuse a directory that somebody else could change. Raises FileUnsafeError."""
    try:
        found = path.lstat()
    except OSError as error:
        raise FileUnsafeError(f"{path} cannot be examined: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode):
        raise FileUnsafeError(f"{path} is no directory of its own; links are not followed")
    _refuse_others(path, found, todo=f"run `chmod 700 {shlex.quote(str(path))}`")


def _refuse_others(path: Path, found: os.stat_result, *, todo: str) -> None:
    if found.st_uid != os.geteuid():
        raise FileUnsafeError(f"{path} belongs to user {found.st_uid}, not {os.geteuid()}")
    if found.st_mode & _OTHERS_RIGHTS:
        mode = stat.S_IMODE(found.st_mode)
        raise FileUnsafeError(f"{path} is open to others (mode {mode:04o}): {todo}")


def _open(path: Path, flags: int) -> int:
    """Open a private file without following a link or waiting for a pipe.

    Raises:
        FileNotFoundError, FileExistsError: as the flags say.
        FileUnsafeError: a link, not a regular file, another owner's, open to others.
    """
    try:
        handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, _PRIVATE_FILE)
    except (FileNotFoundError, FileExistsError):
        raise
    except OSError as error:
        raise FileUnsafeError(f"{path} cannot be opened: {error.strerror}") from error
    try:
        _check_file(path, os.fstat(handle))
    except FileUnsafeError:
        os.close(handle)
        raise
    return handle


def _check_file(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise FileUnsafeError(f"{path} is not a regular file")
    _refuse_others(path, found, todo=f"run `chmod 600 {shlex.quote(str(path))}`")


def read(path: Path) -> bytes | None:
    """Return what a private file holds, or None where there is none. Raises FileUnsafeError."""
    try:
        handle = _open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    with os.fdopen(handle, "rb") as file:
        data = file.read(_FILE_BYTES_MOST + 1)
    if len(data) > _FILE_BYTES_MOST:
        raise FileUnsafeError(f"{path} is larger than {_FILE_BYTES_MOST} bytes")
    return data


def write(path: Path, data: bytes, *, replace: bool = True) -> None:
    """Put ``data`` at ``path``, whole or not at all, and on the disk when this returns.

    Raises:
        FileExistsError: something stands there, and is not to be replaced.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}-{get_ident()}.new")
    draft.unlink(missing_ok=True)  # What a killed process of the same number left.
    with os.fdopen(_open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    if replace:
        draft.replace(path)
    else:
        try:
            os.link(draft, path)  # Unlike a rename it replaces nothing.
        finally:
            draft.unlink()
    _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file ``path`` alone; the kernel frees it when this process dies.

    Raises:
        FileBusyError: somebody else held it throughout our patience.
    """
    handle = _open(path, os.O_RDWR | os.O_CREAT)
    try:
        _take(handle, path)
        yield
    finally:
        os.close(handle)


def _take(handle: int, path: Path) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        if time.monotonic() > until:
            raise FileBusyError(f"{path} is held by another process")
        time.sleep(_POLL_SECONDS)


class HeadFile:
    """The record that a log's head is, held alone from ``opened`` to the end of its block."""

    def __init__(self, path: Path, handle: int) -> None:
        self._path = path
        self._handle = handle
        self._number = 0

    @staticmethod
    def make(path: Path) -> None:
        """Make the file at ``path``, without a record; one that is there stays as it is."""
        with suppress(FileExistsError):
            write(path, bytes(_PLACES * PLACE_BYTES), replace=False)

    @classmethod
    @contextmanager
    def opened(cls, path: Path) -> "Iterator[HeadFile]":
        """Hold the file at ``path``, which ``make`` made.

        Raises:
            FileBusyError, FileUnsafeError: as they say.
            WitnessDamagedError: it is gone.
        """
        try:
            handle = _open(path, os.O_RDWR)
        except FileNotFoundError as error:
            raise WitnessDamagedError(f"{path} is gone") from error
        try:
            _take(handle, path)
            yield cls(path, handle)
        finally:
            os.close(handle)

    def get(self) -> bytes | None:
        """Return the last record, or None before the first.

        Raises:
            WitnessDamagedError: there was one, and it is gone.
        """
        data = os.pread(self._handle, _PLACES * PLACE_BYTES + 1, 0)
        if len(data) != _PLACES * PLACE_BYTES:
            raise WitnessDamagedError(f"{self._path} does not have its size")
        found = {}
        for place in range(_PLACES):
            number, record = _parse(data[place * PLACE_BYTES : (place + 1) * PLACE_BYTES], place)
            if number:
                found[number] = record
        if not found:
            if any(data):
                raise WitnessDamagedError(f"{self._path} holds no whole record")
            return None
        self._number = max(found)
        return found[self._number]

    def put(self, record: bytes) -> None:
        """Put the next record over the one before the last; it is on disk when this returns.

        Call ``get`` first. At most RECORD_BYTES_MOST bytes.
        """
        number = self._number + 1
        data = _HEADER.pack(_MAGIC, number, len(record)) + record
        data += hashlib.sha256(data).digest()
        written = os.pwrite(self._handle, data, number % _PLACES * PLACE_BYTES)
        if written != len(data):
            raise WitnessDamagedError(f"{self._path} was not written whole: is the disk full?")
        os.fdatasync(self._handle)
        self._number = number


def _parse(data: bytes, place: int) -> tuple[int, bytes]:
    """Return number and record of one place; number 0 where it holds no whole one."""
    magic, number, length = _HEADER.unpack_from(data)
    end = _HEADER.size + length
    if magic != _MAGIC or number % _PLACES != place or length > RECORD_BYTES_MOST:
        return 0, b""
    if hashlib.sha256(data[:end]).digest() != data[end : end + _DIGEST_BYTES]:
        return 0, b""
    return number, data[_HEADER.size : end]
