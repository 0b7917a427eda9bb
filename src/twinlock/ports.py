"""Everything that is asked of the world, on one page.

Adapters fulfil these; services and the edge know nothing else of the world.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

import msgspec

from twinlock.domain.account import Account, Destination, State
from twinlock.domain.actions import Place
from twinlock.domain.answers import Answered, Teller
from twinlock.domain.audit.parts import Checked, Extent, Part
from twinlock.domain.audit.tree import Hashes
from twinlock.domain.authenticators.passwords import Terms
from twinlock.domain.decisions import Decided, Decision, Rules
from twinlock.domain.entries import ClosedAction, Kept
from twinlock.domain.errors import InvariantError, invariant
from twinlock.domain.ids import AccountId, ActionId, DestinationId, PlatformKeyId
from twinlock.domain.keys import KeyRecord, KeyUse, Role
from twinlock.domain.log.merkle import HASH_BYTES
from twinlock.domain.money import Prices
from twinlock.domain.notices import Notice
from twinlock.domain.policy.version import PolicyName
from twinlock.domain.webhook_endpoints import (
    ClaimedWebhook,
    Endpoint,
    Fault,
    KeptWebhook,
    Progress,
    Retry,
    WebhookId,
)
from twinlock.domain.webhooks import (
    LogEntry,
    Message,
    MessageType,
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


class SignedHead(msgspec.Struct, frozen=True, kw_only=True):
    """A head with its signed note: with the cosignatures of a quorum, where one is asked for."""

    head: Head
    note: bytes


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


class Relay(Protocol):
    """Messages that wait to be handed on."""

    async def deliver(self, send: Callable[[Outgoing], Awaitable[None]], *, most: int) -> int:
        """Hand on up to ``most`` messages, oldest first; return how many were."""
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

    async def hash(self, password: str, held_to: Terms) -> str:
        """Return the encoded argon2id hash of a new password.

        Raises:
            PasswordRefusedError: it breaks a rule, or others know it.
            UnavailableError: too much work waits, or what others know cannot be told.
        """
        ...

    async def verify(self, encoded: str | None, password: str) -> None:
        """Return when it fits; where there is no hash it never does, after the same work.

        Raises ProofRefusedError, UnavailableError.
        """
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
    signed_by: bytes | None = None  # Ed25519, 32 bytes: then every request is signed under it


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

    async def use_nonce(self, key_id: PlatformKeyId, nonce: str, *, until: datetime) -> None:
        """Keep the nonce of a signed request until it has expired, for every process.

        Raises:
            SignatureRefusedError: it was used before.
        """
        ...

    async def youngest(self, *, most: int) -> tuple[PlatformKey, ...]:
        """Return up to ``most`` keys, the youngest first, the ended ones too."""
        ...


class AnswerSigner(Protocol):
    """Signs what we answer to platforms that sign what they ask."""

    @property
    def key_id(self) -> str:
        """The name of the key that signs."""
        ...

    def sign(self, base: bytes) -> bytes:
        """Return the Ed25519 signature of ``base``."""
        ...

    def public_keys(self) -> Mapping[str, bytes]:
        """Return the keys (32 bytes) by which answers may be signed, by their names."""
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


class PublishedHeads(Protocol):
    """The heads of the log that may be shown."""

    async def covering(self, size: int) -> SignedHead:
        """Return the newest that may be shown; wait a moment where it has fewer leaves.

        ``size`` is one that the log has.

        Raises:
            NotWitnessedError: none of so many leaves has a quorum's cosignatures yet.
            LogDamagedError: the log is not to be trusted.
        """
        ...


class WitnessAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a witness answered over HTTP; the body is whole and of a bounded size."""

    status: int
    body: bytes


class WitnessCalls(Protocol):
    """Witnesses over the network, by their names in the trust policy."""

    async def submit(self, witness: str, submission: bytes) -> WitnessAnswer:
        """Submit a checkpoint. Raises WitnessSilentError."""
        ...

    async def shown(self, witness: str, origin: str) -> WitnessAnswer:
        """Return what a witness shows of a log to monitors. Raises WitnessSilentError."""
        ...


class CosignedNotes(Protocol):
    """Where the newest cosigned checkpoint is kept between two lives of a process."""

    async def read(self) -> bytes | None:
        """Return it, or None before the first."""
        ...

    async def keep(self, note: bytes, *, size: int) -> None:
        """Keep the note of a tree of ``size`` leaves, unless a larger one is kept."""
        ...


class AnchoredLog(Protocol):
    """The log, for whoever holds it to its anchor, or to its witnesses."""

    async def head(self) -> Head:
        """Return the committed end of the log. Raises LogDamagedError."""
        ...

    async def checked_head(self) -> Head:
        """Return it once its last tiles agree. Raises LogDamagedError."""
        ...

    async def tiles(self, wanted: tuple[tuple[int, int], ...]) -> Mapping[tuple[int, int], bytes]:
        """Return the tiles (level, number) that exist, each as long as it has grown."""
        ...

    def check_trusted(self) -> None:
        """Return unless the log is distrusted. Raises LogDamagedError."""
        ...

    def distrust(self, why: str) -> None:
        """Decide nothing more and give out no head, until this process is started again."""
        ...


