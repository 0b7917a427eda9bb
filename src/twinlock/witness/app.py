"""The edge of a witness: HTTP by hand, since the standard says each status and each byte.

Always true (tests/integration/test_witness_program.py): a body is read to its limit and for its
time only; what broke on our side is a 503 without a cosignature.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias, TypeVar

import msgspec
import structlog
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    generate_latest,
)

from twinlock.domain.errors import TwinlockError
from twinlock.domain.log.submission import MAX_SUBMISSION_BYTES
from twinlock.witness.judge import Fault
from twinlock.witness.serving import TEXT, Answer, Witness

T = TypeVar("T")
Scope: TypeAlias = Mapping[str, Any]  # As ASGI has them.
Receive: TypeAlias = Callable[[], Awaitable[Mapping[str, Any]]]
Send: TypeAlias = Callable[[Mapping[str, Any]], Awaitable[None]]

BODY_SECONDS = 10.0  # For a body of some hundred bytes; whoever is slower is not waited for.
THREADS = 4  # Each waits for the disk most of its time.
JSON = "application/json"
_log = structlog.get_logger(__name__)


class _TooMuchError(Exception):
    """A body is over its limit, or its time."""


class _GoneError(Exception):
    """Whoever asked went away."""


class WitnessApp:
    """The ASGI application of one process of a witness."""

    def __init__(
        self, witness: Witness, *, prefix: str = "", body_seconds: float = BODY_SECONDS
    ) -> None:
        self._witness = witness
        self._prefix = prefix
        self._body_seconds = body_seconds
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="witness")
        self._registry = CollectorRegistry()
        self._answers = Counter(
            "twinlock_witness_answers",
            "Answers to logs and monitors, by what they said.",
            ("said",),
            registry=self._registry,
        )
        self._sizes = Gauge(
            "twinlock_witness_size",
            "Leaves of the largest tree that this process cosigned.",
            ("origin",),
            registry=self._registry,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        try:
            answer = await self._answer(scope["method"], scope["path"], receive)
        except _GoneError:
            return
        except TwinlockError as error:
            _log.error("cannot_answer", code=error.code, reason=str(error))
            answer = _plain(503, f"{error.code}\n", said=error.code)
        except Exception as error:  # noqa: BLE001 - the outermost edge: nothing was signed
            _log.error("request_broke", reason=type(error).__name__, exc_info=error)
            answer = _plain(503, "internal\n", said="internal")
        self._answers.labels(answer.said).inc()
        if answer.head is not None:
            self._sizes.labels(answer.head.origin).set(answer.head.size)
        await _send(answer, send)

    async def _answer(self, method: str, path: str, receive: Receive) -> Answer:
        own = {"/healthz": self._healthy, "/metrics": self._metrics}
        if method == "GET" and path in own:
            return await own[path]()
        if not path.startswith(f"{self._prefix}/"):
            return _plain(404, "not found\n", said="not_found")
        name = path.removeprefix(f"{self._prefix}/")
        if name == "add-checkpoint":
            return await self._submitted(method, receive)
        log, _, rest = name.partition("/")
        if method != "GET" or rest != "checkpoint":
            return _plain(404, "not found\n", said="not_found")
        return await self._run(lambda: self._witness.monitored(log))

    async def _submitted(self, method: str, receive: Receive) -> Answer:
        if method != "POST":
            return _plain(405, "POST a submission here\n", said="method")
        try:
            body = await self._read_body(receive)
        except _TooMuchError as error:
            return _plain(400, f"{error}\n", said=Fault.MALFORMED.value)
        return await self._run(lambda: self._witness.add_checkpoint(body))

    async def _read_body(self, receive: Receive) -> bytes:
        """Return the body. Prevents: a body without an end, and one that never comes to it."""
        body, more = bytearray(), True
        try:
            async with asyncio.timeout(self._body_seconds):
                while more:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise _GoneError
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
                    if len(body) > MAX_SUBMISSION_BYTES:
                        raise _TooMuchError("a submission is too long")
        except TimeoutError as error:
            raise _TooMuchError("a submission was too slow") from error
        return bytes(body)

    async def _healthy(self) -> Answer:
        """Say that the files can be read, and of how many logs. Raises TwinlockError."""
        logs = await self._run(lambda: sum(1 for _ in self._witness.ledger.logs()))
        vkey = str(self._witness.ledger.identity.key)
        body = msgspec.json.encode({"status": "ok", "key": vkey, "logs": logs})
        return Answer(status=200, body=body, said="healthy", media_type=JSON)

    async def _metrics(self) -> Answer:
        data = generate_latest(self._registry)
        return Answer(status=200, body=data, said="metrics", media_type=CONTENT_TYPE_LATEST)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _plain(status: int, text: str, *, said: str) -> Answer:
    return Answer(status=status, body=text.encode(), said=said, media_type=TEXT)


async def _send(answer: Answer, send: Send) -> None:
    headers = [
        (b"content-type", answer.media_type.encode("ascii")),
        (b"content-length", b"%d" % len(answer.body)),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
