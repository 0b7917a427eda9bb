"""Telling owners that an API key lapses within a week, while they can still keep it.

Nobody has to end a wait, and nobody ends a key; but a key that nobody uses tells nothing either. So
whoever serves looks through the accounts that have one, now and then.

Always true (tests/integration/test_key_lapse_notices.py): an account is told once of each end of a
key, however many processes look; one that cannot decide keeps no other from being told.
"""

from datetime import datetime

from twinlock.domain.account import State
from twinlock.domain.api_keys import ends_soon
from twinlock.domain.commands import WarnOfLapse
from twinlock.domain.decisions import Decided, Rules
from twinlock.domain.errors import ClockUntrustedError, TwinlockError, UnavailableError
from twinlock.domain.gate import decide
from twinlock.domain.ids import AccountId
from twinlock.ports import Clock, Policies, Store, Work
from twinlock.ports.keys import BlindIndex, MarkedAccounts
from twinlock.ports.ruled import by_rules

ACTOR = "twinlock:keys"
PAGE_MOST = 200  # Names of accounts in memory at once; each is read by itself.


class KeyLapsing:
    """The use case of keys that are about to lapse."""

    def __init__(
        self,
        store: Store,
        *,
        marked: MarkedAccounts,
        blind: BlindIndex,
        policies: Policies,
        clock: Clock,
    ) -> None:
        self._store = store
        self._marked = marked
        self._blind = blind
        self._policies = policies
        self._clock = clock

    async def turn(self) -> None:
        """Look once: what is done beside the requests. Raises as ``look``."""
        await self.look()

    async def look(self) -> int:
        """Tell every owner who is to be told; return how many were.

        Raises:
            ClockUntrustedError, UnavailableError: the rest is told by whoever looks next.
        """
        marks, after, told = self._blind.marks(""), "", 0
        while page := await self._marked.marked(marks, after=after, most=PAGE_MOST):
            after = page[-1]
            for named in page:
                told += await self._tell(named)
        return told

    async def _tell(self, named: AccountId) -> int:
        try:
            return await by_rules(self._policies, lambda rules: self._warn(named, rules))
        except (ClockUntrustedError, UnavailableError):
            raise
        except TwinlockError:  # It is gone, or it cannot decide: another may.
            return 0

    async def _warn(self, named: AccountId, rules: Rules) -> int:
        command = WarnOfLapse(lapses=rules.policy.statutes.key_lapses)

        def run(state: State, now: datetime) -> Decided:
            return decide(state, command, rules=rules, now=now)

        account, now = await self._store.account(named), self._clock.now(database_at=None)
        if not ends_soon(account.api_keys, lapses=command.lapses, now=now):
            return 0  # No entry in the log for what is no news.
        work = Work(account_id=named, decide=run, actor=ACTOR, policy=rules.policy.name)
        await self._store.run(work)
        return 1
