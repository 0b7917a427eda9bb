"""Imagining: facts of an account that are as a context says, for examples that people read.

What a context leaves open is as mild as it can be: nothing is frozen, held or in dispute. A context
that no account can be in has no facts: a wait that runs without a proof, an account that is heard
and has no channel.

Always true (tests/property/test_imagining_properties.py): statutes read of imagined facts what was
imagined.
"""

from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from msgspec.structs import replace

from twinlock.domain.actions import BUILT
from twinlock.domain.assurance import Factor, Level, level_shown
from twinlock.domain.bounds import MAX_VALUE_CENTS
from twinlock.domain.catalogue import CLASS_OF, SCOPES, WITHDRAW_SCOPE, ActionClass, ActionType
from twinlock.domain.key_laws import by_api_key
from twinlock.domain.policy.facts import (
    ApiKeyState,
    ApiKeyUse,
    DestinationState,
    Facts,
    SessionState,
    Within,
)
from twinlock.domain.policy.terms import Context, Value
from twinlock.domain.policy.vocabulary import BEYOND, HELD_SECONDS_MOST, context_of, milliseconds

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)  # Of every example; the middle of a day.
NOW_MS = milliseconds(NOW)
_OPENED = timedelta(days=400)
_EARLIER = timedelta(hours=1)  # When the last exit of today was.
_ROOTS = ("phone", "roaming:a", "desktop:b")
_FEWEST: MappingProxyType[str, Value] = MappingProxyType(
    {
        "proved": False,
        "held_seconds": 0,
        "roots_shown": 0,
        "session": SessionState.NONE.value,
        "api_key": "none",
        "value_cents": 0,
        "day_cents": 0,
        "destination_day_cents": 0,
        "has_channel": True,
        "narrow": False,
    }
)
# Facts that are so named in both, and as the context has them.
_ALIKE = (
    "enrolling",
    "signalled",
    "destinations_required",
    "wanted_elsewhere",
    "look_alike",
    "budget_cents",
    "new_device",
    "risk",
    "approvals",
    "ip_list",
    "key_destinations",
    "narrow",
    "has_channel",
    "value_cents",
    "day_cents",
    "destination_day_cents",
)


def imagine(action: str, wanted: Context) -> Facts | None:
    """Return facts about ``action``, one of the catalogue, of which ``wanted`` is read; or None.

    None says that no account is so, as far as we can say.
    """
    full = {**_FEWEST, **wanted}
    if "day_cents" not in wanted:
        full["day_cents"] = full["destination_day_cents"]
    if wanted.get("value_unknown"):
        full["value_cents"] = wanted.get("value_cents", MAX_VALUE_CENTS)
    if "has_channel" in wanted and "narrow" not in wanted:
        full["narrow"] = not wanted["has_channel"]
    if not _holds_together(full):
        return None
    facts = Facts(**_of_the_action(action, full), **_of_the_account(full), **_proofs(full))
    facts = _with_key(_with_sums(facts, full), full)
    found = _proved(facts, full)
    if found is None or context_of(found, wanted) != wanted:
        return None
    return found


def _holds_together(full: Context) -> bool:
    """Say whether no two of these facts contradict each other, as far as one rule tells both."""
    return not any(
        (
            full["held_seconds"] != 0 and not full["proved"],
            not full["has_channel"] and not full["narrow"],
            _whole(full, "destination_day_cents") > _whole(full, "day_cents"),
            "roots_enrolled" in full
            and _whole(full, "roots_enrolled") < _whole(full, "roots_shown"),
        )
    )


def _whole(full: Context, name: str) -> int:
    value = full[name]
    return value if isinstance(value, int) else 0


def _words(full: Context, name: str) -> frozenset[str]:
    value = full.get(name)
    return value if isinstance(value, frozenset) else frozenset()


def _of_the_action(action: str, full: Context) -> dict[str, Any]:
    scopes = _words(full, "scopes")
    if action == ActionType.API_KEY_CREATE and "scopes" not in full:
        withdraws = full.get("class") == ActionClass.LOOSENING.value
        scopes = frozenset({WITHDRAW_SCOPE if withdraws else min(SCOPES)})
    cls = ActionClass.LOOSENING if WITHDRAW_SCOPE in scopes else CLASS_OF[action]
    if action == ActionType.TRUSTED_CONTACT_ADD and "class" in full:
        cls = ActionClass(str(full["class"]))
    held = timedelta(seconds=_whole(full, "held_seconds"))
    exits = CLASS_OF[action] is ActionClass.EXIT
    usual = DestinationState.USABLE if exits else DestinationState.NONE
    opened = full.get("opened_at")
    return {
        "now": NOW,
        "action": action,
        "action_class": cls,
        "built": action in BUILT,
        "opened_at": NOW - _OPENED if opened is None else _instant(opened),
        "proposed_at": NOW - held,
        "proved_at": NOW - held if full["proved"] else None,
        "scopes": tuple(sorted(scopes)),
        "ip_list": 1 if WITHDRAW_SCOPE in scopes else 0,
        "key_destinations": 1 if WITHDRAW_SCOPE in scopes else 0,
        "key_daily_cents": 1 if WITHDRAW_SCOPE in scopes else 0,
        "destination": DestinationState(str(full.get("destination", usual.value))),
    }


