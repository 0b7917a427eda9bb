"""The routes. Each reads, asks one use case, and tells; nothing is decided here."""

from datetime import datetime
from typing import Annotated, Literal, cast

import msgspec
from litestar import Response, Router, get, post
from litestar.datastructures import CacheControlHeader
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.response import Stream
from msgspec import Meta
from prometheus_client import CONTENT_TYPE_LATEST

from twinlock.api.answer_keys import answer_keys
from twinlock.api.authzen import configuration, evaluate, evaluate_all
from twinlock.api.integrators import revoke_integrator
from twinlock.api.notices import list_notices, report_outcome
from twinlock.api.operations import ActingOperation
from twinlock.api.order_intents import examine_intents
from twinlock.api.request import JSON, StrictRequest, idempotency
from twinlock.api.responses import JsonResponse
from twinlock.api.serving import Api, api_of
from twinlock.api.signals import push_signal
from twinlock.api.transmitting import (
    OF_RECEIVERS,
    RECEIVER_TOKEN,
    ssf_configuration,
    token_keys,
)
from twinlock.api.views import AccountView, DestinationView, view_account, view_destination
from twinlock.domain.account import ActionUnknownError
from twinlock.domain.answers import Answered
from twinlock.domain.assurance import Factor
from twinlock.domain.bounds import LEGAL_REFERENCE_MOST
from twinlock.domain.bundle import Bundle
from twinlock.domain.commands import EndSession
from twinlock.domain.errors import MalformedError
from twinlock.domain.export import Exported
from twinlock.domain.ids import ActionId, SessionId, parse_account_id
from twinlock.domain.log.text import from_decimal
from twinlock.services.accounts import NewAccount, Offered, Opened
from twinlock.services.actions.proposing import Previewed, Proposal, Repeated
from twinlock.services.platform_keys import Scope
from twinlock.services.proving.checking import Reply
from twinlock.services.proving.taking import Asked, AskedBefore, Question
from twinlock.services.spending import Spending
from twinlock.services.vetoes import No

Size = Annotated[int, QueryParameter(ge=0, le=2**53 - 1)]


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the customer wants to bind; ``name`` is whom an invitation is for."""

    factor: Factor
    name: Annotated[str, Meta(max_length=64)] = ""


class Ending(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which session ends; none named: all of them, but for the one to keep."""

    session_id: str = ""
    keep_session_id: str = ""


class SimChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a carrier told of the account's number; without a time the SIM changed just now."""

    changed_at: Annotated[datetime, Meta(tz=True)] | None = None


