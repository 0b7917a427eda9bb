"""Errors as RFC 9457 problem details, translated in this one place.

Messages of our own errors are safe to show; any other exception tells nothing but its id in the
log.
"""

from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from twinlock.api.request import BATCH_BYTES_MOST, BODY_BYTES_MOST, shows_token
from twinlock.domain.authenticators.faults import ProofRefusedError
from twinlock.domain.authenticators.passwords import PasswordRefusedError
from twinlock.domain.errors import InvariantError, MalformedError, TwinlockError
from twinlock.domain.ids import tail
from twinlock.domain.message_signatures import ACCEPT_SIGNATURE, SignatureRefusedError
from twinlock.domain.notice_words import NoticeWordRefusedError
from twinlock.domain.transmitting.streams import ReceiverTokenRefusedError
from twinlock.services.actions.proposing import TYPE_FORM
from twinlock.services.platform_keys import PlatformKeyRefusedError
from twinlock.services.spending import FEE_FORM, SPEND_ID_FORM

PROBLEM = "application/problem+json"
UNAVAILABLE = 503  # RFC 9110, 15.6.4
# What is told may quote what was sent, on the origin at which people prove: no browser guesses that
# it is a page. Source: Fetch, 3.6.
NO_SNIFFING = {"X-Content-Type-Options": "nosniff"}
# What a text has to look like, in words: the library tells it as a regular expression.
_FORMS = {
    f"matching regex {TYPE_FORM!r}": "of two words with a point between, as withdrawal.crypto",
    f"matching regex {SPEND_ID_FORM!r}": "of letters, digits and _ . : - alone",
    f"matching regex {FEE_FORM!r}": "that is a whole number of 78 digits at most, as 0 or 2100",
}
_log = structlog.get_logger(__name__)
_FAULTY = (
    NoticeWordRefusedError,
    PasswordRefusedError,
    ProofRefusedError,
    SignatureRefusedError,
)
_OF_TOKENS = (PlatformKeyRefusedError, ReceiverTokenRefusedError)


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457, with our stable ``code``; ``fault`` says why a proof or signature was refused."""

    type: str
    title: str
    status: int
    code: str
    detail: str = ""
    fault: str = ""


def _title(kind: type[TwinlockError]) -> str:
    """Return the title of an error of ours: one for each code, whoever found it."""
    return (kind.__doc__ or "").strip().partition("\n")[0].replace("``", "")


HTTP_ERRORS = {
    400: (MalformedError.code, _title(MalformedError)),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address is not asked in this way."),
    413: (
        "body_too_large",
        f"A body has {BODY_BYTES_MOST:,} bytes at most, order intents {BATCH_BYTES_MOST:,}.",
    ),
    415: ("media_type_refused", "A body is JSON, and its Content-Type says so."),
}


def problem(
    *,
    code: str,
    status: int,
    title: str,
    detail: str = "",
    fault: str = "",
    retry_after: int = TwinlockError.retry_after,
) -> Response[Problem]:
    """Return the response that tells one problem.

    ``detail`` may quote what was sent: what cannot be written in UTF-8 is replaced. ``retry_after``
    is in seconds.
    """
    headers = {"Cache-Control": "no-store", **NO_SNIFFING}
    if status in (429, UNAVAILABLE):
        headers["Retry-After"] = str(retry_after)
    if status == 401:  # noqa: PLR2004 - RFC 9110, 15.5.2
        headers["WWW-Authenticate"] = 'Bearer realm="twinlock"'
    if code == SignatureRefusedError.code:
        headers["Accept-Signature"] = ACCEPT_SIGNATURE
    return Response(
        Problem(
            type=f"urn:twinlock:problem:{code}",
            title=title,
            status=status,
            code=code,
            detail=detail.encode("utf-8", "replace").decode("utf-8"),
            fault=fault,
        ),
        status_code=status,
        media_type=PROBLEM,
        headers=headers,
    )


def of_twinlock(request: Request[Any, Any, Any], error: TwinlockError) -> Response[Problem]:
    """Tell an error of ours."""
    title = _title(type(error))
    if error.status == UNAVAILABLE:  # The world is down, not we: a line is enough.
        cause = type(error.__cause__).__name__
        _log.error("request_failed", code=error.code, reason=str(error), cause=cause)
    elif isinstance(error, InvariantError) or error.status >= 500:  # noqa: PLR2004 - server errors
        _log.error("request_failed", code=error.code, exc_info=error)
    fault = error.fault.value if isinstance(error, _FAULTY) else ""
    detail = "" if isinstance(error, InvariantError) else str(error)
    told = problem(
        code=error.code,
        status=error.status,
        title=title,
        detail=detail,
        fault=fault,
        retry_after=error.retry_after,
    )
    if isinstance(error, _OF_TOKENS) and shows_token(request):  # RFC 6750, 3.1
        told.headers["WWW-Authenticate"] = 'Bearer realm="twinlock", error="invalid_token"'
    return told


def of_http(_: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    """Tell an error of the web framework."""
    status = error.status_code
    detail = error.detail
    if isinstance(error, ValidationException) and error.extra:
        detail = "; ".join(_line(one) for one in error.extra)[:500]
    for form, words in _FORMS.items():
        detail = detail.replace(form, words)
    code, title = HTTP_ERRORS.get(status, ("http_error", "Refused."))
    told = problem(code=code, status=status, title=title, detail=detail)
    allowed = (error.headers or {}).get("allow")
    if allowed:  # RFC 9110, 15.5.6
        told.headers["Allow"] = allowed.replace("GET", "GET, HEAD")
    return told


def _line(extra: object) -> str:
    if not isinstance(extra, dict):
        return str(extra)
    return f"{extra.get('key', '')}: {extra.get('message', '')}"


def of_anything(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Tell nothing of an error nobody expected, but the name under which it is in our log."""
    name = tail(request.app.state.api.entropy.draw(16))
    _log.error("request_broke", incident=name, exc_info=error)
    return problem(
        code="internal", status=500, title="Something broke on our side", detail=f"incident {name}"
    )


def of_broken(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Tell why an answer broke off after it began, instead of it: the framework wraps the error."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, TwinlockError):
            return of_twinlock(request, found)
        found = found.exceptions[0] if isinstance(found, BaseExceptionGroup) else found.__cause__
    return of_anything(request, error)
