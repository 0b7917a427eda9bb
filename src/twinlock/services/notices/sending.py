"""One turn of one carrier: claim what is due, send it, keep what came of it.

Messages of one channel go one after another, those of different channels beside each other, as many
as the carrier has lanes. A carrier that is not there rests, and costs no message an attempt: when
it is back after a day, everything leaves within minutes, codes first.

Always true (tests/integration/test_notices_sending.py): a message is claimed before it is sent; one
that is not taken waits longer each time; none is dropped before it is outdated, and then it is kept
as dead; one that cannot be made is dead at once, and the next of its channel goes out; a slow
carrier keeps no other one waiting.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.errors import MessageError

from twinlock.domain.deliveries import Fate, Fault, next_try, pause_after
from twinlock.domain.errors import InvariantError, SealBrokenError, present
from twinlock.domain.notices import NoticeKind, is_outdated
from twinlock.domain.parcels import CarrierName, Claimed
from twinlock.ports import Clock, Entropy
from twinlock.ports.notices import Carrier, DeliveryReport, DeliveryShelf
from twinlock.services.notices.telling import Telling

CLAIM = timedelta(seconds=30)  # Of a message: a turn, and the longest attempt begun in it.
TURN_SECONDS = 5.0  # No attempt is begun later after its claim.
BATCH_MOST = 128  # Messages claimed at once: what a turn gets through at 25 a second.
# What an error of ours in making one message may be. A world that fails says so otherwise.
_DEFECTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    InvariantError,
    LookupError,
    MessageError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A carrier by its name. ``tells`` says that it will tell later what became of a message."""

    name: CarrierName
    carrier: Carrier
    tells: bool = False


class Sending:
    """Sends by one carrier. ``seconds`` is a clock that nobody sets."""

    def __init__(  # noqa: PLR0913 - each is one thing that a turn needs
        self,
        post: Post,
        *,
        shelf: DeliveryShelf,
        telling: Telling,
        report: DeliveryReport,
        entropy: Entropy,
        clock: Clock,
        seconds: Callable[[], float],
    ) -> None:
        self._post = post
        self._shelf = shelf
        self._telling = telling
        self._report = report
        self._entropy = entropy
        self._clock = clock
        self._seconds = seconds
        self._failures = 0
        self._rests_until = 0.0

    async def turn(self) -> int:
        """Send what is due; return how many messages were claimed.

        Raises:
            ClockUntrustedError, UnavailableError: nothing more can be sent or kept just now.
        """
        if self._seconds() < self._rests_until:
            return 0
        until = self._seconds() + TURN_SECONDS  # From before the claim, so never later than it.
        now = self._clock.now(database_at=None)
        most = 1 if self._failures else BATCH_MOST  # One is enough to see whether it is back.
        claimed = await self._shelf.claim(self._post.name, now=now, most=most)
        waiting = [[one for one in claimed if one.lane == lane] for lane in _lanes(claimed)]
        workers = (self._work(waiting, until) for _ in range(self._post.carrier.lanes))
        done = await asyncio.gather(*workers, return_exceptions=True)
        await self._shelf.give_back(tuple(one for lane in waiting for one in lane))
        for error in done:
            if isinstance(error, BaseException):
                raise error
        return len(claimed)

    async def _work(self, waiting: list[list[Claimed]], until: float) -> None:
        """Take one channel's messages after another's; what is not begun stays in ``waiting``."""
        while waiting:
            lane = waiting.pop()
            while lane:
                if self._seconds() >= until or self._seconds() < self._rests_until:
                    waiting.append(lane)
                    return
                await self._send(lane.pop(0))

    async def _send(self, claimed: Claimed) -> None:
        now = self._clock.now(database_at=None)
        if is_outdated(claimed.parcel.notice, now=now):
            await self._give_up(claimed, Fault.OUTDATED, now=now)
            return
        try:
            fate = await self._attempt(claimed)
        except _DEFECTS as error:
            # Prevents: one message that cannot be made, behind which its channel hears nothing.
            await self._give_up(claimed, Fault.BROKEN, now=now, defect=type(error).__name__)
            return
        self._report.tried(self._post.name, claimed.name, fate)
        await self._keep(claimed, fate, now=self._clock.now(database_at=None))

    async def _attempt(self, claimed: Claimed) -> Fate:
        """Make the message and send it.

        Raises:
            InvariantError: what it tells of does not open, or is not what it should be.
        """
        account = present(claimed.account, "the account of a message does not open")
        try:
            letter = await self._telling.letter(account, claimed.parcel, name=claimed.name)
        except SealBrokenError as error:  # Of this action, and of nobody else's.
            raise InvariantError("what a message tells of does not open") from error
        return await self._post.carrier.send(letter)

    async def _keep(self, claimed: Claimed, fate: Fate, *, now: datetime) -> None:
        if fate.carrier:
            self._failures += 1
            rest = pause_after(self._failures, random=self._entropy.draw(2))
            self._rests_until = self._seconds() + rest.total_seconds()
            await self._shelf.give_back((claimed,))
            return
        self._failures = 0
        if fate.fault is None:
            await self._shelf.handed(claimed, keep=self._post.tells, awaited=fate.awaited, now=now)
        elif fate.final:
            await self._give_up(claimed, fate.fault, now=now)
        else:
            due_at = next_try(claimed.attempts + 1, random=self._entropy.draw(2), now=now)
            await self._shelf.put_off(claimed, fate.fault, due_at=due_at)

    async def _give_up(
        self, claimed: Claimed, fault: Fault, *, now: datetime, defect: str = ""
    ) -> None:
        """Keep a message as dead; a code that is too old is of no use to anybody."""
        self._report.gave_up(self._post.name, claimed.name, fault, defect=defect)
        if claimed.parcel.notice.kind is NoticeKind.CODE:
            await self._shelf.handed(claimed, keep=False, now=now)
        else:
            await self._shelf.dead(claimed, fault, now=now)


def _lanes(claimed: tuple[Claimed, ...]) -> list[str]:
    """Return the channels of what was claimed, the one that is served first last."""
    return list(dict.fromkeys(one.lane for one in claimed))[::-1]
