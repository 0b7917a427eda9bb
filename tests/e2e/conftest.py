"""What a person at a browser meets: the service with its pages on loopback, and Chromium."""

from collections.abc import AsyncIterator
from typing import cast

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from support.browser import (
    BrowserCustomer,
    Visitor,
    chromium,
    free_port,
    listening,
    visiting,
    with_pages,
)
from support.postgres import WHEEL, running_server
from support.service import Service, serving

from twinlock.adapters.settings import load as load_settings
from twinlock.bootstrap.keys import make_keyring
from twinlock.bootstrap.world import prepare


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """The service on http://localhost, at a port that is part of its origin."""
    home, port = tmp_path_factory.mktemp("service"), free_port()
    with running_server(WHEEL) as server:
        async with server.database() as database:
            settings = load_settings(
                {
                    "TWINLOCK_DATABASE_URL": database.app_dsn,
                    "TWINLOCK_DATA_DIR": str(home / "data"),
                    "TWINLOCK_KEYRING_DIR": str(home / "keys" / "ring"),
                    "TWINLOCK_LISTEN": f"127.0.0.1:{port.getsockname()[1]}",
                },
                as_root=False,
            )
            make_keyring(settings)

            async def waiting() -> int:
                return cast("int", await database.value("SELECT count(*) FROM outbox"))

            async with (
                serving(await prepare(settings), waiting_letters=waiting) as running,
                listening(with_pages(running), port),
            ):
                yield running


@pytest_asyncio.fixture(loop_scope="module")
async def visitor(browser: Browser, service: Service) -> AsyncIterator[Visitor]:
    async with visiting(browser, service.settings.origin) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def alice(service: Service, visitor: Visitor) -> BrowserCustomer:
    """Alice, set up and signed in, with a passkey in this browser and a destination of her own."""
    alice = BrowserCustomer(service, "alice", visitor)
    await alice.set_up()
    return alice
