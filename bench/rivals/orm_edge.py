"""The rival's edge: pydantic models as strict as our own, and strict JSON."""

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Annotated, Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field

from twinlock.domain.answers import Answered
from twinlock.domain.bounds import MAX_VALUE_CENTS
from twinlock.domain.canonical import parse_strict
from twinlock.domain.errors import MalformedError

BODY_BYTES_MOST = 32_768


class _Strict(BaseModel):
    """Unknown fields and other types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Signed(_Strict):
    """A session, and the signature of its device key."""

    session_id: Annotated[str, Field(min_length=1, max_length=64)]
    jwk: dict[str, Any] | None = None
    signed_at: Annotated[int, Field(ge=0, le=2**53 - 1)] = 0
    signature: Annotated[str, Field(max_length=128)] = ""


class Withdrawal(_Strict):
    """The draft of a withdrawal."""

    asset: Annotated[str, Field(min_length=1, max_length=64)]
    network: Annotated[str, Field(min_length=1, max_length=64)]
    address: Annotated[str, Field(min_length=4, max_length=128)]
    amount: Annotated[str, Field(min_length=1, max_length=128)]
    max_fee: Annotated[str, Field(min_length=1, max_length=128)] = "0"
    memo: Annotated[str, Field(max_length=128)] = ""


class Proposal(_Strict):
    """What somebody wants done; this service knows one type of action."""

    account_id: Annotated[str, Field(min_length=1, max_length=64)]
    type: Annotated[str, Field(pattern=r"^withdrawal\.crypto$")]
    payload: Withdrawal
    value_cents: Annotated[int, Field(ge=0, le=MAX_VALUE_CENTS)] = 0
    session: Signed | None = None


class Reason(BaseModel):
    """One reason in words."""

    code: str
    sentence: str
    ends: str
    way_on: str


class Answer(BaseModel):
    """The gate's answer."""

    action_id: str
    type: str
    answer: str
    digest: str
    state: str
    why: list[Reason] = []
    until: datetime | None = None
    fault: str = ""
    session_id: str = ""
    authorization: str = ""
    index: int | None = None


def answer_of(found: Answered) -> Answer:
    """Return what the gate answered as the response's model."""
    return Answer(
        action_id=found.action_id,
        type=found.type,
        answer=found.answer.value,
        digest=found.digest,
        state=found.state,
        why=[
            Reason(code=one.code, sentence=one.sentence, ends=one.ends, way_on=one.way_on)
            for one in found.why
        ],
        until=found.until,
        fault=found.fault,
        session_id=found.session_id,
        authorization=found.authorization,
        index=found.index,
    )


class StrictRequest(Request):
    """A request whose JSON has no doubled keys, no floats and no depth to drown in."""

    async def json(self) -> Any:  # noqa: ANN401 - any JSON value; the model narrows it
        """Return the body's value, parsed as we parse it."""
        body = await self.body()
        if len(body) > BODY_BYTES_MOST:
            raise MalformedError("the body is too large")
        return parse_strict(body)


class StrictRoute(APIRoute):
    """FastAPI's documented way to use a request class of one's own."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler that is given a ``StrictRequest``."""
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handler(StrictRequest(request.scope, request.receive))

        return strict
