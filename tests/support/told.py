"""A receiver of signals for tests: its token, its calls, and its reading of what it is told."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from support.service import Service

from twinlock.bootstrap.transmitting import add_receiver
from twinlock.proofs.sets import SecurityEvent, read_keys, verify_set

CAEP = "https://schemas.openid.net/secevent/caep/event-type/"
RISC = "https://schemas.openid.net/secevent/risc/event-type/"
VERIFICATION = "https://schemas.openid.net/secevent/ssf/event-type/verification"
AUDIENCE = "https://broker.example/signals"
EVERY_KIND = (
    *(CAEP + kind for kind in ("session-revoked", "credential-change", "assurance-level-change")),
    *(
        RISC + kind
        for kind in (
            "account-disabled",
            "account-enabled",
            "account-purged",
            "recovery-activated",
            "recovery-information-changed",
            "credential-compromise",
            "account-credential-change-required",
        )
    ),
)


@dataclass
class Hearer:
    """One receiver: what it asks over HTTP, and what it was told, verified by our own receiver."""

    service: Service
    token: str
    told: list[SecurityEvent] = field(default_factory=list)

    async def ask(
        self, method: str, path: str, body: object = None, **query: str
    ) -> httpx.Response:
        return await self.service.http.request(
            method,
            f"/v1/ssf/{path}",
            json=body,
            params=query,
            headers={"authorization": f"Bearer {self.token}"},
        )

    async def make(self, *events: str, **members: object) -> str:
        """Make a stream, and return its id."""
        answer = await self.ask(
            "POST", "stream", {"events_requested": list(events or EVERY_KIND), **members}
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["stream_id"])

    async def hear_of(self, stream: str, account: str, **subject: object) -> httpx.Response:
        named = subject or {"format": "opaque", "id": account}
        return await self.ask("POST", "subjects:add", {"stream_id": stream, "subject": named})

    async def poll(self, stream: str, **members: object) -> dict[str, Any]:
        answer = await self.ask("POST", f"poll/{stream}", members)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def waits(self, stream: str, count: int) -> dict[str, str]:
        """Return what waits, once there are so many."""
        async with asyncio.timeout(20):
            while True:
                sets: dict[str, str] = (await self.poll(stream))["sets"]
                if len(sets) >= count:
                    return sets
                await asyncio.sleep(0.05)

    async def verified(self, token: str) -> SecurityEvent:
        """Return what a token says, as our own receiver reads it."""
        keys = await self.service.http.get("/v1/ssf/jwks.json")
        return verify_set(
            token,
            keys=read_keys(keys.content),
            issuer=self.service.settings.origin,
            audience=AUDIENCE,
            now=self.service.clock.at,
        )

    async def heard(self, stream: str, *, count: int) -> list[SecurityEvent]:
        """Take what waits until there are so many, and acknowledge it."""
        found: dict[str, SecurityEvent] = {}
        async with asyncio.timeout(20):
            while len(found) < count:
                polled = await self.poll(stream, ack=list(found))
                found |= {jti: await self.verified(one) for jti, one in polled["sets"].items()}
                await asyncio.sleep(0.05)
        await self.poll(stream, ack=list(found), maxEvents=0)
        return list(found.values())


def hearer(
    service: Service,
    name: str = "broker",
    *,
    push_to: tuple[str, ...] = (),
    **more: Any,  # noqa: ANN401 - any of the fields
) -> Hearer:
    """Let a receiver make streams."""
    fields: Mapping[str, Any] = {"audience": AUDIENCE, "events": ("*",)} | more
    _, token = add_receiver(service.settings, name, push_to=push_to, **fields)
    return Hearer(service, token)
