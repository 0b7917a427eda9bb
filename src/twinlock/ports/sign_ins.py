"""What is asked of the world about sign-ins: what one looks like, and how usual that is."""

from collections.abc import Sequence
from typing import Annotated, NamedTuple, Protocol

from msgspec import Meta

from twinlock.domain.discreet import Discreet
from twinlock.domain.ids import AccountId
from twinlock.domain.risk.scoring import Noticed
from twinlock.domain.risk.visits import Visit


class Visitor(Discreet, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who asks to sign in, as the platform sees it: its word, which can only add.

    What cannot be read of it refuses nothing: it counts as never seen.
    """

    HIDDEN = frozenset({"ip", "user_agent"})

    ip: Annotated[str, Meta(max_length=256)] = ""
    """The address, IPv4 or IPv6, as the platform sees it."""
    user_agent: Annotated[str, Meta(max_length=8192)] = ""
    """The header of that name, as it came."""
    rtt_ms: Annotated[int, Meta(ge=0, le=2**31)] | None = None
    """The round trip to the device in milliseconds, where the platform measures it."""


class SignIns(Protocol):
    """What sign-ins look like, on data that lies here."""

    def notice(self, visitor: Visitor, *, account: AccountId) -> Noticed:
        """Return what is to be seen of a sign-in; a fault of ours stands in it, and is not raised.

        ``account`` is only counted, with others that are asked for from the same address.
        """
        ...

    def learn(self, visit: Visit) -> None:
        """Count one sign-in more among all; it may be forgotten before it is written."""
        ...


class Counted(NamedTuple):
    """A node of what was seen of all sign-ins, under the node ``parent``, and how often."""

    node: bytes
    parent: bytes
    times: int


class SignInCounts(Protocol):
    """How often nodes were seen, kept for all processes together."""

    async def add(self, counted: Sequence[Counted]) -> None:
        """Count each node that many times more."""
        ...

    async def read(self, *, most: int) -> Sequence[Counted]:
        """Return the nodes seen most often, ``most`` of them at most."""
        ...

    async def forget(self) -> None:
        """Forget what is too old, and what was seen once and not lately."""
        ...
