"""A witness at work: one function from a submission's bytes to an answer, and one for monitors.

Everything here blocks, for the disk; the edge runs it in threads. The clock is an argument.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from twinlock.domain.errors import MalformedError, TwinlockError
from twinlock.domain.log.checkpoint import Checkpoint
from twinlock.domain.log.note import SignatureLine, SignedNote
from twinlock.domain.log.submission import SIZE_TYPE, Submission, parse_submission
from twinlock.proofs.notes import cosign
from twinlock.witness.files import RECORD_BYTES_MOST
from twinlock.witness.judge import STATUS, Accepted, Fault, Refused, judge, read_origin
from twinlock.witness.ledger import Ledger, WatchedLog

TEXT = "text/plain; charset=utf-8"
COSIGNED = "cosigned"  # In metrics, beside the faults.
_EVIDENT = (Fault.FORKED, Fault.UNPROVED)
_log = structlog.get_logger(__name__)


class WitnessClockError(TwinlockError):
    """The witness's clock is behind a time that it signed before: mend it; nothing is signed."""

    code = "witness_clock"
    status = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is answered; ``said`` is one word of a closed list, for metrics.

    ``head`` is the checkpoint that was cosigned.
    """

    status: int
    body: bytes
    said: str
    media_type: str = TEXT
    head: Checkpoint | None = None


class Witness:
    """Answers submissions and monitors from one ledger."""

    def __init__(self, ledger: Ledger, *, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._now = now

    @property
    def ledger(self) -> Ledger:
        """What it keeps."""
        return self._ledger

    def add_checkpoint(self, body: bytes) -> Answer:
        """Cosign what ``body`` submits, or say why not (C2SP tlog-witness, add-checkpoint).

        Raises:
            TwinlockError: we cannot tell: files are busy, damaged or not ours alone, or the clock
                went back. Nothing was signed.
        """
        try:
            submission = parse_submission(body)
            head = read_origin(submission)
        except MalformedError as error:
            return _no(Refused(fault=Fault.MALFORMED), str(error))
        log = self._ledger.log(head.origin)
        if log is None:
            return _no(Refused(fault=Fault.LOG_UNKNOWN))
        outcome = self._cosign(submission, log)
        if isinstance(outcome, SignatureLine):
            return Answer(status=200, body=f"{outcome}\n".encode(), said=COSIGNED, head=head)
        if outcome.fault in _EVIDENT:
            self._report(outcome, log, head, body)
        return _no(outcome)

    def _cosign(self, submission: Submission, log: WatchedLog) -> SignatureLine | Refused:
        with self._ledger.holding(log) as held:
            outcome = judge(submission, keys=log.keys, known=held.known)
            if isinstance(outcome, Refused):
                return outcome
            at = self._time(None if held.known is None else held.known.cosigned_at)
            identity = self._ledger.identity
            line = cosign(outcome.note.text, name=identity.name, key=identity.secret, at=at)
            note = _with(outcome, line)
            if len(note.encode()) > RECORD_BYTES_MOST:
                return Refused(fault=Fault.MALFORMED)
            held.put(note)  # Before anybody hears of it.
        return line

    def _time(self, last: datetime | None) -> datetime:
        """Return the time, to the second. Prevents: a cosignature that tells of an earlier one."""
        now = self._now()
        if last is not None and now + timedelta(seconds=1) <= last:
            _log.error("clock_went_back", signed_before=last.isoformat())
            raise WitnessClockError(f"the clock is behind {last.isoformat()}")
        return now if last is None else max(now, last)

    def _report(self, refused: Refused, log: WatchedLog, head: Checkpoint, body: bytes) -> None:
        """Keep what only the log could have signed, and tell the operator."""
        new = self._ledger.keep_refused(log, head, body, kind=refused.fault.value)
        tell = _log.error if refused.fault is Fault.FORKED else _log.warning
        tell(
            "submission_refused",
            fault=refused.fault.value,
            origin=log.origin,
            size=head.size,
            known_size=refused.known_size,
            kept=new,
        )

    def monitored(self, name: str) -> Answer:
        """Return for monitors what was cosigned last of the log ``name``, SHA-256 of its origin."""
        note = self._ledger.shown(name)
        if note is None:
            return Answer(status=404, body=b"no such log\n", said=Fault.LOG_UNKNOWN.value)
        return Answer(status=200, body=note, said="shown")


def _with(accepted: Accepted, line: SignatureLine) -> SignedNote:
    return SignedNote(text=accepted.note.text, signatures=(*accepted.note.signatures, line))


def _no(refused: Refused, why: str = "") -> Answer:
    fault = refused.fault
    if fault is Fault.OTHER_SIZE:
        body, media_type = f"{refused.known_size}\n".encode(), SIZE_TYPE
    else:
        body, media_type = f"{why or fault.value}\n".encode(), TEXT
    return Answer(status=STATUS[fault], body=body, said=fault.value, media_type=media_type)
