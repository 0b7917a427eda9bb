"""Keys of the platforms that call the API: hashed, scoped, bound to networks, rotating.

A key is ``tlk_<id>_<secret>``. Only a MAC is kept, of the secret together with all that the key may
do: whoever can write to the database can neither widen a key nor lengthen its life. Rotating means
making a second key and letting the first expire: both work meanwhile.

A key that was made with a public key opens nothing but for requests that are signed by it, each
once: the MAC is over the public key too, so nobody can take that back.
"""

import hashlib
import ipaddress
import re
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple, NoReturn, Protocol, TypeAlias

import msgspec
from msgspec.structs import replace

from twinlock.domain.canonical import b64url
from twinlock.domain.errors import PlatformKeyUnknownError, SealBrokenError, TwinlockError
from twinlock.domain.ids import PlatformKeyId, tail
from twinlock.domain.message_signatures import (
    RequestMessage,
    SignatureFault,
    SignatureRefusedError,
    Unverified,
)
from twinlock.ports import (
    Clock,
    Entropy,
)
from twinlock.ports.keys import (
    PlatformKey,
    PlatformKeys,
    SecretMac,
)
from twinlock.proofs.message_signatures import read_public_key, verify_request

FROM_MOST = 1_024  # Answers that are remembered; a platform has a handful of servers.
LIFETIME_MOST = timedelta(days=400)  # A year, and time to rotate.
LISTED_MOST = 1_000  # A platform has a handful, and ended ones stay; this bounds one answer.
_KEY = re.compile(r"tlk_(?P<id>[a-z2-7]{26})_(?P<secret>[a-z2-7]{26}[a-z2-7]{26})")
_NAMED = re.compile(r"(?:tlk_)?(?P<id>[a-z2-7]{26})(?:_[a-z2-7]{52})?")
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


class PlatformKeyRefusedError(TwinlockError):
    """No key, or one that is unknown, expired, revoked, from elsewhere, or without the scope."""

    code = "platform_key_refused"
    status = 401


class ScopeMissingError(TwinlockError):
    """The key is good, and may not do this."""

    code = "scope_missing"
    status = 403


class NetworkRangeError(TwinlockError):
    """A range of addresses that is not written as one, such as 10.0.0.0/8 or ::1/128."""

    code = "network_range_wrong"
    status = 422


class KeyState(StrEnum):
    """Whether a key opens anything."""

    IN_FORCE = "in force"
    EXPIRED = "expired"
    REVOKED = "revoked"


class Scope(StrEnum):
    """What a platform key may do. None may prove."""

    ACCOUNTS = "accounts"
    PROPOSE = "propose"
    SPEND = "spend"
    READ = "read"
    LEGAL_HOLD = "legal_hold"
    EXPORT = "export"
    TRADE = "trade"  # examine order intents
    REVOKE_KEYS = "revoke_keys"  # end all API keys of an integrator


class ListedKey(msgspec.Struct, frozen=True, kw_only=True):
    """What may be shown of a key: nothing that opens anything. ``state`` is as of the listing."""

    key_id: PlatformKeyId
    state: KeyState
    scopes: tuple[str, ...]
    networks: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    signed_by: str


class Signed(NamedTuple):
    """A request whose signature verified at ``at`` (UTC), and whose nonce was new."""

    signature: Unverified
    at: datetime


class Incoming(Protocol):
    """The request that a key came with, for a key that is good for signed ones only."""

    async def read(self) -> RequestMessage:
        """Return all of it."""
        ...

    def verified(self, signed: Signed) -> None:
        """Hear that it is signed well, so that whatever answers it is signed too."""
        ...


