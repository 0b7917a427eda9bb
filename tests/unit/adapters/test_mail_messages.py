"""Letters as messages: nothing that a customer chose can leave its place."""

import email
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.mails import a_letter

from twinlock.adapters.mail.messages import MailAddressRefusedError, message, recipient
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


@given(st.text(max_size=80))
def test_an_address_is_one_recipient_or_refused(text: str) -> None:
    """Prevents: header injection, a second recipient, a command."""
    try:
        to = recipient(f"{text}@example.com")
    except MailAddressRefusedError:
        return
    assert to == f"{text}@example.com"
    assert to.isascii()
    assert to.isprintable()
    assert not set(to) & set(' ,;:<>()[]"\\')


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


@pytest.mark.parametrize("address", ["alice@EXAMPLE.com", "alice@bücher.example"])
def test_a_domain_is_written_in_one_form(address: str) -> None:
    assert recipient(address) in ("alice@example.com", "alice@xn--bcher-kva.example")
