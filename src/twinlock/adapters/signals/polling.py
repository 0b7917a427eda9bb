"""Fetching signals from transmitters that do not push them (RFC 8936), beside the requests.

Always true (tests/integration/test_signal_polling.py): a token is acknowledged once it was decided,
and never before; one that does not hold is said to be in error and not asked for again; one that
could not be decided now is neither, and comes again, without keeping those behind it. Several
processes may fetch the same token: it counts once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from twinlock.adapters.signals.streams import StreamFile
from twinlock.adapters.webhooks.asking import HttpAsk
from twinlock.domain.bounds import SIGNAL_BYTES_MOST
from twinlock.domain.canonical import encode, parse_strict
from twinlock.domain.errors import MalformedError, TwinlockError
from twinlock.domain.signal_streams import Stream
from twinlock.proofs.sets import SetRefusedError
from twinlock.services.signals import Heard, SignalsTooManyError

POLL_SECONDS = 5.0  # Between two looks at a transmitter.
EVENTS_MOST = 20  # In one answer.
ROUNDS_MOST = 50  # One after the other, where more is said to be there.
DRAIN_SECONDS = 10.0  # No round begins later: the next look, at all transmitters, waits for it.
ANSWER_BYTES_MOST = EVENTS_MOST * (SIGNAL_BYTES_MOST + 1_024)
OK = 200
UNAVAILABLE = 503  # Of the whole world, and not of one account.
_log = structlog.get_logger(__name__)


class Polls:
    """What one process knows of each stream that is polled: what to say in the next question."""

    def __init__(
        self,
        streams: StreamFile,
        ask: HttpAsk,
        receive: Callable[[Stream, str], Awaitable[Heard]],
    ) -> None:
        self._streams = streams
        self._ask = ask
        self._receive = receive
        self._done: dict[str, list[str]] = {}
        self._wrong: dict[str, dict[str, dict[str, str]]] = {}

    async def look(self) -> None:
        """Fetch what waits at each transmitter; what fails, or takes long, stops no other."""
        polled = [stream for stream in self._streams.listed() if stream.poll_url]
        done = await asyncio.gather(*map(self._poll, polled), return_exceptions=True)
        for error in done:
            if isinstance(error, BaseException):
                raise error

    async def _poll(self, stream: Stream) -> None:
        try:
            await self._drain(stream)
        except TwinlockError as error:
            _log.warning("signals_wait", stream=stream.stream_id, code=error.code, text=str(error))

    async def _drain(self, stream: Stream) -> None:
        seconds = asyncio.get_running_loop().time
        until = seconds() + DRAIN_SECONDS
        for _ in range(ROUNDS_MOST):
            answer = await self._round(stream)
            news = await self._take(stream, answer)
            if not news and answer.get("moreAvailable") is not True:
                return
            if seconds() >= until:
                return

    async def _round(self, stream: Stream) -> dict[str, Any]:
        """Ask once, acknowledging what was decided since the last time (RFC 8936, 2.4)."""
        done = self._done.get(stream.stream_id, [])
        wrong = self._wrong.get(stream.stream_id, {})
        question = {
            "maxEvents": EVENTS_MOST,
            "returnImmediately": True,
            **({"ack": done} if done else {}),
            **({"setErrs": wrong} if wrong else {}),
        }
        token = self._streams.token_of(stream)
        headers = {"authorization": f"Bearer {token}"} if token else {}
        replied = await self._ask.ask(
            stream.poll_url, body=encode(question), headers=headers, most=ANSWER_BYTES_MOST
        )
        answer = parse_strict(replied.body) if replied.status == OK else None
        if not isinstance(answer, dict) or not isinstance(answer.get("sets"), dict):
            raise MalformedError(f"the transmitter answered {replied.status}, and no sets")
        self._done[stream.stream_id], self._wrong[stream.stream_id] = [], {}
        return answer

    async def _take(self, stream: Stream, answer: dict[str, Any]) -> bool:
        """Decide each token; say whether something is to be told of any.

        Prevents: one account that cannot decide, and whose signal, first in each answer, keeps all
        others' from being heard.
        """
        done = self._done.setdefault(stream.stream_id, [])
        wrong = self._wrong.setdefault(stream.stream_id, {})
        for jti, token in list(answer["sets"].items())[:EVENTS_MOST]:
            try:
                await self._receive(stream, token if isinstance(token, str) else "")
            except SetRefusedError as error:
                wrong[jti] = {"err": error.err, "description": str(error)}
                _log.warning("signal_refused", stream=stream.stream_id, fault=error.fault.value)
            except TwinlockError as error:
                if error.status in (UNAVAILABLE, SignalsTooManyError.status):
                    raise
                _log.error("signal_undecided", stream=stream.stream_id, code=error.code)
            else:
                done.append(jti)
        return bool(done or wrong)
