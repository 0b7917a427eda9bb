"""What is asked of an installation whose spends are held against what was executed."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from twinlock.domain.entries import ClosedAction
from twinlock.domain.reconciling.comparing import Before, Spent
from twinlock.domain.reconciling.rows import Executed


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of some actions: those that are over, and which accounts were erased."""

    closed: dict[str, ClosedAction]
    erased: frozenset[str]


class SpendSource(Protocol):
    """The spends of an installation, all of them as of one moment."""

    async def known(self, actions: Collection[str]) -> Known:
        """Return what is known of ``actions``. Raises SealBrokenError, UnavailableError."""
        ...

    def spends(
        self, since: datetime, until: datetime, *, advance: Callable[[int, int], None]
    ) -> AsyncIterator[Spent]:
        """Give every spend from ``since`` on and before ``until``, in the log's order.

        ``advance`` is told how many leaves of how many were looked at. An erased account's are
        gone. Raises SealBrokenError, UnavailableError.
        """
        ...


class SeenActions(Protocol):
    """The actions that rows of this file and of earlier ones named, however many they are."""

    def note(self, rows: Sequence[Executed]) -> list[Before | None]:
        """Note rows, and return of each the earlier one that was executed on the same action.

        A row that tells of an earlier file's once more, by the same reference and time, is no
        second one.
        """
        ...

    def has(self, actions: Sequence[str]) -> list[bool]:
        """Return of each action whether a row named it, in this file or an earlier one."""
        ...
