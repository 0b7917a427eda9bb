"""What a witness decides about a submission: arithmetic and signatures, no files and no clock.

The order of the checks is the standard's, and each refusal says one thing (C2SP tlog-witness
v1.0.0): whose it is, whether it starts where we stand, whether it leads from there.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from twinlock.domain.errors import MalformedError, ProofError, UntrustedNoteError
from twinlock.domain.log.checkpoint import Checkpoint, parse_checkpoint
from twinlock.domain.log.merkle import EMPTY_ROOT, verify_consistency
from twinlock.domain.log.note import SignatureLine, SignedNote, VerifierKey
from twinlock.domain.log.submission import Submission
from twinlock.proofs.notes import verify_note


class Fault(StrEnum):
    """Why a witness refuses; metrics and log lines say it by these words."""

    MALFORMED = "malformed"
    LOG_UNKNOWN = "log_unknown"
    UNTRUSTED = "untrusted"
    OLD_TOO_LARGE = "old_too_large"
    OTHER_SIZE = "other_size"
    UNPROVED = "unproved"
    FORKED = "forked"


STATUS = {
    Fault.MALFORMED: 400,
    Fault.LOG_UNKNOWN: 404,
    Fault.UNTRUSTED: 403,
    Fault.OLD_TOO_LARGE: 400,
    Fault.OTHER_SIZE: 409,
    Fault.UNPROVED: 422,
    Fault.FORKED: 422,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The head of a log that a witness stands by.

    ``note`` bears the log's lines and, where ``cosigned_at`` (UTC) says when, the witness's own. A
    head that the witness was only told to begin from has none.
    """

    note: SignedNote
    checkpoint: Checkpoint
    cosigned_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A no. ``known_size`` is where the witness stands."""

    fault: Fault
    known_size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The log only grew, or is as it was: ``note`` is its checkpoint with the log's own lines.

    Lines of anybody else are left out, since nobody verified them.
    """

    note: SignedNote
    checkpoint: Checkpoint


def read_origin(submission: Submission) -> Checkpoint:
    """Return the checkpoint that is submitted, whose origin says which keys may have signed it.

    Raises:
        MalformedError: it is none.
    """
    return parse_checkpoint(submission.note.text)


def judge(
    submission: Submission, *, keys: tuple[VerifierKey, ...], known: Known | None
) -> Accepted | Refused:
    """Return whether a witness that knows ``known`` may cosign what is submitted.

    ``keys`` are those of the submitted checkpoint's origin.

    Raises:
        MalformedError: what is submitted is no checkpoint.
    """
    head = read_origin(submission)
    known_size = 0 if known is None else known.checkpoint.size
    known_root = EMPTY_ROOT if known is None else known.checkpoint.root
    try:
        signed = verify_note(submission.note, keys)
    except UntrustedNoteError:
        return Refused(fault=Fault.UNTRUSTED)
    if submission.old_size > head.size:
        return Refused(fault=Fault.OLD_TOO_LARGE)
    if submission.old_size != known_size:
        return Refused(fault=Fault.OTHER_SIZE, known_size=known_size)
    if head.size == known_size and head.root != known_root:
        return Refused(fault=Fault.FORKED, known_size=known_size)
    try:
        verify_consistency(
            old_size=known_size,
            old_root=known_root,
            new_size=head.size,
            new_root=head.root,
            proof=submission.proof,
        )
    except ProofError:
        return Refused(fault=Fault.UNPROVED, known_size=known_size)
    lines = _lines_of(submission.note, signed)
    return Accepted(note=SignedNote(text=submission.note.text, signatures=lines), checkpoint=head)


def check_beginning(note: SignedNote, keys: tuple[VerifierKey, ...]) -> Known:
    """Return the head that an operator wants a witness to begin from.

    Raises:
        MalformedError, UntrustedNoteError: it is no checkpoint of this log, signed by it.
    """
    head = parse_checkpoint(note.text)
    if any(key.name != head.origin for key in keys):
        raise MalformedError("a checkpoint of another log")
    signed = verify_note(note, keys)
    own = SignedNote(text=note.text, signatures=_lines_of(note, signed))
    return Known(note=own, checkpoint=head, cosigned_at=None)


def _lines_of(note: SignedNote, keys: Iterable[VerifierKey]) -> tuple[SignatureLine, ...]:
    named = {(key.name, key.key_id) for key in keys}
    return tuple(line for line in note.signatures if (line.name, line.key_id) in named)
