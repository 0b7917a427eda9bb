"""The routes of the pages. A GET tells and never acts; each POST is one answer of one person.

Whoever holds the link of an action can read what it would do: its id is 128 random bits. To change
anything takes a proof, which the gate checks, or the secret of a veto link. Nothing is kept in the
browser: there is no cookie here, so a page elsewhere can borrow no power by sending a visitor's
browser; that an answer came from our own page is checked all the same.
"""

import hmac
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeAlias

from litestar import Request, Response, Router, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.exceptions import HTTPException, NotFoundException
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter, URLEncodedBody
from msgspec import Meta
from msgspec.structs import replace

from twinlock.domain.account import ActionClosedError, ActionUnknownError
from twinlock.domain.assurance import Factor
from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.bounds import CONTEST_HOLDS_EVERY, WEAK_FREEZE_LENGTH
from twinlock.domain.commands import Veto
from twinlock.domain.contests import Meaning, meaning_of
from twinlock.domain.entries import ClosedAction
from twinlock.domain.errors import NotRepeatableError, present
from twinlock.domain.ids import ActionId, ChannelId
from twinlock.domain.reasons import Reason
from twinlock.domain.requirements import Answer
from twinlock.domain.vetoes import veto_token
from twinlock.ports import (
    Entropy,
)
from twinlock.services.looking import Standing
from twinlock.services.proving.checking import Reply
from twinlock.services.proving.taking import Asked, Question
from twinlock.services.vetoes import No
from twinlock.web.agreeing import CONTACT_ANSWERS, CONTACT_PAGES
from twinlock.web.contests import ContestTold, contest_told
from twinlock.web.errors import Errors
from twinlock.web.forms import Form, LinkForm, Short, Signed, Wanted, once
from twinlock.web.freezing import ask_freeze, freeze
from twinlock.web.public_log import LOG_PAGES
from twinlock.web.refusals import words_of
from twinlock.web.rendering import STATIC, Renderer
from twinlock.web.serving import (
    ACTOR,
    Connection,
    Pages,
    check_opened,
    check_origin,
    known_to,
    named,
)
from twinlock.web.sheets import Because, Sheet, Status, because_of, sheet_of, with_resembled

AnyRequest: TypeAlias = Request[Any, Any, Any]
Guard: TypeAlias = Callable[[Connection, BaseRouteHandler], None]
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
_FRESH = "nothing stands under a fresh idempotency key"


class ProofForm(Form, frozen=True, kw_only=True):
    """What somebody typed. ``challenge_id`` names the question, where one was asked.

    ``forced``: what is bound is for duress.
    """

    HIDDEN = frozenset({"secret", "forced"})

    factor: Factor
    secret: Annotated[str, Meta(max_length=256)]
    challenge_id: Short = ""
    forced: Literal["", "yes"] = ""


class CodeForm(Form, frozen=True, kw_only=True):
    """By which channel a code shall be sent."""

    factor: Factor


class OwnSigned(Signed, frozen=True, kw_only=True):
    """The same, of an account's own: ``forced`` says that what is bound is for duress."""

    forced: bool = False


class VetoForm(LinkForm, frozen=True, kw_only=True):
    """A no, by the link that was sent."""


Use: TypeAlias = NamedDependency[Pages]
Render: TypeAlias = NamedDependency[Renderer]
Named: TypeAlias = FromPath[str]
Channel = Annotated[str, QueryParameter(name="c", max_length=64)]
Token = Annotated[str, QueryParameter(name="t", max_length=64)]


# --- Looking ---


@get("/confirm/{action_id:str}")
async def confirm(pages: Use, renderer: Render, action_id: Named) -> Response[str]:
    """Show what would be signed, and how it stands."""
    found = await pages.looking.stand(named(action_id))
    gone = isinstance(found, ClosedAction) and await pages.looking.is_undone(found)
    note = _Note.UNDONE if gone else _Note.NOTHING
    return _confirm_page(renderer, await _sheet(pages, found), note=note)


async def _sheet(pages: Pages, found: Standing | ClosedAction) -> Sheet:
    payload = found.action.payload
    listed = await known_to(pages, found.action)
    sheet = sheet_of(found, policy=pages.policy, listed=listed)
    if await pages.proving.offers_duress(payload):
        sheet = replace(sheet, offers_duress=True)
    if all(one.code != Reason.LOOK_ALIKE for one in sheet.because):
        return sheet
    return with_resembled(sheet, await pages.looking.resembled(found))


