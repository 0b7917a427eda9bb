"""A log of honest customers over months, made quickly by the real gate and the real store.

What is left out is HTTP and the customers' own signatures: proofs come to the gate as it takes them
from the services, with evidence of the length of a real one. Everything that an audit reads (boxes,
events, openings, facts, leaves, tiles, used keys) is written by the store itself.

Nine customers of ten come a few times; the others go on for weeks, and one in sixty for a year. All
sign up, sign in, list a destination and wait for it; then each visit is a sign-in and a withdrawal:
proposed on the session, proved by passkey, spent. A few answers are wrong, and some leave half-way.
"""

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bench.customers import ENTROPY
from twinlock.adapters.sql.outbox import Outbox
from twinlock.adapters.sql.policies import SqlPolicyTexts
from twinlock.adapters.sql.store import SqlStore
from twinlock.bootstrap.rulebook import rule_book
from twinlock.domain import ids
from twinlock.domain.account import Account, Candidate, Chain
from twinlock.domain.actions import (
    AnyPayload,
    AuthenticatorBind,
    DestinationAdd,
    Place,
    SessionStart,
    place_of,
)
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.authenticators.model import Passkey
from twinlock.domain.bounds import CHALLENGE_LIFETIME, ENROLMENT_WINDOW
from twinlock.domain.canonical import b64url, encode, tagged_hash
from twinlock.domain.channels import Channel, ChannelKind
from twinlock.domain.commands import (
    Ask,
    Command,
    Offer,
    OpenAccount,
    Propose,
    Prove,
    Right,
    SessionSignature,
    Spend,
    Wrong,
)
from twinlock.domain.decisions import Decision, Rules
from twinlock.domain.exits import WithdrawalCrypto
from twinlock.domain.gate import decide
from twinlock.domain.ids import (
    ActionId,
    AuthenticatorId,
    ChallengeId,
    ChannelId,
    DestinationId,
    MemberId,
    SessionId,
)
from twinlock.domain.money import Prices
from twinlock.ports import Committed, Idempotency, Outgoing, Work
from twinlock.ports.keys import BlindIndex

BEGINNING = datetime(2026, 1, 1, 9, tzinfo=UTC)
BETWEEN_VISITS = timedelta(hours=25)  # A new destination has waited by the second visit.
VISITS = (1, 2, 3, 4, 5, 6, 8, 10, 14)  # Of nine customers of ten.
WEEKS, YEAR = 40, 360  # Visits of the others.
YEAR_EVERY, WEEKS_EVERY, WRONG_EVERY, LEFT_EVERY = 60, 10, 9, 7
AT_ONCE = 192  # Customers in a hurry: three full batches.
ENTRIES_EACH = 108  # About the mean of the above, by which customers follow from entries.
CONTRACT = "0xdac17f958d2ee523a2206206994597c13d831ec7"
BOOK = rule_book()
PLATFORM = "platform:bench"


class PlayedClock:
    """The time as it is played; it ticks a millisecond a batch. Implements ``ports.Clock``."""

    def __init__(self) -> None:
        self.at = BEGINNING

    def now(self, *, database_at: datetime | None = None) -> datetime:  # noqa: ARG002 - the port's form
        """Return the time."""
        self.at += timedelta(milliseconds=1)
        return self.at


def rules(now: datetime) -> Rules:
    """Return what decides, with prices of that moment."""
    prices = Prices(as_of=now, cents={"USDT": 100, "ETH": 3_000_00})
    return Rules(
        laws=BOOK.laws,
        statutes=BOOK.statutes,
        policy=BOOK.policy,
        confirm=BOOK.confirm,
        prices=prices,
    )


