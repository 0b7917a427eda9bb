"""What a platform imports: a small typed client of the API.

It sends what it is told and decides nothing. Every call that acts takes an idempotency key, so
that repeating it after a lost answer is safe. Where a call may be made without naming one, a fresh
key is drawn: then the call, made again, is another one. A spend has its ``spend_id`` instead.

With a ``Signing`` every call is signed (RFC 9421), and no answer is believed that is not signed by
a key that was pinned, for this very call.
"""

import re
import secrets  # noqa: TID251 - other people's processes import this; it has no ports
from collections.abc import Callable, Generator, Mapping
from datetime import UTC, datetime
from typing import Any, Self, TypeVar

import httpx
import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from twinlock.domain import message_signatures as signatures
from twinlock.domain.actions import payload_digest
from twinlock.domain.answers import Answered
from twinlock.domain.api_keys import message
from twinlock.domain.assurance import Factor
from twinlock.domain.bundle import Bundle
from twinlock.domain.canonical import b64url, encode, from_b64url
from twinlock.domain.evaluation import Evaluated, EvaluatedAll
from twinlock.domain.ids import ActionId
from twinlock.domain.step_up import challenge

T = TypeVar("T")
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
TIMEOUT_SECONDS = 10.0  # Above every time-out of the service, so that its answer is heard.


