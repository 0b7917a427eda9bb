"""Notice channels: where an account's messages go, and what each of them can be taken with."""

from datetime import datetime
from enum import StrEnum
from typing import assert_never

import msgspec

from twinlock.domain.assurance import PHONE
from twinlock.domain.ids import ChannelId
from twinlock.domain.spans import Spans

DESKTOP = "desktop"  # The root and the place of what lives in the customer's computer.


class ChannelKind(StrEnum):
    """Where a notice goes."""

    EMAIL = "email"
    SMS = "sms"
    DESKTOP = "desktop"  # a program of the customer's own, off the phone


class Channel(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A notice channel. ``address`` is personal data and stands in sealed documents only.

    ``by`` are the entries that bound what proved it, ``behind`` the newcomers behind those and in
    its place before it; ``replaced`` is what stood there, and comes back when it is repudiated.
    ``removed``: it was taken off and not replaced, so it is no voice against what came after it.
    ``known_only``: a password alone proved it, so its codes are no root for 30 days.
    """

    channel_id: ChannelId
    kind: ChannelKind
    address: str
    bound_at: datetime
    entry: int = 0  # the account's entry that bound it; 0: the account was opened with it
    by: tuple[int, ...] = ()
    behind: Spans = ()
    replaced: "Channel | None" = None
    removed: bool = False
    known_only: bool = False

    @property
    def takes_codes(self) -> bool:
        """Whether a code can be sent there."""
        return self.kind in (ChannelKind.EMAIL, ChannelKind.SMS)

    @property
    def root(self) -> str:
        """The root a thief must take to read or mute this channel, in the worst case."""
        return DESKTOP if self.kind is ChannelKind.DESKTOP else PHONE

    @property
    def read_in(self) -> frozenset[str]:
        """The places in each of which a thief reads and mutes this channel: e-mail, in two."""
        match self.kind:
            case ChannelKind.EMAIL:
                return frozenset({PHONE, DESKTOP})
            case ChannelKind.SMS:
                return frozenset({PHONE})
            case ChannelKind.DESKTOP:
                return frozenset({DESKTOP})
            case _:
                assert_never(self.kind)
