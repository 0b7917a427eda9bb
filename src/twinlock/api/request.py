"""Requests as we read them: strict JSON, bounded, from a known address, under a known key."""

import ipaddress
from collections.abc import Sequence
from typing import Any, TypeAlias

from litestar import Request

from twinlock.domain.canonical import parse_strict, tagged_hash
from twinlock.domain.errors import MalformedError
from twinlock.ports import Idempotency

BODY_BYTES_MOST = 32_768  # A passkey registration with a chain of certificates has 8 KB.
KEY_LENGTH_MOST = 128
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON has no doubled keys, no floats and no depth to drown in."""

    async def json(self) -> Any:  # noqa: ANN401 - any JSON value; the handler's type narrows it
        """Return the body's value. Raises MalformedError."""
        body = await self.body()
        return parse_strict(body) if body else {}


def client_address(request: Request[Any, Any, Any], *, trusted: Sequence[Network]) -> str:
    """Return where the request came from: the last address that no proxy of ours added."""
    host = request.client.host if request.client is not None else ""
    forwarded = request.headers.get("x-forwarded-for", "")
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    while hops and _is_trusted(host, trusted):
        host = hops.pop()
    return host


def _is_trusted(host: str, trusted: Sequence[Network]) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in trusted)


async def idempotency(request: Request[Any, Any, Any]) -> Idempotency:
    """Return the caller's key and the digest of what is asked under it.

    Raises:
        MalformedError: there is no key, or it is not 8 to 128 printable ASCII characters.
    """
    key = request.headers.get("idempotency-key", "")
    if not 8 <= len(key) <= KEY_LENGTH_MOST or not key.isascii() or not key.isprintable():  # noqa: PLR2004 - said above
        raise MalformedError("Idempotency-Key: 8 to 128 printable ASCII characters are needed")
    path = request.url.path.encode("utf-8")
    return Idempotency(key=key, digest=tagged_hash("request/v1", path, await request.body()))