def _instant(value: Value) -> datetime:
    return NOW + timedelta(milliseconds=int(str(value)) - NOW_MS)


def _of_the_account(full: Context) -> dict[str, Any]:
    last = None
    if (since := full.get("since_last_exit_seconds")) is not None:
        seconds = int(str(since))
        last = None if seconds == HELD_SECONDS_MOST else NOW - timedelta(seconds=seconds)
    elif full["day_cents"]:
        last = NOW - _EARLIER
    return {
        "last_exit_at": last,
        "shown_device_bound": bool(full.get("device_bound", False)),
        "session": SessionState(str(full["session"])),
        "roots_enrolled": max(
            _whole(full, "roots_enrolled") if "roots_enrolled" in full else 1,
            _whole(full, "roots_shown"),
        ),
    }


def _proofs(full: Context) -> dict[str, Any]:
    """Return what is shown: what the context names, else as little as shows so many roots."""
    count, signed = _whole(full, "roots_shown"), full["session"] in _SESSIONS
    if "factors" in full:
        factors = _words(full, "factors")
    else:
        own = Factor.PASSKEY if full["proved"] else Factor.TOTP
        shown = {own} if count or full.get("device_bound") else {Factor.PASSWORD}
        by_key = full["api_key"] not in ("none", BEYOND)
        bare = not count and (not full["proved"] or by_key) and not full.get("device_bound")
        session = {Factor.SESSION} if signed else set()
        key = {Factor.API_KEY} if full["api_key"] != "none" else set()
        factors = frozenset(map(str, (set() if bare else shown) | session | key))
    roots = (*_ROOTS, *(f"roaming:{number}" for number in range(count)))
    return {
        "shown_factors": tuple(Factor(one) for one in sorted(factors)),
        "shown_roots": tuple(sorted(roots[:count])),
        "shown_oldest_at": NOW - _OPENED if factors else None,
    }


_ROOTED = frozenset(
    {Factor.PASSKEY, Factor.TOTP, Factor.EMAIL_CODE, Factor.SMS_CODE, Factor.RECOVERY_CODE}
)
_SESSIONS = (SessionState.FULL.value, SessionState.READ_ONLY.value)


def _with_sums(facts: Facts, full: Context) -> Facts:
    alike = {name: full[name] for name in _ALIKE if name in full}
    day = facts.day_cents if "day_cents" not in alike else _whole(full, "day_cents")
    announced = 0
    if full.get("within_announced"):
        announced = max(day + _whole(full, "value_cents"), 1)
    most = MAX_VALUE_CENTS  # Whatever the owner signed as the budget of a listed destination.
    return replace(facts, **alike, announced_cents=announced, budget_left_cents=most)


def _with_key(facts: Facts, full: Context) -> Facts:
    word = str(full["api_key"])
    if word == "none":
        return facts
    good = word != BEYOND
    use = ApiKeyUse(
        state=ApiKeyState.LIVE,
        level=Level[word.upper()] if good else Level.PHISHING_RESISTANT,
        scopes=(WITHDRAW_SCOPE,),
        ip=Within.INSIDE if good else Within.OUTSIDE,
        destination=Within.INSIDE,
        daily_cents=MAX_VALUE_CENTS,
        left_cents=MAX_VALUE_CENTS,
    )
    return replace(facts, api_key=use)


def _proved(facts: Facts, full: Context) -> Facts | None:
    """Return ``facts`` with the highest floor at which what is shown proves it, or does not.

    None where it does at no floor, or shows itself what is not among its factors.
    """
    shown = set(facts.shown_factors)
    signs = (Factor.SESSION in shown) == (full["session"] in _SESSIONS)
    keys = (Factor.API_KEY in shown) == (facts.api_key is not None)
    rooted = not facts.shown_roots or bool(shown & _ROOTED)
    if not all((signs, keys, rooted, Factor.PASSKEY in shown or not facts.shown_device_bound)):
        return None
    for floor in sorted(set(Level) - {Level.NONE}, reverse=True):
        level = level_shown(shown, floor=floor)
        found = replace(facts, floor=floor, shown_level=level)
        if (level >= floor or by_api_key(found)) == full["proved"]:
            return found
    return None
