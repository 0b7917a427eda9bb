"""Passwords that others know: the commonest ones, which we ship, and an operator's breached ones.

The breached ones are a file in the form in which "Pwned Passwords" is published, ordered by hash:
lines of ``SHA-1:count``, 40 hexadecimal digits each. It is searched where it lies, by some forty
reads, so that no password and no part of its hash ever leaves the machine.

Always true (tests/unit/adapters/test_known_passwords.py): a file that cannot be read, or that is
not of its form where it is read, refuses every new password; it never lets one pass.

Source: SP 800-63B-4, 3.1.1.2 (blocklist); ASVS 5.0.0, V6.2.4 and V6.2.12.
"""

import gzip
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import resources
from pathlib import Path
from typing import BinaryIO

from twinlock.adapters.regular_files import open_regular
from twinlock.domain.authenticators.passwords import PasswordRefusedError, PasswordRule, looked_up
from twinlock.domain.errors import TwinlockError

_LINE = re.compile(rb"([0-9A-Fa-f]{40}):[0-9]{1,12}\r?\n?")
_LOOKS = 512  # At an operator's file, when a process starts: a few milliseconds.
_LINE_BYTES_MOST = 64  # 40 digits, a colon, 12 digits and a line end have 55.


class BreachedFileError(TwinlockError):
    """The file of breached passwords cannot be read, or is not its form: no password is set."""

    code = "breached_passwords_unreadable"
    status = 503


class KnownPasswords:
    """Refuses passwords that others know; ``breached`` is the operator's file, where there is one.

    Raises:
        BreachedFileError: on making it, where the file is not of its form or not sorted.
    """

    def __init__(self, breached: Path | None = None) -> None:
        self._breached = breached
        if breached is not None:
            _check_order(breached)

    def check(self, password: str, *, normal: str) -> str:
        """Return ``normal``, the one form of ``password``, when nobody knows it.

        Reads a file: call it in a thread.

        Raises:
            PasswordRefusedError: common, breached.
            BreachedFileError: it cannot be told.
        """
        if looked_up(normal) in common_passwords():
            raise PasswordRefusedError(PasswordRule.COMMON)
        if self._breached is not None:
            for text in {password, normal}:  # A list of breaches knows what people typed.
                digest = hashlib.sha1(text.encode("utf-8"), usedforsecurity=False).hexdigest()
                if _find(self._breached, digest.upper()):
                    raise PasswordRefusedError(PasswordRule.BREACHED)
        return normal


@cache
def common_passwords() -> frozenset[str]:
    """Return the common passwords that we ship, as ``looked_up`` gives them."""
    packed = resources.files("twinlock.adapters").joinpath("common_passwords", "list.txt.gz")
    return frozenset(gzip.decompress(packed.read_bytes()).decode("utf-8").splitlines())


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with open_regular(path) as file:
            yield file
    except OSError as error:
        raise BreachedFileError("the file of breached passwords cannot be read") from error


def _check_order(path: Path) -> None:
    """Check that what is read here and there of the file is of its form, and ascends.

    Prevents: a file that was sorted by count, and that then knows no password.
    """
    with _opened(path) as file:
        size = file.seek(0, 2)
        looked = range(0, max(size, 1), max(size // _LOOKS, 1))
        found = [_line_from(file, place, low=0)[1] for place in looked]
    if found != sorted(found):
        raise BreachedFileError("the file of breached passwords is not sorted by hash")


def _find(path: Path, digest: str) -> bool:
    """Say whether a line of the file has ``digest``.

    Between ``low`` and ``high`` lie all lines that may have it, by where they begin.
    """
    wanted = digest.encode("ascii")
    with _opened(path) as file:
        low, high = 0, file.seek(0, 2)
        while low < high:
            start, found = _line_from(file, (low + high) // 2, low=low)
            if found == wanted:
                return True
            if found < wanted:
                low = file.tell()
            else:
                high = start
    return False


def _line_from(file: BinaryIO, middle: int, *, low: int) -> tuple[int, bytes]:
    """Return where the line begins that ``middle`` lies in, and its digest; read to its end."""
    back = max(low, middle - _LINE_BYTES_MOST)
    file.seek(back)
    before = file.read(middle - back)
    start = back + before.rfind(b"\n") + 1
    return start, _line_at(file, start)


def _line_at(file: BinaryIO, start: int) -> bytes:
    """Return the digest of the line that begins at ``start``, in upper case; read to its end."""
    file.seek(start)
    found = _LINE.fullmatch(file.readline(_LINE_BYTES_MOST))
    if found is None:
        raise BreachedFileError("the file of breached passwords holds a line of another form")
    return found[1].upper()
