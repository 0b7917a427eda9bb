"""Signals to other parties: the endpoints of the Shared Signals Framework.

A receiver shows the bearer token that its operator and ours agreed on (RFC 6750); no platform key
opens these routes, and no receiver's token opens any other.

Source: OpenID SSF 1.0, 7.1 (configuration) and 8.1 (streams); RFC 8936 (poll).
"""

from typing import Any, assert_never

import msgspec
from litestar import delete, get, patch, post, put
from litestar.params import FromPath, FromQuery, JSONBody

from twinlock.api.answer_keys import JsonWebKey
from twinlock.api.request import StrictRequest, header
from twinlock.api.serving import api_of
from twinlock.domain.canonical import b64url
from twinlock.domain.transmitting.streams import (
    Method,
    Receiver,
    ReceiversUnreadableError,
    ReceiverTokenRefusedError,
    TokenAlgorithm,
)
from twinlock.ports.transmitting import TokenKey
from twinlock.services.transmitting.managing import (
    Poll,
    Polled,
    StatusView,
    StreamView,
    Transmitting,
    WantedStream,
)

RECEIVER_TOKEN = "receiverToken"  # noqa: S105 - how the schema names what a receiver shows


class Scheme(msgspec.Struct, frozen=True, kw_only=True):
    """How receivers are known (SSF, 7.1.1)."""

    spec_urn: str = "urn:ietf:rfc:6750"


class SsfConfiguration(msgspec.Struct, frozen=True, kw_only=True):
    """What a receiver reads first (SSF, 7.1)."""

    issuer: str
    jwks_uri: str
    configuration_endpoint: str
    status_endpoint: str
    add_subject_endpoint: str
    remove_subject_endpoint: str
    verification_endpoint: str
    spec_version: str = "1_0"
    delivery_methods_supported: tuple[str, ...] = (Method.PUSH.value, Method.POLL.value)
    critical_subject_members: tuple[str, ...] = ("user",)
    authorization_schemes: tuple[Scheme, ...] = (Scheme(),)
    default_subjects: str = "NONE"


class RsaWebKey(msgspec.Struct, frozen=True, kw_only=True, tag_field="kty", tag="RSA"):
    """An RSA key by which tokens verify (RFC 7518, 6.3.1)."""

    kid: str
    n: str
    e: str = "AQAB"  # 65,537
    use: str = "sig"
    alg: str = TokenAlgorithm.RS256.value


class TokenWebKeys(msgspec.Struct, frozen=True, kw_only=True):
    """Every key by which tokens to receivers may be signed."""

    keys: tuple[JsonWebKey | RsaWebKey, ...]


class SubjectChange(msgspec.Struct, frozen=True, kw_only=True):
    """An account that a stream is told of, or no more (SSF, 8.1.3)."""

    stream_id: str
    subject: dict[str, Any]


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What a token is to say that says nothing else (SSF, 8.1.4)."""

    stream_id: str
    state: str = ""


@get("/.well-known/ssf-configuration", include_in_schema=False)
async def ssf_configuration(request: StrictRequest) -> SsfConfiguration:
    """Say where receivers find what they need."""
    api = api_of(request)
    api.rates.log.take(api.caller_address(request))
    at = f"{api.origin}/v1/ssf"
    return SsfConfiguration(
        issuer=api.origin,
        jwks_uri=f"{at}/jwks.json",
        configuration_endpoint=f"{at}/stream",
        status_endpoint=f"{at}/status",
        add_subject_endpoint=f"{at}/subjects:add",
        remove_subject_endpoint=f"{at}/subjects:remove",
        verification_endpoint=f"{at}/verify",
    )


@get("/v1/ssf/jwks.json", security=[{}])
async def token_keys(request: StrictRequest) -> TokenWebKeys:
    """Return the keys by which tokens to receivers verify."""
    api = api_of(request)
    api.rates.log.take(api.caller_address(request))
    told = api.use.transmitting
    return TokenWebKeys(keys=tuple(map(web_key, () if told is None else told.public_keys())))


def web_key(key: TokenKey) -> JsonWebKey | RsaWebKey:
    """Return a key as receivers are told it."""
    public = b64url(key.public)
    match key.algorithm:
        case TokenAlgorithm.EDDSA:
            return JsonWebKey(kid=key.key_id, x=public, alg=key.algorithm.value)
        case TokenAlgorithm.RS256:
            return RsaWebKey(kid=key.key_id, n=public)
        case _:
            assert_never(key.algorithm)


def _receiver(request: StrictRequest) -> tuple[Transmitting, Receiver]:
    """Return the use cases, and which receiver asks.

    Raises:
        ReceiverTokenRefusedError, ReceiversUnreadableError, RateLimitedError: as they say.
    """
    api = api_of(request)
    try:
        told, receiver = _known(api.use.transmitting, header(request, b"authorization"))
    except (ReceiverTokenRefusedError, ReceiversUnreadableError):
        api.rates.refused.take(api.caller_address(request))
        raise
    api.rates.signals.take(receiver.receiver_id)
    return told, receiver


def _known(told: Transmitting | None, authorization: str) -> tuple[Transmitting, Receiver]:
    kind, _, shown = authorization.partition(" ")
    if told is None or kind.lower() != "bearer":
        raise ReceiverTokenRefusedError("a receiver shows its bearer token")
    return told, told.receiver(shown)


@post("/v1/ssf/stream", status_code=201, summary="Make a stream of signals")
async def create_stream(request: StrictRequest, data: JSONBody[WantedStream]) -> StreamView:
    """Make a stream; it is told of accounts that are added to it, from now on."""
    told, receiver = _receiver(request)
    return await told.create(receiver, data)


@get("/v1/ssf/stream", summary="Look at one's streams of signals")
async def read_stream(
    request: StrictRequest, stream_id: FromQuery[str] = ""
) -> StreamView | list[StreamView]:
    """Return one stream of the receiver's, or all of them."""
    told, receiver = _receiver(request)
    if not stream_id:
        return await told.listed(receiver)
    return await told.read(receiver, stream_id)


