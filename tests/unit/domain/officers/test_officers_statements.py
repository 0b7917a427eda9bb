"""What an officer signs: its one form, how long it counts, and what is no statement at all."""

from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace
from support.officers import ADA, BEGINNING, HALT, LOG, MINUTE

from twinlock.domain.bounds import STATEMENT_AHEAD_MOST, STATEMENT_LIFETIME
from twinlock.domain.canonical import encode
from twinlock.domain.errors import MalformedError
from twinlock.domain.officers.statements import (
    SIGNED_BYTES_MOST,
    Act,
    Change,
    Halt,
    Resume,
    StatementRefusedError,
    check_time,
    read_signed,
    signed_bytes,
)

MS = timedelta(milliseconds=1)


def test_what_is_signed_is_the_statement_in_its_one_form() -> None:
    said = ADA.signs(HALT, at=BEGINNING).said

    assert signed_bytes(said) == b"twinlock officer v1\n" + encode(said)
    assert msgspec.json.decode(encode(said)) == {
        "act": {"because": "case-7", "do": "platform.halt"},
        "at": 1772366400000,
        "log": LOG,
        "nonce": said.nonce,
        "officer": ADA.key,
        "until": 1772366400000 + 600_000,
        "v": 1,
    }


@pytest.mark.parametrize(
    "act",
    [
        HALT,
        Halt(because="A" + "b" * 63),
        Resume(halt=0),
        Change(since=0, add=ADA.key),
        Change(since=3, remove=ADA.key),
    ],
)
def test_what_an_officers_program_signs_is_read_again(act: Act) -> None:
    signed = ADA.signs(act, at=BEGINNING)

    assert read_signed(encode(signed)) == signed
    assert read_signed(b"  " + encode(signed)) == signed


@pytest.mark.parametrize(
    "act",
    [
        Halt(because=""),
        Halt(because="two words"),
        Halt(because="A" + "b" * 64),
        Halt(because="naïve"),
        Resume(halt=-1),
        Resume(halt=2**53),
        Change(since=-1, add=ADA.key),
        Change(since=0),
        Change(since=0, add=ADA.key, remove=ADA.key),
        Change(since=0, add="AAAA"),
        Change(since=0, remove="?"),
    ],
)
def test_an_act_that_no_officer_can_mean_is_refused(act: Act) -> None:
    with pytest.raises(MalformedError):
        read_signed(encode(ADA.signs(act, at=BEGINNING)))


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"at": -1},
        {"at": 1772366400000 + 600_000},
        {"until": 2**53},
        {"nonce": "AAAA"},
        {"officer": "AAAA"},
    ],
)
def test_a_statement_of_another_form_is_refused(change: dict[str, object]) -> None:
    signed = ADA.signs(HALT, at=BEGINNING)

    with pytest.raises(MalformedError):
        read_signed(encode(replace(signed, said=replace(signed.said, **change))))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"\xff",
        b'{"said":1,"said":1,"sig":""}',
        b"[" * 40 + b"]" * 40,
        b'{"said":{},"sig":"AA"}',
        b" " * (SIGNED_BYTES_MOST + 1),
    ],
)
def test_hostile_bytes_are_no_statement(data: bytes) -> None:
    with pytest.raises(MalformedError):
        read_signed(data)


def test_a_signature_of_another_length_is_none() -> None:
    signed = ADA.signs(HALT, at=BEGINNING)

    with pytest.raises(MalformedError):
        read_signed(encode(replace(signed, sig=signed.sig[:-2])))


def test_a_field_that_nobody_knows_is_refused() -> None:
    told = msgspec.json.decode(encode(ADA.signs(HALT, at=BEGINNING)))
    told["said"]["act"]["also"] = "resume"

    with pytest.raises(MalformedError):
        read_signed(encode(told))


def test_a_statement_counts_from_a_little_before_it_was_said_until_it_is_over() -> None:
    said = ADA.signs(HALT, at=BEGINNING).said

    check_time(said, now=BEGINNING - STATEMENT_AHEAD_MOST)
    check_time(said, now=BEGINNING + STATEMENT_LIFETIME - MS)
    with pytest.raises(StatementRefusedError, match="later time"):
        check_time(said, now=BEGINNING - STATEMENT_AHEAD_MOST - MS)
    with pytest.raises(StatementRefusedError, match="over"):
        check_time(said, now=BEGINNING + STATEMENT_LIFETIME)


def test_no_officer_can_say_something_for_longer() -> None:
    said = ADA.signs(HALT, at=BEGINNING).said

    check_time(replace(said, until=said.until - 1), now=BEGINNING)
    with pytest.raises(StatementRefusedError, match="ten minutes"):
        check_time(replace(said, until=said.until + 1), now=BEGINNING + MINUTE)
