"""Files that are named on the command line."""

import os
import stat
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

from twinlock.cli.console import plain
from twinlock.domain.errors import FileUnsafeError, TwinlockError

_OTHERS_RIGHTS = 0o077
_GROUP_READS = 0o040


class FileUnreadableError(TwinlockError):
    """A file that was named on the command line is missing, no file, too large, or not readable."""

    code = "file_unreadable"
    status = 400


def open_file(path: Path) -> BinaryIO:
    """Return a regular file, open for reading; whoever asked closes it.

    Prevents: waiting for a pipe that never ends.

    Raises:
        FileUnreadableError: it is missing, no regular file, or the system says no.
    """
    named = plain(str(path))
    try:
        # Without O_NONBLOCK, opening a pipe waits for somebody who writes.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return os.fdopen(descriptor, "rb")
    except OSError as error:
        raise FileUnreadableError(f"{named} cannot be read: {error.strerror}") from error
    os.close(descriptor)
    raise FileUnreadableError(f"{named} is no regular file")


def read_file(path: Path, most: int) -> bytes:
    """Return the bytes of a regular file, at most ``most``.

    Prevents: waiting for a pipe that never ends; filling the memory from one that is no file.

    Raises:
        FileUnreadableError: it is missing, no regular file, larger, or the system says no.
    """
    named = plain(str(path))
    try:
        with open_file(path) as file:
            data = file.read(most + 1)
    except OSError as error:
        raise FileUnreadableError(f"{named} cannot be read: {error.strerror}") from error
    return _within(path, data, most)


def _within(path: Path, data: bytes, most: int) -> bytes:
    if len(data) > most:
        raise FileUnreadableError(f"{plain(str(path))} has more than {most} bytes")
    return data


def read_secret(path: Path, most: int) -> bytes:
    """Return the bytes of a regular file that nobody else may read or change, at most ``most``.

    Links are followed, and root may own it: so containers are handed their secrets.

    Raises:
        FileUnsafeError: it is another user's, or open to others.
        FileUnreadableError: as ``read_file``.
    """
    with open_file(path) as file:
        found, data = os.fstat(file.fileno()), file.read(most + 1)
    check_secret(path, found, user=os.geteuid(), groups={os.getegid(), *os.getgroups()})
    return _within(path, data, most)


def check_secret(path: Path, found: os.stat_result, *, user: int, groups: Collection[int]) -> None:
    """Refuse a file that another than ``user`` and root may read or change.

    A program of another user may be handed one of root's by a group that it is in (mode 0440;
    Kubernetes does so for a pod's ``fsGroup``). Source: OpenSSH, which judges the mode of private
    keys of one's own alone.

    Raises:
        FileUnsafeError: somebody else may.
    """
    if found.st_uid not in (0, user):
        raise FileUnsafeError(f"{path} belongs to user {found.st_uid}, not {user}")
    handed = found.st_uid == 0 != user and found.st_gid in groups
    if found.st_mode & _OTHERS_RIGHTS & ~(_GROUP_READS if handed else 0):
        mode = stat.S_IMODE(found.st_mode)
        raise FileUnsafeError(f"{path} is open to others (mode {mode:04o})")
