"""What our programs take of a connection: raw bytes against a real server on a socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from twinlock.cli import listening
from twinlock.cli.listening import (
    HEAD_BYTES_MOST,
    HEADERS_MOST,
    REQUEST_BYTES_MOST,
    BoundedProtocol,
)

HELLO = b"GET /hello HTTP/1.1\r\nHost: a\r\n"
END = b"\r\n"
PATIENCE_SECONDS = 10


async def echo(
    scope: Mapping[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Answer with the length of the path and of the body."""
    size, more = 0, True
    while more:
        part = await receive()
        size, more = size + len(part.get("body", b"")), part.get("more_body", False)
    answer = f"{len(scope['path'])} {size}".encode()
    head = [(b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": answer})


@asynccontextmanager
async def listening_on() -> AsyncIterator[int]:
    config = uvicorn.Config(
        echo,
        http=BoundedProtocol,
        lifespan="off",
        log_level="critical",
    )
    config.load()
    connection = partial(BoundedProtocol, config=config, server_state=ServerState(), app_state={})
    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()


async def answers(port: int, *pieces: bytes) -> bytes:
    """Send pieces, each by itself, and return all that comes until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            return await reader.read()
    except ConnectionError:
        return b"reset"
    finally:
        writer.close()


async def test_requests_go_through_one_after_the_other_and_pipelined() -> None:
    body = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    last = b"GET /abc HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    async with listening_on() as port:
        apart = await answers(port, HELLO + END, body[:40], body[40:], last)
        together = await answers(port, HELLO + END + body + last)

    for said in (apart, together):
        assert said.count(b"HTTP/1.1 200") == 3
        assert [part[-3:] for part in said.split(b"HTTP/1.1 200")[1:]] == [b"6 0", b"2 5", b"4 0"]


async def test_a_head_of_the_size_that_is_allowed_is_taken() -> None:
    line = b"X-Long: " + b"a" * (HEAD_BYTES_MOST - 200) + b"\r\nConnection: close\r\n"
    async with listening_on() as port:
        assert (await answers(port, HELLO + line + END)).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param((HELLO + b"X: ", *[b"a" * 16_000] * 4), id="a line without an end"),
        pytest.param((HELLO, b"X: " + b"a" * (HEAD_BYTES_MOST + 1) + END, END), id="a long line"),
        pytest.param(
            (HELLO + b"X: " + b"a" * (HEAD_BYTES_MOST + 1) + END + END,), id="a long line at once"
        ),
        pytest.param((HELLO + b"X: y\r\n" * (HEADERS_MOST + 1) + END,), id="many lines"),
        pytest.param((b"GET /", *[b"a" * 16_000] * 4), id="an address without an end"),
        pytest.param(
            (b"GET /" + b"a" * (HEAD_BYTES_MOST + 1) + b" HTTP/1.1\r\nHost: a\r\n\r\n",),
            id="a long address at once",
        ),
        pytest.param(tuple([b"\r\n" * 8_000] * 4), id="nothing but ends of lines"),
    ],
)
async def test_a_head_that_is_too_large_is_refused_and_the_connection_closed(
    pieces: tuple[bytes, ...],
) -> None:
    async with listening_on() as port:
        said = await answers(port, *pieces)
        after = await answers(port, HELLO + b"Connection: close\r\n" + END)

    assert said.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 ", b"reset")), said[:80]
    assert b"200" not in said
    assert after.startswith(b"HTTP/1.1 200")


async def test_too_large_a_head_is_told_as_that() -> None:
    async with listening_on() as port:
        said = await answers(port, HELLO + b"X: " + b"a" * HEAD_BYTES_MOST + END + END)

    assert said.startswith(b"HTTP/1.1 431 ")
    assert said.endswith(b"connection: close\r\n\r\n")


async def test_lines_after_the_last_chunk_are_counted_too() -> None:
    """Prevents: trailers without an end, which are kept beside a head that was checked."""
    chunked = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
    async with listening_on() as port:
        said = await answers(port, chunked, b"X: y\r\n" * HEADERS_MOST)
        endless = await answers(port, chunked, b"X: ", *[b"a" * 65_536] * 80)

    assert b"200" not in said
    assert b"200" not in endless


async def test_a_request_has_a_size_that_none_of_ours_reaches() -> None:
    head = b"POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: "
    async with listening_on() as port:
        most = b"%d\r\n\r\n" % (REQUEST_BYTES_MOST - 1_000)
        fits = await answers(port, head + most, b"a" * (REQUEST_BYTES_MOST - 1_000))
        more = b"%d\r\n\r\n" % (REQUEST_BYTES_MOST * 2)
        not_so = await answers(port, head + more, *[b"a" * 65_536] * 128)

    assert fits.startswith(b"HTTP/1.1 200")
    assert b"200" not in not_so


@pytest.mark.parametrize(
    "begun",
    [b"", HELLO, HELLO + b"Content-Length: 5\r\n\r\nhe", END],
    ids=["nothing", "a head", "a body", "an empty line"],
)
async def test_what_does_not_arrive_whole_in_time_is_closed(
    monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    """Prevents: connections that send a byte now and then, until there is room for none."""
    monkeypatch.setattr(listening, "REQUEST_SECONDS", 0.2)
    async with listening_on() as port:
        assert b"200" not in await answers(port, begun)


async def test_whoever_sends_whole_requests_is_not_hurried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listening, "REQUEST_SECONDS", 0.2)
    async with listening_on() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(HELLO + END)
            assert (await reader.readuntil(b"6 0")).startswith(b"HTTP/1.1 200")
            with suppress(TimeoutError):
                async with asyncio.timeout(0.3):
                    assert await reader.read(1)  # It says nothing and closes nothing.
        writer.close()
