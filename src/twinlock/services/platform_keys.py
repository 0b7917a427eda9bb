"""Keys of the platforms that call the API: hashed, scoped, bound to networks, rotating.

A key is ``tlk_<id>_<secret>``. Only a MAC is kept, of the secret together with all that the key may
do: whoever can write to the database can neither widen a key nor lengthen its life. Rotating means
making a second key and letting the first expire: both work meanwhile.
"""

import hashlib
import ipaddress
import re
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import NoReturn, TypeAlias

from msgspec.structs import replace

from twinlock.domain.errors import SealBrokenError, TwinlockError
from twinlock.domain.ids import PlatformKeyId, tail
from twinlock.ports import Clock, Entropy, PlatformKey, PlatformKeys, SecretMac

FROM_MOST = 1_024  # Answers that are remembered; a platform has a handful of servers.
LIFETIME_MOST = timedelta(days=400)  # A year, and time to rotate.
_KEY = re.compile(r"tlk_(?P<id>[a-z2-7]{26})_(?P<secret>[a-z2-7]{26}[a-z2-7]{26})")
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


class Scope(StrEnum):
    """What a platform key may do. None may prove."""

    ACCOUNTS = "accounts"
    PROPOSE = "propose"
    SPEND = "spend"
    READ = "read"


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
        self, *, scopes: tuple[Scope, ...], networks: tuple[str, ...], lifetime: timedelta
    ) -> str:
        """Return a new key, shown this once. ``networks`` are CIDR ranges it may be used from.

        Raises:
            NetworkRangeError: one of them is none.
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
        )
        await self._keys.add(replace(key, mac=self._mac.of(*_parts(key, secret))))
        return f"tlk_{key_id}_{secret}"

    async def revoke(self, key_id: PlatformKeyId) -> None:
        """End a key at once."""
        await self._keys.revoke(key_id, at=self._clock.now(database_at=None))

    async def check(self, presented: str, *, address: str, scope: Scope) -> PlatformKeyId:
        """Return the id of the key that was presented from ``address``, if it may do this.

        Raises:
            PlatformKeyRefusedError, ScopeMissingError: as they say, with no hint why.
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
        if scope.value not in key.scopes:
            raise ScopeMissingError(f"this key does not have the scope {scope.value}")
        return key.key_id

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


def _refuse() -> NoReturn:
    raise PlatformKeyRefusedError("this platform key opens nothing here")


def _parts(key: PlatformKey, secret: str) -> tuple[bytes, ...]:
    """Return what the MAC is over: all of the key but the MAC itself, and when it is revoked."""
    said = (
        key.key_id,
        secret,
        key.created_at.isoformat(),
        key.expires_at.isoformat(),
        str(len(key.scopes)),
        *key.scopes,
        *key.networks,
    )
    return tuple(part.encode("utf-8") for part in said)


def _range(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise NetworkRangeError(f"{text!r} is not a range of addresses") from error


def _in_force(key: PlatformKey, *, now: datetime) -> bool:
    return key.revoked_at is None and key.created_at <= now < key.expires_at


@lru_cache(maxsize=FROM_MOST)
def _from(networks: tuple[str, ...], address: str) -> bool:
    try:
        where = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(where in ipaddress.ip_network(one) for one in networks)