class AuditSource(Protocol):
    """What an audit looks at, all of it as of one moment."""

    @property
    def extent(self) -> Extent:
        """How much there is."""
        ...

    @property
    def hashes(self) -> Hashes:
        """The hashes of all leaves that the crew has read, in the log's order."""
        ...

    def unclaimed(self) -> Iterator[int]:
        """Yield the leaves that no account of those that were checked has as its entry."""
        ...

    async def tiles(self, level: int, first: int, last: int) -> Mapping[int, bytes]:
        """Return the stored tiles of ``level`` from ``first`` on and before ``last``."""
        ...


class AuditCrew(Protocol):
    """Those who check the parts of an audit, each for itself."""

    def check(self, parts: Sequence[Part]) -> AsyncIterator[Checked]:
        """Yield what was checked of each part, in the order in which they are done."""
        ...


class AuditTask(Protocol):
    """What one member of the crew is handed, in this process or in another: it can be pickled."""

    def begin(self) -> AbstractAsyncContextManager[Callable[[Part], Awaitable[Checked]]]:
        """Open what a member needs, and lend what checks one part after the other."""
        ...


class WebhookShelf(Protocol):
    """Where endpoints are kept, how far each has been told, and what each is to be told."""

    async def add(self, endpoint: Endpoint) -> None:
        """Keep a new endpoint; it is told of what is decided from now on."""
        ...

    async def listed(self) -> tuple[KeptWebhook, ...]:
        """Return every endpoint, the oldest first."""
        ...

    async def read(self, webhook_id: WebhookId) -> KeptWebhook:
        """Return an endpoint. Raises WebhookUnknownError."""
        ...

    async def replace(self, endpoint: Endpoint, *, version: int) -> None:
        """Keep ``endpoint`` in place of what was read at ``version``; whoever sends starts anew.

        Raises:
            WebhookUnknownError: it is gone, or was replaced meanwhile.
        """
        ...

    async def remove(self, webhook_id: WebhookId) -> None:
        """Forget an endpoint and all that waits for it. Raises WebhookUnknownError."""
        ...

    async def enable(self, webhook_id: WebhookId) -> None:
        """Go on where it stands, as if nothing had failed. Raises WebhookUnknownError."""
        ...

    async def send_again(self, webhook_id: WebhookId, *, start: int) -> None:
        """Go back to entry ``start``, if it lies before. Raises WebhookUnknownError."""
        ...

    async def revive(self, webhook_id: WebhookId, *, now: datetime) -> int:
        """Try what is dead again from ``now``; return how many. Raises WebhookUnknownError."""
        ...

    async def claim(
        self, *, now: datetime, apart: tuple[WebhookId, ...], most: int
    ) -> tuple[ClaimedWebhook, ...]:
        """Return up to ``most`` endpoints that have something to be sent at ``now``.

        Nobody else is given one while its claim lasts. ``apart`` are not asked for.
        """
        ...

    async def save(self, claimed: ClaimedWebhook, progress: Progress, *, done: bool) -> bool:
        """Keep how far sending has come; with ``done`` give the claim back.

        Return False, and change nothing, when the claim is not ours any more.
        """
        ...

    async def due(self, claimed: ClaimedWebhook, *, now: datetime, most: int) -> tuple[Retry, ...]:
        """Return up to ``most`` messages that are to be tried again at ``now``, in that order."""
        ...

    async def size(self) -> int:
        """Return how many entries the log has. Raises LogDamagedError."""
        ...

    async def entries(self, *, start: int, count: int) -> tuple[LogEntry, ...]:
        """Return the committed entries from index ``start``, at most ``count``.

        Raises:
            LogDamagedError, SealBrokenError: one is not what was written.
        """
        ...


class WebhookSession(Protocol):
    """A connection to one endpoint, kept for some messages."""

    async def send(self, message: Message, headers: Mapping[str, str]) -> tuple[Fault | None, int]:
        """Return why the message was not taken, or None, and the status or 0."""
        ...


class WebhookPost(Protocol):
    """The way to endpoints."""

    def session(self, url: str) -> AbstractAsyncContextManager[WebhookSession]:
        """Return a session with the endpoint at ``url``; leaving it ends its connection."""
        ...


class WebhookReport(Protocol):
    """What operators are told of deliveries: no URL, no secret."""

    def tried(
        self, webhook_id: WebhookId, message: Message, *, fault: Fault | None, status: int
    ) -> None:
        """Tell of one attempt."""
        ...

    def dead(self, webhook_id: WebhookId, message_id: str, kind: MessageType) -> None:
        """Tell of a message that is not tried any more."""
        ...

    def disabled(self, webhook_id: WebhookId, why: str) -> None:
        """Tell of an endpoint that gets nothing any more."""
        ...
