"""The platform by its officers' acts: who halts, who resumes, who changes who counts."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from support.officers import (
    ADA,
    BEGINNING,
    BEN,
    CLEO,
    DORA,
    EVE,
    FOUNDING,
    HALT,
    LOG,
    Board,
    Officer,
    hash_of,
)

from twinlock.domain.bounds import (
    AGREEMENT_LIFETIME,
    OFFICER_ACTS_A_DAY,
    OFFICERS_AGREEMENT_LIFETIME,
    OFFICERS_LEAST,
    OFFICERS_MOST,
    OFFICERS_WAIT,
    OFFICERS_WAIT_BEFORE,
    STATEMENT_LIFETIME,
)
from twinlock.domain.canonical import b64url, encode
from twinlock.domain.errors import LogDamagedError, MalformedError
from twinlock.domain.officers.keys import OfficersWrongError, named, person
from twinlock.domain.officers.platform import (
    NotHaltedError,
    OfficersMissingError,
    Platform,
    PlatformLeaf,
    SpokeTooOftenError,
    after,
    appointed,
    due_at,
    label_of,
    read_leaf,
    replayed,
)
from twinlock.domain.officers.standing import (
    check_standing,
    halted_since,
    read_standing,
    standing_bytes,
)
from twinlock.domain.officers.statements import Change, Halt, Resume, StatementRefusedError

SECOND = timedelta(seconds=1)


@pytest.fixture
def board() -> Board:
    return Board(ADA, BEN, CLEO)


# --- Who they are ---


def test_the_first_leaf_names_the_officers(board: Board) -> None:
    assert set(board.platform.officers) == {ADA.key, BEN.key, CLEO.key}
    assert board.platform.acts == 1
    assert board.platform.halt is None


@pytest.mark.parametrize("count", [0, OFFICERS_LEAST - 1, OFFICERS_MOST + 1])
def test_officers_are_neither_too_few_nor_too_many(count: int) -> None:
    keys = tuple(Officer(str(number)).key for number in range(count))

    with pytest.raises(OfficersWrongError, match="at least"):
        appointed(keys, policy=FOUNDING, at=BEGINNING)


@pytest.mark.parametrize("count", [OFFICERS_LEAST, OFFICERS_MOST])
def test_as_many_as_may_be_are_appointed(count: int) -> None:
    keys = tuple(Officer(str(number)).key for number in range(count))

    assert set(after(Platform(), appointed(keys, policy=FOUNDING, at=BEGINNING)).officers) == set(
        keys
    )


@pytest.mark.parametrize("key", ["", "AAAA", "?" * 43, ADA.key + "="])
def test_a_key_that_is_none_is_no_officer(key: str) -> None:
    with pytest.raises(OfficersWrongError, match="public key"):
        appointed((ADA.key, BEN.key, key), policy=FOUNDING, at=BEGINNING)


@pytest.mark.parametrize("first", [0, 1])
def test_a_key_under_which_anybody_can_sign_is_no_officer(board: Board, first: int) -> None:
    """Prevents: a placeholder of zeros, or a bought officer's other key, that speaks for nobody."""
    everybodys = b64url(bytes([first]) + bytes(31))

    with pytest.raises(OfficersWrongError, match="small order"):
        appointed((ADA.key, BEN.key, everybodys), policy=FOUNDING, at=BEGINNING)
    why = board.refuses(ADA, Change(since=0, add=everybodys))
    assert isinstance(why, OfficersWrongError)
    assert "small order" in str(why)


def test_one_key_is_one_officer() -> None:
    with pytest.raises(OfficersWrongError, match="twice"):
        appointed((ADA.key, BEN.key, ADA.key), policy=FOUNDING, at=BEGINNING)


def test_without_officers_nobody_speaks() -> None:
    with pytest.raises(OfficersMissingError):
        Board().does(ADA, HALT)


# --- Halting ---


def test_one_officer_halts_at_once(board: Board) -> None:
    platform = board.halt(ADA)

    assert platform.halt == 1
    assert platform.halted_at == BEGINNING + SECOND


def test_one_more_halt_is_another_act_of_the_same_halt(board: Board) -> None:
    board.halt(ADA)

    platform = board.halt(BEN)

    assert (platform.halt, platform.halted_at) == (2, BEGINNING + SECOND)


