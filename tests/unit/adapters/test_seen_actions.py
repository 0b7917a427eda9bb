"""What earlier files told of: kept where a run ended as it should, and no file of others."""

import sqlite3
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.executed import a_row, numbered

from twinlock.adapters.sql.seen_actions import ReconcileStateWrongError, seen_in_file
from twinlock.domain.errors import FileBusyError, FileUnsafeError
from twinlock.domain.reconciling.comparing import Before
from twinlock.domain.reconciling.rows import Executed

ONE = numbered(1)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "reconciled.sqlite3"


def noted(state: Path, *rows: Executed) -> list[Before | None]:
    with seen_in_file(state) as seen:
        return seen.note(rows)


def row(line: int, reference: str) -> Executed:
    return a_row(line, action=ONE, reference=reference)


def test_the_same_execution_in_two_files_is_one_and_another_is_the_second(state: Path) -> None:
    assert noted(state, row(2, "tx-1")) == [None]
    again = noted(state, row(9, "tx-1"), row(10, "tx-1"), row(11, "tx-2"))

    first = Before(line=9, reference="tx-1")
    assert again == [None, first, first]
    other = Before(line=0, reference="tx-1")
    assert noted(state, row(2, "tx-2"), row(3, "tx-2")) == [other, other]
    assert noted(state, row(2, "tx-2"), row(3, "tx-1")) == [other, None]


def test_one_reference_at_another_time_is_a_second_execution(state: Path) -> None:
    """Prevents: a wallet that sends one withdrawal twice, in a ledger that names rows by it."""
    first = row(2, "withdrawal-17")
    elsewhere = replace(
        first, executed_at=first.executed_at.astimezone(timezone(timedelta(hours=9)))
    )
    later = replace(first, executed_at=first.executed_at + timedelta(hours=3))

    assert noted(state, first) == [None]
    assert noted(state, elsewhere) == [None]
    assert noted(state, later) == [Before(line=0, reference="withdrawal-17")]


def test_a_file_from_before_times_were_kept_goes_on(state: Path) -> None:
    noted(state)
    with sqlite3.connect(state) as database:
        database.execute("ALTER TABLE seen DROP COLUMN at")
        database.execute("INSERT INTO seen VALUES (?, 'tx-1', 1, 2)", (ONE,))

    other = Before(line=0, reference="tx-1")
    assert noted(state, row(2, "tx-1")) == [None]
    assert noted(state, row(2, "tx-2")) == [other]


def test_what_any_file_named_is_known_and_nothing_else(state: Path) -> None:
    noted(state, row(2, "tx-1"))
    with seen_in_file(state) as seen:
        seen.note([a_row(2, action=numbered(2))])
        assert seen.has([ONE, numbered(2), numbered(3)]) == [True, True, False]


def test_a_run_that_breaks_off_keeps_nothing_and_can_be_repeated(state: Path) -> None:
    """Prevents: a repeated run in which everything seems executed twice, or passes unread."""

    def broken_off() -> None:
        with seen_in_file(state) as seen:
            seen.note([row(2, "tx-1")])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert noted(state, row(2, "tx-2")) == [None]


def test_two_runs_at_once_are_refused(state: Path) -> None:
    with seen_in_file(state), pytest.raises(FileBusyError), seen_in_file(state):
        pass
    assert noted(state, row(2, "tx-1")) == [None]


def test_it_is_nobody_elses_to_read(state: Path) -> None:
    noted(state, row(2, "tx-1"))
    assert state.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("defect", ["others may read it", "a link", "others may replace it"])
def test_what_others_may_change_is_not_believed(state: Path, defect: str) -> None:
    noted(state, row(2, "tx-1"))
    match defect:
        case "others may read it":
            state.chmod(0o644)
        case "a link":
            state.rename(state.with_name("elsewhere"))
            state.symlink_to("elsewhere")
        case _:
            state.parent.chmod(0o777)

    with pytest.raises(FileUnsafeError), seen_in_file(state):
        pass


def test_what_is_no_such_file_is_refused_and_left(state: Path) -> None:
    noted(state)
    state.write_bytes(b"reference,type" * 200)
    with pytest.raises(ReconcileStateWrongError, match="cannot be used"), seen_in_file(state):
        pass
    assert state.read_bytes().startswith(b"reference,type")


def test_another_table_is_refused(state: Path) -> None:
    noted(state)
    with sqlite3.connect(state) as database:
        database.execute("DROP TABLE seen")
        database.execute("CREATE TABLE seen (action TEXT)")
    with pytest.raises(ReconcileStateWrongError), seen_in_file(state) as seen:
        seen.note([row(2, "tx-1")])
