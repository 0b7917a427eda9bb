"""Signals: what other parties say happened at theirs, and how much of it counts here.

A mail provider, a carrier or a sign-in provider tells of an event (SSF, with the event types of
RISC and CAEP). Its word is like the platform's: it can only add requirements.

Always true (tests/property/test_signals_properties.py): with any signals an account asks for no
less than without; in any 30 days signals hold, warn and take a channel's voice for 14 at most,
however many come and whoever sends them; signing in, freezing and reporting are as they were.

Source: OpenID RISC Profile 1.0, 2; OpenID CAEP 1.0, 3; docs/laws.md, laws 1, 5 and 10.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec.structs import replace

from twinlock.domain.bounds import (
    SIGNAL_SERIES_EVERY,
    SIGNAL_SERIES_MOST,
    SIGNAL_TOLD_EVERY,
    SIGNALLED_CHANNELS_MOST,
)
from twinlock.domain.catalogue import ALARMS, ActionType
from twinlock.domain.ids import ChannelId

RISC = "https://schemas.openid.net/secevent/risc/event-type/"
CAEP = "https://schemas.openid.net/secevent/caep/event-type/"
# Where codes to a channel that was signalled count as before: law 5, no signal locks anybody out.
SPARED = ALARMS | {ActionType.SESSION_START}


class SignalKind(StrEnum):
    """What a signal says; RISC's names, and CAEP's behind ``caep.``. The value never changes."""

    CREDENTIAL_CHANGE_REQUIRED = "account-credential-change-required"
    ACCOUNT_PURGED = "account-purged"
    ACCOUNT_DISABLED = "account-disabled"
    ACCOUNT_ENABLED = "account-enabled"
    IDENTIFIER_CHANGED = "identifier-changed"
    IDENTIFIER_RECYCLED = "identifier-recycled"
    CREDENTIAL_COMPROMISE = "credential-compromise"
    OPT_IN = "opt-in"
    OPT_OUT_INITIATED = "opt-out-initiated"
    OPT_OUT_CANCELLED = "opt-out-cancelled"
    OPT_OUT_EFFECTIVE = "opt-out-effective"
    RECOVERY_ACTIVATED = "recovery-activated"
    RECOVERY_INFORMATION_CHANGED = "recovery-information-changed"
    SESSIONS_REVOKED = "sessions-revoked"  # RISC, deprecated in favour of CAEP's
    SESSION_REVOKED = "caep.session-revoked"
    TOKEN_CLAIMS_CHANGE = "caep.token-claims-change"  # noqa: S105 - an event's name
    CREDENTIAL_CHANGE = "caep.credential-change"
    ASSURANCE_LEVEL_CHANGE = "caep.assurance-level-change"
    DEVICE_COMPLIANCE_CHANGE = "caep.device-compliance-change"
    RISK_LEVEL_CHANGE = "caep.risk-level-change"


KINDS: Mapping[str, SignalKind] = MappingProxyType(
    {
        (CAEP + kind.removeprefix("caep.") if kind.startswith("caep.") else RISC + kind): kind
        for kind in SignalKind
    }
)


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What a signal does: a channel loses its voice, exits are held, policies are warned.

    ``mutes`` concerns the channel that the signal names, if it names one.
    """

    mutes: timedelta = timedelta()
    holds: timedelta = timedelta()
    warns: timedelta = timedelta()
    ends_sessions: bool = False


