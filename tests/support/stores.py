"""Stores for tests: a clock that stands still until it is told, customers, and works for them.

A customer here has a passkey, a session on a device, and one destination that was proved long ago
and may take small sums on the session key alone: proposing a withdrawal to it is a yes at once.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec.structs import replace
from support.policies import DEFAULT

from twinlock.adapters.boxes import Sealer
from twinlock.adapters.keyring import ring as keyrings
from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.keyring.signing import KeyringIndex, KeyringSigner
from twinlock.adapters.sql.store import SqlStore
from twinlock.adapters.system import SystemEntropy
from twinlock.domain import ids
from twinlock.domain.account import Account, Chain, Session, State
from twinlock.domain.actions import FreezeSet, Place
from twinlock.domain.answers import Teller
from twinlock.domain.assurance import Factor, Placement
from twinlock.domain.authenticators.model import Passkey
from twinlock.domain.canonical import b64url, tagged_hash
from twinlock.domain.channels import Channel, ChannelKind
from twinlock.domain.commands import Command, EndSession, Propose, SessionSignature, Spend
from twinlock.domain.decisions import Decided, Decision, Rules, agreed
from twinlock.domain.errors import TwinlockError
from twinlock.domain.events import AccountOpened, DestinationAdded, Event
from twinlock.domain.exits import WithdrawalCrypto
from twinlock.domain.gate import decide
from twinlock.domain.ids import (
    AccountId,
    ActionId,
    AuthenticatorId,
    ChannelId,
    DestinationId,
    MemberId,
    SessionId,
)
from twinlock.domain.laws import LAWS
from twinlock.domain.listed import Destination
from twinlock.domain.money import Prices
from twinlock.domain.replay import apply_all
from twinlock.domain.requirements import Answer
from twinlock.domain.stepping import advance
from twinlock.ports import (
    Clock,
    Idempotency,
    Work,
)
from twinlock.ports.keys import (
    BlindIndex,
)
from twinlock.ports.log import (
    LogSigner,
)
from twinlock.services.logbook import NewestHeads
from twinlock.services.spending import Spends

T = TypeVar("T")

ENTROPY = SystemEntropy()
POLICY = DEFAULT
PLATFORM = "platform:tests"
BEGINNING = datetime(2026, 3, 1, 12, tzinfo=UTC)
THUMBPRINT = "t" * 43
USDT_CONTRACT = "0xdac17f958d2ee523a2206206994597c13d831ec7"
BUDGET_CENTS = 500_00
ONE_CENT_MINOR = "10000"
MAX_FEE_MINOR = "1000"


class SteerableClock:
    """A clock that tests set. It ticks one millisecond each time it is read."""

    def __init__(self, at: datetime = BEGINNING) -> None:
        self.at = at
        self.fault: TwinlockError | None = None

    def now(self, *, database_at: datetime | None = None) -> datetime:
        """Return the time that was set, or raise the fault that was set."""
        if self.fault is not None:
            raise self.fault
        self.at += timedelta(milliseconds=1)
        return self.at

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        self.at += by


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """A customer and their one good destination."""

    account_id: AccountId
    destination_id: DestinationId
    session_id: SessionId
    address: str


def make_keyring(directory: Path) -> Keyring:
    """Make a keyring for tests."""
    return keyrings.create_all(directory, entropy=ENTROPY, now=BEGINNING)


@asynccontextmanager
async def open_store(dsn: str, keyring: Keyring, clock: Clock) -> AsyncIterator[SqlStore]:
    """Open a store as a process of the application does."""
    async with SqlStore.connect(dsn, sealer=Sealer(keyring), entropy=ENTROPY, clock=clock) as store:
        yield store


def rules(now: datetime) -> Rules:
    """Return laws and default statutes, with prices as of now."""
    prices = Prices(as_of=now, cents={"ETH": 3_000_00, "USDT": 100})
    return Rules(
        laws=LAWS,
        statutes=POLICY.statutes.laws(),
        policy=POLICY,
        confirm=agreed,
        prices=prices,
    )


def _tail() -> str:
    return ids.tail(ENTROPY.draw(16))


def new_customer(blind: BlindIndex | None = None) -> Customer:
    """Name a customer, whom ``opening`` makes; ``blind`` names destinations as services do."""
    account, address = ids.account_id(ENTROPY.draw(16)), "0x" + ENTROPY.draw(20).hex()
    place = Place(account=account, network="ethereum", address=address, memo="")
    return Customer(
        account_id=account,
        destination_id=DestinationId(f"dst_{_tail()}") if blind is None else blind.names(place)[0],
        session_id=SessionId(f"ses_{_tail()}"),
        address=address,
    )


def digest_of(text: str) -> bytes:
    """Return a digest as the edge makes one of a request's body."""
    return tagged_hash("request/v1", text.encode())


