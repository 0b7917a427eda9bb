"""The log's anchor: the last signed checkpoint, kept where the database cannot reach it.

Always true (tests/unit/adapters/test_anchor.py):

* it advances only from the size that its caller expected, never back, and one size keeps one root;
* after a crash it is the old one or the new one, whole;
* nobody waits for it: where another process holds its lock, it is left as it is, and what reads or
  moves it runs in a thread of its own (tests/integration/test_anchoring.py).

What it is for: a database restored from a backup, or rolled back by its owner, is behind the anchor
and refused. A missing file shows nothing: whoever starts a log that has leaves must treat it as a
refusal. Source: docs/log-format.md, how it is written.
"""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from twinlock.adapters import private_files
from twinlock.domain import canonical
from twinlock.domain.errors import AnchorMovedError, AnchorWrongError, MalformedError
from twinlock.domain.log.merkle import HASH_BYTES
from twinlock.ports.log import (
    Anchor,
)

T = TypeVar("T")


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    checkpoint: str
    root: str
    size: int


class AnchorFile:
    """The anchor of one log, in a file of mode 0600 (a lock file lies next to it)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = path.with_name(f"{path.name}.lock")

    def read(self) -> Anchor | None:
        """Return the anchor, or None before the first one.

        Raises:
            AnchorWrongError: the file is not one that ``advance`` wrote.
            FileUnsafeError: somebody else could have written it.
        """
        try:
            data = private_files.read(self._path)
        except FileNotFoundError:
            return None
        try:
            kept = msgspec.json.decode(data, type=_File)
            root = canonical.from_b64url(kept.root, size=HASH_BYTES)
        except (msgspec.MsgspecError, UnicodeDecodeError, MalformedError) as error:
            raise AnchorWrongError(f"{self._path} is not an anchor") from error
        if kept.size < 0 or canonical.encode(kept) != data:
            raise AnchorWrongError(f"{self._path} is not in canonical form")
        return Anchor(size=kept.size, root=root, checkpoint=kept.checkpoint)

    def advance(self, new: Anchor, *, expected_size: int | None) -> None:
        """Replace the anchor of ``expected_size`` (None: there is none yet) by ``new``, durably.

        The same size with the same root is allowed: cosignatures arrive later.

        Raises:
            AnchorMovedError: another size stands there, or ``new`` goes back, or forks.
            FileBusyError: another process holds the lock, perhaps a stopped one.
        """
        private_files.make_directory(self._path.parent)
        with private_files.locked(self._lock, patience_seconds=0):
            old = self.read()
            if (None if old is None else old.size) != expected_size:
                raise AnchorMovedError("the anchor moved meanwhile")
            if old is not None:
                _refuse_fork(old, new)
            file = _File(checkpoint=new.checkpoint, root=canonical.b64url(new.root), size=new.size)
            private_files.write(self._path, canonical.encode(file))


class AnchorThread:
    """An anchor file, read and moved in a thread of its own. Implements ``ports.Anchors``.

    Prevents: an event loop that stands still for two fsyncs, or for a disk that hangs.
    """

    def __init__(self, file: AnchorFile) -> None:
        self._file = file
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="anchor")

    @classmethod
    @contextmanager
    def of(cls, path: Path) -> Iterator["AnchorThread"]:
        """Keep the anchor at ``path``; on leaving, wait for nothing."""
        anchors = cls(AnchorFile(path))
        try:
            yield anchors
        finally:
            anchors._pool.shutdown(wait=False)

    async def read(self) -> Anchor | None:
        """Return the anchor, or None before the first one (see ``AnchorFile.read``)."""
        return await self._run(self._file.read)

    async def advance(self, new: Anchor, *, expected_size: int | None) -> None:
        """Replace the anchor (see ``AnchorFile.advance``)."""
        await self._run(lambda: self._file.advance(new, expected_size=expected_size))

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)


def _refuse_fork(old: Anchor, new: Anchor) -> None:
    if new.size < old.size:
        raise AnchorMovedError("a log never shrinks")
    if new.size == old.size and new.root != old.root:
        raise AnchorMovedError("one size has one root for ever")
