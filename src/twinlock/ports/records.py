"""What is asked of where all that is held about one person is read."""

from collections.abc import AsyncIterator
from typing import Protocol

from twinlock.domain.entries import ClosedAction
from twinlock.domain.export import Recorded, Repeat, ToldTo
from twinlock.domain.ids import AccountId
from twinlock.domain.notices import Notice
from twinlock.domain.parcels import Parcel


class Records(Protocol):
    """All that is held about one person, beside the account and its destinations."""

    def entries(self, account_id: AccountId, *, count: int) -> AsyncIterator[Recorded]:
        """Give the first ``count`` entries of an account, in order.

        Raises:
            AccountErasedError: it was erased meanwhile.
            LogDamagedError, SealBrokenError: one is not what was written.
        """
        ...

    def closed_actions(self, account_id: AccountId) -> AsyncIterator[ClosedAction]:
        """Give every action of an account that is over."""
        ...

    async def waiting(self, account_id: AccountId) -> tuple[Notice, ...]:
        """Return the notices to an account that are kept or wait to be dealt out."""
        ...

    async def messages(self, account_id: AccountId) -> tuple[Parcel, ...]:
        """Return the messages to an account's channels that are kept."""
        ...

    async def repeats(self, account_id: AccountId) -> tuple[Repeat, ...]:
        """Return what idempotency keys stand for that are kept with the account's id."""
        ...

    async def told_to(self, account_id: AccountId) -> tuple[ToldTo, ...]:
        """Return the streams of signals on which others are told of an account."""
        ...