class Flooded(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That messages to the account are buried: there is nothing more to say of it."""


class Holding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file number of whoever needs an account's records."""

    reference: Annotated[str, Meta(min_length=1, max_length=LEGAL_REFERENCE_MOST)]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether this process can answer, how far its log is, and whether customers get notices."""

    status: str
    log_size: int | None = None
    notices: Literal["carried", "files"] | None = None


@post("/v1/accounts", status_code=201, summary="Open an account", operation_class=ActingOperation)
async def open_account(request: StrictRequest, data: JSONBody[NewAccount]) -> Opened:
    """Open an account for a new customer of the platform."""
    api = api_of(request)
    actor = await api.caller(request, Scope.ACCOUNTS)
    return await api.use.accounts.open(data, actor=actor, idempotency=await idempotency(request))


@get("/v1/accounts/{account_id:str}", summary="Look at an account")
async def look_at_account(request: StrictRequest, account_id: FromPath[str]) -> AccountView:
    """Return the account's authenticators, holds and open actions, without secrets."""
    api = api_of(request)
    actor = await api.caller(request, Scope.READ)
    account, now = await api.use.accounts.look(api.account(account_id, by=actor))
    return view_account(account, now=now)


@get("/v1/accounts/{account_id:str}/destinations", summary="List destinations")
async def list_destinations(
    request: StrictRequest, account_id: FromPath[str]
) -> list[DestinationView]:
    """Return every destination: what it is good for, who added it, when, with which proofs."""
    api = api_of(request)
    actor = await api.caller(request, Scope.READ)
    found = await api.use.accounts.listing(api.account(account_id, by=actor))
    return [view_destination(one) for one in found]


@post(
    "/v1/accounts/{account_id:str}/candidates",
    status_code=201,
    summary="Offer a candidate",
    operation_class=ActingOperation,
)
async def offer_candidate(
    request: StrictRequest,
    account_id: FromPath[str],
    data: JSONBody[Wanted],
) -> Offered:
    """Give out a challenge or a seed, for authenticator.bind; or invite a contact or a member.

    An invitation is the page ``/invited/{account_id}/{candidate_id}``.
    """
    api = api_of(request)
    actor = await api.caller(request, Scope.PROPOSE)
    named = api.account(account_id, by=actor)
    key = await idempotency(request)
    return await api.use.accounts.offer(
        named, data.factor, name=data.name, actor=actor, idempotency=key
    )


@post(
    "/v1/accounts/{account_id:str}/sessions/end",
    status_code=204,
    summary="End sessions",
    operation_class=ActingOperation,
)
async def end_sessions(
    request: StrictRequest,
    account_id: FromPath[str],
    data: JSONBody[Ending],
) -> None:
    """End one session of an account, all of them, or all others. It needs no proof."""
    api = api_of(request)
    actor = await api.caller(request, Scope.PROPOSE)
    named = api.account(account_id, by=actor)
    if data.session_id and data.keep_session_id:
        raise MalformedError("name the session to end, or the one to keep")
    ending = EndSession(
        session_id=SessionId(data.session_id) if data.session_id else None,
        keep=SessionId(data.keep_session_id) if data.keep_session_id else None,
    )
    key = await idempotency(request)
    await api.use.accounts.end_session(named, ending, actor=actor, idempotency=key)


@post(
    "/v1/accounts/{account_id:str}/sim-changes",
    status_code=204,
    summary="Report a changed SIM",
    operation_class=ActingOperation,
)
async def report_sim_change(
    request: StrictRequest,
    account_id: FromPath[str],
    data: JSONBody[SimChange],
) -> None:
    """Say that the SIM of the account's number changed: codes by SMS then count nothing."""
    api = api_of(request)
    actor = await api.caller(request, Scope.PROPOSE)
    named = api.account(account_id, by=actor)
    key = await idempotency(request)
    changed_at = data.changed_at
    await api.use.accounts.report_sim_change(named, changed_at, actor=actor, idempotency=key)


@post(
    "/v1/accounts/{account_id:str}/floods",
    status_code=204,
    summary="Report a flood of messages",
    operation_class=ActingOperation,
)
async def report_flood(
    request: StrictRequest,
    account_id: FromPath[str],
    data: JSONBody[Flooded],  # noqa: ARG001 - checked
) -> None:
    """Say that other people's messages bury ours: each wait that runs is longer, once."""
    api = api_of(request)
    actor = await api.caller(request, Scope.PROPOSE)
    named = api.account(account_id, by=actor)
    key = await idempotency(request)
    await api.use.accounts.report_flood(named, actor=actor, idempotency=key)


@post(
    "/v1/accounts/{account_id:str}/legal-holds",
    status_code=204,
    summary="Set a legal hold",
    operation_class=ActingOperation,
)
async def set_legal_hold(
    request: StrictRequest, account_id: FromPath[str], data: JSONBody[Holding]
) -> None:
    """Keep the account from being erased while its records are needed."""
    api = api_of(request)
    actor = await api.caller(request, Scope.LEGAL_HOLD)
    named = api.account(account_id, by=actor)
    key = await idempotency(request)
    await api.use.legal_holds.set(named, data.reference, actor=actor, idempotency=key)


@post(
    "/v1/accounts/{account_id:str}/legal-holds/lift",
    status_code=204,
    summary="Lift a legal hold",
    operation_class=ActingOperation,
)
async def lift_legal_hold(
    request: StrictRequest, account_id: FromPath[str], data: JSONBody[Holding]
) -> None:
    """Say that the account's records are needed no more under this file number."""
    api = api_of(request)
    actor = await api.caller(request, Scope.LEGAL_HOLD)
    named = api.account(account_id, by=actor)
    key = await idempotency(request)
    await api.use.legal_holds.lift(named, data.reference, actor=actor, idempotency=key)


@get("/v1/accounts/{account_id:str}/export", summary="Export all about a person")
async def export_account(request: StrictRequest, account_id: FromPath[str]) -> Response[Exported]:
    """Return everything that is held about the customer, but secrets; they are told of it."""
    api = api_of(request)
    actor = await api.caller(request, Scope.EXPORT)
    named = api.exported(account_id, by=actor)
    pieces = await api.use.exporting.export(named, actor=actor)
    sent = Stream(pieces, media_type=JSON)
    return cast("Response[Exported]", sent)  # In pieces, which are that when put together.


@post("/v1/actions", status_code=201, summary="Propose an action", operation_class=ActingOperation)
async def propose(request: StrictRequest, data: JSONBody[Proposal]) -> Answered:
    """Propose an action; the answer says what is missing, why, until when, and what lifts it."""
    api = api_of(request)
    actor = await api.caller(request, Scope.PROPOSE)
    named = parse_account_id(data.account_id)
    api.rates.proposal(named, data.type, by=actor)
    key = await idempotency(request)
    answer = await api.use.actions.propose(data, named=named, actor=actor, idempotency=key)
    if isinstance(answer, Repeated):
        return await api.use.looking.look(ActionId(answer.action_id))
    return await api.use.looking.beside(_counted(api, answer))


@post("/v1/payloads", status_code=200, summary="Preview a payload")
async def preview(request: StrictRequest, data: JSONBody[Proposal]) -> Previewed:
    """Return the exact payload that a proposal would have, and the digest a device signs."""
    api = api_of(request)
    actor = await api.caller(request, Scope.PROPOSE)
    return await api.use.actions.preview(data, named=api.account(data.account_id, by=actor))


@get("/v1/actions/{action_id:str}", summary="Look at an action")
async def look_at_action(request: StrictRequest, action_id: FromPath[str]) -> Answered:
    """Return how an action stands. Nothing is decided."""
    api = api_of(request)
    actor = await api.caller(request, Scope.READ)
    return await api.use.looking.look(api.looked_at(action_id, by=actor))


@post(
    "/v1/actions/{action_id:str}/challenges",
    status_code=201,
    summary="Ask for a proof",
    operation_class=ActingOperation,
)
async def ask(
    request: StrictRequest,
    action_id: FromPath[str],
    data: JSONBody[Question],
) -> Asked:
    """Put a question to the customer: passkey options, or a code sent to a channel."""
    api = api_of(request)
    actor = await api.caller(request, Scope.PROPOSE)
    named = api.rates.answers.take(action_id, by=actor)
    key = await idempotency(request)
    try:
        asked = await api.use.proving.ask(named, data, actor=actor, idempotency=key)
    except ActionUnknownError:
        await api.use.looking.explain_gone(named)
    if isinstance(asked, AskedBefore):
        return asked.told(await api.use.looking.look(named))
    return asked


@post(
    "/v1/actions/{action_id:str}/assertions",
    status_code=200,
    summary="Give a proof",
    operation_class=ActingOperation,
)
async def prove(
    request: StrictRequest,
    action_id: FromPath[str],
    data: JSONBody[Reply],
) -> Answered:
    """Take the customer's answer to exactly this action, and decide."""
    api = api_of(request)
    actor = await api.caller(request, Scope.PROPOSE)
    named = api.rates.answers.take(action_id, by=actor)
    key = await idempotency(request)
    try:
        answer = await api.use.proving.prove(named, data, actor=actor, idempotency=key)
    except ActionUnknownError:
        await api.use.looking.explain_gone(named)
    return await _told(api, named, answer)


@post(
    "/v1/actions/{action_id:str}/veto",
    status_code=200,
    summary="Veto an action",
    operation_class=ActingOperation,
)
async def veto(request: StrictRequest, action_id: FromPath[str], data: JSONBody[No]) -> Answered:
    """Say no. It is final."""
    api = api_of(request)
    actor = await api.caller(request, Scope.PROPOSE)
    named = api.vetoed(action_id, by=actor)
    key = await idempotency(request)
    try:
        answer = await api.use.vetoes.veto(named, data, actor=actor, idempotency=key)
    except ActionUnknownError:
        await api.use.looking.explain_gone(named)
    return await _told(api, named, answer)


@get("/v1/actions/{action_id:str}/evidence", summary="Get the evidence")
async def evidence(
    request: StrictRequest,
    action_id: FromPath[str],
    consistent_from: Size = 0,
) -> Bundle:
    """Return the bundle of the action's last decision; anyone can check it offline."""
    api = api_of(request)
    actor = await api.caller(request, Scope.READ)
    return await api.use.evidence.bundle(
        api.looked_at(action_id, by=actor), consistent_from=consistent_from
    )


@post("/v1/authorizations/{action_id:str}/spend", status_code=200, summary="Spend")
async def spend(
    request: StrictRequest,
    action_id: FromPath[str],
    data: JSONBody[Spending],
) -> Answered:
    """Decide an authorized exit again; a yes is the spend, exactly once for one spend id."""
    api = api_of(request)
    actor = await api.caller(request, Scope.SPEND)
    named = api.rates.answers.take(action_id, by=actor)
    try:
        return _counted(api, await api.use.spends.spend(named, data, actor=actor))
    except ActionUnknownError:
        await api.use.looking.explain_gone(named)


async def _told(api: Api, named: ActionId, answer: Answered | None) -> Answered:
    """Return an answer, or how the action stands where the answer was given before."""
    return await api.use.looking.look(named) if answer is None else _counted(api, answer)


def _counted(api: Api, answer: Answered) -> Answered:
    api.metrics.count(answer)
    return answer


# --- The public log (C2SP tlog-tiles) ---


@get("/checkpoint", include_in_schema=False)
async def checkpoint(request: StrictRequest) -> Response[bytes]:
    """Return the signed head of the log."""
    api = api_of(request)
    api.rates.log.take(api.caller_address(request))
    note = await api.use.logbook.checkpoint()
    return Response(note, media_type="text/plain", headers={"Cache-Control": "max-age=5"})


@get("/proof/{index:str}", include_in_schema=False)
async def proof(request: StrictRequest, index: FromPath[str]) -> Response[bytes]:
    """Return the C2SP tlog-proof of one entry; an index has one spelling."""
    api = api_of(request)
    api.rates.log.take(api.caller_address(request))
    data = await api.use.logbook.proof(from_decimal(index))
    return Response(data, media_type="text/plain")


@get("/tile/{path:path}", include_in_schema=False)
async def tile(request: StrictRequest, path: FromPath[str]) -> Response[bytes]:
    """Return a tile or an entry bundle; it never changes."""
    api = api_of(request)
    api.rates.log.take(api.caller_address(request))
    data = await api.use.logbook.resource(f"tile{path}")
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(data, media_type="application/octet-stream", headers=headers)


# --- For whoever runs it ---


@get("/health/live", include_in_schema=False)
async def live() -> Health:
    """Say that this process runs."""
    return Health(status="live")


@get("/health/ready", include_in_schema=False)
async def ready(request: StrictRequest) -> Health:
    """Say that this process can decide. Raises what is wrong with its keys, clock or database."""
    api = api_of(request)
    api.check_health()
    api.check_ruling()
    api.clock.now(database_at=None)
    head = await api.store.head()
    files = await api.notices_are_files()
    return Health(status="ready", log_size=head.size, notices="files" if files else "carried")


@get("/metrics", include_in_schema=False)
async def metrics(request: StrictRequest) -> Response[bytes]:
    """Return the metrics of this process for Prometheus."""
    measured = await api_of(request).measured()
    headers = {"Content-Type": CONTENT_TYPE_LATEST}  # It names the character set already.
    return Response(measured, headers=headers)


OF_ACCOUNTS = (
    open_account,
    look_at_account,
    list_destinations,
    offer_candidate,
    end_sessions,
    report_sim_change,
    report_flood,
    set_legal_hold,
    lift_legal_hold,
    export_account,
    list_notices,
    propose,
    preview,
    look_at_action,
    ask,
    prove,
    veto,
    evidence,
    spend,
    evaluate,
    evaluate_all,
    examine_intents,
    revoke_integrator,
)


def router() -> Router:
    """Return every route of the API. What is told of an account is kept by nobody on the way."""
    of_accounts = Router(
        path="/",
        cache_control=CacheControlHeader(no_store=True),
        response_class=JsonResponse,
        route_handlers=[
            *OF_ACCOUNTS,
            Router(path="/", security=[{RECEIVER_TOKEN: []}], route_handlers=OF_RECEIVERS),
            report_outcome,
            live,
            ready,
            metrics,
            configuration,
            answer_keys,
            ssf_configuration,
            token_keys,
        ],
    )
    return Router(path="/", route_handlers=[of_accounts, push_signal, checkpoint, proof, tile])