class _Note(StrEnum):
    """What else is said on top of an action's page."""

    NOTHING = ""
    OVER = "over"  # It had ended before the answer came.
    TWICE = "twice"  # The browser sent the same twice.
    UNDONE = "undone"  # It was repudiated since.


def _confirm_page(
    renderer: Renderer,
    sheet: Sheet,
    *,
    note: _Note = _Note.NOTHING,
    fault: ProofFault | None = None,
    tried: Factor | None = None,
) -> Response[str]:
    """Return the page of an action; ``fault`` is what was wrong with what ``tried`` showed."""
    status, code, words = 200, "", ""
    if fault is not None:
        status, code, words = ProofRefusedError.status, fault.value, words_of(fault)
    elif note is _Note.OVER:
        status, code = ActionClosedError.status, ActionClosedError.code
    told = {"code": code, "note": note, "fault": words, "tried": tried}
    return renderer.page("confirm.html", status=status, sheet=sheet, **told)


async def _gone(pages: Pages, renderer: Renderer, action_id: ActionId) -> Response[str]:
    """Say how an action ended that somebody wanted to answer. Raises ActionUnknownError."""
    sheet = await _sheet(pages, await pages.looking.stand(action_id))
    return _confirm_page(renderer, sheet, note=_Note.OVER)


# --- Answering by plain forms ---


@post("/confirm/{action_id:str}/proof")
async def prove(
    pages: Use, renderer: Render, action_id: Named, data: URLEncodedBody[ProofForm]
) -> Response[str]:
    """Take what was typed, and decide."""
    action = named(action_id)
    secret = data.secret if data.factor is Factor.PASSWORD else "".join(data.secret.split())
    reply = Reply(factor=data.factor, secret=secret, challenge_id=data.challenge_id)
    try:
        answered = await pages.proving.prove(
            action,
            reply,
            actor=ACTOR,
            idempotency=once(action, data),
            forced=bool(data.forced),
        )
    except ActionUnknownError:
        return await _gone(pages, renderer, action)
    except ProofRefusedError as refused:
        return await _again(pages, renderer, action, refused.fault, data.factor)
    if answered is None:
        return await _twice(pages, renderer, action)
    pages.count(answered)
    return renderer.elsewhere(f"/confirm/{action}")


@post("/confirm/{action_id:str}/code")
async def send_code(
    pages: Use, renderer: Render, action_id: Named, data: URLEncodedBody[CodeForm]
) -> Response[str]:
    """Send a code to the first channel of its kind, if the gate asks for one."""
    action = named(action_id)
    try:
        question = Question(factor=data.factor)
        await pages.proving.ask(action, question, actor=ACTOR, idempotency=once(action, data))
    except ActionUnknownError:
        return await _gone(pages, renderer, action)
    except NotRepeatableError:
        return await _twice(pages, renderer, action)
    except ProofRefusedError as refused:
        return await _again(pages, renderer, action, refused.fault, data.factor)
    return renderer.elsewhere(f"/confirm/{action}")


async def _twice(pages: Pages, renderer: Renderer, action_id: ActionId) -> Response[str]:
    """Show how things stand to somebody whose browser sent the same thing twice."""
    sheet = await _sheet(pages, await pages.looking.stand(action_id))
    return _confirm_page(renderer, sheet, note=_Note.TWICE)


async def _again(
    pages: Pages, renderer: Renderer, action_id: ActionId, fault: ProofFault, tried: Factor
) -> Response[str]:
    """Show the page once more, with what was wrong."""
    sheet = await _sheet(pages, await pages.looking.stand(action_id))
    return _confirm_page(renderer, sheet, fault=fault, tried=tried)


# --- Answering with a passkey, through our script ---


