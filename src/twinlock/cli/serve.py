"""``twinlock serve``: the service, on one or several processes; ``twinlock migrate``."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import typer
import uvicorn
from litestar import Litestar

from twinlock.api.app import create_app
from twinlock.api.serving import Api
from twinlock.bootstrap import (
    migrate_owner,
    open_api,
    page_routes,
    prepare,
    rule_book,
    settings_from_environment,
)
from twinlock.cli.console import log_to_stderr, say

DRAIN_SECONDS = 10  # What a request in flight may still take after SIGTERM.
BACKLOG = 2048


def worker() -> Litestar:
    """Return the application of one process, made from the environment."""
    settings, book = settings_from_environment(), rule_book()
    log_to_stderr(settings.log_level)

    @asynccontextmanager
    async def opens() -> AsyncIterator[Api]:
        async with open_api(await prepare(settings), book=book) as api:
            yield api

    return create_app(opens, pages=(page_routes(settings, policy=book.policy),))


def serve() -> None:
    """Serve the API, by the TWINLOCK_* variables; SIGTERM finishes what is in flight."""
    settings = settings_from_environment()
    log_to_stderr(settings.log_level)
    asyncio.run(prepare(settings))
    say(f"serving {settings.origin} on {settings.listen_host}:{settings.listen_port}")
    uvicorn.run(
        "twinlock.cli.serve:worker",
        factory=True,
        host=settings.listen_host,
        port=settings.listen_port,
        workers=settings.workers,
        backlog=BACKLOG,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )


def migrate_command() -> None:
    """Bring the tables of TWINLOCK_OWNER_URL's database up to date."""
    settings = settings_from_environment()
    if settings.owner_url is None:
        say("set TWINLOCK_OWNER_URL to the database as the owner of its tables")
        raise typer.Exit(2)
    number = asyncio.run(migrate_owner(settings.owner_url))
    say(f"the database is at step {number}")
