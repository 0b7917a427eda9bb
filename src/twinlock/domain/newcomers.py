"""Repudiation: what a newcomer did is undone, by anything older, for 30 days (law 3).

Everything that is bound knows which entries bound what proved it, and the newcomers behind those.
So one "this was not me" finds all that a thief built on the thing that is repudiated, also where
what lies between is gone, and leaves the rest alone.

Always true (tests/property/test_newcomers_properties.py): nothing is undone that stands on nothing
repudiated; whatever is left could have been shown without it; the same is repudiated once; and
what was bound, and is not repudiated, can be.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TypeAlias

from msgspec.structs import replace

from twinlock.domain.account import Account, ApiKey, OpenAction, Session
from twinlock.domain.assurance import BESIDE, Factor, Level, floor_of
from twinlock.domain.authenticators.model import (
    Authenticator,
    Passkey,
    Password,
    RecoveryCodes,
    Totp,
    factor_of,
)
from twinlock.domain.bounds import (
    BEHIND_MOST,
    DOUBTS_MOST,
    ENROLMENT_WINDOW,
    NEWCOMER_PERIOD,
    REPLACED_MOST,
    WEAK_FREEZE_LENGTH,
)
from twinlock.domain.channels import Channel, ChannelKind
from twinlock.domain.events import (
    ApiKeyRevoked,
    AuthenticatorRemoved,
    AuthenticatorSuspended,
    ChannelBound,
    ChannelRemoved,
    ContactLeft,
    Event,
    LimitsSet,
    LockSet,
    NewcomerRepudiated,
    NoticeWordChanged,
    SessionEnded,
)
from twinlock.domain.freezes import for_ever
from twinlock.domain.ids import MemberId
from twinlock.domain.limits import Limits
from twinlock.domain.limits import undone as sums_before
from twinlock.domain.listed import Destination
from twinlock.domain.locks import Eased, tighter
from twinlock.domain.notice_words import NoticeWord
from twinlock.domain.sim_changes import sms_fell
from twinlock.domain.spans import Spans, joined, meet, spans_of
from twinlock.domain.ways_in import who_gets_in

# What a proof brought about, and falls with it.
Made: TypeAlias = (
    Authenticator | Channel | Session | ApiKey | Destination | Limits | Eased | NoticeWord
)


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


def code_root(channel: Channel, *, now: datetime) -> str | None:
    """Return the root behind a code to ``channel``, or None while a password alone proved it.

    Prevents: a leaked password that adds an address of the thief's, whose codes are then a root.
    """
    new = channel.known_only and is_newcomer(channel.bound_at, now=now)
    return None if new else channel.root


# --- What stands on what ---


def proved_by(account: Account, action: OpenAction) -> tuple[int, ...]:
    """Return the entries that bound what proves ``action``, as far as it still stands."""
    # Born of other proofs, or none of the owner's.
    none = BESIDE | {Factor.SESSION, Factor.API_KEY}
    shown = (one for one in action.shown if one.factor not in none and account.stands(one))
    # What was imported was bound by entry 0, and can be suspended like anything else.
    known = (one.bound_entry for one in shown if one.bound_entry or account.imported)
    return tuple(sorted(set(known)))


def stood_on(account: Account, action: OpenAction) -> tuple[int, ...]:
    """Return ``proved_by`` without a password that was repudiated, and proves again since.

    All that it had proved fell with it; nothing repudiates it twice. Prevents: a mailbox whose one
    word against the owner's password leaves all that he lists with it unproved for ever. Of an app
    or a passkey that could not be taken away the doubt stays: it may be the thief's still.
    """
    words = (one.entry for one in account.authenticators if isinstance(one, Password))
    again = {entry for entry in words if doubted(account, entry)}
    return tuple(entry for entry in proved_by(account, action) if entry not in again)


def behind(account: Account, action: OpenAction, *, now: datetime) -> Spans:
    """Return the newcomers behind what proves ``action``: each of them can be repudiated still.

    Prevents: a thief's passkey that binds another, whose address outlives it when it is removed.
    """
    sources = {one.source for one in action.shown if account.stands(one)}
    every: list[Authenticator | Channel] = [
        *(one for one in account.authenticators if one.authenticator_id in sources),
        *(one for one in account.channels if one.channel_id in sources),
    ]
    new = (one for one in every if is_newcomer(one.bound_at, now=now))
    return _all_behind(account, *((one.by, one.behind) for one in new), now=now)


def _all_behind(account: Account, *every: tuple[Iterable[int], Spans], now: datetime) -> Spans:
    """Return what stands behind, but for what is bound and no newcomer: nobody can repudiate it."""
    held = {one.entry: is_newcomer(one.bound_at, now=now) for one in bound(account)}
    spans = {span for by, older in every for span in (*spans_of(by), *older)}
    left = tuple((first, last) for first, last in spans if first != last or held.get(first, True))
    return joined(left, most=BEHIND_MOST, apart=held)


def links(channel: Channel) -> Iterator[Channel]:
    """Give ``channel`` and what stood in its place before it, the newest first."""
    at: Channel | None = channel
    while at is not None:
        yield at
        at = at.replaced


def in_place_of(account: Account, old: Channel, new: Channel, *, now: datetime) -> Channel:
    """Return ``new`` with what comes back when it is repudiated: newcomers know their elders.

    It stands on a newcomer before it: what took its place is none of the owner's either.
    """
    if not is_newcomer(old.bound_at, now=now):
        return replace(new, replaced=replace(old, replaced=None))
    before = ((), new.behind), ((old.entry, *old.by), old.behind)
    return replace(new, replaced=old, behind=_all_behind(account, *before, now=now))


def comes_back(account: Account, named: str, *, now: datetime) -> Channel | None:
    """Return what is a channel again when the newcomer ``named`` in its place is removed, or None.

    What was removed and not replaced is none again while another stays: ``heir`` hands it on.
    Prevents: a thief's address in the place of the owner's, removed before anybody undoes it; and a
    hijacked mailbox that the owner took off, back by the owner's own next change.
    """
    channel = account.channel(named)
    back = None if channel is None else _first_behind(account, channel, now=now)
    if back is None or (back.removed and len(account.channels) > 1):
        return None
    return replace(back, removed=False)


def _first_behind(account: Account, channel: Channel, *, now: datetime) -> Channel | None:
    """Return the newest that stood in the place of a newcomer, and whose address is free."""
    if channel.replaced is None or not is_newcomer(channel.bound_at, now=now):
        return None
    stay = {(one.kind, one.address) for one in account.channels if one is not channel}
    free = (one for one in links(channel.replaced) if (one.kind, one.address) not in stay)
    return next(free, None)


def heir(account: Account, named: str, *, now: datetime) -> Channel | None:
    """Return the newcomer that keeps ``named`` in mind when that is removed, or None.

    Where only newcomers are left, a removal is a replacement in two steps: what is removed comes
    back when they are repudiated; what a newcomer kept in mind so is handed on when that goes.
    Prevents: a thief's address that outlives the owner's because that was removed and not
    replaced; and an owner's new one, repudiated by a leaked old password, so that no codes are
    asked for any more.
    """
    channel = gone = account.channel(named)
    if channel is not None and came_lately(account, channel, now=now):
        gone = _first_behind(account, channel, now=now)
    if gone is None:
        return None
    left = [one for one in account.channels if one is not channel]
    alike = [one for one in left if one.takes_codes or not gone.takes_codes] or left
    if not alike or not all(came_lately(account, one, now=now) for one in alike):
        return None
    free = (one for one in alike if _has_room(account, one, now=now))
    eldest = min(free, key=lambda one: (_is_full(one), one.bound_at), default=None)
    return None if eldest is None else _before(eldest, replace(gone, replaced=None, removed=True))


def came_lately(account: Account, one: Channel, *, now: datetime) -> bool:
    """Say whether ``one`` is a newcomer; what an account was opened with is nobody's."""
    return is_newcomer(one.bound_at, now=now) and is_older(account.opened_at, one.bound_at)


