"""A letter as a message: RFC 5322 and MIME, as plain as can be.

Text and the same text as HTML; no picture, no tracking, nothing that is loaded from elsewhere. The
Message-ID follows from the letter's own name, so a message that was sent twice is one to every mail
program that looks.

Always true (tests/unit/adapters/test_mail_messages.py): no value can begin a header or a second
recipient; the bytes are 7-bit lines of at most 998 characters; a date is that of the decision.
"""

from datetime import datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape

from twinlock.adapters.mail.settings import ADDRESS_MOST
from twinlock.domain.errors import TwinlockError
from twinlock.domain.letters import Letter
from twinlock.domain.wording import Words


class MailAddressRefusedError(TwinlockError):
    """A channel's address is not one that mail can be sent to."""

    code = "mail_address_refused"
    status = 422


def recipient(address: str) -> str:
    """Return ``address`` as the envelope names it, its domain in ASCII (IDNA).

    Raises:
        MailAddressRefusedError: it is not one address of ASCII letters before the ``@``.
    """
    local, at, domain = address.rpartition("@")
    try:
        ascii_domain = domain.encode("idna").decode("ascii").lower()
        parsed = Address(addr_spec=f"{local}@{ascii_domain}")
    except (HeaderParseError, UnicodeError, ValueError, IndexError):
        raise MailAddressRefusedError("no address that mail can be sent to") from None
    whole = f"{parsed.username}@{parsed.domain}"
    plain = address.isprintable() and " " not in address and local.isascii()
    if not at or not plain or not parsed.username or len(whole) > ADDRESS_MOST:
        raise MailAddressRefusedError("no address that mail can be sent to")
    if whole != f"{local}@{ascii_domain}":  # It was read as something else: quotes, comments.
        raise MailAddressRefusedError("no address that mail can be sent to")
    return whole


def message_id(letter: Letter, *, host: str) -> str:
    """Return the letter's Message-ID (RFC 5322, 3.6.4): the same each time it is sent."""
    return f"<{letter.name}@{host}>"


def message(letter: Letter, told: Words, *, sender: tuple[str, str], to: str, host: str) -> bytes:
    """Return the message to ``to``, which is a checked address; ``host`` is our own name."""
    made = EmailMessage(policy=SMTP)
    made["From"] = Address(display_name=sender[0], addr_spec=sender[1])
    made["To"] = Address(addr_spec=to)
    made["Subject"] = told.subject
    made["Date"] = format_datetime(datetime.fromisoformat(letter.at))
    made["Message-ID"] = message_id(letter, host=host)
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834, 5: no holiday answers to it.
    made.set_content(_text(told), cte="quoted-printable")
    made.add_alternative(_html(told), subtype="html", cte="quoted-printable")
    # A boundary that follows from the name: the same bytes each time, and none that a text holds.
    made.set_boundary(f"=_{letter.name}_=")
    return made.as_bytes()


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
