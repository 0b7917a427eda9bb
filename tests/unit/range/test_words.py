from datetime import timedelta

import pytest

from twinlock.range.words import (
    Mark,
    Proof,
    Showing,
    When,
    parse_length,
    parse_showing,
    parse_when,
)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("0s", timedelta(0)),
        ("90s", timedelta(seconds=90)),
        ("5m", timedelta(minutes=5)),
        ("72h", timedelta(days=3)),
        ("1095d", timedelta(days=1095)),
    ],
)
def test_a_length_is_a_number_and_a_unit(text: str, length: timedelta) -> None:
    assert parse_length(text) == length


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "5.5m", "5w", "1234567d", " 5m", "٥m"])
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a length of time"):
        parse_length(text)


def test_no_length_is_longer_than_ten_years() -> None:
    assert parse_length("3650d") == timedelta(days=3650)
    with pytest.raises(ValueError, match="'3651d' is longer than 3650d"):
        parse_length("3651d")


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("5m", When(timedelta(minutes=5))),
        ("wait:a1", When(timedelta(0), "a1")),
        ("wait:m4a+12h", When(timedelta(hours=12), "m4a")),
        ("wait:A1", When(timedelta(0), "A1")),
    ],
)
def test_a_time_is_a_length_or_the_end_of_a_wait(text: str, when: When) -> None:
    assert parse_when(text) == when


@pytest.mark.parametrize("text", ["wait:", "wait:a-1", "wait:a1+", "wait:a1+soon", "later than a1"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a"):
        parse_when(text)


@pytest.mark.parametrize(
    ("text", "showing"),
    [
        ("totp", Showing(Proof.TOTP)),
        ("session@copied", Showing(Proof.SESSION, Mark.COPIED)),
    ],
)
def test_a_proof_is_a_word_and_at_most_one_mark(text: str, showing: Showing) -> None:
    assert parse_showing(text) == showing
    assert str(showing) == text


@pytest.mark.parametrize("text", ["", "nose", "totp@", "totp@new@new", "@new"])
def test_what_is_no_proof_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a"):
        parse_showing(text)