NOTHING = Effect()
_DAY = timedelta(days=1)
# Somebody else may read this mailbox: as long as a changed SIM, and exits for two nights and a day.
_TAKEN = Effect(mutes=7 * _DAY, holds=2 * _DAY, warns=7 * _DAY)
_SHAKEN = Effect(mutes=3 * _DAY, holds=_DAY, warns=7 * _DAY)
_K = SignalKind
_EFFECTS: Mapping[SignalKind, Effect] = MappingProxyType(
    {
        _K.CREDENTIAL_CHANGE_REQUIRED: _TAKEN,
        _K.ACCOUNT_PURGED: _TAKEN,
        _K.ACCOUNT_DISABLED: _TAKEN,
        _K.ACCOUNT_ENABLED: NOTHING,  # It would take something back, and a signal only adds.
        _K.IDENTIFIER_CHANGED: _TAKEN,
        _K.IDENTIFIER_RECYCLED: _TAKEN,
        _K.CREDENTIAL_COMPROMISE: _TAKEN,
        _K.OPT_IN: NOTHING,
        # RISC, 2.8: whoever takes an account over opts it out first, so that nobody hears of it.
        _K.OPT_OUT_INITIATED: Effect(warns=7 * _DAY),
        _K.OPT_OUT_CANCELLED: NOTHING,
        _K.OPT_OUT_EFFECTIVE: Effect(warns=7 * _DAY),
        _K.RECOVERY_ACTIVATED: _TAKEN,
        _K.RECOVERY_INFORMATION_CHANGED: _SHAKEN,
        _K.SESSIONS_REVOKED: Effect(warns=_DAY, ends_sessions=True),
        _K.SESSION_REVOKED: Effect(warns=_DAY, ends_sessions=True),
        _K.TOKEN_CLAIMS_CHANGE: Effect(warns=_DAY),
        _K.CREDENTIAL_CHANGE: _SHAKEN,
        _K.ASSURANCE_LEVEL_CHANGE: Effect(holds=_DAY, warns=7 * _DAY),
        _K.DEVICE_COMPLIANCE_CHANGE: Effect(holds=_DAY, warns=7 * _DAY, ends_sessions=True),
        _K.RISK_LEVEL_CHANGE: Effect(holds=_DAY, warns=7 * _DAY),
    }
)
# By which an event says that nothing got worse. Any other value, and none, counts as worse.
_BETTER: Mapping[SignalKind, tuple[str, frozenset[str]]] = MappingProxyType(
    {
        _K.ASSURANCE_LEVEL_CHANGE: ("change_direction", frozenset({"increase"})),
        _K.DEVICE_COMPLIANCE_CHANGE: ("current_status", frozenset({"compliant"})),
        _K.RISK_LEVEL_CHANGE: ("current_level", frozenset({"LOW"})),
    }
)


def is_better(kind: SignalKind, claims: Mapping[str, Any]) -> bool:
    """Say whether an event says that nothing got worse (CAEP, 3.4.1, 3.5.1 and 3.8.1)."""
    claim, values = _BETTER.get(kind, ("", frozenset()))
    value = claims.get(claim)
    return isinstance(value, str) and value in values


def effect_of(kind: SignalKind, *, better: bool) -> Effect:
    """Return what a signal of ``kind`` does. Unknown values count as worse (law 1)."""
    return NOTHING if better and kind in _BETTER else _EFFECTS[kind]


class Signals(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What signals have done to an account. Instants are POSIX seconds, rounded up.

    A series begins with the first signal, ``since``; all that any of it does ends with the series.
    ``muted`` are channels, each with the instant from which its codes and its silence count again.
    """

    since: int = 0
    warned_until: int = 0
    told_at: int = 0
    muted: dict[ChannelId, int] = {}

    def warned(self, now: datetime) -> bool:
        """Say whether policies are warned at ``now``."""
        return now.timestamp() < self.warned_until

    def mutes(self, channel_id: str, at: datetime) -> bool:
        """Say whether what is heard of a channel at ``at`` counts nothing.

        Also of what was heard before the signal came: whoever had the mailbox may have had it then.
        """
        return at.timestamp() < self.muted.get(ChannelId(channel_id), 0)

    def bounded(self, length: timedelta, *, now: datetime) -> datetime:
        """Return the end of what a signal does for ``length`` from ``now``: ``now`` for nothing.

        Prevents: a transmitter, or whoever stole its key, that locks a customer for ever.
        """
        at = _series(self.since, now=now)
        last = _instant(at, now) + SIGNAL_SERIES_MOST
        return min(now + length, max(now, last))

    def tells(self, *, news: bool, now: datetime) -> bool:
        """Say whether the owner is told: of news at once, of more of the same once a day."""
        return news or now.timestamp() >= self.told_at + SIGNAL_TOLD_EVERY.total_seconds()

    def after(
        self,
        *,
        at: datetime,
        muted: Mapping[ChannelId, datetime],
        warned: datetime | None,
        told: bool,
    ) -> "Signals":
        """Return these after one more signal; nothing ends sooner for it."""
        longer = dict(self.muted)
        for name, until in muted.items():
            longer[name] = max(longer.get(name, 0), seconds_of(until))
        kept = sorted(longer.items(), key=lambda one: one[1])[-SIGNALLED_CHANNELS_MOST:]
        warns = self.warned_until if warned is None else max(self.warned_until, seconds_of(warned))
        return replace(
            self,
            since=_series(self.since, now=at),
            warned_until=warns,
            told_at=seconds_of(at) if told else self.told_at,
            muted=dict(kept),
        )


def _series(since: int, *, now: datetime) -> int:
    """Return when the series that ``now`` belongs to began."""
    goes_on = since and now.timestamp() < since + SIGNAL_SERIES_EVERY.total_seconds()
    return since if goes_on else seconds_of(now)


def _instant(seconds: int, like: datetime) -> datetime:
    return datetime.fromtimestamp(seconds, tz=like.tzinfo)


def seconds_of(instant: datetime) -> int:
    """Return POSIX seconds, rounded up."""
    return -int(-instant.timestamp() // 1)