def idempotency(key: str, body: str = "body") -> Idempotency:
    """Return a key with the digest of a body."""
    return Idempotency(key=key, digest=digest_of(body))


def account_of(customer: Customer, *, now: datetime, padding: int = 0) -> Account:
    """Return the account of ``customer`` as if it had been in use for a while.

    ``padding`` adds so many bytes to the document.
    """
    member = MemberId(f"mem_{_tail()}")
    long_ago = now - timedelta(days=90)
    return Account(
        account_id=customer.account_id,
        member_id=member,
        opened_at=long_ago,
        chain=Chain(label_key=b64url(ENTROPY.draw(32))),
        authenticators=(
            Passkey(
                authenticator_id=AuthenticatorId(f"aut_{_tail()}"),
                member_id=member,
                bound_at=long_ago,
                entry=0,
                name="a key" + "x" * padding,
                credential_id=b64url(ENTROPY.draw(32)),
                public_key=b64url(ENTROPY.draw(77)),
                backup_eligible=False,
                placement=Placement.ROAMING,
            ),
        ),
        channels=(
            Channel(
                channel_id=ChannelId(f"chn_{_tail()}"),
                kind=ChannelKind.DESKTOP,
                address="desktop",
                bound_at=long_ago,
            ),
        ),
        sessions=(
            Session(
                session_id=customer.session_id,
                member_id=member,
                thumbprint=THUMBPRINT,
                started_at=now,
                seen_at=now,
                bound_at=long_ago,
            ),
        ),
    )


def destination_of(customer: Customer, *, now: datetime) -> Destination:
    """Return the customer's proved destination with its budget."""
    return Destination(
        destination_id=customer.destination_id,
        account_id=customer.account_id,
        version=1,
        network="ethereum",
        address=customer.address,
        memo="",
        added_at=now - timedelta(days=60),
        proved_by=(Factor.PASSKEY,),
        usable_at=now - timedelta(days=59),
        used_at=now,
        budget_cents=BUDGET_CENTS,
    )


def opening(  # noqa: PLR0913 - what tests change of an opening
    customer: Customer,
    *,
    now: datetime,
    key: Idempotency | None = None,
    padding: int = 0,
    actor: str = PLATFORM,
    listed: bool = True,
    change: Callable[[Account], Account] = lambda account: account,
) -> Work:
    """Return the work that opens the account with its destination, as one decision."""
    account = change(account_of(customer, now=now, padding=padding))
    destination = destination_of(customer, now=now)

    def decided(state: State, at: datetime) -> Decided:
        added = (DestinationAdded(at=at, destination=destination),) if listed else ()
        return _happened(state, "account.open", AccountOpened(at=at, account=account), *added)

    return Work(
        account_id=customer.account_id,
        destination_id=customer.destination_id,
        decide=decided,
        actor=actor,
        policy=POLICY.name,
        idempotency=key,
        action_id=customer.account_id,
        opens=account,
    )


def listing(customer: Customer, *, now: datetime) -> Work:
    """Return the work that lists the destination of an account that was opened without it."""
    destination = destination_of(customer, now=now)

    def decided(state: State, at: datetime) -> Decided:
        added = DestinationAdded(at=at, destination=destination)
        return _happened(state, "destination.add", added)

    return Work(
        account_id=customer.account_id,
        destination_id=customer.destination_id,
        decide=decided,
        actor=PLATFORM,
        policy=POLICY.name,
    )


def _happened(state: State, kind: str, *events: Event) -> Decided:
    decision = Decision(kind=kind, action_id="", answer=Answer.ALLOW, events=events)
    return Decided(decisions=(decision,), states=(advance(apply_all(state, events)),))


def new_action(customer: Customer) -> ActionId:
    """Name an action of the customer's."""
    return ids.action_id(customer.account_id, ENTROPY.draw(16))


