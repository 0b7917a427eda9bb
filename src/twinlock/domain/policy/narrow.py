"""Narrow accounts: what proves and what is told lie in one place, so silence there is no root.

A *place* is what a thief takes whole: the phone, the computer, a security key. Whoever has a place
makes the proofs that lie there and reads the channels that are read there. An account is narrow for
an action where one place proves it and reads every channel whose silence counts (laws 4 and 5).

Always true (tests/property/test_narrow_properties.py): one more channel that is old makes no
account narrow, and one more root that is shown makes none.

Source: docs/laws.md, law 5.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from twinlock.domain.account import Account
from twinlock.domain.assurance import PHONE, Level, floor_of, level_of
from twinlock.domain.authenticators.model import built_in, factor_of, root
from twinlock.domain.bounds import NEWCOMER_PERIOD
from twinlock.domain.channels import DESKTOP, ChannelKind
from twinlock.domain.laws import LISTED
from twinlock.domain.newcomers import came_lately, is_newcomer, is_older, links
from twinlock.domain.policy.facts import DestinationState


def is_narrow(
    account: Account,
    roots: tuple[str, ...],
    destination: DestinationState,
    *,
    whole: Account,
    floor: Level,
    now: datetime,
) -> bool:
    """Say whether an action that shows ``roots``, or nothing yet, is decided on a narrow account.

    ``account`` is what its member has of it, ``whole`` what all have. Until a root is shown, any
    that could reach the floor alone may be the one that proves; showing one more root never makes
    an account narrow.
    """
    if len(roots) > 1 and _owner_is_told(account, now=now):
        return False
    told = _silent(account, destination, now=now)
    before = min(floor, _floor_before(account, now=now))
    inside = _may_be_the_computers(whole, now=now)

    def heard(some: Iterable[str]) -> bool:
        """Say whether some channel is read elsewhere, whichever of ``some`` was taken."""
        places = {
            place for name in some for place in _places(account, name, floor=before, inside=inside)
        }
        return all(any(place not in read for read in told) for place in places)

    strong = (one for one in account.authenticators if level_of(factor_of(one)) >= floor)
    could = {root(one, now=now) or PHONE for one in strong} or {PHONE}
    return not ((roots and heard(roots)) or heard(could))


def _floor_before(account: Account, *, now: datetime) -> Level:
    """Return what the account asked for before what is a newcomer now was bound.

    Prevents: a computer that reads every notice, and that binds an app with the mailbox's codes.
    """
    old = [
        factor_of(one)
        for one in account.authenticators
        if not (is_newcomer(one.bound_at, now=now) and is_older(account.opened_at, one.bound_at))
    ]
    return floor_of(old, has_channel=any(one.takes_codes for one in account.channels))


def _owner_is_told(account: Account, *, now: datetime) -> bool:
    """Say whether there is a channel that is no newcomer, or took the place of such a one.

    Prevents: two keys of an owner whom nobody tells, and a channel beside them that is the thief's.
    """
    every = (at for one in account.channels for at in links(one) if not at.removed)
    return any(not came_lately(account, at, now=now) for at in every)


def _places(account: Account, name: str, *, floor: Level, inside: bool) -> frozenset[str]:
    """Return the places from which the root ``name`` is shown.

    Where codes count, one by e-mail is read on the computer, too, beside the password that is typed
    there; and so is one by whatever took the mailbox's place. And a passkey that is built into some
    device may be built into the computer: browsers say the same of both. Prevents: a computer that
    proves with the mailbox, or such a passkey, and mutes the mailbox and its own program; and a
    number of the thief's in the mailbox's place.
    """
    place = frozenset({name.partition(":")[0]})
    every = (at for one in account.channels for at in links(one))
    email = any(one.kind is ChannelKind.EMAIL for one in every)
    codes = floor <= Level.OUT_OF_BAND and email
    there = name == PHONE and (codes or inside)
    return place | {DESKTOP} if there else place


def _may_be_the_computers(account: Account, *, now: datetime) -> bool:
    """Say whether a passkey is built into some device, or was until 30 days ago.

    Prevents: such a key that binds one of the thief's, or lets a friend of the thief's in, which
    counts as what bound it so long; and that removes itself.
    """
    shed = datetime.fromtimestamp(account.shed_at, tz=UTC) + NEWCOMER_PERIOD
    return now < shed or any(map(built_in, account.authenticators))


def _silent(
    account: Account, destination: DestinationState, *, now: datetime
) -> list[frozenset[str]]:
    """Return where each channel is read whose silence counts: that of a newcomer is nobody's.

    Where a listed destination stands for the second root no silence is asked for, and a newcomer
    counts in the place of an older one: for what both are. Prevents: a thief's own channel, whose
    silence lets money leave; and one off the phone in the place of the owner's number, by which an
    account is narrow no more.
    """
    found = []
    for one in account.channels:
        every = links(one) if destination in LISTED else (one,)
        old = (at for at in every if not at.removed and not came_lately(account, at, now=now))
        counts = next(old, None)
        if counts is not None and not account.signals.mutes(one.channel_id, now):
            found.append(one.read_in | counts.read_in)
    return found