# --- Resuming ---


def test_two_officers_resume_and_the_one_who_halted_may_be_one(board: Board) -> None:
    board.halt(ADA)

    assert board.resume(ADA).halt == 1
    platform = board.resume(BEN)

    assert (platform.halt, platform.halted_at, dict(platform.resuming)) == (None, None, {})


def test_one_officer_twice_counts_once(board: Board) -> None:
    board.halt(ADA)
    board.resume(BEN)

    platform = board.resume(BEN)

    assert platform.halt == 1
    assert set(platform.resuming) == {BEN.key}


def test_an_agreement_ends_after_an_hour(board: Board) -> None:
    board.halt(ADA)
    board.resume(BEN)
    agreed_at = board.now
    board.now = agreed_at + AGREEMENT_LIFETIME - SECOND

    assert board.resume(CLEO).halt == 1
    assert set(board.platform.resuming) == {CLEO.key}


def test_an_agreement_counts_until_the_hour_is_over(board: Board) -> None:
    board.halt(ADA)
    board.resume(BEN)
    board.now += AGREEMENT_LIFETIME - SECOND - timedelta(milliseconds=1)

    assert board.resume(CLEO).halt is None


def test_a_new_halt_voids_what_one_officer_had_agreed_to(board: Board) -> None:
    board.halt(ADA)
    first = board.resuming
    board.resume(BEN)
    board.halt(CLEO)

    assert isinstance(board.refuses(ADA, first), NotHaltedError)
    assert board.resume(ADA).halt == 3
    assert board.resume(BEN).halt is None


def test_what_is_not_halted_is_not_resumed(board: Board) -> None:
    assert isinstance(board.refuses(ADA, Resume(halt=0)), NotHaltedError)


def test_an_old_agreement_ends_no_later_halt(board: Board) -> None:
    """Prevents: an officer's word that is kept, and ends the next halt with a thief's."""
    board.halt(ADA)
    kept = BEN.signs(board.resuming, at=board.now)
    board.resume(ADA)
    board.resume(CLEO)
    board.halt(ADA)
    board.resume(CLEO)

    with pytest.raises(NotHaltedError, match="once more"):
        board.hears(kept)
    assert board.platform.halt == 4


# --- Whose word counts ---


def test_what_could_not_be_read_again_is_not_taken(board: Board) -> None:
    assert isinstance(board.refuses(ADA, Halt(because="two words")), MalformedError)
    assert isinstance(board.refuses(ADA, board.change()), MalformedError)


def test_whoever_is_no_officer_does_nothing(board: Board) -> None:
    assert isinstance(board.refuses(EVE, HALT), StatementRefusedError)


def test_what_was_said_to_another_log_counts_for_nothing(board: Board) -> None:
    with pytest.raises(StatementRefusedError, match=f"another log than {LOG}"):
        board.hears(ADA.signs(HALT, at=board.now, log="other.example/log"))


def test_what_was_said_counts_once(board: Board) -> None:
    signed = ADA.signs(HALT, at=board.now)
    board.hears(signed)

    with pytest.raises(StatementRefusedError, match="used before"):
        board.hears(signed)


def test_a_used_nonce_is_forgotten_when_its_statement_is_over(board: Board) -> None:
    signed = ADA.signs(HALT, at=board.now)
    board.hears(signed)
    board.now += STATEMENT_LIFETIME

    assert set(board.halt(BEN).nonces).isdisjoint({signed.said.nonce})
    with pytest.raises(StatementRefusedError, match="over"):
        board.hears(signed)


def test_a_used_nonce_is_remembered_while_its_statement_counts(board: Board) -> None:
    signed = ADA.signs(HALT, at=board.now)
    board.hears(signed)
    board.now += STATEMENT_LIFETIME - 4 * SECOND

    board.halt(BEN)

    with pytest.raises(StatementRefusedError, match="used before"):
        board.hears(signed)


# --- Other officers ---


