"""Backtest: what a proposed policy would have answered to everything that was decided.

Entries come page by page, and none is kept: memory does not grow with the log.

Always true (tests/unit/services/test_backtest.py): each policy that decided is read once, and one
that cannot be is told with every decision that it made.
"""

from collections.abc import Callable
from datetime import datetime

from twinlock.domain.laws import Law
from twinlock.domain.policy.annotations import PolicyRefusedError
from twinlock.domain.policy.backtesting import (
    Backtest,
    Replay,
    ReplayFault,
)
from twinlock.domain.policy.kept import read_kept
from twinlock.domain.policy.statutes import Statutes
from twinlock.domain.policy.version import Policy
from twinlock.ports.backtest import SnapshotSource


class Backtesting:
    """The use case, on one source of past decisions."""

    def __init__(self, source: SnapshotSource, *, laws: tuple[Law, ...]) -> None:
        self._source = source
        self._laws = laws

    async def run(
        self,
        proposed: Policy,
        *,
        since: datetime | None,
        until: datetime | None,
        advance: Callable[[int, int], None],
    ) -> Backtest:
        """Return what ``proposed`` would have answered from ``since`` on and before ``until``."""
        policies: dict[str, Statutes | ReplayFault] = {proposed.name.digest: proposed.statutes}
        replay = Replay(proposed.statutes, laws=self._laws, policies=policies)
        async for page in self._source.snapshots(since, until, advance=advance):
            for one in page:
                lacking = replay.take(one)
                if lacking is not None:
                    policies[lacking] = await self._read(lacking)
                    replay.take(one)
        return replay.report()

    async def _read(self, digest: str) -> Statutes | ReplayFault:
        text = await self._source.policy(digest)
        if text is None:
            return ReplayFault.POLICY_MISSING
        try:
            return read_kept(text, digest=digest).statutes
        except PolicyRefusedError:
            return ReplayFault.POLICY_OLDER
