"""What is told, in plain words, and as short as a text message."""

import pytest
from msgspec.structs import replace
from support.mails import a_letter

from twinlock.domain.bounds import NOTICE_WORD_MOST
from twinlock.domain.catalogue import ActionType
from twinlock.domain.letters import Letter
from twinlock.domain.notices import NoticeKind
from twinlock.domain.wording import (
    SMS_CHARACTERS,
    gsm,
    message_words,
    moment,
    name_of,
    words,
)

LETTER = a_letter()
BARE = replace(LETTER, link="", freeze="", veto="")


@pytest.mark.parametrize("kind", NoticeKind)
@pytest.mark.parametrize("what", [*ActionType, "lottery.win"])
def test_every_kind_of_every_type_has_words(kind: NoticeKind, what: str) -> None:
    told = words(replace(BARE, kind=kind, what=what, code="123456"))

    assert told.subject
    assert all(told.paragraphs)
    assert not any(sign in f"{told.subject}{told.paragraphs}" for sign in "{}_")
    assert len(told.subject) < 78
    assert 0 < len(told.short) <= SMS_CHARACTERS
    assert gsm(told.short) == told.short


@pytest.mark.parametrize("kind", NoticeKind)
@pytest.mark.parametrize("what", ActionType)
def test_a_text_message_stays_one_with_the_longest_word(kind: NoticeKind, what: str) -> None:
    word = "m" * NOTICE_WORD_MOST
    told = message_words(replace(BARE, kind=kind, what=what, code="123456", word=word))

    assert told.short.startswith(f"({word}) ")
    assert len(told.short) <= SMS_CHARACTERS


def test_a_message_begins_with_its_owners_word_or_says_that_there_is_none() -> None:
    bare = words(BARE)
    with_one, none, elsewhere = (
        message_words(replace(BARE, word=word)) for word in ("blue heron", "", None)
    )

    assert with_one.paragraphs[0].startswith("Your word: blue heron.")
    assert with_one.short == f"(blue heron) {bare.short}"
    assert none.paragraphs[0].startswith("You have set no word")
    assert none.short == f"(no word set) {bare.short}"
    assert "no place of the account's" in elsewhere.paragraphs[0]
    assert elsewhere.short == bare.short
    for told in (with_one, none, elsewhere):
        assert told.paragraphs[1:] == bare.paragraphs
        assert (told.subject, told.links) == (bare.subject, bare.links)


@pytest.mark.requirement("O-04")
def test_what_waits_says_what_when_and_how_to_stop_it() -> None:
    told = words(LETTER)

    assert told.subject == "Waiting: adding an address for withdrawals"
    assert "2 Mar 2026 12:00 UTC at the earliest" in told.paragraphs[0]
    assert told.links == (
        ("This was not me: stop it", LETTER.link),
        ("Freeze everything now", LETTER.freeze),
    )
    assert "Opening a link changes nothing" in told.paragraphs[-1]
    assert told.short.endswith(LETTER.link)
    assert told.short.count("https://") == 1


def test_what_is_done_says_until_when_it_can_be_undone() -> None:
    done = replace(
        LETTER,
        kind=NoticeKind.DONE,
        until="",
        undo="secret",
        undo_until="2026-04-01T12:00:00+00:00",
    )
    told = words(done)

    assert "It can be undone until 1 Apr 2026 12:00 UTC." in told.paragraphs
    assert told.links[0][0] == "This was not me: undo it"
    assert not any("ends on" in one for one in told.paragraphs)


@pytest.mark.parametrize(
    ("until", "said"), [(LETTER.until, True), ("9999-12-31T00:00:00+00:00", False), ("", False)]
)
def test_an_end_is_told_where_there_is_one(until: str, said: bool) -> None:
    told = words(replace(BARE, kind=NoticeKind.DONE, what="freeze.set", until=until))

    assert any("It ends on" in one for one in told.paragraphs) is said


def test_what_narrows_says_so() -> None:
    assert any("telephone only" in one for one in words(replace(BARE, narrows=True)).paragraphs)


def test_a_code_stands_in_what_carries_it_and_says_to_whom_it_is_told() -> None:
    told = words(replace(BARE, kind=NoticeKind.CODE, code="123456"))

    assert "123456" in told.short
    assert "123456" in told.paragraphs[0]
    assert "123456" not in told.subject
    assert "nowhere else" in told.paragraphs[1]


def test_no_value_is_read_as_a_form_of_words() -> None:
    """Prevents: a code or a type from outside that asks for another field."""
    told = words(replace(BARE, kind=NoticeKind.CODE, code="{at.__class__}"))

    assert "{at.__class__}" in told.paragraphs[0]


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("plain words", "plain words"),
        ("Zürich, à 5 £", "Zürich, à 5 £"),
        ("two\nlines\tand  more", "two lines and more"),
        ("кот €", "??? ?"),
    ],
)
def test_a_text_message_has_plain_letters_only(text: str, sent: str) -> None:
    assert gsm(text) == sent


def test_a_time_is_told_to_the_minute() -> None:
    assert moment("2026-03-01T08:05:59+00:00") == "1 Mar 2026 08:05 UTC"


def test_a_type_that_was_registered_later_has_a_name() -> None:
    assert name_of("lottery.win") == "a change of your account"
    assert isinstance(LETTER, Letter)


def test_nobody_is_told_that_a_key_which_only_reads_is_kept_by_its_use() -> None:
    told = words(replace(BARE, kind=NoticeKind.LAPSES, what=ActionType.API_KEY_CREATE))

    assert "it only reads" in " ".join(told.paragraphs)
    assert "unless it acts and is used or bound" in told.short