def test_two_others_put_one_officer_in_anothers_place(board: Board) -> None:
    change = board.change(add=DORA, remove=CLEO)

    assert set(board.does(ADA, change).officers) == {ADA.key, BEN.key, CLEO.key}
    board.now += OFFICERS_WAIT
    platform = board.does(BEN, change)

    assert set(platform.officers) == {ADA.key, BEN.key, DORA.key}
    assert platform.since == 2
    assert dict(platform.changing) == {}
    assert isinstance(board.refuses(CLEO, HALT), StatementRefusedError)
    assert board.halt(DORA).halt == 3


def test_nobody_agrees_to_their_own_going(board: Board) -> None:
    error = board.refuses(CLEO, board.change(add=DORA, remove=CLEO))

    assert isinstance(error, OfficersWrongError)
    assert "two others" in str(error)


def test_one_officer_twice_changes_nothing(board: Board) -> None:
    assert DORA.key not in board.makes(board.change(add=DORA), ADA, ADA).officers


def test_two_who_agree_to_different_changes_agree_to_nothing(board: Board) -> None:
    board.does(ADA, board.change(add=DORA))
    board.now += OFFICERS_WAIT

    assert set(board.does(BEN, board.change(add=EVE)).officers) == {ADA.key, BEN.key, CLEO.key}


def test_the_last_change_that_an_officer_agreed_to_counts(board: Board) -> None:
    first = board.change(add=DORA)
    board.does(ADA, first)
    board.does(ADA, board.change(add=EVE))
    board.now += OFFICERS_WAIT

    assert DORA.key not in board.does(BEN, first).officers


@pytest.mark.parametrize(("early", "comes"), [(SECOND, False), (timedelta(0), True)])
def test_other_officers_come_a_day_after_the_first_word_for_them(
    board: Board, early: timedelta, comes: bool
) -> None:
    """Prevents: two who make themselves the only officers before anybody hears of it."""
    change = board.change(add=DORA)
    board.does(ADA, change)
    first = board.now
    board.does(BEN, change)
    board.now = first + OFFICERS_WAIT - SECOND - early

    assert due_at(board.platform, change) == first + OFFICERS_WAIT
    assert (DORA.key in board.does(BEN, change).officers) is comes


def test_nobody_is_awaited_whom_nobody_wanted(board: Board) -> None:
    assert due_at(board.platform, board.change(add=DORA)) is None


@pytest.mark.parametrize(("late", "comes"), [(-SECOND, True), (timedelta(0), False)])
def test_agreeing_to_a_change_ends_after_a_week(board: Board, late: timedelta, comes: bool) -> None:
    change = board.change(add=DORA)
    board.does(ADA, change)
    board.now += OFFICERS_AGREEMENT_LIFETIME - SECOND + late

    assert (DORA.key in board.does(BEN, change).officers) is comes


def test_a_word_that_is_over_begins_anew(board: Board) -> None:
    change = board.change(add=DORA)
    board.does(ADA, change)
    board.now += OFFICERS_AGREEMENT_LIFETIME
    board.does(ADA, change)
    again = board.now

    assert DORA.key not in board.does(BEN, change).officers
    assert due_at(board.platform, change) == again + OFFICERS_WAIT


def test_whoever_halts_stops_no_change_by_which_they_go(board: Board) -> None:
    """Prevents: a thief among them who halts again and again, and so stays one."""
    change = board.change(add=DORA, remove=CLEO)
    board.does(ADA, change)
    board.halt(CLEO)
    board.now += OFFICERS_WAIT

    assert DORA.key in board.does(BEN, change).officers


def test_a_halt_stops_a_change_that_few_agree_to() -> None:
    """Prevents: two of five who drive the others out, one after the other."""
    board = Board(ADA, BEN, CLEO, DORA, EVE)
    change = board.change(remove=CLEO)
    board.does(ADA, change)
    board.does(BEN, change)
    board.halt(DORA)
    board.now += OFFICERS_WAIT

    assert CLEO.key in board.does(BEN, change).officers
    assert set(board.platform.changing) == {BEN.key}


def test_a_halt_stops_no_change_that_most_agree_to() -> None:
    """Prevents: two thieves of five, each of whom keeps the other by a halt."""
    board = Board(ADA, BEN, CLEO, DORA, EVE)
    change = board.change(remove=CLEO)
    for officer in (ADA, BEN, EVE):
        board.does(officer, change)
    board.does(DORA, board.change(remove=ADA))
    board.halt(DORA)
    assert set(board.platform.changing) == {ADA.key, BEN.key, EVE.key}
    board.now += OFFICERS_WAIT

    assert CLEO.key not in board.does(BEN, change).officers


