"""Tasks for the crew of an audit that does something else than to audit.

usage: python -m support.crew_tasks STARTED: hires members who never come to an end, and each writes
its process id into the file STARTED.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from twinlock.cli.crew import ProcessCrew
from twinlock.domain.audit.parts import Checked, Leaves, Part


@dataclass(frozen=True)
class Counting:
    """Counts the leaves that it is asked for. Implements ``ports.AuditTask``."""

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Callable[[Part], Awaitable[Checked]]]:
        """Lend what counts."""

        async def check(part: Part) -> Checked:
            assert isinstance(part, Leaves)
            return Checked(leaves=part.stop - part.start, first=part.start)

        yield check


@dataclass(frozen=True)
class Dying:
    """Is killed at its first part."""

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Callable[[Part], Awaitable[Checked]]]:
        """Lend what kills."""

        async def check(_: Part) -> Checked:
            os.kill(os.getpid(), signal.SIGKILL)
            return Checked()

        yield check


@dataclass(frozen=True)
class Endless:
    """Never comes to an end, as with a database that was cut off; says that it has begun."""

    started: str

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Callable[[Part], Awaitable[Checked]]]:
        """Lend what never returns."""

        async def check(_: Part) -> Checked:
            _append(self.started, f"{os.getpid()}\n")
            await asyncio.Event().wait()
            return Checked()

        yield check


def _append(path: str, line: str) -> None:
    with Path(path).open("a", encoding="ascii") as file:
        file.write(line)


async def _hire(started: str) -> None:
    with ProcessCrew.of(Endless(started), jobs=2) as crew:
        parts = [Leaves(start=number, stop=number + 1) for number in range(4)]
        async for _ in crew.check(parts):
            raise AssertionError("none of them comes to an end")


if __name__ == "__main__":
    asyncio.run(_hire(sys.argv[1]))
