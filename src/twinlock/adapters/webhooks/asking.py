"""Questions to other parties' servers by HTTP, under the same rules as webhooks (``sending``).

Always true (tests/integration/test_signal_polling.py): only judged addresses are reached, no
redirect is followed, and an answer that is too long or too slow is none.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import httpcore
import msgspec

from twinlock.adapters.webhooks.sending import (
    ATTEMPT_SECONDS,
    CONNECT_SECONDS,
    FAULTY,
    RESPONSE_BYTES_MOST,
    JudgedBackend,
    Resolve,
    SystemResolver,
    fault_of,
    trusting,
)
from twinlock.domain.errors import TwinlockError
from twinlock.domain.webhooks.endpoints import Fault
from twinlock.domain.webhooks.targets import Reach, WebhookUrlRefusedError, parse_url

USER_AGENT = "twinlock-signals/1"


class NotAnsweredError(TwinlockError):
    """Another party's server gave no answer that can be read: ``fault`` says in one word why."""

    code = "not_answered"
    status = 503

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"no answer: {fault}")
        self.fault = fault


class Replied(msgspec.Struct, frozen=True, kw_only=True):
    """An answer: its status, and its whole body."""

    status: int
    body: bytes


class HttpAsk:
    """Asks one question on a connection of its own."""

    def __init__(
        self, reach: Reach, *, ca_file: Path | None = None, resolve: Resolve | None = None
    ) -> None:
        self._reach = reach
        self._tls = trusting(ca_file)
        self._resolve = resolve or SystemResolver()

    async def ask(
        self,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        most: int,
    ) -> Replied:
        """Return the answer to a GET, or to a POST of ``body``; it has ``most`` bytes at most.

        Raises:
            NotAnsweredError: there is none.
        """
        try:
            target = parse_url(url, reach=self._reach)
            backend = JudgedBackend(target, self._reach, self._resolve)
            backend.allow(most + RESPONSE_BYTES_MOST)
            async with (
                asyncio.timeout(ATTEMPT_SECONDS),
                httpcore.AsyncConnectionPool(
                    ssl_context=self._tls, max_connections=1, network_backend=backend
                ) as pool,
                pool.stream(
                    "GET" if body is None else "POST",
                    httpcore.URL(
                        scheme=target.scheme, host=target.host, port=target.port, target=target.path
                    ),
                    headers=_headers(target.authority, body, headers or {}),
                    content=body,
                    extensions={"timeout": {"connect": CONNECT_SECONDS}},
                ) as response,
            ):
                return Replied(status=response.status, body=await _whole(response, most=most))
        except WebhookUrlRefusedError as error:
            raise NotAnsweredError(Fault.ADDRESS_REFUSED) from error
        except FAULTY as error:
            raise NotAnsweredError(fault_of(error)) from error


def _headers(
    authority: str, body: bytes | None, more: Mapping[str, str]
) -> list[tuple[bytes, bytes]]:
    sent = {
        "host": authority,
        "user-agent": USER_AGENT,
        "accept": "application/json",
        "accept-encoding": "identity",
        **({} if body is None else {"content-type": "application/json"}),
        **({} if body is None else {"content-length": str(len(body))}),
        **more,
    }
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in sent.items()]


async def _whole(response: httpcore.Response, *, most: int) -> bytes:
    whole = b""
    async for part in response.aiter_stream():
        whole += part
        if len(whole) > most:
            raise NotAnsweredError(Fault.CUT_OFF)
    return whole
