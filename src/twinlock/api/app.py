"""The ASGI application of one process.

Always true (tests/integration/test_http_surface.py): every error of a route that speaks JSON is a
problem of RFC 9457; nothing answers HTML but the pages; no answer about an account is kept.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from time import perf_counter
from typing import Any, TypeAlias, cast

from litestar import Litestar, MediaType, Router
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException, NotFoundException
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import (
    HTTPScope,
    LifeSpanReceive,
    LifeSpanScope,
    LifeSpanSend,
    Receive,
    Scope,
    Send,
)

from twinlock.api.handlers import OF_ACCOUNTS, router
from twinlock.api.message_signatures import SignedSend, as_get, outgoing
from twinlock.api.notices import report_outcome
from twinlock.api.openapi import render_plugins
from twinlock.api.problems import NO_SNIFFING, of_anything, of_broken, of_http, of_twinlock
from twinlock.api.request import BODY_BYTES_MOST, StrictRequest
from twinlock.api.serving import Api
from twinlock.api.signals import SignalRefusal, push_signal
from twinlock.api.transmitting import OF_RECEIVERS, RECEIVER_TOKEN, token_keys
from twinlock.domain.errors import TwinlockError

AnyScope: TypeAlias = Scope | LifeSpanScope
AnyReceive: TypeAlias = Receive | LifeSpanReceive
AnySend: TypeAlias = Send | LifeSpanSend
UNROUTED = "none"  # The metric's label of whatever has no route.
Opens = Callable[[], AbstractAsyncContextManager[Api]]


class TimedLitestar(Litestar):
    """The application, which tells the metrics how long each request took, by its route.

    A middleware of the framework's would do the same for a multiple of what this costs.
    """

    async def __call__(self, scope: AnyScope, receive: AnyReceive, send: AnySend) -> None:
        """Answer one request, or begin and end the application's life."""
        if scope["type"] != ScopeType.HTTP:
            await super().__call__(scope, receive, send)
            return
        since = perf_counter()
        api: Api = self.state.api
        asked, told = cast("HTTPScope", scope), cast("Send", send)
        if asked["method"] == "HEAD":
            asked, told = as_get(asked, told)
        told = outgoing(asked, told, signer=api.answers)
        try:
            await super().__call__(asked, receive, told)
        except Exception as error:
            # Of an answer that is kept until it is whole nothing has left yet.
            if not isinstance(told, SignedSend) or not told.begin_anew():
                raise
            request = StrictRequest(asked, cast("Receive", receive), told)
            answer = of_broken(request, error).to_asgi_response(app=None, request=request)
            await answer(request.scope, request.receive, told)
        finally:
            api.metrics.observe(str(asked.get("path_template") or UNROUTED), perf_counter() - since)


def create_app(opens: Opens, *, pages: tuple[Router, ...] = ()) -> Litestar:
    """Return the application; ``opens`` makes its use cases when it starts, and closes them."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with opens() as api:
            app.state.api = api
            yield

    return TimedLitestar(
        route_handlers=[router(), *pages],
        exception_handlers={
            TwinlockError: of_twinlock,
            HTTPException: of_http,
            Exception: of_anything,
        },
        lifespan=[lifespan],
        response_headers=NO_SNIFFING,
        openapi_config=OpenAPIConfig(
            title="Twinlock",
            version="1",
            render_plugins=render_plugins(
                (*OF_ACCOUNTS, *OF_RECEIVERS, report_outcome, token_keys),
                refusing={push_signal: SignalRefusal},
            ),
            use_handler_docstrings=True,
            openapi_router=Router(
                "/openapi", route_handlers=[], include_in_schema=False, guards=[_no_html]
            ),
            security=[{"platformKey": []}],
            components=Components(
                security_schemes={
                    "platformKey": SecurityScheme(type="http", scheme="bearer"),
                    RECEIVER_TOKEN: SecurityScheme(type="http", scheme="bearer"),
                }
            ),
        ),
        request_class=StrictRequest,
        request_max_body_size=BODY_BYTES_MOST,
        logging_config=None,
    )


def _no_html(_: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuse what the framework would say in HTML of documents that do not exist.

    Prevents: a page without the pages' policy on the origin at which people prove.
    """
    if isinstance(handler, HTTPRouteHandler) and handler.media_type == MediaType.HTML:
        raise NotFoundException
