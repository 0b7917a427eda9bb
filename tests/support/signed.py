"""Platforms that sign what they ask, and those who send something else in their name."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any, cast

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.service import Service

from twinlock.client import Client, Signing
from twinlock.domain.canonical import b64url
from twinlock.domain.message_signatures import Draft, RequestMessage, draft_request
from twinlock.services.platform_keys import Scope, key_id_of

SIGNER = Ed25519PrivateKey.from_private_bytes(b"a platform that signs".ljust(32, b"."))
OTHER = Ed25519PrivateKey.from_private_bytes(b"somebody else's key".ljust(32, b"."))


def public_of(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


async def signed_key(service: Service, *scopes: Scope, by: Ed25519PrivateKey = SIGNER) -> str:
    """Return a platform key that is good for requests that ``by`` signed."""
    return await service.api.use.keys.create(
        scopes=scopes or tuple(Scope),
        networks=("127.0.0.0/8",),
        lifetime=timedelta(days=30),
        signed_by=b64url(public_of(by)),
    )


@asynccontextmanager
async def connected(
    service: Service, key: str, *, by: Ed25519PrivateKey = SIGNER, pins: dict[str, bytes] | None
) -> AsyncIterator[Client]:
    """Call ``service`` with our own client, which signs; ``pins`` None: with the right keys."""
    pinned = service.api.answers.public_keys() if pins is None else pins
    signing = Signing(by, answered_by=pinned, now=service.clock.now)
    transport = httpx.ASGITransport(cast("Any", service.app), client=("127.0.0.1", 5000))
    async with httpx.AsyncClient(
        transport=transport,
        base_url="http://service",
        headers={"Authorization": f"Bearer {key}"},
        auth=signing,
    ) as http:
        yield Client(http)


Change = Callable[[RequestMessage], RequestMessage]


@dataclass
class Caller:
    """Somebody with a platform key who makes each request by hand."""

    service: Service
    key: str
    signer: Ed25519PrivateKey = SIGNER
    host: str = "service"
    _count: "count[int]" = field(default_factory=count)

    def message(
        self, path: str, body: bytes = b"", *, method: str = "", query: str = "", **fields: str
    ) -> RequestMessage:
        """Return a request before it is signed. ``fields`` are named with _ for -."""
        named = [(name.replace("_", "-"), value) for name, value in fields.items()]
        kind = [("content-type", "application/json")] if body else []
        return RequestMessage(
            method=method or ("POST" if body else "GET"),
            scheme="http",
            authority=self.host,
            path=path,
            query=query,
            fields=(
                ("host", self.host),
                ("authorization", f"Bearer {self.key}"),
                *kind,
                *named,
            ),
            body=body,
        )

    def draft(self, message: RequestMessage, *, now: datetime | None = None) -> Draft:
        """Return what is signed of ``message``, with a nonce of its own."""
        return draft_request(
            message,
            keyid=key_id_of(self.key),
            nonce=f"nonce-of-a-test-{next(self._count):06d}",
            now=now or self.service.clock.at,
        )

    def signed(self, message: RequestMessage, draft: Draft | None = None) -> RequestMessage:
        """Return ``message`` with its signature."""
        made = draft or self.draft(message)
        fields = made.fields(self.signer.sign(made.base))
        return with_fields(message, *fields.items())

    async def send(self, message: RequestMessage) -> httpx.Response:
        """Send exactly this."""
        target = message.path + (f"?{message.query}" if message.query else "")
        request = httpx.Request(
            message.method,
            f"http://service{target}",
            headers=[(name.encode(), value.encode("latin-1")) for name, value in message.fields],
            content=message.body,
        )
        transport = httpx.ASGITransport(cast("Any", self.service.app), client=("127.0.0.1", 5000))
        async with httpx.AsyncClient(transport=transport) as http:
            return await http.send(request)


def with_fields(message: RequestMessage, *more: tuple[str, str]) -> RequestMessage:
    """Return ``message`` with more lines of fields."""
    return RequestMessage(
        method=message.method,
        scheme=message.scheme,
        authority=message.authority,
        path=message.path,
        query=message.query,
        fields=(*message.fields, *more),
        body=message.body,
    )


def changed(message: RequestMessage, name: str, value: str | None) -> RequestMessage:
    """Return ``message`` with another value in the field ``name``, or without it."""
    others = tuple(one for one in message.fields if one[0] != name)
    bare = RequestMessage(
        method=message.method,
        scheme=message.scheme,
        authority=message.authority,
        path=message.path,
        query=message.query,
        fields=others,
        body=message.body,
    )
    return bare if value is None else with_fields(bare, (name, value))
