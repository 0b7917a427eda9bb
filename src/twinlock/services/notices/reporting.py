"""Noting with an account how far the word of a change that waits came."""

from twinlock.domain.commands import ReportNotice
from twinlock.domain.deliveries import Outcome
from twinlock.domain.errors import AccountUnknownError
from twinlock.domain.gate import decide
from twinlock.domain.ids import AccountId, ActionId, ChannelId
from twinlock.ports import Policies, Store, Work
from twinlock.ports.notices import DeliveryShelf

ACTOR = "twinlock:notices"
OWED_MOST = 32  # In one look: each is a decision of its own.


class Reporting:
    """The use case of what carriers and readers say of notices."""

    def __init__(self, store: Store, *, policies: Policies) -> None:
        self._store = store
        self._policies = policies

    async def report(
        self, account_id: AccountId, about: ActionId, channel_id: ChannelId, outcome: Outcome
    ) -> None:
        """Note what became of the word to a channel; nothing changes once the action is over.

        Raises:
            AccountUnknownError: there is no such account.
            UnavailableError: nothing was noted.
        """
        account = await self._store.account(account_id)
        if not any(one.action_id == about for one in account.actions):
            return  # No entry in the log for what nobody asks.
        command = ReportNotice(about=about, channel_id=channel_id, outcome=outcome)
        rules = self._policies.rules()
        await self._store.run(
            Work(
                account_id=account_id,
                decide=lambda state, now: decide(state, command, rules=rules, now=now),
                actor=ACTOR,
                policy=rules.policy.name,
            )
        )

    async def settle(self, shelf: DeliveryShelf) -> int:
        """Note with their accounts what became of messages; return how many were noted.

        Raises:
            UnavailableError: the rest is noted by whoever looks next.
        """
        owed = await shelf.owed(most=OWED_MOST)
        for one in owed:
            outcome = Outcome.HANDED if one.handed else Outcome.FAILED
            about, channel = ActionId(one.parcel.notice.action_id), one.parcel.channel.channel_id
            try:
                await self.report(one.account_id, about, channel, outcome)
            except AccountUnknownError:  # It was erased meanwhile, and its messages with it.
                continue
            await shelf.paid(one)
        return len(owed)
