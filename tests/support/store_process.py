"""One process of the application, as far as the store sees it: started, asked, stopped or killed.

usage: python -m support.store_process SOCKET (number of one that asks for processes)

Each is forked from one that has the application loaded, which takes a second of CPU. It does what
the ``mode`` of its ``Config`` says and prints one JSON line for each thing that happened, each with
one write, so that what was printed before a kill can be read after it.
"""

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace
from support.stores import (
    PLATFORM,
    Customer,
    idempotency,
    new_action,
    open_store,
    opening,
    spend,
    spending,
    touching,
    withdrawal,
)

from twinlock.adapters.keyring.ring import load as load_keyring
from twinlock.adapters.sql.connections import Database
from twinlock.adapters.sql.store import SqlStore
from twinlock.adapters.system import SystemClock
from twinlock.domain.account import ActionUnknownError, State
from twinlock.domain.decisions import Decided
from twinlock.domain.errors import TwinlockError, UnavailableError
from twinlock.domain.events import ActionSpent
from twinlock.domain.ids import ActionId
from twinlock.ports import (
    Committed,
    Work,
)
from twinlock.services.spending import Spending, Spends

TESTS = Path(__file__).resolve().parents[1]
SOURCES = TESTS.parent / "src"
START_SECONDS = 60.0  # For a process on a machine that is busy with other tests.
CONFIG_BYTES_MOST = 100_000
FILES = 2  # Its input and its output.
BACK_OFF_SECONDS = 0.02  # As a platform's server would, while the database is down.


class Asked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request of a race."""

    what: str  # "withdraw", "open", or "spend" by the service
    customer: Customer
    action_id: str = ""
    key: str = ""
    body: str = "body"
    spend_id: str = "spend-00001"


class Config(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a process does. ``connections`` are requests at once; ``seed`` of the customers' order.

    ``race`` runs ``asked`` at once when a line arrives; ``hammer`` withdraws and spends until its
    input ends; ``stop_in_decide`` and ``stop_with_head`` stop dead inside a transaction.
    """

    mode: str
    dsn: str
    keyring_dir: str
    customers: tuple[Customer, ...] = ()
    asked: tuple[Asked, ...] = ()
    connections: int = 8
    seed: int = 0


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened: ``ready``, ``asked``, ``proposed``, ``spent``, ``failed`` …"""

    what: str
    key: str = ""
    action_id: str = ""
    account_id: str = ""
    index: int = -1
    code: str = ""


# --- In the process ---


def tell(what: str, **details: Any) -> None:  # noqa: ANN401 - the fields of Told
    os.write(1, msgspec.json.encode(Told(what=what, **details)) + b"\n")


def work_of(asked: Asked) -> Work:
    key = idempotency(asked.key, asked.body)
    if asked.what == "open":
        return opening(asked.customer, now=SystemClock().now(), key=key)
    return withdrawal(asked.customer, ActionId(asked.action_id), key=key)


async def race(store: SqlStore, config: Config) -> None:
    spends = spending(store, load_keyring(Path(config.keyring_dir)), SystemClock())
    tell("ready")
    await asyncio.to_thread(sys.stdin.readline)
    await asyncio.gather(*(_run(store, spends, one) for one in config.asked))


async def _run(store: SqlStore, spends: Spends, asked: Asked) -> None:
    try:
        if asked.what == "spend":
            await _spend_by_service(spends, asked)
            return
        committed = await store.run(work_of(asked))
    except TwinlockError as error:
        tell("failed", key=asked.key, action_id=asked.action_id, code=error.code)
        return
    if committed.decided is None:
        tell("repeated", key=asked.key, action_id=committed.repeated)
        return
    tell(
        "allowed" if committed.answer.answer == "allow" else "stopped",
        key=asked.key,
        action_id=asked.action_id or asked.customer.account_id,
        index=committed.indexes[-1],
    )


async def _spend_by_service(spends: Spends, asked: Asked) -> None:
    answered = await spends.spend(
        ActionId(asked.action_id), Spending(spend_id=asked.spend_id), actor=PLATFORM
    )
    what = "allowed" if answered.authorization else "stopped"
    tell(
        what, action_id=answered.action_id, code=answered.authorization, index=answered.index or -1
    )


async def hammer(store: SqlStore, config: Config) -> None:
    """Withdraw and spend on every connection until the input ends; then finish what is begun."""
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    order = random.Random(config.seed)  # noqa: S311 - which customer is next is no secret

    async def connection() -> None:
        while not ended.done():
            await withdraw_and_spend(store, order.choice(config.customers))

    tell("ready")
    await asyncio.gather(*(connection() for _ in range(config.connections)))


async def withdraw_and_spend(store: SqlStore, customer: Customer) -> None:
    action = new_action(customer)
    key = f"key-{action}"
    tell("asked", key=key, action_id=action, account_id=customer.account_id)
    work = withdrawal(customer, action, key=idempotency(key))
    committed = await _until_answered(lambda: store.run(work))
    index = committed.indexes[-1] if committed.decided is not None else -1
    tell("proposed", key=key, action_id=action, account_id=customer.account_id, index=index)
    await _until_answered(lambda: _spend(store, customer, action))


async def _spend(store: SqlStore, customer: Customer, action: ActionId) -> None:
    """Spend as the service does: of an action that is over, what became of it is the answer."""
    try:
        committed = await store.run(spend(customer, action, spend_id=f"spend-{action}"))
    except ActionUnknownError:
        closed = await store.closed_action(action)
        assert closed is not None, "an action that was proposed is open or over"
        tell("spent" if isinstance(closed.ended, ActionSpent) else "refused", action_id=action)
        return
    spent = any(isinstance(one, ActionSpent) for one in committed.answer.events)
    tell("spent" if spent else "stopped", action_id=action, index=committed.indexes[-1])


async def _until_answered(ask: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401 - as asked
    while True:
        try:
            return await ask()
        except UnavailableError:
            tell("unavailable")
            await asyncio.sleep(BACK_OFF_SECONDS)


async def stop_in_decide(store: SqlStore, config: Config) -> None:
    """Stop while the lock of the first customer's account is held; go on when continued."""
    work = touching(config.customers[0])
    stopped = False

    def decide(state: State, now: datetime) -> Decided:
        nonlocal stopped
        if not stopped:
            stopped = True
            tell("holding")
            os.kill(os.getpid(), signal.SIGSTOP)
        return work.decide(state, now)

    stopping = replace(work, decide=decide)
    committed: Committed = await _until_answered(lambda: store.run(stopping))
    tell("allowed", index=committed.indexes[-1])


