"""``twinlock serve`` as a supervisor sees it: told to stop, it finishes what is in flight."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from support.browser import free_port
from support.postgres import TestDatabase
from support.store_process import SOURCES
from support.until import seen

from twinlock.adapters.settings import load
from twinlock.bootstrap.keys import make_keyring
from twinlock.bootstrap.rulebook import rule_book
from twinlock.bootstrap.serving import open_api
from twinlock.bootstrap.world import prepare
from twinlock.services.platform_keys import Scope

HOST = "127.0.0.1"
ONE = "1"
PATIENCE_SECONDS = 60.0  # For a process on a machine that is busy with other tests.
PROGRAM = "from twinlock.cli.main import main; main()"


@asynccontextmanager
async def served(environment: dict[str, str], port: int) -> AsyncIterator[Process]:
    """Run ``twinlock serve`` in a process of its own until it answers; it ends with the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        "serve",
        env={**os.environ, **environment, "PYTHONPATH": str(SOURCES)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await listens(port):
                assert process.returncode is None
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True


async def hears_nobody(port: int) -> bool:
    return not await listens(port)


async def said_to_a_head_without_an_end(port: int) -> bytes:
    """Return what is said; tests/unit/cli/test_listening.py has the other cases."""
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(b"GET /health/live HTTP/1.1\r\nX: " + b"a" * 40_000)
    said = await reader.read()
    writer.close()
    return said


def environment_of(
    database: TestDatabase, path: Path, port: int, *, workers: str
) -> dict[str, str]:
    return {
        "TWINLOCK_DATABASE_URL": database.app_dsn,
        "TWINLOCK_DATA_DIR": str(path / "data"),
        "TWINLOCK_KEYRING_DIR": str(path / "keys" / "ring"),
        "TWINLOCK_LISTEN": f"{HOST}:{port}",
        "TWINLOCK_WORKERS": workers,
    }


@pytest.mark.parametrize("workers", [ONE, "2"], ids=["one process", "two processes"])
async def test_a_request_in_flight_is_answered_after_sigterm_and_the_service_ends_well(
    database: TestDatabase, tmp_path: Path, workers: str
) -> None:
    with free_port() as bound:
        port = bound.getsockname()[1]
    environment = environment_of(database, tmp_path, port, workers=workers)
    settings = load(environment, as_root=False)
    make_keyring(settings)
    async with open_api(await prepare(settings), book=rule_book()) as api:
        key = await api.use.keys.create(
            scopes=tuple(Scope), networks=("127.0.0.0/8",), lifetime=timedelta(days=1)
        )
    body = b'{"channels":[]}'
    head = (
        f"POST /v1/accounts HTTP/1.1\r\nHost: localhost:{port}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nIdempotency-Key: in-flight-1\r\n"
        f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    )

    async with asyncio.timeout(PATIENCE_SECONDS * 2), served(environment, port) as process:
        assert (await said_to_a_head_without_an_end(port)).startswith(b"HTTP/1.1 431 ")
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(head.encode())
        begun = await reader.readuntil(b"\r\n\r\n")  # Somebody waits for our body now.
        process.send_signal(signal.SIGTERM)
        # Of several processes the first holds the socket until the last of them has ended.
        if workers == ONE:
            await seen(partial(hears_nobody, port))
        writer.write(body)
        answer = await reader.read()
        ended = await process.wait()
        writer.close()

    assert begun.startswith(b"HTTP/1.1 100")
    assert answer.startswith(b"HTTP/1.1 201")
    assert b'"account_id":"acc_' in answer
    assert ended == 0
    assert await database.value("SELECT count(*) FROM leaf") == 1


async def test_no_process_outlives_a_service_that_is_killed(
    database: TestDatabase, tmp_path: Path
) -> None:
    """Prevents: a service that somebody stops in an emergency, and that goes on deciding."""
    with free_port() as bound:
        port = bound.getsockname()[1]
    environment = environment_of(database, tmp_path, port, workers="2")
    make_keyring(load(environment, as_root=False))

    async with asyncio.timeout(PATIENCE_SECONDS * 2), served(environment, port) as process:
        assert (await said_to_a_head_without_an_end(port)).startswith(b"HTTP/1.1 431 ")
        process.kill()
        await process.wait()
        await seen(partial(hears_nobody, port))
