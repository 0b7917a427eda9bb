"""Everything that is asked of the world, on one page.

Adapters fulfil these; services and the edge know nothing else of the world.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

import msgspec

from twinlock.domain.account import Account, Destination, State
from twinlock.domain.actions import Place
from twinlock.domain.answers import Answered, Teller
from twinlock.domain.decisions import Decided, Decision, Rules
from twinlock.domain.entries import ClosedAction, Kept
from twinlock.domain.errors import InvariantError, invariant
from twinlock.domain.ids import AccountId, ActionId, DestinationId, PlatformKeyId
from twinlock.domain.keys import KeyRecord, KeyUse, Role
from twinlock.domain.log.merkle import HASH_BYTES
from twinlock.domain.money import Prices
from twinlock.domain.notices import Notice
from twinlock.domain.policy.version import PolicyName

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
    account, once it is locked, knows it by (``domain.naming``).
    """

    account_id: AccountId
    decide: Decide
    actor: str
    policy: PolicyName
    destination_id: DestinationId | None = None
    also: tuple[DestinationId, ...] = ()
    idempotency: Idempotency | None = None
    action_id: str = ""  # what the idempotency key stands for, once it is used
    opens: Account | None = None
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


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The committed end of the log: its size and its root (32 bytes)."""

    size: int
    root: bytes


class StoredEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry as it stands: its place in the log, its public leaf, and what is kept of it."""

    number: int
    index: int
    leaf: bytes
    kept: Kept


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """A notice on its way: ``outbox_id`` orders them, ``account`` tells where the channels lead."""

    outbox_id: int
    account_id: AccountId
    notice: Notice


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


class Policies(Protocol):
    """The rules in force: laws, the active policy version, and the prices."""

    def rules(self) -> Rules:
        """Return what the next decision is made by."""
        ...

    def teller(self) -> Teller:
        """Return how the next answer is signed."""
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


class BlindIndex(Protocol):
    """Names for things that only we can recompute: the database cannot guess an address by them."""

    def names(self, place: Place) -> tuple[DestinationId, ...]:
        """Return every name that this destination's stream may have, that of a new one first.

        There is one for each key that the keyring holds.
        """
        ...


class LogSigner(Protocol):
    """Signs what has been committed, and nothing else."""

    @property
    def log_origin(self) -> str:
        """The log's name."""
        ...

    def authorization(self, claims: bytes, kind: str) -> str:
        """Return the JWS over canonical ``claims``; the same one each time."""
        ...

    def checkpoint(self, head: Head) -> bytes:
        """Return the signed note of a committed head."""
        ...


class SigningKey(Protocol):
    """An Ed25519 key that signs where it is kept: in a file, or in a token (PKCS #11)."""

    @property
    def public(self) -> bytes:
        """The public key: 32 bytes."""
        ...

    def sign(self, message: bytes, /) -> bytes:
        """Return the signature (64 bytes). Raises TokenUnavailableError."""
        ...


class SealKey(Protocol):
    """An AES-256-GCM key that wraps secrets where it is kept: in a file, or in a token."""

    def wrap(self, secret: bytes, *, nonce: bytes, owner: bytes) -> bytes:
        """Return ciphertext ‖ tag; ``nonce`` is 12 fresh random bytes, ``owner`` is associated.

        Raises:
            TokenUnavailableError: the token does not answer.
        """
        ...

    def unwrap(self, wrapped: bytes, *, nonce: bytes, owner: bytes) -> bytes:
        """Return what was wrapped for exactly this owner.

        Raises:
            SealBrokenError: anything else.
            TokenUnavailableError: the token does not answer.
        """
        ...


class KeyToken(Protocol):
    """A token that makes keys and never gives them out. A handle is 32 hex digits of our choice."""

    def make_signing(self, role: str, handle: str) -> SigningKey:
        """Make an Ed25519 key."""
        ...

    def make_seal(self, role: str, handle: str) -> SealKey:
        """Make an AES-256 key."""
        ...

    def signing(self, role: str, handle: str, *, public: bytes) -> SigningKey:
        """Return the key that was made. Raises TokenKeyWrongError: it is not there, or another."""
        ...

    def seal(self, role: str, handle: str) -> SealKey:
        """Return the key that was made. Raises TokenKeyWrongError: it is not there, or another."""
        ...

    def destroy(self, role: str, handle: str) -> None:
        """Destroy what was made under a handle, whatever is left of it."""
        ...

    def check(self) -> None:
        """Return while the token answers. Raises TokenUnavailableError."""
        ...

    def patiently(self) -> AbstractContextManager[None]:
        """Wait longer for its answers in this block, where no request waits for them."""
        ...


