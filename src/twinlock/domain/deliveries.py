"""What became of the word that an action waits: one state for each channel that was told.

It is kept for changes that wait and for nothing else, since law 5 makes their wait depend on it. A
carrier that took a message has *handed* state: it went out, and nobody said that it arrived. What
the carrier or the reader says afterwards confirms it, or says that it failed for good.

Always true (tests/unit/domain/test_deliveries.py): what was confirmed stays confirmed, and the time
of a state is that of the decision that first noted it.
"""

from datetime import datetime
from enum import StrEnum
from math import ceil

import msgspec

from twinlock.domain.bounds import CHANNELS_MOST
from twinlock.domain.ids import ChannelId


class Outcome(StrEnum):
    """How far a notice came on one channel."""

    HANDED = "handed"  # the carrier took it: SMTP 250, or a provider's 2xx
    CONFIRMED = "confirmed"  # the provider says that it arrived, or somebody acted on its page
    FAILED = "failed"  # nobody tries it any more


class Delivery(msgspec.Struct, frozen=True, array_like=True):
    """How far it came, and since when, in POSIX seconds, which are shorter than a date."""

    outcome: Outcome
    at: int


LONGEST = Delivery(Outcome.CONFIRMED, 9_999_999_999)  # As text; until the year 2286.
# An account counts this much for each change that waits, whatever was told so far.
DELIVERIES_LONGEST = {ChannelId(f"chn_{n:026d}"): LONGEST for n in range(CHANNELS_MOST)}


def news(before: Delivery | None, outcome: Outcome) -> bool:
    """Say whether ``outcome`` changes what is known.

    A message that was given up may be sent once more, and one that was handed on may come back.
    """
    if before is None:
        return True
    return before.outcome not in (outcome, Outcome.CONFIRMED)


def noted(
    deliveries: dict[ChannelId, Delivery], channel: ChannelId, outcome: Outcome, *, at: datetime
) -> dict[ChannelId, Delivery]:
    """Return ``deliveries`` with what became of the word to ``channel``."""
    return {**deliveries, channel: Delivery(outcome, ceil(at.timestamp()))}
