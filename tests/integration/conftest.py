"""What integration tests stand on: real PostgreSQL, and the whole service on it."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TypeAlias, cast

import httpx
import pytest
from support.browser import Web, browsing, lent_pages, reach
from support.cast import MALLORYS_IP
from support.postgres import WHEEL, TestDatabase, TestServer, running_server
from support.service import Customer, Service, serving
from support.stores import SteerableClock, open_store
from support.stores import make_keyring as make_test_keyring

from twinlock.adapters.keyring.ring import Keyring
from twinlock.adapters.keyring.ring import load as load_keyring
from twinlock.adapters.settings import load as load_settings
from twinlock.adapters.sql.store import SqlStore
from twinlock.bootstrap.keys import make_keyring
from twinlock.bootstrap.world import World, prepare

Servers: TypeAlias = Callable[[str], TestServer]


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """The servers of this test process, each started when a test first asks for it."""
    with ExitStack() as stack:

        @cache
        def running(version: str) -> TestServer:
            return stack.enter_context(running_server(version))

        yield running


@pytest.fixture
def version(request: pytest.FixtureRequest) -> str:
    """Which PostgreSQL a test runs on (``support.postgres.both_versions``)."""
    return cast("str", getattr(request, "param", WHEEL))


@pytest.fixture
def server(servers: Servers, version: str) -> TestServer:
    """A running server; a test that kills it starts it again."""
    return servers(version)


@pytest.fixture
async def database(server: TestServer) -> AsyncIterator[TestDatabase]:
    """A fresh, migrated database."""
    async with server.database() as fresh:
        yield fresh


@pytest.fixture(scope="session")
def keyring_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a keyring, for processes that a test starts."""
    directory = tmp_path_factory.mktemp("keys") / "ring"
    make_test_keyring(directory)
    return directory


@pytest.fixture(scope="session")
def keyring(keyring_dir: Path) -> Keyring:
    """A keyring that tests share."""
    return load_keyring(keyring_dir)


@pytest.fixture
def clock() -> SteerableClock:
    """A clock that a test sets."""
    return SteerableClock()


@pytest.fixture
async def store(
    database: TestDatabase, keyring: Keyring, clock: SteerableClock
) -> AsyncIterator[SqlStore]:
    """A store on a fresh database."""
    async with open_store(database.app_dsn, keyring, clock) as opened:
        yield opened


@pytest.fixture
async def world(database: TestDatabase, tmp_path: Path) -> World:
    """An installation on a database of its own."""
    settings = load_settings(
        {
            "TWINLOCK_DATABASE_URL": database.app_dsn,
            "TWINLOCK_DATA_DIR": str(tmp_path / "data"),
            "TWINLOCK_KEYRING_DIR": str(tmp_path / "keys" / "ring"),
        },
        as_root=False,
    )
    make_keyring(settings)
    return await prepare(settings)


@pytest.fixture
async def service(database: TestDatabase, world: World) -> AsyncIterator[Service]:
    """The whole service of ``world``."""

    async def waiting() -> int:
        return cast("int", await database.value("SELECT count(*) FROM outbox"))

    async with serving(world, waiting_letters=waiting) as running:
        yield running


@pytest.fixture
async def web(service: Service) -> AsyncIterator[Web]:
    """The pages of a running service, as a browser sees them."""
    async with browsing(service) as pages:
        yield pages


@pytest.fixture
async def alice(service: Service) -> Customer:
    """A customer with everything set up."""
    alice = Customer(service, "alice")
    await alice.set_up()
    return alice


@pytest.fixture
async def mallory(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A browser elsewhere, with no key."""
    with lent_pages(service) as app:
        async with reach(app, address=MALLORYS_IP) as http:
            yield http
