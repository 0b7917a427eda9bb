"""Files that are named on the command line."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from twinlock.cli.console import plain
from twinlock.domain.errors import TwinlockError


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
    if len(data) > most:
        raise FileUnreadableError(f"{named} has more than {most} bytes")
    return data
