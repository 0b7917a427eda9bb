"""Spending: the last decision before the signer signs, exactly once.

The same ``spend_id`` gives the same answer however often it is asked; another one for an action
that is spent is refused. Raising the fee of a stuck transaction is the same spend: payee and
amount stay as they were, and the new fee is bounded by what was signed.
"""

from typing import Annotated

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from twinlock.domain.account import ActionClosedError, ActionUnknownError
from twinlock.domain.actions import place_of
from twinlock.domain.answers import Answered, spend_claims, tell_closed
from twinlock.domain.authorization import SPEND_TYPE
from twinlock.domain.commands import Spend
from twinlock.domain.errors import TwinlockError, present
from twinlock.domain.events import ActionSpent
from twinlock.domain.gate import decide
from twinlock.domain.ids import ActionId, account_of
from twinlock.domain.suspensions import keeps_back
from twinlock.ports import (
    Clock,
    Policies,
    Store,
    Work,
)
from twinlock.ports.keys import (
    BlindIndex,
)
from twinlock.ports.log import (
    LogSigner,
    PublishedHeads,
)
from twinlock.ports.ruled import by_rules

SPEND_ID_FORM = r"\A[A-Za-z0-9_.:-]+\Z"
FEE_FORM = r"\A(0|[1-9][0-9]{0,77})\Z"


class AlreadySpentError(TwinlockError):
    """The action was spent under another spend id; nothing is ever spent twice."""

    code = "already_spent"
    status = 409


class PlatformHaltedError(TwinlockError):
    """Officers have halted the platform: what was spent is signed again when it is resumed."""

    code = "platform_halted"
    status = 409


class AccountSuspendedError(TwinlockError):
    """An officer has suspended the account: what was just spent is signed no more meanwhile."""

    code = "account_suspended"
    status = 409


class Spending(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A spend: the caller's own id for it, and the fee the transaction will pay, in minor units."""

    spend_id: Annotated[str, Meta(min_length=8, max_length=64, pattern=SPEND_ID_FORM)]
    fee_minor: Annotated[str, Meta(pattern=FEE_FORM)] = "0"


class Spends:
    """The use case of the spend."""

    def __init__(
        self,
        store: Store,
        *,
        policies: Policies,
        blind: BlindIndex,
        signer: LogSigner,
        published: PublishedHeads,
        clock: Clock,
    ) -> None:
        self._store = store
        self._clock = clock
        self._published = published
        self._policies = policies
        self._blind = blind
        self._signer = signer

    async def spend(self, action_id: ActionId, spending: Spending, *, actor: str) -> Answered:
        """Decide an authorized exit again; a yes is the spend, and its JWS is what a signer wants.

        Raises:
            ActionUnknownError: there is no such action.
            AlreadySpentError, ActionClosedError: it is over.
            NotSpendableError: it is no exit.
            PlatformHaltedError, AccountSuspendedError: it is over, and officers have halted the
                platform since, or one has suspended the account.
            NotWitnessedError: too few witnesses answer, so it is not spent; or it is, and too few
                have cosigned that so far.
        """
        account = await self._store.account(account_of(action_id))
        command = Spend(
            action_id=action_id, spend_id=spending.spend_id, fee_minor=spending.fee_minor
        )
        try:
            place = place_of(account.action(action_id).payload)
            names = () if place is None else self._blind.names(place)
            # Prevents: exits that are over, with authorizations that nobody sees while they live.
            await self._published.check_keeps_up()
            committed = await by_rules(
                self._policies,
                lambda rules: self._store.run(
                    Work(
                        account_id=account.account_id,
                        destination_id=names[0] if names else None,
                        also=names[1:],
                        decide=lambda state, now: decide(state, command, rules=rules, now=now),
                        actor=actor,
                        policy=rules.policy.name,
                        teller=self._policies.teller(),
                    )
                ),
            )
        except ActionUnknownError:
            if await self._store.halted_at() is not None:
                says = "officers have halted the platform: nothing is signed now"
                raise PlatformHaltedError(says) from None
            await self._check_not_suspended(action_id)
            return await self._render(action_id, spending)
        if any(isinstance(event, ActionSpent) for event in committed.answer.events):
            return await self._render(action_id, spending)
        return committed.answered

    async def _check_not_suspended(self, action_id: ActionId) -> None:
        """Raises AccountSuspendedError."""
        known = (await self._store.account(account_of(action_id))).suspension
        closed = await self._store.closed_action(action_id)
        if known.end is None or closed is None:
            return
        now = self._clock.now(database_at=None)
        if keeps_back(known, spent_at=closed.ended.at, now=now):
            raise AccountSuspendedError("an officer has suspended this account")

    async def _render(self, action_id: ActionId, spending: Spending) -> Answered:
        """Return the committed spend in the form that was signed, the same bytes each time.

        What no quorum of witnesses has seen is a promise, and is not handed out: money leaves on
        it.
        """
        closed = await self._store.closed_action(action_id)
        if closed is None:
            raise ActionUnknownError("no action of this id")
        if not isinstance(closed.ended, ActionSpent):
            raise ActionClosedError(f"this action is over: {tell_closed(closed).state}")
        if closed.ended.spend_id != spending.spend_id:
            raise AlreadySpentError("this action was spent under another spend id")
        found = await self._store.entry(account_of(action_id), closed.entry)
        entry = present(found, "a spend has its entry")
        await self._published.covering(entry.index + 1)
        signed = spend_claims(closed, entry.index, entry.kept, log_origin=self._signer.log_origin)
        token = self._signer.authorization(signed, SPEND_TYPE)
        return replace(tell_closed(closed), authorization=token, index=entry.index)
