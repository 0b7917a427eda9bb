"""A service to play against: the real one on loopback, or the same one in memory.

``open_service`` runs the application that ``twinlock serve`` runs, in this process, on a socket of
the loopback and an embedded PostgreSQL in a directory of its own. ``open_world`` runs the same
application without sockets and database. Both are installations with their own keys, and are gone
without a trace when the block ends.
"""

import asyncio
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self, cast

import httpx
import uvicorn
from litestar import Litestar

from twinlock.api.app import create_app
from twinlock.api.serving import Api
from twinlock.bootstrap.keys import make_keyring
from twinlock.bootstrap.rulebook import RuleBook
from twinlock.bootstrap.ruling import Ruling
from twinlock.bootstrap.serving import Shelves, Steering, open_api, open_on
from twinlock.bootstrap.trust import trust_of
from twinlock.bootstrap.world import (
    World,
    embedded,
    prepare,
    settings_from_environment,
    system_entropy,
)
from twinlock.client import TIMEOUT_SECONDS, Client
from twinlock.domain.errors import TwinlockError
from twinlock.domain.trust import Trust
from twinlock.proofs.passkeys import RelyingParty
from twinlock.range.late_letters import LateLetters
from twinlock.range.leasing import leased
from twinlock.range.mailbox import Mailbox
from twinlock.range.memory_orders import MemoryOrderCounts
from twinlock.range.memory_store import MemoryKeys, MemoryPolicyTexts, MemoryStore
from twinlock.range.profiles import before
from twinlock.range.weather import FixedPrices, SteerableClock, StoreInWeather, Weather
from twinlock.services.platform_keys import Scope

# Early enough that a hundred replays of several years each end before today.
BEGINNING = datetime(1980, 1, 1, 12, tzinfo=UTC)
KEY_LIFETIME = timedelta(days=400)
LOOPBACK = "127.0.0.1"
LOG_ORIGIN = "localhost/twinlock-range"
OUTBOX_SECONDS = 0.03
PATIENCE_SECONDS = 10.0  # A letter leaves within the second in which it was decided.
# As root the database runs as a user who owns nothing and exists everywhere: none is made for it.
SERVER_USER = "nobody"
START_LOOK_SECONDS = 0.01
PREFIX = "twinlock-range-"  # Then the process whose directory it is.
PASSABLE, PRIVATE = 0o711, 0o700
MEMORY_BYTES_LEAST = 2**30  # A database of the range takes a tenth of it; containers give 64 MB.


class ServiceNotStartedError(TwinlockError):
    """The range's own service ended before it answered."""

    code = "service_not_started"
    status = 503


@dataclass(slots=True, kw_only=True)
class Reign:
    """Which rules decide now, and which did before."""

    book: RuleBook
    earlier: RuleBook


@dataclass(slots=True, kw_only=True)
class Venue:
    """One installation, and what the range may turn about it."""

    book: RuleBook  # whose rules the story is played by
    rp: RelyingParty
    trust: Trust
    api: Api
    clock: SteerableClock
    weather: Weather
    letters: LateLetters
    mailbox: Mailbox
    http: httpx.AsyncClient
    reign: Reign
    _key_until: datetime = field(default=BEGINNING)

    @property
    def client(self) -> Client:
        """Return the client that the platform's servers use."""
        return Client(self.http)

    @property
    def now(self) -> datetime:
        """Return the time at this venue."""
        return self.clock.at

    @property
    def past(self) -> RuleBook:
        """Return the rules by which customers became what they are when a story begins."""
        return self.reign.earlier

    @contextmanager
    def in_the_past(self) -> Iterator[None]:
        """Decide by the rules of before, as when a customer was set up."""
        self.reign.book = self.reign.earlier
        try:
            yield
        finally:
            self.reign.book = self.book

    async def set_forward(self, at: datetime) -> None:
        """Let time pass until ``at``, and rotate the platform's key before it expires."""
        self.clock.set_forward(at)
        if self.now + timedelta(days=1) >= self._key_until:
            await self.rotate_key()

    async def rotate_key(self) -> None:
        """Make the platform a new key; rotating is what platforms do once a year."""
        key = await self.api.use.keys.create(
            scopes=tuple(Scope), networks=("127.0.0.0/8",), lifetime=KEY_LIFETIME
        )
        self.http.headers["Authorization"] = f"Bearer {key}"
        self._key_until = self.now + KEY_LIFETIME

    def draw(self) -> bytes:
        """Return 32 random bytes, for keys of devices."""
        return self.api.entropy.draw(32)


@asynccontextmanager
async def open_service(book: RuleBook, *, begins: datetime = BEGINNING) -> AsyncIterator[Venue]:
    """Run the real service on loopback, with a database of its own, and remove both afterwards."""
    with own_directory() as directory:
        settings = settings_from_environment(_environment(directory))
        make_keyring(settings)
        try:
            world = await prepare(settings, server_user=SERVER_USER)
            turned = _Turned.at(begins, book)
            opened: list[Api] = []

            @asynccontextmanager
            async def opens() -> AsyncIterator[Api]:
                async with open_api(
                    world,
                    book=book,
                    clock=turned.clock,
                    prices=turned.prices,
                    steering=turned.steering,
                ) as api:
                    opened.append(api)
                    yield api

            async with listening(create_app(opens)) as url, _http(url) as http:
                mailbox = Mailbox(settings.outbox_dir, patience_seconds=PATIENCE_SECONDS)
                yield await _venue(world, book, turned, opened[0], http, mailbox)
        finally:
            await asyncio.to_thread(embedded(settings, server_user=SERVER_USER).stop)


