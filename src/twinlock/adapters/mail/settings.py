"""The settings of mail: which server takes our messages, and how it is known to be that one.

Always true (tests/unit/adapters/test_mail_settings.py): without TLS nothing goes further than this
machine; the password stands in a file of its own and in no setting.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.utils import parseaddr
from pathlib import Path

from twinlock.domain.errors import SettingsWrongError

IMPLICIT, STARTTLS, PLAIN = "implicit", "starttls", "plain-loopback"
TLS = (STARTTLS, IMPLICIT, PLAIN)
CONNECTIONS, CONNECTIONS_MOST = 4, 64
ADDRESS_MOST = 254  # Characters: RFC 5321, 4.5.3.1.3, without the angle brackets.
PORT_MOST = 65_535

# Name, unit, default, meaning: rows of docs/settings.md.
ROWS = (
    (
        "SMTP_SERVER",
        "host:port",
        "none: notices are left as files",
        "The mail server that takes our messages, such as your own relay (docs/notices.md).",
    ),
    (
        "SMTP_TLS",
        " or ".join(TLS),
        "`starttls`",
        (
            "How its connection is secured. Its certificate is always checked, and a server that "
            "offers no TLS gets nothing. `plain-loopback` is for a server on this machine, by its "
            "loopback address."
        ),
    ),
    (
        "SMTP_CA_FILE",
        "absolute path",
        "none",
        "Certificates (PEM) of authorities that are trusted for it beside the system's.",
    ),
    ("SMTP_USER", "user name", "none: no sign-in", "Who signs in to it."),
    (
        "SMTP_PASSWORD_FILE",
        "absolute path",
        "none",
        (
            "The file, mode 0600, with the password of that user, which no setting, log or error "
            "holds."
        ),
    ),
    (
        "SMTP_CONNECTIONS",
        f"connections, 1 to {CONNECTIONS_MOST}",
        f"{CONNECTIONS}",
        "How many each process opens to it at most.",
    ),
    (
        "MAIL_FROM",
        "address, or `Name <address>`",
        "none; needed with `SMTP_SERVER`",
        "Who our messages come from.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSettings:
    """Where mail goes. ``tls`` is one of TLS; ``sender`` a display name, maybe "", and address."""

    host: str
    port: int
    tls: str
    ca_file: Path | None
    user: str
    password_file: Path | None
    connections: int
    sender: tuple[str, str]


def load(values: Mapping[str, str], path: Callable[[str], Path | None]) -> MailSettings | None:
    """Return the settings of mail in ``values``, or None; ``path`` reads one as a path.

    Raises:
        SettingsWrongError: a value that cannot be meant, or one without those that it needs.
    """
    names = [row[0] for row in ROWS if row[0] in values]
    if "SMTP_SERVER" not in values:
        if names:
            raise _wrong(names[0], "needs SMTP_SERVER")
        return None
    host, port = _server(values["SMTP_SERVER"])
    tls = values.get("SMTP_TLS", STARTTLS)
    if tls not in TLS:
        raise _wrong("SMTP_TLS", f"is not {' or '.join(TLS)}")
    if tls == PLAIN and not _loopback(host):
        raise _wrong("SMTP_TLS", "lets mail go without TLS to a loopback address only")
    user, password_file = values.get("SMTP_USER", ""), path("SMTP_PASSWORD_FILE")
    if bool(user) != (password_file is not None):
        raise _wrong("SMTP_USER", "needs SMTP_PASSWORD_FILE, and it needs the user")
    return MailSettings(
        host=host,
        port=port,
        tls=tls,
        ca_file=path("SMTP_CA_FILE"),
        user=user,
        password_file=password_file,
        connections=_connections(values.get("SMTP_CONNECTIONS", str(CONNECTIONS))),
        sender=_sender(values.get("MAIL_FROM", "")),
    )


def _wrong(name: str, why: str) -> SettingsWrongError:
    return SettingsWrongError(f"TWINLOCK_{name} {why}")


def _server(text: str) -> tuple[str, int]:
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]{1,253})):([1-9][0-9]{0,4})", text)
    if found is None or int(found[3]) > PORT_MOST:
        raise _wrong("SMTP_SERVER", "is not host:port")
    return found[1] or found[2], int(found[3])


def _loopback(host: str) -> bool:
    """Say whether ``host`` is a loopback address; a name may lead anywhere."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _connections(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]?", text) or int(text) > CONNECTIONS_MOST:
        raise _wrong("SMTP_CONNECTIONS", f"is not a whole number from 1 to {CONNECTIONS_MOST}")
    return int(text)


def _sender(text: str) -> tuple[str, str]:
    """Return the display name and the address of ``MAIL_FROM``."""
    name, address = parseaddr(text)
    try:
        parsed = Address(addr_spec=address)
    except (HeaderParseError, ValueError, IndexError):
        raise _wrong("MAIL_FROM", "is no address, nor `Name <address>`") from None
    plain = address.isascii() and text.isprintable() and len(address) <= ADDRESS_MOST
    if not plain or not parsed.username or not parsed.domain:
        raise _wrong("MAIL_FROM", "is no address, nor `Name <address>`")
    return name, address
