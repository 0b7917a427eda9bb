"""What became of the word that an action waits: one state for each channel that was told.

It is kept for changes that wait and for nothing else, since law 5 makes their wait depend on it. A
carrier that took a message has *handed* state: it went out, and nobody said that it arrived. What
the carrier or the reader says afterwards confirms it, or says that it failed for good. Where that
is said as a rule word is *awaited* until it is, and so it is of what nobody took for an hour.

Always true (tests/unit/domain/test_deliveries.py): what was confirmed stays confirmed, and the time
of a state is that of the decision that first noted it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil
from types import MappingProxyType

import msgspec

from twinlock.domain.bounds import CHANNELS_MOST
from twinlock.domain.ids import ChannelId


class Outcome(StrEnum):
    """How far a notice came on one channel."""

    HANDED = "handed"  # the carrier took it: SMTP 250, or a provider's 2xx
    AWAITED = "awaited"  # nobody took it for long, or who did and says as a rule that it arrived
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


# --- What came of one attempt, and when there is another ---


class Fault(StrEnum):
    """Why a message was not taken; the value is kept, logged and counted."""

    ADDRESS_REFUSED = "address_refused"
    BROKEN = "broken"
    CUT_OFF = "cut_off"
    NO_CARRIER = "no_carrier"
    OUTDATED = "outdated"
    PUT_OFF = "put_off"
    REFUSED = "refused"
    SIGN_IN_REFUSED = "sign_in_refused"
    TIMED_OUT = "timed_out"
    TLS_REFUSED = "tls_refused"
    UNREACHABLE = "unreachable"


FAULTS: Mapping[Fault, str] = MappingProxyType(
    {
        Fault.ADDRESS_REFUSED: "The channel's address is none that a message can be sent to.",
        Fault.BROKEN: "It could not be made: a defect of ours, and the log names it.",
        Fault.CUT_OFF: "The connection ended before the answer.",
        Fault.NO_CARRIER: "No setting and no webhook says who takes messages of this channel.",
        Fault.OUTDATED: "It was too late to send it.",
        Fault.PUT_OFF: "The carrier asked to come again later.",
        Fault.REFUSED: "The carrier said no to this message or its recipient, for good.",
        Fault.SIGN_IN_REFUSED: "The mail server refused our user and password.",
        Fault.TIMED_OUT: "It took longer than it may.",
        Fault.TLS_REFUSED: "No TLS, or a certificate that is not for this name or not trusted.",
        Fault.UNREACHABLE: "Nobody accepts connections there.",
    }
)


class Fate(msgspec.Struct, frozen=True):
    """What came of one attempt; without a fault the carrier took the message.

    ``final`` says that it is not tried again, ``carrier`` that the carrier as a whole is not there,
    so that the attempt says nothing of this message. ``begun`` says that the carrier had agreed to
    take it, so that it may have. ``awaited`` says that it will tell what became of the message.
    ``status`` is the carrier's own number, or 0.
    """

    fault: Fault | None = None
    final: bool = False
    carrier: bool = False
    begun: bool = False
    status: int = 0
    awaited: bool = False


# A message that is not taken is tried again after these, each up to a fifth longer, and from then
# on each hour until it is too late (NOTICE_LIFETIME). RFC 5321, 4.5.4.1 asks for half an hour at
# least in general; a code of ten minutes cannot wait so long.
RETRY_AFTER = tuple(
    timedelta(seconds=seconds) for seconds in (5, 15, 60, 120, 300, 600, 1_200, 1_800, 3_600)
)
# How long nothing is sent by a carrier that is not there; it doubles up to the second.
PAUSE, PAUSE_MOST = timedelta(seconds=1), timedelta(seconds=60)
JITTER_PARTS = 5  # Up to a fifth more, so that what failed together is not tried again together.
# With all of its jitter: what lies further ahead was written before a clock was set back.
RETRY_LONGEST = RETRY_AFTER[-1] + RETRY_AFTER[-1] / JITTER_PARTS
_FRACTION = 2**16


def next_try(attempts: int, *, random: bytes, now: datetime) -> datetime:
    """Return when a message that failed ``attempts`` times is tried again; ``random``: 2 bytes."""
    wait = RETRY_AFTER[min(attempts, len(RETRY_AFTER)) - 1]
    return now + spread(wait, random)


def pause_after(failures: int, *, random: bytes) -> timedelta:
    """Return how long a carrier rests that was not there ``failures`` times in a row."""
    doublings = min(failures - 1, (PAUSE_MOST // PAUSE).bit_length())
    return spread(min(PAUSE * (1 << doublings), PAUSE_MOST), random)


def spread(wait: timedelta, random: bytes) -> timedelta:
    """Return ``wait``, up to a fifth longer."""
    return wait + wait // JITTER_PARTS * int.from_bytes(random[:2], "big") // _FRACTION
