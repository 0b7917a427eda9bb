"""One account for a roaming thief: the World's gate and store, a clock, and what people do there.

Commands are what the services make of requests once their cryptography was checked: a proof is the
right answer of something that somebody holds, or it is wrong. All that is random is drawn from one
seed, so that a life can be lived again.

Always true (tests/unit/range/test_roaming.py): the same seed is answered the same.
"""

from collections import Counter
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

from twinlock.bootstrap.rulebook import RuleBook
from twinlock.domain.account import Account, ApiKey, OpenAction, Session
from twinlock.domain.actions import AnyPayload, Place, place_of
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.model import Authenticator, Passkey, Totp, factor_of
from twinlock.domain.canonical import b64url, encode, tagged_hash
from twinlock.domain.channels import Channel
from twinlock.domain.commands import (
    Ask,
    Command,
    EndSession,
    Propose,
    Prove,
    Right,
    SessionSignature,
    Spend,
    Wrong,
)
from twinlock.domain.decisions import Decision, Rules
from twinlock.domain.entries import ClosedAction
from twinlock.domain.errors import InvariantError, TwinlockError, present
from twinlock.domain.events import ActionSpent
from twinlock.domain.exits import Exit, asset_in
from twinlock.domain.forgetting import naming
from twinlock.domain.gate import decide
from twinlock.domain.ids import (
    ENTROPY_BYTES,
    ActionId,
    ChallengeId,
    ChannelId,
    DestinationId,
    MemberId,
    SessionId,
    action_id,
    tail,
)
from twinlock.domain.likeness import with_look
from twinlock.domain.listed import Destination
from twinlock.domain.money import Prices, minor_units
from twinlock.domain.newcomers import links
from twinlock.domain.notices import Notice
from twinlock.domain.proving import AT_ONCE, CODES, SENT, against
from twinlock.domain.requirements import Answer
from twinlock.ports import Outgoing, Work
from twinlock.range.memory_store import MemoryStore
from twinlock.range.weather import SteerableClock, Weather

TICK = timedelta(seconds=1)  # What passes with each command.
CENTS = 100  # US cents for one of any asset: how much leaves is for the thief to draw.
ACTOR = "range"
STEP_SECONDS = 30  # RFC 6238, 5.2
LETTERS_MOST = 1_000  # More than one command causes.
NOWHERE = "203.0.113.66"  # From where a stolen API key is used.
Source: TypeAlias = Authenticator | Channel | ApiKey


def seeded(text: str) -> Random:
    """Return a generator that draws the same for the same ``text``."""
    return Random(text)  # noqa: S311 - nothing secret is drawn from it


class Speaker(StrEnum):
    """Whose command it is."""

    THIEF = "thief"
    OWNER = "owner"


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One command that was decided, by whom it was given, and its answer."""

    at: datetime
    speaker: Speaker
    command: Command
    answer: Answer


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What was spent: by which action, when, and what it is worth by our own count."""

    action: OpenAction
    at: datetime
    cents: int


