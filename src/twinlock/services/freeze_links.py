"""Freezing by the link of a notice. A GET shows what it would do; only a POST comes here."""

import hmac
from datetime import datetime

from twinlock.domain.account import Account, ActionUnknownError, OpenAction
from twinlock.domain.answers import Answered
from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.canonical import b64url
from twinlock.domain.channels import Channel
from twinlock.domain.commands import FreezeByLink
from twinlock.domain.freeze_links import freezer, link_stands
from twinlock.domain.gate import decide
from twinlock.domain.ids import ENTROPY_BYTES, ActionId, ChannelId, account_of
from twinlock.domain.ids import action_id as new_action_id
from twinlock.domain.vetoes import freeze_token
from twinlock.ports import Clock, Entropy, Idempotency, Policies, Store, Work
from twinlock.ports.ruled import by_rules


class FreezeLinks:
    """The use case of the link that freezes."""

    def __init__(self, store: Store, *, policies: Policies, entropy: Entropy, clock: Clock) -> None:
        self._store = store
        self._policies = policies
        self._entropy = entropy
        self._clock = clock

    async def look(self, about: ActionId, channel_id: str, token: str) -> tuple[Account, Channel]:
        """Return the account that the link would freeze, and the channel that it was sent to.

        Raises:
            ActionUnknownError: the link leads to nothing, or to nothing any more.
            ProofRefusedError: we sent no such link.
        """
        account = await self._store.account(account_of(about))
        action, ended_at = await self._about(account, about)
        named = freeze_token(action, ChannelId(channel_id))
        if not hmac.compare_digest(named.encode(), token.encode()):
            raise ProofRefusedError(ProofFault.CODE_WRONG)
        now = self._clock.now(database_at=None)
        channel = freezer(account, channel_id, told_at=action.proposed_at)
        if channel is None or not link_stands(ended_at=ended_at, now=now):
            raise ActionUnknownError("this link leads to nothing any more")
        return account, channel

    async def _about(self, account: Account, about: ActionId) -> tuple[OpenAction, datetime | None]:
        for action in account.actions:
            if action.action_id == about:
                return action, None
        closed = await self._store.closed_action(about)
        if closed is None:
            raise ActionUnknownError("this link leads to nothing")
        return closed.action, closed.ended.at

    async def freeze(
        self,
        about: ActionId,
        channel_id: str,
        token: str,
        *,
        actor: str,
        idempotency: Idempotency,
    ) -> tuple[ActionId, Answered | None]:
        """Freeze; return the freeze's id, and the answer, or None where its key did so before.

        What was asked for by the same channel, and waits for more, is not asked for once more.

        Raises:
            ActionUnknownError, ProofRefusedError: as ``look``.
            IdempotencyConflictError: the key was used for something else.
        """
        account, channel = await self.look(about, channel_id, token)
        action, _ = await self._about(account, about)
        random = self._entropy.draw(ENTROPY_BYTES + 32)
        command = FreezeByLink(
            freeze_id=new_action_id(account.account_id, random[:ENTROPY_BYTES]),
            veto_key=b64url(random[ENTROPY_BYTES:]),
            channel_id=channel.channel_id,
            told_at=action.proposed_at,
        )
        committed = await by_rules(
            self._policies,
            lambda rules: self._store.run(
                Work(
                    account_id=account.account_id,
                    decide=lambda state, now: decide(state, command, rules=rules, now=now),
                    actor=actor,
                    policy=rules.policy.name,
                    idempotency=idempotency,
                    teller=self._policies.teller(),
                )
            ),
        )
        if committed.repeated:
            return ActionId(committed.repeated), None
        return ActionId(committed.answered.action_id), committed.answered
