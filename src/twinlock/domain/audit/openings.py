"""Commitments and MACs by the dozen: the bytes of ``canonical``, and four times as fast.

An audit makes some twenty hashes an entry, and most of them are the same few under another salt.
What is the same each time is made once here: the salts' padding for a whole entry in one go, and
each field's frame. Then an HMAC is two calls of SHA-256 (RFC 2104).

Always true (tests/property/test_audit_properties.py): commitments, MACs and hashes are those of
``canonical``, for any salts, fields and values, and a salt that it refuses is refused here.

Source: docs/log-format.md.
"""

import binascii
import hashlib
import struct
from collections.abc import Sequence

from twinlock.domain.bounds import DOCUMENT_BYTES_MOST
from twinlock.domain.canonical import b64url
from twinlock.domain.errors import MalformedError, invariant

KEY_BYTES = 32  # Of a salt, a label key, an entry's key.
LETTERS = len(b64url(bytes(KEY_BYTES)))
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
_INNER_REST = b"\x36" * (64 - KEY_BYTES)  # SHA-256 takes blocks of 64 bytes.
_OUTER_REST = b"\x5c" * (64 - KEY_BYTES)
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_STANDARD = bytes.maketrans(b"-_+/", b"+/##")  # What is no base64url is no base64 either.
_FILLER = "A"  # Six zero bits: 43 letters and one of these are 33 bytes, and the last is zero.
_STEP = KEY_BYTES + 1
_ALL = {LETTERS}
# Of every part that a box can hold: looked up in a tenth of the time that making one takes.
_LENGTHS = tuple(length.to_bytes(8, "big") for length in range(DOCUMENT_BYTES_MOST + 1))
_sha256 = hashlib.sha256


def framed(tag: str, *parts: bytes, last: int | None = None) -> bytes:
    """Return what a tagged hash is over: the tag, and ``parts`` with their lengths.

    ``last`` is the length of one more part that follows.
    """
    ends = b"" if last is None else last.to_bytes(8, "big")
    sized = (len(part).to_bytes(8, "big") + part for part in parts)
    return b"".join((b"twinlock/", tag.encode("ascii"), b"\0", *sized, ends))


def hashed(frame: bytes, parts: Sequence[bytes]) -> bytes:
    """Return the tagged hash (32 bytes) of ``parts``, whose tag's frame is ``frame``."""
    return _sha256(frame + b"".join([len(one).to_bytes(8, "big") + one for one in parts])).digest()


class Keyed:
    """A key (32 bytes) under which MACs are made of what is framed already."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        invariant(len(key) == KEY_BYTES, "a key has 32 bytes")
        self._inner = key.translate(_INNER) + _INNER_REST
        self._outer = key.translate(_OUTER) + _OUTER_REST

    def mac(self, data: bytes) -> bytes:
        """Return HMAC-SHA-256 of ``data``: 32 bytes."""
        return _sha256(self._outer + _sha256(self._inner + data).digest()).digest()


class Committer:
    """Commits to the fields of one kind of entry, always the same and in the same order."""

    def __init__(self, fields: Sequence[str]) -> None:
        self._frames = [
            _INNER_REST + framed("commit/v1", field.encode("ascii")) for field in fields
        ]
        self._keys = struct.Struct(f"{KEY_BYTES}sx" * len(fields))

    def commitments(self, salts: Sequence[str], values: Sequence[bytes]) -> list[bytes]:
        """Return the commitments, base64url, to ``values`` under ``salts`` (base64url).

        Raises:
            MalformedError: a salt is not 32 bytes in canonical base64url, or a value is longer than
                any box.
        """
        salted, unpack = read_hashes(salts), self._keys.unpack
        inner, outer = unpack(salted.translate(_INNER)), unpack(salted.translate(_OUTER))
        lengths, rest, sha256 = _LENGTHS, _OUTER_REST, _sha256
        try:
            return write_hashes(
                [
                    sha256(
                        o + rest + sha256(i + frame + lengths[len(value)] + value).digest()
                    ).digest()
                    for i, o, frame, value in zip(inner, outer, self._frames, values, strict=True)
                ]
            )
        except IndexError as error:
            raise MalformedError("a value is longer than any that we sealed") from error


def read_hashes(texts: Sequence[str]) -> bytes:
    """Return what ``texts`` stand for, 32 bytes each and one zero after each of them.

    Raises:
        MalformedError: one of them is not base64url of 32 bytes in its one canonical form.
    """
    try:
        joined = (_FILLER.join(texts) + _FILLER).encode("ascii").translate(_STANDARD)
        data = binascii.a2b_base64(joined)
    except ValueError as error:
        raise MalformedError("not base64url") from error
    # Another alphabet, padding and stray bits would be written otherwise.
    written = binascii.b2a_base64(data, newline=False)
    if written != joined or data[KEY_BYTES::_STEP].strip(b"\0") or {*map(len, texts)} != _ALL:
        raise MalformedError("not 32 bytes in the one canonical form of base64url")
    return data


def write_hashes(hashes: Sequence[bytes]) -> list[bytes]:
    """Return base64url of each of ``hashes``, 32 bytes each."""
    joined = binascii.b2a_base64(b"\0".join(hashes) + b"\0", newline=False).translate(_URL_SAFE)
    return [joined[at : at + LETTERS] for at in range(0, len(joined), LETTERS + 1)]
