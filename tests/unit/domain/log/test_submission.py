import hashlib
from dataclasses import replace

import pytest
from support.growing_log import ORIGIN, GrowingLog

from twinlock.domain.errors import InvariantError, MalformedError
from twinlock.domain.log.note import SignatureLine
from twinlock.domain.log.submission import (
    MAX_ANSWER_BYTES,
    MAX_SUBMISSION_BYTES,
    Submission,
    origin_name,
    parse_cosignatures,
    parse_known_size,
    parse_submission,
)
from twinlock.domain.log.text import to_base64

LOG = GrowingLog().grow(9)
NOTE = LOG.note().encode()
HASH = to_base64(bytes(32)).encode()
LINE = b"\xe2\x80\x94 witness.example/w1 " + to_base64(bytes(76)).encode() + b"\n"


@pytest.mark.parametrize("old", [0, 1, 5, 9])
def test_a_submission_is_read_as_it_was_written(old: int) -> None:
    sent = LOG.submission(old)

    assert parse_submission(sent.encode()) == sent
    assert parse_submission(sent.encode()).encode() == sent.encode()


def test_a_submission_is_old_size_hashes_an_empty_line_and_the_note() -> None:
    assert (
        LOG.submission(8).encode()
        == b"old 8\n"
        + b"".join(to_base64(one).encode() + b"\n" for one in LOG.growth(8))
        + b"\n"
        + NOTE
    )


def test_a_size_has_up_to_18_digits() -> None:
    largest = replace(LOG.submission(0), old_size=10**18 - 1)

    assert parse_submission(largest.encode()) == largest
    with pytest.raises(InvariantError, match="1 to 18 digits"):
        replace(largest, old_size=10**18)


def test_a_submission_is_read_up_to_its_limit_and_no_further() -> None:
    sent = LOG.submission(0)
    room = MAX_SUBMISSION_BYTES - len(sent.encode())
    longest = replace(sent, note=replace(sent.note, text=b"x" * room + sent.note.text))
    longer = replace(longest, note=replace(longest.note, text=b"x" + longest.note.text))

    assert len(longest.encode()) == MAX_SUBMISSION_BYTES
    assert parse_submission(longest.encode()) == longest
    with pytest.raises(MalformedError, match="too long"):
        parse_submission(longer.encode())


def test_a_witnesss_answer_is_read_up_to_its_limit_and_no_further() -> None:
    def answer(name: str) -> bytes:
        return f"{SignatureLine(name=name, key_id=bytes(4), signature=bytes(12_275))}\n".encode()

    assert len(answer("a" * 6)) == MAX_ANSWER_BYTES
    assert len(parse_cosignatures(answer("a" * 6))) == 1
    with pytest.raises(MalformedError, match="too long"):
        parse_cosignatures(answer("a" * 7))


@pytest.mark.parametrize("hashes", [0, 1, 63])
def test_a_submission_has_up_to_63_hashes(hashes: int) -> None:
    assert (
        len(parse_submission(b"old 3\n" + (HASH + b"\n") * hashes + b"\n" + NOTE).proof) == hashes
    )


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"old 3\n", id="no checkpoint"),
        pytest.param(b"old 3\n" + NOTE, id="no empty line before the note"),
        pytest.param(b"\n\n" + NOTE, id="no old size"),
        pytest.param(b"size 3\n\n" + NOTE, id="another word"),
        pytest.param(b"old 03\n\n" + NOTE, id="a leading zero"),
        pytest.param(b"old -1\n\n" + NOTE, id="a sign"),
        pytest.param(b"old 3 \n\n" + NOTE, id="a trailing space"),
        pytest.param(b"old 1000000000000000000\n\n" + NOTE, id="19 digits"),
        pytest.param(b"old 3\r\n\r\n" + NOTE, id="CR LF"),
        pytest.param(b"old 3\n" + (HASH + b"\n") * 64 + b"\n" + NOTE, id="64 hashes"),
        pytest.param(b"old 3\n" + HASH[:-1] + b"\n\n" + NOTE, id="base64 cut short"),
        pytest.param(b"old 3\nAAAA\n\n" + NOTE, id="a hash of 3 bytes"),
        pytest.param(b"old 3\n\n" + NOTE + b"more", id="bytes after the note"),
        pytest.param(b"old 3\n\n" + NOTE.partition(b"\n\n")[0], id="a note without signatures"),
        pytest.param(b"old 3\n\n" + NOTE + b" " * MAX_SUBMISSION_BYTES, id="too long"),
        pytest.param(b"old 3\n\n\xff" + NOTE, id="not UTF-8"),
    ],
)
def test_another_form_is_no_submission(body: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_submission(body)


@pytest.mark.parametrize("count", [1, 2, 100])
def test_a_yes_is_signature_lines_and_nothing_else(count: int) -> None:
    assert len(parse_cosignatures(LINE * count)) == count


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n",
        LINE + b"\n",
        b"\n" + LINE,
        LINE[:-1],
        b"ok\n" + LINE,
        LINE * 101,
        LINE + b"x" * MAX_ANSWER_BYTES,
    ],
    ids=["empty", "LF", "LF after", "LF before", "no LF", "a word", "101 lines", "too long"],
)
def test_another_form_is_no_yes(body: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_cosignatures(body)


@pytest.mark.parametrize("size", [0, 7, 10**18 - 1])
def test_a_known_size_is_one_decimal(size: int) -> None:
    assert parse_known_size(b"%d\n" % size) == size


@pytest.mark.parametrize(
    "body",
    [b"", b"\n", b"7", b"07\n", b"7\n8\n", b"-7\n", b"7\n\n", b"7" * 19 + b"\n", b"7\n" * 99],
)
def test_another_form_is_no_known_size(body: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_known_size(body)


def test_monitors_ask_for_the_hash_of_the_origin() -> None:
    assert origin_name(ORIGIN) == hashlib.sha256(ORIGIN.encode()).hexdigest()


def test_a_submission_cannot_be_made_wrong() -> None:
    with pytest.raises(InvariantError):
        Submission(old_size=-1, proof=(), note=LOG.note())
    with pytest.raises(InvariantError):
        Submission(old_size=0, proof=(bytes(32),) * 64, note=LOG.note())
