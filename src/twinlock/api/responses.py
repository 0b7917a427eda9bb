"""Answers as the routes of accounts write them: a JSON value, encoded once.

The framework's own response is made for cookies, background tasks and any media type, and takes ten
times as long to say the same (measured). A route that wants those returns one itself.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from litestar import Response
from litestar.response.base import ASGIResponse
from litestar.status_codes import HTTP_204_NO_CONTENT

from twinlock.api.request import JSON
from twinlock.domain.answers import Answered
from twinlock.domain.canonical import encode
from twinlock.domain.requirements import Requirement
from twinlock.domain.step_up import challenge

T = TypeVar("T")


class JsonResponse(Response[T]):
    """What a route returns as a value. Its headers are those of its route."""

    def __init__(self, content: T, *, status_code: int, **_: Any) -> None:  # noqa: ANN401 - the framework's signature
        self.content = content
        self._status = status_code

    def to_asgi_response(  # type: ignore[override] # what the framework passes to a value's response
        self,
        *,
        headers: Mapping[str, str],
        **_: Any,  # noqa: ANN401 - the framework's signature
    ) -> ASGIResponse:
        """Return what sends it, with what a step-up needs beside an answer that asks for one."""
        content = self.content
        if isinstance(content, Answered) and content.requirement is not None:
            headers = {**headers, **_step_up(content.requirement)}
        return _Encoded(content, status=self._status, headers=headers)


def _step_up(requirement: Requirement) -> dict[str, str]:
    """Return the challenge of RFC 9470, beside a 2xx as RFC 9110, 11.6.1 allows.

    It asks for a proof of the customer's, and not for another platform key, which a 401 would.
    """
    asked = challenge(requirement)
    return {"WWW-Authenticate": asked} if asked else {}


class _Encoded(ASGIResponse):
    """A value as it is sent. A route that returns none says nothing but its status."""

    def __init__(self, content: object, *, status: int, headers: Mapping[str, str]) -> None:
        self.background = None
        self.is_head_response = False
        self.status_code = status
        self.body = b"" if content is None else encode(content)
        self._sent = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        if content is not None:
            self._sent.append((b"content-type", JSON.encode()))
        if status != HTTP_204_NO_CONTENT:  # RFC 9110, 8.6: with a 204 there is none.
            self._sent.append((b"content-length", str(len(self.body)).encode()))

    def encode_headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers as they are sent."""
        return self._sent
