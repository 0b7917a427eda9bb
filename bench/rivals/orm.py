"""The rival: the hot path as a good engineer writes it with FastAPI and SQLAlchemy's async ORM.

It does the same work: the same platform key check, rate limits, strict JSON, session signature,
``decide``, bookkeeping, sealing, leaf, tree, outbox row, idempotency, and the same signed answer.
All of that is imported from Twinlock. Its own is what a framework and an ORM give: pydantic models
at the edge, mapped classes, a session and a transaction for each request.

It is written to be fast within that choice:

* uvicorn with uvloop and httptools; FastAPI's tracing switched off, as ours has none;
* both documents in one locked SELECT, joined with their key; the clock, the log's last time and the
  idempotency key in another: four SELECTs a request, and nothing is loaded lazily;
* changes are flushed together, so that several rows of a table are one statement;
* the head of the log, which orders all writers, is locked last and for as short as can be;
* ``expire_on_commit`` off; statements built once, so that SQLAlchemy's and asyncpg's caches hold; a
  pool of the size that measured best;
* the garbage collector is spared as in ``twinlock serve``;
* the signature is checked before the transaction, and the answer signed after it.

usage: RIVAL_DSN=… TWINLOCK_…=… python -m bench.rivals.orm PORT
"""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import asyncpg
import uvicorn
from fastapi import Depends, FastAPI, Header, Request
from fastapi.responses import JSONResponse
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from bench.rivals.orm_edge import Answer, Proposal, StrictRoute, answer_of
from bench.rivals.orm_service import Service
from twinlock.bootstrap.collecting import spare_collections
from twinlock.domain.canonical import tagged_hash
from twinlock.domain.errors import TwinlockError

POOL = int(os.environ.get("RIVAL_POOL", "8"))
SERVER_SETTINGS = {
    "application_name": "rival",
    "timezone": "UTC",
    "lock_timeout": "8000",
    "statement_timeout": "10000",
    "jit": "off",
}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the pool, and close it in the end."""
    dsn = os.environ["RIVAL_DSN"]
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=lambda: asyncpg.connect(dsn, server_settings=SERVER_SETTINGS),
        pool_size=POOL,
        max_overflow=0,
    )
    app.state.service = Service(async_sessionmaker(engine, expire_on_commit=False, autoflush=False))
    spare_collections()
    yield
    await engine.dispose()


async def service(request: Request) -> Service:
    """Return the use case of this process."""
    found: Service = request.app.state.service
    return found


Using = Annotated[Service, Depends(service)]


async def caller(
    request: Request, using: Using, authorization: Annotated[str, Header()] = ""
) -> str:
    """Return the actor behind the request's platform key."""
    host = request.client.host if request.client is not None else ""
    return await using.caller(authorization, host)


async def propose(
    request: Request,
    data: Proposal,
    using: Using,
    actor: Annotated[str, Depends(caller)],
    idempotency_key: Annotated[str, Header(min_length=8, max_length=128)],
) -> Answer:
    """Propose an action."""
    path = request.url.path.encode("utf-8")
    digest = tagged_hash("request/v1", path, await request.body())
    return answer_of(await using.propose(data, actor=actor, key=idempotency_key, digest=digest))


async def ready() -> dict[str, str]:
    """Say that this process serves."""
    return {"status": "ready"}


async def refused(_: Request, error: Exception) -> JSONResponse:
    """Tell an error of the gate's."""
    code, status = (
        (error.code, error.status) if isinstance(error, TwinlockError) else ("internal", 500)
    )
    return JSONResponse({"code": code, "detail": str(error)}, status)


def create_app() -> FastAPI:
    """Return the application of one process."""
    app = FastAPI(lifespan=lifespan, telemetry={"tracing": False, "metrics": False, "logs": False})
    app.router.route_class = StrictRoute
    app.post("/v1/actions", status_code=201)(propose)
    app.get("/health/ready")(ready)
    app.exception_handler(TwinlockError)(refused)
    return app


def main() -> None:
    """Serve on loopback, with the options of ``twinlock serve``."""
    uvicorn.run(
        "bench.rivals.orm:create_app",
        factory=True,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        backlog=2048,
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )


if __name__ == "__main__":
    main()
