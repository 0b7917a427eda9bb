"""Keys by what they are for: their roles, their lives, and when one may begin or end.

Each role changes its key in three steps, so that nothing and nobody meets a key that it does not
hold: *announced* (held by all, used by none), *activated* (it makes; the older ones only read), and
*retired* (gone, once nothing needs it any more).

Always true (tests/unit/domain/test_keys.py):

* a role of which a key was activated has exactly one that makes;
* a key makes nothing before it was announced for ``ANNOUNCED_LEAST`` of its role, and is not
  retired while anything needs it, or sooner than ``OVERLAP_LEAST`` after its successor came.

Source: docs/keys.md, which says who must be told before each step.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

import msgspec

from twinlock.domain.errors import TwinlockError


class Role(StrEnum):
    """What a key is for; the value stands in its file and its id."""

    SEAL = "seal"  # wraps subjects' keys: AES-256-GCM
    LOG = "log"  # signs checkpoints: Ed25519
    AUTHORIZATION = "authorization"  # signs authorizations: Ed25519
    PLATFORM = "platform"  # hashes platform keys: HMAC-SHA-256
    INDEX = "index"  # names destinations blindly: HMAC-SHA-256
    ANSWERS = "answers"  # signs answers to platforms that sign: Ed25519
    SIGNALS = "signals"  # signs security event tokens to other parties: Ed25519
    SIGNALS_RSA = "signals-rsa"  # signs those of receivers that take nothing else: RS256
    PRICES = "prices"  # verifies the price list: Ed25519, somebody else's, public only


REQUIRED = (
    Role.SEAL,
    Role.LOG,
    Role.AUTHORIZATION,
    Role.PLATFORM,
    Role.INDEX,
    Role.ANSWERS,
    Role.SIGNALS,
)
# Ours to make too, once somebody needs one: most installations never do.
OURS = (*REQUIRED, Role.SIGNALS_RSA)
SIGNING = frozenset({Role.LOG, Role.AUTHORIZATION, Role.ANSWERS, Role.SIGNALS, Role.SIGNALS_RSA})

# Processes look at the keyring each second, and make nothing by a look that is older than this.
LOOK_LIFETIME = timedelta(seconds=10)
_SEEN_BY_ALL = timedelta(seconds=30)  # Three times as long; nothing shortens it.
_DONE_BY_ALL = timedelta(seconds=60)  # And for what was begun by then: a batch takes 5 s at most.
# What is verified outside, in trust files that people hand over: a day to do it in.
_TOLD = timedelta(days=1)
# A checkpoint bears both signatures for a week: who follows the log looks more often than that.
_FOLLOWED = timedelta(days=7)

ANNOUNCED_LEAST: Mapping[Role, timedelta] = MappingProxyType(
    dict.fromkeys(REQUIRED, _SEEN_BY_ALL) | dict.fromkeys(SIGNING, _TOLD)
)
OVERLAP_LEAST: Mapping[Role, timedelta] = MappingProxyType(
    dict.fromkeys(REQUIRED, _DONE_BY_ALL) | dict.fromkeys(SIGNING, _TOLD) | {Role.LOG: _FOLLOWED}
)


class KeyState(StrEnum):
    """Where a key is in its life."""

    NEXT = "next"  # announced: held and believed, and makes nothing
    CURRENT = "current"  # makes
    OLD = "old"  # only reads, or of the log: signs beside the current one
    RETIRED = "retired"  # its secret is gone; its name stays


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What may be told of a key. ``used_from`` is None for one that is only announced."""

    role: Role
    key_id: str
    created_at: datetime
    used_from: datetime | None = None
    retired_at: datetime | None = None
    in_token: bool = False


class KeyUse(msgspec.Struct, frozen=True, kw_only=True):
    """So many things of one kind still need a key."""

    what: str
    count: int


class RotationRefusedError(TwinlockError):
    """This step of a key's life is not due, or does not exist: the detail says what is first."""

    code = "rotation_refused"
    status = 409


class KeyNeededError(TwinlockError):
    """Something needs this key still, and would be lost with it: the detail counts what."""

    code = "key_needed"
    status = 409


class KeyNotFoundError(TwinlockError):
    """The keyring holds no key of this role and id: `twinlock keys list` names those it holds."""

    code = "key_not_found"
    status = 404


