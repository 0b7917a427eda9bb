"""Messages as files, while nobody carries any: neither a mail server nor an endpoint is set up.

Each message to each channel is one file of JSON, mode 0600, in the outbox directory: for trying
Twinlock out and for tests. The file holds what a customer's message would: what happens, when, and
the secrets by which that channel can say no.
"""

from collections.abc import Awaitable, Callable, Collection
from pathlib import Path

import structlog

from twinlock.adapters import private_files
from twinlock.domain.canonical import encode
from twinlock.domain.channels import ChannelKind
from twinlock.domain.deliveries import Outcome
from twinlock.domain.ids import ActionId
from twinlock.domain.notices import is_outdated
from twinlock.domain.parcels import Slip, slips
from twinlock.ports import (
    Clock,
    Outgoing,
)
from twinlock.services.notices.reporting import Reporting
from twinlock.services.notices.telling import Telling

_log = structlog.get_logger(__name__)


class InTime:
    """Hands on what is not too old to be sent; the outbox drops the rest, which is logged.

    ``outdated`` counts those. Prevents: old messages that whoever can write to the database puts
    back, so that customers are told once more of what is long over.
    """

    def __init__(
        self,
        send: Callable[[Outgoing], Awaitable[tuple[Slip, ...] | None]],
        *,
        clock: Clock,
    ) -> None:
        self._send = send
        self._clock = clock
        self.outdated = 0

    async def send(self, outgoing: Outgoing) -> tuple[Slip, ...] | None:
        """Hand on a message, unless it is too old; of such a one nothing is kept.

        Raises:
            ClockUntrustedError: nobody can say how old it is, so it waits.
        """
        notice = outgoing.notice
        if not is_outdated(notice, now=self._clock.now(database_at=None)):
            return await self._send(outgoing)
        self.outdated += 1
        _log.warning("notice_outdated", kind=notice.kind.value, of=notice.at.isoformat())
        return None


class LetterFiles:
    """Leaves every message as a file in one directory.

    With that the carrier has it, as far as there is one: ``report`` is told so of each change that
    waits.
    """

    def __init__(self, directory: Path, telling: Telling, reporting: Reporting) -> None:
        self._directory = directory
        self._telling = telling
        self._reporting = reporting

    async def send(self, outgoing: Outgoing) -> tuple[Slip, ...]:
        """Write the message once for each channel that stands, and for those it names as gone."""
        await self.leave(outgoing, to=frozenset(ChannelKind))
        return ()

    async def leave(self, outgoing: Outgoing, *, to: Collection[ChannelKind]) -> None:
        """Write the message to channels of these kinds, and report that they have it."""
        private_files.make_directory(self._directory)
        for letter in await self._telling.letters(outgoing):
            if ChannelKind(letter.channel) in to:
                private_files.write(self._directory / f"{letter.name}.json", encode(letter))
        await self.report(outgoing, Outcome.HANDED, of=to)

    async def report(
        self, outgoing: Outgoing, outcome: Outcome, *, of: Collection[ChannelKind]
    ) -> None:
        """Report what became of a message on channels of these kinds, as far as it is owed."""
        account, notice = outgoing.account, outgoing.notice
        for slip in slips(account, notice, serial=outgoing.serial, carriers={}):
            channel = slip.parcel.channel
            if slip.owes and channel.kind in of:
                about = ActionId(notice.action_id)
                await self._reporting.report(account.account_id, about, channel.channel_id, outcome)
