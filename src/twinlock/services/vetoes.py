"""Saying no: by a channel's link, or by a signed-in device. One tap, at once and for good.

Before something takes effect a no is a veto; for 30 days after it bound something, the same link
repudiates that.
"""

import hmac
from typing import Annotated

from msgspec import Meta

from twinlock.domain.account import ActionUnknownError, OpenAction
from twinlock.domain.answers import Answered
from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.commands import Repudiate, SessionSignature, Veto
from twinlock.domain.discreet import Discreet
from twinlock.domain.errors import MalformedError
from twinlock.domain.events import ActionDone
from twinlock.domain.gate import decide
from twinlock.domain.ids import ActionId, ChannelId, account_of
from twinlock.domain.repudiations import bound_by
from twinlock.domain.sessions import VETO, SignedDraft
from twinlock.domain.vetoes import veto_token
from twinlock.ports import (
    Idempotency,
    Policies,
    Store,
    Work,
)
from twinlock.ports.ruled import by_rules
from twinlock.proofs.sessions import check_session


class No(Discreet, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who says no: a channel with the secret of its link, or a session with its signature."""

    HIDDEN = frozenset({"token"})

    channel_id: Annotated[str, Meta(max_length=64)] = ""
    token: Annotated[str, Meta(max_length=64)] = ""
    session: SignedDraft | None = None


class Vetoes:
    """The use case of the veto."""

    def __init__(self, store: Store, *, policies: Policies) -> None:
        self._store = store
        self._policies = policies

    async def veto(
        self, action_id: ActionId, no: No, *, actor: str, idempotency: Idempotency
    ) -> Answered | None:
        """Veto an open action, or repudiate what it bound; None where its key did so before.

        Raises:
            ActionUnknownError: it is over, and bound nothing that can be repudiated.
            IdempotencyConflictError: the key was used for something else.
            MalformedError: it is nobody's no.
            ProofRefusedError: the link or the signature is not one of this action's.
        """
        account = await self._store.account(account_of(action_id))
        try:
            action = account.action(action_id)
        except ActionUnknownError:
            if await self._store.stands_for(account.account_id, idempotency) is not None:
                return None
            return await self._after_the_fact(action_id, no, actor=actor, idempotency=idempotency)
        if not no.channel_id and no.session is None:
            raise MalformedError("a no names its channel and token, or a session that signed it")
        command = Veto(
            action_id=action_id,
            channel_id=_channel(action, no),
            session=_session(action, no),
        )
        try:
            return await self._run(command, actor=actor, idempotency=idempotency)
        except ActionUnknownError:  # It took effect since it was read. Prevents: a no that is lost.
            return await self._after_the_fact(action_id, no, actor=actor, idempotency=idempotency)

    async def _after_the_fact(
        self, action_id: ActionId, no: No, *, actor: str, idempotency: Idempotency
    ) -> Answered | None:
        """Repudiate what an action bound that is done: one link serves before it and after."""
        closed = await self._store.closed_action(action_id)
        if closed is None or not isinstance(closed.ended, ActionDone):
            raise ActionUnknownError("no open action of this id")
        target = bound_by(closed.action)
        if not target:
            raise ActionUnknownError("nothing that is bound to undo")
        command = Repudiate(
            action_id=action_id,
            target=target,
            entry=closed.entry,
            bound_at=closed.ended.at,
            channel_id=_channel(closed.action, no),
            session=_session(closed.action, no),
        )
        if command.channel_id is None and command.session is None:
            raise MalformedError("a no names its channel and token, or a session that signed it")
        return await self._run(command, actor=actor, idempotency=idempotency)

    async def _run(
        self, command: Veto | Repudiate, *, actor: str, idempotency: Idempotency
    ) -> Answered | None:
        committed = await by_rules(
            self._policies,
            lambda rules: self._store.run(
                Work(
                    account_id=account_of(command.action_id),
                    decide=lambda state, now: decide(state, command, rules=rules, now=now),
                    actor=actor,
                    policy=rules.policy.name,
                    idempotency=idempotency,
                    action_id=command.action_id,
                    teller=self._policies.teller(),
                )
            ),
        )
        return None if committed.repeated else committed.answered


def _channel(action: OpenAction, no: No) -> ChannelId | None:
    if not no.channel_id:
        return None
    channel_id = ChannelId(no.channel_id)
    if not hmac.compare_digest(veto_token(action, channel_id).encode(), no.token.encode()):
        raise ProofRefusedError(ProofFault.CODE_WRONG)
    return channel_id


def _session(action: OpenAction, no: No) -> SessionSignature | None:
    if no.session is None:
        return None
    return check_session(no.session, purpose=VETO, name=action.action_id, digest=action.digest)
