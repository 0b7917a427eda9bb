"""The few text rules that notes, checkpoints, proofs and trust policies share.

Always true: each parser takes one spelling per value and refuses every other, so bytes that were
parsed are written again as they were.

Source: C2SP signed-note v1.0.0 (base64, names) and tlog-checkpoint v1.0.0 (decimals).
"""

import base64
import re

from twinlock.domain.errors import MalformedError

MAX_DECIMAL_DIGITS = 18  # Ten to the 18th stays below 2^63.
MAX_NAME_BYTES = 255  # What tlog-cosignature's u8 length can carry.

_DECIMAL = re.compile(r"0|[1-9][0-9]*")
_CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f]")


def to_base64(data: bytes) -> str:
    """Return standard base64 with padding (RFC 4648, 4)."""
    return base64.b64encode(data).decode("ascii")


def from_base64(text: str, *, size: int | None = None) -> bytes:
    """Return the bytes of standard base64; refuse what ``to_base64`` would not write.

    Raises:
        MalformedError: another alphabet, missing padding, stray bits, or not ``size`` bytes.
    """
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError as error:
        raise MalformedError("not base64") from error
    if to_base64(data) != text:
        raise MalformedError("base64 is not in its one canonical form")
    if size is not None and len(data) != size:
        raise MalformedError(f"expected {size} bytes")
    return data


def from_decimal(text: str) -> int:
    """Return an ASCII decimal without sign or leading zero, at most 18 digits.

    Raises:
        MalformedError: anything else.
    """
    if len(text) > MAX_DECIMAL_DIGITS or not _DECIMAL.fullmatch(text):
        raise MalformedError("not a decimal number")
    return int(text)


def check_name(name: str) -> str:
    """Return ``name`` if it can name a key: not empty, no Unicode space, no ``+``, no control.

    Raises:
        MalformedError: it cannot, or has over 255 bytes.
    """
    try:
        data = name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise MalformedError("a name is not Unicode text") from error
    if not 0 < len(data) <= MAX_NAME_BYTES:
        raise MalformedError("a name is empty or too long")
    if "+" in name or any(char < " " or char.isspace() for char in name):
        raise MalformedError("a name holds a space, a plus or a control character")
    return name


def to_lines(data: bytes) -> list[str]:
    """Return the lines of UTF-8 text in which only LF ends a line, the last one too.

    Raises:
        MalformedError: not UTF-8, another control character, or no LF at the end.
    """
    if _CONTROL.search(data):
        raise MalformedError("text holds a control character other than LF")
    if not data.endswith(b"\n"):
        raise MalformedError("the last line does not end in LF")
    try:
        return data[:-1].decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise MalformedError("not UTF-8") from error
