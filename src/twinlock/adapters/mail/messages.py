"""A letter as a message: RFC 5322 and MIME, as plain as can be.

Text and the same text as HTML; no picture, no tracking, nothing that is loaded from elsewhere. The
Message-ID follows from the letter's own name, so a message that was sent twice is one to every mail
program that looks.

Always true (tests/unit/adapters/test_mail_messages.py): no value can begin a header or a second
recipient; the bytes are 7-bit lines of at most 998 characters; a date is that of the decision.
"""

from binascii import b2a_qp
from datetime import datetime
from email.header import Header
from email.utils import format_datetime, formataddr
from html import escape

from twinlock.domain.letters import Letter
from twinlock.domain.wording import Words

PLAIN_MOST = 200  # Letters of a subject as it is; a longer one is encoded words.

_FOLD = "\r\n "  # RFC 5322, 2.2.3


def message_id(letter: Letter, *, host: str) -> str:
    """Return the letter's Message-ID (RFC 5322, 3.6.4): the same each time it is sent."""
    return f"<{letter.name}@{host}>"


def message(letter: Letter, told: Words, *, sender: tuple[str, str], to: str, host: str) -> bytes:
    """Return the message to ``to``, which is a checked address; ``host`` is our own name.

    It is written here, and not by the library's own messages: those read again each header that
    they are given, and take as long as deciding three withdrawals.

    Raises:
        ValueError: a value that would stand in a header is more than a line.
    """
    # It follows from the name: the same bytes each time, and none that a text holds.
    boundary = f"=_{letter.name}_="
    headers = {
        "From": formataddr(sender),
        "To": to,
        "Subject": _subject(told.subject),
        "Date": format_datetime(datetime.fromisoformat(letter.at)),
        "Message-ID": message_id(letter, host=host),
        "Auto-Submitted": "auto-generated",  # RFC 3834, 5: no holiday answers to it.
        "MIME-Version": "1.0",
        "Content-Type": f'multipart/alternative; boundary="{boundary}"',
    }
    head = "".join(f"{name}: {_line(value)}\r\n" for name, value in headers.items())
    parts = [_part("plain", _text(told)), _part("html", _html(told))]
    body = b"".join(b"\r\n--%b\r\n%b" % (boundary.encode("ascii"), part) for part in parts)
    return head.encode("ascii") + body + b"\r\n--%b--\r\n" % boundary.encode("ascii")


def _part(subtype: str, text: str) -> bytes:
    head = (
        f'Content-Type: text/{subtype}; charset="utf-8"\r\n'
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    )
    lines = text.replace("\r", "").replace("\n", "\r\n")
    return head.encode("ascii") + b2a_qp(lines.encode("utf-8"))


def _line(text: str) -> str:
    """Return ``text``, folded or not. Prevents: a value that begins a header of its own."""
    if not all(one.isprintable() and one.isascii() for one in text.split(_FOLD)):
        raise ValueError("a header is one line of ASCII, or folded")
    return text


def _subject(text: str) -> str:
    """Return ``text``, in encoded words (RFC 2047) where it is not plain."""
    plain = text.isascii() and text.isprintable() and len(text) <= PLAIN_MOST
    return text if plain else Header(text, "utf-8", header_name="Subject").encode(linesep="\r\n")


def _text(told: Words) -> str:
    links = [f"{label}:\n{link}" for label, link in told.links]
    return "\n\n".join((*told.paragraphs, *links)) + "\n"


def _html(told: Words) -> str:
    paragraphs = [f"<p>{escape(one)}</p>" for one in told.paragraphs]
    links = [
        f'<p><a href="{escape(link)}" rel="noreferrer">{escape(label)}</a></p>'
        for label, link in told.links
    ]
    body = "\n".join((*paragraphs, *links))
    return f'<!doctype html>\n<html lang="en"><body>\n{body}\n</body></html>\n'
