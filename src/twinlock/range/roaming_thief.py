"""A thief who roams: with what his capabilities give he does whatever comes to mind.

Each move is drawn from a seed of its own, so that moves can be left out and the others stay the
same. He proves with what he holds, and with nothing else: what he cannot show is wrong.
"""

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime, timedelta
from math import log10

from twinlock.domain.account import ActionState, ApiKey, OpenAction, Session
from twinlock.domain.actions import ContactChange, SessionStart
from twinlock.domain.assurance import Factor, Placement
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.authenticators.model import (
    Authenticator,
    Passkey,
    Password,
    RecoveryCodes,
    Totp,
    built_in,
)
from twinlock.domain.canonical import b64url
from twinlock.domain.catalogue import WITHDRAW_SCOPE
from twinlock.domain.channels import Channel, ChannelKind
from twinlock.domain.commands import (
    EndSession,
    Erase,
    FreezeByLink,
    RecordTrading,
    ReportFlood,
    ReportNotice,
    ReportSimChange,
    Repudiate,
    Right,
    SessionSignature,
    Veto,
    Wrong,
)
from twinlock.domain.deliveries import Outcome
from twinlock.domain.exits import Exit
from twinlock.domain.ids import MemberId, SessionId, action_id
from twinlock.domain.members import member_ids
from twinlock.domain.newcomers import bound
from twinlock.domain.prover.capabilities import Mean
from twinlock.domain.proving import against
from twinlock.range.roaming_ground import Ground, Source, seeded
from twinlock.range.roaming_wishes import DEVICES, OWN, Wishes

WAITS_MOST = timedelta(days=40)
PATIENCE = (timedelta(hours=1), timedelta(days=1), timedelta(days=4), WAITS_MOST)
SHOWS_MOST = 5  # Proofs, in one go.
_OF_KIND = {
    Password: Mean.PASSWORD,
    Totp: Mean.TOTP,
    RecoveryCodes: Mean.SAVED_CODE,
}
Wait = Callable[[datetime], Awaitable[None]]


def reads(means: Collection[Mean]) -> frozenset[ChannelKind]:
    """Return the kinds of the owner's channels that are read with ``means``.

    Her own program is read by whoever has the computer; to bury its messages is not to read them.
    """
    found = {
        ChannelKind.EMAIL: Mean.READ_EMAIL in means,
        ChannelKind.SMS: Mean.READ_SMS in means,
        ChannelKind.DESKTOP: Mean.MUTE_DESKTOP in means and Mean.DEVICE in means,
    }
    return frozenset(kind for kind, read in found.items() if read)


def mean_of(one: Authenticator) -> Mean:
    """Return what it takes to prove with ``one`` of the owner's."""
    if not isinstance(one, Passkey):
        return _OF_KIND[type(one)]
    if built_in(one):
        return Mean.BUILT_IN_KEY
    return Mean.ROAMING_KEY if one.placement is Placement.ROAMING else Mean.PHONE_KEY


