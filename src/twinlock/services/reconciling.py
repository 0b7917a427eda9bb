"""Reconciling: whether everything that was executed was spent, once, as it was authorized.

Rows come in groups, and are kept nowhere but for the names of their actions and their references,
so that a file may be as long as it likes. Afterwards every spend of the file's time is looked for
among those names, and those of earlier files.

Always true (tests/unit/services/test_reconciling.py): each row is matched or has a finding, and
each spend of the time was executed, may be yet, or is a finding.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from datetime import datetime

from msgspec.structs import replace

from twinlock.domain.actions import type_of
from twinlock.domain.addresses import AddressError
from twinlock.domain.catalogue import ActionType
from twinlock.domain.exits import BANK
from twinlock.domain.ids import account_of
from twinlock.domain.money import NetworkUnknownError
from twinlock.domain.policy.version import Policy
from twinlock.domain.reconciling.comparing import (
    Finding,
    Spent,
    compare,
    may_be_executed_yet,
    may_never_be_executed,
    names_action,
    never_executed,
)
from twinlock.domain.reconciling.rows import Executed
from twinlock.ports.reconciling import SeenActions, SpendSource
from twinlock.proofs.addresses.normal import normal_where

LOOKED_UP_AT_ONCE = 500  # Spends whose names are looked for in one question.


class Reconciling:
    """The use case: ``take`` every row, then ask for what is ``missing``."""

    def __init__(self, source: SpendSource, seen: SeenActions, *, policy: Policy) -> None:
        self._source = source
        self._seen = seen
        self._policy = policy
        self.counts: Counter[str] = Counter()
        self.first_at: datetime | None = None
        self.last_at: datetime | None = None

    async def take(self, rows: Sequence[Executed]) -> list[Finding]:
        """Return all that is wrong with ``rows``, which come next in the file."""
        named = [row for row in rows if names_action(row)]
        before = dict(
            zip(
                (row.line for row in named),
                self._seen.note(named),
                strict=True,
            )
        )
        known = await self._source.known({row.action for row in named})
        found: list[Finding] = []
        for row in rows:
            self._time(row.executed_at)
            erased = row.line in before and account_of(row.action) in known.erased
            wrong = compare(
                self._normal(row),
                known.closed.get(row.action),
                before=before.get(row.line),
                erased=erased,
            )
            self.counts["matched"] += not wrong
            found += wrong
        self.counts["rows"] += len(rows)
        return found

    def _time(self, at: datetime) -> None:
        self.first_at = at if self.first_at is None else min(self.first_at, at)
        self.last_at = at if self.last_at is None else max(self.last_at, at)

    def _normal(self, row: Executed) -> Executed:
        """Return the row with its destination in its one form, where it has one by this policy."""
        network = row.network or (BANK if row.type == ActionType.WITHDRAWAL_FIAT else "")
        try:
            where = normal_where(network, row.address, row.memo, self._policy)
        except (AddressError, NetworkUnknownError):
            return row
        return replace(row, address=where.address, memo=where.memo)

    async def missing(
        self,
        since: datetime,
        until: datetime,
        *,
        types: Collection[str] = (),
        advance: Callable[[int, int], None],
    ) -> AsyncIterator[Finding]:
        """Give every spend from ``since`` on and before ``until`` that no row told of.

        Only spends of ``types`` are looked for, or all of them where none is named.
        """
        group: list[Spent] = []
        async for spent in self._source.spends(since, until, advance=advance):
            unasked = types and type_of(spent.payload) not in types
            if unasked or may_never_be_executed(spent):
                continue
            self.counts["spends"] += 1
            group.append(spent)
            if len(group) == LOOKED_UP_AT_ONCE:
                for one in self._unseen(group, until):
                    yield one
                group = []
        for one in self._unseen(group, until):
            yield one

    def _unseen(self, group: Sequence[Spent], until: datetime) -> list[Finding]:
        seen = self._seen.has([spent.action for spent in group])
        unseen = [spent for spent, was in zip(group, seen, strict=True) if not was]
        late = [spent for spent in unseen if not may_be_executed_yet(spent, until=until)]
        self.counts["pending"] += len(unseen) - len(late)
        return [never_executed(spent) for spent in late]
