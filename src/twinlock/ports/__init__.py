"""Everything that is asked of the world: the store and its like; keys, log, webhooks beside it.

Adapters fulfil these; services and the edge know nothing else of the world.
"""

from collections.abc import (
    Awaitable,
    Callable,
    Mapping,
)
from datetime import (
    datetime,
)
from typing import (
    Protocol,
    TypeAlias,
)

import msgspec

from twinlock.domain.account import Account, OpenAction, State
from twinlock.domain.answers import (
    Answered,
    Teller,
)
from twinlock.domain.authenticators.passwords import (
    Terms,
)
from twinlock.domain.decisions import (
    Decided,
    Decision,
    Rules,
)
from twinlock.domain.entries import (
    ClosedAction,
    Kept,
)
from twinlock.domain.errors import (
    InvariantError,
)
from twinlock.domain.ids import (
    AccountId,
    ActionId,
    DestinationId,
)
from twinlock.domain.listed import Destination
from twinlock.domain.money import (
    Prices,
)
from twinlock.domain.notices import (
    Notice,
)
from twinlock.domain.parcels import (
    Slip,
)
from twinlock.domain.policy.version import (
    PolicyName,
)
from twinlock.domain.screening import (
    Screening,
)
from twinlock.ports.log import (
    Head,
)

Decide: TypeAlias = Callable[[State, datetime], Decided]


class Idempotency(msgspec.Struct, frozen=True, kw_only=True):
    """The caller's key, and the digest (32 bytes) of what was asked under it."""

    key: str
    digest: bytes


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """One command for the store: the streams it locks, and the pure function that decides.

    ``decide`` may be called more than once; only what the last call returned is kept. A work with
    ``opens`` begins an account: ``decide`` is then given that account. With a ``teller`` the answer
    is told, and signed, by the store: while the disk is busy, and to nobody before the commit.
    ``also`` are other names that the destination may go by; ``decide`` is given the one that the
    account, once it is locked, knows it by (``domain.naming``). ``action_id`` is what the
    idempotency key stands for, once it is used: "" for the action that the answer is about, where
    only the account, once it is locked, tells which.
    """

    account_id: AccountId
    decide: Decide
    actor: str
    policy: PolicyName
    destination_id: DestinationId | None = None
    also: tuple[DestinationId, ...] = ()
    idempotency: Idempotency | None = None
    action_id: str = ""
    opens: Account | None = None
    marks: tuple[bytes, ...] = ()  # under which an API key is found that this brings about
    teller: Teller | None = None


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided and is durable. ``indexes`` are the log indexes of the decisions, in order.

    ``repeated`` names the action that the idempotency key already stands for; nothing was decided.
    ``told`` is the answer in the form in which a work with a teller is answered.
    """

    decided: Decided | None
    at: datetime
    first_entry: int = 0
    indexes: tuple[int, ...] = ()
    repeated: str = ""
    told: Answered | None = None

    @property
    def answered(self) -> Answered:
        """The answer as it is told; only where a work with a teller was not repeated."""
        if self.told is None:
            raise InvariantError("nothing was told")
        return self.told

    @property
    def answer(self) -> Decision:
        """The decision that answers the command; only where it was not repeated."""
        if self.decided is None:
            raise InvariantError("nothing was decided under a repeated key")
        return self.decided.answer


class StoredEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry as it stands: its place in the log, its public leaf, and what is kept of it."""

    number: int
    index: int
    leaf: bytes
    kept: Kept


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """A notice on its way: ``outbox_id`` orders them, ``account`` tells where the channels lead.

    That is the account as it stood when the notice was taken up. ``serial`` is its name in the
    outbox, where it has one.
    """

    outbox_id: int
    account: Account
    notice: Notice
    serial: str = ""


class Relay(Protocol):
    """Messages that wait to be handed on."""

    async def deliver(
        self, send: Callable[[Outgoing], Awaitable[tuple[Slip, ...] | None]], *, most: int
    ) -> int:
        """Hand on up to ``most`` messages, oldest first; return how many were.

        What ``send`` returns takes a message's place; after None nothing of it is kept.
        """
        ...


class Clock(Protocol):
    """The time. Nothing else may ask for it."""

    def now(self, *, database_at: datetime | None) -> datetime:
        """Return the time in UTC, to the millisecond.

        Raises:
            ClockUntrustedError: our clock jumped, or disagrees with the database's.
        """
        ...


