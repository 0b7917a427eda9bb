"""From a notice to what each channel is told: links as they are good for at that moment."""

from twinlock.domain.account import Account
from twinlock.domain.ids import ActionId
from twinlock.domain.letters import About, Letter, letter_to
from twinlock.domain.notices import Notice, NoticeKind
from twinlock.domain.parcels import Parcel, addressed
from twinlock.ports import Outgoing, Store


class Telling:
    """What is told to whom. ``origin`` is where the pages stand."""

    def __init__(self, store: Store, *, origin: str) -> None:
        self._store = store
        self._origin = origin

    async def letters(self, outgoing: Outgoing) -> tuple[Letter, ...]:
        """Return the notice as each of its channels gets it."""
        account, notice = outgoing.account, outgoing.notice
        about = await self._about(account, notice)
        return tuple(
            letter_to(
                account,
                channel,
                notice,
                about=about,
                origin=self._origin,
                name=f"{outgoing.outbox_id:012d}-{channel.channel_id}",
            )
            for channel in addressed(account, notice)
        )

    async def letter(self, account: Account, parcel: Parcel, *, name: str) -> Letter:
        """Return the notice of ``parcel`` as its channel gets it, of ``account`` as it stands.

        Prevents: a link that does nothing any more, in a message that had to wait for a day.
        """
        about = await self._about(account, parcel.notice)
        return letter_to(
            account, parcel.channel, parcel.notice, about=about, origin=self._origin, name=name
        )

    async def _about(self, account: Account, notice: Notice) -> About:
        """Return what ``notice`` tells of, open or over, and whether its link would do anything."""
        if not notice.action_id:
            return About()
        waiting = notice.kind in (NoticeKind.WAITING, NoticeKind.CONTESTED)
        named = (one for one in account.actions if one.action_id == notice.action_id)
        found = next(named, None)
        if found is not None:
            return About(found, waiting)
        closed = await self._store.closed_action(ActionId(notice.action_id))
        if closed is None:
            return About()
        return About(closed.action, not waiting and notice.undo_until is not None)
