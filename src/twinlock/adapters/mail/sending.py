"""Mail to one server by SMTP, over connections that are kept.

Always true (tests/integration/test_mail_sending.py, on real servers):

* without a checked certificate nothing is said but EHLO and STARTTLS: no address, no password;
* a message goes to one recipient; what the server says of it is of that one alone;
* an attempt ends after ATTEMPT_SECONDS, however slowly the server speaks.

What is not known stays so: a connection that ends after the message and before its answer may have
been one more delivery. The message is sent again, as the same one: it has the same Message-ID.

Source: RFC 5321 (replies: 4.2.1, 4.5.4), RFC 3207 (STARTTLS), RFC 8314 (implicit TLS).
"""

import asyncio
import ssl
from dataclasses import dataclass

import aiosmtplib

from twinlock.adapters import private_files
from twinlock.adapters.mail.messages import message
from twinlock.adapters.mail.settings import IMPLICIT, STARTTLS, MailSettings
from twinlock.domain.contacts import ChannelAddressError, normal_email
from twinlock.domain.deliveries import Fate, Fault
from twinlock.domain.errors import FileUnsafeError
from twinlock.domain.letters import Letter
from twinlock.domain.wording import message_words

ATTEMPT_SECONDS = 20.0  # For a connection and a message: a code lives for ten minutes.
COMMAND_SECONDS = 10.0  # For one answer of the server. RFC 5321, 4.5.3.2 allows minutes.
IDLE_SECONDS = 20.0  # A kept connection that was idle for longer is not used: servers close them.
MESSAGES_MOST = 200  # Over one connection; many servers end it sooner or later.
PERMANENT = 500  # RFC 5321, 4.2.1: from here on the same message is not to be sent again.
CLOSING = 421


@dataclass(slots=True)
class _Line:
    """One connection: how many messages went over it, and when the last did."""

    client: aiosmtplib.SMTP
    sent: int = 0
    used_at: float = 0.0


class SmtpMail:
    """Letters by mail. Implements ``ports.notices.Carrier``."""

    def __init__(self, settings: MailSettings, *, host: str) -> None:
        self._settings = settings
        self._host = host
        self._tls = ssl.create_default_context()
        if settings.ca_file is not None:
            self._tls.load_verify_locations(settings.ca_file)
        self._idle: list[_Line] = []

    @property
    def lanes(self) -> int:
        """How many messages may be on their way at once."""
        return self._settings.connections

    async def send(self, letter: Letter) -> Fate:
        """Send one message; return what became of it."""
        try:
            to = normal_email(letter.address)
        except ChannelAddressError:
            return Fate(Fault.ADDRESS_REFUSED, final=True)
        data = message(
            letter, message_words(letter), sender=self._settings.sender, to=to, host=self._host
        )
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                fate, over = await self._attempt(to, data)
        except TimeoutError:
            return Fate(Fault.TIMED_OUT)
        # Behind the attempt's time. Prevents: a message that was taken, and is sent once more since
        # its server says goodbye slowly.
        if over is not None:
            await _end(over)
        return fate

    async def close(self) -> None:
        """End every kept connection."""
        while self._idle:
            await _end(self._idle.pop())

    async def _attempt(self, to: str, data: bytes) -> tuple[Fate, _Line | None]:
        """Send over a kept connection, or a new one where that has ended meanwhile.

        Return what became of it, and the connection where that is to be ended.
        """
        while True:
            line = self._kept()
            fresh = line is None
            if line is None:
                try:
                    line = await self._connected()
                except (aiosmtplib.SMTPException, FileUnsafeError, OSError) as error:
                    return Fate(_unreached(error), carrier=True), None
            try:
                fate, usable = await self._say(line, to, data)
            except BaseException:  # Its time is over.
                line.client.close()
                raise
            line.sent += 1
            line.used_at = asyncio.get_running_loop().time()
            # A kept connection that the server closed before it took the message has cost nothing.
            if fate.fault is Fault.CUT_OFF and not fate.begun and not fresh:
                line.client.close()
                continue
            if not usable or line.sent >= MESSAGES_MOST:
                return fate, line
            self._idle.append(line)
            return fate, None

    def _kept(self) -> _Line | None:
        now = asyncio.get_running_loop().time()
        while self._idle:
            line = self._idle.pop()
            if line.client.is_connected and now - line.used_at < IDLE_SECONDS:
                return line
            line.client.close()
        return None

    async def _connected(self) -> _Line:
        """Open a connection, secure it, and sign in.

        Raises:
            aiosmtplib.SMTPException, OSError: the server is not there, not the one, or refuses us.
            FileUnsafeError: the password's file is not there, or not ours alone.
        """
        settings = self._settings
        client = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            timeout=COMMAND_SECONDS,
            local_hostname=self._host,
            use_tls=settings.tls == IMPLICIT,
            start_tls=settings.tls == STARTTLS,
            tls_context=self._tls,
        )
        try:
            password = _password(settings)
            await client.connect()
            await client.ehlo()
            if password:
                await client.login(settings.user, password)
        except BaseException:
            client.close()
            raise
        return _Line(client)

    async def _say(self, line: _Line, to: str, data: bytes) -> tuple[Fate, bool]:
        """Say one message; return what became of it, and whether the connection is usable."""
        client, begun = line.client, False
        try:
            await client.mail(self._settings.sender[1])
            await client.rcpt(to)
            begun = True
            await client.data(data)
        except aiosmtplib.SMTPResponseException as error:
            usable = error.code != CLOSING and await _reset(client)
            return _answered(error), usable
        except aiosmtplib.SMTPTimeoutError:
            return Fate(Fault.TIMED_OUT, begun=begun), False
        except (aiosmtplib.SMTPException, OSError):
            return Fate(Fault.CUT_OFF, begun=begun), False
        return Fate(), True


