"""Repudiation: what a newcomer did is undone, by anything older, for 30 days (law 3).

Everything that is bound knows which entries bound what proved it. So one "this was not me" finds
all that a thief built on the thing that is repudiated, and leaves the rest alone.

Always true (tests/property/test_newcomers_properties.py): nothing is undone that stands on nothing
repudiated; whatever is left could have been shown without it; the same is repudiated once.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec.structs import replace

from twinlock.domain.account import Account, Channel, ChannelKind, Destination, OpenAction
from twinlock.domain.assurance import Factor, Level, floor_of
from twinlock.domain.authenticators.model import (
    Authenticator,
    Password,
    RecoveryCodes,
    Totp,
    factor_of,
)
from twinlock.domain.bounds import (
    DOUBTS_MOST,
    ENROLMENT_WINDOW,
    NEWCOMER_PERIOD,
    REPLACED_MOST,
    WEAK_FREEZE_LENGTH,
)
from twinlock.domain.events import (
    AuthenticatorRemoved,
    AuthenticatorSuspended,
    ChannelBound,
    ChannelRemoved,
    Event,
    NewcomerRepudiated,
    SessionEnded,
)
from twinlock.domain.sim_changes import sms_fell

Doubts = tuple[tuple[int, int], ...]


# --- Who is older ---


def is_older(bound_at: datetime, newcomer_at: datetime) -> bool:
    """Say whether what was bound at ``bound_at`` is older; one sitting's things are of one age."""
    return bound_at + ENROLMENT_WINDOW < newcomer_at


def is_newcomer(bound_at: datetime, *, now: datetime) -> bool:
    """Say whether what was bound at ``bound_at`` can still be repudiated at ``now``."""
    return now < bound_at + NEWCOMER_PERIOD


def lets_in(one: Authenticator) -> bool:
    """Say whether ``one`` alone begins a session; an app or a recovery code needs a password."""
    return not isinstance(one, Totp | RecoveryCodes)


# --- What stands on what ---


def proved_by(account: Account, action: OpenAction) -> tuple[int, ...]:
    """Return the entries that bound what proves ``action``, as far as it still stands."""
    none = (
        Factor.SESSION,
        Factor.API_KEY,
        Factor.CHANNEL_CODE,
    )  # Born of other proofs; proves nothing.
    shown = (one for one in action.shown if one.factor not in none and account.stands(one))
    return tuple(sorted({one.bound_entry for one in shown if one.bound_entry}))


def links(channel: Channel) -> Iterator[Channel]:
    """Give ``channel`` and what stood in its place before it, the newest first."""
    at: Channel | None = channel
    while at is not None:
        yield at
        at = at.replaced


def in_place_of(old: Channel, new: Channel, *, now: datetime) -> Channel:
    """Return ``new`` with what comes back when it is repudiated: newcomers know their elders."""
    kept = old if is_newcomer(old.bound_at, now=now) else replace(old, replaced=None)
    return replace(new, replaced=kept)


def place_is_full(old: Channel, *, now: datetime) -> bool:
    """Say whether one place has changed hands too often for its elders to be remembered."""
    return is_newcomer(old.bound_at, now=now) and len(list(links(old))) > REPLACED_MOST


def narrows(account: Account, gone: set[str], kind: str) -> bool:
    """Say whether without the channels ``gone``, and with one of ``kind``, none is off the phone.

    Only where one is now. ``kind`` is empty where nothing comes.
    """
    desktop = ChannelKind.DESKTOP
    off_phone = {one.channel_id for one in account.channels if one.kind is desktop}
    return bool(off_phone) and off_phone <= gone and kind != desktop


def newcomer(account: Account, named: str) -> Authenticator | Channel | None:
    """Return the authenticator or channel ``named``, a channel also behind what replaced it."""
    bound = account.authenticator(named)
    if bound is not None:
        return bound
    every = (link for channel in account.channels for link in links(channel))
    return next((link for link in every if link.channel_id == named), None)


def resting_on(account: Account, target: Authenticator | Channel) -> frozenset[int]:
    """Return the entries of ``target`` and of all that stands on it, live sessions included."""
    found = {target.entry}
    for channel in account.channels:
        chain = list(links(channel))
        if target in chain:  # What took its place since is none of the owner's either.
            found.update(link.entry for link in chain[: chain.index(target)])
    every = [
        *account.authenticators,
        *account.sessions,
        *(link for channel in account.channels for link in links(channel)),
    ]
    before = 0
    while len(found) != before:
        before = len(found)
        found.update(one.entry for one in every if not found.isdisjoint(one.by))
    return frozenset(found)


