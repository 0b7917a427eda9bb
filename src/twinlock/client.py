"""What a platform imports: a small typed client of the API.

It sends what it is told and decides nothing. Every call that acts takes an idempotency key, so
that repeating it after a lost answer is safe. Where a call may be made without naming one, a fresh
key is drawn: then the call, made again, is another one. A spend has its ``spend_id`` instead.
"""

import secrets  # noqa: TID251 - other people's processes import this; it has no ports
from typing import Any, Self, TypeVar

import httpx
import msgspec

from twinlock.domain.answers import Answered
from twinlock.domain.bundle import Bundle

T = TypeVar("T")
TIMEOUT_SECONDS = 10.0  # Above every time-out of the service, so that its answer is heard.


class ProblemError(Exception):
    """The service refused a call (RFC 9457). ``code`` is stable; ``fault`` names a bad proof."""

    def __init__(self, *, status: int, code: str, detail: str, fault: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.fault = fault


class Client:
    """Calls one service with one platform key."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    @classmethod
    def connect(cls, url: str, key: str) -> Self:
        """Return a client of the service at ``url``."""
        headers = {"Authorization": f"Bearer {key}"}
        return cls(httpx.AsyncClient(base_url=url, headers=headers, timeout=TIMEOUT_SECONDS))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def open_account(self, opening: dict[str, Any], *, key: str) -> dict[str, Any]:
        """Open an account; return its id and the customer's ``label_key``, which is told once."""
        return await self._post("/v1/accounts", opening, form=dict[str, Any], key=key)

    async def account(self, account_id: str) -> dict[str, Any]:
        """Return an account as the platform may see it."""
        return await self._get(f"/v1/accounts/{account_id}", form=dict[str, Any])

    async def destinations(self, account_id: str) -> list[dict[str, Any]]:
        """Return an account's destinations."""
        return await self._get(f"/v1/accounts/{account_id}/destinations", form=list[dict[str, Any]])

    async def offer(self, account_id: str, factor: str, *, key: str = "") -> dict[str, Any]:
        """Return a registration challenge, or a seed, to bind."""
        path = f"/v1/accounts/{account_id}/candidates"
        return await self._post(
            path, {"factor": factor}, form=dict[str, Any], key=key or _new_key()
        )

    async def propose(self, proposal: dict[str, Any], *, key: str) -> Answered:
        """Propose an action."""
        return await self._post("/v1/actions", proposal, form=Answered, key=key)

    async def preview(self, proposal: dict[str, Any]) -> dict[str, Any]:
        """Return the payload a proposal would have, and its digest."""
        return await self._post("/v1/payloads", proposal, form=dict[str, Any])

    async def action(self, action_id: str) -> Answered:
        """Return how an action stands."""
        return await self._get(f"/v1/actions/{action_id}", form=Answered)

    async def ask(
        self, action_id: str, question: dict[str, Any], *, key: str = ""
    ) -> dict[str, Any]:
        """Put a question to the customer."""
        path = f"/v1/actions/{action_id}/challenges"
        return await self._post(path, question, form=dict[str, Any], key=key or _new_key())

    async def prove(self, action_id: str, reply: dict[str, Any], *, key: str = "") -> Answered:
        """Hand on the customer's answer."""
        path = f"/v1/actions/{action_id}/assertions"
        return await self._post(path, reply, form=Answered, key=key or _new_key())

    async def veto(self, action_id: str, no: dict[str, Any], *, key: str = "") -> Answered:
        """Hand on a no."""
        path = f"/v1/actions/{action_id}/veto"
        return await self._post(path, no, form=Answered, key=key or _new_key())

    async def end_sessions(
        self, account_id: str, *, session_id: str = "", keep_session_id: str = "", key: str = ""
    ) -> None:
        """End one session of an account, or all of them but the one to keep."""
        path = f"/v1/accounts/{account_id}/sessions/end"
        body = {"session_id": session_id, "keep_session_id": keep_session_id}
        _checked(await self._send(path, body, key=key or _new_key()))

    async def report_sim_change(
        self, account_id: str, *, changed_at: str | None = None, key: str = ""
    ) -> None:
        """Say that the SIM of the account's number changed: RFC 3339, or just now."""
        path = f"/v1/accounts/{account_id}/sim-changes"
        _checked(await self._send(path, {"changed_at": changed_at}, key=key or _new_key()))

    async def spend(self, action_id: str, *, spend_id: str, fee_minor: str = "0") -> Answered:
        """Spend an authorized exit; the same ``spend_id`` gives the same answer."""
        body = {"spend_id": spend_id, "fee_minor": fee_minor}
        return await self._post(f"/v1/authorizations/{action_id}/spend", body, form=Answered)

    async def evidence(self, action_id: str, *, consistent_from: int = 0) -> Bundle:
        """Return the evidence bundle of an action."""
        path = f"/v1/actions/{action_id}/evidence?consistent_from={consistent_from}"
        return await self._get(path, form=Bundle)

    async def checkpoint(self) -> bytes:
        """Return the signed head of the log."""
        answer = await self._http.get("/checkpoint")
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


def _new_key() -> str:
    return secrets.token_urlsafe(18)


def _decoded(answer: httpx.Response, form: type[T]) -> T:
    return msgspec.json.decode(_checked(answer).content, type=form)


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    try:
        problem = msgspec.json.decode(answer.content, type=dict[str, Any])
    except msgspec.MsgspecError:
        problem = {}
    raise ProblemError(
        status=answer.status_code,
        code=str(problem.get("code", "http_error")),
        detail=str(problem.get("detail", "")),
        fault=str(problem.get("fault", "")),
    )
