"""Order intents over the API: one batch, one answer to each.

Always true (tests/integration/test_order_intents_http.py): what is answered is in the batch's
order; a batch that is not of its form is refused whole, and counts nothing.
"""

from collections import Counter
from typing import Any, cast

import msgspec
from litestar import post
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.params import JSONBody

from twinlock.api.request import BATCH_BYTES_MOST, StrictRequest
from twinlock.api.serving import Metrics, api_of
from twinlock.domain.order_intents.model import Examined, IntentBatch
from twinlock.services.platform_keys import Scope


class BatchRequest(StrictRequest):
    """A request that is longer than others may be."""

    bytes_most = BATCH_BYTES_MOST


class ExaminedBatch(msgspec.Struct, frozen=True, kw_only=True):
    """The answers to a batch, in its order."""

    answers: tuple[Examined, ...]


async def known_caller(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Check who asks before so long a body is read.

    Prevents: strangers who have a megabyte parsed for each request that is refused.
    """
    request = cast("BatchRequest", connection)
    await api_of(request).caller(request, Scope.TRADE)


@post(
    "/v1/intents",
    guards=[known_caller],
    status_code=200,
    summary="Examine order intents",
    request_class=BatchRequest,
    request_max_body_size=BATCH_BYTES_MOST,
)
async def examine_intents(request: BatchRequest, data: JSONBody[IntentBatch]) -> ExaminedBatch:
    """Say of each order whether it passes, asks for trade.unusual, or is refused."""
    api = api_of(request)
    answers = await api.use.order_intents.examine(data)
    _count(api.metrics, answers)
    return ExaminedBatch(answers=answers)


def _count(metrics: Metrics, answers: tuple[Examined, ...]) -> None:
    counted = Counter((one.verdict.value, one.why[0].value if one.why else "") for one in answers)
    for labels, number in counted.items():
        metrics.order_intents.labels(*labels).inc(number)
