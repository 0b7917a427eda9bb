"""Officers' signatures, one by one and over the whole chain."""

import pytest
from msgspec.structs import replace
from support.officers import ADA, BEGINNING, BEN, CLEO, HALT, LOG, Board

from twinlock.domain.canonical import b64url, encode
from twinlock.domain.errors import LogDamagedError, MalformedError
from twinlock.domain.officers.platform import Platform, after, replayed
from twinlock.domain.officers.statements import Halt, Signed, StatementRefusedError
from twinlock.proofs.officers import checked, platform_of, sign


def test_what_an_officer_signed_is_believed() -> None:
    signed = ADA.signs(HALT, at=BEGINNING)

    assert checked(signed) is signed


def test_what_another_signed_or_somebody_changed_is_not() -> None:
    signed, others = ADA.signs(HALT, at=BEGINNING), BEN.signs(HALT, at=BEGINNING)
    changed = replace(signed.said, act=Halt(because="case-8"))

    for forged in (replace(signed, sig=others.sig), replace(signed, said=changed)):
        with pytest.raises(StatementRefusedError, match="not that of the officer"):
            checked(forged)


def test_what_anybody_can_sign_is_no_officers_word() -> None:
    """Prevents: a bought officer whose other key, of a small order, halts in nobody's name."""
    everybodys = b64url(b"\1" + bytes(31))  # Under the neutral point a signature fits all words.
    said = replace(ADA.signs(HALT, at=BEGINNING).said, officer=everybodys)

    with pytest.raises(StatementRefusedError, match="anybody can sign"):
        checked(Signed(said=said, sig=b64url(b"\1" + bytes(63))))


def board() -> Board:
    found = Board(ADA, BEN, CLEO)
    found.halt(ADA)
    found.resume(BEN)
    return found


def test_what_has_no_bytes_of_its_own_is_not_signed() -> None:
    """Prevents: a traceback where an officer's shell gives us a letter that is not UTF-8."""
    said = replace(ADA.signs(HALT, at=BEGINNING).said, act=Halt(because="\udcff"))

    with pytest.raises(MalformedError):
        sign(said, lambda _: bytes(64))


def test_a_chain_of_signed_acts_is_the_platform() -> None:
    found = board()

    assert platform_of(map(encode, found.leaves), log=LOG) == found.platform
    assert platform_of((), log=LOG) == Platform()


def test_a_chain_with_an_act_that_nobody_signed_is_damaged() -> None:
    """Prevents: whoever has our keys and the database, who resumes in officers' names."""
    found = board()
    halt, last = found.leaves[1:]
    assert halt.signed is not None
    assert last.signed is not None
    forged = replace(last, signed=replace(last.signed, sig=halt.signed.sig))
    before = replayed(map(encode, found.leaves[:2]))
    assert after(before, forged).acts == 3, "it would follow"

    with pytest.raises(LogDamagedError, match="act 2 of the platform: the signature"):
        platform_of(map(encode, (*found.leaves[:2], forged)), log=LOG)


def test_a_chain_of_another_log_is_damaged() -> None:
    with pytest.raises(LogDamagedError, match="said to another log"):
        platform_of(map(encode, board().leaves), log="other.example/log")


def test_a_chain_with_what_is_no_leaf_is_damaged() -> None:
    with pytest.raises(LogDamagedError, match="act 0 of the platform"):
        platform_of((b"nonsense",), log=LOG)
