"""Errors as pages, and as JSON for our own script, translated in this one place."""

from collections.abc import Callable
from typing import Any, TypeAlias

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.errors import InvariantError, TwinlockError
from twinlock.domain.ids import tail
from twinlock.ports import (
    Entropy,
)
from twinlock.web.refusals import Refusal, code_of_http, refusal, words_of
from twinlock.web.rendering import Renderer

AnyRequest: TypeAlias = Request[Any, Any, Any]
Handlers: TypeAlias = dict[int | type[Exception], Callable[[AnyRequest, Any], Response[Any]]]
_log = structlog.get_logger(__name__)
_SERVER_ERROR = 500
PROBLEM = "application/problem+json"


class Errors:
    """What an exception becomes; ``entropy`` names what nobody expected."""

    def __init__(self, renderer: Renderer, *, entropy: Entropy) -> None:
        self._renderer = renderer
        self._entropy = entropy

    def as_pages(self) -> Handlers:
        """Return the handlers of routes that a person opens."""
        return self._handlers(lambda _, told: self._renderer.refuse(told))

    def as_json(self) -> Handlers:
        """Return the handlers of routes that our own script calls."""
        return self._handlers(self._tell_script)

    def _handlers(self, tell: Callable[[Exception, Refusal], Response[Any]]) -> Handlers:
        return {
            kind: lambda _, error: tell(error, self._refusal(error))
            for kind in (TwinlockError, HTTPException, Exception)
        }

    def _refusal(self, error: Exception) -> Refusal:
        if isinstance(error, HTTPException):
            return refusal(code=code_of_http(error.status_code), status=error.status_code)
        if isinstance(error, TwinlockError) and not isinstance(error, InvariantError):
            if error.status >= _SERVER_ERROR:
                _log.error("page_failed", code=error.code, exc_info=error)
            return refusal(code=error.code, status=error.status)
        name = tail(self._entropy.draw(16))
        _log.error("page_broke", incident=name, exc_info=error)
        return refusal(code="internal", status=_SERVER_ERROR, incident=name)

    def _tell_script(self, error: Exception, told: Refusal) -> Response[object]:
        if isinstance(error, ProofRefusedError):
            return self.proof_refused(error.fault)
        return self._problem(
            code=told.code,
            status=told.status,
            title=told.title,
            words=f"{told.title}. {told.words}",
        )

    def proof_refused(self, fault: ProofFault) -> Response[object]:
        """Tell our script why a proof does not count."""
        return self._problem(
            code=ProofRefusedError.code,
            status=ProofRefusedError.status,
            title="The proof does not count",
            words=words_of(fault),
            fault=fault.value,
        )

    def _problem(
        self, *, code: str, status: int, title: str, words: str, fault: str = ""
    ) -> Response[object]:
        """Return a problem of RFC 9457; ``words`` are ours, for the page to show."""
        body = {"type": f"urn:twinlock:problem:{code}", "title": title, "status": status}
        body |= {"code": code, "words": words} | ({"fault": fault} if fault else {})
        return self._renderer.json(body, status=status, media_type=PROBLEM)
