"""Ending every API key that was made for one integrator, on all accounts.

For the day on which an integrator's own servers are broken into. It only tightens, so the operator
says it alone (law 5); each account has its own entry in the log, and its owner is told.

Always true (tests/integration/test_integrators.py): broken off at any account, it goes on with the
rest when it is run again; an account without such a key gets no entry.
"""

import asyncio
from datetime import datetime

import msgspec

from twinlock.domain.account import Account, State
from twinlock.domain.actions import ApiKeyCreate
from twinlock.domain.commands import RevokeIntegrator
from twinlock.domain.decisions import Decided, Rules
from twinlock.domain.drafts import ApiKeyCreateDraft, parse
from twinlock.domain.erasure import AccountErasedError
from twinlock.domain.errors import AccountUnknownError, TwinlockError
from twinlock.domain.gate import decide
from twinlock.domain.ids import AccountId, parse_account_id
from twinlock.ports import Policies, Store, Work
from twinlock.ports.keys import BlindIndex, MarkedAccounts
from twinlock.ports.ruled import by_rules

PAGE_MOST = 200  # Accounts in one call: some seconds, and each is an entry of the log.
AT_ONCE = 20  # As many requests as one group commit likes.


class RevokedPage(msgspec.Struct, frozen=True, kw_only=True):
    """What became of some accounts: how many keys ended, and who is to be tried again.

    ``after`` names the last account of the page; it is empty when there are no more.
    """

    accounts: int
    keys: int
    failed: tuple[AccountId, ...]
    after: str


class Integrators:
    """The use case of ending an integrator's keys."""

    def __init__(
        self, store: Store, *, marked: MarkedAccounts, blind: BlindIndex, policies: Policies
    ) -> None:
        self._store = store
        self._marked = marked
        self._blind = blind
        self._policies = policies

    async def count(self, integrator: str) -> int:
        """Return how many accounts have, or had, a key of this integrator."""
        return await self._marked.count(self._blind.marks(integrator))

    async def revoke(self, integrator: str, *, actor: str, after: str = "") -> RevokedPage:
        """End the integrator's keys on up to PAGE_MOST accounts, from the one behind ``after``.

        Raises:
            MalformedError: this is no integrator's name, or ``after`` is no account's id.
            UnavailableError: the database does not answer.
        """
        check_name(integrator)
        if after:
            parse_account_id(after)
        marks = self._blind.marks(integrator)
        page = await self._marked.marked(marks, after=after, most=PAGE_MOST)
        keys, failed = 0, list[AccountId]()
        for start in range(0, len(page), AT_ONCE):
            some = page[start : start + AT_ONCE]
            ended = await asyncio.gather(*(self._end(one, integrator, actor=actor) for one in some))
            keys += sum(one or 0 for one in ended)
            failed += [one for one, number in zip(some, ended, strict=True) if number is None]
        last = page[-1] if len(page) == PAGE_MOST else ""
        return RevokedPage(accounts=len(page), keys=keys, failed=tuple(failed), after=last)

    async def _end(self, named: AccountId, integrator: str, *, actor: str) -> int | None:
        """Return how many keys ended; None where somebody must try again."""
        try:
            found = _keys_of(await self._store.account(named), integrator)
            if found:
                await by_rules(
                    self._policies,
                    lambda rules: self._store.run(_work(named, integrator, rules, actor=actor)),
                )
        except (AccountErasedError, AccountUnknownError):
            return 0
        except TwinlockError:
            return None
        return found


def _work(named: AccountId, integrator: str, rules: Rules, *, actor: str) -> Work:
    command = RevokeIntegrator(integrator=integrator)

    def run(state: State, now: datetime) -> Decided:
        return decide(state, command, rules=rules, now=now)

    return Work(account_id=named, decide=run, actor=actor, policy=rules.policy.name)


def check_name(integrator: str) -> None:
    """Check that this can be an integrator's name. Raises MalformedError."""
    form = {"public_key": "A" * 43, "scopes": ["read"], "integrator": integrator or " "}
    parse(form, ApiKeyCreateDraft)


def _keys_of(account: Account, integrator: str) -> int:
    """Return how many keys of the integrator there are, or wait to be."""
    made = sum(key.integrator == integrator for key in account.api_keys)
    to_come = (
        isinstance(one.payload, ApiKeyCreate) and one.payload.integrator == integrator
        for one in account.actions
    )
    return made + sum(to_come)
