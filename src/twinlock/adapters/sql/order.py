"""The order of one process: groups are decided one after the other, and written in that order.

While one group is written, the next is decided. What that one rests on may then not be: a batch can
fail at its last statement. So a group waits for the one before it, outside the database, before it
writes anything; and where that one failed, it is decided again, after it.

Always true (tests/integration/test_store_order.py): a group is decided on what every group before
it left; of two groups with an account in common, one is over before the other locks it.
"""

import asyncio
from collections.abc import Iterable

PATIENCE_SECONDS = 0.25  # A commit takes 1 ms; the database ends who idles longer than 500 ms.


class OvertakenError(Exception):
    """The group before this one failed, or takes too long: decide again when it is over."""


class Turn:
    """One writer's turn to take requests and decide them; ``lock`` is the one of all writers."""

    def __init__(self, lock: asyncio.Lock) -> None:
        self._lock = lock
        self._mine = False

    async def take(self) -> None:
        """Wait for the turn."""
        await self._lock.acquire()
        self._mine = True

    def give(self) -> None:
        """Pass the turn on, where it was not yet."""
        if self._mine:
            self._mine = False
            self._lock.release()


class Place:
    """One group's place, behind the group that was taken from the queue ``before`` it.

    ``tried`` is set once its first try was committed or failed, ``over`` once nothing of it is left
    to decide.
    """

    def __init__(self, before: "Place | None", *, accounts: Iterable[str]) -> None:
        self._before = before
        self.accounts = frozenset(accounts)
        self.tried = asyncio.Event()
        self.committed = False
        self.over = asyncio.Event()

    async def apart(self) -> None:
        """Wait until nobody before this one holds an account of it."""
        if self._before is not None and self._before.accounts & self.accounts:
            await self.behind()

    async def behind(self) -> None:
        """Wait until the group before this one is over, however it ended."""
        if self._before is not None:
            await self._before.over.wait()

    async def follow(self) -> None:
        """Wait until the group before this one is committed.

        Raises:
            OvertakenError: it was not, at its first try or within PATIENCE_SECONDS.
        """
        before = self._before
        if before is None or before.over.is_set():
            return
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await before.tried.wait()
        except TimeoutError as error:
            raise OvertakenError from error
        if not before.committed:
            raise OvertakenError

    def try_ended(self, *, committed: bool) -> None:
        """Say how this group's first try ended; the next one may write, or decides again."""
        self.committed = committed
        self.tried.set()

    def end(self) -> None:
        """Say that nothing of this group is left to decide."""
        self.tried.set()
        self.over.set()
        self._before = None  # Or every group would keep all before it.
