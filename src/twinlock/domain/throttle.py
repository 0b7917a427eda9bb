"""Wrong answers to all that can be guessed, counted together on all paths of one account.

Two counters: one for the devices that have signed in before and sign what they ask for, one for
everybody else, so that a stranger's guesses stop strangers. Together they allow the hundred that
SP 800-63B-4 does. Of several members nobody opens what was guessed at another's.

Asking for a new code never resets it (N-B06); a passkey does, and a set of proofs at the floor that
has the password in it. Passkeys and device keys cannot be guessed: they neither count nor are
stopped, so that a stranger who types wrong passwords cannot keep the owner out (law 5: nor is a no
a weapon).

Source: SP 800-63B-4, 3.2.2 (at most 100); RTS-SCA Art. 4(3)(b) (five, then a block).
"""

from collections.abc import Collection
from datetime import datetime

import msgspec
from msgspec.structs import replace

from twinlock.domain.assurance import Evidence, Factor, Level, evidence_of, level_of, level_shown
from twinlock.domain.authenticators.faults import ProofFault
from twinlock.domain.bounds import FAILURE_WAIT, FAILURE_WAIT_MOST, FAILURES_MOST, FREE_FAILURES

# Of an answer that was not read at all.
UNREAD = frozenset(
    {
        ProofFault.THROTTLED,
        ProofFault.BELOW_FLOOR,
        ProofFault.NOT_OFFERED,
        ProofFault.SIM_CHANGED,
        ProofFault.CHANNEL_SIGNALLED,
        ProofFault.SUSPENDED,
        ProofFault.IMPORTED,
    }
)
# What is no guess: an answer that was not read, or one that has counted for this action already.
UNCOUNTED = UNREAD | {ProofFault.ALREADY_SHOWN}
_DOUBLINGS_MOST = 16  # Far beyond FAILURE_WAIT_MOST. Prevents: a length no timedelta can hold.


class Throttle(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Consecutive failures, and until when guesses are refused unread (UTC).

    ``whose`` has a bit for each of several members, by their number, whose things were guessed at.
    """

    failures: int = 0
    until: datetime | None = None
    whose: int = 0


def can_be_guessed(factor: Factor) -> bool:
    """Say whether wrong answers to this factor count and are throttled."""
    return evidence_of(factor) is Evidence.RECORD


def reopens(
    shown: Factor, beside: Collection[Factor], *, bound: Collection[Factor], floor: Level
) -> bool:
    """Say whether ``shown`` lets guesses be read again: a passkey does, and a whole set of proofs.

    A set is whole at the floor with the password in it, if one is bound, in whichever order.
    Prevents: whoever has the app, and guesses the password on with each of its right codes.
    """
    if level_of(shown) is Level.NONE:
        return False
    known = {shown, *filter(can_be_guessed, beside)}
    whole = Factor.PASSWORD in known or Factor.PASSWORD not in bound
    reaches = level_shown(known, floor=floor) >= max(floor, Level.KNOWLEDGE)
    return shown is Factor.PASSKEY or (whole and reaches)


def after_failure(throttle: Throttle, *, now: datetime, whose: int = 0) -> Throttle:
    """Return the counter after one more wrong answer; ``whose`` is the bit of one of several."""
    failures = min(throttle.failures + 1, FAILURES_MOST)
    whose |= throttle.whose
    if failures < FREE_FAILURES:
        return Throttle(failures=failures, until=throttle.until, whose=whose)
    doublings = min(failures - FREE_FAILURES, _DOUBLINGS_MOST)
    wait = min(FAILURE_WAIT * 2**doublings, FAILURE_WAIT_MOST)
    return Throttle(failures=failures, until=now + wait, whose=whose)


def open_again(throttle: Throttle, *, whose: int = 0) -> Throttle:
    """Return the counter once what opens it was shown; ``whose`` is the bit of one of several.

    Prevents: one member who guesses another's password, and goes on with each tap on their own key.
    """
    left = throttle.whose & ~whose
    return replace(throttle, whose=left) if whose and left else Throttle()


def without(throttle: Throttle, number: int) -> Throttle:
    """Return the counter without the member of this number, into whose place the next ones come."""
    before = throttle.whose & ((1 << number) - 1)
    return replace(throttle, whose=before | (throttle.whose >> (number + 1) << number))


def closed_until(throttle: Throttle, *, now: datetime) -> datetime | None:
    """Return until when guesses are refused, or None when one may be made.

    After FAILURES_MOST there is no end: only what cannot be guessed opens the counter again.
    """
    if throttle.failures >= FAILURES_MOST:
        return datetime.max.replace(tzinfo=now.tzinfo)
    return throttle.until if throttle.until is not None and throttle.until > now else None
