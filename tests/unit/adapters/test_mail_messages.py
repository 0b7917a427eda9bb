"""Letters as messages: nothing that a customer chose can leave its place."""

import email
from email.header import decode_header, make_header
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.mails import a_letter

from twinlock.adapters.mail.messages import message
from twinlock.domain.letters import Letter
from twinlock.domain.wording import words

SENDER = ("Exämple", "no-reply@confirm.example")
LINE_MOST = 998  # RFC 5322, 2.1.1: without its end.


def made(letter: Letter) -> bytes:
    return message(
        letter, words(letter), sender=SENDER, to="alice@example.com", host="confirm.example"
    )


def test_it_is_seven_bit_and_its_lines_are_short() -> None:
    data = made(replace(a_letter(), link="https://confirm.example/" + "x" * 3_000))
    lines = data.split(b"\r\n")

    assert data.isascii()
    assert b"\n" not in b"".join(lines)
    assert max(map(len, lines)) <= LINE_MOST


def test_it_is_the_same_bytes_each_time() -> None:
    assert made(a_letter()) == made(a_letter())
    assert made(a_letter(name="ntc_two")) != made(a_letter())


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_value_begins_a_header(code: str, what: str) -> None:
    letter = replace(a_letter(), code=code, what=what)
    read = email.message_from_bytes(made(letter), policy=SMTP)

    assert sorted(read.keys()) == [
        "Auto-Submitted",
        "Content-Type",
        "Date",
        "From",
        "MIME-Version",
        "Message-ID",
        "Subject",
        "To",
    ]


@pytest.mark.parametrize(
    "subject",
    [
        "Plain",
        "Ein Schlüssel für dich",
        "a" * 400,
        "ä b " * 100,
        "two\nlines: x",
        "é" * 90 + "\r\n\r\nx",
    ],
)
def test_a_subject_is_read_as_it_was_meant_and_stays_in_its_place(subject: str) -> None:
    told = replace(words(a_letter()), subject=subject)
    data = message(a_letter(), told, sender=SENDER, to="alice@example.com", host="confirm.example")
    read = email.message_from_bytes(data)

    assert str(make_header(decode_header(read["Subject"]))).split() == subject.split()
    assert len(read.keys()) == 8
    assert [part.get_content_type() for part in read.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    assert max(map(len, data.split(b"\r\n"))) <= LINE_MOST
    assert made(a_letter()).split(b"\r\n\r\n", 1)[1] == data.split(b"\r\n\r\n", 1)[1]


def test_a_text_is_read_as_it_was_written() -> None:
    told = replace(words(a_letter()), paragraphs=("Grüße = ja ", ".", "From me", "x" * 2_000))
    data = message(a_letter(), told, sender=SENDER, to="alice@example.com", host="c.example")
    plain = email.message_from_bytes(data, policy=SMTP).get_body(("plain",))
    assert plain is not None
    read = plain.get_content().replace("\r\n", "\n")
    assert read.startswith("Grüße = ja \n\n.\n\nFrom me\n\n" + "x" * 2_000)


def test_html_is_escaped_and_loads_nothing() -> None:
    read = email.message_from_bytes(
        made(replace(a_letter(), link='https://x/"><script>alert(1)</script>')), policy=SMTP
    )
    body = read.get_body(("html",))
    assert body is not None
    html = body.get_content()

    assert "<script" not in html
    assert "&quot;&gt;&lt;script" in html
    assert not any(word in html for word in ("src=", "<img", "style", "url("))
