"""Witnesses for tests: real ones as processes, and one that says whatever it is told."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import httpx
from support.commands import environment, free_port

from twinlock.domain.log.note import VerifierKey
from twinlock.domain.log.submission import origin_name
from twinlock.witness.ledger import Ledger, make_witness

SOON_SECONDS = 30
HOST = "127.0.0.1"


@dataclass
class RealWitness:
    """A witness in a process of its own, which a test stops, kills, and starts again."""

    directory: Path
    name: str
    port: int = field(default_factory=free_port)
    process: asyncio.subprocess.Process | None = None

    def __post_init__(self) -> None:
        self.key = make_witness(self.directory, name=self.name).key
        self.clock = self.directory / "clock"
        self.clock.write_text("", "ascii")

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def watch(self, *keys: VerifierKey) -> None:
        Ledger.open(self.directory).add_log(keys, beginning=None)

    def set_clock(self, at: datetime) -> None:
        draft = self.clock.with_suffix(".new")
        draft.write_text(at.isoformat(), "ascii")
        draft.replace(self.clock)

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "support.witness_program",
            str(self.directory),
            str(self.port),
            str(self.clock),
            env=environment({}),
        )
        async with asyncio.timeout(SOON_SECONDS):
            while not await self.healthy():
                assert self.process.returncode is None
                await asyncio.sleep(0.05)

    async def healthy(self) -> bool:
        async with httpx.AsyncClient() as http:
            try:
                return (await http.get(f"{self.url}/healthz")).is_success
            except httpx.TransportError:
                return False

    async def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        if self.process is None:
            return 0
        if self.process.returncode is None:
            self.process.send_signal(how)
        code, self.process = await self.process.wait(), None
        return code

    async def shown(self, origin: str) -> bytes:
        async with httpx.AsyncClient() as http:
            answer = await http.get(f"{self.url}/{origin_name(origin)}/checkpoint")
            return answer.content if answer.is_success else b""


@asynccontextmanager
async def running(*witnesses: RealWitness) -> AsyncIterator[None]:
    """Run witnesses until the end of the block."""
    try:
        await asyncio.gather(*(one.start() for one in witnesses))
        yield
    finally:
        for one in witnesses:
            await one.end(signal.SIGKILL)


Said = Callable[[bytes, bytes], Awaitable[bytes]]
"""From the request's first line and its body to the whole answer, status line and all."""


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[str]:
    """Let ``handler`` have each connection until the end of the block; give the URL."""
    handling: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handling.add(task)
        try:
            await handler(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, HOST, 0)
    try:
        yield f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in handling:
            task.cancel()
        await asyncio.gather(*handling, return_exceptions=True)


@asynccontextmanager
async def saying(said: Said) -> AsyncIterator[str]:
    """Listen like a witness, and answer whatever ``said`` returns; give the URL."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (
                    int(line.split(b":")[1])
                    for line in head.lower().split(b"\r\n")
                    if line.startswith(b"content-length:")
                ),
                0,
            )
            body = await reader.readexactly(length)
            writer.write(await said(head.partition(b"\r\n")[0], body))
            await writer.drain()

    async with listening(answer) as url:
        yield url


def whole(status: int, body: bytes, media_type: str = "text/plain") -> bytes:
    """Return an answer with its length."""
    head = f"HTTP/1.1 {status} Said\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body
