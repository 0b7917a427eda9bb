"""Checkpoints: which root a log has at which size.

Always true: what is written here has exactly three lines. Further lines of others are read over,
since nobody audits them; the signed bytes are the note's, never a checkpoint written again.

Source: C2SP tlog-checkpoint v1.0.0.
"""

from dataclasses import dataclass

from twinlock.domain.errors import MalformedError, invariant
from twinlock.domain.log.merkle import HASH_BYTES
from twinlock.domain.log.text import (
    MAX_DECIMAL_DIGITS,
    check_name,
    from_base64,
    from_decimal,
    to_base64,
    to_lines,
)

_LINES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The log named ``origin`` has ``size`` leaves under ``root`` (32 bytes).

    Whether an empty tree has the empty root is for ``merkle.verify_consistency`` to say: a witness
    must be able to read the wrong one to refuse it.

    Raises:
        MalformedError: the origin could not be the name of the log's key.
    """

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        check_name(self.origin)
        invariant(0 <= self.size < 10**MAX_DECIMAL_DIGITS, "a size has 1 to 18 digits")
        invariant(len(self.root) == HASH_BYTES, "a root has 32 bytes")

    def to_text(self) -> bytes:
        """Return the three lines that keys sign: origin, size, base64 of the root."""
        return f"{self.origin}\n{self.size}\n{to_base64(self.root)}\n".encode()


def parse_checkpoint(text: bytes) -> Checkpoint:
    """Return the checkpoint that a note's text states, without its extension lines.

    Raises:
        MalformedError: fewer than three lines, an empty one, or a size or root of another form.
    """
    lines = to_lines(text)
    if len(lines) < _LINES or not all(lines):
        raise MalformedError("a checkpoint has three lines or more, none empty")
    origin, size, root = lines[:_LINES]
    return Checkpoint(
        origin=origin, size=from_decimal(size), root=from_base64(root, size=HASH_BYTES)
    )