class Player:
    """One customer, and what the platform does for them."""

    def __init__(
        self, store: SqlStore, blind: BlindIndex, clock: PlayedClock, *, visits: int
    ) -> None:
        self._store, self._blind, self._clock = store, blind, clock
        self.visits = visits
        self._account = ids.account_id(ENTROPY.draw(16))
        self._member = MemberId(_name("mem"))
        self._passkey = AuthenticatorId(_name("aut"))
        self._public_key = b64url(ENTROPY.draw(77))
        self._device = b64url(ENTROPY.draw(32))
        self._address = f"0x{ENTROPY.draw(20).hex()}"
        self._session = SessionId("")
        self._done = 0

    async def visit(self) -> None:
        """Do what a customer does in one sitting."""
        if not self._done:
            await self._sign_up()
        await self._sign_in(wrong=self._done % WRONG_EVERY == WRONG_EVERY - 1)
        if not self._done:
            await self._list()
        else:
            await self._withdraw(leaves=self._done % LEFT_EVERY == LEFT_EVERY - 1)
        self._done += 1

    async def _sign_up(self) -> None:
        account = Account(
            account_id=self._account,
            member_id=self._member,
            opened_at=BEGINNING,
            enrolling_until=datetime.max.replace(tzinfo=UTC, microsecond=0),
            chain=Chain(label_key=b64url(ENTROPY.draw(32))),
            channels=(
                _channel(ChannelKind.EMAIL, f"{self._account}@example.com"),
                _channel(ChannelKind.DESKTOP, "desktop"),
            ),
        )
        await self._run(OpenAccount(account=account), opens=account)
        offered = Candidate(
            candidate_id=ChallengeId(_name("cnd")),
            factor=Factor.PASSKEY,
            secret=b64url(ENTROPY.draw(32)),
            expires_at=BEGINNING + ENROLMENT_WINDOW + CHALLENGE_LIFETIME,
        )
        await self._run(Offer(candidate=offered))
        made = Passkey(
            authenticator_id=self._passkey,
            member_id=self._member,
            bound_at=BEGINNING,
            entry=0,
            name="My phone",
            credential_id=b64url(ENTROPY.draw(32)),
            public_key=self._public_key,
            backup_eligible=True,
            backed_up=True,
        )
        payload = AuthenticatorBind(
            account=self._account, authenticator="passkey", credential=b64url(ENTROPY.draw(32))
        )
        await self._propose(payload, secret=encode(made).decode(), used=offered.candidate_id)

    async def _sign_in(self, *, wrong: bool) -> None:
        asked = await self._propose(SessionStart(account=self._account, device=self._device))
        if wrong:
            fault = Wrong(factor=Factor.PASSKEY, fault=ProofFault.BAD_SIGNATURE)
            await self._prove(asked, fault)
        self._session = SessionId(f"ses_{await self._tap(asked)}")

    async def _list(self) -> None:
        payload = DestinationAdd(
            account=self._account,
            network="ethereum",
            address=self._address,
            memo="",
            label="My own wallet",
        )
        await self._tap(await self._propose(payload))

    async def _withdraw(self, *, leaves: bool) -> None:
        payload = WithdrawalCrypto(
            account=self._account,
            asset="USDT",
            network="ethereum",
            contract=CONTRACT,
            decimals=6,
            address=self._address,
            memo="",
            amount_minor=str(random.randrange(10**7, 10**9)),  # noqa: S311 - an amount
            max_fee_minor="100000",
        )
        asked = await self._propose(payload)
        await self._tap(asked)
        if not leaves:
            spend = Spend(action_id=asked, spend_id=_name("spend"), fee_minor="90000")
            await self._run(spend, payload=payload)

    async def _propose(
        self, payload: AnyPayload, *, secret: str = "", used: ChallengeId | None = None
    ) -> ActionId:
        named = ids.action_id(self._account, ENTROPY.draw(16))
        place = place_of(payload)
        self._payload = payload
        session = None
        if self._session and not isinstance(payload, SessionStart | AuthenticatorBind):
            session = SessionSignature(
                session_id=self._session,
                thumbprint=self._device,
                signed_at=self._clock.at,
                evidence=_evidence(300),
            )
        command = Propose(
            action_id=named,
            payload=payload,
            veto_key=b64url(ENTROPY.draw(32)),
            session=session,
            secret=secret or (self._blind.names(place)[0] if place else ""),
            candidate_id=used,
        )
        await self._run(command, payload=payload, stands_for=named)
        return named

    async def _tap(self, asked: ActionId) -> str:
        """Ask for the passkey and show it; return what began with a yes."""
        challenge = ChallengeId(_name("chl"))
        ask = Ask(
            action_id=asked,
            challenge_id=challenge,
            factor=Factor.PASSKEY,
            nonce=b64url(ENTROPY.draw(32)),
        )
        await self._run(ask, payload=self._payload, stands_for=challenge)
        right = Right(
            factor=Factor.PASSKEY,
            source=self._passkey,
            against=self._public_key,
            challenge_id=challenge,
            backed_up=True,
            evidence=_evidence(700),
        )
        return await self._prove(asked, right)

    async def _prove(self, asked: ActionId, proof: Right | Wrong) -> str:
        fresh = ids.tail(ENTROPY.draw(16))
        command = Prove(action_id=asked, proof=proof, fresh=fresh)
        await self._run(command, payload=self._payload, stands_for=asked)
        return fresh

    async def _run(
        self,
        command: Command,
        *,
        payload: AnyPayload | None = None,
        opens: Account | None = None,
        stands_for: str = "",
    ) -> Decision:
        place: Place | None = None if payload is None else place_of(payload)
        held: DestinationId | None = None if place is None else self._blind.names(place)[0]
        used = None
        if not isinstance(command, Spend):
            key = b64url(ENTROPY.draw(16))
            used = Idempotency(key=key, digest=tagged_hash("request/v1", key.encode()))
        committed: Committed = await self._store.run(
            Work(
                account_id=self._account,
                destination_id=held,
                decide=lambda state, now: decide(state, command, rules=rules(now), now=now),
                actor=PLATFORM,
                policy=BOOK.policy.name,
                idempotency=used,
                action_id=stands_for or self._account,
                opens=opens,
            )
        )
        return committed.answer


