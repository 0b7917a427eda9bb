"""The ASGI application of one process."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from litestar import Litestar, Router
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme

from twinlock.api.handlers import router
from twinlock.api.problems import of_anything, of_http, of_twinlock
from twinlock.api.request import BODY_BYTES_MOST, StrictRequest
from twinlock.api.serving import Api
from twinlock.domain.errors import TwinlockError

Opens = Callable[[], AbstractAsyncContextManager[Api]]


def create_app(opens: Opens, *, pages: tuple[Router, ...] = ()) -> Litestar:
    """Return the application; ``opens`` makes its use cases when it starts, and closes them."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with opens() as api:
            app.state.api = api
            yield

    return Litestar(
        route_handlers=[router(), *pages],
        exception_handlers={
            TwinlockError: of_twinlock,
            HTTPException: of_http,
            Exception: of_anything,
        },
        lifespan=[lifespan],
        openapi_config=OpenAPIConfig(
            title="Twinlock",
            version="1",
            path="/openapi",
            security=[{"platformKey": []}],
            components=Components(
                security_schemes={
                    "platformKey": SecurityScheme(type="http", scheme="bearer"),
                }
            ),
        ),
        request_class=StrictRequest,
        request_max_body_size=BODY_BYTES_MOST,
        logging_config=None,
    )