class ProblemError(Exception):
    """The service refused a call (RFC 9457). ``code`` is stable; ``fault`` names a bad proof."""

    def __init__(self, *, status: int, code: str, detail: str, fault: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.fault = fault


def _system_now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - whoever imports this has no ports


class AnswerUnverifiedError(Exception):
    """What came back is not signed by a pinned key for this call: nothing of it is believed.

    ``says`` is what it says all the same, for a person who looks for the reason, and never for a
    program: anybody on the way can have written it.
    """

    def __init__(self, *, status: int, why: str, says: str) -> None:
        super().__init__(f"an answer with status {status} was not believed: {why}; it says {says}")
        self.status = status
        self.says = says


class Signing(httpx.Auth):
    """Signs what is asked, and believes only what is signed in turn.

    ``answered_by`` holds the public keys that were pinned, by their names, each 32 bytes:
    ``twinlock platform-key create --signed-by`` prints them.
    """

    requires_request_body = True
    requires_response_body = True

    def __init__(
        self,
        key: Ed25519PrivateKey,
        *,
        answered_by: Mapping[str, bytes],
        now: Callable[[], datetime] = _system_now,
    ) -> None:
        self._key = key
        self._now = now
        self._answered_by = {
            name: Ed25519PublicKey.from_public_bytes(one) for name, one in answered_by.items()
        }

    @classmethod
    def from_pem(cls, pem: bytes, *, answered_by: Mapping[str, str]) -> Self:
        """Return how to sign with an unencrypted PEM private key; public keys are base64url.

        Raises:
            ValueError, TypeError, MalformedError: a key is none of Ed25519's.
        """
        key = load_pem_private_key(pem, password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise TypeError("a message is signed with Ed25519")
        pinned = {name: from_b64url(one, size=32) for name, one in answered_by.items()}
        return cls(key, answered_by=pinned)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign ``request``, send it, and check what comes back. Raises AnswerUnverifiedError."""
        request.headers["Accept-Encoding"] = "identity"  # The digest is over what is sent.
        draft = signatures.draft_request(
            _message(request),
            keyid=_key_id(request),
            nonce=_new_key(),
            now=self._now(),
        )
        request.headers.update(draft.fields(self._key.sign(draft.base)))
        answer = yield request
        try:
            self._check(request, answer)
        except (signatures.SignatureRefusedError, InvalidSignature) as error:
            why = str(error) or "its signature is wrong"
            says = _says(answer)
            raise AnswerUnverifiedError(
                status=answer.status_code, why=why, says=f"{says.get('code', 'nothing of ours')}"
            ) from error

    def _check(self, request: httpx.Request, answer: httpx.Response) -> None:
        found = signatures.read_answer(
            signatures.AnswerMessage(
                status=answer.status_code,
                fields=tuple((name.lower(), one) for name, one in answer.headers.multi_items()),
                body=answer.content,
                request_signature=request.headers[signatures.SIGNATURE],
            )
        )
        key = self._answered_by.get(found.keyid)
        if key is None:
            raise signatures.SignatureRefusedError(
                f"it is signed by {found.keyid}, which is not pinned",
                fault=signatures.SignatureFault.WRONG_KEY,
            )
        key.verify(found.signature, found.base)


class ApiKey:
    """Signs withdrawals on the customer's own server, where the secret stays.

    The platform proposes, and hands on what comes back: ``Client.prove_by_api_key``.
    """

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def from_pem(cls, pem: bytes) -> Self:
        """Return the key in an unencrypted PEM private key.

        Raises:
            ValueError, TypeError: it is none of Ed25519's.
        """
        key = load_pem_private_key(pem, password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise TypeError("an API key is one of Ed25519's")
        return cls(key)

    @property
    def public_key(self) -> str:
        """Return what ``api_key.create`` names: base64url of 32 bytes."""
        return b64url(self._key.public_key().public_bytes_raw())

    def sign(self, action_id: str, payload: Mapping[str, Any]) -> dict[str, str]:
        """Return the signature over the action ``action_id`` with this very payload.

        The payload is the one that ``GET /v1/actions/{id}`` and ``Client.preview`` tell: read it
        before, since a signature pays what it says.
        """
        digest = payload_digest(encode(payload))
        signed = self._key.sign(message(ActionId(action_id), digest=digest))
        return {"public_key": self.public_key, "signature": b64url(signed)}


def step_up(answer: Answered) -> str:
    """Return the WWW-Authenticate field (RFC 9470) that asks a customer for what is missing, or "".

    It is the one that came with the answer: hand it on with your own 401.
    """
    return "" if answer.requirement is None else challenge(answer.requirement)


class Client:
    """Calls one service with one platform key."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    @classmethod
    def connect(cls, url: str, key: str, *, signing: Signing | None = None) -> Self:
        """Return a client of the service at ``url``, which signs where ``key`` asks for it."""
        headers = {"Authorization": f"Bearer {key}"}
        return cls(
            httpx.AsyncClient(base_url=url, headers=headers, timeout=TIMEOUT_SECONDS, auth=signing)
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def open_account(self, opening: dict[str, Any], *, key: str) -> dict[str, Any]:
        """Open an account; return its id and the customer's ``label_key``, which is told once."""
        return await self._post("/v1/accounts", opening, form=dict[str, Any], key=key)

    async def account(self, account_id: str) -> dict[str, Any]:
        """Return an account as the platform may see it."""
        return await self._get(f"/v1/accounts/{_named(account_id)}", form=dict[str, Any])

    async def notices(self, account_id: str) -> list[dict[str, Any]]:
        """Return an account's newest notices, the newest first: no link, and no code."""
        return await self._get(
            f"/v1/accounts/{_named(account_id)}/notices", form=list[dict[str, Any]]
        )

    async def destinations(self, account_id: str) -> list[dict[str, Any]]:
        """Return an account's destinations."""
        return await self._get(
            f"/v1/accounts/{_named(account_id)}/destinations", form=list[dict[str, Any]]
        )

    async def offer(
        self, account_id: str, factor: str, *, name: str = "", key: str = ""
    ) -> dict[str, Any]:
        """Return a registration challenge, or a seed, to bind; ``name`` is whom it invites."""
        path = f"/v1/accounts/{_named(account_id)}/candidates"
        return await self._post(
            path, {"factor": factor, "name": name}, form=dict[str, Any], key=key or _new_key()
        )

    async def propose(self, proposal: dict[str, Any], *, key: str) -> Answered:
        """Propose an action."""
        return await self._post("/v1/actions", proposal, form=Answered, key=key)

    async def preview(self, proposal: dict[str, Any]) -> dict[str, Any]:
        """Return the payload a proposal would have, and its digest."""
        return await self._post("/v1/payloads", proposal, form=dict[str, Any])

    async def action(self, action_id: str) -> Answered:
        """Return how an action stands."""
        return await self._get(f"/v1/actions/{_named(action_id)}", form=Answered)

    async def ask(
        self, action_id: str, question: dict[str, Any], *, key: str = ""
    ) -> dict[str, Any]:
        """Put a question to the customer."""
        path = f"/v1/actions/{_named(action_id)}/challenges"
        return await self._post(path, question, form=dict[str, Any], key=key or _new_key())

    async def prove(self, action_id: str, reply: dict[str, Any], *, key: str = "") -> Answered:
        """Hand on the customer's answer."""
        path = f"/v1/actions/{_named(action_id)}/assertions"
        return await self._post(path, reply, form=Answered, key=key or _new_key())

    async def prove_by_api_key(
        self, action_id: str, signature: Mapping[str, str], *, ip: str, key: str = ""
    ) -> Answered:
        """Hand on what a customer's API key signed, and the address that it came from."""
        reply = {"factor": Factor.API_KEY.value, "response": dict(signature), "ip": ip}
        return await self.prove(action_id, reply, key=key)

    async def veto(self, action_id: str, no: dict[str, Any], *, key: str = "") -> Answered:
        """Hand on a no."""
        path = f"/v1/actions/{_named(action_id)}/veto"
        return await self._post(path, no, form=Answered, key=key or _new_key())

    async def end_sessions(
        self, account_id: str, *, session_id: str = "", keep_session_id: str = "", key: str = ""
    ) -> None:
        """End one session of an account, or all of them but the one to keep."""
        path = f"/v1/accounts/{_named(account_id)}/sessions/end"
        body = {"session_id": session_id, "keep_session_id": keep_session_id}
        _checked(await self._send(path, body, key=key or _new_key()))

    async def report_sim_change(
        self, account_id: str, *, changed_at: str | None = None, key: str = ""
    ) -> None:
        """Say that the SIM of the account's number changed: RFC 3339, or just now."""
        path = f"/v1/accounts/{_named(account_id)}/sim-changes"
        _checked(await self._send(path, {"changed_at": changed_at}, key=key or _new_key()))

    async def report_flood(self, account_id: str, *, key: str = "") -> None:
        """Say that other people's messages to the account bury ours."""
        path = f"/v1/accounts/{_named(account_id)}/floods"
        _checked(await self._send(path, {}, key=key or _new_key()))

    async def set_legal_hold(self, account_id: str, reference: str, *, key: str = "") -> None:
        """Keep an account from being erased while its records are needed."""
        path = f"/v1/accounts/{_named(account_id)}/legal-holds"
        _checked(await self._send(path, {"reference": reference}, key=key or _new_key()))

    async def lift_legal_hold(self, account_id: str, reference: str, *, key: str = "") -> None:
        """Say that an account's records are needed no more under this file number."""
        path = f"/v1/accounts/{_named(account_id)}/legal-holds/lift"
        _checked(await self._send(path, {"reference": reference}, key=key or _new_key()))

    async def export(self, account_id: str) -> dict[str, Any]:
        """Return everything that is held about a customer, whole; they are told of it."""
        return await self._get(f"/v1/accounts/{_named(account_id)}/export", form=dict[str, Any])

    async def spend(self, action_id: str, *, spend_id: str, fee_minor: str = "0") -> Answered:
        """Spend an authorized exit; the same ``spend_id`` gives the same answer."""
        body = {"spend_id": spend_id, "fee_minor": fee_minor}
        return await self._post(
            f"/v1/authorizations/{_named(action_id)}/spend", body, form=Answered
        )

    async def evidence(self, action_id: str, *, consistent_from: int = 0) -> Bundle:
        """Return the evidence bundle of an action."""
        path = f"/v1/actions/{_named(action_id)}/evidence?consistent_from={consistent_from}"
        return await self._get(path, form=Bundle)

    async def examine(self, intents: list[dict[str, Any]], **more: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - JSON
        """Return whether orders may be placed, in their order; ``tickets`` beside them."""
        answered = await self._post(
            "/v1/intents", {"intents": intents, **more}, form=dict[str, list[dict[str, Any]]]
        )
        return answered["answers"]

    async def evaluate(self, question: dict[str, Any]) -> Evaluated:
        """Return what the gate would say right now (AuthZEN); nothing can be spent on its yes."""
        return await self._post("/access/v1/evaluation", question, form=Evaluated)

    async def evaluate_all(self, questions: dict[str, Any]) -> EvaluatedAll:
        """Return what the gate would say right now to several questions (AuthZEN)."""
        return await self._post("/access/v1/evaluations", questions, form=EvaluatedAll)

    async def checkpoint(self) -> bytes:
        """Return the signed head of the log, which is a note signed by the log's own key."""
        answer = await self._http.get("/checkpoint", auth=None)
        return _checked(answer).content

    async def _get(self, path: str, *, form: type[T]) -> T:
        return _decoded(await self._http.get(path), form)

    async def _post(
        self, path: str, body: dict[str, Any], *, form: type[T], key: str | None = None
    ) -> T:
        return _decoded(await self._send(path, body, key=key), form)

    async def _send(self, path: str, body: dict[str, Any], *, key: str | None) -> httpx.Response:
        headers = {"Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        return await self._http.post(path, content=msgspec.json.encode(body), headers=headers)


def _named(of: str) -> str:
    """Return the id of an account or an action, as one part of a path.

    Prevents: an id from a customer's browser that leads the platform's own key to another route.

    Raises:
        ProblemError: it is none, as the service would say of it.
    """
    if _ID.fullmatch(of) is None:
        detail = "an id is made of letters, digits, _ and -"
        raise ProblemError(status=400, code="malformed", detail=detail, fault="")
    return of


def _new_key() -> str:
    return secrets.token_urlsafe(18)


def _message(request: httpx.Request) -> signatures.RequestMessage:
    """Return ``request`` as it will be received; the host is named as in its Host field."""
    url = request.url
    path, _, query = url.raw_path.decode("ascii").partition("?")
    return signatures.RequestMessage(
        method=request.method,
        scheme=url.scheme,
        authority=request.headers["host"].lower(),
        path=path,
        query=query,
        fields=tuple((name.lower(), one) for name, one in request.headers.multi_items()),
        body=request.content,
    )


def _key_id(request: httpx.Request) -> str:
    """Return the middle part of the platform key that ``request`` carries."""
    return request.headers["authorization"].partition("_")[2].partition("_")[0]


def _says(answer: httpx.Response) -> dict[str, Any]:
    try:
        return msgspec.json.decode(answer.content, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return {}


def _decoded(answer: httpx.Response, form: type[T]) -> T:
    return msgspec.json.decode(_checked(answer).content, type=form)


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    problem = _says(answer)
    raise ProblemError(
        status=answer.status_code,
        code=str(problem.get("code", "http_error")),
        detail=str(problem.get("detail", "")),
        fault=str(problem.get("fault", "")),
    )