def _is_full(channel: Channel) -> bool:
    return len(list(links(channel))) > REPLACED_MOST


def _has_room(account: Account, channel: Channel, *, now: datetime) -> bool:
    """Say whether an elder can be remembered there without another of the owner's forgotten."""
    *_, first = links(channel)
    return not _is_full(channel) or came_lately(account, first, now=now)


def _before(channel: Channel, elder: Channel) -> Channel:
    """Return ``channel`` with ``elder`` as the first that stood in its place.

    In a full place it is remembered instead of the newcomer that stood there first.
    """
    chain = elder
    for link in reversed(list(links(channel))[:REPLACED_MOST]):
        chain = replace(link, replaced=chain)
    return chain


def place_is_full(old: Channel, *, now: datetime) -> bool:
    """Say whether one place has changed hands too often for its elders to be remembered."""
    return is_newcomer(old.bound_at, now=now) and _is_full(old)


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


def bound(account: Account) -> tuple[Authenticator | Channel, ...]:
    """Return the authenticators and channels of ``account``, with those that may come back."""
    every = (link for channel in account.channels for link in links(channel))
    return (*account.authenticators, *every)


def rests(one: Made, on: Spans) -> bool:
    """Say whether what one of the entries ``on`` bound proved ``one``, or what proved it."""
    return meet(spans_of(one.by), on) or meet(one.behind, on)


