"""The whole service in this process, on a real database, with a clock and prices to steer."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
from litestar import Litestar

from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.settings import Settings
from twinlock.api.serving import Api
from twinlock.bootstrap.rulebook import RuleBook, rule_book
from twinlock.bootstrap.serving import Steering, open_api
from twinlock.bootstrap.world import World
from twinlock.client import Client
from twinlock.domain.answers import Answered
from twinlock.domain.canonical import from_b64url
from twinlock.domain.errors import TwinlockError
from twinlock.domain.money import Prices
from twinlock.domain.sessions import signing_nonce
from twinlock.proofs.device_keys import session_proof_message
from twinlock.range.authenticator import Ceremony, SoftwareAuthenticator
from twinlock.range.device import SoftwareDevice, TotpApp
from twinlock.range.leasing import leased
from twinlock.services.platform_keys import Scope

PRICES = {"USDT": 100, "ETH": 3_000_00, "BTC": 60_000_00}
PASSWORD = "correct horse battery staple"  # noqa: S105 - of a test account
ADDRESS = "0x" + "ab" * 20


class SteerableClock:
    """A clock that a test sets; it starts now, so that the database agrees with nothing else."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC).replace(microsecond=0)
        self.fault: TwinlockError | None = None

    def now(self, *, database_at: datetime | None = None) -> datetime:
        if self.fault is not None:
            raise self.fault
        return self.at

    def seconds(self) -> float:
        return self.at.timestamp()

    def forward(self, **length: float) -> None:
        self.at += timedelta(**length)


@dataclass
class FixedPrices:
    """A price list that is always fresh, until a test takes it away."""

    clock: SteerableClock
    known: bool = True

    def prices(self) -> Prices | None:
        return Prices(as_of=self.clock.at, cents=PRICES) if self.known else None


@dataclass
class Service:
    """The running service, and how a test reaches it."""

    app: Litestar
    api: Api
    clock: SteerableClock
    prices: FixedPrices
    settings: Settings
    keyring: Keyring
    http: httpx.AsyncClient
    client: Client
    waiting_letters: Callable[[], Awaitable[int]]
    _count: "itertools.count[int]" = field(default_factory=itertools.count)

    def key(self) -> str:
        return f"test-key-{next(self._count):06d}"

    async def deliver(self) -> None:
        """Wait until the relay has nothing left to hand on."""
        for _ in range(200):
            await asyncio.sleep(0.02)
            if not await self.waiting_letters():
                return
        raise AssertionError("the outbox does not empty")

    async def platform_key(
        self, *scopes: Scope, networks: tuple[str, ...] = ("127.0.0.0/8",)
    ) -> str:
        return await self.api.use.keys.create(
            scopes=scopes or tuple(Scope), networks=networks, lifetime=timedelta(days=400)
        )


