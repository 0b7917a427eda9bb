"""What commands print: words, and nothing that a terminal obeys."""

import pytest

from twinlock.cli.console import fail, result, say
from twinlock.domain.errors import MalformedError

HOSTILE = "acc_\x1b[2J\x9b1A\u202eyb\rnot erased\x00"
ESCAPED = r"acc_\x1b[2J\x9b1A\u202eyb\rnot erased\x00"


def test_a_row_of_a_database_that_is_told_moves_no_cursor(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Prevents: who may write one row, and has the operator's terminal say that all is well."""
    say(HOSTILE)
    result({}, as_json=False, text=HOSTILE)
    fail(MalformedError(HOSTILE))
    told = capsys.readouterr()

    assert told.out == f"{ESCAPED}\n"
    assert told.err == f"{ESCAPED}\ntwinlock: {ESCAPED} [{MalformedError.code}]\n"


def test_lines_columns_and_letters_of_any_language_stay(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = "eins\tzwei\nZürich 東京"
    result({}, as_json=False, text=text)

    assert capsys.readouterr().out == f"{text}\n"


def test_a_name_that_is_no_utf_8_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    result({}, as_json=False, text="ring/\udcff")

    assert capsys.readouterr().out == "ring/\\udcff\n"