class KeyRegister(Protocol):
    """The keyring, for whoever changes its keys; each change is whole or not there."""

    def held(self, role: Role) -> tuple[KeyRecord, ...]:
        """Return the keys of a role, the retired ones too."""
        ...

    def vkey(self, key: KeyRecord) -> str:
        """Return a key of the log as verifiers are told it."""
        ...

    def change(self) -> AbstractContextManager[None]:
        """Keep everybody else from changing keys. Raises FileBusyError."""
        ...

    def announce(self, role: Role, *, now: datetime) -> KeyRecord:
        """Make a key that makes nothing yet."""
        ...

    def activate(self, key: KeyRecord, *, now: datetime) -> KeyRecord:
        """Let an announced key make."""
        ...

    def retire(self, key: KeyRecord, *, now: datetime) -> KeyRecord:
        """Destroy a key's secret, and keep its name."""
        ...


class LogKeys(Protocol):
    """Where the log names its own keys."""

    async def tell(self, vkey: str) -> None:
        """Append the leaf that names a key of the log, unless it stands there."""
        ...


class KeyUses(Protocol):
    """What is stored under a key."""

    async def count(self, key: KeyRecord) -> tuple[KeyUse, ...]:
        """Return how much needs this key still, kind by kind."""
        ...


class Hasher(Protocol):
    """Password hashing away from the event loop, with a bounded queue."""

    async def hash(self, password: str) -> str:
        """Return the encoded argon2id hash. Raises ProofRefusedError, UnavailableError."""
        ...

    async def verify(self, encoded: str, password: str) -> None:
        """Return when it fits. Raises ProofRefusedError, UnavailableError."""
        ...


class PlatformKey(msgspec.Struct, frozen=True, kw_only=True):
    """A platform's key as it is kept: what it may do, and the MAC of that and its secret."""

    key_id: PlatformKeyId
    mac: bytes
    scopes: tuple[str, ...]
    networks: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None


class PlatformKeys(Protocol):
    """Where the platforms' keys are kept."""

    async def add(self, key: PlatformKey) -> None:
        """Keep a new key."""
        ...

    async def read(self, key_id: PlatformKeyId) -> PlatformKey | None:
        """Return a key, or None. What is read may be as old as KEY_CACHE_SECONDS."""
        ...

    async def revoke(self, key_id: PlatformKeyId, *, at: datetime) -> datetime:
        """End a key; return when it ended, which may be before."""
        ...

    async def youngest(self, *, most: int) -> tuple[PlatformKey, ...]:
        """Return up to ``most`` keys, the youngest first, the ended ones too."""
        ...


class SecretMac(Protocol):
    """MACs of platform keys, under keys of the keyring."""

    def of(self, *parts: bytes) -> bytes:
        """Return the 40-byte MAC of exactly these parts, under the key that makes."""
        ...

    def check(self, mac: bytes, *parts: bytes) -> None:
        """Return when ``mac`` is theirs under a key that we hold. Raises SealBrokenError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A signed checkpoint: its tree's size in leaves, its root (32 bytes) and its note verbatim."""

    size: int
    root: bytes
    checkpoint: str

    def __post_init__(self) -> None:
        invariant(self.size >= 0, "a tree has no fewer than 0 leaves")
        invariant(len(self.root) == HASH_BYTES, "a root has 32 bytes")


class Anchors(Protocol):
    """Where the last signed checkpoint is kept, out of the database's reach."""

    async def read(self) -> Anchor | None:
        """Return the anchor, or None before the first one."""
        ...

    async def advance(self, new: Anchor, *, expected_size: int | None) -> None:
        """Replace the anchor of ``expected_size`` by ``new``, durably; wait for nobody.

        Raises:
            AnchorMovedError: another size stands there, or ``new`` goes back, or forks.
            FileBusyError: another process is at it.
        """
        ...


class AnchoredLog(Protocol):
    """The log, for whoever holds it to its anchor."""

    async def head(self) -> Head:
        """Return the committed end of the log. Raises LogDamagedError."""
        ...

    async def checked_head(self) -> Head:
        """Return it once its last tiles agree. Raises LogDamagedError."""
        ...

    async def tiles(self, wanted: tuple[tuple[int, int], ...]) -> Mapping[tuple[int, int], bytes]:
        """Return the tiles (level, number) that exist, each as long as it has grown."""
        ...

    def distrust(self, why: str) -> None:
        """Decide nothing more and give out no head, until this process is started again."""
        ...
