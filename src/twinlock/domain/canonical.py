"""One form in bytes: canonical JSON, tagged hashes and tagged MACs.

Always true (tests/property/test_canonical.py):

* two equal values have the same bytes, and bytes that are not canonical are refused;
* no two (tag, parts) share a preimage: every part is prefixed with its length.

Source: RFC 8785 (JCS), the subset with ASCII keys and integers within ±(2^53 − 1); hashes as in
docs/log-format.md.
"""

import binascii
import hashlib
import hmac
import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NoReturn

import msgspec

from twinlock.domain.errors import MalformedError, invariant

MAX_SAFE_INTEGER = 2**53 - 1  # RFC 7493, 2.2: beyond it readers in other languages round.
MAX_DEPTH = 32  # Nothing we sign nests deeper than 8; hostile JSON nests to exhaust the stack.

_ENCODER = msgspec.json.Encoder(order="sorted")
_UNORDERED = msgspec.json.Encoder()
_URL_SAFE = bytes.maketrans(b"+/", b"-_")  # RFC 4648, 5.
_STANDARD = bytes.maketrans(b"-_", b"+/")


def encode(value: object) -> bytes:
    """Return the canonical bytes of ``value``: structs, dicts, lists, strings, integers, booleans.

    The caller's types rule out floats and keys beyond ASCII; ``decode`` checks them in bytes from
    outside.
    """
    return _ENCODER.encode(value)


def size_of(value: object) -> int:
    """Return how many canonical bytes ``value`` has: as many in any order."""
    return len(_UNORDERED.encode(value))


def parse_strict(data: bytes, *, fractions: bool = False) -> Any:  # noqa: ANN401 - any JSON value; edge types narrow it
    """Return the value of JSON bytes from outside, in any layout; ``fractions`` lets floats stand.

    Raises:
        MalformedError: bytes that are not JSON, hold a doubled key, a float, an integer beyond
            2^53 − 1, a lone surrogate, or nest deeper than MAX_DEPTH.
    """
    try:
        text = data.decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=_unique_keys,
            parse_float=float if fractions else _refuse_number,
            parse_constant=_refuse_number,
            parse_int=_safe_integer,
        )
    except MalformedError:
        raise
    except (ValueError, RecursionError) as error:
        raise MalformedError(_why_no_json(error)) from error
    _refuse_depth(value)
    if "\\u" in text:  # UTF-8 itself has no surrogates: only an escape can smuggle one in.
        _refuse_surrogates(value)
    return value


def decode(data: bytes) -> Any:  # noqa: ANN401 - any JSON value; edge types narrow it
    """Return the value of canonical JSON bytes.

    Raises:
        MalformedError: bytes that are not JSON, hold a doubled key, a float, an integer beyond
            2^53 − 1, a lone surrogate, nest deeper than MAX_DEPTH, or are not in canonical form.
    """
    value = parse_strict(data)
    if encode(value) != data:
        raise MalformedError("JSON is not in canonical form")
    return value


def _why_no_json(error: ValueError | RecursionError) -> str:
    """Say whether JSON was cut off: then its text ends before its value does."""
    if not isinstance(error, json.JSONDecodeError):
        return "not JSON"
    ends = error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated string")
    return "JSON that is cut off" if ends and error.doc.strip() else "not JSON"


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedError("a key stands twice")
    if not "".join(found).isascii():
        raise MalformedError("a key is not ASCII")
    return found


def _refuse_number(text: str) -> NoReturn:
    raise MalformedError(f"number not allowed: {text[:20]}")


def _safe_integer(text: str) -> int:
    if len(text) > len(str(-MAX_SAFE_INTEGER)) or abs(int(text)) > MAX_SAFE_INTEGER:
        raise MalformedError("integer beyond 2^53 - 1")
    return int(text)


def _refuse_surrogates(value: object) -> None:
    """Prevents: a string that parses here and can be written nowhere, not even into its refusal."""
    try:
        encode(value)
    except UnicodeEncodeError as error:
        raise MalformedError("a string is not Unicode text") from error


def _refuse_depth(value: object) -> None:
    level: list[object] = [value]
    for _ in range(MAX_DEPTH):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return
    raise MalformedError(f"nested deeper than {MAX_DEPTH}")


def _children(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _framed(tag: str, parts: tuple[bytes, ...]) -> bytes:
    framed = [_prefix(tag)]
    for part in parts:
        framed += (len(part).to_bytes(8, "big"), part)
    return b"".join(framed)


@lru_cache(maxsize=64)  # Tags are constants of ours, some thirty.
def _prefix(tag: str) -> bytes:
    invariant(tag.isascii() and "\0" not in tag, "a tag is ASCII without NUL")
    return b"twinlock/" + tag.encode("ascii") + b"\0"


def tagged_hash(tag: str, *parts: bytes) -> bytes:
    """Return SHA-256("twinlock/" ‖ tag ‖ 0x00 ‖ for each part: u64 length ‖ part): 32 bytes."""
    return hashlib.sha256(_framed(tag, parts)).digest()


def tagged_mac(key: bytes, tag: str, *parts: bytes) -> bytes:
    """Return HMAC-SHA-256 under ``key`` of the same bytes that ``tagged_hash`` hashes: 32 bytes."""
    return hmac.digest(key, _framed(tag, parts), hashlib.sha256)


def commit(salt: bytes, field: str, value: bytes) -> bytes:
    """Return the commitment to the canonical bytes ``value`` of ``field``: hiding and binding.

    The salt is 32 random bytes for this field alone, so that one value can be erased alone.
    """
    invariant(len(salt) == 32, "a salt has 32 bytes")  # noqa: PLR2004 - SHA-256's size
    return tagged_mac(salt, "commit/v1", field.encode("ascii"), value)


def b64url(data: bytes) -> str:
    """Return base64url without padding (RFC 4648, 5)."""
    return binascii.b2a_base64(data, newline=False).translate(_URL_SAFE, b"=").decode("ascii")


def from_b64url(text: str, *, size: int | None = None) -> bytes:
    """Return the bytes of unpadded base64url; refuse what ``b64url`` would not write.

    Raises:
        MalformedError: another alphabet, padding, stray bits, or not ``size`` bytes.
    """
    try:
        plain = text.encode("ascii").translate(_STANDARD)
        data = binascii.a2b_base64(plain + b"=" * (-len(text) % 4))
    except ValueError as error:
        raise MalformedError("not base64url") from error
    if b64url(data) != text:
        raise MalformedError("base64url is not in its one canonical form")
    if size is not None and len(data) != size:
        raise MalformedError(f"expected {size} bytes")
    return data
