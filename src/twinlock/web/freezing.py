"""The page of the link that freezes. Opening it does nothing: scanners open links, and often."""

from typing import Annotated

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter, URLEncodedBody

from twinlock.domain.bounds import WEAK_FREEZE_EVERY, WEAK_FREEZE_LENGTH
from twinlock.domain.freezes import for_ever
from twinlock.web.forms import LinkForm, once
from twinlock.web.rendering import Renderer
from twinlock.web.serving import ACTOR, Pages, named


class FreezeForm(LinkForm, frozen=True, kw_only=True):
    """A freeze, by the link that was sent."""


@get("/freeze/{action_id:str}")
async def ask_freeze(
    pages: NamedDependency[Pages],
    renderer: NamedDependency[Renderer],
    action_id: FromPath[str],
    channel_id: Annotated[str, QueryParameter(name="c", max_length=64)] = "",
    token: Annotated[str, QueryParameter(name="t", max_length=64)] = "",
) -> Response[str]:
    """Show what the link would do."""
    about = named(action_id)
    account, channel = await pages.freeze_links.look(about, channel_id, token)
    until = account.freeze.until
    return renderer.page(
        "freeze.html",
        about=about,
        channel_id=channel.channel_id,
        token=token,
        frozen_until=until,
        frozen_for_good=until is not None and until >= for_ever(until),
        length=WEAK_FREEZE_LENGTH,
        every=WEAK_FREEZE_EVERY,
    )


@post("/freeze/{action_id:str}")
async def freeze(
    pages: NamedDependency[Pages],
    renderer: NamedDependency[Renderer],
    action_id: FromPath[str],
    data: URLEncodedBody[FreezeForm],
) -> Response[str]:
    """Freeze, and show how it stands: where it was too soon, what would do."""
    about = named(action_id)
    freeze_id, said = await pages.freeze_links.freeze(
        about, data.channel_id, data.token, actor=ACTOR, idempotency=once(about, data)
    )
    if said is not None:
        pages.count(said)
    return renderer.elsewhere(f"/confirm/{freeze_id}")