def resting_on(account: Account, entry: int) -> frozenset[int]:
    """Return ``entry`` and the entries of all that stands on it: what is bound, sessions, keys."""
    every: tuple[Authenticator | Channel | Session | ApiKey, ...]
    every = (*bound(account), *account.sessions, *account.api_keys)
    found, before = {entry}, 0
    while len(found) != before:
        before, on = len(found), spans_of(found)
        found.update(one.entry for one in every if rests(one, on))
    return frozenset(found)


def outranked(account: Account, entry: int, at: datetime, *, now: datetime) -> bool:
    """Say whether a channel bound at ``at`` is too new to undo what ``entry`` bound.

    It is where no older one is left or may come back, and an older app or passkey, which is bound
    still, proved it: whoever has that can say so. Prevents: a thief's address that is the only one,
    so that nothing undoes it, and that undoes each of the owner's for 30 days.
    """
    every = (link for channel in account.channels for link in links(channel))
    if not is_newcomer(at, now=now) or not all(came_lately(account, e, now=now) for e in every):
        return False
    proved = (one.by for one in bound(account) if one.entry == entry)
    by = {each for entries in proved for each in entries}
    return any(
        one.entry in by and is_older(one.bound_at, at)
        for one in account.authenticators
        if isinstance(one, Passkey | Totp)
    )


def doubted(account: Account, entry: int) -> bool:
    """Say whether what ``entry`` bound was repudiated since; exactly so while it is bound."""
    return meet(account.doubts, spans_of((entry,)))


def undone(account: Account, entry: int) -> bool:
    """Say whether there is nothing to repudiate left of what ``entry`` bound.

    Of what is gone too much may be doubted. Prevents: a thief who repudiates what he bound before
    and after the one thing that counts, so that it seems repudiated too.
    """
    if not doubted(account, entry):
        return False
    if any(one.entry == entry for one in bound(account)):
        return True
    gone = resting_on(account, entry)
    left = [one.entry for one in bound(account) if not doubted(account, one.entry)]
    left += [one.entry for one in account.api_keys]  # Repudiated ones are revoked at once.
    return gone.isdisjoint(left)


def still_proved(account: Account, listed: Destination | Limits) -> bool:
    """Say whether nothing that proved ``listed`` was repudiated since, nor its number swapped."""
    swapped = sms_fell(account, listed.proved_by, listed.sms_at)
    return not swapped and not rests(listed, account.doubts)


def as_proved(account: Account, listed: Destination) -> Destination:
    """Return ``listed`` as it counts: what something repudiated proved is proved by nothing."""
    if still_proved(account, listed):
        return listed
    return replace(listed, usable_at=None, proved_by=())


def with_doubts(account: Account, entries: Iterable[int]) -> Spans:
    """Return the doubts of ``account`` with more: never with anything bound that is none of them.

    Prevents: a thief who has his own things undone until the owner's count as undone too.
    """
    more = spans_of(entries)
    kept = (one.entry for one in bound(account) if not doubted(account, one.entry))
    apart = [entry for entry in kept if not meet(more, spans_of((entry,)))]
    return joined(account.doubts, more, most=DOUBTS_MOST, apart=apart)


# --- Undoing ---


