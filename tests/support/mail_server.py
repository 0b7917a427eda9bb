"""Mail servers for tests: a real one (aiosmtpd) on loopback, which a test can also make misbehave.

``says`` are what it answers, in order, to the command they are named for; once they are used up it
takes everything. ``hangs`` and ``cuts`` name commands at which it never answers, or hangs up.
"""

import asyncio
import email
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP as STRICT
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

HOST = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Mail:
    """One message as the server took it."""

    sender: str
    to: tuple[str, ...]
    data: bytes
    tls: bool
    user: str

    @property
    def message(self) -> EmailMessage:
        """Return it as a mail program reads it."""
        return email.message_from_bytes(self.data, policy=STRICT)

    @property
    def text(self) -> str:
        """Return its plain text."""
        body = self.message.get_body(("plain",))
        assert body is not None
        return cast("str", body.get_content())

    @property
    def html(self) -> str:
        """Return its HTML."""
        body = self.message.get_body(("html",))
        assert body is not None
        return cast("str", body.get_content())


@dataclass(kw_only=True)
class MailServer:
    """What a server took, and what it says."""

    tls: ssl.SSLContext | None = None
    implicit: bool = False
    users: dict[str, str] = field(default_factory=dict)
    mails: list[Mail] = field(default_factory=list)
    says: dict[str, list[str]] = field(default_factory=dict)
    hangs: set[str] = field(default_factory=set)
    cuts: set[str] = field(default_factory=set)
    connections: int = 0
    ended: int = 0  # connections
    refused_users: int = 0
    port: int = 0
    live: list["_Protocol"] = field(default_factory=list)

    @property
    def server(self) -> str:
        return f"{HOST}:{self.port}"

    async def answer(self, command: str, protocol: SMTP) -> str | None:
        """Return what a test wants said to ``command``, or None."""
        if command in self.hangs:
            await asyncio.Event().wait()
        if command in self.cuts:
            _abort(protocol)
            return "421 gone"
        said = self.says.get(command)
        return said.pop(0) if said else None

    def hang_up(self) -> None:
        """Close every connection, as a server does that restarts."""
        for one in self.live:
            _abort(one)

    # --- aiosmtpd's hooks ---

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, _: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        said = await self.answer("EHLO", server)
        return [said] if said else responses

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, _: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        said = await self.answer("MAIL", server)
        if said is None:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return said or "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, _: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        said = await self.answer("RCPT", server)
        if said is None:
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
        return said or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        said = await self.answer("DATA", server)
        if said is not None and not said.startswith("taken "):
            return said
        self.mails.append(
            Mail(
                sender=envelope.mail_from or "",
                to=tuple(envelope.rcpt_tos),
                data=envelope.content if isinstance(envelope.content, bytes) else b"",
                tls=session.ssl is not None or self.implicit,
                user=_user(session),
            )
        )
        if said is not None:  # It was taken, and the answer never arrives.
            _abort(server)
        return "250 OK"

    async def handle_QUIT(self, server: SMTP, _: Session, __: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        return await self.answer("QUIT", server) or "221 Bye"

    def sign_in(self, _: SMTP, __: Session, ___: Envelope, ____: str, data: object) -> AuthResult:
        """Take the users of ``users``."""
        right = isinstance(data, LoginPassword) and (
            self.users.get(data.login.decode()) == data.password.decode()
        )
        self.refused_users += not right
        return AuthResult(success=right, handled=right, auth_data=data)


def _abort(protocol: SMTP) -> None:
    transport: Any = protocol.transport  # asyncio's or uvloop's; both can.
    if transport is not None:
        transport.abort()


def _user(session: Session) -> str:
    found: Any = session.auth_data
    return found.login.decode() if isinstance(found, LoginPassword) else ""


class _Protocol(SMTP):
    """aiosmtpd's own, which tells the test's server of its connections."""

    def __init__(self, server: MailServer, **options: Any) -> None:  # noqa: ANN401 - aiosmtpd's
        super().__init__(server, **options)
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self not in self._server.live:  # After STARTTLS it is made once more.
            self._server.connections += 1
            self._server.live.append(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._server.ended += 1
        super().connection_lost(error)


@asynccontextmanager
async def mail_server(
    *,
    tls: ssl.SSLContext | None = None,
    implicit: bool = False,
    users: dict[str, str] | None = None,
    port: int = 0,
) -> AsyncIterator[MailServer]:
    """Run a mail server on loopback until the block ends."""
    server = MailServer(tls=tls, implicit=implicit, users=users or {})
    loop = asyncio.get_running_loop()

    def protocol() -> Any:  # noqa: ANN401 - aiosmtpd is not typed so far
        with warnings.catch_warnings():  # It does not know that all of this lies within TLS.
            warnings.simplefilter("ignore")
            return _Protocol(
                server,
                hostname="mail.test",
                tls_context=None if implicit else tls,
                require_starttls=tls is not None and not implicit,
                authenticator=server.sign_in if server.users else None,
                auth_require_tls=not implicit,
                auth_required=bool(server.users),
                loop=loop,
            )

    listening = await loop.create_server(
        protocol, host=HOST, port=port, ssl=tls if implicit else None
    )
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        server.hang_up()
        await asyncio.sleep(0)
        await listening.wait_closed()
