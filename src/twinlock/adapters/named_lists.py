"""Lists that the operator's commands keep in private files, read anew with each question.

Always true (tests/unit/adapters/test_told_receivers.py): a change takes the file's place whole; a
file that others could write, or that is not what it says, is refused.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from twinlock.adapters import private_files
from twinlock.domain.canonical import encode
from twinlock.domain.errors import MalformedError

PATIENCE_SECONDS = 5
T = TypeVar("T")


class NamedList(Generic[T]):
    """The list in one file, of at most ``limit`` bytes; ``name_of`` names each of its entries."""

    def __init__(
        self,
        path: Path,
        decoder: msgspec.json.Decoder[tuple[T, ...]],
        *,
        limit: int,
        name_of: Callable[[T], str],
    ) -> None:
        self._path = path
        self._decoder = decoder
        self._limit = limit
        self._name_of = name_of

    def listed(self) -> tuple[T, ...]:
        """Return all entries, by their names.

        Raises:
            FileUnsafeError, MalformedError: the file is somebody else's, or is not what it says.
        """
        try:
            data = private_files.read(self._path, limit=self._limit)
        except FileNotFoundError:
            return ()
        try:
            return self._decoder.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise MalformedError(f"{self._path.name} does not hold its list: {error}") from error

    def change(self, change: Callable[[tuple[T, ...]], tuple[T, ...]]) -> None:
        """Put what ``change`` makes of the list in its place; nobody else changes it meanwhile."""
        private_files.make_directory(self._path.parent)
        lock = self._path.with_name(f"{self._path.name}.lock")
        with private_files.locked(lock, patience_seconds=PATIENCE_SECONDS):
            changed = sorted(change(self.listed()), key=self._name_of)
            private_files.write(self._path, encode(changed))
