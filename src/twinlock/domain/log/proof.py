"""The ``.tlog-proof`` file: where an entry stands, its siblings, and the signed checkpoint.

Always true: a proof that was parsed is written again byte for byte, its checkpoint verbatim.

Nothing here is verified, and ``extra`` never is: it is whatever the sender put there.
Source: C2SP tlog-proof@v1.
"""

from dataclasses import dataclass

from twinlock.domain.errors import MalformedError, invariant
from twinlock.domain.log.merkle import HASH_BYTES, MAX_PROOF_HASHES
from twinlock.domain.log.note import MAX_NOTE_BYTES, SignedNote, parse_note
from twinlock.domain.log.text import (
    MAX_DECIMAL_DIGITS,
    from_base64,
    from_decimal,
    to_base64,
    to_lines,
)

MAX_EXTRA_BYTES = 65_536  # Enough for context; evidence travels in its own bundle.
MAX_PROOF_BYTES = MAX_NOTE_BYTES + 2 * MAX_EXTRA_BYTES

_HEADER = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class TlogProof:
    """Says that the entry at ``index`` is under ``checkpoint``; ``hashes`` go from leaf to root."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: SignedNote
    extra: bytes | None = None

    def __post_init__(self) -> None:
        invariant(0 <= self.index < 10**MAX_DECIMAL_DIGITS, "an index has 1 to 18 digits")
        invariant(len(self.hashes) <= MAX_PROOF_HASHES, "a proof has at most 63 hashes")
        invariant(all(len(node) == HASH_BYTES for node in self.hashes), "a hash has 32 bytes")
        invariant(self.extra is None or 0 < len(self.extra) <= MAX_EXTRA_BYTES, "extra is in range")

    def encode(self) -> bytes:
        """Return the file's bytes."""
        extra = [] if self.extra is None else [f"extra {to_base64(self.extra)}"]
        hashes = [to_base64(node) for node in self.hashes]
        head = "\n".join([_HEADER, *extra, f"index {self.index}", *hashes])
        return head.encode("utf-8") + b"\n\n" + self.checkpoint.encode()


def parse_tlog_proof(data: bytes) -> TlogProof:
    """Return the proof that ``data`` is; everything in it is still to be verified.

    Raises:
        MalformedError: over 1.1 MB, another first line, an empty or too long ``extra``, no index,
            more than 63 hashes, one of another length, or a checkpoint that is no note.
    """
    if len(data) > MAX_PROOF_BYTES:
        raise MalformedError("a proof is too long")
    head, empty_line, checkpoint = data.partition(b"\n\n")
    if not empty_line:
        raise MalformedError("a proof has no checkpoint")
    lines = to_lines(head + b"\n")
    if lines[0] != _HEADER:
        raise MalformedError("not a tlog-proof of version 1")
    extra, lines = _parse_extra(lines[1:])
    if not lines or not lines[0].startswith("index "):
        raise MalformedError("a proof has no index")
    if len(lines) - 1 > MAX_PROOF_HASHES:
        raise MalformedError(f"a proof has at most {MAX_PROOF_HASHES} hashes")
    return TlogProof(
        index=from_decimal(lines[0].removeprefix("index ")),
        hashes=tuple(from_base64(line, size=HASH_BYTES) for line in lines[1:]),
        checkpoint=parse_note(checkpoint),
        extra=extra,
    )


def _parse_extra(lines: list[str]) -> tuple[bytes | None, list[str]]:
    """Return what the optional ``extra`` line holds, and the lines after it."""
    if not lines or not lines[0].startswith("extra "):
        return None, lines
    extra = from_base64(lines[0].removeprefix("extra "))
    if not 0 < len(extra) <= MAX_EXTRA_BYTES:
        raise MalformedError("extra data is empty or too long")
    return extra, lines[1:]
