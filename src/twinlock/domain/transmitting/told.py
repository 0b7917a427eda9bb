"""Which signals follow from an entry of the log: events of CAEP and RISC, about one account.

A signal follows from an entry and from nothing else, so it is told if and only if the entry is
committed, and making it again gives the same name. It holds no address, sum, label or secret.

Always true (tests/unit/domain/test_told.py, tests/property/test_webhook_messages.py): every event
of an entry is of a kind in ``EMITTED``; names differ between streams, so that two receivers cannot
compare what they were told.

Source: OpenID CAEP 1.0, 2 and 3; OpenID RISC Profile 1.0, 2; OpenID SSF 1.0, 4.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import msgspec

from twinlock.domain.assurance import Factor, Placement
from twinlock.domain.authenticators.model import Authenticator, Passkey, factor_of
from twinlock.domain.canonical import tagged_hash
from twinlock.domain.events import (
    AuthenticatorBound,
    AuthenticatorReactivated,
    AuthenticatorRemoved,
    AuthenticatorSuspended,
    ChannelBound,
    ChannelRemoved,
    Event,
    FreezeLifted,
    FreezeSet,
    MemberJoined,
    MemberLeft,
    NewcomerRepudiated,
    ProofAccepted,
    SessionEnded,
    SessionStarted,
)
from twinlock.domain.ids import tail
from twinlock.domain.log.merkle import leaf_hash
from twinlock.domain.signals import KINDS, SignalKind
from twinlock.domain.webhooks.outcomes import LogEntry, leaf_time, message_of

Claims: TypeAlias = dict[str, Any]  # The members of an event, as JSON.
_K = SignalKind
EMITTED = frozenset(
    {
        _K.SESSION_REVOKED,
        _K.CREDENTIAL_CHANGE,
        _K.ASSURANCE_LEVEL_CHANGE,
        _K.CREDENTIAL_COMPROMISE,
        _K.CREDENTIAL_CHANGE_REQUIRED,
        _K.RECOVERY_INFORMATION_CHANGED,
        _K.RECOVERY_ACTIVATED,
        _K.ACCOUNT_DISABLED,
        _K.ACCOUNT_ENABLED,
        _K.ACCOUNT_PURGED,
    }
)
URIS: Mapping[SignalKind, str] = MappingProxyType({kind: uri for uri, kind in KINDS.items()})
# CAEP, 3.3.1: where the kind of a credential is not told, and where the profile has no word for it.
ANY_CREDENTIAL, SAVED_CODES = "authenticator", "recovery-code"
# CAEP, 3.4.1: a namespace of our own, since a session's power follows from the account's floor.
SESSIONS, READ_ONLY = "twinlock-session", "read-only"


class ToldEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One signal: its kind, the members of its event, and the session that it is about, if one."""

    kind: SignalKind
    claims: Claims
    session: str = ""


def told_of(entry: LogEntry) -> tuple[ToldEvent, ...]:
    """Return the signals that follow from an entry, each once.

    Raises:
        LogDamagedError: what is kept of the entry is not what its leaf commits to.
    """
    if entry.kept is None:
        return (_told(_K.ACCOUNT_PURGED, entry),) if entry.account_id else ()
    found = [one for event in entry.kept.events for one in _of(event, entry, entry.kept.events)]
    if not found:
        return ()
    message_of(entry)  # It opens the entry against its leaf.
    return tuple(one for number, one in enumerate(found) if one not in found[:number])


def name_of(stream_id: str, leaf: bytes, number: int) -> str:
    """Return the name (``jti``) of the signal of this number of an entry, on one stream."""
    parts = (stream_id.encode("ascii"), leaf_hash(leaf), number.to_bytes(4, "big"))
    return f"set_{tail(tagged_hash('signal-name/v1', *parts)[:16])}"


def _of(event: Event, entry: LogEntry, beside: tuple[Event, ...]) -> Iterator[ToldEvent]:
    match event:
        case SessionEnded(session_id=session_id):
            yield _told(_K.SESSION_REVOKED, entry, session=session_id)
        case SessionStarted(session=session) if session.read_only:
            level = {"namespace": SESSIONS, "current_level": READ_ONLY}
            yield _told(_K.ASSURANCE_LEVEL_CHANGE, entry, **level, change_direction="decrease")
        case ProofAccepted(used_code=code) if code:
            yield _told(_K.RECOVERY_ACTIVATED, entry)
        case FreezeSet():
            yield _told(_K.ACCOUNT_DISABLED, entry)
        case FreezeLifted():
            yield _told(_K.ACCOUNT_ENABLED, entry)
        case ChannelBound() | ChannelRemoved():
            yield _told(_K.RECOVERY_INFORMATION_CHANGED, entry)
        case NewcomerRepudiated():
            yield _told(_K.CREDENTIAL_COMPROMISE, entry, credential_type=ANY_CREDENTIAL)
        case _:
            yield from _of_authenticators(event, entry, beside)


def _of_authenticators(
    event: Event, entry: LogEntry, beside: tuple[Event, ...]
) -> Iterator[ToldEvent]:
    replaces = any(isinstance(one, AuthenticatorBound) for one in beside)
    match event:
        case AuthenticatorBound(authenticator=bound):
            gone = any(isinstance(one, AuthenticatorRemoved) for one in beside)
            yield _changed(entry, "update" if gone else "create", credential_type(bound))
        case AuthenticatorRemoved() if not replaces:
            yield _changed(entry, "delete", ANY_CREDENTIAL)
        case MemberJoined(passkey=bound):
            yield _changed(entry, "create", credential_type(bound))
        case MemberLeft():
            yield _changed(entry, "delete", ANY_CREDENTIAL)
        case AuthenticatorReactivated():
            yield _changed(entry, "update", ANY_CREDENTIAL)
        case AuthenticatorSuspended(for_good=for_good):
            yield _changed(entry, "revoke", ANY_CREDENTIAL)
            yield _told(_K.CREDENTIAL_COMPROMISE, entry, credential_type=ANY_CREDENTIAL)
            if for_good:
                yield _told(_K.CREDENTIAL_CHANGE_REQUIRED, entry)
        case _:
            return


def _changed(entry: LogEntry, change: str, credential: str) -> ToldEvent:
    return _told(_K.CREDENTIAL_CHANGE, entry, change_type=change, credential_type=credential)


def _told(kind: SignalKind, entry: LogEntry, *, session: str = "", **claims: str) -> ToldEvent:
    """Return a signal; of CAEP with the time of the decision (CAEP, 2), in POSIX seconds."""
    at = int(leaf_time(entry.leaf).timestamp())
    timed: Claims = {"event_timestamp": at} if kind.startswith("caep.") else {}
    return ToldEvent(kind=kind, claims=timed | claims, session=session)


def credential_type(authenticator: Authenticator) -> str:
    """Return what CAEP, 3.3.1, calls this authenticator."""
    if isinstance(authenticator, Passkey):
        roams = authenticator.placement is Placement.ROAMING
        return "fido2-roaming" if roams else "fido2-platform"
    return _TYPES[factor_of(authenticator)]


_TYPES: Mapping[Factor, str] = MappingProxyType(
    {Factor.PASSWORD: "password", Factor.TOTP: "app", Factor.RECOVERY_CODE: SAVED_CODES}
)