def test_of_words_that_are_over_a_halt_leaves_none() -> None:
    board = Board(ADA, BEN, CLEO, DORA)
    change = board.change(remove=CLEO)
    for officer in (ADA, BEN):
        board.does(officer, change)
    board.now += OFFICERS_AGREEMENT_LIFETIME

    assert dict(board.halt(DORA).changing) == {}


def test_whoever_goes_takes_along_what_they_agreed_to(board: Board) -> None:
    board.halt(ADA)
    change = board.change(add=DORA, remove=CLEO)
    board.does(ADA, change)
    board.now += OFFICERS_WAIT
    board.resume(CLEO)
    board.does(BEN, change)

    assert board.resume(BEN).halt == 1
    assert board.resume(DORA).halt is None


def test_a_change_is_of_the_officers_as_they_are(board: Board) -> None:
    old = board.change(add=DORA)
    board.makes(old, ADA, BEN)

    error = board.refuses(CLEO, replace(old, add=EVE.key))

    assert isinstance(error, OfficersWrongError)
    assert "changed since" in str(error)


@pytest.mark.parametrize(
    ("add", "remove", "why"),
    [
        (None, EVE, "no officer"),
        (BEN, None, "already"),
        (None, CLEO, "at least"),
    ],
)
def test_a_change_leaves_officers_who_can_be(
    board: Board, add: Officer | None, remove: Officer | None, why: str
) -> None:
    error = board.refuses(ADA, board.change(add=add, remove=remove))

    assert isinstance(error, OfficersWrongError)
    assert why in str(error)


def test_of_four_officers_one_may_go() -> None:
    board = Board(ADA, BEN, CLEO, DORA)
    officers = board.makes(board.change(remove=DORA), ADA, BEN).officers

    assert set(officers) == {ADA.key, BEN.key, CLEO.key}


def replaced(board: Board, old: Officer, new: Officer, *by: Officer) -> Board:
    board.makes(board.change(add=new, remove=old), *by)
    return board


def test_a_key_that_takes_anothers_place_is_that_persons(board: Board) -> None:
    replaced(board, CLEO, DORA, ADA, BEN)
    assert board.platform.instead == {DORA.key: CLEO.key}
    replaced(board, DORA, EVE, ADA, BEN)

    assert person(EVE.key, board.platform.instead) == CLEO.key
    assert person(DORA.key, board.platform.instead) == CLEO.key
    assert person(ADA.key, board.platform.instead) == ADA.key


def test_a_key_that_comes_back_is_its_own_again(board: Board) -> None:
    replaced(board, CLEO, DORA, ADA, BEN)
    replaced(board, DORA, CLEO, ADA, BEN)
    assert person(CLEO.key, board.platform.instead) == CLEO.key
    assert board.platform.instead == {DORA.key: CLEO.key}

    for new, old in ((DORA, None), (None, DORA), (DORA, None)):
        board.makes(board.change(add=new, remove=old), ADA, BEN)
        assert person(DORA.key, board.platform.instead) == DORA.key


# --- How often they speak ---


def test_an_officer_speaks_so_often_a_day_and_no_more(board: Board) -> None:
    """Prevents: twenty thousand halts, after which no chain can be read behind the lock."""
    for _ in range(OFFICER_ACTS_A_DAY):
        board.halt(ADA)
    for act in (HALT, board.resuming, board.change(add=DORA)):
        assert isinstance(board.refuses(ADA, act), SpokeTooOftenError)

    board.resume(BEN)
    assert board.resume(CLEO).halt is None
    assert isinstance(board.refuses(ADA, board.change(add=DORA)), SpokeTooOftenError)
    assert board.halt(ADA).halt is not None


def test_the_next_day_an_officer_speaks_again(board: Board) -> None:
    for _ in range(OFFICER_ACTS_A_DAY):
        board.halt(ADA)
    board.now = BEGINNING + timedelta(hours=12) - 2 * SECOND
    assert isinstance(board.refuses(ADA, HALT), SpokeTooOftenError)
    board.now = BEGINNING + timedelta(hours=12) - SECOND

    assert dict(board.halt(ADA).spoke) == {ADA.key: 1}