def _answered(error: aiosmtplib.SMTPResponseException) -> Fate:
    """Return what a server's no means.

    Only a no to the recipient or to the message is final: one to the sender is about our settings,
    and every message waits for their repair.
    """
    about = isinstance(error, aiosmtplib.SMTPRecipientRefused | aiosmtplib.SMTPDataError)
    final = about and error.code >= PERMANENT
    return Fate(Fault.REFUSED if final else Fault.PUT_OFF, final=final, status=error.code)


def _unreached(error: Exception) -> Fault:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return Fault.TLS_REFUSED
        cause = cause.__cause__ or cause.__context__
    match error:
        case aiosmtplib.SMTPAuthenticationError() | FileUnsafeError():
            return Fault.SIGN_IN_REFUSED
        case aiosmtplib.SMTPTimeoutError() | TimeoutError():
            return Fault.TIMED_OUT
        case aiosmtplib.SMTPConnectResponseError() | aiosmtplib.SMTPHeloError():
            return Fault.PUT_OFF
        case aiosmtplib.SMTPServerDisconnected():
            return Fault.CUT_OFF
        case aiosmtplib.SMTPConnectError() | OSError():
            return Fault.UNREACHABLE
        case _:
            return Fault.TLS_REFUSED  # It offers no STARTTLS, or no way to sign in under it.


async def _reset(client: aiosmtplib.SMTP) -> bool:
    """Make the connection ready for another message; say whether it is."""
    try:
        await client.rset()
    except (aiosmtplib.SMTPException, OSError):
        return False
    return True


async def _end(line: _Line) -> None:
    try:
        await line.client.quit(timeout=1.0)
    except (aiosmtplib.SMTPException, OSError):
        pass
    finally:
        line.client.close()


def _password(settings: MailSettings) -> str:
    """Return the password in its file, or "". Raises FileUnsafeError."""
    if settings.password_file is None:
        return ""
    try:
        return private_files.read(settings.password_file).decode("utf-8").rstrip("\r\n")
    except (FileNotFoundError, UnicodeDecodeError) as error:
        raise FileUnsafeError("the mail password's file is not there, or no text") from error
