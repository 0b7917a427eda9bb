"""Files of an older system, line by line in little memory, and the report of what was refused.

Always true (tests/unit/cli/test_import_files.py): a line is as long as a row may be or is told as
too long; what is written for a spreadsheet begins nothing that one would run.
"""

import csv
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple, TextIO

from twinlock.cli.console import plain
from twinlock.cli.files import FileUnreadableError
from twinlock.domain.errors import TwinlockError
from twinlock.proofs.importing import FORMULA
from twinlock.services.importing.reading import LINE_BYTES_MOST

_RUN = FORMULA | {"\t", "\r"}  # What a spreadsheet runs, also behind what it drops.
_PIECE = 1 << 20  # Bytes that are hashed at once.


class ImportFileChangedError(TwinlockError):
    """The file changed while it was read: what was taken names a digest that it has no more."""

    code = "import_file_changed"
    status = 409


class Line(NamedTuple):
    """A line of a file: its number, its bytes, and how many bytes of the file end with it.

    Of one that is too long there are a few bytes more than a row may have.
    """

    number: int
    data: bytes
    read: int


def open_file(path: Path) -> BufferedReader:
    """Return a regular file, open for reading.

    Raises:
        FileUnreadableError: it is missing, no regular file, or the system says no.
    """
    named = plain(str(path))
    try:
        # Without O_NONBLOCK, opening a pipe waits for somebody who writes.
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    except OSError as error:
        raise FileUnreadableError(f"{named} cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise FileUnreadableError(f"{named} is no regular file")
    return file


def is_open_to_others(file: BufferedReader) -> bool:
    """Say whether more people than its owner may read it: it holds seeds and hashes."""
    return bool(os.fstat(file.fileno()).st_mode & 0o077)


def digest_of(file: BufferedReader) -> bytes:
    """Return the SHA-256 of a file, and go back to its beginning."""
    hashed = hashlib.sha256()
    file.seek(0)
    while piece := file.read(_PIECE):
        hashed.update(piece)
    file.seek(0)
    return hashed.digest()


class Lines:
    """The lines of a file that are not empty; ``digest`` is that of all that was read."""

    def __init__(self, file: BufferedReader) -> None:
        self._file = file
        self._hashed = hashlib.sha256()
        self._read = 0

    def __iter__(self) -> Iterator[Line]:
        """Give every line that is not empty, in order."""
        number = 0
        while data := self._next():
            number += 1
            whole = len(data) <= LINE_BYTES_MOST or data.endswith(b"\n")
            if not whole:
                self._skip()
            if data.strip():
                yield Line(number, data, self._read)

    @property
    def digest(self) -> bytes:
        """The SHA-256 of what was read so far."""
        return self._hashed.digest()

    def _next(self) -> bytes:
        data = self._file.readline(LINE_BYTES_MOST + 1)
        self._hashed.update(data)
        self._read += len(data)
        return data

    def _skip(self) -> None:
        """Read on to the end of a line that is too long, and keep nothing of it."""
        while (data := self._next()) and not data.endswith(b"\n"):
            pass


def write_cells(out: TextIO, cells: Sequence[str]) -> None:
    """Write one row of CSV; a cell that a spreadsheet would run has an apostrophe before it.

    Source: OWASP, CSV Injection.
    """
    safe = [f"'{cell}" if cell[:1] in _RUN else cell for cell in cells]
    csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL).writerow(safe)
