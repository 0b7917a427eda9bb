"""What the pages are served from, and who may send them answers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from litestar.connection import ASGIConnection

from twinlock.domain.account import OpenAction
from twinlock.domain.actions import ApiKeyCreate
from twinlock.domain.answers import Answered
from twinlock.domain.errors import ForeignOriginError
from twinlock.domain.ids import AccountId, ActionId, account_of
from twinlock.domain.listed import Destination
from twinlock.domain.policy.version import Policy
from twinlock.ports import (
    Idempotency,
)
from twinlock.services.actions.proposing import Actions
from twinlock.services.agreements import Agreements
from twinlock.services.freeze_links import FreezeLinks
from twinlock.services.looking import Looking
from twinlock.services.proving.taking import Proving
from twinlock.services.public_log import PublicLog
from twinlock.services.vetoes import Vetoes

Connection: TypeAlias = ASGIConnection[Any, Any, Any, Any]
ACTOR = "page"  # Whom the log names: the customer's own browser, under no platform key.


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """The use cases behind the pages.

    ``visit``, ``visit_veto_page`` and ``visit_to_veto`` count a request by where it comes from,
    ``answer`` one by that and the action that it answers; they raise RateLimitedError. ``once`` is
    a fresh idempotency key; ``count`` tells the metrics of an answer.
    """

    looking: Looking
    actions: Actions
    agreements: Agreements
    proving: Proving
    vetoes: Vetoes
    freeze_links: FreezeLinks
    public_log: PublicLog
    destinations: Callable[[AccountId], Awaitable[tuple[Destination, ...]]]
    policy: Policy
    visit: Callable[[Connection], None]
    visit_veto_page: Callable[[Connection], None]
    visit_to_veto: Callable[[Connection], None]
    answer: Callable[[Connection, str], ActionId]
    once: Callable[[], Idempotency]
    count: Callable[[Answered], None]


async def known_to(pages: Pages, action: OpenAction) -> tuple[Destination, ...]:
    """Return the account's destinations, where the payload of ``action`` names any."""
    payload = action.payload
    if isinstance(payload, ApiKeyCreate) and payload.destinations:
        return await pages.destinations(account_of(action.action_id))
    return ()


def named(action_id: str) -> ActionId:
    """Return a well-formed action id. Raises MalformedError."""
    account_of(action_id)
    return ActionId(action_id)


def check_opened(connection: Connection) -> None:
    """Check that somebody opens a page, and that no other page shows it in a picture or a frame.

    Very old browsers do not say, nor does whoever is none.
    Prevents: a page elsewhere whose pictures use up what its visitor's address may open here.
    Source: Fetch Metadata, 2.1 (Sec-Fetch-Dest), which no script can set.

    Raises:
        ForeignOriginError: another page asked for it.
    """
    if connection.headers.get("sec-fetch-dest", "document") != "document":
        raise ForeignOriginError("asked for by a page, and opened by nobody")


def check_origin(connection: Connection, origin: str) -> None:
    """Check that a page of ``origin`` sent this request.

    Browsers say ``Origin: null`` when a page under ``Referrer-Policy: no-referrer`` submits a form;
    then ``Sec-Fetch-Site``, which no script can set, must say that the page was ours.

    Prevents: a page elsewhere that answers, asks for codes or vetoes through a visitor's browser.
    Source: Fetch, 3.2 (Origin); Fetch Metadata, 2.3 (Sec-Fetch-Site).

    Raises:
        ForeignOriginError: another site did, or the browser did not say.
    """
    named = connection.headers.get("origin", "")
    site = connection.headers.get("sec-fetch-site", "")
    if site not in ("", "same-origin"):
        raise ForeignOriginError("sent by a page of another site")
    if named != origin and (named, site) != ("null", "same-origin"):
        raise ForeignOriginError("sent by a page of another site")
