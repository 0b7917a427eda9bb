"""The use cases of suspending an account: officers sign, and nobody's word stands for theirs."""

import msgspec

from twinlock.domain.commands import OfficerSpeaks
from twinlock.domain.errors import MalformedError
from twinlock.domain.gate import decide
from twinlock.domain.ids import AccountId
from twinlock.domain.officers.standing import standing_bytes
from twinlock.domain.officers.statements import Release, Signed, Suspend
from twinlock.domain.suspending import NotSuspendedError, PlatformChangedError
from twinlock.domain.suspensions import AccountSuspension
from twinlock.ports import Policies, Store, Work
from twinlock.ports.officers import PlatformActs
from twinlock.ports.ruled import by_rules
from twinlock.proofs.officers import checked

ACTOR = "officer"
TRIES = 3  # Officers act once a week; two of them in one moment are many.


class Suspended(msgspec.Struct, frozen=True, kw_only=True):
    """How a suspension stands after an act; ``done`` says that it took effect."""

    account: str
    suspension: AccountSuspension
    done: bool


class Suspensions:
    """The use cases of suspensions."""

    def __init__(
        self, store: Store, *, acts: PlatformActs, policies: Policies, log_origin: str
    ) -> None:
        self._store = store
        self._acts = acts
        self._policies = policies
        self._log = log_origin

    async def act(self, signed: Signed, *, named: AccountId) -> Suspended:
        """Do what an officer says about the account ``named``.

        Raises:
            MalformedError: it is about the platform.
            AccountUnknownError, AccountErasedError: it is about none that is there.
            StatementRefusedError, SuspendedTooSoonError, NotSuspendedError: as they say.
            PlatformChangedError: other officers acted in the same moment, again and again.
        """
        if not isinstance(checked(signed).said.act, Suspend | Release):
            raise MalformedError("this is said about the platform, and not an account")
        for _ in range(TRIES - 1):
            try:
                return await self._run(named, signed)
            except PlatformChangedError:
                continue
        return await self._run(named, signed)

    async def release(self, named: AccountId) -> Release:
        """Return the act that ends the suspension as it stands. Raises NotSuspendedError."""
        account = await self._store.account(named)
        if not account.suspension.set_at:
            raise NotSuspendedError("this account was never suspended")
        return Release(account=named, suspended=account.suspension.set_at)

    async def _run(self, named: AccountId, signed: Signed) -> Suspended:
        platform = (await self._acts.read()).platform
        command = OfficerSpeaks(
            signed=signed,
            officers=platform.officers,
            standing=standing_bytes(platform),
            instead=platform.instead,
            log=self._log,
        )
        committed = await by_rules(
            self._policies,
            lambda rules: self._store.run(
                Work(
                    account_id=named,
                    decide=lambda state, now: decide(state, command, rules=rules, now=now),
                    actor=f"{ACTOR}:{signed.said.officer}",
                    policy=rules.policy.name,
                    action_id=named,
                )
            ),
        )
        account = await self._store.account(named)
        suspension = account.suspension
        stands = suspension.until(committed.at) is not None
        done = stands is isinstance(signed.said.act, Suspend)
        return Suspended(account=named, suspension=suspension, done=done)
