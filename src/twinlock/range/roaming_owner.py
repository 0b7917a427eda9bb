"""The honest owner beside a roaming thief: she reads what she is told, and stops what is not hers.

A message on a channel that the thief did not silence is read within a day (``OWNER_REACTS``), as
the prover assumes. Of what waits she says no, by every link that she has; what was bound she calls
none of hers. A careful owner freezes, revokes and takes off the list, too. Now and then she signs
in, pays to an address of hers, or lists another one: a thief may ride on that.
"""

import heapq
from collections.abc import Iterable
from datetime import datetime, timedelta

from twinlock.domain.account import ActionState, OpenAction, Session
from twinlock.domain.actions import (
    AnyPayload,
    ApiKeyCreate,
    ApiKeyRevoke,
    AuthenticatorRepudiate,
    ContactRepudiate,
    DestinationAdd,
    DestinationRemove,
    FreezeLift,
    LimitLower,
    LimitRaise,
    SessionStart,
)
from twinlock.domain.authenticators.model import Authenticator, Passkey, RecoveryCodes
from twinlock.domain.bounds import OWNER_REACTS
from twinlock.domain.canonical import b64url
from twinlock.domain.channels import Channel, ChannelKind
from twinlock.domain.commands import EndSession, FreezeByLink, Repudiate, Veto
from twinlock.domain.events import ActionDone
from twinlock.domain.exits import WithdrawalCrypto
from twinlock.domain.ids import action_id
from twinlock.domain.listed import Destination
from twinlock.domain.newcomers import newcomer
from twinlock.domain.notices import Notice, NoticeKind
from twinlock.domain.policy.facts import SessionState
from twinlock.domain.prover.enrolment import MEMBER
from twinlock.domain.proving import against
from twinlock.domain.repudiations import bound_by
from twinlock.range.roaming_ground import CENTS, Ground, Speaker, seeded

HERS = "@owner"  # How each address of hers ends.
# What passes between two looks at her clock, at the most: she is no later than within a day.
SLACK = timedelta(minutes=20)
OTHER_ADDRESS = "0x" + "9" * 40
PAYS_CENTS = 50_00
_QUIET = frozenset({NoticeKind.CODE, NoticeKind.VETOED, NoticeKind.DECIDED})
_WAITS = frozenset({NoticeKind.WAITING, NoticeKind.CONTESTED, NoticeKind.LEFT})