def undo(
    account: Account, entry: int, *, since: datetime, level: Level, now: datetime
) -> tuple[Event, ...]:
    """Return what undoes what ``entry`` bound at ``since``, bound still or not, and all on it.

    ``level`` is what older things showed for it. A password is suspended, since nobody has the one
    before it; and so is all else where nothing is left by which its member gets in: for good where
    ``level`` reaches the floor of what is left, else for a while (law 5).
    """
    gone = resting_on(account, entry)
    left = [one for one in account.authenticators if one.entry not in gone]
    codes = any(_standing(one, gone) for one in account.channels)
    floor = max(floor_of(map(factor_of, left), has_channel=codes), Level.KNOWLEDGE)
    proved = (one.by for one in bound(account) if one.entry == entry)
    weak = level < Level.POSSESSION
    apps = frozenset(each for by in proved for each in by) if weak else None
    get_in = who_gets_in(account, entry, left, apps=apps)
    bound_then = {entry, *(one.entry for one in bound(account))}
    repudiated = NewcomerRepudiated(
        at=now,
        entries=tuple(sorted(gone & bound_then)),
        since=since,
        below_floor=level < account.floor,
    )
    return (
        repudiated,
        *_authenticators(account, gone, get_in=get_in, weak=level < floor, now=now),
        *_channels(account, gone, now=now),
        *(
            SessionEnded(at=now, session_id=one.session_id)
            for one in account.sessions
            if one.entry in gone
        ),
        *(
            ApiKeyRevoked(at=now, api_key_id=one.api_key_id)
            for one in account.api_keys
            if one.entry in gone
        ),
        *_own_rules(account, spans_of(gone), now=now),
        *_contacts(account, spans_of(gone), now=now),
    )


def _own_rules(account: Account, on: Spans, *, now: datetime) -> Iterator[Event]:
    """Give what undoes a raise of limits, a loosening of the lock (law 5), and a new word."""
    limits, eased, word = account.limits, account.eased, account.notice_word
    if limits.before is not None and rests(limits, on):
        yield LimitsSet(at=now, limits=sums_before(limits))
    if eased is not None and rests(eased, on):
        yield LockSet(at=now, lock=tighter(eased.before, account.lock))
    if word is not None and rests(word, on):
        again = NoticeWord(text=word.before, set_at=now) if word.before else None
        yield NoticeWordChanged(at=now, word=again)


def _contacts(account: Account, on: Spans, *, now: datetime) -> Iterator[Event]:
    """Give that the trusted contacts leave whom something repudiated added.

    Prevents: a thief's friend as the one without whom nothing leaves, for the week that a removal
    takes.
    """
    for one in account.contacts:
        if rests(one, on):
            yield ContactLeft(at=now, contact_id=one.authenticator_id)


def somebody_left(account: Account, entry: int) -> bool:
    """Say whether some channel stays, or comes back, when what ``entry`` bound is undone.

    Where there was none it takes none away. Prevents: a leaked old password that repudiates the
    only channel, and does the rest while nobody is told.
    """
    gone = resting_on(account, entry)
    every = (link for channel in account.channels for link in links(channel))
    return not account.channels or any(link.entry not in gone for link in every)


def _standing(channel: Channel, gone: frozenset[int]) -> bool:
    head = next((link for link in links(channel) if link.entry not in gone), None)
    return head is not None and head.takes_codes


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
    account: Account,
    gone: frozenset[int],
    *,
    get_in: frozenset[MemberId],
    weak: bool,
    now: datetime,
) -> Iterator[Event]:
    """Take away what is ``gone`` of whoever is of ``get_in``, and suspend the others'.

    Prevents: a mailbox that the members read in common, and that leaves one of them without a key
    because another has one.
    """
    for one in account.authenticators:
        if one.entry not in gone or (weak and doubted(account, one.entry)):
            continue
        if one.member_id in get_in and not isinstance(one, Password):
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
        free = (one for one in links(channel) if (one.kind, one.address) not in stay)
        back = next((link for link in free if link.entry not in gone), None)
        if back is not None:
            stay.add((back.kind, back.address))
            yield ChannelBound(at=now, channel=replace(back, removed=False))


def struck_by(account: Account, repudiated: NewcomerRepudiated) -> tuple[OpenAction, ...]:
    """Return the open actions in which something that was repudiated had a hand."""
    gone = set(repudiated.entries)
    on = spans_of(gone)
    sessions = {one.session_id for one in account.sessions if rests(one, on)}
    return tuple(
        action
        for action in account.actions
        if any(one.bound_entry in gone or one.source in sessions for one in action.shown)
    )
