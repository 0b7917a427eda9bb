"""Addresses of notice channels in their one form: what is signed, compared, and written to.

Always true (tests/unit/domain/test_contacts.py): the form of a form is itself; two spellings that
reach the same mailbox or telephone for certain have one form; nothing in it ends a line or a word.

Source: RFC 5321, 4.1.2 and 4.5.3.1 (without quoted strings and literals); RFC 1035, 2.3.4;
ITU-T E.164, 6.
"""

import re
from typing import assert_never

from twinlock.domain.channels import ChannelKind
from twinlock.domain.errors import TwinlockError

ADDRESS_BYTES_MOST = 254  # RFC 5321, 4.5.3.1.3, without the brackets around a path.
_LOCAL_MOST = 64  # RFC 5321, 4.5.3.1.1
_DOMAIN_MOST = 253  # RFC 1035, 2.3.4, without the root's dot.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?![0-9]+\Z){_LABEL}")
_SEPARATORS = re.compile(r"[ ().-]")  # What people write between digits; never at the front.
_TRUNK = re.compile(r"\( *0 *\)")  # "+44 (0)20 …": not dialled from abroad, but for Italy.
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_PROGRAM = re.compile(r"[!-~]{3,128}")


class ChannelAddressError(TwinlockError):
    """A channel's address that has no settled form, no message can reach, or two channels have."""

    code = "channel_address_refused"
    status = 422


def normal_address(kind: ChannelKind, address: str) -> str:
    """Return the one form of an address of ``kind``. Raises ChannelAddressError."""
    match kind:
        case ChannelKind.EMAIL:
            return normal_email(address)
        case ChannelKind.SMS:
            return normal_phone(address)
        case ChannelKind.DESKTOP:
            return normal_program(address)
        case _:
            assert_never(kind)


def normal_email(address: str) -> str:
    """Return the one form of an e-mail address: its domain in small letters, the rest as it is.

    Only the receiver knows whether letters differ before the @. Prevents: a name in look-alike
    letters (ASCII only; an international domain is written as its A-label), and a line break that
    adds a recipient to every notice.

    Raises:
        ChannelAddressError: it is not of that form, or longer than a message may carry.
    """
    local, at, domain = address.rpartition("@")
    domain = domain.lower() if domain.isascii() else ""
    fits = len(local) <= _LOCAL_MOST and len(domain) <= _DOMAIN_MOST
    if not at or not fits or not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        raise ChannelAddressError("an e-mail address is name@domain in ASCII")
    if len(address) > ADDRESS_BYTES_MOST:
        raise ChannelAddressError(f"an address has at most {ADDRESS_BYTES_MOST} bytes")
    return f"{local}@{domain}"


def normal_phone(number: str) -> str:
    """Return the one form of a telephone number: + and 7 to 15 digits, its country's code first.

    Raises:
        ChannelAddressError: it is not of that form.
    """
    if _TRUNK.search(number):
        # Prevents: a number of nobody's, or of somebody else's, to which every notice goes.
        raise ChannelAddressError("a telephone number has no (0): leave it out, or write 0")
    plain = number[:1] + _SEPARATORS.sub("", number[1:])
    if not _E164.fullmatch(plain):
        raise ChannelAddressError("a telephone number is + and 7 to 15 digits, country code first")
    return plain


def normal_program(name: str) -> str:
    """Return the name under which a program of the customer's own gets notices.

    Raises:
        ChannelAddressError: it is not 3 to 128 signs of printable ASCII without spaces.
    """
    if not _PROGRAM.fullmatch(name):
        raise ChannelAddressError("a program's name is 3 to 128 printable signs without spaces")
    return name
