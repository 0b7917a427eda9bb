"""Pairs of capabilities: a cell says what the attacks say that need nothing else."""

from datetime import timedelta

from support.studies import sheets_of

from twinlock.domain.bounds import PROVED_WITHIN, SMALL_SUM_CENTS
from twinlock.domain.prover.capabilities import Capability, counted
from twinlock.domain.prover.derived import cents_of
from twinlock.domain.prover.matrix import Cell, Matrix, matrix_of
from twinlock.domain.prover.model import MINUTE

END = PROVED_WITHIN // MINUTE


def cell(matrix: Matrix, one: Capability, other: Capability) -> Cell:
    return matrix.rows[matrix.capabilities.index(one)][matrix.capabilities.index(other)]


def test_each_cell_says_what_the_attacks_say_that_need_nothing_else() -> None:
    sheets = sheets_of("default")
    matrix = matrix_of(sheets)
    large = [
        (number, set(system.held(one)), one)
        for number, (system, found) in enumerate(sheets)
        for name, some in found.items()
        for one in some
        if cents_of(name) > SMALL_SUM_CENTS
    ]
    for one, other, told in matrix.pairs():
        theirs = [(number, attack) for number, held, attack in large if held <= {one, other}]
        where = {
            (number, state): [
                each.minutes for at, each in theirs if at == number and each.states >> state & 1
            ]
            for number, attack in theirs
            for state in range(attack.states.bit_length())
            if attack.states >> state & 1
        }
        soon = sum(min(minutes) < END for minutes in where.values())
        assert told.minutes == min((attack.minutes for _, attack in theirs), default=None)
        assert told.states == (soon or len(where)), (one, other)
        assert matrix.within(told) is bool(soon)
    assert matrix.to_none == 0


def test_a_pair_takes_what_each_of_it_takes_alone_and_no_later() -> None:
    matrix = matrix_of(sheets_of("typical-2026"))

    assert all(
        cell(matrix, one, other) == cell(matrix, other, one) for one, other, _ in matrix.pairs()
    )
    for one, other, told in matrix.pairs():
        alone = [cell(matrix, each, each).minutes for each in (one, other)]
        soonest = min((minutes for minutes in alone if minutes is not None), default=None)
        assert soonest is None or (told.minutes is not None and told.minutes <= soonest)


def test_states_that_fall_to_nobody_are_told_apart() -> None:
    """An address that was planted is enough, by the rules of 2024."""
    sheets = sheets_of("baseline-2024")
    matrix = matrix_of(sheets)
    states = sum(len(system.states) for system, _ in sheets)

    assert matrix.to_none == states // 2
    password = cell(matrix, Capability.PASSWORD, Capability.PASSWORD)
    assert password == Cell(minutes=0, states=states - matrix.to_none)
    nothing = cell(matrix, Capability.MAIL_BOMB, Capability.CONTACT_TURNED)
    assert nothing == Cell()


def test_pairs_of_thefts_are_counted_without_those_of_operators_and_owners() -> None:
    matrix = matrix_of(sheets_of("default"))
    thefts = [one for one in matrix.capabilities if counted(one)]

    alone = matrix.counted_pairs(alone=True)
    assert [one for one, _, _ in alone] == thefts
    pairs = matrix.counted_pairs(alone=False)
    assert len(pairs) == len(thefts) * (len(thefts) - 1) // 2
    assert all(one is not other for one, other, _ in pairs)


def test_with_less_time_less_falls() -> None:
    sheets = sheets_of("default")
    long, short = matrix_of(sheets), matrix_of(sheets, within=timedelta(hours=1))

    in_time = [sum(one.within(told) for _, _, told in one.pairs()) for one in (long, short)]
    assert in_time[0] > in_time[1]
