"""Ending an integrator's API keys over the API: a page of accounts at a time."""

from typing import Annotated

import msgspec
from litestar import post
from litestar.params import JSONBody
from msgspec import Meta

from twinlock.api.request import StrictRequest
from twinlock.api.serving import api_of
from twinlock.services.integrators import RevokedPage
from twinlock.services.platform_keys import Scope


class Revoking(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose keys end; ``after`` is what the page before this one said."""

    integrator: Annotated[str, Meta(min_length=1, max_length=64)]
    after: Annotated[str, Meta(max_length=64)] = ""


@post("/v1/api-keys/revoke", status_code=200, summary="End an integrator's API keys")
async def revoke_integrator(request: StrictRequest, data: JSONBody[Revoking]) -> RevokedPage:
    """End every API key of one integrator, on some accounts; go on while ``after`` is told."""
    api = api_of(request)
    actor = await api.caller(request, Scope.REVOKE_KEYS)
    return await api.use.integrators.revoke(data.integrator, actor=actor, after=data.after)