def states(records: Iterable[KeyRecord]) -> dict[str, KeyState]:
    """Return the state of each of one role's keys, by its id."""
    held = tuple(records)
    current = current_of(held)
    return {one.key_id: _state(one, current) for one in held}


def current_of(records: Iterable[KeyRecord]) -> KeyRecord | None:
    """Return the key that makes: of those in use the one that was activated last."""
    in_use = [(one.used_from, one) for one in records if one.used_from and not one.retired_at]
    return max(in_use, key=lambda pair: pair[0])[1] if in_use else None


def _state(one: KeyRecord, current: KeyRecord | None) -> KeyState:
    if one.retired_at is not None:
        return KeyState.RETIRED
    if one.used_from is None:
        return KeyState.NEXT
    # Everybody's price lists are believed alike.
    return KeyState.CURRENT if one is current or one.role is Role.PRICES else KeyState.OLD


def next_of(records: Iterable[KeyRecord]) -> KeyRecord | None:
    """Return the key that is announced, or None."""
    waiting = (one for one in records if one.used_from is None and one.retired_at is None)
    return next(waiting, None)


def check_announce(role: Role, records: Iterable[KeyRecord]) -> None:
    """Return when a key of ``role`` may be announced.

    Raises:
        RotationRefusedError: one is announced already, or the role is not ours.
    """
    if role not in OURS:
        raise RotationRefusedError(
            "a price key is its owner's to make: `twinlock keys trust-prices`"
        )
    waiting = next_of(records)
    if waiting is not None:
        raise RotationRefusedError(
            f"{role} key {waiting.key_id} is announced already: `twinlock keys activate {role}`"
        )


def check_activate(
    role: Role, records: Collection[KeyRecord], *, now: datetime, at_once: bool
) -> KeyRecord:
    """Return the announced key of ``role``, which may make from ``now`` on.

    ``at_once`` leaves those outside no time to be told; processes always have theirs. Of a role's
    first key nobody outside has an older one.

    Raises:
        RotationRefusedError: none is announced, or not for long enough.
    """
    waiting = next_of(records)
    if waiting is None:
        raise RotationRefusedError(f"no {role} key is announced: `twinlock keys rotate {role}`")
    first = current_of(records) is None
    least = _SEEN_BY_ALL if at_once or first else ANNOUNCED_LEAST[role]
    _check_passed(waiting.created_at + least, now, "this key was announced only just", least)
    return waiting


def check_retire(
    role: Role,
    records: Iterable[KeyRecord],
    key_id: str,
    *,
    now: datetime,
    uses: Iterable[KeyUse],
    at_once: bool,
) -> KeyRecord:
    """Return the key ``key_id`` of ``role``, which may go.

    An announced key may always be withdrawn. ``at_once`` leaves those outside no time to follow;
    what we stored under a key keeps it all the same.

    Raises:
        KeyNotFoundError: there is none.
        RotationRefusedError: it makes, or its successor came only just.
        KeyNeededError: something needs it.
    """
    held = tuple(records)
    key = next((one for one in held if one.key_id == key_id), None)
    if key is None:
        raise KeyNotFoundError(f"the keyring holds no {role} key {key_id!r}")
    if key.retired_at is not None or key.used_from is None:
        return key
    if role is not Role.PRICES:
        _check_succeeded(role, held, key, now=now, at_once=at_once)
    needed = [one for one in uses if one.count]
    if needed and not (at_once and role is Role.PRICES):
        raise KeyNeededError(
            f"{role} key {key_id} is needed: "
            + ", ".join(f"{one.count} {one.what}" for one in needed)
        )
    return key


def _check_succeeded(
    role: Role, held: tuple[KeyRecord, ...], key: KeyRecord, *, now: datetime, at_once: bool
) -> None:
    current = current_of(held)
    if current is None or current.used_from is None or current is key:
        raise RotationRefusedError(f"this {role} key makes: activate another one first")
    least = _DONE_BY_ALL if at_once else OVERLAP_LEAST[role]
    _check_passed(current.used_from + least, now, "its successor was activated only just", least)


def _check_passed(until: datetime, now: datetime, why: str, least: timedelta) -> None:
    if now < until:
        at = until.strftime("%Y-%m-%dT%H:%M:%SZ")
        raise RotationRefusedError(f"{why}: not before {at} ({_told(least)} after)")


def _told(least: timedelta) -> str:
    """Return a wait in words: whole days, or seconds."""
    number, unit = (least.days, "day") if least.days else (least.seconds, "second")
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
