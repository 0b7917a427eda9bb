from dataclasses import replace

import pytest
from support.growing_log import GrowingLog

from twinlock.domain.errors import MalformedError, UntrustedNoteError
from twinlock.domain.log.checkpoint import Checkpoint
from twinlock.domain.log.note import SignatureLine, SignedNote, VerifierKey
from twinlock.domain.log.submission import Submission
from twinlock.proofs.notes import sign_checkpoint
from twinlock.witness.judge import (
    STATUS,
    Accepted,
    Fault,
    Known,
    Refused,
    check_beginning,
    judge,
)

LOG = GrowingLog().grow(9)
STRANGER = GrowingLog(seed=9).grow(9)
FORK = LOG.fork(at=3)
KEYS = (LOG.key,)


def known(size: int, log: GrowingLog = LOG) -> Known:
    return Known(note=log.note(size), checkpoint=log.head(size), cosigned_at=None)


def of_root(size: int, root: bytes, old: int) -> Submission:
    head = Checkpoint(origin=LOG.origin, size=size, root=root)
    return Submission(old_size=old, proof=(), note=sign_checkpoint(head, key=LOG.secret))


@pytest.mark.parametrize(
    ("known_head", "submission"),
    [
        pytest.param(None, LOG.submission(0), id="the first that is seen"),
        pytest.param(None, LOG.submission(0, 0), id="an empty log"),
        pytest.param(known(0), LOG.submission(0), id="grown from an empty log"),
        pytest.param(known(4), LOG.submission(4), id="grown"),
        pytest.param(known(9), LOG.submission(9), id="as it was"),
        pytest.param(known(0), LOG.submission(0, 0), id="empty as it was"),
    ],
)
def test_a_log_that_only_grew_is_accepted(known_head: Known | None, submission: Submission) -> None:
    assert isinstance(judge(submission, keys=KEYS, known=known_head), Accepted)


@pytest.mark.parametrize(
    ("known_head", "submission", "fault"),
    [
        pytest.param(known(4), FORK.submission(4), Fault.UNPROVED, id="a fork, with its own proof"),
        pytest.param(known(9), FORK.submission(9), Fault.FORKED, id="another root of this size"),
        pytest.param(known(4), replace(LOG.submission(4), proof=()), Fault.UNPROVED, id="no proof"),
        pytest.param(
            known(4),
            replace(LOG.submission(4), proof=(*LOG.growth(4), bytes(32))),
            Fault.UNPROVED,
            id="a hash too many",
        ),
        pytest.param(
            None,
            replace(LOG.submission(0), proof=(bytes(32),)),
            Fault.UNPROVED,
            id="a proof from nothing",
        ),
        pytest.param(
            known(9),
            replace(LOG.submission(9), proof=(bytes(32),)),
            Fault.UNPROVED,
            id="a proof from itself",
        ),
        pytest.param(None, of_root(0, bytes(32), 0), Fault.FORKED, id="nothing under some root"),
        pytest.param(
            known(0), of_root(0, bytes(32), 0), Fault.FORKED, id="another root of nothing"
        ),
        pytest.param(known(4), LOG.submission(5), Fault.OTHER_SIZE, id="from a size ahead"),
        pytest.param(known(4), LOG.submission(3), Fault.OTHER_SIZE, id="from a size behind"),
        pytest.param(known(4), LOG.submission(0), Fault.OTHER_SIZE, id="from nothing, as a probe"),
        pytest.param(None, LOG.submission(4), Fault.OTHER_SIZE, id="from what was never seen"),
        pytest.param(known(9), LOG.submission(4, 6), Fault.OTHER_SIZE, id="back, from a size"),
        pytest.param(
            known(9),
            replace(LOG.submission(6, 6), old_size=9),
            Fault.OLD_TOO_LARGE,
            id="back, from ours",
        ),
        pytest.param(None, STRANGER.submission(0), Fault.UNTRUSTED, id="signed by a stranger"),
    ],
)
def test_anything_else_is_refused(
    known_head: Known | None, submission: Submission, fault: Fault
) -> None:
    size = 0 if known_head is None else known_head.checkpoint.size
    told = 0 if fault in (Fault.UNTRUSTED, Fault.OLD_TOO_LARGE) else size

    assert judge(submission, keys=KEYS, known=known_head) == Refused(fault=fault, known_size=told)


def test_a_signature_is_asked_for_before_anything_is_told() -> None:
    unsigned = replace(STRANGER.submission(5), old_size=99)

    assert judge(unsigned, keys=KEYS, known=known(4)) == Refused(fault=Fault.UNTRUSTED)


def test_one_bad_line_of_a_known_key_refuses_it() -> None:
    note = LOG.note()
    bad = replace(note.signatures[0], signature=bytes(64))
    twice = replace(note, signatures=(*note.signatures, bad))

    sent = replace(LOG.submission(0), note=twice)
    assert judge(sent, keys=KEYS, known=None) == Refused(fault=Fault.UNTRUSTED)


def test_lines_of_others_are_left_out() -> None:
    stranger = SignatureLine(name="stranger.example", key_id=b"????", signature=b"anything")
    note = LOG.note()
    sent = replace(LOG.submission(0), note=replace(note, signatures=(stranger, *note.signatures)))

    accepted = judge(sent, keys=KEYS, known=None)

    assert accepted == Accepted(note=note, checkpoint=LOG.head())


def test_what_is_no_checkpoint_is_malformed() -> None:
    text = b"not a checkpoint\n"
    note = SignedNote(text=text, signatures=LOG.note().signatures)

    with pytest.raises(MalformedError):
        judge(Submission(old_size=0, proof=(), note=note), keys=KEYS, known=None)


def test_every_fault_has_the_status_of_the_standard() -> None:
    assert {fault.value: STATUS[fault] for fault in Fault} == {
        "malformed": 400,
        "log_unknown": 404,
        "untrusted": 403,
        "old_too_large": 400,
        "other_size": 409,
        "unproved": 422,
        "forked": 422,
    }


def test_a_beginning_is_a_checkpoint_of_this_log() -> None:
    assert check_beginning(LOG.note(4), KEYS).checkpoint == LOG.head(4)


@pytest.mark.parametrize(
    ("note", "keys", "error"),
    [
        (STRANGER.note(), KEYS, UntrustedNoteError),
        (LOG.note(), (GrowingLog(origin="log.example/other").key,), MalformedError),
    ],
    ids=["signed by a stranger", "another log's"],
)
def test_any_other_beginning_is_refused(
    note: SignedNote, keys: tuple[VerifierKey, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        check_beginning(note, keys)