class Owner:
    """Lives on ``ground``; hears nothing on channels of the kinds ``muted``."""

    def __init__(
        self,
        ground: Ground,
        *,
        seed: str,
        muted: frozenset[ChannelKind],
        device: str,
        pays: Destination,
    ) -> None:
        self._ground = ground
        self._random = seeded(f"{seed} owner")
        self._muted = muted
        self._device = device
        self._pays = pays
        self._secrets = {secret for one in ground.account.authenticators for secret in against(one)}
        self._due: list[tuple[datetime, int, Notice | None]] = []
        self._count = 0
        self._own: set[str] = set()
        self.careful = self._chance(0.7)
        self.vetoed = 0
        self.in_vain = 0
        self._plan()

    def _chance(self, part: float) -> bool:
        return self._random.random() < part

    # --- Time ---

    async def live_until(self, at: datetime) -> None:
        """Let time pass until ``at``, with all that she does meanwhile."""
        self._listen()
        while self._due and self._due[0][0] <= at:
            due, _, letter = heapq.heappop(self._due)
            self._ground.clock.set_forward(due)
            self._ground.speaker = Speaker.OWNER
            await (self._go_about() if letter is None else self._react(letter))
            self._ground.speaker = Speaker.THIEF
            self._listen()
        self._ground.clock.set_forward(at)

    def _listen(self) -> None:
        for letter in self._ground.letters:
            if self._heard(letter) and letter.kind not in _QUIET:
                most = (OWNER_REACTS - SLACK).total_seconds()
                late = self._random.choice([60.0, most / 2, most, most])
                self._put(letter.at + timedelta(seconds=late), letter)
        self._ground.letters.clear()

    def _put(self, at: datetime, letter: Notice | None) -> None:
        self._count += 1
        heapq.heappush(self._due, (at, self._count, letter))

    def _plan(self) -> None:
        self._put(self._ground.now + timedelta(days=self._random.uniform(1, 5)), None)

    def _heard(self, letter: Notice) -> list[Channel]:
        """Return the channels on which she reads ``letter``."""
        gone = {one.channel_id: one for one in letter.gone}
        every = (
            self._ground.channels.get(named) or gone.get(named)
            for named in (*letter.channels, *gone)
        )
        return [one for one in every if one is not None and self._reads(one)]

    def _reads(self, channel: Channel) -> bool:
        return channel.address.endswith(HERS) and channel.kind not in self._muted

    # --- What she shows ---

    def _holds(self, one: Authenticator) -> bool:
        own = not self._secrets.isdisjoint(against(one))
        return own and one.member_id == MEMBER and not one.suspended(self._ground.now)

    def _things(self) -> list[Authenticator]:
        """Return what she proves with, the strongest first; saved codes stay in their drawer."""
        held = [one for one in self._ground.account.authenticators if self._holds(one)]
        keys: list[Authenticator] = [one for one in held if isinstance(one, Passkey)]
        saved = (*keys, *(one for one in held if isinstance(one, RecoveryCodes)))
        return [*keys, *(one for one in held if one not in saved)]

    def _session(self) -> Session | None:
        """Return a session of her device that may do more than look."""
        for one in self._ground.account.sessions:
            live = one.state(self._ground.now) is SessionState.FULL
            if one.thumbprint == self._device and one.member_id == MEMBER and live:
                return one
        return None

    async def _sign_in(self) -> Session | None:
        payload = SessionStart(account=self._ground.account.account_id, device=self._device)
        signed = self._ground.device_signs(self._device)
        action = await self._ground.propose(payload, session=signed)
        self._own.add(action)
        await self._prove(action)
        return self._session()

    async def _prove(self, action: str) -> None:
        codes: list[Authenticator | Channel] = [
            one for one in self._ground.account.channels if one.address.endswith(HERS)
        ]
        for source in (*self._things(), *codes):
            found = self._ground.find(action)
            if found is None or found.state is ActionState.AUTHORIZED:
                return
            await self._ground.show(action, source)

    async def _do(self, payload: AnyPayload) -> str:
        """Ask for ``payload`` and prove it; return its action."""
        session = self._session() or await self._sign_in()
        signed = None if session is None else self._ground.signs(session)
        action = await self._ground.propose(payload, session=signed)
        self._own.add(action)
        await self._prove(action)
        return action

    # --- What she does of her own accord ---

    async def _go_about(self) -> None:
        account = self._ground.account
        until = account.freeze.until
        if until is not None and until > self._ground.now:
            await self._do(FreezeLift(account=account.account_id))
        else:
            what = self._random.choice([self._sign_in, self._pay, self._pay, self._list])
            await what()
        self._plan()

    async def _pay(self) -> None:
        coin = next(one for one in self._ground.book.policy.assets if one.contract)
        payload = WithdrawalCrypto(
            account=self._ground.account.account_id,
            asset=coin.symbol,
            network=coin.network,
            contract=coin.contract,
            decimals=coin.decimals,
            address=self._pays.address,
            memo="",
            amount_minor=str(PAYS_CENTS * 10**coin.decimals // CENTS),
            max_fee_minor="0",
        )
        await self._ground.spend(await self._do(payload))

    async def _list(self) -> None:
        await self._do(
            DestinationAdd(
                account=self._ground.account.account_id,
                network=self._pays.network,
                address=OTHER_ADDRESS,
                memo="",
            )
        )

    # --- What she says of what is not hers ---

    async def _react(self, letter: Notice) -> None:
        if letter.action_id in self._own or not letter.action_id:
            return
        heard = self._heard(letter)
        action = self._ground.find(letter.action_id)
        if letter.kind in _WAITS and action is not None:
            await self._say_no(action, heard)
        elif letter.kind is NoticeKind.DONE or letter.kind in _WAITS:
            await self._undo(letter, heard)
        if self.careful and letter.kind is not NoticeKind.REFUSED:
            await self._freeze(letter, heard)

    async def _say_no(self, action: OpenAction, heard: Iterable[Channel]) -> None:
        """Say no by each link, and by her device where no link is heard."""
        named = action.action_id
        for channel in heard:
            if self._ground.find(named) is not None:
                await self._ground.run(Veto(action_id=named, channel_id=channel.channel_id))
        if self._ground.find(named) is not None:
            session = self._session() or await self._sign_in()
            if session is not None:
                signed = self._ground.signs(session)
                await self._ground.run(Veto(action_id=named, session=signed))
        stands = self._ground.find(named) is not None
        self.in_vain += stands
        self.vetoed += not stands

    async def _undo(self, letter: Notice, heard: Iterable[Channel]) -> None:
        """Call what was bound none of hers; a careful owner ends what else came about."""
        closed = await self._ground.closed(letter.action_id)
        if closed is None or not isinstance(closed.ended, ActionDone):
            return
        target = bound_by(closed.action)
        for channel in heard if target else ():
            await self._ground.run(
                Repudiate(
                    action_id=closed.action.action_id,
                    target=target,
                    entry=closed.entry,
                    bound_at=closed.ended.at,
                    channel_id=channel.channel_id,
                )
            )
        if target and newcomer(self._ground.account, target) is not None and self.careful:
            await self._repudiate(target)
        if self.careful:
            await self._end(closed.action)

    async def _repudiate(self, target: str) -> None:
        named = self._ground.account.account_id
        if target.startswith("chn_"):
            await self._do(ContactRepudiate(account=named, channel_id=target))
        else:
            await self._do(AuthenticatorRepudiate(account=named, authenticator_id=target))

    async def _end(self, action: OpenAction) -> None:
        named, payload = self._ground.account.account_id, action.payload
        match payload:
            case DestinationAdd(network=network, address=address, memo=memo):
                await self._do(
                    DestinationRemove(account=named, network=network, address=address, memo=memo)
                )
            case ApiKeyCreate():
                await self._do(ApiKeyRevoke(account=named, api_key_id=action.secret))
            case LimitRaise():
                await self._do(LimitLower(account=named, day_cents=100_00, destination_cents=None))
            case SessionStart():
                await self._ground.run(EndSession(session_id=None))
            case _:
                pass

    async def _freeze(self, letter: Notice, heard: Iterable[Channel]) -> None:
        """Freeze by the link of the message; a link of something long gone leads to nothing."""
        action = self._ground.find(letter.action_id)
        if action is None:
            closed = await self._ground.closed(letter.action_id)
            action = None if closed is None else closed.action
        if action is None or self._chance(0.5):
            return
        for channel in heard:
            command = FreezeByLink(
                freeze_id=action_id(self._ground.account.account_id, self._ground.draw()),
                veto_key=b64url(self._ground.draw(32)),
                channel_id=channel.channel_id,
                told_at=action.proposed_at,
            )
            self._own.add(command.freeze_id)
            await self._ground.run(command)