@asynccontextmanager
async def open_world(book: RuleBook, *, begins: datetime = BEGINNING) -> AsyncIterator[Venue]:
    """Run the same service in memory: no socket, no database."""
    with own_directory() as directory:
        settings = settings_from_environment(_environment(directory))
        world = World(settings=settings, keyring=make_keyring(settings), dsn="")
        turned = _Turned.at(begins, book)
        store = MemoryStore(clock=turned.clock, entropy=system_entropy())
        shelves = Shelves(
            store=store,
            keys=MemoryKeys(),
            policies=MemoryPolicyTexts(),
            outbox=store,
            records=store,
            notices=store.notices,
            endpoints=store.notices,
            order_counts=MemoryOrderCounts(store),
            marked=store,
        )
        opened: list[Api] = []

        @asynccontextmanager
        async def opens() -> AsyncIterator[Api]:
            async with open_on(
                shelves,
                world,
                ruling=Ruling(book, texts=shelves.policies),
                clock=turned.clock,
                prices=turned.prices,
                steering=turned.steering,
            ) as api:
                opened.append(api)
                yield api

        async with leased(opens) as app:
            asgi = cast("Any", app)  # Litestar types its ASGI call more narrowly than httpx.
            transport = httpx.ASGITransport(asgi, client=(LOOPBACK, 1))
            async with app.lifespan(), _http("http://world", transport) as http:
                # Without a database a letter is there within milliseconds, or never.
                mailbox = Mailbox(settings.outbox_dir, patience_seconds=PATIENCE_SECONDS / 10)
                yield await _venue(world, book, turned, opened[0], http, mailbox)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turned:
    """What is turned about a service, made before it starts."""

    weather: Weather
    clock: SteerableClock
    prices: FixedPrices
    reign: Reign
    letters: LateLetters
    steering: Steering

    @classmethod
    def at(cls, begins: datetime, book: RuleBook) -> Self:
        weather = Weather()
        clock = SteerableClock(begins, weather)
        reign = Reign(book=book, earlier=before(book))
        letters = LateLetters(weather, clock)
        return cls(
            weather=weather,
            clock=clock,
            prices=FixedPrices(clock, weather),
            reign=reign,
            letters=letters,
            steering=Steering(
                seconds=clock.seconds,
                outbox_seconds=OUTBOX_SECONDS,
                through=lambda store: StoreInWeather(store, weather),
                earlier=reign.earlier,
                in_force=lambda _: reign.book,
                letters=letters.before,
            ),
        )


async def _venue(
    world: World,
    book: RuleBook,
    turned: _Turned,
    api: Api,
    http: httpx.AsyncClient,
    mailbox: Mailbox,
) -> Venue:
    settings = world.settings
    venue = Venue(
        book=book,
        rp=RelyingParty(rp_id=settings.rp_id, origin=settings.origin),
        trust=trust_of(
            settings,
            world.keyring,
            book=book,
            earlier=(turned.reign.earlier.policy.name.digest,),
        ),
        api=api,
        clock=turned.clock,
        weather=turned.weather,
        letters=turned.letters,
        mailbox=mailbox,
        http=http,
        reign=turned.reign,
    )
    await venue.rotate_key()
    return venue


def _http(url: str, transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, transport=transport, timeout=TIMEOUT_SECONDS)


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: signals are for the program around it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals as they are."""
        yield


@asynccontextmanager
async def listening(app: Litestar) -> AsyncIterator[str]:
    """Serve ``app`` on a free port of the loopback; give its URL."""
    # Named as TCP, asyncio turns Nagle's algorithm off; else each answer waits 40 ms for an ACK.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind((LOOPBACK, 0))
        config = uvicorn.Config(
            app, log_level="critical", access_log=False, lifespan="on", server_header=False
        )
        server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started:
                if task.done():
                    raise ServiceNotStartedError("the service did not start")
                await asyncio.sleep(START_LOOK_SECONDS)
            yield f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


def _environment(directory: Path) -> dict[str, str]:
    return {
        "TWINLOCK_DATA_DIR": str(directory / "data"),
        "TWINLOCK_KEYRING_DIR": str(directory / "keys" / "keyring"),
        "TWINLOCK_LOG_ORIGIN": LOG_ORIGIN,
    }


@contextmanager
def own_directory() -> Iterator[Path]:
    """Give a directory of our own with a short name, and remove it with all it holds."""
    path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=base_directory()))
    path.chmod(PASSABLE if os.geteuid() == 0 else PRIVATE)  # The database's user passes through.
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def base_directory() -> Path:
    """Return where a program may run from and everybody may enter: memory where there is enough."""
    memory = Path("/dev/shm")  # noqa: S108 - only a private directory of our own in it
    if memory.is_dir():
        found = os.statvfs(memory)
        roomy = found.f_bavail * found.f_frsize >= MEMORY_BYTES_LEAST
        if roomy and not found.f_flag & os.ST_NOEXEC:
            return memory
    return Path("/var/lib") if os.geteuid() == 0 else Path(tempfile.gettempdir())
