"""Noting with an account how far the word of a change that waits came."""

from twinlock.domain.commands import ReportNotice
from twinlock.domain.deliveries import Outcome
from twinlock.domain.erasure import AccountErasedError
from twinlock.domain.errors import (
    AccountUnknownError,
    DocumentTooLargeError,
    InvariantError,
    SealBrokenError,
    TwinlockError,
)
from twinlock.domain.gate import decide
from twinlock.domain.ids import AccountId, ActionId, ChannelId
from twinlock.domain.notices import NoticeKind
from twinlock.domain.parcels import TYPES, Owed
from twinlock.domain.webhooks.endpoints import (
    WebhookUnknownError,
    in_force,
    parse_webhook_id,
)
from twinlock.domain.webhooks.outcomes import carries
from twinlock.ports import Clock, Policies, Store, Work
from twinlock.ports.notices import DeliveryShelf, Endpoints, NoticeShelf
from twinlock.ports.ruled import by_rules
from twinlock.proofs.webhooks import SignedHeaders, WebhookSignatureError, check

ACTOR = "twinlock:notices"
OWED_MOST = 32  # In one look: each is a decision of its own.


class NoticeUnknownError(TwinlockError):
    """No message of this name waits for word from its carrier: it arrived, or is long over."""

    code = "notice_not_found"
    status = 404


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
        await by_rules(
            self._policies,
            lambda rules: self._store.run(
                Work(
                    account_id=account_id,
                    decide=lambda state, now: decide(state, command, rules=rules, now=now),
                    actor=ACTOR,
                    policy=rules.policy.name,
                )
            ),
        )

    async def settle(self, shelf: DeliveryShelf) -> int:
        """Note with their accounts what became of messages; return how many were noted.

        Prevents: one account that cannot note it, and beside which others' messages that failed are
        never noted, so that no wait of theirs is lengthened.

        Raises:
            UnavailableError: the rest is noted by whoever looks next.
            SealBrokenError, DocumentTooLargeError, InvariantError: so it is with an account's own;
                all others were noted.
        """
        owed, failed = await shelf.owed(most=OWED_MOST), None
        for one in owed:
            outcome = _outcome(one)
            about, channel = ActionId(one.parcel.notice.action_id), one.parcel.channel.channel_id
            try:
                await self.report(one.account_id, about, channel, outcome)
            except (AccountUnknownError, AccountErasedError):  # And its messages with it.
                continue
            except (SealBrokenError, DocumentTooLargeError, InvariantError) as error:
                failed = error
            else:
                await shelf.paid(one)
        if failed is not None:
            raise failed
        return len(owed)

    async def tell(self, shelf: NoticeShelf, name: str, *, arrived: bool) -> None:
        """Take a carrier's word on what became of a message; told again nothing changes.

        What arrived is noted here, and stays so. What failed is noted of the message, and with its
        account by whoever settles next. Prevents: two who note at once how far one message came, of
        whom the slower writes over what the other heard later.

        Raises:
            NoticeUnknownError: no message of this name waits for it.
        """
        found = await shelf.named(name)
        if found is None:
            raise NoticeUnknownError("no message of this name waits for word")
        if not arrived:
            await shelf.bounced(name)
            return
        notice = found.parcel.notice
        if notice.kind is NoticeKind.WAITING:
            about, channel = ActionId(notice.action_id), found.parcel.channel.channel_id
            await self.report(found.account_id, about, channel, Outcome.CONFIRMED)
        await shelf.arrived(name)


def _outcome(owed: Owed) -> Outcome:
    if owed.awaited:
        return Outcome.AWAITED
    return Outcome.HANDED if owed.handed else Outcome.FAILED


class Callbacks:
    """Who may tell what became of a message: the endpoint that carries it, by its signature."""

    def __init__(self, endpoints: Endpoints, shelf: NoticeShelf, *, clock: Clock) -> None:
        self._endpoints = endpoints
        self.shelf = shelf
        self._clock = clock

    async def check(self, webhook: str, name: str, signed: SignedHeaders, body: bytes) -> None:
        """Check that the endpoint ``webhook`` signed ``body`` just now, and carries ``name``.

        Prevents: a provider of one kind of messages that vouches for another's; and what was said
        once, told again weeks later.

        Raises:
            WebhookSignatureError, NoticeUnknownError: as they say.
        """
        try:
            endpoint = (await self._endpoints.read(parse_webhook_id(webhook))).endpoint
        except WebhookUnknownError as error:  # No stranger learns which ones there are.
            raise WebhookSignatureError("not signed with a secret of this webhook") from error
        now = self._clock.now(database_at=None)
        check(signed, body, in_force(endpoint, now=now), now=now)
        found = await self.shelf.named(name)
        named = None if found is None else TYPES.get(found.parcel.channel.kind)
        if named is None or not carries(endpoint.patterns, named):
            raise NoticeUnknownError("no message of this name waits for word")
