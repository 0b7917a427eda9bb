"""What moving in asks of the store beyond deciding: which of many accounts are there already."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from twinlock.domain.ids import AccountId


class Arrivals(Protocol):
    """Accounts that an import may have brought before."""

    async def standing(self, named: Sequence[AccountId]) -> Mapping[AccountId, str | None]:
        """Return those of ``named`` that exist, each with the digest of the file it came from.

        It is "" for one that no file brought, and None for one that was erased.
        """
        ...
