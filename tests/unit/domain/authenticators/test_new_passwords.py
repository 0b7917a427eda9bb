"""What a new password is held to, rule by rule, both sides of each limit."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinlock.domain.authenticators.passwords import (
    PasswordRefusedError,
    PasswordRule,
    Terms,
    fit,
    looked_up,
    normal_form,
    repeated,
    terms,
)

BESIDE = Terms(least=8)


def own(*more: str) -> Terms:
    """Return the terms of an account at an exchange, with ``more`` contacts than its three."""
    return terms(
        alone=False,
        service=("twinlock", "confirm", "exchange"),
        contacts=("al.smith@mail.example", "bo@x.example", "+41 79 123 45 67", *more),
    )


def refusal(password: str, held_to: Terms = BESIDE) -> PasswordRefusedError:
    with pytest.raises(PasswordRefusedError) as refused:
        fit(password, held_to)
    return refused.value


@pytest.mark.requirement("O-02")
@pytest.mark.parametrize(("alone", "least"), [(True, 15), (False, 8)])
def test_alone_a_password_is_longer_than_beside_something_stronger(alone: bool, least: int) -> None:
    held_to = terms(alone=alone, service=(), contacts=())
    long_enough = string.ascii_letters[::3][:least]

    assert fit(long_enough, held_to) == long_enough
    short = refusal(long_enough[:-1], held_to)
    assert short.fault is PasswordRule.TOO_SHORT
    assert f"{least} characters at least" in str(short)


@pytest.mark.requirement("O-02")
@pytest.mark.parametrize(
    "one_kind",
    [
        "gpnkehzwvqra",
        "GPNKEHZWVQRA",
        "7405826913",
        "%$&/()=?+",
        "東京特許許可局長",
        "horse battery",
    ],
)
def test_no_kind_of_character_is_asked_for(one_kind: str) -> None:
    assert normal_form(one_kind) == fit(one_kind, BESIDE)


@pytest.mark.requirement("O-02")
@pytest.mark.parametrize("length", [64, 255, 256])
def test_a_long_password_may_be_set(length: int) -> None:
    long = ("correct horse battery staple " * 9)[:length]

    assert fit(long, BESIDE) == long


@pytest.mark.parametrize(
    ("unfit", "rule"),
    [
        pytest.param("1234567", PasswordRule.TOO_SHORT, id="7 characters"),
        pytest.param("734512u\u0308", PasswordRule.TOO_SHORT, id="8 characters that are 7"),
        pytest.param("horse9!" * 36 + "horse", PasswordRule.TOO_LONG, id="257 characters"),
        pytest.param("u\u0308" * 129, PasswordRule.TOO_LONG, id="258 characters that are 129"),
        pytest.param("\ufdfa" * 15, PasswordRule.TOO_LONG, id="15 characters that are 270"),
        pytest.param("\u0344" * 256, PasswordRule.TOO_LONG, id="256 characters of 2 each"),
        pytest.param("\U0001d160" * 86, PasswordRule.TOO_LONG, id="86 characters that are 258"),
        pytest.param("a good one\n", PasswordRule.UNREADABLE, id="a line end"),
        pytest.param("a good\x00one", PasswordRule.UNREADABLE, id="NUL"),
        pytest.param("a good one\ud800", PasswordRule.UNREADABLE, id="half a surrogate pair"),
        pytest.param("a good one\U000e0080", PasswordRule.UNREADABLE, id="an unassigned character"),
    ],
)
def test_an_unfit_password_is_refused_with_its_rule(unfit: str, rule: PasswordRule) -> None:
    assert refusal(unfit).fault is rule


@pytest.mark.requirement("O-02")
@pytest.mark.parametrize(
    "first_guess",
    [
        "        ",
        "aaaaaaaaaaaaaaaaaaaa",
        "abababababababab",
        "monkeymonkeymonkey",
        "12345678",
        "123456789012345678",
        "98765432109876543",
        "87654321",
        "abcdefghijklmnop",
        "zyxwvutsrqp",
        "１２３４５６７８",
    ],
)
def test_what_anybody_can_continue_is_refused(first_guess: str) -> None:
    assert refusal(first_guess).fault is PasswordRule.PREDICTABLE


@pytest.mark.parametrize(
    "fine",
    ["12345679", "abcdefghj", "8901234x", "aab aab aac", "90909091", "opqrijkl", "lkjirqpo"],
)
def test_what_only_looks_like_a_sequence_may_be_set(fine: str) -> None:
    assert fit(fine, BESIDE) == fine


@pytest.mark.requirement("O-02")
@pytest.mark.parametrize(
    "named",
    [
        "Twinlock2026!",
        "!!ＴＷＩＮＬＯＣＫ!!",
        "exchange-exchange1",
        "twinlock.exchange",
        "AL.SMITH-1985",
        "alsmith alsmith1",
        "al.smith@mail.example",
        "mail.2026.mail",
        "079 123 45 67",
        "+41791234567!",
        "1234567000",
    ],
)
def test_what_is_made_of_names_and_numbers_is_refused(named: str) -> None:
    assert refusal(named, own()).fault is PasswordRule.NAMED


@pytest.mark.parametrize(
    ("contact", "named"),
    [
        pytest.param("bo@gmail.co.example", "gmail-2026-gmail", id="the first word of a domain"),
        pytest.param("smith@work@x.example", "smith-1985-smith", id="before the first @"),
        pytest.param("bo2840917@x.example", "2840917 99!", id="a number in a name"),
        pytest.param("bob4@x.example", "bob4-bob4!", id="a name of 4 characters"),
    ],
)
def test_what_a_contact_is_called_by_is_a_name(contact: str, named: str) -> None:
    assert fit(named, own()) == named
    assert refusal(named, own(contact)).fault is PasswordRule.NAMED


@pytest.mark.parametrize(
    ("contact", "fine"),
    [
        pytest.param("bo284091@x.example", "284091 99!", id="a number of 6 digits"),
        pytest.param("bob@x.example", "bob-bob-19", id="a name of 3 characters"),
    ],
)
def test_what_is_shorter_than_a_name_is_none(contact: str, fine: str) -> None:
    assert fit(fine, own(contact)) == fine


@pytest.mark.parametrize(
    "fine",
    [
        "my twinlock and I",
        "boboboat bob",
        "smith and sons",
        "079 123 45 99",
        "4567 890 22 1",
        "exchanges-9",
    ],
)
def test_a_name_among_other_words_is_no_harm(fine: str) -> None:
    assert fit(fine, own()) == fine


def test_the_names_that_a_password_is_held_to_are_not_shown() -> None:
    held_to = own()

    assert "smith" in str(held_to.names)
    assert "smith" not in repr(held_to)


@pytest.mark.parametrize("rule", PasswordRule)
def test_a_refusal_says_what_to_do_and_nothing_of_the_password(rule: PasswordRule) -> None:
    told = str(PasswordRefusedError(rule, least=8 if rule is PasswordRule.TOO_SHORT else 0))

    assert told.startswith("the password ")
    assert "take" in told or "leave" in told


def test_a_least_length_is_told_where_there_is_one() -> None:
    assert "at least" not in str(PasswordRefusedError(PasswordRule.COMMON))


@given(st.text(min_size=1, max_size=12), st.integers(min_value=1, max_value=8))
def test_a_repetition_counts_as_what_it_repeats(text: str, times: int) -> None:
    assert repeated(text * times) == repeated(text)
    assert len(text) % len(repeated(text)) == 0


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("Password1", "password1"),
        ("PASSWORD1password1", "password1"),
        ("Straße 12", "strasse 12"),
        ("ＰＡＳＳＷＯＲＤ１", "password1"),
    ],
)
def test_a_password_is_looked_up_whatever_its_capitals(typed: str, found: str) -> None:
    assert looked_up(fit(typed, BESIDE)) == found


@given(st.text(max_size=300))
def test_any_text_is_fit_or_refused_and_what_is_fit_stays_so(text: str) -> None:
    try:
        normal = fit(text, own())
    except PasswordRefusedError:
        return
    assert fit(normal, own()) == normal
    assert 8 <= len(normal) <= 256
