"""Files that nobody but their owner may read, write or replace.

Always true (tests/unit/adapters/test_private_files.py):

* what is read was a regular file of this owner without any right for group or others, reached
  without following a symbolic link;
* what is written is whole or absent after a crash, and never anybody else's to read.

Source: the mode checks are those of OpenSSH's private keys; the write is POSIX rename after fsync.
"""

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from twinlock.domain.errors import FileBusyError, FileUnsafeError

PRIVATE_DIRECTORY = 0o700
PASSABLE_DIRECTORY = 0o711
PRIVATE_FILE = 0o600
OTHERS_RIGHTS = 0o077  # Any of these bits lets somebody else in.
MAX_BYTES = 65_536  # Nothing kept this way is larger; a larger file is not ours.
POLL_SECONDS = 0.02  # Short against a server's start, long against a system call.


def make_directory(path: Path) -> None:
    """Create ``path`` and its missing parents; leave what exists as it is.

    Nobody else may list them. As root others may pass through them: the database's user must reach
    its own directory, which may lie below any of these.
    """
    if path.is_dir():
        return
    make_directory(path.parent)
    try:
        path.mkdir()
    except FileExistsError:  # Another process made it meanwhile; its caller checks it.
        return
    # The umask has no say in what we just made.
    path.chmod(PASSABLE_DIRECTORY if os.geteuid() == 0 else PRIVATE_DIRECTORY)


def check_directory(path: Path, *, owner: int, allowed: int = PRIVATE_DIRECTORY) -> None:
    """Refuse a directory that somebody else than ``owner`` could change.

    Raises:
        FileUnsafeError: missing, a symbolic link, another owner's, or rights beyond ``allowed``.
    """
    try:
        found = path.lstat()
    except OSError as error:
        raise FileUnsafeError(f"{path} cannot be examined") from error
    if not stat.S_ISDIR(found.st_mode):
        raise FileUnsafeError(f"{path} is not a directory of its own")
    _refuse_others(path, found, owner=owner, allowed=allowed)


def check_or_make(path: Path, *, allowed: int) -> None:
    """Refuse a file that others may read, or replace; make an empty one where there is none.

    ``allowed`` are the rights that others may have on its directory.

    Raises:
        FileUnsafeError: a link, not a regular file, another owner's, or open to others.
    """
    owner = os.geteuid()
    check_directory(path.parent, owner=owner, allowed=allowed)
    try:
        create_open(path).close()
    except FileExistsError:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            raise FileUnsafeError(f"{path} is not a regular file") from None
        _refuse_others(path, found, owner=owner)


def read(path: Path, *, owner: int | None = None, limit: int = MAX_BYTES) -> bytes:
    """Return the bytes of a private file of ``owner`` (this process's user unless told).

    Raises:
        FileNotFoundError: there is none.
        FileUnsafeError: a link, not a regular file, another owner's, open to others, too large.
    """
    # Prevents: a named pipe that never answers (O_NONBLOCK), a link to another's file (O_NOFOLLOW).
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(path, flags)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise FileUnsafeError(f"{path} cannot be opened as a file of its own") from error
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise FileUnsafeError(f"{path} is not a regular file")
        _refuse_others(path, found, owner=os.geteuid() if owner is None else owner)
        with os.fdopen(handle, "rb", closefd=False) as file:
            data = file.read(limit + 1)
    finally:
        os.close(handle)
    if len(data) > limit:
        raise FileUnsafeError(f"{path} is larger than {limit} bytes")
    return data


def read_or_make(path: Path, make: Callable[[], bytes]) -> bytes:
    """Return the bytes of a private file; where there is none, ``make`` says what it holds.

    Where two processes make it at once, both return what the first one wrote.
    """
    try:
        return read(path)
    except FileNotFoundError:
        with suppress(FileExistsError):
            create(path, make())
        return read(path)


def write(path: Path, data: bytes, *, mode: int = PRIVATE_FILE) -> None:
    """Put ``data`` at ``path``, replacing at once what stood there.

    It is on disk when this returns: file and directory are synchronised. ``mode`` is another one
    for what is no secret, and may be read by others.
    """
    _draft(path, data, mode=mode).replace(path)
    sync_directory(path.parent)


def create(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path``, mode 0600, where nothing stands yet.

    Raises:
        FileExistsError: something does, be it a link that leads nowhere.
    """
    draft = _draft(path, data, mode=PRIVATE_FILE)
    try:
        os.link(draft, path)  # Unlike a rename it replaces nothing.
    finally:
        draft.unlink()
    sync_directory(path.parent)


def create_open(path: Path) -> BinaryIO:
    """Make a file at ``path``, mode 0600, and return it open. Raises FileExistsError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, PRIVATE_FILE), "wb")


def _draft(path: Path, data: bytes, *, mode: int) -> Path:
    """Write ``data`` beside ``path``, and return where. Raises FileExistsError: it is / or .."""
    if not path.name:
        raise FileExistsError(errno.EEXIST, "File exists", str(path))
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    draft.unlink(missing_ok=True)  # What a killed process of the same number left.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(draft, flags, PRIVATE_FILE), "wb") as file:
        os.fchmod(file.fileno(), mode)  # The umask has no say in it.
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return draft


def sync_directory(path: Path) -> None:
    """Make the names in ``path`` survive a power failure."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(path: Path, *, patience_seconds: int) -> Iterator[None]:
    """Hold the lock file ``path`` alone; the kernel frees it when this process dies.

    Without patience it is tried once and never waited for.

    Raises:
        FileBusyError: another process held it throughout ``patience_seconds``.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(path, flags, PRIVATE_FILE)
    try:
        _take(handle, path, patience_seconds=patience_seconds)
        yield
    finally:
        os.close(handle)


def _take(handle: int, path: Path, *, patience_seconds: int) -> None:
    for _ in range(int(patience_seconds / POLL_SECONDS)):
        if _take_at_once(handle):
            return
        time.sleep(POLL_SECONDS)
    if not _take_at_once(handle):
        raise FileBusyError(f"{path} is held by another process")


def _take_at_once(handle: int) -> bool:
    """Take the lock if nobody holds it; say whether it is ours."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _refuse_others(
    path: Path, found: os.stat_result, *, owner: int, allowed: int = PRIVATE_DIRECTORY
) -> None:
    if found.st_uid != owner:
        raise FileUnsafeError(f"{path} belongs to user {found.st_uid}, not {owner}")
    if found.st_mode & OTHERS_RIGHTS & ~allowed:
        mode = stat.S_IMODE(found.st_mode)
        raise FileUnsafeError(f"{path} is open to others (mode {mode:04o})")
