"""One process that sends webhooks, as ``serve`` does it: started, and killed.

usage: python -m support.webhook_process CONFIG (JSON of ``Config``)

It takes looks and turns until it is killed, and prints a line when it begins.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from prometheus_client import CollectorRegistry

from twinlock.adapters.boxes import Sealer
from twinlock.adapters.keyring.ring import load as load_keyring
from twinlock.adapters.settings import load as load_settings
from twinlock.adapters.sql.store import SqlStore
from twinlock.adapters.system import SystemClock, SystemEntropy
from twinlock.adapters.webhooks.pumps import delivering

TESTS = Path(__file__).resolve().parents[1]
START_SECONDS = 60.0  # On a machine that is busy with other tests.


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Where the store is."""

    dsn: str
    keyring_dir: str


async def main(config: Config) -> None:
    """Send until the end of the input."""
    clock = SystemClock()
    sealer = Sealer(load_keyring(Path(config.keyring_dir)))
    settings = load_settings({"TWINLOCK_WEBHOOK_PLAIN_LOOPBACK": "yes"})
    async with (
        SqlStore.connect(config.dsn, sealer=sealer, entropy=SystemEntropy(), clock=clock) as store,
        delivering(store, settings, clock=clock, registry=CollectorRegistry()),
    ):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


class WebhookProcess:
    """A running process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def send(self, number: signal.Signals) -> None:
        """Send a signal; after one that kills, return once it is dead."""
        self._process.send_signal(number)
        if number is signal.SIGKILL:
            await self._process.wait()


@asynccontextmanager
async def webhook_process(config: Config) -> AsyncIterator[WebhookProcess]:
    """Start a process that sends; it does not outlive the block."""
    path = os.pathsep.join([str(TESTS.parent / "src"), str(TESTS)])
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "support.webhook_process",
        msgspec.json.encode(config).decode("utf-8"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_SECONDS):
            assert await process.stdout.readline() == b"ready\n"
        yield WebhookProcess(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        process.stdin.close()


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(sys.argv[1], type=Config)))
