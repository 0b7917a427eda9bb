from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.money import format_amount
from twinlock.web.refusals import FAULT_OTHERWISE, refusal, words_of
from twinlock.web.words import (
    dollars,
    groups,
    how_long,
    is_amount,
    not_before,
    thousands,
    visible,
    when,
)

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("at", "down", "up", "exact"),
    [
        (NOON, *2 * ["15 January 2026, 12:00 UTC"], "2026-01-15T12:00:00Z"),
        (
            NOON + timedelta(seconds=1),
            "15 January 2026, 12:00 UTC",
            "15 January 2026, 12:01 UTC",
            "2026-01-15T12:00:01Z",
        ),
        (
            NOON + timedelta(milliseconds=1),
            "15 January 2026, 12:00 UTC",
            "15 January 2026, 12:01 UTC",
            "2026-01-15T12:00:00Z",
        ),
        (
            datetime(2026, 12, 31, 23, 59, 30, tzinfo=UTC),
            "31 December 2026, 23:59 UTC",
            "1 January 2027, 00:00 UTC",
            "2026-12-31T23:59:30Z",
        ),
        (
            datetime(2026, 1, 15, 14, tzinfo=timezone(timedelta(hours=2))),
            *2 * ["15 January 2026, 12:00 UTC"],
            "2026-01-15T12:00:00Z",
        ),
    ],
)
def test_a_deadline_is_never_told_too_late_nor_the_end_of_a_wait_too_early(
    at: datetime, down: str, up: str, exact: str
) -> None:
    assert when(at) == f'<time datetime="{exact}">{down}</time>'
    assert not_before(at) == f'<time datetime="{exact}">{up}</time>'


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(0), "no time"),
        (-DAY, "no time"),
        (timedelta(seconds=1), "1 minute"),
        (timedelta(minutes=2), "2 minutes"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(hours=24), "24 hours"),
        (timedelta(hours=23, minutes=59, seconds=1), "24 hours"),
        (timedelta(hours=71, minutes=5), "71 hours and 5 minutes"),
        (3 * DAY, "3 days"),
        (7 * DAY + timedelta(hours=1), "7 days and 1 hour"),
    ],
)
def test_a_length_is_told_in_the_units_people_count_in(length: timedelta, words: str) -> None:
    assert how_long(length) == words


@pytest.mark.parametrize(
    ("cents", "words"),
    [(0, "US$0.00"), (5, "US$0.05"), (123_456_789, "US$1,234,567.89")],
)
def test_cents_are_told_as_dollars(cents: int, words: str) -> None:
    assert dollars(cents) == words


@pytest.mark.parametrize(
    ("amount", "parts"),
    [
        ("5", ("5",)),
        ("50.5", ("50.5",)),
        ("999", ("999",)),
        ("1000", ("1", "000")),
        ("1234567.891234", ("1", "234", "567.891234")),
    ],
)
def test_an_amount_is_set_in_threes_before_its_point(amount: str, parts: tuple[str, ...]) -> None:
    assert thousands(amount) == parts


@pytest.mark.parametrize(
    ("word", "amount"),
    [("5", True), ("1000.25", True), ("1INCH", False), ("1000SATS", False), ("", False)],
)
def test_an_asset_that_begins_with_a_digit_is_no_amount(word: str, amount: bool) -> None:
    """Prevents: "Send 5 1000SATS" that is set as 5 10 00S ATS."""
    assert is_amount(word) is amount


@given(st.text(max_size=200))
def test_groups_joined_are_the_text(text: str) -> None:
    assert "".join(groups(text)) == text
    assert all(len(group) == 4 for group in groups(text)[:-1])


@given(st.integers(min_value=0, max_value=2**256 - 1), st.integers(min_value=0, max_value=36))
def test_no_digit_of_an_amount_is_lost(minor: int, decimals: int) -> None:
    amount = format_amount(minor, decimals=decimals)

    assert "".join(thousands(amount)) == amount


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cold wallet", "cold wallet"),
        ("Größe 日本 العربية", "Größe 日本 العربية"),
        ("a\u202egpj", "a⟨U+202E⟩gpj"),
        ("a\u200bb", "a⟨U+200B⟩b"),
        ("a\u00a0b", "a⟨U+00A0⟩b"),
        ("a\u2028b", "a⟨U+2028⟩b"),
        ("a\nb\x00", "a⟨U+000A⟩b⟨U+0000⟩"),
        ("Bob\u3164", "Bob⟨U+3164⟩"),
        ("B\u034fob\ufe0f", "B⟨U+034F⟩ob⟨U+FE0F⟩"),
        ("\u2800", "⟨U+2800⟩"),
        ("Bob\U000e0101", "Bob⟨U+E0101⟩"),
        ("e" + 4 * "\u0301" + "x", "e" + 4 * "\u0301" + "x"),
        ("e" + 6 * "\u0336" + "x\u0301", "e" + 4 * "\u0336" + 2 * "⟨U+0336⟩" + "x\u0301"),
    ],
)
def test_what_cannot_be_seen_is_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize("fault", ProofFault)
def test_every_fault_has_words_and_says_nothing_was_confirmed_or_why_not(
    fault: ProofFault,
) -> None:
    assert words_of(fault).endswith(".")


def test_a_fault_of_form_is_told_as_one() -> None:
    assert words_of(ProofFault.MALFORMED) == FAULT_OTHERWISE


@pytest.mark.parametrize(("code", "status"), [("account_not_found", 404), ("account_erased", 410)])
def test_an_account_that_does_not_exist_is_told_like_an_action_that_does_not(
    code: str, status: int
) -> None:
    """Prevents: a page that tells which accounts exist, or did."""
    told = refusal(code=code, status=status)

    assert told == refusal(code="action_not_found", status=404)
    assert told.title == "There is nothing to confirm here"


@pytest.mark.parametrize(
    ("code", "status", "title"),
    [
        ("asset_unknown", 422, "This is not possible"),
        ("seal_broken", 500, "Something broke on our side"),
    ],
)
def test_a_code_without_words_of_its_own_is_told_by_its_status(
    code: str, status: int, title: str
) -> None:
    told = refusal(code=code, status=status)

    assert (told.code, told.title) == (code, title)
