"""What is asked of keys: who signs, seals, names and hashes, and where platform keys are kept."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

import msgspec

from twinlock.domain.actions import Place
from twinlock.domain.ids import AccountId, DestinationId, PlatformKeyId
from twinlock.domain.keys import KeyRecord, KeyUse, Role


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """That an account wants value to go somewhere: 16 bytes name the place, 8 the account there."""

    place: bytes
    by: bytes


class BlindIndex(Protocol):
    """Names for things that only we can recompute: the database cannot guess an address by them."""

    def names(self, place: Place) -> tuple[DestinationId, ...]:
        """Return every name that this destination's stream may have, that of a new one first.

        There is one for each key that the keyring holds.
        """
        ...

    def sightings(self, place: Place) -> tuple[Sighting, ...]:
        """Return what says that this account wants this place, by the key that names first."""
        ...

    def marks(self, integrator: str) -> tuple[bytes, ...]:
        """Return every name (40 bytes) of an integrator, that of a new key first; "": of all."""
        ...


class MarkedAccounts(Protocol):
    """Accounts that have, or had, an API key: of an integrator, or any."""

    async def marked(
        self, marks: tuple[bytes, ...], *, after: str, most: int
    ) -> tuple[AccountId, ...]:
        """Return up to ``most`` of them, in order, from the one behind ``after``."""
        ...

    async def count(self, marks: tuple[bytes, ...]) -> int:
        """Return how many there are."""
        ...


class SigningKey(Protocol):
    """A key that signs where it is kept: in a file, or in a token (PKCS #11).

    By Ed25519; of the role ``signals-rsa`` by RS256.
    """

    @property
    def public(self) -> bytes:
        """The public key: 32 bytes; of RSA the modulus, 384."""
        ...

    def sign(self, message: bytes, /) -> bytes:
        """Return the signature: 64 bytes; of RSA 384. Raises TokenUnavailableError."""
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
        """Make an Ed25519 key; for the role ``signals-rsa`` an RSA key."""
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