class Keys:
    """The use cases of platform keys."""

    def __init__(
        self, keys: PlatformKeys, *, mac: SecretMac, entropy: Entropy, clock: Clock
    ) -> None:
        self._keys = keys
        self._mac = mac
        self._entropy = entropy
        self._clock = clock
        self._proved: dict[PlatformKeyId, tuple[PlatformKey, bytes]] = {}

    async def create(
        self,
        *,
        scopes: tuple[Scope, ...],
        networks: tuple[str, ...],
        lifetime: timedelta,
        signed_by: str | None = None,
    ) -> str:
        """Return a new key, shown this once. ``networks`` are CIDR ranges it may be used from.

        With ``signed_by``, an Ed25519 public key in base64url or PEM, it is good for requests that
        the private half signed, and for no others.

        Raises:
            NetworkRangeError: one of the ranges is none.
            SigningKeyWrongError: the public key is none.
        """
        now = self._clock.now(database_at=None)
        key_id = PlatformKeyId(tail(self._entropy.draw(16)))
        secret = tail(self._entropy.draw(16)) + tail(self._entropy.draw(16))
        key = PlatformKey(
            key_id=key_id,
            mac=b"",
            scopes=tuple(scope.value for scope in scopes),
            networks=tuple(_range(one) for one in networks),
            created_at=now,
            expires_at=now + min(lifetime, LIFETIME_MOST),
            signed_by=None if signed_by is None else read_public_key(signed_by),
        )
        await self._keys.add(replace(key, mac=self._mac.of(*_parts(key, secret))))
        return f"tlk_{key_id}_{secret}"

    async def revoke(self, key_id: PlatformKeyId) -> datetime:
        """End a key and return when it ended: now, or when it was revoked before.

        Raises:
            PlatformKeyUnknownError: there is no such key.
        """
        return await self._keys.revoke(key_id, at=self._clock.now(database_at=None))

    async def listed(self) -> tuple[ListedKey, ...]:
        """Return what is known of the LISTED_MOST youngest keys, the youngest first."""
        now = self._clock.now(database_at=None)
        kept = await self._keys.youngest(most=LISTED_MOST)
        return tuple(_listed(key, now=now) for key in kept)

    async def check(
        self,
        presented: str,
        *,
        address: str,
        scope: Scope,
        more: tuple[Scope, ...] = (),
        incoming: Incoming | None = None,
    ) -> PlatformKeyId:
        """Return the id of the key that was presented from ``address``, if it may do this.

        ``more`` are scopes that it needs beside ``scope``. Where the request is not at hand, a key
        that is good for signed ones only is refused.

        Raises:
            PlatformKeyRefusedError, ScopeMissingError: as they say, with no hint why.
            SignatureRefusedError: the request is not signed as its key wants it.
        """
        found = _KEY.fullmatch(presented)
        if found is None:
            _refuse()
        key = await self._keys.read(PlatformKeyId(found["id"]))
        if key is None:
            _refuse()
        self._check_secret(key, found["secret"])
        now = self._clock.now(database_at=None)
        if not _in_force(key, now=now) or not _from(key.networks, address):
            _refuse()
        if key.signed_by is not None:
            await self._check_signed(key, key.signed_by, incoming, now=now)
        for one in (scope, *more):
            if one.value not in key.scopes:
                raise ScopeMissingError(f"this key does not have the scope {one.value}")
        return key.key_id

    async def _check_signed(
        self, key: PlatformKey, public: bytes, incoming: Incoming | None, *, now: datetime
    ) -> None:
        """Check the signature first, and use the nonce up afterwards.

        Prevents: somebody without the signing key who uses up nonces that he guesses or sees.
        """
        if incoming is None:
            raise SignatureRefusedError("this key signs requests", fault=SignatureFault.MISSING)
        message = await incoming.read()
        found = verify_request(message, public_key=public, keyid=key.key_id, now=now)
        await self._keys.use_nonce(key.key_id, found.nonce, until=found.expires_at)
        incoming.verified(Signed(found, now))

    def _check_secret(self, key: PlatformKey, secret: str) -> None:
        """Check the MAC over ``key`` and ``secret``, once while the key stays as it is."""
        shown = (key, hashlib.sha256(secret.encode("ascii")).digest())
        if self._proved.get(key.key_id) == shown:
            return
        try:
            self._mac.check(key.mac, *_parts(key, secret))
        except SealBrokenError:
            _refuse()
        self._proved[key.key_id] = shown


def key_id_of(text: str) -> PlatformKeyId:
    """Return the id of the key that ``text`` names: by its middle part, or as the whole key.

    Raises:
        PlatformKeyUnknownError: no key has this form.
    """
    named = _NAMED.fullmatch(text)
    if named is None:
        raise PlatformKeyUnknownError("no such platform key")
    return PlatformKeyId(named["id"])


def _listed(key: PlatformKey, *, now: datetime) -> ListedKey:
    state = KeyState.IN_FORCE if _in_force(key, now=now) else KeyState.EXPIRED
    return ListedKey(
        key_id=key.key_id,
        state=state if key.revoked_at is None else KeyState.REVOKED,
        scopes=key.scopes,
        networks=key.networks,
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        signed_by="" if key.signed_by is None else b64url(key.signed_by),
    )


def _refuse() -> NoReturn:
    raise PlatformKeyRefusedError("this platform key opens nothing here")


def _parts(key: PlatformKey, secret: str) -> tuple[bytes, ...]:
    """Return what the MAC is over: all of the key but the MAC itself, and when it is revoked."""
    said = (
        key.key_id,
        secret,
        key.created_at.isoformat(),
        key.expires_at.isoformat(),
        "" if key.signed_by is None else b64url(key.signed_by),
        str(len(key.scopes)),
        *key.scopes,
        *key.networks,
    )
    return tuple(part.encode("utf-8") for part in said)


def _range(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise NetworkRangeError(f"{text!r} is not a range of addresses{_meant(text)}") from error


def _meant(text: str) -> str:
    """Return which range ``text`` would be, were its last bits zero; empty for anything else."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return ""
    return f": bits are set beyond its length; the range is {network}"


def _in_force(key: PlatformKey, *, now: datetime) -> bool:
    return key.revoked_at is None and key.created_at <= now < key.expires_at


@lru_cache(maxsize=FROM_MOST)
def _from(networks: tuple[str, ...], address: str) -> bool:
    """Say whether ``address`` lies in ``networks``.

    A socket that listens on IPv6 writes a caller's IPv4 address as an IPv6 one (RFC 4291, 2.5.5.2).
    """
    try:
        where = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(where, ipaddress.IPv6Address):
        where = where.ipv4_mapped or where
    return any(where in ipaddress.ip_network(one) for one in networks)
