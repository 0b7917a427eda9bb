"""Signals pushed to us (RFC 8935): the body is a token; the answer says what the RFC says."""

import hmac
from dataclasses import dataclass

import msgspec
import structlog
from litestar import Response, post
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIType, Operation, RequestBody, Schema
from litestar.params import FromPath

from twinlock.api.request import (
    JSON,
    StrictRequest,
    client_address,
    counted_address,
    header,
    shows_token,
)
from twinlock.api.serving import api_of
from twinlock.domain.canonical import encode
from twinlock.domain.errors import FileUnsafeError, MalformedError
from twinlock.domain.signal_streams import (
    Stream,
    StreamRefusedError,
    StreamsUnreadableError,
    StreamUnknownError,
)
from twinlock.ports.signals import SignalStreams
from twinlock.proofs.sets import SetRefusedError
from twinlock.services.signals import SignalsTooManyError

TYPE = "application/secevent+jwt"
NO_STORE = {"cache-control": "no-store"}
_log = structlog.get_logger(__name__)


class SignalRefusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a pushed token was not taken (RFC 8935, 2.3): ``err`` is a code of its section 2.4."""

    err: str
    description: str


@dataclass
class PushingOperation(Operation):
    """An operation whose body is a token, and no JSON."""

    def __post_init__(self) -> None:
        """Say what its body is: the framework knows it by no type of the code."""
        token = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))
        self.request_body = RequestBody(content={TYPE: token}, required=True)


@post(
    "/v1/signals/{stream:str}",
    status_code=202,
    summary="Push a signal",
    operation_class=PushingOperation,
    media_type=JSON,
    security=[{}],
)
async def push_signal(request: StrictRequest, stream: FromPath[str]) -> Response[bytes]:
    """Take a security event token of a stream that the operator configured."""
    api = api_of(request)
    address = counted_address(client_address(request, trusted=api.trusted_proxies))
    api.rates.signals.take(address)
    body = await request.body()
    if header(request, b"content-type").partition(";")[0].strip().lower() != TYPE:
        return _refused(400, "invalid_request", f"a body is {TYPE}")
    try:
        found, agreed = _agreed(api.streams, stream)
        if not _shows(request, agreed):
            says, asks = "the stream's bearer token is missing", "Bearer"
            if shows_token(request):  # RFC 6750, 3.1
                says, asks = "the bearer token is not the stream's", f'{asks} error="invalid_token"'
            return _refused(401, "authentication_failed", says, **{"www-authenticate": asks})
        await api.use.signals.receive(found, body.decode("ascii", "replace"))
    except StreamUnknownError:
        return _refused(404, "access_denied", "no such stream")
    except SetRefusedError as error:
        return _refused(400, error.err, str(error))
    except SignalsTooManyError as error:
        later = {"retry-after": str(error.retry_after)}
        return _refused(429, "access_denied", str(error), **later)
    return Response(b"", status_code=202, media_type=JSON, headers=NO_STORE)


def _agreed(streams: SignalStreams, named: str) -> tuple[Stream, str]:
    """Return a stream and its bearer token: strangers ask, and are told nothing of our files.

    Raises:
        StreamUnknownError: there is none.
        StreamsUnreadableError: our own files are at fault, so a signal is neither taken nor lost.
    """
    try:
        found = streams.find(named)
        return found, streams.token_of(found)
    except (FileUnsafeError, MalformedError, StreamRefusedError, OSError) as error:
        _log.warning("signal_streams_unreadable", text=str(error))
        raise StreamsUnreadableError("no stream can be looked up now") from error


def _shows(request: StrictRequest, token: str) -> bool:
    """Say whether a transmitter shows the token that its operator and ours agreed on, if any."""
    kind, _, shown = header(request, b"authorization").partition(" ")
    same = hmac.compare_digest(shown.encode(), token.encode())
    return not token or (kind.lower() == "bearer" and same)


def _refused(status: int, err: str, says: str, **more: str) -> Response[bytes]:
    """Return the answer of RFC 8935, 2.3, with ``more`` header fields."""
    body = encode(SignalRefusal(err=err, description=says))
    headers = NO_STORE | {"content-language": "en"} | more
    return Response(body, status_code=status, media_type=JSON, headers=headers)
