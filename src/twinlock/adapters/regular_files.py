"""Files that others put in place and the service reads while it decides: lists of all kinds.

Always true (tests/unit/adapters/test_regular_files.py): what is opened is a regular file, which has
an end, and opening it waits for nobody.
"""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_regular(path: Path) -> BinaryIO:
    """Return a regular file, open for reading; links are followed, as configurations use them.

    Prevents: a pipe that nobody writes to, for which every decision waits; a device without an end.

    Raises:
        OSError: it is none, or the system says no.
    """
    # Without O_NONBLOCK, opening a pipe waits for somebody who writes.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return os.fdopen(handle, "rb")
    os.close(handle)
    raise OSError(errno.EINVAL, "not a regular file", str(path))
