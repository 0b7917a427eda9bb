"""SMS and messages to programs by signed webhook: to the platform, or to a provider.

An endpoint is one of ``twinlock webhook add``, whose events name ``notice.sms`` or
``notice.desktop``; ``*`` does not, since such a message holds what outcomes never do: where it
goes, and links that can stop things. It is sent as every webhook is: signed by Standard Webhooks,
to judged addresses only, without redirects (``adapters.webhooks``).

Always true (tests/integration/test_notices_webhook.py): an endpoint that is not there costs no
message an attempt; what the receiver refuses for good is not sent again.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from twinlock.domain.canonical import encode
from twinlock.domain.channels import ChannelKind
from twinlock.domain.deliveries import Fate, Fault
from twinlock.domain.letters import Letter
from twinlock.domain.parcels import HOOKED, TYPES, CarrierName
from twinlock.domain.webhooks import endpoints
from twinlock.domain.webhooks.endpoints import Endpoint, in_force
from twinlock.domain.webhooks.outcomes import Message, MessageType, carries
from twinlock.domain.wording import VERSION, message_words
from twinlock.ports import Clock
from twinlock.ports.webhooks import WebhookPost, WebhookSession, WebhookShelf
from twinlock.proofs.webhooks import headers

LANES = 8  # Messages on their way at once: a provider answers within a tenth of a second.
LOOK_SECONDS = 2.0  # How old our knowledge of the endpoints may be.
# A receiver's no that is about this message. Any other one may be repaired.
FINAL = frozenset({400, 413, 422})
# What went wrong before the message was sent says nothing of the message.
_BEFORE: Mapping[endpoints.Fault, Fault] = MappingProxyType(
    {
        endpoints.Fault.ADDRESS_REFUSED: Fault.UNREACHABLE,
        endpoints.Fault.UNRESOLVED: Fault.UNREACHABLE,
        endpoints.Fault.UNREACHABLE: Fault.UNREACHABLE,
        endpoints.Fault.TLS_REFUSED: Fault.TLS_REFUSED,
    }
)


@dataclass(slots=True)
class _Line:
    """A kept connection to one endpoint."""

    url: str
    session: WebhookSession
    stack: AsyncExitStack


class Hooks:
    """Endpoints that carry messages to customers. Implements ``ports.notices.Carrier``."""

    lanes = LANES

    def __init__(self, shelf: WebhookShelf, post: WebhookPost, *, clock: Clock) -> None:
        self._shelf = shelf
        self._post = post
        self._clock = clock
        self._known: dict[MessageType, Endpoint] = {}
        self._know_all = True
        self._looked_at = 0.0
        self._idle: list[_Line] = []

    async def carried(self) -> frozenset[ChannelKind]:
        """Return the kinds of channels whose messages some endpoint takes.

        What one that does not open takes nobody knows: it may be any kind, whose messages wait.
        Prevents: one endpoint that somebody changed, and behind which every notice waits, by mail
        too; or for which messages are dead that only its repair was needed for.
        """
        now = asyncio.get_running_loop().time()
        if not self._looked_at or now - self._looked_at > LOOK_SECONDS:
            await self._look()
            self._looked_at = now
        taken = (kind for kind, named in TYPES.items() if named in self._known)
        return frozenset(taken if self._know_all else TYPES)

    async def _look(self) -> None:
        """Find the first endpoint that takes each type.

        That an endpoint is disabled says that it wants no outcomes any more, and nothing of this.
        Prevents: a receiver whose 410 to an outcome ends every SMS, and with it every wait's word.
        """
        listed, broken = await self._shelf.listed()
        self._know_all = not broken
        self._known = {}
        for named in TYPES.values():
            fitting = (one.endpoint for one in listed if carries(one.endpoint.patterns, named))
            found = next(fitting, None)
            if found is not None:
                self._known[named] = found

    async def send(self, letter: Letter) -> Fate:
        """Send one message; return what became of it."""
        named = TYPES.get(ChannelKind(letter.channel))
        await self.carried()
        endpoint = None if named is None else self._known.get(named)
        if named is None or endpoint is None:
            return Fate(Fault.NO_CARRIER, carrier=True)
        message = message_of(letter, named)
        now = self._clock.now(database_at=None)
        signed = headers(message, in_force(endpoint, now=now), timestamp=int(now.timestamp()))
        line = await self._line(endpoint.url)
        try:
            fault, status = await line.session.send(message, signed)
        except BaseException:
            await line.stack.aclose()
            raise
        if fault is None:
            self._idle.append(line)
            return Fate(awaited=endpoint.reports)
        await line.stack.aclose()
        return _judged(fault, status)

    async def _line(self, url: str) -> _Line:
        while self._idle:
            line = self._idle.pop()
            if line.url == url:
                return line
            await line.stack.aclose()
        stack = AsyncExitStack()
        session = await stack.enter_async_context(self._post.session(url))
        return _Line(url, session, stack)

    async def close(self) -> None:
        """End every kept connection."""
        while self._idle:
            await self._idle.pop().stack.aclose()


def _judged(fault: endpoints.Fault, status: int) -> Fate:
    if fault in _BEFORE:
        return Fate(_BEFORE[fault], carrier=True, status=status)
    match fault:
        case endpoints.Fault.STATUS if status in FINAL:
            return Fate(Fault.REFUSED, final=True, status=status)
        case endpoints.Fault.STATUS | endpoints.Fault.REDIRECTED | endpoints.Fault.GONE:
            # It answered, maybe of this message alone. Prevents: one behind which all others wait.
            return Fate(Fault.PUT_OFF, status=status)
        case endpoints.Fault.TIMED_OUT:
            return Fate(Fault.TIMED_OUT, begun=True)
        case _:
            return Fate(Fault.CUT_OFF, begun=True)


def message_of(letter: Letter, named: MessageType) -> Message:
    """Return ``letter`` as a webhook's message: the same id each time it is sent."""
    told = message_words(letter)
    data: dict[str, Any] = {
        "account_id": letter.account_id,
        "channel_id": letter.channel_id,
        "kind": letter.kind.value,
        "message_id": letter.name,
        "subject": told.subject,
        "text": told.short if named is MessageType.NOTICE_SMS else "\n\n".join(told.paragraphs),
        "to": letter.address,
        "words": VERSION,
    }
    if named is not MessageType.NOTICE_SMS:
        data["links"] = [{"label": label, "url": link} for label, link in told.links]
    if letter.until:
        data["until"] = letter.until
    at = datetime.fromisoformat(letter.at)
    body = {"data": data, "timestamp": letter.at, "type": named.value}
    return Message(message_id=letter.name, kind=named, body=encode(body), index=0, at=at)


class Ways:
    """Which carrier takes which channels. Implements ``ports.notices.Carriers``."""

    def __init__(self, hooks: Hooks, *, mail: bool) -> None:
        self._hooks = hooks
        self._mail = mail

    async def named(self) -> Mapping[ChannelKind, CarrierName]:
        """Return it; nothing, where nobody carries anything."""
        carried = await self._hooks.carried()
        found = {kind: HOOKED[kind] for kind in carried}
        if self._mail:
            found[ChannelKind.EMAIL] = CarrierName.MAIL
        return found

    async def are_files(self) -> bool:
        """Say whether nobody carries anything, so that all there is of notices are files."""
        return not await self.named()
