"""Legal holds: somebody needs the records of an account, so that it is not erased meanwhile.

A hold only delays (law 1): the platform, or its operator, sets and lifts it on their own word, and
the log keeps who did.
"""

from twinlock.domain.bounds import LEGAL_REFERENCE_MOST
from twinlock.domain.commands import LiftLegalHold, SetLegalHold
from twinlock.domain.errors import MalformedError
from twinlock.domain.gate import decide
from twinlock.domain.ids import AccountId
from twinlock.ports import Idempotency, Policies, Store, Work
from twinlock.ports.ruled import by_rules


class LegalHolds:
    """The use cases of legal holds."""

    def __init__(self, store: Store, *, policies: Policies) -> None:
        self._store = store
        self._policies = policies

    async def set(
        self, named: AccountId, reference: str, *, actor: str, idempotency: Idempotency | None
    ) -> None:
        """Set a hold under a file number; set twice it is one.

        Raises:
            MalformedError: the reference is empty, too long or not printable ASCII.
            AccountUnknownError, AccountErasedError, TooManyLegalHoldsError: as they say.
        """
        command = SetLegalHold(reference=_checked(reference))
        await self._run(named, command, actor=actor, idempotency=idempotency)

    async def lift(
        self, named: AccountId, reference: str, *, actor: str, idempotency: Idempotency | None
    ) -> None:
        """Lift a hold. Raises LegalHoldUnknownError, and what ``set`` raises."""
        command = LiftLegalHold(reference=_checked(reference))
        await self._run(named, command, actor=actor, idempotency=idempotency)

    async def _run(
        self,
        named: AccountId,
        command: SetLegalHold | LiftLegalHold,
        *,
        actor: str,
        idempotency: Idempotency | None,
    ) -> None:
        await by_rules(
            self._policies,
            lambda rules: self._store.run(
                Work(
                    account_id=named,
                    decide=lambda state, now: decide(state, command, rules=rules, now=now),
                    actor=actor,
                    policy=rules.policy.name,
                    idempotency=idempotency,
                    action_id=named,
                )
            ),
        )


def _checked(reference: str) -> str:
    fits = 0 < len(reference) <= LEGAL_REFERENCE_MOST
    if not fits or not reference.isascii() or not reference.isprintable():
        most = LEGAL_REFERENCE_MOST
        raise MalformedError(f"a reference has 1 to {most} printable characters of ASCII")
    return reference
