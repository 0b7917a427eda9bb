"""Messages to platforms' endpoints by HTTP, and nothing that an endpoint says back is trusted.

Always true (tests/integration/test_webhooks_post.py, on real servers):

* a name is resolved once for a connection, every address of the answer is judged, and the
  connection goes to a judged address, under the name's own certificate: whoever owns the name
  cannot lead it elsewhere between the judgement and the connection (DNS rebinding);
* no redirect is followed, no proxy of the environment is used, and nothing but the message goes
  along: no cookie, no credential;
* an attempt ends after ATTEMPT_SECONDS, however slowly the other side speaks, reads or resolves,
  and keeps at most some kilobytes of what it says; beyond those, and be they interim answers (1xx)
  without end, it is cut off.

Prevents: SSRF, and an endpoint that holds a process up or fills its memory.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import httpcore

from twinlock.domain.webhooks.endpoints import ENDPOINTS_MOST, Fault
from twinlock.domain.webhooks.targets import (
    Address,
    Reach,
    Target,
    WebhookUrlRefusedError,
    check_resolved,
    parse_url,
)
from twinlock.ports.webhooks import (
    Sendable,
    WebhookSession,
)

ATTEMPT_SECONDS = 10.0  # For a name, a connection and an answer; the standard suggests 15 to 30.
CONNECT_SECONDS = 3.0  # For one address: a second one is tried while there is time.
DRAIN_SECONDS = 0.5  # For a body that nobody reads: beyond, a new connection is cheaper.
DRAIN_BYTES_MOST = 4_096
# The system goes on looking up for half a minute after we gave up: three attempts of each endpoint.
THREADS = 4 * ENDPOINTS_MOST
RESPONSE_BYTES_MOST = 65_536  # Of an answer without its body; 100 headers have rarely 8 KB.
READ_BYTES_MOST = 8_192  # At once: reading so much of HTTP keeps nobody else waiting.
ADDRESSES_MOST = 16  # In one answer of a resolver; more is no way to be reached.
ADDRESSES_TRIED_MOST = 2
OK, NOT_OK = 200, 300
GONE, REDIRECTS = 410, range(300, 400)
USER_AGENT = "twinlock-webhooks/1"

Resolve: TypeAlias = Callable[[str], Awaitable[tuple[str, ...]]]
_REFUSED = "a name that leads to an address that may not be reached"


class UnresolvedError(Exception):
    """A name leads nowhere."""


class SystemResolver:
    """Asks the system's resolver, in threads of its own: no slow name keeps other work waiting."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="resolve")

    async def __call__(self, host: str) -> tuple[str, ...]:
        """Return the addresses of ``host``, in the system's order. Raises UnresolvedError."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._pool, _look_up, host)
        except (OSError, UnicodeError) as error:
            raise UnresolvedError from error
        return tuple(dict.fromkeys(found))


def _look_up(host: str) -> list[str]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class JudgedBackend(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were judged, whatever the name says a moment later."""

    def __init__(self, target: Target, reach: Reach, resolve: Resolve) -> None:
        self._target = target
        self._reach = reach
        self._resolve = resolve
        self._tcp = httpcore.AnyIOBackend()
        self._left = 0
        self.connected = 0

    def allow(self, size: int) -> None:
        """Let the other side say ``size`` bytes from now on."""
        self._left = size

    def hear(self, size: int) -> None:
        """Count bytes that came. Raises httpcore.ReadError: more than were allowed."""
        self._left -= size
        if self._left < 0:
            raise httpcore.ReadError("an answer is longer than it may be")

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the backend's protocol
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to one of the judged addresses of ``host``."""
        judged = self._judged(await self._resolve(host))
        failed: Exception = UnresolvedError()
        for address in judged[:ADDRESSES_TRIED_MOST]:
            try:
                stream = await self._tcp.connect_tcp(
                    str(address),
                    port,
                    timeout=timeout,
                    local_address=local_address,
                    socket_options=socket_options,
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
            else:
                self.connected += 1
                return _Bounded(stream, self)
        raise failed

    def _judged(self, found: tuple[str, ...]) -> list[Address]:
        """Return the addresses of a name, if all of them may be reached.

        Prevents: an answer that mixes a public address with a private one.
        """
        if len(found) > ADDRESSES_MOST:
            raise WebhookUrlRefusedError("a name with too many addresses")
        plain = self._target.plain
        return [check_resolved(text, reach=self._reach, plain=plain) for text in found]

    async def connect_unix_socket(
        self,
        path: str,  # noqa: ARG002 - the backend's protocol
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - the backend's protocol
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002 - the protocol's
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: no URL leads to a file."""
        raise WebhookUrlRefusedError("no URL leads to a file")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._tcp.sleep(seconds)


