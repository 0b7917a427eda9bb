"""The signer's memory in files, for a wallet that has no database of its own for it.

Always true (tests/unit/signer/test_signer_files.py):

* pages change all together or not at all, whenever the process or the machine dies: they are first
  written to one journal, which whoever comes next finishes;
* one process holds them at a time; the kernel lets go when it dies;
* nobody else may read or change them, or the signer stops.

Never put an older copy back: what was cleared since could then be cleared again. Start anew
instead, with ``adopt_head``, and let keys age again.
"""

import fcntl
import hashlib
import os
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from twinlock.domain.canonical import encode
from twinlock.domain.errors import FileUnsafeError, MalformedError

_OTHERS_RIGHTS = 0o077
_SHARD_DIGITS = 3  # 4,096 files: ten million spends keep each below 500 KB.


class FileState:
    """The memory below ``directory``, which is made where it is missing. Fulfils SignerState."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._journal = directory / "journal.json"

    @contextmanager
    def open(self) -> "Iterator[FilePages]":
        """Hold the files alone, and write what was put when the block ends.

        Raises:
            FileUnsafeError: somebody else could change them.
            MalformedError: a file is not what was written.
            OSError: the disk says no.
        """
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._refuse_others()
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        lock = os.open(self._directory / "lock", flags, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._finish()
            pages = FilePages(self._directory)
            yield pages
            if pages.changed:
                _write(self._journal, pages.changed)
                self._finish()
        finally:
            os.close(lock)

    def _refuse_others(self) -> None:
        path, found = self._directory, self._directory.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise FileUnsafeError(f"{path} is no directory of its own; links are not followed")
        if found.st_uid != os.geteuid():
            raise FileUnsafeError(f"{path} belongs to user {found.st_uid}, not {os.geteuid()}")
        if found.st_mode & _OTHERS_RIGHTS:
            mode = stat.S_IMODE(found.st_mode)
            todo = f"run `chmod 700 {shlex.quote(str(path))}`"
            raise FileUnsafeError(f"{path} is open to others (mode {mode:04o}): {todo}")

    def _finish(self) -> None:
        """Carry over the journal, whoever wrote it; done twice it changes nothing."""
        journal = _read(self._journal)
        shards: dict[Path, dict[str, str]] = {}
        for name, value in journal.items():
            path = _shard(self._directory, name)
            shards.setdefault(path, _read(path))[name] = value
        for path, pages in shards.items():
            _write(path, pages)
        self._journal.unlink(missing_ok=True)


class FilePages:
    """The pages while they are held; ``changed`` is what was put."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.changed: dict[str, str] = {}

    def get(self, name: str) -> bytes | None:
        """Return the page ``name``, or None. Raises MalformedError, OSError."""
        value = self.changed.get(name)
        if value is None:
            value = _read(_shard(self._directory, name)).get(name)
        return None if value is None else value.encode("utf-8")

    def put(self, name: str, value: bytes) -> None:
        """Put the page ``name``, UTF-8."""
        self.changed[name] = value.decode("utf-8")


def _shard(directory: Path, name: str) -> Path:
    digest = hashlib.sha256(name.encode("utf-8")).hexdigest()
    return directory / f"pages-{digest[:_SHARD_DIGITS]}.json"


def _read(path: Path) -> dict[str, str]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except FileNotFoundError:
        return {}
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MalformedError(f"{path} is damaged") from error


def _write(path: Path, pages: dict[str, str]) -> None:
    """Put ``pages`` at ``path``, whole or not at all, and on the disk when this returns."""
    draft = path.with_suffix(".new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
        file.write(encode(pages))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
