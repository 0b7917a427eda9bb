"""What a log sends to a witness, and what a witness answers.

Always true: what was parsed is written again byte for byte. Nothing here is verified: whose the
checkpoint is, and whether the proof leads to it, is for the witness to find out, and whose the
cosignatures are, for the log.

Source: C2SP tlog-witness v1.0.0, ``add-checkpoint`` and the monitors' ``checkpoint``.
"""

import hashlib
from dataclasses import dataclass

from twinlock.domain.errors import MalformedError, invariant
from twinlock.domain.log.merkle import HASH_BYTES, MAX_PROOF_HASHES
from twinlock.domain.log.note import (
    MAX_SIGNATURES,
    SignatureLine,
    SignedNote,
    parse_note,
    parse_signature_line,
)
from twinlock.domain.log.text import (
    MAX_DECIMAL_DIGITS,
    from_base64,
    from_decimal,
    to_base64,
    to_lines,
)

MAX_SUBMISSION_BYTES = 65_536  # A proof has 3 kB; the rest is a note of a hundred plain signatures.
MAX_ANSWER_BYTES = 16_384  # A hundred Ed25519 cosignatures, or three post-quantum ones.
SIZE_TYPE = "text/x.tlog.size"  # Of the body of a 409.


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """Asks a witness that last cosigned ``old_size`` leaves to cosign ``note``.

    ``proof`` leads from ``old_size`` to the note's checkpoint: at most 63 hashes of 32 bytes.
    """

    old_size: int
    proof: tuple[bytes, ...]
    note: SignedNote

    def __post_init__(self) -> None:
        invariant(0 <= self.old_size < 10**MAX_DECIMAL_DIGITS, "a size has 1 to 18 digits")
        invariant(len(self.proof) <= MAX_PROOF_HASHES, "a proof has at most 63 hashes")

    def encode(self) -> bytes:
        """Return the body of the request."""
        lines = [f"old {self.old_size}", *map(to_base64, self.proof)]
        return "\n".join(lines).encode("ascii") + b"\n\n" + self.note.encode()


def parse_submission(data: bytes) -> Submission:
    """Return what a log asks a witness for; everything in it is still to be verified.

    Raises:
        MalformedError: over 64 kB, no old size, more than 63 hashes, one of another length, no
            empty line, or what follows it is no note.
    """
    if len(data) > MAX_SUBMISSION_BYTES:
        raise MalformedError("a submission is too long")
    head, empty_line, note = data.partition(b"\n\n")
    if not empty_line:
        raise MalformedError("a submission has no checkpoint")
    old, *hashes = to_lines(head + b"\n")
    if not old.startswith("old "):
        raise MalformedError("a submission does not begin with the old size")
    if len(hashes) > MAX_PROOF_HASHES:
        raise MalformedError(f"a proof has at most {MAX_PROOF_HASHES} hashes")
    return Submission(
        old_size=from_decimal(old.removeprefix("old ")),
        proof=tuple(from_base64(line, size=HASH_BYTES) for line in hashes),
        note=parse_note(note),
    )


def parse_cosignatures(data: bytes) -> tuple[SignatureLine, ...]:
    """Return the 1 to 100 signature lines that are the whole of a witness's yes.

    Raises:
        MalformedError: too long, too many, or anything else among them.
    """
    if len(data) > MAX_ANSWER_BYTES:
        raise MalformedError("a witness's answer is too long")
    lines = to_lines(data)
    if len(lines) > MAX_SIGNATURES:
        raise MalformedError("a witness's answer has too many signatures")
    return tuple(map(parse_signature_line, lines))


def parse_known_size(data: bytes) -> int:
    """Return the size that a witness last cosigned, of the body of its 409.

    Raises:
        MalformedError: it is not one decimal and LF.
    """
    lines = to_lines(data[: MAX_DECIMAL_DIGITS + 2])
    if len(lines) != 1:
        raise MalformedError("a witness does not say which size it knows")
    return from_decimal(lines[0])


def origin_name(origin: str) -> str:
    """Return under which name a witness shows the log ``origin`` to monitors: 64 hex digits."""
    return hashlib.sha256(origin.encode("utf-8")).hexdigest()