class _Bounded(httpcore.AsyncNetworkStream):
    """A connection that is read in small parts, and no further than its backend allows."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, backend: JudgedBackend) -> None:
        self._stream = stream
        self._backend = backend

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - the stream's protocol
        """Read some bytes. Raises httpcore.ReadError: there are more than may be."""
        data = await self._stream.read(min(max_bytes, READ_BYTES_MOST), timeout)
        self._backend.hear(len(data))
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the stream's protocol
        """Write all of ``buffer``."""
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the stream's protocol
    ) -> httpcore.AsyncNetworkStream:
        """Begin TLS."""
        stream = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        return _Bounded(stream, self._backend)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - the stream's protocol
        """Return what the connection below says of itself."""
        return self._stream.get_extra_info(info)


class _Session:
    """Connections to one endpoint, one at a time. Implements ``ports.WebhookSession``."""

    def __init__(
        self, target: Target, pool: httpcore.AsyncConnectionPool, backend: JudgedBackend
    ) -> None:
        self._target = target
        self._pool = pool
        self._backend = backend

    async def send(self, message: Sendable, headers: Mapping[str, str]) -> tuple[Fault | None, int]:
        """Return why the message was not taken, or None, and the status or 0.

        A connection that was kept and that the other side has closed meanwhile fails for nothing:
        the message is sent once more, on a new one.
        """
        self._backend.allow(RESPONSE_BYTES_MOST)
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                before = self._backend.connected
                try:
                    status = await self._send(message, headers)
                except (httpcore.NetworkError, httpcore.RemoteProtocolError):
                    if self._backend.connected != before:
                        raise
                    status = await self._send(message, headers)
        except FAULTY as error:
            return fault_of(error), 0
        return _judge(status), status

    async def _send(self, message: Sendable, headers: Mapping[str, str]) -> int:
        target = self._target
        sent = {
            "host": target.authority,
            "user-agent": USER_AGENT,
            "accept": "*/*",
            "accept-encoding": "identity",
            "content-type": "application/json",
            "content-length": str(len(message.body)),
            **headers,
        }
        async with self._pool.stream(
            "POST",
            httpcore.URL(
                scheme=target.scheme, host=target.host, port=target.port, target=target.path
            ),
            headers=[(name.encode("ascii"), value.encode("ascii")) for name, value in sent.items()],
            content=message.body,
            extensions={"timeout": {"connect": CONNECT_SECONDS}},
        ) as response:
            await _drain(response)
            return response.status


async def _drain(response: httpcore.Response) -> None:
    """Read a short body to its end, so that the connection can serve the next message.

    The answer is the status: whatever is wrong with the body costs the connection and nothing else.
    """
    size = 0
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            async for part in response.aiter_stream():
                size += len(part)
                if size > DRAIN_BYTES_MOST:
                    return
    except FAULTY:
        return


FAULTY = (
    WebhookUrlRefusedError,
    UnresolvedError,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    httpcore.ConnectionNotAvailable,
    ssl.SSLError,
    OSError,  # A time-out of ours is one.
)


def fault_of(error: BaseException) -> Fault:
    """Return what to call one of ``FAULTY``."""
    match error:
        case WebhookUrlRefusedError():
            return Fault.ADDRESS_REFUSED
        case UnresolvedError():
            return Fault.UNRESOLVED
        case httpcore.ConnectError():
            tls = isinstance(error.__context__ or error.__cause__, ssl.SSLError)
            return Fault.TLS_REFUSED if tls else Fault.UNREACHABLE
        case TimeoutError() | httpcore.TimeoutException():
            return Fault.TIMED_OUT
        case _:
            return Fault.CUT_OFF


def _judge(status: int) -> Fault | None:
    if OK <= status < NOT_OK:
        return None
    if status == GONE:
        return Fault.GONE
    return Fault.REDIRECTED if status in REDIRECTS else Fault.STATUS


class _RefusedSession:
    """What a URL gets that the settings do not allow any more."""

    async def send(
        self,
        message: Sendable,  # noqa: ARG002 - the port's
        headers: Mapping[str, str],  # noqa: ARG002 - the port's
    ) -> tuple[Fault | None, int]:
        """Send nothing."""
        return Fault.ADDRESS_REFUSED, 0


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """Return what TLS trusts: the system's certificates, and those of ``ca_file``."""
    if ca_file is None:
        return _trusting_the_system()
    trusted = ssl.create_default_context()
    trusted.load_verify_locations(ca_file)
    return trusted


@cache
def _trusting_the_system() -> ssl.SSLContext:
    """Read the system's certificates once for all that speak HTTP: it takes a twentieth second."""
    return ssl.create_default_context()


class HttpPost:
    """Endpoints by HTTP. Implements ``ports.WebhookPost``.

    ``ca_file`` holds certificates that are trusted beside the system's. ``resolve`` gives the
    addresses of a name.
    """

    def __init__(
        self, reach: Reach, *, ca_file: Path | None = None, resolve: Resolve | None = None
    ) -> None:
        self._reach = reach
        self._tls = trusting(ca_file)
        self._resolve = resolve or SystemResolver()

    @asynccontextmanager
    async def session(self, url: str) -> AsyncIterator[WebhookSession]:
        """Lend a session with the endpoint at ``url``; leaving it ends its connection."""
        try:
            target = parse_url(url, reach=self._reach)
        except WebhookUrlRefusedError:
            yield _RefusedSession()
            return
        backend = JudgedBackend(target, self._reach, self._resolve)
        async with httpcore.AsyncConnectionPool(
            ssl_context=self._tls,
            max_connections=1,
            network_backend=backend,
        ) as pool:
            yield _Session(target, pool, backend)
