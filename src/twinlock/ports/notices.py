"""What is asked of the ways to customers: who carries a message, and where those that wait are."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from twinlock.domain.channels import ChannelKind
from twinlock.domain.deliveries import Fate, Fault
from twinlock.domain.ids import AccountId
from twinlock.domain.letters import Letter
from twinlock.domain.notices import Notice
from twinlock.domain.parcels import CarrierName, Claimed, Dead, Owed
from twinlock.domain.webhooks.endpoints import KeptWebhook, WebhookId


class Carrier(Protocol):
    """A way to customers: a mail server, or somebody's endpoint."""

    @property
    def lanes(self) -> int:
        """How many messages may be on their way at once."""
        ...

    async def send(self, letter: Letter) -> Fate:
        """Send one message; return what became of it. It raises nothing."""
        ...


class Carriers(Protocol):
    """Which carrier takes the messages of which channels just now."""

    async def named(self) -> Mapping[ChannelKind, CarrierName]:
        """Return it; a channel that is missing has none."""
        ...

    async def are_files(self) -> bool:
        """Say whether nobody carries anything, so that all there is of notices are files."""
        ...


class DeliveryShelf(Protocol):
    """Where messages wait until their carriers have taken them."""

    async def claim(self, carrier: CarrierName, *, now: datetime, most: int) -> tuple[Claimed, ...]:
        """Return up to ``most`` messages that are due at ``now``, in the order of their channels.

        Nobody else is given one, or a later one of its channel, while its claim lasts.
        """
        ...

    async def handed(
        self, claimed: Claimed, *, keep: bool, now: datetime, awaited: bool = False
    ) -> None:
        """Note that the carrier took it; with ``keep`` its carrier may yet say what became of it.

        ``awaited``: it does so as a rule. What is not ours any more is left to whoever has it.
        """
        ...

    async def put_off(self, claimed: Claimed, fault: Fault, *, due_at: datetime) -> None:
        """Give it back, to be tried again; one more attempt is counted."""
        ...

    async def give_back(self, claimed: tuple[Claimed, ...]) -> None:
        """Give back what was not tried."""
        ...

    async def dead(self, claimed: Claimed, fault: Fault, *, now: datetime) -> None:
        """Note that it is not tried any more."""
        ...

    async def owed(self, *, most: int) -> tuple[Owed, ...]:
        """Return messages of whose fate their accounts are yet to hear; nobody else has them.

        So it does those that nobody took for long.
        """
        ...

    async def paid(self, owed: Owed) -> None:
        """Note that the account heard of it; what became of it meanwhile it is yet to hear."""
        ...


class NoticeShelf(Protocol):
    """Where notices are looked up, and messages found by their names."""

    async def inbox(self, account_id: AccountId) -> tuple[tuple[str, Notice], ...]:
        """Return the newest notices of an account, each with its name, the newest first."""
        ...

    async def named(self, name: str) -> Owed | None:
        """Return the message ``name`` of a webhook's, or None where nobody waits for word of it."""
        ...

    async def arrived(self, name: str) -> None:
        """Forget a message of which its carrier said that it arrived."""
        ...

    async def bounced(self, name: str) -> None:
        """Note of a message that its carrier says that it failed for good: its account hears it."""
        ...


class Endpoints(Protocol):
    """Where the endpoint is found that says what became of a message."""

    async def read(self, webhook_id: WebhookId) -> KeptWebhook:
        """Return an endpoint. Raises WebhookUnknownError."""
        ...


class DeadLetters(Protocol):
    """What an operator sees of messages that nobody tries any more."""

    async def listed(self, *, most: int) -> tuple[Dead, ...]:
        """Return the newest of them."""
        ...

    async def revive(self, *, now: datetime) -> int:
        """Try all of them again from ``now``; return how many."""
        ...


class DeliveryReport(Protocol):
    """What operators are told of deliveries: no address, no text, no link."""

    def tried(self, carrier: CarrierName, name: str, fate: Fate) -> None:
        """Tell of one attempt."""
        ...

    def gave_up(self, carrier: CarrierName, name: str, fault: Fault, *, defect: str = "") -> None:
        """Tell of a message that is not tried any more; ``defect`` is the name of our own error."""
        ...
