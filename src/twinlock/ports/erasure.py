"""What is asked of where accounts are erased, and of where all about a person is read."""

from collections.abc import AsyncIterator
from typing import Protocol

from twinlock.domain.account import Account
from twinlock.domain.ids import AccountId
from twinlock.ports import Committed, Work


class ErasableAccounts(Protocol):
    """All accounts, for whoever may delete: the owner of the tables."""

    def each(self) -> AsyncIterator[Account | AccountId]:
        """Give every account as it stands, without a lock; of one that does not open, its id.

        Raises:
            UnavailableError: the database does not answer.
        """
        ...

    async def erase(self, work: Work) -> Committed:
        """Decide ``work``; where the answer erases the account, do so in one transaction.

        Anything else is written nowhere: ``indexes`` of what is returned are then empty.

        Raises:
            AccountErasedError, AccountUnknownError: there is no such account any more.
            UnavailableError: the database does not answer; all of it is done, or nothing.
        """
        ...
