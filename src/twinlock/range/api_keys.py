"""API keys in software: real Ed25519 keys, as customers' servers keep them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from twinlock.client import ApiKey
from twinlock.domain.catalogue import WITHDRAW_SCOPE
from twinlock.range.words import Person, Proof

TRADE_SCOPE = "trade"
VIA = Proof.API_KEY.value


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftwareKey:
    """A key of its own, of the powers that its maker asked for; ``by`` keeps it."""

    name: str
    by: Person
    secret: ApiKey
    scopes: tuple[str, ...]
    ip_list: tuple[str, ...]
    pairs: tuple[str, ...] = ()

    @property
    def public_key(self) -> str:
        """Return the public key, base64url of 32 bytes."""
        return self.secret.public_key


def new_key(
    seed: bytes,
    *,
    name: str,
    by: Person,
    scopes: Sequence[str],
    ip_list: Sequence[str],
    pairs: Sequence[str] = (),
) -> SoftwareKey:
    """Return a key of 32 random bytes."""
    return SoftwareKey(
        name=name,
        by=by,
        secret=ApiKey(Ed25519PrivateKey.from_private_bytes(seed)),
        scopes=tuple(scopes),
        ip_list=tuple(ip_list),
        pairs=tuple(pairs),
    )


def key_payload(
    key: SoftwareKey, places: Sequence[dict[str, str]], *, daily_cents: int, band_bp: int = 0
) -> dict[str, Any]:
    """Return the payload that makes ``key``; a sum is named where something may leave by it."""
    withdraws = WITHDRAW_SCOPE in key.scopes
    return {
        "public_key": key.public_key,
        "scopes": list(key.scopes),
        "ip_list": list(key.ip_list),
        "destinations": list(places),
        "daily_cents": daily_cents if withdraws else 0,
        "pairs": list(key.pairs),
        "price_band_bp": band_bp,
    }
