"""Files of an older system, line by line, and the report of what was refused."""

import hashlib
import io
import os
import stat
from pathlib import Path

import pytest

from twinlock.cli.files import FileUnreadableError
from twinlock.cli.import_files import (
    ImportFileChangedError,
    Lines,
    hashed,
    is_open_to_others,
    open_file,
    open_report,
    unchanged,
    write_cells,
)
from twinlock.domain.errors import FileUnsafeError
from twinlock.services.importing.reading import LINE_BYTES_MOST, ends_inside

LONG = b"x" * (3 * LINE_BYTES_MOST)


def lines_of(path: Path, data: bytes) -> list[tuple[int, bytes]]:
    path.write_bytes(data)
    with open_file(path) as file:
        known = hashed(file)
        lines = Lines(unchanged(file, known))
        found = [(one.number, one.data) for one in lines]
        assert lines.digest == known.digest == hashlib.sha256(data).digest()
    return found


PIECE = 1 << 20  # Bytes, as many as are hashed at once.
THREE_PIECES = b"a row\n" * (PIECE * 5 // 12)  # The third is half as long.


@pytest.mark.parametrize(
    ("changed", "read"),
    [
        (THREE_PIECES + b"slipped in\n", 2),
        (THREE_PIECES[:-6], 2),
        (THREE_PIECES[:-6] + b"other\n", 2),
        (THREE_PIECES[: PIECE + 6] + b"other\n" + THREE_PIECES[PIECE + 12 :], 1),
        (b"other\n" + THREE_PIECES[6:], 0),
        (b"", 0),
    ],
)
def test_of_a_file_that_was_changed_since_it_was_hashed_nothing_new_is_read(
    tmp_path: Path, changed: bytes, read: int
) -> None:
    path, got = tmp_path / "a", list[bytes]()
    path.write_bytes(THREE_PIECES)
    with open_file(path) as file:
        known = hashed(file)
        path.write_bytes(changed)
        lines = (one.data for one in Lines(unchanged(file, known)))
        with pytest.raises(ImportFileChangedError):
            got.extend(lines)

    assert got == [b"a row\n"] * (read * PIECE // 6)


def test_a_file_that_grew_by_a_piece_is_changed(tmp_path: Path) -> None:
    path, data = tmp_path / "a", b"x" * (PIECE - 1) + b"\n"
    path.write_bytes(data)
    with open_file(path) as file:
        known = hashed(file)
        path.write_bytes(data + b"slipped in\n")
        lines = iter(Lines(unchanged(file, known)))
        assert next(lines).number == 1
        with pytest.raises(ImportFileChangedError):
            next(lines)


def test_lines_keep_their_numbers_and_empty_ones_are_left_out(tmp_path: Path) -> None:
    found = lines_of(tmp_path / "a", b"one\n\n  \r\nfour\r\nfive")

    assert found == [(1, b"one\n"), (4, b"four\r\n"), (5, b"five")]


@pytest.mark.parametrize("end", [b"\nafter", b"\n", b""])
def test_a_line_that_is_too_long_is_one_line_and_kept_short(tmp_path: Path, end: bytes) -> None:
    found = lines_of(tmp_path / "a", b"before\n" + LONG + end)

    assert [number for number, _ in found[:2]] == [1, 2]
    assert len(found[1][1]) == LINE_BYTES_MOST + 1
    assert found[2:] == ([(3, b"after")] if end == b"\nafter" else [])


def test_a_row_behind_more_spaces_than_a_row_may_have_is_told_as_too_long(tmp_path: Path) -> None:
    [one, two] = lines_of(tmp_path / "a", b" " * (LINE_BYTES_MOST + 1) + b"{}\nnext\n")

    assert (one[0], len(one[1])) == (1, LINE_BYTES_MOST + 1)
    assert two == (2, b"next\n")


@pytest.mark.parametrize(
    ("line", "inside"),
    [
        (b'a,"' + LONG, True),
        (b'a,"' + LONG + b'"', False),
        (LONG + b',"', True),
        (LONG + b',"b"', False),
        (b'a,"' + LONG + b'" "" "', True),
    ],
)
def test_of_a_line_that_is_too_long_it_is_known_whether_a_quote_is_open(
    tmp_path: Path, line: bytes, inside: bool
) -> None:
    [(_, data), _] = lines_of(tmp_path / "a", line + b"\nnext\n")

    assert len(data) > LINE_BYTES_MOST
    assert ends_inside(data, inside=False) is inside


def test_a_line_of_just_the_length_is_whole(tmp_path: Path) -> None:
    just = b"x" * LINE_BYTES_MOST

    assert lines_of(tmp_path / "a", just + b"\nb") == [(1, just + b"\n"), (2, b"b")]


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, tmp_path / "nowhere"):
        with pytest.raises(FileUnreadableError):
            open_file(path)


@pytest.mark.parametrize(("mode", "told"), [(0o600, False), (0o640, True), (0o604, True)])
def test_a_file_that_others_may_read_is_noticed(tmp_path: Path, mode: int, told: bool) -> None:
    path = tmp_path / "a"
    path.touch()
    path.chmod(mode)
    with open_file(path) as file:
        assert is_open_to_others(file) is told


def test_a_report_takes_the_place_of_what_was_there_and_is_nobody_elses(tmp_path: Path) -> None:
    path = tmp_path / "report"
    for text in ("a longer one", "short"):
        with open_report(path, beside=()) as out:
            out.write(text)
        assert path.read_text() == text
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.chmod(0o644)


@pytest.mark.parametrize("what", ["the file itself", "its link", "another's link", "pipe", "place"])
def test_a_report_destroys_nothing_that_it_is_not(tmp_path: Path, what: str) -> None:
    """Prevents: ``--errors`` on the file that is imported, and a link to somebody's keys."""
    kept, path = tmp_path / "kept", tmp_path / "report"
    kept.write_text("all seeds and hashes")
    match what:
        case "the file itself":
            path = kept
        case "its link":
            os.link(kept, path)
        case "another's link":
            path.symlink_to(kept)
        case "pipe":
            os.mkfifo(path)
        case _:
            path = tmp_path
    with open_file(kept) as file, pytest.raises((FileUnsafeError, IsADirectoryError)):
        open_report(path, beside=(file,))

    assert kept.read_text() == "all seeds and hashes"


def test_a_report_is_never_put_into_somebody_elses_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report"
    path.write_text("hers")
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)

    with pytest.raises(FileUnsafeError, match="somebody else"):
        open_report(path, beside=())
    assert path.read_text() == "hers"


def test_a_report_whose_place_is_not_there_is_told_as_the_system_does(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_report(tmp_path / "nowhere" / "report", beside=())


def test_a_device_is_no_report() -> None:
    with pytest.raises(FileUnsafeError, match="no regular file"):
        open_report(Path(os.devnull), beside=())


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b"])
def test_what_a_spreadsheet_would_run_has_an_apostrophe_before_it(begins: str) -> None:
    out = io.StringIO()
    write_cells(out, (f"{begins}cmd|' /C calc'!A0", "plain", ""))

    assert out.getvalue() == f'"\'{begins}cmd|\' /C calc\'!A0","plain",""\n'