def commanded(
    customer: Customer,
    command: Callable[[datetime], Command],
    *,
    key: Idempotency | None = None,
    action_id: str = "",
    with_destination: bool = True,
) -> Work:
    """Return the work that puts a command to the gate."""
    return Work(
        account_id=customer.account_id,
        destination_id=customer.destination_id if with_destination else None,
        decide=lambda state, now: decide(state, command(now), rules=rules(now), now=now),
        actor=PLATFORM,
        policy=POLICY.name,
        idempotency=key,
        action_id=action_id,
    )


def withdrawal(
    customer: Customer,
    action_id: ActionId,
    *,
    key: Idempotency | None = None,
    amount_minor: str = ONE_CENT_MINOR,
) -> Work:
    """Return the work that proposes a small withdrawal, signed by the session's key: a yes."""
    payload = WithdrawalCrypto(
        account=customer.account_id,
        asset="USDT",
        network="ethereum",
        contract=USDT_CONTRACT,
        decimals=6,
        address=customer.address,
        memo="",
        amount_minor=amount_minor,
        max_fee_minor=MAX_FEE_MINOR,
    )
    return commanded(
        customer,
        lambda now: Propose(
            action_id=action_id,
            payload=payload,
            veto_key=b64url(ENTROPY.draw(32)),
            session=_signed(customer, now),
        ),
        key=key,
        action_id=action_id,
    )


def freezing(customer: Customer, action_id: ActionId) -> Work:
    """Return the work that freezes the account on the session key."""
    payload = FreezeSet(account=customer.account_id)
    return commanded(
        customer,
        lambda now: Propose(
            action_id=action_id,
            payload=payload,
            veto_key=b64url(ENTROPY.draw(32)),
            session=_signed(customer, now),
        ),
    )


def _signed(customer: Customer, now: datetime) -> SessionSignature:
    return SessionSignature(
        session_id=customer.session_id, thumbprint=THUMBPRINT, signed_at=now, evidence=b"signed"
    )


def spend(customer: Customer, action_id: ActionId, *, spend_id: str = "spend-00001") -> Work:
    """Return the work that spends an authorized withdrawal."""
    command = Spend(action_id=action_id, spend_id=spend_id, fee_minor="0")
    return commanded(customer, lambda now: command)


def touching(customer: Customer, *, with_destination: bool = False) -> Work:
    """Return a work that changes nothing but the chain: a decision all the same."""
    nobody = SessionId("ses_" + "a" * 26)
    return commanded(
        customer, lambda now: EndSession(session_id=nobody), with_destination=with_destination
    )


class FixedPolicies:
    """Today's rules for services. Implements ``ports.Policies``."""

    def __init__(self, clock: Clock, signer: LogSigner) -> None:
        self._clock = clock
        self._signer = signer

    def rules(self) -> Rules:
        """Return what the next decision is made by."""
        return rules(self._clock.now(database_at=None))

    def teller(self) -> Teller:
        """Return how the next answer is signed."""
        signer = self._signer
        return Teller(policy=POLICY, log_origin=signer.log_origin, sign=signer.authorization)

    async def renew(self, digest: str) -> None:
        """Have officers activate nothing: there are none here."""
        raise AssertionError(f"nobody activated {digest}")


def spending(store: SqlStore, keyring: Keyring, clock: Clock) -> Spends:
    """Return the use case of the spend over ``store``."""
    signer = KeyringSigner(keyring, log_origin="tests.example/log")
    policies = FixedPolicies(clock, signer)
    return Spends(
        store,
        policies=policies,
        blind=KeyringIndex(keyring),
        signer=signer,
        published=NewestHeads(store, signer=signer),
        clock=clock,
    )


async def opened(
    store: SqlStore, clock: Clock, *, listed: bool = True, blind: BlindIndex | None = None
) -> Customer:
    """Open an account, and return its customer."""
    customer = new_customer(blind)
    await store.run(opening(customer, now=clock.now(database_at=None), listed=listed))
    return customer


async def several(store: SqlStore, clock: Clock, count: int) -> list[Customer]:
    """Open so many accounts, and return their customers."""
    return [await opened(store, clock) for _ in range(count)]


def during(customer: Customer, happens: Callable[[], object]) -> Work:
    """Return a work in the middle of whose decision something happens."""
    work = touching(customer)

    def decided(state: State, now: datetime) -> Decided:
        happens()
        return work.decide(state, now)

    return replace(work, decide=decided)


async def outcomes(*asked: Awaitable[T]) -> list[T | BaseException]:
    """Return what each of ``asked`` gave, asked at once: an answer or an error."""
    return await asyncio.gather(*asked, return_exceptions=True)