# --- Its leaves ---


def test_the_leaves_make_the_platform_again(board: Board) -> None:
    board.halt(ADA)
    board.resume(BEN)

    assert replayed(map(encode, board.leaves)) == board.platform
    assert board.platform.last == hash_of(encode(board.leaves[-1]))
    assert [read_leaf(encode(one)) for one in board.leaves] == board.leaves


def spoilt(board: Board, **change: object) -> PlatformLeaf:
    return replace(board.leaves[-1], **change)


@pytest.mark.parametrize(
    "change",
    [{"t": "platform.other"}, {"v": 4}, {"at": -1}, {"at": 2**53}, {"n": 2**53}, {"lbl": "x"}],
)
def test_a_leaf_of_another_form_is_none_of_the_platforms(
    board: Board, change: dict[str, object]
) -> None:
    board.halt(ADA)

    assert read_leaf(encode(spoilt(board, **change))) is None


def test_a_leaf_that_is_not_canonical_or_holds_no_statement_is_none(board: Board) -> None:
    board.halt(ADA)
    leaf = board.leaves[-1]
    assert leaf.signed is not None

    assert read_leaf(encode(leaf) + b" ") is None
    assert read_leaf(b"\xff") is None
    assert read_leaf(encode(replace(leaf, signed=replace(leaf.signed, sig="AA")))) is None
    negative = replace(leaf, n=-1, lbl=b64url(label_of(0)))
    assert read_leaf(encode(negative)) is None


def test_a_leaf_that_does_not_follow_makes_no_platform(board: Board) -> None:
    before = board.platform
    board.halt(ADA)
    leaf = board.leaves[-1]

    for wrong in (
        replace(leaf, n=2),
        replace(leaf, prev=b64url(bytes(32))),
        replace(leaf, signed=None),
        replace(leaf, officers=(ADA.key,)),
        replace(leaf, signed=None, officers=board.platform.officers),
    ):
        with pytest.raises(MalformedError):
            after(before, wrong)
    with pytest.raises(MalformedError, match="nobody's"):
        after(before, replace(leaf, signed=EVE.signs(HALT, at=BEGINNING)))
    with pytest.raises(MalformedError, match="not halted"):
        after(before, replace(leaf, signed=ADA.signs(Resume(halt=0), at=BEGINNING)))


def test_a_statement_that_stands_twice_makes_no_platform(board: Board) -> None:
    board.halt(ADA)
    leaf = board.leaves[-1]
    again = replace(leaf, n=2, prev=board.platform.last)

    with pytest.raises(MalformedError, match="said before"):
        after(board.platform, again)


def before(board: Board, form: int = 1) -> list[PlatformLeaf]:
    """Return the leaves of a board in an older form."""
    leaves: list[PlatformLeaf] = []
    for leaf in board.leaves:
        last = hash_of(encode(leaves[-1])) if leaves else leaf.prev
        leaves.append(replace(leaf, v=form, policy="", prev=last))
    return leaves


def test_what_was_decided_after_a_day_stays_decided(board: Board) -> None:
    """Leaves of an installation that is older than the wait of three days."""
    change = board.change(add=DORA)
    board.does(ADA, change)
    board.now += OFFICERS_WAIT_BEFORE
    board.does(BEN, change)
    assert DORA.key not in board.platform.officers
    old = replayed(map(encode, before(board, form=2)))

    assert DORA.key in old.officers
    assert old.versions.policy == ""
    board.platform, board.leaves = old, before(board, form=2)
    late = board.change(add=EVE)
    board.does(ADA, late)
    board.now += OFFICERS_WAIT_BEFORE
    assert EVE.key not in board.does(BEN, late).officers


@pytest.mark.parametrize("form", [1, 2])
def test_a_leaf_of_an_older_form_names_no_policy(board: Board, form: int) -> None:
    first = board.leaves[0]

    with pytest.raises(MalformedError, match="a policy is named"):
        after(Platform(), replace(first, v=form))
    with pytest.raises(MalformedError, match="a policy is named"):
        after(Platform(), replace(first, policy=""))


