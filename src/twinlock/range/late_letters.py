"""Letters in the range's weather: those by mail wait while the mail server is down.

Always true (tests/unit/range/test_late_letters.py): what other channels carry arrives as ever; the
account hears that nobody took its mail, as it does of a server that was away for an hour; what is
too old when the server is back is not sent.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Protocol

from twinlock.domain.channels import ChannelKind
from twinlock.domain.deliveries import Outcome
from twinlock.domain.errors import present
from twinlock.domain.notices import is_outdated
from twinlock.domain.parcels import Slip
from twinlock.ports import Outgoing
from twinlock.range.weather import SteerableClock, Weather

PATIENCE_SECONDS = 10.0  # A message leaves the outbox within the second.
LOOK_SECONDS = 0.005
_BY_MAIL = frozenset({ChannelKind.EMAIL})
_OTHERWISE = frozenset(ChannelKind) - _BY_MAIL


class Files(Protocol):
    """What leaves letters where their readers look."""

    async def leave(self, outgoing: Outgoing, *, to: Collection[ChannelKind]) -> None:
        """Write a message to channels of these kinds, and report that they have it."""
        ...

    async def report(
        self, outgoing: Outgoing, outcome: Outcome, *, of: Collection[ChannelKind]
    ) -> None:
        """Report what became of a message on channels of these kinds."""
        ...


class LateLetters:
    """Stands before the files of one service."""

    def __init__(self, weather: Weather, clock: SteerableClock) -> None:
        self._weather = weather
        self._clock = clock
        self._files: Files | None = None
        self._late: list[Outgoing] = []
        self._told: set[str] = set()

    def before(self, files: Files) -> Callable[[Outgoing], Awaitable[tuple[Slip, ...]]]:
        """Return what leaves messages in ``files``."""
        self._files = files
        return self.send

    async def send(self, outgoing: Outgoing) -> tuple[Slip, ...]:
        """Leave a message where its readers look, as far as the weather allows."""
        files = present(self._files, "a service opens its letters first")
        since = self._weather.no_mail_since
        if since is None or outgoing.notice.at < since:
            await files.leave(outgoing, to=_BY_MAIL | _OTHERWISE)
            return ()
        self._late.append(outgoing)
        await files.leave(outgoing, to=_OTHERWISE)
        await files.report(outgoing, Outcome.AWAITED, of=_BY_MAIL)
        self._told.add(outgoing.notice.action_id)
        return ()

    async def told(self, action_id: str) -> bool:
        """While no mail arrives, wait until the account knows so of an action that is told of.

        Return whether its letter by mail waits for the server. Prevents: a story whose time goes on
        before the service has looked at its outbox.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE_SECONDS
        while self._weather.no_mail_since is not None and action_id not in self._told:
            if loop.time() > until:
                return False
            await asyncio.sleep(LOOK_SECONDS)
        return action_id in self._told

    async def bring(self) -> None:
        """Let all mail arrive that waited, and is not too old."""
        files = present(self._files, "a service opens its letters first")
        late, self._late = self._late, []
        now = self._clock.now(database_at=None)
        for outgoing in late:
            if not is_outdated(outgoing.notice, now=now):
                await files.leave(outgoing, to=_BY_MAIL)
