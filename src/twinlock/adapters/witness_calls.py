"""Calls to witnesses: HTTP/1.1 over one kept connection for each, and nothing more.

A spend waits for these calls, so what they take is on the hot path: 0.1 ms of CPU each, where httpx
takes 1.0 (500 calls of each in turns, three times). The parser is the one under the server.

Always true (tests/unit/adapters/test_witnesses.py): an answer is read to its limit and for its time
only, no redirect is followed, and no URL stands in an error.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import NamedTuple, cast
from urllib.parse import urlsplit

import httptools

from twinlock.domain.errors import MalformedError, WitnessSilentError
from twinlock.domain.log.submission import MAX_ANSWER_BYTES, MAX_SUBMISSION_BYTES, origin_name
from twinlock.domain.log.trust import Witness
from twinlock.ports.log import (
    WitnessAnswer,
)

CALL_SECONDS = 2.0  # For an answer, connecting and all: less than a spend waits for its quorum.
IDLE_SECONDS = 30.0  # A connection is used again so long: less than a witness keeps it.
HEAD_BYTES_MOST = 16_384  # Of status and headers together with the body's limit.
HTTP_PORT, HTTPS_PORT = 80, 443


class Address(NamedTuple):
    """Where a witness listens; ``prefix`` has no slash at its end."""

    host: str
    port: int
    secure: bool
    prefix: str


def read_url(url: str) -> Address:
    """Return the address of a witness.

    Raises:
        MalformedError: not http:// or https://, a host, and a path; it quotes nothing.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    beside = parts.query or parts.fragment or parts.username or parts.password
    plain = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme not in ("http", "https") or not parts.hostname or beside or not plain:
        raise MalformedError("the URL of a witness is http:// or https://, a host, and a path")
    secure = parts.scheme == "https"
    usual = HTTPS_PORT if secure else HTTP_PORT
    return Address(parts.hostname, port or usual, secure, parts.path.rstrip("/"))


class _Connection(asyncio.Protocol):
    """One connection with one request in flight; ``heard`` is the number of bytes of its answer."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[WitnessAnswer] | None = None
        self._body = bytearray()
        self._most = 0
        self.heard = 0
        self.idle_since = 0.0

    @property
    def usable(self) -> bool:
        """Whether another request may be sent."""
        if self._transport is None or self._transport.is_closing():
            return False
        return self._loop.time() - self.idle_since < IDLE_SECONDS

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass.

    async def ask(self, request: bytes, *, most: int) -> WitnessAnswer:
        """Send a request and return the answer, whose body has at most ``most`` bytes."""
        self._parser = httptools.HttpResponseParser(self)
        self._answer = self._loop.create_future()
        self._body, self._most, self.heard = bytearray(), most, 0
        if self._transport is not None:
            self._transport.write(request)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        """Take in a part of the answer. Prevents: one without an end, or that nobody asked for."""
        if self._answer is None or self._answer.done():
            self.close()
            return
        self.heard += len(data)
        if self.heard > self._most + HEAD_BYTES_MOST:
            self._fail("too_large")
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail("unreachable")

    def on_body(self, part: bytes) -> None:
        """Take in a part of the body."""
        self._body += part
        if len(self._body) > self._most:
            self._fail("too_large")

    def on_message_complete(self) -> None:
        """Give the answer out; what comes behind it, unasked, ends the connection."""
        if self._answer is None or self._answer.done():
            self.close()
            return
        status = self._parser.get_status_code()
        if not self._parser.should_keep_alive():
            self.close()
        self.idle_since = self._loop.time()
        self._answer.set_result(WitnessAnswer(status=status, body=bytes(self._body)))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's form
        """Whoever waits is told."""
        self._transport = None
        self._fail("unreachable")

    def _fail(self, fault: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(WitnessSilentError(fault))
        self.close()

    def close(self) -> None:
        """Close the connection, if it is open."""
        if self._transport is not None:
            self._transport.abort()


class HttpWitnesses:
    """Calls witnesses by their names in the trust policy. Implements ``ports.WitnessCalls``.

    One call to each at a time.
    """

    def __init__(self, addresses: dict[str, Address], *, seconds: float) -> None:
        self._addresses = addresses
        self._seconds = seconds
        self._kept: dict[str, _Connection] = {}
        # Reading the authorities takes 40 ms.
        secure = any(address.secure for address in addresses.values())
        self._tls = ssl.create_default_context() if secure else None

    @classmethod
    @asynccontextmanager
    async def of(
        cls, witnesses: Iterable[Witness], *, seconds: float | None = None
    ) -> "AsyncIterator[HttpWitnesses]":
        """Call those of ``witnesses`` that have a URL; close the connections on leaving."""
        addresses = {one.name: read_url(one.url) for one in witnesses if one.url is not None}
        calls = cls(addresses, seconds=CALL_SECONDS if seconds is None else seconds)
        try:
            yield calls
        finally:
            for connection in calls._kept.values():
                connection.close()

    async def submit(self, witness: str, submission: bytes) -> WitnessAnswer:
        """Submit a checkpoint to a witness. Raises WitnessSilentError."""
        request = self._request(witness, "POST", "add-checkpoint", submission)
        return await self._call(witness, request, most=MAX_ANSWER_BYTES)

    async def shown(self, witness: str, origin: str) -> WitnessAnswer:
        """Return what a witness shows of the log ``origin``. Raises WitnessSilentError."""
        request = self._request(witness, "GET", f"{origin_name(origin)}/checkpoint")
        return await self._call(witness, request, most=MAX_SUBMISSION_BYTES)

    def _request(self, witness: str, method: str, path: str, body: bytes = b"") -> bytes:
        host, port, _, prefix = self._addresses[witness]
        named = f"[{host}]" if ":" in host else host
        head = (
            f"{method} {prefix}/{path} HTTP/1.1\r\nHost: {named}:{port}\r\n"
            f"User-Agent: twinlock\r\nAccept-Encoding: identity\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode("ascii") + body

    async def _call(self, witness: str, request: bytes, *, most: int) -> WitnessAnswer:
        try:
            async with asyncio.timeout(self._seconds):
                return await self._ask(witness, request, most=most)
        except TimeoutError as error:
            self._drop(witness)  # What it still says is no answer to what is asked next.
            raise WitnessSilentError("slow") from error
        except asyncio.CancelledError:
            self._drop(witness)
            raise
        except OSError as error:
            raise WitnessSilentError("unreachable") from error

    def _drop(self, witness: str) -> None:
        kept = self._kept.pop(witness, None)
        if kept is not None:
            kept.close()

    async def _ask(self, witness: str, request: bytes, *, most: int) -> WitnessAnswer:
        """Ask over the kept connection, and once more over a new one where it was closed."""
        kept = self._kept.get(witness)
        if kept is not None and kept.usable:
            try:
                return await kept.ask(request, most=most)
            except WitnessSilentError:
                if kept.heard:
                    raise
        self._drop(witness)
        host, port, secure, _ = self._addresses[witness]
        _, fresh = await asyncio.get_running_loop().create_connection(
            _Connection, host, port, ssl=self._tls if secure else None
        )
        self._kept[witness] = fresh
        return await fresh.ask(request, most=most)
