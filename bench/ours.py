"""Our side: one process as ``twinlock serve`` runs it, and one more route that counts batches.

The application, its use cases and its store are those of ``twinlock.cli.serve``. Two things differ:

* a route of the benchmark's own says how many transactions decided how many requests;
* the relay, which hands notices on after the answer, does not run: the rival has none either.
  ``BENCH_RELAY=1`` lets it run as it does in ``serve``.

usage: TWINLOCK_…=… python -m bench.ours
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import uvicorn
from litestar import Litestar, Router, get, post
from litestar.datastructures import State
from litestar.params import JSONBody

from twinlock.api.app import create_app
from twinlock.api.order_intents import BatchRequest, ExaminedBatch, known_caller
from twinlock.api.request import BATCH_BYTES_MOST
from twinlock.api.responses import JsonResponse
from twinlock.api.serving import Api
from twinlock.bootstrap.collecting import spare_collections
from twinlock.bootstrap.rulebook import rule_book
from twinlock.bootstrap.serving import OUTBOX_SECONDS, Steering, open_api, page_routes
from twinlock.bootstrap.world import prepare, settings_from_environment
from twinlock.cli.console import log_to_stderr
from twinlock.cli.listening import BoundedProtocol
from twinlock.cli.serve import BACKLOG
from twinlock.domain.order_intents.judging import PASSES
from twinlock.domain.order_intents.model import IntentBatch

RELAY = bool(os.environ.get("BENCH_RELAY"))
NEVER_SECONDS = 1e6


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """Transactions that decided, and requests that they decided."""

    batches: int
    batched: int


@get("/counted", include_in_schema=False)
async def counted(state: State) -> Counted:
    """Return the counters of this process."""
    store = state.api.store
    return Counted(batches=store.batches, batched=store.batched)


@post(
    "/echo",
    status_code=200,
    request_class=BatchRequest,
    request_max_body_size=BATCH_BYTES_MOST,
    guards=[known_caller],
    include_in_schema=False,
)
async def echo(data: JSONBody[IntentBatch]) -> ExaminedBatch:
    """Answer a batch of intents without examining any: the floor of ``bench.intents``."""
    return ExaminedBatch(answers=(PASSES,) * len(data.intents))


def worker() -> Litestar:
    """Return the application of one process, made from the environment, with the counters."""
    settings, book = settings_from_environment(), rule_book()
    log_to_stderr(settings.log_level)
    steering = Steering(outbox_seconds=OUTBOX_SECONDS if RELAY else NEVER_SECONDS)

    @asynccontextmanager
    async def opens() -> AsyncIterator[Api]:
        async with open_api(await prepare(settings), book=book, steering=steering) as api:
            spare_collections()
            yield api

    own = Router(path="/", route_handlers=[counted, echo], response_class=JsonResponse)
    return create_app(opens, pages=(page_routes(settings), own))


def main() -> None:
    """Serve on loopback, with the options of ``twinlock serve``."""
    settings = settings_from_environment()
    uvicorn.run(
        "bench.ours:worker",
        factory=True,
        host=settings.listen_host,
        port=settings.listen_port,
        backlog=BACKLOG,
        loop="uvloop",
        http=BoundedProtocol,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )


if __name__ == "__main__":
    main()
