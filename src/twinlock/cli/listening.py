"""HTTP for our programs: requests that arrive whole, soon, and with a head of bounded size.

The server reads a head of any length for as long as its sender likes, and takes time that grows
with the square of it. Prevents: one connection without a key that holds every freeze and veto of a
process up, and many that each send a byte now and then.
"""

import asyncio
import socket
from enum import Enum, auto
from typing import Any, NoReturn

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from twinlock.domain.errors import TwinlockError

HEAD_BYTES_MOST = 32_768  # A signed request has some 2 KB; other servers take 8 to 64 KB.
HEADERS_MOST = 100
# All of one request, with the framing of chunks and what comes after them; bodies are held to less.
REQUEST_BYTES_MOST = 4_194_304
REQUEST_SECONDS = 10.0  # From its first byte to its last, or until it has a first one.


class ListenRefusedError(TwinlockError):
    """The address to listen on is taken, or is none of this machine's."""

    code = "listen_refused"
    status = 503


def refuse_taken(host: str, port: int) -> None:
    """Tell of an address that is not ours, or somebody else's by now.

    Raises:
        ListenRefusedError: as it says.
    """
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            with socket.socket(family, kind, protocol) as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind(address)
    except OSError as error:
        raise ListenRefusedError(f"{host}:{port}: {error.strerror}") from error


class _TooLargeError(Exception):
    """This head is too large; the parser ends with it."""


class _At(Enum):
    """How far a request has arrived."""

    REST = auto()
    HEAD = auto()
    BODY = auto()


class BoundedProtocol(HttpToolsProtocol):
    """One connection. What is refused here is told in a line, and the connection is closed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the server's own
        super().__init__(*args, **kwargs)
        self._at = _At.REST
        self._bytes = 0
        self._too_large = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as the base has it
        """Give a new connection its time to ask for something."""
        super().connection_made(transport)
        self._begin_to_wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what arrived, unless it is too much of one request."""
        self._bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._at is not _At.BODY and self._bytes > HEAD_BYTES_MOST:
            self._refuse(431)
        elif self._bytes > REQUEST_BYTES_MOST:
            self._refuse(413)
        elif self._bytes:
            self._begin_to_wait()
        else:
            self._wait_no_more()

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._at = _At.HEAD
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a line of the head, or one after the last chunk."""
        if len(self.headers) >= HEADERS_MOST:
            self._give_up()
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Go on to the body, once the head is one that we take."""
        lines = sum([len(name) + len(value) for name, value in self.headers])
        if len(self.url) + lines > HEAD_BYTES_MOST:
            self._give_up()
        self._at = _At.BODY
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End a request: the next may come whenever it likes, within the server's own time."""
        self._at = _At.REST
        self._bytes = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Say what the parser refused; of a head that is too large, that it is."""
        if self._too_large:
            self._refuse(431)
        else:
            super().send_400_response(msg)

    def _give_up(self) -> NoReturn:
        self._too_large = True
        raise _TooLargeError

    def _refuse(self, status: int) -> None:
        close = b"content-length: 0\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[status] + close)
        self.transport.close()

    def _begin_to_wait(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(REQUEST_SECONDS, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
