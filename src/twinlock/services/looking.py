"""Looking at an action: where it stands now. Decides nothing and writes nothing."""

from datetime import datetime
from typing import NoReturn

import msgspec

from twinlock.domain.account import (
    Account,
    ActionClosedError,
    ActionUnknownError,
    OpenAction,
    State,
)
from twinlock.domain.actions import AnyPayload, SessionStart, place_of
from twinlock.domain.answers import Answered, tell_closed, tell_open
from twinlock.domain.bounds import NEWCOMER_PERIOD
from twinlock.domain.canonical import decode
from twinlock.domain.commands import Repudiate
from twinlock.domain.concluding import facts_of
from twinlock.domain.decisions import Rules, authorize_facts
from twinlock.domain.entries import ClosedAction
from twinlock.domain.errors import present
from twinlock.domain.events import ActionDone
from twinlock.domain.forgetting import versions_of
from twinlock.domain.ids import ActionId, ChannelId, account_of
from twinlock.domain.likeness import pending, resembles
from twinlock.domain.naming import name_of
from twinlock.domain.newcomers import doubted
from twinlock.domain.reasons import Reason
from twinlock.domain.repudiations import bound_by, objection
from twinlock.ports import (
    Clock,
    Policies,
    Store,
)
from twinlock.ports.keys import (
    BlindIndex,
)


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """An open action with all that deciding it would read, at ``now`` (UTC)."""

    state: State
    action: OpenAction
    rules: Rules
    now: datetime


class Looking:
    """The use cases of looking."""

    def __init__(
        self, store: Store, *, clock: Clock, policies: Policies, blind: BlindIndex
    ) -> None:
        self._store = store
        self._clock = clock
        self._policies = policies
        self._blind = blind

    async def look(self, action_id: ActionId) -> Answered:
        """Return how an action stands.

        What is due and not yet settled shows as it will be decided. Raises ActionUnknownError.
        """
        found = await self.stand(action_id)
        return await self._with_resembled(await self._tell(found), found)

    async def beside(self, answered: Answered) -> Answered:
        """Return ``answered`` with the known addresses that it was refused for resembling."""
        if not _look_alike(answered):
            return answered
        found = await self.stand(ActionId(answered.action_id))
        return await self._with_resembled(answered, found)

    async def _with_resembled(self, answered: Answered, found: Standing | ClosedAction) -> Answered:
        if not _look_alike(answered):
            return answered
        return msgspec.structs.replace(answered, resembles=await self.resembled(found))

    async def resembled(self, found: Standing | ClosedAction) -> tuple[str, ...]:
        """Return the known addresses that the one of an action begins and ends like, whole."""
        return await _resembled(self._store, found.action.payload)

    async def _tell(self, found: Standing | ClosedAction) -> Answered:
        if isinstance(found, ClosedAction):
            return await self._tell_closed(found)
        facts = facts_of(found.state, found.action, rules=found.rules, now=found.now)
        return tell_open(found.action, authorize_facts(facts, rules=found.rules))

    async def _tell_closed(self, closed: ClosedAction) -> Answered:
        """Return how an action ended; of a sign-in also the session, while it lasts.

        Who proposed a sign-in that was proved on our own page learns here what it is called.
        """
        told, payload = tell_closed(closed), closed.action.payload
        if not isinstance(payload, SessionStart) or not isinstance(closed.ended, ActionDone):
            return told
        account = await self._store.account(payload.account)
        for session in account.sessions:
            begun = session.thumbprint == payload.device and session.started_at == closed.ended.at
            if begun:
                return msgspec.structs.replace(told, session_id=session.session_id)
        return told

    async def stand(self, action_id: ActionId) -> Standing | ClosedAction:
        """Return an action as it stands, for who tells a person. Raises ActionUnknownError."""
        account = await self._store.account(account_of(action_id))
        try:
            action = account.action(action_id)
        except ActionUnknownError:
            closed = await self._store.closed_action(action_id)
            if closed is None:
                raise
            return closed
        place = place_of(action.payload)
        where = None if place is None else name_of(account, self._blind.names(place))
        found = None if where is None else await self._store.destination(account.account_id, where)
        return Standing(
            state=State(
                account=account,
                destination_id=where,
                destination=found,
                halted_at=await self._store.halted_at(),
            ),
            action=action,
            rules=self._policies.rules(),
            now=self._clock.now(database_at=None),
        )

    async def objection(
        self, closed: ClosedAction, channel_id: ChannelId
    ) -> tuple[datetime | None, Reason | None]:
        """Return until when a channel can undo what an action bound, and why it may not.

        Neither where the action bound nothing.
        """
        target = bound_by(closed.action) if isinstance(closed.ended, ActionDone) else ""
        if not target:
            return None, None
        command = Repudiate(
            action_id=closed.action.action_id,
            target=target,
            entry=closed.entry,
            bound_at=closed.ended.at,
            channel_id=channel_id,
        )
        account = await self._store.account(account_of(closed.action.action_id))
        now = self._clock.now(database_at=None)
        return closed.ended.at + NEWCOMER_PERIOD, objection(account, command, now=now)

    async def is_undone(self, closed: ClosedAction) -> bool:
        """Say whether what an action bound was repudiated since."""
        if not isinstance(closed.ended, ActionDone) or not bound_by(closed.action):
            return False
        account = await self._store.account(account_of(closed.action.action_id))
        return doubted(account, closed.entry)

    async def explain_gone(self, action_id: ActionId) -> NoReturn:
        """Say of an action that is not open whether it is over or never was.

        Raises:
            ActionClosedError: it is over.
            ActionUnknownError: there is none.
        """
        closed = await self._store.closed_action(action_id)
        if closed is None:
            raise ActionUnknownError("no action of this id")
        raise ActionClosedError(f"this action is over: {tell_closed(closed).state}")


def _look_alike(answered: Answered) -> bool:
    return any(why.code is Reason.LOOK_ALIKE for why in answered.why)


async def _resembled(store: Store, payload: AnyPayload) -> tuple[str, ...]:
    """Return the known addresses that the one in ``payload`` resembles, whole."""
    place = present(place_of(payload), "what resembles something leads somewhere")
    account = await store.account(place.account)
    known = {one.address for one in pending(account)}
    known |= await _listed(store, account)
    known |= await _paid(store, account)
    return tuple(sorted(one for one in known if resembles(place.address, one)))


async def _listed(store: Store, account: Account) -> set[str]:
    found = [await store.destination(account.account_id, one) for one in versions_of(account)]
    return {one.address for one in found if one is not None}


async def _paid(store: Store, account: Account) -> set[str]:
    """Return what was paid without being listed: its address stands in the entry of the spend."""
    found = set()
    for number in account.paid.values():
        entry = present(await store.entry(account.account_id, number), "a spend has its entry")
        paid: dict[str, str] = decode(entry.kept.openings["payload"].value.encode("utf-8"))
        found.add(paid["address"])
    return found