class Seeded:
    """Random bytes of a seed. Implements ``ports.Entropy``."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def draw(self, size: int) -> bytes:
        """Return ``size`` bytes that the seed gives."""
        return self._random.randbytes(size)


def named_so(place: Place) -> DestinationId:
    """Return the id of a destination: the same for the same place."""
    parts = (place.network, place.address, place.memo)
    digest = tagged_hash("range/destination/v1", *(one.encode() for one in parts))
    return DestinationId(f"dst_{tail(digest[:ENTROPY_BYTES])}")


class Ground:
    """One account, its store and its clock. ``letters`` are the notices that nobody took yet."""

    def __init__(
        self, book: RuleBook, account: Account, *listed: Destination, seed: str, begins: datetime
    ) -> None:
        self._book = book
        self._random = seeded(f"{seed} ids")
        self.clock = SteerableClock(begins, Weather())
        self.store = MemoryStore(clock=self.clock, entropy=Seeded(self._random))
        self._symbols = {one.symbol: CENTS for one in book.policy.assets}
        for one in listed:
            account = naming(account, one)
            account = replace(account, looks=with_look(account, one.address))
            self.store.destinations[one.destination_id] = encode(one)
        self.account = account
        self.store.accounts[account.account_id] = encode(account)
        self.letters: list[Notice] = []
        self.left: list[Left] = []
        self.channels: dict[str, Channel] = {}
        self.speaker = Speaker.THIEF
        self.given: Counter[Speaker] = Counter()
        self.trace: list[Said] = []
        self.refused: Counter[str] = Counter()
        self.broken: list[str] = []
        self._note_channels()

    @property
    def now(self) -> datetime:
        """Return the time."""
        return self.clock.at

    @property
    def book(self) -> RuleBook:
        """Return the rules that decide."""
        return self._book

    def rules(self) -> Rules:
        """Return what the next decision is made by."""
        book = self._book
        return Rules(
            laws=book.laws,
            statutes=book.statutes,
            policy=book.policy,
            confirm=book.confirm,
            prices=Prices(as_of=self.now, cents=self._symbols),
            codes=book.codes,
        )

    # --- Commands ---

    async def run(self, command: Command) -> Decision | None:
        """Have ``command`` decided and booked; None where it was none that can be decided."""
        self.clock.set_forward(self.now + TICK)
        self.given[self.speaker] += 1
        rules = self.rules()
        before = self.account
        work = Work(
            account_id=self.account.account_id,
            decide=lambda state, now: decide(state, command, rules=rules, now=now),
            actor=ACTOR,
            policy=self._book.policy.name,
            destination_id=self.where(command),
        )
        try:
            committed = await self.store.run(work)
        except InvariantError as broken:  # Our own mistake, and a finding.
            self.broken.append(f"{type(command).__name__}: {broken}")
            return None
        except TwinlockError as error:
            self.refused[error.code] += 1
            return None
        decided = present(committed.decided, "nothing is repeated here")
        said = Said(
            at=self.now, speaker=self.speaker, command=command, answer=decided.answer.answer
        )
        self.trace.append(said)
        self.account = decided.state.account
        for decision in decided.decisions:
            self._note_spends(before, decision)
        self._note_channels()
        await self.store.deliver(self._take, most=LETTERS_MOST)
        return decided.answer

    async def _take(self, outgoing: Outgoing) -> None:
        self.letters.append(outgoing.notice)

    def _note_spends(self, before: Account, decision: Decision) -> None:
        for event in decision.events:
            if isinstance(event, ActionSpent):
                action = before.action(event.action_id)
                self.left.append(Left(action=action, at=event.at, cents=self.worth(action)))

    def _note_channels(self) -> None:
        for channel in self.account.channels:
            self.channels.update((one.channel_id, one) for one in links(channel))

    def worth(self, action: OpenAction) -> int:
        """Return what leaves by ``action``, in US cents, by our own count."""
        payload = action.payload
        if not isinstance(payload, Exit):
            return 0
        asset = asset_in(payload, self._book.policy.assets)
        units: int = 10**asset.decimals
        return -(-minor_units(payload.amount_minor) * CENTS // units)

    def where(self, command: Command) -> DestinationId | None:
        """Return the destination that ``command`` is about, or None."""
        payload = getattr(command, "payload", None)
        if payload is None:
            action = self.find(getattr(command, "action_id", ""))
            payload = None if action is None else action.payload
        place = None if payload is None else place_of(payload)
        return None if place is None else named_so(place)

    # --- What people do ---

    def draw(self, size: int = ENTROPY_BYTES) -> bytes:
        """Return bytes that the seed gives."""
        return self._random.randbytes(size)

    def name(self, prefix: str) -> str:
        """Return a new name of something."""
        return f"{prefix}_{tail(self.draw())}"

    async def propose(
        self,
        payload: AnyPayload,
        secret: str = "",
        *,
        session: SessionSignature | None = None,
        claimed_cents: int = 0,
        member: MemberId | None = None,
    ) -> ActionId:
        """Propose ``payload``, and return the name of its action, which may be over at once."""
        named = action_id(self.account.account_id, self.draw())
        place = place_of(payload)
        if not secret and place is not None:
            secret = named_so(place)
        command = Propose(
            action_id=named,
            member_id=member,
            payload=payload,
            veto_key=b64url(self.draw(32)),
            claimed_cents=claimed_cents,
            session=session,
            secret=secret,
        )
        await self.run(command)
        return named

    async def ask(
        self, action: str, factor: Factor, channel_id: str | None = None
    ) -> ChallengeId | None:
        """Put a question; return its name, or None where it was not asked."""
        command = Ask(
            action_id=ActionId(action),
            challenge_id=ChallengeId(self.name("chl")),
            factor=factor,
            nonce=b64url(self.draw(32)),
            channel_id=None if channel_id is None else ChannelId(channel_id),
            code_mac=b64url(self.draw(32)) if factor in SENT else "",
        )
        decision = await self.run(command)
        asked = decision is not None and decision.fault is None
        return command.challenge_id if asked else None

    async def answer(self, action: str, proof: Right | Wrong) -> Decision | None:
        """Give an answer."""
        command = Prove(action_id=ActionId(action), proof=proof, fresh=tail(self.draw()))
        return await self.run(command)

    async def show(
        self, action: str, source: Source, *, factor: Factor | None = None
    ) -> Right | None:
        """Ask for a proof of ``source`` and give the right one; return it where it was given.

        ``factor`` is what another person's passkey is shown as.
        """
        shown = factor or factor_shown(source)
        if shown is None or self.find(action) is None:
            return None
        challenge = None
        if shown not in AT_ONCE:
            to = source.channel_id if isinstance(source, Channel) else None
            challenge = await self.ask(action, shown, to)
            if challenge is None:
                return None
        right = self.right(action, source, shown, challenge)
        if right is not None:
            await self.answer(action, right)
        return right

    async def confirm(self, action: str) -> None:
        """Return the code that the channel got which ``action`` would add."""
        found = self.find(action)
        if found is None or not found.secret:
            return
        challenge = await self.ask(action, Factor.CHANNEL_CODE, found.secret)
        found = self.find(action)
        if challenge is None or found is None:
            return
        mac = next(one.code_mac for one in found.challenges if one.challenge_id == challenge)
        right = Right(
            factor=Factor.CHANNEL_CODE,
            source=found.secret,
            against=mac,
            challenge_id=challenge,
        )
        await self.answer(action, right)

    def right(
        self, action: str, source: Source, factor: Factor, challenge: ChallengeId | None
    ) -> Right | None:
        """Return the right answer of ``source``; an app shows its next code when one is used up."""
        found = self.find(action)
        if found is None:
            return None
        named: str
        match source:
            case Channel(channel_id=named):
                macs = {one.challenge_id: one.code_mac for one in found.challenges}
                if challenge not in macs:
                    return None
                checked = macs[challenge]
            case ApiKey(api_key_id=named, public_key=checked):
                pass
            case _:
                named = source.authenticator_id
                checked = next(iter(against(source)), "")
        if isinstance(source, Totp):
            self._wait_for_a_code(source)
        return Right(
            factor=factor,
            source=named,
            against=checked,
            challenge_id=challenge,
            totp_step=int(self.now.timestamp()) // STEP_SECONDS,
            sign_count=source.sign_count + 1 if isinstance(source, Passkey) else 0,
            ip=NOWHERE if factor is Factor.API_KEY else "",
        )

    def _wait_for_a_code(self, app: Totp) -> None:
        bound = self.account.authenticator(app.authenticator_id)
        used = bound.last_step if isinstance(bound, Totp) else 0
        self.clock.set_forward(
            datetime.fromtimestamp((used + 1) * STEP_SECONDS, tz=self.now.tzinfo)
        )

    def signs(self, session: Session) -> SessionSignature:
        """Return the signature of a session's device, now."""
        return SessionSignature(
            session_id=session.session_id, thumbprint=session.thumbprint, signed_at=self.now
        )

    def device_signs(self, device: str) -> SessionSignature:
        """Return what a device signs that signs in."""
        return SessionSignature(session_id=SessionId(""), thumbprint=device, signed_at=self.now)

    async def spend(self, action: str) -> bool:
        """Have the platform send what ``action`` asks for; say whether it left."""
        found = self.find(action)
        if found is None or not isinstance(found.payload, Exit):
            return False
        before = len(self.left)
        command = Spend(action_id=ActionId(action), spend_id=tail(self.draw()), fee_minor="0")
        await self.run(command)
        return len(self.left) > before

    async def settle(self) -> None:
        """Let what is due take effect: any command does."""
        await self.run(EndSession(session_id=SessionId("ses_nobody")))

    # --- Looking ---

    def find(self, action: str) -> OpenAction | None:
        """Return an open action, or None."""
        return next((one for one in self.account.actions if one.action_id == action), None)

    async def closed(self, action: str) -> ClosedAction | None:
        """Return an action that is over, or None."""
        return await self.store.closed_action(ActionId(action))


def factor_shown(source: Source) -> Factor | None:
    """Return as which factor ``source`` is shown; a program takes no code."""
    match source:
        case Channel(kind=kind):
            return next((factor for factor, of in CODES.items() if of is kind), None)
        case ApiKey():
            return Factor.API_KEY
        case _:
            return factor_of(source)