async def play(store: SqlStore, blind: BlindIndex, clock: PlayedClock, *, entries: int) -> None:
    """Fill the log of ``store`` with about so many entries, a visit of everybody at a time."""
    await SqlPolicyTexts(store.database).keep(BOOK.policy.text)
    players = [
        Player(store, blind, clock, visits=_visits(number))
        for number in range(max(entries // ENTRIES_EACH, 1))
    ]
    outbox = Outbox(store)
    for visit in range(max(one.visits for one in players)):
        await _all_visit([one for one in players if one.visits > visit])
        clock.at += BETWEEN_VISITS
        while await outbox.deliver(_hand_on, most=500):
            pass
        if visit % 30 == 0:
            await store.forget_keys(now=clock.at)
    await store.forget_keys(now=clock.at)


async def _all_visit(players: Sequence[Player]) -> None:
    left = iter(players)

    async def one_after_the_other() -> None:
        for player in left:
            await player.visit()

    await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))


def _visits(number: int) -> int:
    if number % YEAR_EVERY == YEAR_EVERY - 1:
        return YEAR
    return WEEKS if number % WEEKS_EVERY == 0 else VISITS[number % len(VISITS)]


async def _hand_on(_: Outgoing) -> None:
    """Take a notice as a mail server does, and forget it."""


def _channel(kind: ChannelKind, address: str) -> Channel:
    return Channel(
        channel_id=ChannelId(_name("chn")), kind=kind, address=address, bound_at=BEGINNING
    )


def _name(prefix: str) -> str:
    return f"{prefix}_{ids.tail(ENTROPY.draw(16))}"


def _evidence(size: int) -> bytes:
    return encode({"signature": b64url(ENTROPY.draw(size))})
