"""Files of an older system, line by line in little memory, and the report of what was refused.

Always true (tests/unit/cli/test_import_files.py): a line is as long as a row may be or is told as
too long; no line is given out that is another one than when the file was hashed; what is written
for a spreadsheet begins nothing that one would run.
"""

import csv
import errno
import hashlib
import io
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, TextIO

from twinlock.cli.console import plain
from twinlock.cli.files import FileUnreadableError
from twinlock.domain.errors import FileUnsafeError, TwinlockError
from twinlock.proofs.importing import FORMULA
from twinlock.services.importing.reading import LINE_BYTES_MOST, Format

# What a spreadsheet runs, also behind what it drops, and of full width as some write it.
_RUN = FORMULA | set("\t\r\n\uff1d\uff0b\uff0d\uff20")
_PIECE = 1 << 20  # Bytes that are hashed at once, and known again.
_FORMS = {".csv": Format.CSV, ".jsonl": Format.JSONL, ".ndjson": Format.JSONL}
FORM_UNTOLD = (
    "name the file's form: --format csv, or --format jsonl for an object of JSON on each line"
    " (`jq -c '.[]'` makes those of an array)"
)

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class ImportFileChangedError(TwinlockError):
    """The file changed while it was read: nothing of what is other than its digest was taken."""

    code = "import_file_changed"
    status = 409


class Line(NamedTuple):
    """A line of a file: its number, its bytes, and how many bytes of the file end with it.

    Of one that is too long there are a few bytes more than a row may have, with as many quotes,
    even or odd, as all of it.
    """

    number: int
    data: bytes
    read: int


def form_of(path: Path) -> Format | None:
    """Return how a file is written, if its name ends in that."""
    return _FORMS.get(path.suffix.lower())


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


class Hashed(NamedTuple):
    """A file as it was once: its SHA-256, and that of each of its pieces."""

    digest: bytes
    pieces: tuple[bytes, ...]


def hashed(file: BufferedReader) -> Hashed:
    """Hash a file, and go back to its beginning."""
    whole, pieces = hashlib.sha256(), list[bytes]()
    file.seek(0)
    while piece := file.read(_PIECE):
        whole.update(piece)
        pieces.append(hashlib.sha256(piece).digest())
    file.seek(0)
    return Hashed(whole.digest(), tuple(pieces))


def unchanged(file: BufferedReader, as_hashed: Hashed) -> BufferedReader:
    """Return what reads a file that was hashed, and gives out no piece that is another by now.

    Prevents: rows that are written into the file behind the digest that two people agreed on, and
    that every account keeps, while it is read a second time; what is found at the end is too late.
    """
    return BufferedReader(_Pieces(file, as_hashed.pieces), _PIECE)


class _Pieces(io.RawIOBase):
    """The pieces of a file, each held against what it was. Raises ImportFileChangedError."""

    def __init__(self, file: BufferedReader, pieces: Sequence[bytes]) -> None:
        super().__init__()
        self._file, self._pieces = file, iter(pieces)
        self._left = memoryview(b"")

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Give out what was checked."""
        if not self._left:
            piece = self._file.read(_PIECE)
            known = next(self._pieces, None)
            if (hashlib.sha256(piece).digest() if piece else None) != known:
                raise ImportFileChangedError("the file was changed while it was read")
            self._left = memoryview(piece)
        into = memoryview(buffer).cast("B")
        size = min(len(into), len(self._left))
        into[:size], self._left = self._left[:size], self._left[size:]
        return size


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
                data += self._skip()
            # Prevents: a row behind 64 KiB of spaces, which is passed over as an empty line.
            if not whole or data.strip():
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

    def _skip(self) -> bytes:
        """Read on to the end of a line that is too long; keep of it a quote where one is odd."""
        odd = 0
        while data := self._next():
            odd ^= data.count(b'"') & 1
            if data.endswith(b"\n"):
                break
        return b',"' if odd else b""  # Behind a comma, since it opens a cell where none is open.


def open_report(path: Path, *, beside: Iterable[IO[Any]]) -> TextIO:
    """Return a file of ours, empty and readable by nobody else; what stood there is gone.

    Prevents: the file that is being read, or another report, written over; and a report that
    lands behind somebody's link, or in somebody's own file.

    Raises:
        FileUnsafeError: it is a link, no regular file, another user's, or one of ``beside``.
    """
    named = plain(str(path))
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(path, flags, 0o600)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENXIO):
            raise
        raise FileUnsafeError(f"{named} is a link, or no regular file") from error
    file = os.fdopen(handle, "w", encoding="utf-8", newline="")
    try:
        _check_own(os.fstat(handle), named, beside)
        os.fchmod(handle, 0o600)  # Also where it was there before.
        os.ftruncate(handle, 0)
    except BaseException:
        file.close()
        raise
    return file


def _check_own(found: os.stat_result, named: str, beside: Iterable[IO[Any]]) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise FileUnsafeError(f"{named} is a link, or no regular file")
    if found.st_uid != os.geteuid():
        raise FileUnsafeError(f"{named} belongs to somebody else")
    if any(os.path.samestat(found, os.fstat(one.fileno())) for one in beside):
        raise FileUnsafeError(f"{named} is named for something else, too")


def write_cells(out: TextIO, cells: Sequence[str]) -> None:
    """Write one row of CSV; a cell that a spreadsheet would run has an apostrophe before it.

    Source: OWASP, CSV Injection.
    """
    safe = [f"'{cell}" if cell[:1] in _RUN else cell for cell in cells]
    csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL).writerow(safe)