@patch("/v1/ssf/stream", summary="Change a stream of signals")
async def update_stream(request: StrictRequest, data: JSONBody[WantedStream]) -> StreamView:
    """Change what is named of a stream."""
    told, receiver = _receiver(request)
    return await told.update(receiver, data)


@put("/v1/ssf/stream", summary="Replace a stream of signals")
async def replace_stream(request: StrictRequest, data: JSONBody[WantedStream]) -> StreamView:
    """Change a whole stream: what is not named is as if it never was."""
    told, receiver = _receiver(request)
    return await told.update(receiver, data, whole=True)


@delete("/v1/ssf/stream", status_code=204, summary="Delete a stream of signals")
async def delete_stream(request: StrictRequest, stream_id: FromQuery[str] = "") -> None:
    """Forget a stream, its subjects and what waits."""
    told, receiver = _receiver(request)
    await told.delete(receiver, stream_id)


@get("/v1/ssf/status", summary="Ask what a stream of signals does")
async def stream_status(request: StrictRequest, stream_id: FromQuery[str] = "") -> StatusView:
    """Return whether a stream delivers, keeps what it would deliver, or does nothing."""
    told, receiver = _receiver(request)
    return await told.status(receiver, stream_id)


@post("/v1/ssf/status", status_code=200, summary="Have a stream of signals pause or go on")
async def set_stream_status(request: StrictRequest, data: JSONBody[StatusView]) -> StatusView:
    """Have a stream deliver, keep, or do nothing."""
    told, receiver = _receiver(request)
    return await told.set_status(receiver, data)


@post("/v1/ssf/subjects:add", status_code=200, summary="Be told of an account")
async def add_subject(request: StrictRequest, data: JSONBody[SubjectChange]) -> None:
    """Tell a stream of an account. The answer is empty (SSF, 8.1.3.2), also where there is none."""
    told, receiver = _receiver(request)
    await told.add_subject(receiver, data.stream_id, data.subject)


@post("/v1/ssf/subjects:remove", status_code=204, summary="Be told of an account no more")
async def remove_subject(request: StrictRequest, data: JSONBody[SubjectChange]) -> None:
    """Tell a stream of an account no more."""
    told, receiver = _receiver(request)
    await told.remove_subject(receiver, data.stream_id, data.subject)


@post("/v1/ssf/verify", status_code=204, summary="Verify a stream of signals")
async def verify_stream(request: StrictRequest, data: JSONBody[Verification]) -> None:
    """Send a token that says nothing but that it came."""
    told, receiver = _receiver(request)
    await told.verify(receiver, data.stream_id, state=data.state)


@post("/v1/ssf/poll/{stream_id:str}", status_code=200, summary="Fetch signals")
async def poll_stream(
    request: StrictRequest, stream_id: FromPath[str], data: JSONBody[Poll]
) -> Polled:
    """Forget what was taken or refused, and return what waits (RFC 8936)."""
    told, receiver = _receiver(request)
    return await told.poll(receiver, stream_id, data)


OF_RECEIVERS = (
    create_stream,
    read_stream,
    update_stream,
    replace_stream,
    delete_stream,
    stream_status,
    set_stream_status,
    add_subject,
    remove_subject,
    verify_stream,
    poll_stream,
)
