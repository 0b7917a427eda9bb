"""The load generator: sends whole HTTP/1.1 requests over a fixed number of connections.

It runs as a process of its own, and does as little as it can while the clock runs: the requests
were made and signed before, each connection keeps one request in flight, and an answer is looked at
just enough to know that it was a signed yes.

usage: python -m bench.load PORT CONNECTIONS < requests

Standard input holds the requests, each after its length (4 bytes, big-endian); standard output gets
one JSON object, a ``Load``.
"""

import asyncio
import re
import sys
import time
from collections.abc import Iterable, Iterator
from typing import cast

import msgspec
import uvloop

HOST = "127.0.0.1"
LENGTH_BYTES = 4
_YES = (b'"answer":"allow"', b'"authorization":"ey')
_CREATED = b"HTTP/1.1 201 "
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)
GIVE_UP_SECONDS = 300.0


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What came back. ``refused`` counts answers other than a signed yes, ``first`` is one."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    cpu_seconds: float
    refused: int
    first: str = ""


class Feed:
    """The requests that are left, and what became of the others."""

    def __init__(self, requests: list[bytes], connections: int) -> None:
        self._left: Iterator[bytes] = iter(requests)
        self._open = connections
        self.done = asyncio.get_running_loop().create_future()
        self.latencies: list[float] = []
        self.refused = 0
        self.first = ""

    def next(self) -> bytes | None:
        """Return the next request, or None to a connection that is done."""
        found = next(self._left, None)
        if found is None:
            self._open -= 1
            if not self._open and not self.done.done():
                self.done.set_result(None)
        return found

    def answered(self, answer: bytes, *, seconds: float) -> None:
        """Count one answer."""
        self.latencies.append(seconds)
        if not answer.startswith(_CREATED) or any(part not in answer for part in _YES):
            self.refused += 1
            self.first = self.first or answer.decode("utf-8", "replace")

    def lost(self) -> None:
        """Give up: the server closed a connection."""
        if not self.done.done():
            self.done.set_exception(ConnectionError("the server closed a connection"))

    def broken(self, error: Exception) -> None:
        """Give up: an answer was not HTTP as we read it."""
        if not self.done.done():
            self.done.set_exception(error)


class Caller(asyncio.Protocol):
    """One connection with one request in flight."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._transport: asyncio.WriteTransport | None = None
        self._buffer = b""
        self._began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is no subclass.

    def send(self) -> None:
        """Send the next request, if there is one."""
        request = self._feed.next()
        if request is not None and self._transport is not None:
            self._began = time.perf_counter()
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Take in an answer, and send the next request after it."""
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        size = _LENGTH.search(self._buffer, 0, end + 2)
        if size is None:
            self._feed.broken(ConnectionError("an answer without a length"))
            return
        if len(self._buffer) < end + 4 + int(size[1]):
            return
        answer, self._buffer = self._buffer, b""
        self._feed.answered(answer, seconds=time.perf_counter() - self._began)
        self.send()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Tell the feed."""
        self._feed.lost()


async def run(port: int, connections: int, requests: list[bytes]) -> Load:
    """Send ``requests`` over ``connections`` and wait for every answer."""
    loop = asyncio.get_running_loop()
    feed = Feed(requests, connections)
    callers = [
        (await loop.create_connection(lambda: Caller(feed), HOST, port))[1]
        for _ in range(connections)
    ]
    cpu, began = time.process_time(), time.perf_counter()
    for caller in callers:
        caller.send()
    async with asyncio.timeout(GIVE_UP_SECONDS):
        await feed.done
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    latencies = sorted(feed.latencies)
    return Load(
        requests=len(latencies),
        seconds=seconds,
        p50_ms=1_000 * latencies[len(latencies) // 2],
        p99_ms=1_000 * latencies[len(latencies) * 99 // 100],
        cpu_seconds=cpu,
        refused=feed.refused,
        first=feed.first[:2_000],
    )


def frame(requests: Iterable[bytes]) -> bytes:
    """Return ``requests`` as this program reads them."""
    return b"".join(len(one).to_bytes(LENGTH_BYTES, "big") + one for one in requests)


def unframe(data: bytes) -> list[bytes]:
    """Return the requests that ``frame`` wrote."""
    requests, at = [], 0
    while at < len(data):
        start = at + LENGTH_BYTES
        at = start + int.from_bytes(data[at:start], "big")
        requests.append(data[start:at])
    return requests


def main() -> None:
    """Send what standard input holds."""
    port, connections = int(sys.argv[1]), int(sys.argv[2])
    found = uvloop.run(run(port, connections, unframe(sys.stdin.buffer.read())))
    sys.stdout.write(msgspec.json.encode(found).decode())


if __name__ == "__main__":
    main()
