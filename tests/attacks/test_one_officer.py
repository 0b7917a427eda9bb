"""One of the platform's officers is a thief, or was robbed of the key.

Mallory has Cleo's key. With it she can halt the platform: that is what one key is for. She wants
money to leave while the others look for it, her own people among the officers, or the platform to
stand still until somebody pays. She is stopped by law 7: nobody alone. One key ends no halt and
changes no officer, however often it signs; what an honest officer signed once counts once; and two
others put somebody in Cleo's place, which no halt of hers can stop.

What she leaves behind: every act of hers, signed, in the public log.
"""

import pytest
from msgspec.structs import replace
from support.officers import ADA, BEN, CLEO, DORA, HALT, Board

from twinlock.domain.bounds import AGREEMENT_LIFETIME, OFFICERS_WAIT
from twinlock.domain.errors import TwinlockError
from twinlock.domain.officers.keys import OfficersWrongError
from twinlock.domain.officers.statements import StatementRefusedError
from twinlock.proofs.officers import checked


@pytest.fixture
def board() -> Board:
    return Board(ADA, BEN, CLEO)


def test_she_halts_and_cannot_end_it_by_signing_again(board: Board) -> None:
    board.halt(CLEO)
    for _ in range(20):
        board.resume(CLEO)

    assert board.platform.halt is not None


def test_she_cannot_end_a_halt_with_an_old_word_of_somebody_elses(board: Board) -> None:
    board.halt(ADA)
    word = BEN.signs(board.resuming, at=board.now)
    board.hears(word)
    board.now += AGREEMENT_LIFETIME  # Ben was called away, and nobody agreed.

    board.resume(CLEO)
    with pytest.raises(StatementRefusedError):
        board.hears(word)

    assert board.platform.halt is not None


def test_she_cannot_write_another_name_under_what_she_signed(board: Board) -> None:
    board.halt(ADA)
    board.resume(CLEO)
    own = CLEO.signs(board.resuming, at=board.now)
    forged = replace(own, said=replace(own.said, officer=BEN.key))

    with pytest.raises(StatementRefusedError):
        checked(forged)


def test_she_makes_nobody_an_officer_and_drives_nobody_out(board: Board) -> None:
    for change in (
        board.change(add=DORA),
        board.change(add=DORA, remove=ADA),
        board.change(add=DORA, remove=BEN),
    ):
        board.does(CLEO, change)
        board.does(CLEO, change)

    assert set(board.platform.officers) == {ADA.key, BEN.key, CLEO.key}


def test_she_extorts_nothing_since_two_others_put_somebody_in_her_place(board: Board) -> None:
    board.halt(CLEO)
    change = board.change(add=DORA, remove=CLEO)
    board.does(ADA, change)
    for _ in range(5):
        board.halt(CLEO)
        assert isinstance(board.refuses(CLEO, change), OfficersWrongError)
    board.now += OFFICERS_WAIT  # She holds everything for a day, and no longer.
    board.does(BEN, change)

    assert isinstance(board.refuses(CLEO, HALT), StatementRefusedError)
    board.resume(ADA)
    assert board.resume(BEN).halt is None


def test_whoever_runs_the_servers_and_has_no_officers_key_does_nothing(board: Board) -> None:
    board.halt(ADA)
    with pytest.raises(TwinlockError):
        board.resume(DORA)

    assert board.platform.halt is not None


def test_nothing_she_leaves_behind_is_unsigned(board: Board) -> None:
    board.halt(CLEO)
    board.resume(CLEO)

    signed = [one.signed for one in board.leaves[1:]]
    assert [one.said.officer for one in signed if one is not None] == [CLEO.key, CLEO.key]
    assert all(one is not None and checked(one) for one in signed)
