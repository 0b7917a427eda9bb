"""What a signal changes in an account: decided under its lock, by what the account holds then.

Always true (tests/property/test_signals_properties.py): nothing is taken back, and nothing that a
signal does ends later than its series.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from twinlock.domain.account import Account
from twinlock.domain.commands import ReceiveSignal
from twinlock.domain.events import Event, HoldPlaced, SessionEnded
from twinlock.domain.holds import Hold, held_until
from twinlock.domain.ids import ChannelId
from twinlock.domain.outside_events import SignalReceived
from twinlock.domain.signals import NOTHING, Effect, SignalKind, Signals, effect_of

OWN = ""  # The stream of what we noticed ourselves.


def signal_events(account: Account, command: ReceiveSignal, *, now: datetime) -> tuple[Event, ...]:
    """Return the facts that a signal brings about; that it came is one of them.

    A signal that names an address which leads to no channel any more brings about nothing else.
    """
    named = _named(account, command.address)
    effect = effect_of(command.kind, better=command.better)
    if command.address and not named:
        effect = NOTHING
    if effect == NOTHING:
        return (SignalReceived(at=now, stream=command.stream, kind=command.kind),)
    return (
        _received(account, command, effect, named, now=now),
        *_held(account, effect, now=now),
        *_ended(account, effect, now=now),
    )


def copy_events(account: Account, *, copied: bool, now: datetime) -> tuple[Event, ...]:
    """Return what follows where a key answered that may have been ``copied``: our own signal.

    A counter is no proof of a copy (WebAuthn Level 3, 6.1.1), so the answer counts; and exits are
    held for a day, and its owner told. Prevents: a security key that was copied while its owner was
    asleep, and that is used beside theirs unseen.
    """
    if not copied:
        return ()
    own = ReceiveSignal(stream=OWN, kind=SignalKind.RISK_LEVEL_CHANGE)
    return signal_events(account, own, now=now)


def _named(account: Account, address: str) -> tuple[ChannelId, ...]:
    """Return the channels at ``address``, however its capitals are written: a signal only adds.

    Prevents: a mailbox that its owner wrote with a capital, and of whose recovery a provider that
    writes all names small tells in vain.
    """
    said = address.lower()
    channels = (one for one in account.channels if said and one.takes_codes)
    return tuple(one.channel_id for one in channels if one.address.lower() == said)


def _received(
    account: Account,
    command: ReceiveSignal,
    effect: Effect,
    named: tuple[ChannelId, ...],
    *,
    now: datetime,
) -> SignalReceived:
    signals = account.signals
    muted_until = _bounded(signals, effect.mutes, now=now) if named else None
    warned_until = _bounded(signals, effect.warns, now=now)
    muted = () if muted_until is None else named
    fresh = any(not signals.mutes(one, now) for one in muted)
    warns = warned_until is not None and not signals.warned(now)
    acts = muted_until or warned_until
    return SignalReceived(
        at=now,
        stream=command.stream,
        kind=command.kind,
        muted=muted,
        muted_until=muted_until,
        warned_until=warned_until,
        told=acts is not None and signals.tells(news=fresh or warns, now=now),
    )


def _bounded(signals: Signals, length: timedelta, *, now: datetime) -> datetime | None:
    """Return when what lasts for ``length`` ends within its series, or None: it does nothing."""
    until = signals.bounded(length, now=now)
    return until if until > now else None


def _held(account: Account, effect: Effect, *, now: datetime) -> Iterator[HoldPlaced]:
    until = _bounded(account.signals, effect.holds, now=now)
    if until is not None and until > (held_until(account.holds, now=now) or now):
        # The kind stands in the fact beside it: an account has no bytes for it twice.
        yield HoldPlaced(at=now, hold=Hold(because="signal", placed_at=now, ends_at=until))


def _ended(account: Account, effect: Effect, *, now: datetime) -> Iterator[SessionEnded]:
    """Sessions end as long as the series lasts that warns of them.

    Prevents: a stolen key of a transmitter that ends each session as it begins, for ever.
    """
    if effect.ends_sessions and _bounded(account.signals, effect.warns, now=now) is not None:
        for one in account.sessions:
            yield SessionEnded(at=now, session_id=one.session_id)


def signalled(account: Account, event: SignalReceived) -> Signals:
    """Return what signals have done to ``account`` after one more.

    Marks of channels that are gone are kept while there is room: one that comes back by a
    repudiation comes back muted.
    """
    if event.muted_until is None and event.warned_until is None:
        return account.signals
    muted = {} if event.muted_until is None else dict.fromkeys(event.muted, event.muted_until)
    return account.signals.after(
        at=event.at, muted=muted, warned=event.warned_until, told=event.told
    )