def test_what_was_decided_without_a_wait_stays_decided(board: Board) -> None:
    """Leaves of an installation that is older than the wait."""
    change = board.change(add=DORA, remove=CLEO)
    board.does(ADA, change)
    board.halt(BEN)
    board.does(BEN, change)
    old = replayed(map(encode, before(board)))

    assert set(old.officers) == {ADA.key, BEN.key, DORA.key}
    board.platform, board.leaves = old, before(board)
    late = board.change(add=EVE)
    board.does(ADA, late)
    assert EVE.key not in board.does(BEN, late).officers
    with pytest.raises(MalformedError, match="older form"):
        board.take(replace(board.leaves[-1], v=1, n=board.platform.acts, prev=board.platform.last))


def test_without_a_wait_an_agreement_counted_for_an_hour(board: Board) -> None:
    change = board.change(add=DORA)
    board.does(ADA, change)
    board.now += AGREEMENT_LIFETIME
    board.does(BEN, change)

    assert DORA.key not in replayed(map(encode, before(board))).officers


def test_a_chain_in_which_a_leaf_is_wrong_is_damaged(board: Board) -> None:
    board.halt(ADA)
    entries = [encode(one) for one in board.leaves]

    with pytest.raises(LogDamagedError, match="act 1 of the platform"):
        replayed([entries[0], b"nonsense"])
    with pytest.raises(LogDamagedError, match="act 0 of the platform"):
        replayed(entries[1:])


# --- What the head holds ---


def test_the_head_says_since_when_all_is_halted(board: Board) -> None:
    assert halted_since(standing_bytes(board.platform)) is None
    assert read_standing(standing_bytes(board.platform)).acts == 1

    data = standing_bytes(board.halt(ADA))

    assert halted_since(data) == board.platform.halted_at
    assert check_standing(board.platform, data) is board.platform
    assert len(data) <= 256


def test_a_head_without_officers_holds_nothing_of_them() -> None:
    assert standing_bytes(Platform()) == b""
    assert halted_since(b"") is None
    assert read_standing(b"").acts == 0


@pytest.mark.parametrize("data", [b"{}", b"\xff", b"null", b'{"acts":1,"halted":"no","last":""}'])
def test_whoever_cannot_tell_whether_all_is_halted_lets_nothing_leave(data: bytes) -> None:
    with pytest.raises(LogDamagedError, match="does not say"):
        halted_since(data)


def test_a_platform_that_is_not_the_heads_is_none(board: Board) -> None:
    data = standing_bytes(board.platform)

    with pytest.raises(LogDamagedError, match="not those that the head counts"):
        check_standing(board.halt(ADA), data)


def test_an_officer_is_named_by_how_the_key_begins(board: Board) -> None:
    keys = board.platform.officers

    assert named(keys, ADA.key[:6]) == ADA.key
    for start in ("", "?", EVE.key):
        with pytest.raises(OfficersWrongError):
            named(keys, start)
    with pytest.raises(OfficersWrongError):
        named(("AAAB", "AAAC"), "AA")


def test_times_are_utc_and_to_the_millisecond(board: Board) -> None:
    board.now = datetime(2026, 3, 1, 12, 0, 0, 123_900, tzinfo=UTC)

    assert board.halt(ADA).halted_at == datetime(2026, 3, 1, 12, 0, 1, 123_000, tzinfo=UTC)


def test_a_change_keeps_the_officers_in_one_order(board: Board) -> None:
    officers = board.makes(board.change(add=DORA), ADA, CLEO).officers

    assert list(officers) == sorted(officers)


def test_what_was_said_long_ago_is_appended_by_nobody() -> None:
    """Prevents: a word of an officer's, read in the log, that stands beside another's once more."""
    board = Board(ADA, BEN, CLEO, DORA)
    change = board.change(add=EVE, remove=CLEO)
    old = ADA.signs(change, at=board.now)
    board.hears(old)
    board.now += timedelta(days=30)
    board.does(BEN, change)
    board.now += timedelta(minutes=30)
    again = replace(board.leaves[1], n=3, prev=board.platform.last)
    again = replace(again, at=int(board.now.timestamp() * 1000))

    with pytest.raises(StatementRefusedError, match="over"):
        board.take(again)
    assert CLEO.key in board.platform.officers
