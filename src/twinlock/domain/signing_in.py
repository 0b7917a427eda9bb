"""What the score of a sign-in does in the gate: a fact, and a hold on every exit.

The platform tells from where and with what somebody signs in. Its word can only add requirements:
without it, or with the best of it, a sign-in is what it is without a score. Nothing here can spare
a proof, a wait or the hold of a new device.

Always true (tests/property/test_signing_in_properties.py):

* a higher score lifts nothing that a lower one misses, and places no shorter hold;
* a sign-in below the floor places none, and teaches the account nothing.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from twinlock.domain.account import Account, OpenAction, Shown
from twinlock.domain.actions import AnyPayload, SessionStart
from twinlock.domain.bounds import SILENCE_COUNTS_FOR
from twinlock.domain.catalogue import ActionType
from twinlock.domain.holds import Hold
from twinlock.domain.policy.facts import Facts
from twinlock.domain.risk.scoring import HIGH, RAISED, Noticed, risk_of, unread
from twinlock.domain.risk.visits import Visit, VisitFault

UNUSUAL = "session.start.unusual"  # What a hold says that a score placed.
TWO_ROOTS = 2  # Whoever shows so many is held by no score: a thief would have them all.


def scored(
    account: Account,
    payload: AnyPayload,
    noticed: Noticed | None,
    *,
    by_device: bool,
    now: datetime,
) -> tuple[Visit | None, int]:
    """Return what was told of the sign-in ``payload``, and its score; of anything else nothing.

    Where earlier ones were told of, one that is not is a stranger's, for SILENCE_COUNTS_FOR.
    Prevents: a way in that the platform forgot to tell of, found by a thief.
    """
    if not isinstance(payload, SessionStart):
        return None, 0
    told = noticed
    if told is None:
        since = now.timestamp() - account.history.at
        if not account.history.at or since >= SILENCE_COUNTS_FOR.total_seconds():
            return None, 0
        told = unread(VisitFault.NOT_TOLD)
    known = account.knows(payload.device, at=now)
    wrong = account.known_throttle if known else account.throttle
    # Prevents: a stranger's wrong answers, which hold the exits of an owner who signs in as always.
    failures = wrong.failures if by_device or not known else 0
    risk = risk_of(told, account.history, new_device=not known, failures=failures, now=now)
    return (None if noticed is None else told.visit), risk


def risk_fact(account: Account, action: OpenAction, shown: Iterable[Shown]) -> int:
    """Return the score of a sign-in; of anything else that of the sessions it was signed in."""
    if isinstance(action.payload, SessionStart):
        return action.risk
    sessions = (account.session(one.source) for one in shown)
    return max((one.risk for one in sessions if one is not None), default=0)


def unusual_until(account: Account, *, now: datetime) -> datetime | None:
    """Return until when a score holds the exits, or None."""
    ends = (
        hold.ends_at for hold in account.holds if hold.because == UNUSUAL and hold.in_force(now)
    )
    return max(ends, default=None)


def unusual_hold(facts: Facts, lengths: tuple[timedelta, timedelta]) -> Hold | None:
    """Return the hold on every exit that the score of this sign-in places, or None.

    ``lengths`` are those for a raised and for a high score; a high one is held no shorter.
    """
    starts = facts.action == ActionType.SESSION_START and not facts.enrolling
    if not starts or facts.risk < RAISED or len(facts.shown_roots) >= TWO_ROOTS:
        return None
    length = max(lengths) if facts.risk >= HIGH else lengths[0]
    if not length:
        return None
    return Hold(because=UNUSUAL, placed_at=facts.now, ends_at=facts.now + length)