async def stop_with_head(config: Config) -> None:
    """Stop while the head row is held, as between two statements of a batch."""
    async with Database.open(config.dsn) as database:
        connection = await database.writer()
        await connection.execute("BEGIN")
        await connection.fetch("SELECT 1 FROM head WHERE cell = 1 FOR UPDATE")
        tell("holding")
        os.kill(os.getpid(), signal.SIGSTOP)
        connection.terminate()


async def main(config: Config) -> None:
    if config.mode == "stop_with_head":
        await stop_with_head(config)
        return
    modes = {"race": race, "hammer": hammer, "stop_in_decide": stop_in_decide}
    keyring = load_keyring(Path(config.keyring_dir))
    async with AsyncExitStack() as stack:
        store = await _until_answered(
            lambda: stack.enter_async_context(open_store(config.dsn, keyring, SystemClock()))
        )
        await modes[config.mode](store, config)
    tell("done")


def become_process(control: socket.socket) -> Config:
    """Fork for each request: return in the new process what it shall do; end when no more come."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # Nobody here asks how they ended.
    while True:
        asked, files, _, _ = socket.recv_fds(control, CONFIG_BYTES_MOST, FILES)
        if not asked:
            sys.exit()
        if pid := os.fork():
            for file in files:
                os.close(file)
            control.send(str(pid).encode())
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        control.close()
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        return msgspec.json.decode(asked, type=Config)


# --- In the test ---


@cache
def _loaded() -> tuple[socket.socket, object]:
    """Return where processes are asked for, and what makes them: it ends with this process.

    Their lines are not counted: others run the same.
    """
    control, its = socket.socketpair(type=socket.SOCK_SEQPACKET)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    path = os.pathsep.join([str(SOURCES), str(TESTS)])
    with its:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "support.store_process", str(its.fileno())],
            env={**inherited, "PYTHONPATH": path},
            pass_fds=[its.fileno()],
            stdin=subprocess.DEVNULL,
        )
    return control, process


def _fork(config: Config, *files: int) -> int:
    """Start a process with this input and output; return its number."""
    control, _ = _loaded()
    socket.send_fds(control, [msgspec.json.encode(config)], files)
    return int(control.recv(16))


class StoreProcess:
    """A process that was started, and what it has told so far."""

    def __init__(self, pid: int, *, asks: int, tells: asyncio.StreamReader) -> None:
        self._itself, self._asks, self._tells = os.pidfd_open(pid), asks, tells
        self.told: list[Told] = []
        self._changed = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for line in self._tells:
            self.told.append(msgspec.json.decode(line, type=Told))
            async with self._changed:
                self._changed.notify_all()
        async with self._changed:
            self._changed.notify_all()

    async def until(self, what: str, count: int = 1) -> None:
        """Wait until ``what`` was told ``count`` times."""
        async with asyncio.timeout(START_SECONDS), self._changed:
            await self._changed.wait_for(lambda: self.count(what) >= count or self._reading.done())
        assert self.count(what) >= count, f"the process ended before it told {what}"

    def count(self, what: str) -> int:
        """Return how often ``what`` was told."""
        return sum(one.what == what for one in self.told)

    def go(self) -> None:
        """Give the starting signal."""
        os.write(self._asks, b"go\n")

    def send(self, number: signal.Signals) -> None:
        """Send a signal; of one that has ended it is no matter."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._itself, number)

    async def end(self) -> list[Told]:
        """End its input, wait until it ends, and return everything it told."""
        self._close()
        return await self.ended()

    def _close(self) -> None:
        if self._asks >= 0:
            os.close(self._asks)
            self._asks = -1

    async def kill(self) -> list[Told]:
        """Kill it, and return everything it had told."""
        self.send(signal.SIGKILL)
        return await self.ended()

    async def ended(self) -> list[Told]:
        """Return everything it told, once it has ended."""
        gone, loop = asyncio.Event(), asyncio.get_running_loop()
        loop.add_reader(self._itself, gone.set)
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._reading
                await gone.wait()
        finally:
            loop.remove_reader(self._itself)
        return self.told

    async def leave(self) -> None:
        """Kill it unless it has ended, and keep nothing of it."""
        try:
            await self.kill()
        finally:
            self._close()
            os.close(self._itself)


@asynccontextmanager
async def store_process(config: Config) -> AsyncIterator[StoreProcess]:
    """Start a process; it does not outlive the block."""
    (its_input, asks), (told, its_output) = os.pipe(), os.pipe()
    pid = await asyncio.to_thread(_fork, config, its_input, its_output)
    for one in (its_input, its_output):
        os.close(one)
    tells = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(tells), os.fdopen(told, "rb")
    )
    running = StoreProcess(pid, asks=asks, tells=tells)
    try:
        yield running
    finally:
        await running.leave()
        transport.close()


if __name__ == "__main__":
    asyncio.run(main(become_process(socket.socket(fileno=int(sys.argv[1])))))