@post("/confirm/{action_id:str}/challenge")
async def challenge(
    pages: Use, renderer: Render, action_id: Named, data: JSONBody[Wanted]
) -> Response[object]:
    """Put a question, or the one that stands: what the browser hands to the authenticator."""
    action = named(action_id)
    question = Question(factor=Factor(data.factor))
    try:
        asked = await pages.proving.ask(action, question, actor=ACTOR, idempotency=pages.once())
    except ActionUnknownError:
        await pages.looking.explain_gone(action)
    if isinstance(asked, Asked) and asked.answered.state == Status.LAPSED:
        raise ActionClosedError("this action lapsed before the question was put")
    return renderer.json({"challenge_id": asked.challenge_id, "options": asked.options})


@post("/confirm/{action_id:str}/assertion")
async def assertion(
    pages: Use, renderer: Render, action_id: Named, data: JSONBody[OwnSigned]
) -> Response[object]:
    """Take the authenticator's answer, and decide. The page itself tells the outcome."""
    action = named(action_id)
    reply = Reply(factor=Factor.PASSKEY, challenge_id=data.challenge_id, response=data.response)
    try:
        given = await pages.proving.prove(
            action, reply, actor=ACTOR, idempotency=pages.once(), forced=data.forced
        )
    except ActionUnknownError:
        await pages.looking.explain_gone(action)
    answered = present(given, _FRESH)
    pages.count(answered)
    return renderer.json({"answer": answered.answer, "state": answered.state})


# --- Saying no ---


@get("/veto/{action_id:str}")
async def ask_veto(
    pages: Use, renderer: Render, action_id: Named, channel_id: Channel = "", token: Token = ""
) -> Response[str]:
    """Show what the link would stop or undo. It does nothing yet: mail scanners open links."""
    found = await pages.looking.stand(named(action_id))
    sheet = await _sheet(pages, found)
    if isinstance(found, ClosedAction):
        return await _undo_page(pages, renderer, found, channel_id=channel_id, token=token)
    veto = _link(found, channel_id, token)
    account = found.state.account
    meaning = meaning_of(account, found.action, veto, now=found.now)
    because = because_of((Reason.NOT_ENTITLED,)) if meaning is Meaning.UNHEARD else ()
    contest = contest_told(account, meaning, now=found.now)
    return _veto_page(renderer, sheet, token=token, veto=veto, because=because, contest=contest)


async def _undo_page(
    pages: Pages, renderer: Renderer, found: ClosedAction, *, channel_id: str, token: str
) -> Response[str]:
    """Show what took effect, and to whom we sent this link that it can be undone."""
    sheet = await _sheet(pages, found)
    ends, why_not = await pages.looking.objection(found, ChannelId(channel_id))
    if ends is None:
        return _confirm_page(renderer, sheet)
    veto = _link(found, channel_id, token)
    because = () if why_not is None else because_of((why_not,))
    return _veto_page(renderer, sheet, token=token, veto=veto, because=because, undo_until=ends)


def _link(found: Standing | ClosedAction, channel_id: str, token: str) -> Veto:
    """Return the veto that a link would ask for.

    Raises:
        ProofRefusedError: we sent no such link about this action.
    """
    named = ChannelId(channel_id)
    if not hmac.compare_digest(veto_token(found.action, named).encode(), token.encode()):
        raise ProofRefusedError(ProofFault.CODE_WRONG)
    return Veto(action_id=found.action.action_id, channel_id=named)


def _veto_page(  # noqa: PLR0913 - each is one thing that the page shows
    renderer: Renderer,
    sheet: Sheet,
    *,
    veto: Veto,
    token: str,
    because: tuple[Because, ...] = (),
    undo_until: datetime | None = None,
    contest: ContestTold | None = None,
) -> Response[str]:
    return renderer.page(
        "veto.html",
        contest=contest,
        sheet=sheet,
        channel_id=veto.channel_id,
        token=token,
        because=because,
        undo_until=undo_until,
        length=WEAK_FREEZE_LENGTH,
        holds_every=CONTEST_HOLDS_EVERY,
    )


@post("/veto/{action_id:str}")
async def veto(
    pages: Use, renderer: Render, action_id: Named, data: URLEncodedBody[VetoForm]
) -> Response[str]:
    """Say no: at once, and for good; after the fact, undo what was bound."""
    action = named(action_id)
    no = No(channel_id=data.channel_id, token=data.token)
    try:
        said = await pages.vetoes.veto(action, no, actor=ACTOR, idempotency=once(action, data))
    except ActionUnknownError:
        return await _gone(pages, renderer, action)
    if said is None:
        return await _twice(pages, renderer, action)
    pages.count(said)
    if said.answer is not Answer.DENY:
        return renderer.elsewhere(f"/confirm/{action}")
    sheet = await _sheet(pages, await pages.looking.stand(action))
    asked = Veto(action_id=action, channel_id=ChannelId(data.channel_id))
    because = because_of(tuple(why.code for why in said.why))
    return _veto_page(renderer, sheet, token=data.token, veto=asked, because=because)


