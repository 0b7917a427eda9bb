"""Law 7 over random orders of what officers say: one alone loosens nothing, and each one halts."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from support.officers import ADA, BEN, CLEO, DORA, EVE, HALT, Board, Officer

from twinlock.domain.bounds import (
    AGREEMENT_LIFETIME,
    OFFICER_ACTS_A_DAY,
    OFFICERS_AGREEMENT_LIFETIME,
    OFFICERS_LEAST,
    OFFICERS_WAIT,
)
from twinlock.domain.canonical import encode
from twinlock.domain.errors import TwinlockError
from twinlock.domain.officers.platform import (
    Platform,
    replayed,
)
from twinlock.domain.officers.standing import standing_bytes
from twinlock.domain.officers.statements import Act, Change, Resume

MILLISECOND = timedelta(milliseconds=1)
PEOPLE = (ADA, BEN, CLEO, DORA, EVE)
officers = st.sampled_from(PEOPLE)
somebody = st.none() | officers
words = st.one_of(
    st.just(("halt",)),
    st.just(("resume",)),
    st.tuples(st.just("change"), somebody, somebody),
    st.just(("again",)),
)
waits = st.sampled_from((timedelta(0), timedelta(minutes=9), AGREEMENT_LIFETIME, OFFICERS_WAIT))


def act_of(board: Board, word: tuple[object, ...]) -> Act:
    match word:
        case ("resume",):
            return Resume(halt=board.platform.halt or 0)
        case ("change", add, remove):
            assert isinstance(add, Officer | None)
            assert isinstance(remove, Officer | None)
            return board.change(add=add, remove=remove)
        case _:
            return HALT


def speak(board: Board, by: Officer, word: tuple[object, ...], wait: timedelta) -> None:
    """Let ``by`` say something, new or once more; most of it is refused."""
    board.now += wait
    try:
        spoken = [one.signed for one in board.leaves if one.signed is not None]
        if word == ("again",) and spoken:
            board.hears(spoken[-1])
        else:
            board.does(by, act_of(board, word))
    except TwinlockError:
        return


def loosened(before: Platform, after: Platform) -> bool:
    ended = before.halt is not None and after.halt is None
    return ended or before.officers != after.officers


@given(st.lists(st.tuples(words, waits), max_size=30), officers)
def test_no_officer_alone_ever_loosens_anything(
    said: list[tuple[tuple[object, ...], timedelta]], thief: Officer
) -> None:
    board = Board(ADA, BEN, CLEO, DORA)
    board.halt(BEN)
    for word, wait in said:
        before = board.platform
        speak(board, thief, word, wait)
        assert not loosened(before, board.platform)
    assert board.platform.halt is not None


@given(st.lists(st.tuples(officers, words, waits), max_size=30))
def test_whatever_loosens_was_said_by_two_in_time(
    said: list[tuple[Officer, tuple[object, ...], timedelta]],
) -> None:
    """Within an hour; of officers within a week, and a day after the first word for them."""
    board = Board(ADA, BEN, CLEO, DORA)
    for by, word, wait in said:
        before = board.platform
        speak(board, by, word, wait)
        if not loosened(before, board.platform):
            continue
        last = board.leaves[-1]
        assert last.signed is not None
        act = last.signed.said.act
        changes = isinstance(act, Change)
        lasts = OFFICERS_AGREEMENT_LIFETIME if changes else AGREEMENT_LIFETIME
        alike = [
            one
            for one in board.leaves
            if one.signed is not None
            and one.signed.said.act == act
            and last.at - one.at < lasts / MILLISECOND
        ]
        assert len({one.signed.said.officer for one in alike if one.signed is not None}) >= 2
        if changes:
            assert last.at - min(one.at for one in alike) >= OFFICERS_WAIT / MILLISECOND


@given(st.lists(st.tuples(officers, words, waits), max_size=20), st.integers(0, 3))
def test_at_any_time_every_officer_halts_and_there_are_officers_enough(
    said: list[tuple[Officer, tuple[object, ...], timedelta]], which: int
) -> None:
    board = Board(ADA, BEN, CLEO, DORA)
    for by, word, wait in said:
        speak(board, by, word, wait)
    assert len(board.platform.officers) >= OFFICERS_LEAST
    by_key = {one.key: one for one in PEOPLE}
    counts = [by_key[key] for key in board.platform.officers]

    assert board.halt(counts[which % len(counts)]).halt is not None


@given(st.lists(st.tuples(words, st.just(timedelta(0))), max_size=60))
def test_no_officer_alone_makes_the_chain_longer_than_a_days_words(
    said: list[tuple[tuple[object, ...], timedelta]],
) -> None:
    board = Board(ADA, BEN, CLEO)
    for word, wait in (*said, *[(("halt",), timedelta(0))] * OFFICER_ACTS_A_DAY):
        speak(board, ADA, word, wait)

    assert board.platform.acts == 1 + OFFICER_ACTS_A_DAY


@given(st.lists(st.tuples(officers, words, waits), max_size=20))
def test_the_leaves_alone_make_the_platform(
    said: list[tuple[Officer, tuple[object, ...], timedelta]],
) -> None:
    board = Board(ADA, BEN, CLEO)
    for by, word, wait in said:
        speak(board, by, word, wait)

    again = replayed(map(encode, board.leaves))

    assert (again, standing_bytes(again)) == (board.platform, standing_bytes(board.platform))
