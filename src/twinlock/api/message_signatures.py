"""Signed requests as they come in, and signed answers as they leave.

Always true (tests/integration/test_api_message_signatures.py): whoever signs nothing is answered
as ever, at the cost of one look at the headers; whatever a request is answered whose signature was
good, a problem too, is signed and names that request.
"""

from typing import Any

from litestar import Request
from litestar.types import HTTPScope, Message, Send
from litestar.types.asgi_types import HTTPResponseStartEvent

from twinlock.api.request import REQUEST_ID, request_id
from twinlock.domain.errors import present
from twinlock.domain.message_signatures import INPUT, RequestMessage, draft_answer
from twinlock.ports.keys import (
    AnswerSigner,
)
from twinlock.services.platform_keys import Signed

SIGNED = "twinlock_signed"  # The name in a request's state of how it was signed.
_ASKED = "twinlock_asked"  # The name there of the method of what is answered as a GET.
_INPUT = INPUT.encode("ascii")
_USUAL_PORTS = {"http": ":80", "https": ":443"}
_IDENTIFIED = "/access/"  # Whose requests may have names: AuthZEN's.


class IncomingRequest:
    """A request as its platform key is checked with it. ``origin`` is how the world calls us."""

    __slots__ = ("_origin", "_request")

    def __init__(self, request: Request[Any, Any, Any], *, origin: str) -> None:
        self._request = request
        self._origin = origin

    async def read(self) -> RequestMessage:
        """Return the request as it was received.

        A proxy that ends TLS hands on the host that was asked for, and not how: where that host is
        our own name, the scheme is that of our own name, too.
        """
        scope = self._request.scope
        fields = tuple(
            (name.decode("latin-1").lower(), value.decode("latin-1"))
            for name, value in scope["headers"]
        )
        scheme, _, name = self._origin.partition("://")
        host = ",".join(value for field, value in fields if field == "host").strip().lower()
        if host.removesuffix(_USUAL_PORTS[scheme]) != name:
            scheme = scope["scheme"]
        return RequestMessage(
            method=scope.get("state", {}).get(_ASKED, scope["method"]),
            scheme=scheme,
            authority=host.removesuffix(_USUAL_PORTS.get(scheme, "/")),
            path=scope["raw_path"].decode("latin-1"),
            query=scope["query_string"].decode("latin-1"),
            fields=fields,
            body=await self._request.body(),
        )

    def verified(self, signed: Signed) -> None:
        """Hear that it is signed well, so that whatever answers it is signed too."""
        self._request.scope["state"][SIGNED] = signed


class SignedSend:
    """Sends an answer; once its request's signature was found good, whole and signed."""

    def __init__(self, state: dict[str, Any], send: Send, *, signer: AnswerSigner) -> None:
        self._state = state
        self._send = send
        self._signer = signer
        self._start: HTTPResponseStartEvent | None = None
        self._body: list[bytes] = []

    async def __call__(self, message: Message) -> None:
        """Send a part of the answer, or keep it until all of it is there."""
        signed: Signed | None = self._state.get(SIGNED)
        if signed is None:
            await self._send(message)
        elif message["type"] == "http.response.start":
            self._start = message
        elif message["type"] == "http.response.body":
            self._body.append(message.get("body", b""))
            if not message.get("more_body"):
                await self._finish(signed)

    def begin_anew(self) -> bool:
        """Forget what was kept of an answer; say whether any was, so that another can be given."""
        kept = self._start is not None
        self._start = None
        self._body.clear()
        return kept

    async def _finish(self, signed: Signed) -> None:
        start = present(self._start, "an answer has a head")
        body, headers = b"".join(self._body), list(start["headers"])
        kind = next((value for name, value in headers if name.lower() == b"content-type"), b"")
        draft = draft_answer(
            status=start["status"],
            content_type=kind.decode("latin-1"),
            body=body,
            to=signed.signature,
            keyid=self._signer.key_id,
            now=signed.at,
        )
        fields = draft.fields(self._signer.sign(draft.base))
        headers += [(name.encode("ascii"), value.encode("ascii")) for name, value in fields.items()]
        start["headers"] = headers
        self._start = None
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body, "more_body": False})


def as_get(scope: HTTPScope, send: Send) -> tuple[HTTPScope, Send]:
    """Return a HEAD as the GET that it is but for the answer's body (RFC 9110, 9.3.2).

    A signature covers the method as it came.
    """

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.body":
            message["body"] = b""
        await send(message)

    asked = scope.copy()
    asked["method"] = "GET"
    asked["state"] = {**scope.get("state", {}), _ASKED: scope["method"]}
    return asked, sending


def outgoing(scope: HTTPScope, send: Send, *, signer: AnswerSigner) -> Send:
    """Return what sends the answer to a request: ``send`` itself for who asks for nothing more."""
    headers = scope["headers"]
    if scope["path"].startswith(_IDENTIFIED):
        send = _identified(send, request_id(headers))
    for name, _ in headers:
        if name == _INPUT:
            state: dict[str, Any] = scope.setdefault("state", {})
            return SignedSend(state, send, signer=signer)
    return send


def _identified(send: Send, name: bytes) -> Send:
    """Return a ``send`` that tells the caller's own name for his request (AuthZEN 1.0, 10.1)."""

    async def sending(message: Message) -> None:
        if name and message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (REQUEST_ID, name)]
        await send(message)

    return sending