class Entropy(Protocol):
    """Random bytes. Nothing else may draw them."""

    def draw(self, size: int) -> bytes:
        """Return ``size`` bytes that nobody can guess."""
        ...


class Store(Protocol):
    """State and log, changed together or not at all."""

    async def run(self, work: Work) -> Committed:
        """Decide and commit ``work``: documents, events, leaves and tree in one transaction.

        Raises:
            AccountUnknownError: there is no such account.
            IdempotencyConflictError: the key was used for something else.
            StateRolledBackError: an old document was put back.
            UnavailableError: the database did not answer; nothing was decided.
        """
        ...

    async def stands_for(self, account_id: AccountId, idempotency: Idempotency) -> str | None:
        """Return what an idempotency key of this account stands for already, or None.

        Read after the account, it tells of all that the account shows.

        Raises:
            IdempotencyConflictError: the key was used for something else.
        """
        ...

    async def account(self, account_id: AccountId) -> Account:
        """Return the account as it stands, without a lock. Raises AccountUnknownError."""
        ...

    async def destination(
        self, account_id: AccountId, destination_id: DestinationId
    ) -> Destination | None:
        """Return a destination as it stands, without a lock, or None."""
        ...

    async def closed_action(self, action_id: ActionId) -> ClosedAction | None:
        """Return an action that is over, or None."""
        ...

    async def entry(self, account_id: AccountId, number: int) -> StoredEntry | None:
        """Return entry ``number`` of an account, or None."""
        ...

    async def halted_at(self) -> datetime | None:
        """Return since when officers have halted everything, or None. Raises LogDamagedError."""
        ...

    async def head(self) -> Head:
        """Return the committed end of the log."""
        ...

    async def tiles(self, wanted: tuple[tuple[int, int], ...]) -> Mapping[tuple[int, int], bytes]:
        """Return the tiles (level, number) that exist, each as long as it has grown."""
        ...

    async def leaves(self, *, start: int, count: int) -> tuple[bytes, ...]:
        """Return the entries of the log from index ``start``, at most ``count``."""
        ...


class PriceFeed(Protocol):
    """The signed price list that is in force."""

    def prices(self) -> Prices | None:
        """Return it, or None where there is none: every value is then unknown."""
        ...


class ScreeningFeed(Protocol):
    """The list of sanctions that is in force."""

    def screening(self) -> Screening | None:
        """Return it; None where none is asked for, ``NO_LIST`` where one is and none can be had."""
        ...


class Sightings(Protocol):
    """At how many accounts a destination was wanted of late."""

    async def elsewhere(self, account: Account, action: OpenAction) -> int:
        """Return at how many others its destination was; a bounded number, 0 where it is listed."""
        ...

    async def note(self, account: Account, action: OpenAction) -> None:
        """Note that ``account`` wants it."""
        ...


class Policies(Protocol):
    """The rules in force: laws, the active policy version, prices, and screening."""

    def rules(self) -> Rules:
        """Return what the next decision is made by."""
        ...

    def teller(self) -> Teller:
        """Return how the next answer is signed."""
        ...

    async def renew(self, digest: str) -> None:
        """Have what comes next decided by the version that officers activated.

        It is said to be ``digest``, which is looked up and not believed.

        Raises:
            PolicyNotLoadedError: it cannot be read here. Nothing is decided by another one.
            LogDamagedError: the head does not say which it is.
        """
        ...


class PolicyTexts(Protocol):
    """The bytes of every policy version that decided here: evidence outlives its policy."""

    async def keep(self, text: bytes) -> None:
        """Keep the canonical bytes of a policy version; nothing kept is ever replaced."""
        ...

    async def read(self, digest: str) -> bytes | None:
        """Return the bytes that have ``digest``, or None. Raises LogDamagedError."""
        ...

    async def digests(self) -> tuple[str, ...]:
        """Return the digests of all that is kept."""
        ...


class Hasher(Protocol):
    """Password hashing away from the event loop, with a bounded queue."""

    async def hash(self, password: str, held_to: Terms) -> str:
        """Return the encoded argon2id hash of a new password.

        Raises:
            PasswordRefusedError: it breaks a rule, or others know it.
            UnavailableError: too much work waits, or what others know cannot be told.
        """
        ...

    async def verify(self, encoded: str | None, password: str) -> str:
        """Return when it fits; where there is no hash it never does, after the same work.

        What is returned is to be kept in the place of ``encoded``, where an older system made that;
        else it is "".

        Raises ProofRefusedError, UnavailableError.
        """
        ...
