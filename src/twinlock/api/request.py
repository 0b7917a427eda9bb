"""Requests as we read them: strict JSON, bounded, from a known address, under a known key."""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.exceptions import ClientException, HTTPException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge

from twinlock.domain.canonical import parse_strict, tagged_hash
from twinlock.domain.errors import MalformedError
from twinlock.ports import (
    Idempotency,
)

BODY_BYTES_MOST = 32_768  # A passkey registration with a chain of certificates has 8 KB.
BATCH_BYTES_MOST = 1_048_576  # A thousand order intents have 300 KB, as many tickets 400.
KEY_LENGTH_LEAST = 8
KEY_LENGTH_MOST = 128
JSON = "application/json"
REQUEST_ID = b"x-request-id"
REQUEST_ID_LENGTH_MOST = 256
_REQUEST_ID = re.compile(rb"[!-~](?:[ -~]{0,254}[!-~])?")
ADDRESS_LENGTH_MOST = 64  # The longest IPv6 address has 45 characters, and a zone some more.
SUBNET_BITS = 64
Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON has no doubled keys, no floats and no depth to drown in."""

    bytes_most = BODY_BYTES_MOST
    _whole: bytes | None = None

    async def body(self) -> bytes:
        """Return the body as it was sent.

        The framework's own reads it through a generator: a twentieth of a request (measured).

        Raises:
            RequestEntityTooLarge: more than ``bytes_most`` bytes.
            ClientException: whoever sent it went away.
        """
        if self._whole is None:
            self._whole = await self._read()
        return self._whole

    async def _read(self) -> bytes:
        whole = b""
        while True:
            message = await self.receive()
            if message["type"] != "http.request":
                raise ClientException("the request ended before its body did")
            whole += message["body"]
            if len(whole) > self.bytes_most:
                raise RequestEntityTooLarge
            if not message.get("more_body"):
                return whole

    async def json(self) -> Any:  # noqa: ANN401 - any JSON value; the handler's type narrows it
        """Return the body's value. Raises MalformedError, and 415 for what says it is not JSON."""
        body = await self.body()
        if not body:
            return {}
        kind = header(self, b"content-type")
        if kind != JSON and kind.partition(";")[0].strip().lower() != JSON:
            raise HTTPException(status_code=415, detail=f"a body is {JSON}")
        return parse_strict(body)


def header(connection: ASGIConnection[Any, Any, Any, Any], name: bytes) -> str:
    """Return the first header line of this lower-case ``name``, or nothing.

    The framework reads all of them into a mapping first, which three of them are not worth.
    """
    for found, value in connection.scope["headers"]:
        if found == name:
            return value.decode("latin-1")
    return ""


def shows_token(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Say whether a bearer token was sent, whatever it opens."""
    kind, _, shown = header(connection, b"authorization").partition(" ")
    return kind.lower() == "bearer" and bool(shown.strip())


def client_address(
    connection: ASGIConnection[Any, Any, Any, Any], *, trusted: Sequence[Network]
) -> str:
    """Return where a request came from: the last address that no proxy of ours added.

    Each proxy adds the address that it saw at the end; several lines are one list, in their order
    (RFC 9110, 5.3). Whatever stands in the list and is no address is not trusted, so it ends the
    walk and is what the caller is known by.

    Prevents: a caller who writes an address of his choice in front of the one that we saw.
    """
    host = connection.client.host if connection.client is not None else ""
    if not trusted:
        return host
    listed = ",".join(connection.headers.getall("x-forwarded-for", []))
    hops = [hop.strip() for hop in listed.split(",") if hop.strip()]
    while hops and _is_trusted(host, trusted):
        host = hops.pop()[:ADDRESS_LENGTH_MOST]
    return host


def _is_trusted(host: str, trusted: Sequence[Network]) -> bool:
    address = _parsed(host)
    return address is not None and any(address in network for network in trusted)


def _parsed(host: str) -> Address | None:
    """Return an address in its one form: an IPv4 one that is written as IPv6 is the IPv4 one."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def counted_address(address: str) -> str:
    """Return the name under which the requests from ``address`` are counted.

    Of IPv6 it is the first 64 bits, which one customer of any provider has to himself.
    Prevents: as many callers as one machine likes to be.
    """
    parsed = _parsed(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(parsed) >> SUBNET_BITS << SUBNET_BITS, SUBNET_BITS)))
    return address if parsed is None else str(parsed)


def request_id(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the caller's own name for a request, or nothing where there is none of its form."""
    given = next((value for name, value in headers if name == REQUEST_ID), b"")
    return given if _REQUEST_ID.fullmatch(given) else b""


def check_request_id(request: Request[Any, Any, Any]) -> None:
    """Check that the caller's own name for a request can be told in the answer.

    Raises:
        MalformedError: it is not 1 to 256 printable ASCII characters.
    """
    headers = request.scope["headers"]
    if any(name == REQUEST_ID for name, _ in headers) and not request_id(headers):
        raise MalformedError("X-Request-ID: 1 to 256 printable ASCII characters")


async def idempotency(request: Request[Any, Any, Any]) -> Idempotency:
    """Return the caller's key and the digest of what is asked under it.

    Raises:
        MalformedError: there is no key, or it is not 8 to 128 printable ASCII characters.
    """
    key = header(request, b"idempotency-key")
    fits = KEY_LENGTH_LEAST <= len(key) <= KEY_LENGTH_MOST
    if not fits or not key.isascii() or not key.isprintable():
        raise MalformedError("Idempotency-Key: 8 to 128 printable ASCII characters are needed")
    path = request.scope["path"].encode("utf-8")
    return Idempotency(key=key, digest=tagged_hash("request/v1", path, await request.body()))
