"""Erasing: whatever asked for it, waited, and is not stopped by anything, is carried out.

It is run by the operator and decides nothing itself: each erasure is decided again at the gate,
under the account's lock, by the rules of that moment.
"""

from contextlib import suppress
from datetime import datetime

import msgspec

from twinlock.domain.account import Account, ActionUnknownError, OpenAction, State
from twinlock.domain.actions import AccountErase
from twinlock.domain.commands import Erase
from twinlock.domain.decisions import Decided, Rules
from twinlock.domain.erasure import AccountErasedError, check_proved, proof_entries
from twinlock.domain.errors import (
    AccountUnknownError,
    InvariantError,
    LogDamagedError,
    MalformedError,
    SealBrokenError,
    UnavailableError,
    present,
)
from twinlock.domain.events import ActionHeld
from twinlock.domain.gate import decide
from twinlock.domain.ids import AccountId, ActionId
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import reasons
from twinlock.ports import Clock, Committed, Policies, Store, Work
from twinlock.ports.erasure import ErasableAccounts
from twinlock.ports.ruled import by_rules

ACTOR = "operator:erase-due"
# What is wrong with one account, and keeps no other from being erased: somebody may hold it, too.
FAULTS = (LogDamagedError, SealBrokenError, MalformedError, InvariantError, UnavailableError)


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one erasure that was due: the index of its leaf, or why it was not done.

    ``fault`` is the code of what does not hold, and somebody must look into it; or ``unavailable``
    where somebody else held the account all the while.
    """

    account_id: AccountId
    action_id: ActionId = ActionId("")  # Unknown where the account does not open.
    index: int | None = None
    reasons: tuple[Reason, ...] = ()
    fault: str = ""


class Erasing:
    """The use case of erasing what is due."""

    def __init__(
        self, accounts: ErasableAccounts, *, store: Store, policies: Policies, clock: Clock
    ) -> None:
        self._accounts = accounts
        self._store = store
        self._policies = policies
        self._clock = clock

    async def run(self) -> tuple[Outcome, ...]:
        """Erase every account whose erasure has waited, and tell of each that was due.

        An account that does not open may have been due, and is told of as well.

        Broken off, it goes on with the rest when it is run again.

        Raises:
            UnavailableError: the database does not tell which accounts there are.
        """
        outcomes: list[Outcome] = []
        async for account in self._accounts.each():
            if not isinstance(account, Account):
                outcomes.append(Outcome(account_id=account, fault=SealBrokenError.code))
                continue
            for action in due(account, now=self._clock.now(database_at=None)):
                outcome = await self._erase(account.account_id, action)
                outcomes += [outcome] if outcome is not None else []
        return tuple(outcomes)

    async def _erase(self, named: AccountId, action: OpenAction) -> Outcome | None:
        """Return what became of it, or None where it is over: vetoed, or carried out by another."""
        action_id = action.action_id
        try:
            await self._check_proved(named, action)
            committed = await by_rules(
                self._policies, lambda rules: self._try(_work(named, action_id, rules))
            )
        except (AccountErasedError, AccountUnknownError, ActionUnknownError):
            return None
        except FAULTS as error:
            return Outcome(account_id=named, action_id=action_id, fault=error.code)
        if committed.indexes:
            return Outcome(account_id=named, action_id=action_id, index=committed.indexes[-1])
        missing = committed.answer.requirement
        return Outcome(account_id=named, action_id=action_id, reasons=reasons(missing))

    async def _try(self, work: Work) -> Committed:
        committed = await self._accounts.erase(work)
        decided = present(committed.decided, "it was decided")
        if not committed.indexes and (len(decided.states) > 1 or _lengthens(decided)):
            with suppress(UnavailableError):  # Somebody else may have written it meanwhile.
                await self._store.run(_without_a_refusal(work))
            committed = await self._accounts.erase(work)
        return committed

    async def _check_proved(self, named: AccountId, action: OpenAction) -> None:
        """Check that one of the entries that may have completed its proof did.

        Raises:
            LogDamagedError: none did.
            AccountErasedError: they went with the account, for another erasure of it.
        """
        fault = LogDamagedError("the log does not show that this erasure was proved")
        for number in proof_entries(action):
            try:
                entry = await self._store.entry(named, number)
                if entry is not None:
                    return check_proved(action, entry.leaf, entry.kept)
            except LogDamagedError as error:
                fault = error
        await self._store.account(named)
        raise fault


def due(account: Account, *, now: datetime) -> tuple[OpenAction, ...]:
    """Return the erasures of ``account`` whose wait is over at ``now``."""
    return tuple(
        one
        for one in account.actions
        if isinstance(one.payload, AccountErase) and one.until is not None and one.until <= now
    )


def _without_a_refusal(work: Work) -> Work:
    """Return the work of writing what was due before an erasure that is refused, and not that.

    A wait that is lengthened is written, and told. Prevents: a hold that a change which was due
    begins anew in each run, since none is kept; and a longer wait that nobody hears of, and at
    whose end the erasure lapses.
    """

    def decide_the_rest(state: State, now: datetime) -> Decided:
        decided = work.decide(state, now)
        if _lengthens(decided):
            return decided
        if len(decided.states) == 1:
            raise UnavailableError("another moment, another answer: run it again")
        return Decided(decisions=decided.decisions[:-1], states=decided.states[:-1])

    return msgspec.structs.replace(work, decide=decide_the_rest)


def _lengthens(decided: Decided) -> bool:
    """Say whether an erasure waits longer, once: no word of its wait arrived."""
    return any(isinstance(one, ActionHeld) and one.lengthened for one in decided.answer.events)


def _work(named: AccountId, action_id: ActionId, rules: Rules) -> Work:
    command = Erase(action_id=action_id)
    return Work(
        account_id=named,
        decide=lambda state, now: decide(state, command, rules=rules, now=now),
        actor=ACTOR,
        policy=rules.policy.name,
    )
