"""What every leaf says, in one file that all workers of an audit map into their memory.

Whoever reads the log in its order writes here what each leaf says; whoever reads an account finds
its leaves here, and marks them as claimed. A leaf is read once so, from where it lies beside its
neighbours, and 124 bytes of it are kept, of which the system holds in memory what it likes.

Nothing secret is in it: a leaf is public.
"""

import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twinlock.domain.audit.accounts import StoredLeaf
from twinlock.domain.audit.leaves import KIND_LETTERS_MOST, LOG_KEY, PLATFORM
from twinlock.domain.log.merkle import HASH_BYTES
from twinlock.domain.requirements import Answer

_SAID = struct.Struct(
    f"=q{HASH_BYTES}s{KIND_LETTERS_MOST}sBH"
)  # Time, facts, type, answer, policy.
_ANSWERS = tuple(answer.value.encode("ascii") for answer in Answer)
_NUMBERS = {answer: number for number, answer in enumerate(_ANSWERS)}
_MISSING = bytes(HASH_BYTES)
_NO_POLICY = 0xFFFF  # The number of one that is not kept.


class Slots:
    """The slots of ``size`` leaves; what nobody wrote is all zeros.

    ``policies`` are the digests of the policies that are kept, the same in every worker.
    """

    def __init__(self, mapped: mmap.mmap, size: int, policies: tuple[bytes, ...]) -> None:
        self._mapped = mapped
        self._policies = policies
        self._numbers = {digest: number for number, digest in enumerate(policies)}
        self._said = size * HASH_BYTES
        self._claims = self._said + size * _SAID.size
        self.size = size

    @classmethod
    @contextmanager
    def open(cls, path: Path, size: int, policies: tuple[bytes, ...]) -> Iterator["Slots"]:
        """Map the file at ``path``, made where it is not there yet."""
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            length = max(size * (HASH_BYTES + _SAID.size + 1), 1)  # An empty file is not mapped.
            os.ftruncate(handle, length)
            with mmap.mmap(handle, length) as mapped:
                yield cls(mapped, size, policies)
        finally:
            os.close(handle)

    def put(self, index: int, leaf: StoredLeaf) -> None:
        """Write what one leaf says."""
        self._mapped[index * HASH_BYTES : (index + 1) * HASH_BYTES] = leaf.hash
        if leaf.kind in (LOG_KEY, PLATFORM):
            self._mapped[self._claims + index] = 1  # It is nobody's, and misses nobody.
        elif leaf.kind:
            number = self._numbers.get(leaf.policy, _NO_POLICY)
            said = (leaf.at, leaf.facts, leaf.kind, _NUMBERS[leaf.answer], number)
            _SAID.pack_into(self._mapped, self._said + index * _SAID.size, *said)

    def claim(self, index: int) -> StoredLeaf | None:
        """Return what leaf ``index`` says, and mark it as some account's; None where it is gone."""
        leaf = self.look(index)
        if leaf is not None:
            self._mapped[self._claims + index] = 1
        return leaf

    def look(self, index: int) -> StoredLeaf | None:
        """Return what leaf ``index`` says; None where it is gone."""
        if not 0 <= index < self.size:
            return None
        hashed = self._mapped[index * HASH_BYTES : (index + 1) * HASH_BYTES]
        if hashed == _MISSING:
            return None
        at, facts, kind, answer, policy = _SAID.unpack_from(
            self._mapped, self._said + index * _SAID.size
        )
        known = b"" if policy == _NO_POLICY or not self._policies else self._policies[policy]
        return StoredLeaf(hashed, at, facts, kind.rstrip(b"\0"), _ANSWERS[answer], known)

    def unclaimed(self) -> Iterator[int]:
        """Yield the leaves that are there, and that no account has claimed."""
        at = self._mapped.find(b"\0", self._claims, self._claims + self.size)
        while at >= 0:
            index = at - self._claims
            if self._mapped[index * HASH_BYTES : (index + 1) * HASH_BYTES] != _MISSING:
                yield index
            at = self._mapped.find(b"\0", at + 1, self._claims + self.size)

    def __getitem__(self, at: slice) -> bytes:
        """Return hashes, by a slice that is counted in bytes."""
        start, stop, _ = at.indices(self._said)
        return self._mapped[start:stop]

    def __len__(self) -> int:
        """Return how many bytes all hashes have."""
        return self._said
