"""The crew of an audit: processes of our own, each with a connection and a share of the parts.

A member that dies, of too little memory perhaps, ends the audit: nothing is taken for checked that
nobody has checked. Each listens to a pipe, and ends when its other end is closed: by whoever hired
them, or by the system when that process is killed.
"""

import asyncio
import gc
import os
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection, wait

from twinlock.domain.audit.parts import Checked, Part
from twinlock.domain.errors import TwinlockError
from twinlock.ports.audit import AuditTask


class AuditCutOffError(TwinlockError):
    """A process of the audit was killed, so not all was checked: look for what took its memory."""

    code = "audit_cut_off"
    status = 503


class ProcessCrew:
    """Members in processes of their own. Implements ``ports.AuditCrew``."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    @classmethod
    @contextmanager
    def of(cls, task: AuditTask, *, jobs: int) -> Iterator["ProcessCrew"]:
        """Hire ``jobs`` members; on leaving they end at once, whatever they are at."""
        listening, speaking = Pipe(duplex=False)
        pool = ProcessPoolExecutor(
            jobs,
            # A fork would share our threads' locks and the database's connection.
            mp_context=get_context("spawn"),
            initializer=_begin,
            initargs=(task, listening),
        )
        try:
            yield cls(pool)
        finally:
            speaking.close()
            pool.shutdown(wait=True, cancel_futures=True)
            listening.close()

    async def check(self, parts: Sequence[Part]) -> AsyncIterator[Checked]:
        """Yield what was checked of each part, in the order in which they are done.

        Raises:
            AuditCutOffError: a member was killed.
            UnavailableError: the database stopped to answer one.
        """
        loop = asyncio.get_running_loop()
        with _unheard_by_children():
            asked = [loop.run_in_executor(self._pool, _check, part) for part in parts]
        try:
            for done in asyncio.as_completed(asked):
                yield await done
        except BrokenProcessPool as error:
            raise AuditCutOffError("a process of the audit was killed, or did not start") from error
        finally:
            for one in asked:
                one.cancel()


@contextmanager
def _unheard_by_children() -> Iterator[None]:
    """Have processes that start meanwhile deaf to what is typed to interrupt us; we hear it after.

    Prevents: a traceback of each, which was interrupted while it was being started.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# --- In each process ---


@dataclass(frozen=True, slots=True)
class _Member:
    """What one process of the crew holds as long as it lives."""

    loop: asyncio.AbstractEventLoop
    check: Callable[[Part], Awaitable[Checked]]
    opened: AsyncExitStack


_MEMBERS: list[_Member] = []  # One, once this process has begun.


def _begin(task: AuditTask, listening: Connection) -> None:
    """Make this process a member of the crew."""
    threading.Thread(target=_end_when_told, args=(listening,), daemon=True).start()
    loop, opened = asyncio.new_event_loop(), AsyncExitStack()
    check = loop.run_until_complete(opened.enter_async_context(task.begin()))
    _MEMBERS.append(_Member(loop, check, opened))
    # What is decoded forms no cycles, and looking for some took a fifth of the time.
    gc.disable()
    gc.freeze()


def _end_when_told(listening: Connection) -> None:
    wait([listening])
    os._exit(1)  # Whatever this process is at: it has nothing to put in order.


def _check(part: Part) -> Checked:
    member = _MEMBERS[0]

    async def check() -> Checked:
        return await member.check(part)

    try:
        return member.loop.run_until_complete(check())
    finally:
        gc.collect()
