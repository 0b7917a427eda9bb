"""The program ``twinlock`` as people start it: processes of their own, with an environment."""

import asyncio
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile

import httpx

SOON_SECONDS = 30  # A start takes two on a quiet machine.


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return what a shell would give the program: paths, and these settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "PYTHONPATH": os.pathsep.join(sys.path), **settings}


def _measured() -> dict[str, str]:
    """Return what counts lines: of commands alone, since what serves would start half as fast."""
    return {name: value for name, value in os.environ.items() if name.startswith("COV")}


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What a command left."""

    code: int
    out: str = field(repr=False)
    err: str


async def run(settings: Mapping[str, str], *words: str) -> Ended:
    """Run one command to its end, in a process of its own that has the program loaded."""
    return await asyncio.to_thread(_forked, settings, words)


def _forked(settings: Mapping[str, str], words: tuple[str, ...]) -> Ended:
    request = {
        "directory": str(Path.cwd()),
        "environment": environment(settings),
        "words": words,
    }
    told, tells = os.pipe()
    with TemporaryFile() as asked, TemporaryFile() as out, TemporaryFile() as err:
        asked.write(json.dumps(request).encode())
        asked.seek(0)
        try:
            _Loaded.the().fork(asked.fileno(), out.fileno(), err.fileno(), tells)
            os.close(tells)
            if not select.select([told], [], [], SOON_SECONDS)[0]:
                raise TimeoutError(words)
            code = int(os.read(told, 16))
        finally:
            os.close(told)
        out.seek(0)
        err.seek(0)
        return Ended(code=code, out=out.read().decode(), err=err.read().decode())


class _Loaded:
    """The program in memory; it ends with this process, whose end it hears."""

    _first = threading.Lock()

    def __init__(self, measured: Mapping[str, str]) -> None:
        self._one_at_a_time = threading.Lock()
        self._control, its = socket.socketpair()
        with its:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-m", "support.loaded_program", str(its.fileno())],
                env=environment(measured),
                pass_fds=[its.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        assert self._control.recv(1), "it could not be loaded"

    @classmethod
    def the(cls) -> "_Loaded":
        """Return the one of this process, once it is loaded; of tests that are counted another."""
        with cls._first:
            return _loaded(counted="COVERAGE_PROCESS_CONFIG" in os.environ)

    def fork(self, *files: int) -> None:
        """Start a command, with the files that it is asked and answers by."""
        with self._one_at_a_time:
            socket.send_fds(self._control, [b"!"], files)


@cache
def _loaded(*, counted: bool) -> _Loaded:
    return _Loaded(_measured() if counted else {})


async def start(settings: Mapping[str, str], *words: str) -> Ended:
    """Run one command to its end, started from nothing as a shell starts it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "twinlock",
        *words,
        env=environment(settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(SOON_SECONDS):
        out, err = await process.communicate()
    return Ended(code=process.returncode or 0, out=out.decode(), err=err.decode())


def alive(pid: int) -> bool:
    """Say whether a process lives; the zombie of a killed parent does not."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text("ascii")
    except (FileNotFoundError, ProcessLookupError):
        return False


def children_of(pid: int) -> list[int]:
    """Return the Python processes that a process has started, but for multiprocessing's own."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return [
        int(child)
        for child in children.read_text("ascii").split()
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


async def until(holds: Callable[[], object]) -> None:
    """Return once ``holds``."""
    while not holds():  # noqa: ASYNC110 - what other processes do sets no event of ours
        await asyncio.sleep(0.01)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


class Serving:
    """``twinlock serve`` that answers."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.url = f"http://127.0.0.1:{port}"

    async def ready(self) -> bool:
        """Ask over a connection of its own whether it is ready."""
        async with httpx.AsyncClient(timeout=4) as http:  # A stopped worker is killed after five.
            try:
                return (await http.get(f"{self.url}/health/ready")).is_success
            except httpx.TransportError:
                return False

    def workers(self) -> list[int]:
        """Return the processes that serve: children of the first, but for multiprocessing's own."""
        return children_of(self.process.pid)

    async def end(self) -> tuple[int, str]:
        """Ask it to end; return its exit code and what it said on stderr."""
        self.process.send_signal(signal.SIGTERM)
        _, err = await self.process.communicate()
        return self.process.returncode or 0, err.decode()


@asynccontextmanager
async def serve(settings: Mapping[str, str], *, port: int) -> AsyncIterator[Serving]:
    """Run ``twinlock serve`` until the end of the block, once it is ready."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "twinlock",
        "serve",
        env=environment({**settings, "TWINLOCK_LISTEN": f"127.0.0.1:{port}"}),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    serving = Serving(process, port)
    try:
        async with asyncio.timeout(SOON_SECONDS):
            while not await serving.ready():
                assert process.returncode is None
                await asyncio.sleep(0.05)
        yield serving
    finally:
        if process.returncode is None:
            process.terminate()
            await process.communicate()