def doubted(doubts: Doubts, entries: Iterable[int]) -> bool:
    """Say whether one of ``entries`` bound what was repudiated since."""
    return any(first <= entry <= last for entry in entries for first, last in doubts)


def still_proved(account: Account, listed: Destination) -> bool:
    """Say whether nothing that proved ``listed`` was repudiated since, nor its number swapped."""
    swapped = sms_fell(account, listed.proved_by, listed.sms_at)
    return not swapped and not doubted(account.doubts, listed.by)


def as_proved(account: Account, listed: Destination) -> Destination:
    """Return ``listed`` as it counts: what something repudiated proved is proved by nothing."""
    if still_proved(account, listed):
        return listed
    return replace(listed, usable_at=None, proved_by=())


def with_doubts(doubts: Doubts, entries: Iterable[int]) -> Doubts:
    """Return ``doubts`` with more; of too many the two oldest count with all that lies between."""
    spans = sorted({*doubts, *((entry, entry) for entry in entries)})
    while len(spans) > DOUBTS_MOST:
        (first, one), (_, other), *rest = spans
        spans = [(first, max(one, other)), *rest]
    return tuple(spans)


# --- Undoing ---


def undo(
    account: Account, target: Authenticator | Channel, *, level: Level, now: datetime
) -> tuple[Event, ...]:
    """Return what undoes ``target`` and all that stands on it.

    ``level`` is what older things showed for it. A password is suspended, since nobody has the one
    before it, and so is what alone could still sign in: for good where ``level`` reaches the floor
    of what is left, else for a while (law 5), in which the owner can set another.
    """
    gone = resting_on(account, target)
    left = [one for one in account.authenticators if one.entry not in gone]
    codes = any(_standing(one, gone) for one in account.channels)
    floor = max(floor_of(map(factor_of, left), has_channel=codes), Level.KNOWLEDGE)
    way_in = any(lets_in(one) and not one.suspended(now) for one in left)
    repudiated = NewcomerRepudiated(
        at=now,
        entries=tuple(sorted(gone - {one.entry for one in account.sessions})),
        since=target.bound_at,
    )
    return (
        repudiated,
        *_authenticators(account, gone, way_in=way_in, weak=level < floor, now=now),
        *_channels(account, gone, now=now),
        *(
            SessionEnded(at=now, session_id=one.session_id)
            for one in account.sessions
            if one.entry in gone
        ),
    )


def _standing(channel: Channel, gone: frozenset[int]) -> bool:
    head = next((link for link in links(channel) if link.entry not in gone), None)
    return head is not None and head.takes_codes


def for_ever(now: datetime) -> datetime:
    """Return the instant that stands for "until somebody ends it"."""
    return datetime.max.replace(tzinfo=now.tzinfo, microsecond=0)


def suspended_until(one: Authenticator, *, weak: bool, now: datetime) -> datetime:
    """Return until when a report suspends ``one``; reported once more, for no longer than before.

    Prevents: one factor that has the owner's only key suspended for one while after the other.
    """
    if not weak:
        return for_ever(now)
    if one.suspension is not None and one.suspended(now):
        return one.suspension.until
    return now + WEAK_FREEZE_LENGTH


def _authenticators(
    account: Account, gone: frozenset[int], *, way_in: bool, weak: bool, now: datetime
) -> Iterator[Event]:
    for one in account.authenticators:
        if one.entry not in gone:
            continue
        if way_in and not isinstance(one, Password):
            yield AuthenticatorRemoved(at=now, authenticator_id=one.authenticator_id)
        else:
            yield AuthenticatorSuspended(
                at=now,
                authenticator_id=one.authenticator_id,
                until=suspended_until(one, weak=weak, now=now),
                for_good=not weak,
            )


def _channels(account: Account, gone: frozenset[int], *, now: datetime) -> Iterator[Event]:
    stay = {(one.kind, one.address) for one in account.channels if one.entry not in gone}
    for channel in account.channels:
        if channel.entry not in gone:
            continue
        yield ChannelRemoved(at=now, channel_id=channel.channel_id)
        back = next((link for link in links(channel) if link.entry not in gone), None)
        if back is not None and (back.kind, back.address) not in stay:
            yield ChannelBound(at=now, channel=back)


def struck_by(account: Account, repudiated: NewcomerRepudiated) -> tuple[OpenAction, ...]:
    """Return the open actions in which something that was repudiated had a hand."""
    gone = set(repudiated.entries)
    sessions = {one.session_id for one in account.sessions if not gone.isdisjoint(one.by)}
    return tuple(
        action
        for action in account.actions
        if any(one.bound_entry in gone or one.source in sessions for one in action.shown)
    )
