"""Notices over the API: looking them up, and a carrier's word on what became of one."""

from typing import Literal

import msgspec
from litestar import get, post
from litestar.params import FromPath, JSONBody

from twinlock.api.request import StrictRequest, header
from twinlock.api.serving import api_of
from twinlock.proofs.webhooks import SignedHeaders, WebhookSignatureError
from twinlock.services.notices.looking import NoticeView
from twinlock.services.platform_keys import Scope


class NoticeOutcome(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became of the message whose ``webhook-id`` was ``message_id``."""

    message_id: str
    outcome: Literal["delivered", "failed"]


@get("/v1/accounts/{account_id:str}/notices", summary="List the newest notices")
async def list_notices(request: StrictRequest, account_id: FromPath[str]) -> tuple[NoticeView, ...]:
    """Return the newest notices of an account, the newest first: no link, and no code."""
    api = api_of(request)
    actor = await api.caller(request, Scope.READ)
    return await api.use.inbox.listed(api.account(account_id, by=actor))


@post(
    "/v1/notices/outcomes/{webhook_id:str}",
    status_code=204,
    summary="Tell what became of a message",
    security=[{}],
)
async def report_outcome(
    request: StrictRequest, webhook_id: FromPath[str], data: JSONBody[NoticeOutcome]
) -> None:
    """Take a carrier's word, signed as our message to it was: Standard Webhooks, by its secret."""
    api = api_of(request)
    address = api.caller_address(request)
    api.rates.refused.look(address)
    signed = SignedHeaders(
        header(request, b"webhook-id"),
        header(request, b"webhook-timestamp"),
        header(request, b"webhook-signature"),
    )
    callbacks = api.use.callbacks
    try:
        await callbacks.check(webhook_id, data.message_id, signed, await request.body())
    except WebhookSignatureError:  # Whoever signs is not counted: one address tells of every SMS.
        api.rates.refused.take(address)
        raise
    arrived = data.outcome == "delivered"
    await api.use.reporting.tell(callbacks.shelf, data.message_id, arrived=arrived)