class Thief:
    """Roams on ``ground``. ``asked`` are his actions; ``wait`` lets time pass for everybody."""

    def __init__(self, ground: Ground, *, seed: str, means: Collection[Mean], wait: Wait) -> None:
        self._ground = ground
        self._seed = seed
        self._means = means
        self._reads = reads(means)
        self._wait = wait
        self._given: list[Right] = []
        self.asked: set[str] = set()
        self._random = seeded(f"{seed} thief")
        self._patience = self._random.choice(PATIENCE)

    async def move(self, number: int) -> None:
        """Do one thing, which the seed and ``number`` draw."""
        self._random = seeded(f"{self._seed} move {number}")
        some = (self._ask, self._go_on, self._linger, self._disturb, self._botch)
        does = self._random.choices(some, (40, 15, 25, 12, 8))[0]
        await does()

    def _chance(self, part: float) -> bool:
        return self._random.random() < part

    # --- What he holds ---

    def _is_own(self, one: Authenticator) -> bool:
        return any(secret.startswith(OWN) for secret in against(one))

    def _holds(self, one: Authenticator) -> bool:
        if self._is_own(one):
            return True
        return mean_of(one) in self._means

    def _reads_of(self, channel: Channel) -> bool:
        return channel.address.startswith(OWN) or channel.kind in self._reads

    def _has(self, key: ApiKey) -> bool:
        if len({*key.public_key}) == 1:  # Of his, as ``Wishes`` makes them.
            return True
        power = Mean.WITHDRAW_KEY if WITHDRAW_SCOPE in key.scopes else Mean.TRADE_KEY
        return power in self._means

    def _sources(self, action: OpenAction) -> list[tuple[Source, Factor | None]]:
        """Return what he can show for ``action``, and as what, where it is another person's."""
        account = self._ground.account
        found: list[tuple[Source, Factor | None]] = [
            (one, None if one.member_id == action.member_id else Factor.MEMBER)
            for one in account.authenticators
            if self._holds(one)
        ]
        found += [(one, None) for one in account.channels if self._reads_of(one)]
        found += [
            (one, Factor.TRUSTED_CONTACT)
            for one in account.contacts
            if Mean.CONTACT in self._means or self._is_own(one)
        ]
        if isinstance(action.payload, Exit):
            found += [(one, None) for one in account.api_keys if self._has(one)]
        self._random.shuffle(found)
        if self._chance(0.6):
            found.sort(key=lambda one: not isinstance(one[0], Passkey | Totp | ApiKey))
        return found

    def _signed(self) -> SessionSignature | None:
        """Return a session that he signs in, or only names."""
        some = [one for one in self._ground.account.sessions if self._has_session(one)]
        if not some or self._chance(0.3):
            return None
        session = self._random.choice(some)
        if session.thumbprint in DEVICES or Mean.DEVICE in self._means:
            return self._ground.signs(session)
        return SessionSignature(session_id=session.session_id, thumbprint="", signed_at=None)

    def _has_session(self, session: Session) -> bool:
        theirs = Mean.DEVICE in self._means or Mean.COOKIE in self._means
        return session.thumbprint in DEVICES or theirs

    def _links(self) -> list[Channel]:
        return [one for one in self._ground.account.channels if self._reads_of(one)]

    # --- Asking for something, and going on with it ---

    async def _ask(self) -> None:
        account = self._ground.account
        member, assets = self._as_whom(), self._ground.book.policy.assets
        wishes = Wishes(self._random, account, member=member, assets=assets)
        payload, secret = wishes.any()
        signed = self._signed()
        if isinstance(payload, SessionStart):
            own = payload.device in DEVICES or Mean.DEVICE in self._means
            signed = self._ground.device_signs(payload.device) if own else None
        claimed = wishes.cents() if self._chance(0.1) else 0
        action = await self._ground.propose(
            payload, secret, session=signed, claimed_cents=claimed, member=member
        )
        self.asked.add(action)
        if self._chance(0.9):
            await self._pursue(action)

    def _as_whom(self) -> MemberId:
        """Return which member he is: the owner, or one of his own."""
        return self._random.choice(member_ids(self._ground.account))

    async def _go_on(self) -> None:
        """Show something for an action that is open, whosever it is, or fetch what may leave."""
        every = self._ground.account.actions
        own = [one for one in every if one.action_id in self.asked]
        some = own if own and self._chance(0.8) else list(every)
        if some:
            await self._pursue(self._random.choice(some).action_id)

    async def _pursue(self, action: str) -> None:
        found = self._ground.find(action)
        if found is None:
            return
        for source, factor in self._sources(found)[: self._random.randint(1, SHOWS_MOST)]:
            open_now = self._ground.find(action)
            if open_now is None or open_now.state is ActionState.AUTHORIZED:
                break
            given = await self._ground.show(action, source, factor=factor)
            if given is not None:
                self._given.append(given)
        found = self._ground.find(action)
        if found is not None and isinstance(found.payload, ContactChange):
            if self._chance(0.9):
                await self._confirm(found, found.payload)
        elif found is not None and isinstance(found.payload, Exit):
            await self._fetch(found)

    async def _confirm(self, action: OpenAction, payload: ContactChange) -> None:
        if payload.new_address.startswith(OWN) and action.proved_at is not None:
            await self._ground.confirm(action.action_id)

    async def _fetch(self, action: OpenAction) -> None:
        """Have it sent, where it may be by now."""
        waited = action.until is None or action.until <= self._ground.now
        if action.state is ActionState.AUTHORIZED or (action.shown and waited):
            await self._ground.spend(action.action_id)

    # --- Waiting ---

    async def _linger(self) -> None:
        """Wait: for something that he asked for, or for as long as it pleases him."""
        now = self._ground.now
        own = [one for one in self._ground.account.actions if one.action_id in self.asked]
        ends = [one.until for one in own if one.until is not None and one.until > now]
        ends += [one.ends_at for one in self._ground.account.holds if one.ends_at > now]
        most = log10(self._patience.total_seconds())
        until = now + timedelta(seconds=10 ** self._random.uniform(0, most))
        if ends and self._chance(0.6):
            until = min(self._random.choice(ends) + timedelta(seconds=1), now + WAITS_MOST)
        await self._wait(until)
        ends = [one.until for one in self._ground.account.actions if one.until is not None]
        if any(end <= self._ground.now for end in ends):
            await self._ground.settle()
        for action in self._ground.account.actions:
            if action.action_id in self.asked and isinstance(action.payload, Exit):
                await self._fetch(action)

    # --- Disturbing the owner ---

    async def _disturb(self) -> None:
        some = (
            self._veto,
            self._repudiate,
            self._freeze,
            self._end,
            self._report,
            self._erase,
            self._trade,
            self._disquiet,
        )
        await self._random.choices(some, (8, 8, 2, 2, 3, 2, 1, 1))[0]()

    def _speaker(self) -> tuple[Channel | None, SessionSignature | None]:
        links = self._links()
        if links and self._chance(0.6):
            return self._random.choice(links), None
        return None, self._signed()

    async def _veto(self) -> None:
        channel, session = self._speaker()
        actions = self._ground.account.actions
        if actions and (channel or session):
            named = self._random.choice(actions).action_id
            by = None if channel is None else channel.channel_id
            await self._ground.run(Veto(action_id=named, channel_id=by, session=session))

    async def _repudiate(self) -> None:
        """Say of what was bound since that it was not him: only such things have a link."""
        account = self._ground.account
        first = min((one.entry for one in account.sessions), default=0)
        new = [one for one in bound(account) if one.entry > first]
        channel, session = self._speaker()
        if not new or not (channel or session):
            return
        one = self._random.choice(new)
        target = one.channel_id if isinstance(one, Channel) else one.authenticator_id
        command = Repudiate(
            action_id=action_id(account.account_id, self._ground.draw()),
            target=target,
            entry=one.entry,
            bound_at=one.bound_at,
            channel_id=None if channel is None else channel.channel_id,
            session=session,
        )
        await self._ground.run(command)

    async def _freeze(self) -> None:
        links = self._links()
        if links:
            command = FreezeByLink(
                freeze_id=action_id(self._ground.account.account_id, self._ground.draw()),
                veto_key=b64url(self._ground.draw(32)),
                channel_id=self._random.choice(links).channel_id,
                told_at=self._ground.now,
            )
            await self._ground.run(command)

    async def _end(self) -> None:
        session = self._signed()
        named = SessionId("ses_nobody") if session is None else session.session_id
        await self._ground.run(EndSession(session_id=named))

    async def _report(self) -> None:
        """Tell of a message what he likes, where he carries or reads it."""
        links, actions = self._links(), self._ground.account.actions
        if links and actions:
            command = ReportNotice(
                about=self._random.choice(actions).action_id,
                channel_id=self._random.choice(links).channel_id,
                outcome=self._random.choice(tuple(Outcome)),
            )
            await self._ground.run(command)

    async def _erase(self) -> None:
        """Have the platform erase what may be erased by now."""
        for action in self._ground.account.actions:
            if self._chance(0.3):
                await self._ground.run(Erase(action_id=action.action_id))

    async def _trade(self) -> None:
        """Have orders pass with what he has, so that it does not idle."""
        account = self._ground.account
        command = RecordTrading(
            api_key_ids=tuple(one.api_key_id for one in account.api_keys if self._has(one)),
            session_ids=tuple(one.session_id for one in account.sessions if self._has_session(one)),
        )
        await self._ground.run(command)

    async def _disquiet(self) -> None:
        """Have the platform hear of what he did to a mailbox or a number."""
        if Mean.MUTE_EMAIL in self._means:
            await self._ground.run(ReportFlood())
        if Mean.READ_SMS in self._means:
            await self._ground.run(ReportSimChange(changed_at=self._ground.now))

    # --- Doing it wrong ---

    async def _botch(self) -> None:
        actions = self._ground.account.actions
        if not actions:
            return
        action = self._random.choice(actions).action_id
        if self._given and self._chance(0.6):
            await self._ground.answer(action, self._random.choice(self._given))
        else:
            factor = self._random.choice(tuple(Factor))
            await self._ground.answer(action, Wrong(factor=factor, fault=ProofFault.CODE_WRONG))