# --- Files that never change ---


@get(f"{STATIC}/{{name:str}}")
async def static(renderer: Render, name: Named) -> Response[bytes]:
    """Return a static file."""
    found = renderer.static(name)
    if found is None:
        raise NotFoundException
    return found


# --- All of them ---


def _only(origin: str, media_type: str) -> Guard:
    """Return the guard of answers: from our own page, in the one form that it sends."""

    def guard(connection: Connection, _: BaseRouteHandler) -> None:
        check_origin(connection, origin)
        sent = connection.headers.get("content-type", "").partition(";")[0].strip().lower()
        if sent != media_type:
            raise HTTPException(status_code=415)

    return guard


def _counted(pages: Callable[[State], Pages], count: Callable[[Pages, Connection], None]) -> Guard:
    """Return the guard that counts who comes, before anything is looked up."""

    def guard(connection: Connection, _: BaseRouteHandler) -> None:
        count(pages(connection.app.state), connection)

    return guard


def _visit(pages: Pages, connection: Connection) -> None:
    pages.visit(connection)


def _answer(pages: Pages, connection: Connection) -> None:
    """Count an answer by where it comes from, and by that and whom it is about.

    Prevents: whoever was sent the link of a freeze, and floods it until its owner is told to wait.
    """
    pages.visit(connection)
    pages.answer(connection, connection.path_params["action_id"])


def _veto(pages: Pages, connection: Connection) -> None:
    """Count a veto by where it comes from and by nothing else: its secret cannot be guessed.

    Prevents: a flood of whatever else is asked from an address that many share, to keep its owner's
    no out.
    """
    pages.visit_to_veto(connection)


def _look(pages: Pages, connection: Connection) -> None:
    """Count who opens a page, unless a page elsewhere does in its place."""
    check_opened(connection)
    pages.visit(connection)


def _look_to_veto(pages: Pages, connection: Connection) -> None:
    """Count who opens the page of a button that stops: apart from all else, and from the button.

    Opening it takes no page of ours, as pressing it does. Prevents: a flood of such pages that
    takes the button from whoever has one open.
    """
    check_opened(connection)
    pages.visit_veto_page(connection)


def page_router(*, origin: str, entropy: Entropy, pages: Callable[[State], Pages]) -> Router:
    """Return every route of the pages; ``pages`` finds their use cases in the running process."""
    renderer = Renderer(origin, entropy=entropy)
    errors = Errors(renderer, entropy=entropy)

    answer = _counted(pages, _answer)

    async def provide_pages(state: State) -> Pages:
        return pages(state)

    async def provide_renderer() -> Renderer:
        return renderer

    return Router(
        path="/",
        route_handlers=[
            static,
            Router(
                path="/",
                route_handlers=[confirm, *CONTACT_PAGES, *LOG_PAGES],
                guards=[_counted(pages, _look)],
            ),
            Router(
                path="/",
                route_handlers=[ask_veto, ask_freeze],
                guards=[_counted(pages, _look_to_veto)],
            ),
            Router(
                path="/", route_handlers=[prove, send_code], guards=[_only(origin, FORM), answer]
            ),
            Router(
                path="/",
                route_handlers=[veto, freeze],
                guards=[_only(origin, FORM), _counted(pages, _veto)],
            ),
            Router(
                path="/",
                route_handlers=[challenge, assertion],
                guards=[_only(origin, JSON), answer],
                exception_handlers=errors.as_json(),
            ),
            Router(
                path="/",
                route_handlers=[*CONTACT_ANSWERS],
                guards=[_only(origin, JSON), _counted(pages, _visit)],
                exception_handlers=errors.as_json(),
            ),
        ],
        dependencies={"pages": Provide(provide_pages), "renderer": Provide(provide_renderer)},
        exception_handlers=errors.as_pages(),
        include_in_schema=False,
    )
