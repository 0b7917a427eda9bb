"""What was seen before, of millions of values, in little memory: 16 bytes each and a half more.

Values are known by 64 bits of a keyed hash. Two different ones of ten million are taken for the
same with a chance of three in a million; the later row is then refused, and nothing is lost.
"""

import hashlib
from array import array

_LEAST = 1_024  # Places; a power of two.
_EMPTY = 0


class Seen:
    """A set of values that only grows. ``key`` is random, so that nobody can fill one corner."""

    def __init__(self, *, key: bytes) -> None:
        self._key = key
        self._places = array("Q", bytes(8 * _LEAST))
        self._count = 0

    def add(self, kind: str, value: str) -> bool:
        """Add ``value``, and say whether it was there already."""
        text = f"{kind}\0{value}".encode()
        hashed = hashlib.blake2b(text, digest_size=8, key=self._key).digest()
        known = self._put(int.from_bytes(hashed, "big") or 1)
        self._count += not known
        if self._count * 3 > len(self._places) * 2:
            self._grow()
        return known

    def _put(self, number: int) -> bool:
        places, mask = self._places, len(self._places) - 1
        at = number & mask
        while places[at] != _EMPTY:
            if places[at] == number:
                return True
            at = (at + 1) & mask
        places[at] = number
        return False

    def _grow(self) -> None:
        before = self._places
        self._places = array("Q", bytes(16 * len(before)))
        for number in before:
            if number != _EMPTY:
                self._put(number)