@asynccontextmanager
async def serving(
    world: World,
    *,
    waiting_letters: Callable[[], Awaitable[int]],
    book: RuleBook | None = None,
    prices_from_file: bool = False,
    clock: SteerableClock | None = None,
) -> AsyncIterator[Service]:
    """Serve ``world`` in this process; requests come from 127.0.0.1.

    Prices are steered, unless they are those of the file that the settings name.
    """
    clock = clock or SteerableClock()
    prices = FixedPrices(clock)
    opened: list[Api] = []

    @asynccontextmanager
    async def opens() -> AsyncIterator[Api]:
        # Rates go by the same clock: a bucket that a test drains stays so until the test moves it.
        steering = Steering(seconds=clock.seconds)
        async with open_api(
            world,
            book=book or rule_book(),
            clock=clock,
            prices=None if prices_from_file else prices,
            steering=steering,
        ) as api:
            opened.append(api)
            yield api

    async with leased(opens) as app, _alive(app):
        # Litestar types its ASGI call more narrowly than httpx.
        transport = httpx.ASGITransport(cast("Any", app), client=("127.0.0.1", 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as http:
            service = Service(
                app=app,
                api=opened[0],
                clock=clock,
                prices=prices,
                settings=world.settings,
                keyring=world.keyring,
                http=http,
                client=Client(http),
                waiting_letters=waiting_letters,
            )
            http.headers["Authorization"] = f"Bearer {await service.platform_key()}"
            yield service


@asynccontextmanager
async def _alive(app: Litestar) -> AsyncIterator[None]:
    """Start and stop ``app`` in one task: a fixture's two halves run in two."""
    started, stop = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            started.set()
            await stop.wait()

    living = asyncio.create_task(live())
    waiting = asyncio.create_task(started.wait())
    await asyncio.wait({living, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if living.done():
        await living
    try:
        yield
    finally:
        stop.set()
        await living


class Customer:
    """One customer with real authenticators in software, acting over the API."""

    def __init__(self, service: Service, name: str) -> None:
        self.service = service
        self.client = service.client
        self.name = name
        self.account_id = ""
        self.passkey = SoftwareAuthenticator(self._seed("passkey"), synced=True)
        self.device = SoftwareDevice(self._seed("device"))
        self.app: TotpApp | None = None
        self.session_id = ""
        self.channels: dict[str, str] = {}

    def _seed(self, use: str) -> bytes:
        return f"{self.name}/{use}".encode().ljust(32, b".")[:32]

    async def open(self, *channels: str, **opening: object) -> None:
        places = {
            "email": f"{self.name}@example.com",
            "sms": f"+1555{int.from_bytes(self.name.encode()[:3], 'big'):08}",
            "desktop": f"{self.name}-desktop",
        }
        wanted = [{"kind": kind, "address": places[kind]} for kind in channels]
        opened = await self.client.open_account(
            {"channels": wanted, **opening}, key=self.service.key()
        )
        self.account_id = opened["account_id"]
        seen = await self.client.account(self.account_id)
        self.channels = {one["kind"]: one["channel_id"] for one in seen["channels"]}

    async def propose(
        self, kind: str, payload: dict[str, Any] | None = None, **more: object
    ) -> Answered:
        body = {"account_id": self.account_id, "type": kind, "payload": payload or {}, **more}
        return await self.client.propose(body, key=self.service.key())

    async def bind_password(self, password: str = PASSWORD) -> Answered:
        return await self.propose(
            "authenticator.bind", {"authenticator": "password", "password": password}
        )

    async def bind_totp(self) -> Answered:
        offered = await self.client.offer(self.account_id, "totp")
        self.app = TotpApp(offered["uri"])
        return await self.propose(
            "authenticator.bind",
            {
                "authenticator": "totp",
                "candidate_id": offered["candidate_id"],
                "code": self.app.code(self.service.clock.at),
            },
        )

    async def bind_passkey(self) -> Answered:
        offered = await self.client.offer(self.account_id, "passkey")
        response = self.passkey.create(self.ceremony(offered["challenge"]))
        return await self.propose(
            "authenticator.bind",
            {
                "authenticator": "passkey",
                "candidate_id": offered["candidate_id"],
                "response": response,
            },
        )

    def ceremony(self, challenge: str) -> Ceremony:
        settings = self.service.settings
        return Ceremony(
            challenge=from_b64url(challenge), rp_id=settings.rp_id, origin=settings.origin
        )

    async def with_passkey(self, action_id: str) -> Answered:
        asked = await self.client.ask(action_id, {"factor": "passkey"})
        response = self.passkey.get(self.ceremony(asked["options"]["challenge"]))
        reply = {
            "factor": "passkey",
            "challenge_id": asked["challenge_id"],
            "response": response,
        }
        return await self.client.prove(action_id, reply)

    async def with_secret(self, action_id: str, factor: str, secret: str) -> Answered:
        return await self.client.prove(action_id, {"factor": factor, "secret": secret})

    async def start(
        self, device: SoftwareDevice | None = None, *, visitor: object = None
    ) -> Answered:
        """Propose a sign-in on the own device; ``device`` signs it, the own one unless told."""
        body = {
            "account_id": self.account_id,
            "type": "session.start",
            "payload": {"device": self.device.jwk()},
            **({} if visitor is None else {"visitor": visitor}),
        }
        key, preview = self.service.key(), await self.client.preview(body)
        signed = self.signed(preview["digest"], purpose="proposal", name=key, device=device)
        return await self.client.propose({**body, "session": signed}, key=key)

    async def sign_in(self, *, visitor: object = None) -> Answered:
        answer = await self.with_passkey((await self.start(visitor=visitor)).action_id)
        self.session_id = answer.session_id
        return answer

    async def set_up(self, *channels: str, **opening: object) -> None:
        """Open the account with a password and a passkey, and sign in on the device."""
        await self.open(*(channels or ("email", "desktop")), **opening)
        await self.bind_password()
        await self.bind_passkey()
        await self.sign_in()

    async def add_destination(self, *, budget_cents: int = 0, address: str = ADDRESS) -> None:
        """List a destination with proof, and let its day pass."""
        where = {"network": "ethereum", "address": address, "budget_cents": budget_cents}
        added = await self.propose("destination.add", where)
        await self.with_passkey(added.action_id)
        self.service.clock.forward(hours=24)

    def withdrawal(self, amount: str = "10", **more: str) -> dict[str, Any]:
        return {
            "asset": "USDT",
            "network": "ethereum",
            "address": ADDRESS,
            "amount": amount,
            "max_fee": "0.01",
            **more,
        }

    async def withdraw(self, amount: str = "10", **more: str) -> Answered:
        """Propose a withdrawal and prove it with the passkey."""
        proposed = await self.propose("withdrawal.crypto", self.withdrawal(amount, **more))
        return await self.with_passkey(proposed.action_id)

    async def withdraw_refused(self) -> list[str]:
        """Propose a withdrawal that is refused, and return why."""
        refused = await self.propose("withdrawal.crypto", self.withdrawal())
        return [why.code.value for why in refused.why if refused.state == "refused"]

    def signed(
        self, digest: str, *, purpose: str, name: str, device: SoftwareDevice | None = None
    ) -> dict[str, Any]:
        """Return the session's signature by its device, the own one unless told, as it travels."""
        device = device or self.device
        signed_at = int(self.service.clock.at.timestamp() * 1000)
        message = session_proof_message(
            self.session_id,  # type: ignore[arg-type] # as it came over the wire
            nonce=signing_nonce(purpose, name, signed_at=signed_at),
            payload_digest=from_b64url(digest, size=32),
        )
        return {
            "session_id": self.session_id,
            "jwk": device.jwk(),
            "signed_at": signed_at,
            "signature": device.sign(message),
        }
